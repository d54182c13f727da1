//! Collecting what the reader reports, with a limit.

use crate::{Class, Diagnostic, Span};

/// Diagnostics kept of one load. Beyond it only the classes count, and one line says how many more.
const MOST: usize = 10_000;

/// The diagnostics of one load.
#[derive(Debug, Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    dropped: usize,
    highest: Option<Class>,
}

impl Report {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MOST || diagnostic.class > self.highest {
            self.highest = self.highest.max(diagnostic.class);
            self.diagnostics.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    pub fn report(&mut self, class: Class, span: Span, message: impl Into<String>) {
        self.report_with_help(class, span, message, None);
    }

    pub fn report_with_help(
        &mut self,
        class: Class,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let message = message.into();
        self.push(Diagnostic { class: Some(class), span: Some(span), message, help });
    }

    pub fn log(&mut self, span: Option<Span>, message: impl Into<String>) {
        self.push(Diagnostic { class: None, span, message: message.into(), help: None });
    }

    pub fn report_general(&mut self, class: Class, message: impl Into<String>) {
        let message = message.into();
        self.push(Diagnostic { class: Some(class), span: None, message, help: None });
    }

    /// All of it.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        if self.dropped > 0 {
            let message = format!("{} more problems are not shown", self.dropped);
            self.diagnostics.push(Diagnostic { class: None, span: None, message, help: None });
        }
        self.diagnostics
    }
}
