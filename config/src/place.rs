//! Where the bytes of a line stand in the file, kept through comments, prefixes and substitution.

use crate::Span;

/// Maps offsets in a line's text to the file. Text in front of the first change and behind the last
/// one keeps its exact column; what a substitution produced has the place of the whole line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The whole line.
    pub whole: Span,
    /// Column in the file of the first byte of the text.
    column: usize,
    /// Offsets below this are `column` + offset.
    before: usize,
    /// Offsets from this on are `column` + offset + `shift`.
    behind: usize,
    shift: isize,
}

impl Place {
    /// A line of `len` bytes at `column` that stands in the file as it is.
    pub fn exact(file: u32, line: u32, column: usize, len: usize) -> Place {
        let whole = span(file, line, column, len);
        Place { whole, column, before: usize::MAX, behind: usize::MAX, shift: 0 }
    }

    /// A line generated from elsewhere, for which `whole` stands.
    pub fn generated(whole: Span) -> Place {
        Place { whole, column: 0, before: 0, behind: usize::MAX, shift: 0 }
    }

    /// The text without its first `count` bytes.
    pub fn skip(self, count: usize) -> Place {
        let column = self.column + count;
        if self.before == usize::MAX {
            return Place { column, ..self };
        }
        let less = |offset: usize| match offset {
            usize::MAX => offset,
            offset => offset.saturating_sub(count),
        };
        Place { column, before: less(self.before), behind: less(self.behind), ..self }
    }

    /// The text after a change of what stood between `before` and the new offset `behind`; what
    /// follows was `shift` bytes further on.
    pub fn changed(self, before: usize, behind: usize, shift: isize) -> Place {
        if self.before != usize::MAX {
            // A second change: only what both left alone is certain.
            return Place { before: self.before.min(before), behind: usize::MAX, ..self };
        }
        Place { before, behind, shift, ..self }
    }

    /// The place of the bytes from `start` to `end` of the text.
    pub fn span(&self, start: usize, end: usize) -> Span {
        let column = if end <= self.before {
            Some(self.column + start)
        } else if start >= self.behind {
            (self.column + start).checked_add_signed(self.shift)
        } else {
            None
        };
        match column {
            Some(column) => span(self.whole.file, self.whole.line, column, end - start),
            None => self.whole,
        }
    }
}

fn span(file: u32, line: u32, column: usize, len: usize) -> Span {
    match (u16::try_from(column), u16::try_from(len)) {
        (Ok(column), Ok(len)) => Span { file, line, column, len },
        _ => Span { file, line, column: 0, len: 0 },
    }
}
