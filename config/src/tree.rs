//! What reading yields: lines with their words and blocks, each with its place.

use crate::{Class, Diagnostic, Keyword, Span};

/// One word, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text. Bytes that are not UTF-8 are kept by the reader in a lossless way.
    pub text: String,
    /// Where it stands (of a substituted word: the whole line's place in the file).
    pub span: Span,
}

/// One keyword line with what belongs to it.
pub struct Line {
    /// The row it was recognised by.
    pub keyword: &'static Keyword,
    /// Place of the keyword.
    pub span: Span,
    /// The arguments, tokenised by spec §9.1 (by §10.2 level 1 for command keywords).
    pub words: Vec<Word>,
    /// The block behind it.
    pub body: Contents,
}

/// The block of a [`Line`].
pub enum Contents {
    /// No block.
    None,
    /// Keyword lines.
    Lines(Vec<Line>),
    /// Entries of a value block.
    Entries(Vec<Vec<Word>>),
}

/// Why the configuration is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `-t`.
    Test,
    /// Start of the daemon.
    Start,
    /// SIGHUP.
    Reload,
}

/// What handlers report to.
pub struct Context<'a> {
    /// Everything reported so far.
    pub diagnostics: &'a mut Vec<Diagnostic>,
    /// Why the configuration is read; decides about lenient numbers.
    pub mode: Mode,
}

impl Context<'_> {
    /// Reports a problem of `class` at `span`.
    pub fn report(&mut self, class: Class, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic {
            class: Some(class),
            span: Some(span),
            message: message.into(),
            help: None,
        });
    }

    /// Like [`Context::report`], with a sentence under the caret.
    pub fn report_with_help(
        &mut self,
        class: Class,
        span: Span,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let message = message.into();
        self.diagnostics.push(Diagnostic { class: Some(class), span: Some(span), message, help });
    }

    /// Reports a problem that no single place stands for.
    pub fn report_general(&mut self, class: Class, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic {
            class: Some(class),
            span: None,
            message: message.into(),
            help: None,
        });
    }

    /// A plain log line: no class, nothing in a configuration test.
    pub fn log(&mut self, span: Option<Span>, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic {
            class: None,
            span,
            message: message.into(),
            help: None,
        });
    }
}
