//! A search that is given the body in pieces.

use std::rc::Rc;

use super::KEPT;
use super::sys::{self, Code, Found};
use crate::settings::RegexSettings;

/// Bytes looked at together. What a search may cost grows with the square of it.
const PIECE: usize = 4 << 10;

/// A compiled expression.
pub(crate) struct Expression {
    code: Code,
    /// Bytes before a match that matter, and one more, by which the beginning of what is kept is told
    /// from the beginning of the body.
    look_behind: usize,
    min_offset: usize,
    max_offset: Option<usize>,
}

impl Expression {
    /// Compiles it.
    ///
    /// # Errors
    /// What is wrong with it, as a log line.
    pub(super) fn new(settings: &RegexSettings) -> Result<Expression, String> {
        let named = settings.options.iter().filter_map(|name| sys::option(name));
        let mut options = named.fold(0, |all, one| all | one);
        if settings.max_offset.is_some() {
            options |= sys::OFFSET_LIMIT;
        }
        let pattern = &settings.pattern;
        let code = Code::compile(pattern, options, settings.stack).map_err(|invalid| {
            let sys::Invalid { offset, message } = invalid;
            format!("Invalid regex: '{pattern}' at offset {offset}: {message}")
        })?;
        let widest = if code.is_utf() { 4 } else { 1 };
        Ok(Expression {
            look_behind: (code.look_behind() + 1) * widest,
            code,
            min_offset: settings.min_offset,
            max_offset: settings.max_offset,
        })
    }
}

/// A search in one body.
pub(crate) struct Search {
    expression: Rc<Expression>,
    /// The end of the body so far.
    window: Vec<u8>,
    /// Offset of the window in the body.
    base: usize,
    /// Where in the window the next match may begin; perhaps in what is still to come.
    from: usize,
    /// The answer.
    found: Option<bool>,
}

impl Search {
    /// A search in a body of which nothing has come yet.
    pub(crate) fn new(expression: Rc<Expression>) -> Search {
        let from = expression.min_offset;
        Search { expression, window: Vec::new(), base: 0, from, found: None }
    }

    /// Takes more of the body.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            if self.found.is_some() {
                return;
            }
            self.window.extend_from_slice(piece);
            self.look();
        }
    }

    /// Whether the body, of which nothing more comes, has a match.
    pub(crate) fn finish(&mut self) -> bool {
        if self.found.is_none() {
            self.search(self.window.len(), true);
        }
        self.window = Vec::new();
        *self.found.get_or_insert(false)
    }

    /// Looks for a match in what is there, and forgets what cannot be part of one any more.
    fn look(&mut self) {
        let unfinished = match self.expression.code.is_utf() {
            true => unfinished_character(&self.window),
            false => 0,
        };
        self.search(self.window.len() - unfinished, false);
        if self.found.is_none() {
            self.forget();
        }
        if self.found.is_none() && self.window.len() > KEPT {
            self.search(self.window.len(), true);
            self.found.get_or_insert(false);
        }
    }

    /// Drops the beginning of the window.
    fn forget(&mut self) {
        let mut gone = self.from.saturating_sub(self.expression.look_behind);
        gone = gone.min(self.window.len());
        if self.expression.code.is_utf() {
            while gone > 0 && self.window.get(gone).is_some_and(|byte| byte & 0xc0 == 0x80) {
                gone -= 1;
            }
        }
        self.window.drain(..gone);
        self.base += gone;
        self.from -= gone;
    }

    /// Searches the window up to `end`. Unless it is the last search, a match that reaches the end
    /// waits for what comes.
    fn search(&mut self, end: usize, last: bool) {
        let Expression { code, max_offset, .. } = &*self.expression;
        let limit = max_offset.map(|max| max.checked_sub(self.base));
        if limit.is_some_and(|limit| limit.is_none_or(|limit| limit < self.from)) {
            self.found = Some(false);
            return;
        }
        let Some(subject) = self.window.get(..end).filter(|_| self.from <= end) else { return };
        match code.search(subject, self.from, !last, limit.flatten()) {
            Found::Match => self.found = Some(true),
            Found::Partial(at) => self.from = at.clamp(self.from, end),
            Found::Nothing => self.from = end,
            Found::GivenUp => self.found = Some(false),
        }
    }
}

/// Bytes at the end that begin a character of which more is to come.
fn unfinished_character(text: &[u8]) -> usize {
    for (index, byte) in text.iter().rev().take(3).enumerate() {
        let length = match byte {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if length > index + 1 { index + 1 } else { 0 };
    }
    0
}
