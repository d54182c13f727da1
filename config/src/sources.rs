//! The files that were read, kept for showing places in them.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use crate::{Span, text};

/// One file, or one reading of it.
#[derive(Debug)]
pub struct SourceFile {
    /// Its name as the pattern that found it yields it.
    pub name: String,
    bytes: Arc<Vec<u8>>,
    /// Offset of each line, made when first asked for.
    starts: OnceLock<Vec<usize>>,
}

/// All files of one load, in order of opening; [`Span::file`] is an index into them.
#[derive(Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    /// The main pattern matched several files, so that messages must name even the first.
    pub(crate) several_main_files: bool,
}

impl SourceFile {
    /// The text of physical line `line` (from 1), without its end.
    pub fn line(&self, line: u32) -> Option<Cow<'_, str>> {
        let bytes = self.line_bytes(line)?;
        Some(text::from_bytes(bytes))
    }

    pub(crate) fn line_bytes(&self, line: u32) -> Option<&[u8]> {
        let starts = self.starts.get_or_init(|| {
            let ends = self.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
        });
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        let start = *starts.get(index)?;
        let end = starts.get(index + 1).map_or(self.bytes.len(), |next| next - 1);
        let line = &self.bytes[start..end];
        Some(line.trim_ascii_end_of_line())
    }
}

trait EndOfLine {
    fn trim_ascii_end_of_line(&self) -> &Self;
}

impl EndOfLine for [u8] {
    fn trim_ascii_end_of_line(&self) -> &[u8] {
        let kept = self.iter().rposition(|b| !matches!(b, b'\r' | b'\n'));
        &self[..kept.map_or(0, |last| last + 1)]
    }
}

impl Sources {
    pub(crate) fn add(&mut self, name: String, bytes: Arc<Vec<u8>>) -> u32 {
        self.files.push(SourceFile { name, bytes, starts: OnceLock::new() });
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The file that `span` points into.
    pub fn file(&self, span: Span) -> Option<&SourceFile> {
        self.files.get(usize::try_from(span.file).ok()?)
    }

    /// `FILE line N`, for messages written outside the reading of a file.
    pub fn place(&self, span: Span) -> String {
        match self.file(span) {
            Some(file) => format!("{} line {}", file.name, span.line),
            None => format!("line {}", span.line),
        }
    }

    /// The prefix of a message at `span` in the form that tools know: `(Line N) ` in the only main
    /// file, else `(FILE: Line N) ` (spec §2.3).
    pub fn prefix(&self, span: Span) -> String {
        match self.file(span) {
            Some(file) if span.file != 0 || self.several_main_files => {
                format!("({}: Line {}) ", file.name, span.line)
            }
            _ => format!("(Line {}) ", span.line),
        }
    }
}
