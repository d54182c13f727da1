//! Command lines of scripts: two levels of splitting (spec config-language §10.2).
//!
//! The reader makes the words of a command keyword by [`split_line`], which keeps escapes as they
//! are; the command itself is then split into its arguments by [`arguments`], which interprets them.

use std::fmt;

use crate::{Class, text};

/// A command as configured, and what would be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The command string as configured, for logs, dumps and comparison on reload.
    pub text: String,
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// The user to run it as, if given.
    pub user: Option<crate::Word>,
    /// The group to run it as, if given.
    pub group: Option<crate::Word>,
}

/// Why a command cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitError {
    /// A quote without its partner.
    UnmatchedQuote,
    /// A `\` with nothing behind it.
    LoneBackslash,
    /// An escape that yields the byte 0, which no argument can contain.
    Nul,
    /// Nothing but blanks.
    Empty,
}

impl SplitError {
    /// The class it is reported with.
    pub fn class(self) -> Class {
        match self {
            SplitError::UnmatchedQuote => Class::UnmatchedQuote,
            _ => Class::General,
        }
    }
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SplitError::UnmatchedQuote => "quote without its partner",
            SplitError::LoneBackslash => "nothing follows the last \\",
            SplitError::Nul => "an escape yields the byte 0",
            SplitError::Empty => "command is empty",
        })
    }
}

impl std::error::Error for SplitError {}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d)
}

/// One word of a line split by level 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The word without its quotes, escapes kept.
    pub text: Vec<u8>,
    /// Byte range on the line, quotes included.
    pub start: usize,
    pub end: usize,
}

/// Level 1: splits a line into words. Both kinds of quote group, adjacent parts join, and a
/// backslash with the byte behind it is kept as it is. The words before an unmatched quote are kept.
pub(crate) fn split_line(line: &[u8]) -> (Vec<Piece>, Option<SplitError>) {
    let mut pieces = Vec::new();
    let mut at = 0;
    loop {
        while at < line.len() && is_blank(line[at]) {
            at += 1;
        }
        if at == line.len() {
            return (pieces, None);
        }
        let start = at;
        let mut text = Vec::new();
        let mut quote = None;
        while at < line.len() && (quote.is_some() || !is_blank(line[at])) {
            let byte = line[at];
            at += 1;
            match (byte, quote) {
                (b'\\', _) if at < line.len() => {
                    text.extend_from_slice(&[byte, line[at]]);
                    at += 1;
                }
                (b'"' | b'\'', None) => quote = Some(byte),
                (byte, Some(open)) if byte == open => quote = None,
                _ => text.push(byte),
            }
        }
        if quote.is_some() {
            return (pieces, Some(SplitError::UnmatchedQuote));
        }
        pieces.push(Piece { text, start, end: at });
    }
}

/// Level 2: splits a command string into program and arguments, interpreting escapes.
///
/// # Errors
/// When a quote has no partner, nothing follows the last `\`, an escape yields the byte 0, or there
/// is no word at all.
pub fn arguments(command: &str) -> Result<Vec<String>, SplitError> {
    let bytes = text::to_bytes(command);
    let mut argv = Vec::new();
    let mut rest: &[u8] = &bytes;
    loop {
        while let [first, tail @ ..] = rest
            && is_blank(*first)
        {
            rest = tail;
        }
        if rest.is_empty() {
            return if argv.is_empty() { Err(SplitError::Empty) } else { Ok(argv) };
        }
        let (word, tail) = argument(rest)?;
        argv.push(text::from_bytes(&word).into_owned());
        rest = tail;
    }
}

/// A word of level 1 with its escapes interpreted; quotes in it stand for themselves.
///
/// # Errors
/// When nothing follows the last `\`, or an escape yields the byte 0.
pub fn unescaped(word: &str) -> Result<String, SplitError> {
    let bytes = text::to_bytes(word);
    let mut rest: &[u8] = &bytes;
    let mut plain = Vec::with_capacity(rest.len());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let mut byte = *byte;
        if byte == b'\\' {
            (byte, rest) = escape(rest).ok_or(SplitError::LoneBackslash)?;
            if byte == 0 {
                return Err(SplitError::Nul);
            }
        }
        plain.push(byte);
    }
    Ok(text::from_bytes(&plain).into_owned())
}

fn argument(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), SplitError> {
    let mut word = Vec::new();
    let mut quote = None;
    while let [byte, tail @ ..] = rest {
        if quote.is_none() && is_blank(*byte) {
            break;
        }
        rest = tail;
        match (*byte, quote) {
            (b'\\', _) => {
                let (value, tail) = escape(rest).ok_or(SplitError::LoneBackslash)?;
                if value == 0 {
                    return Err(SplitError::Nul);
                }
                word.push(value);
                rest = tail;
            }
            (byte @ (b'"' | b'\''), None) => quote = Some(byte),
            (byte, Some(open)) if byte == open => quote = None,
            (byte, _) => word.push(byte),
        }
    }
    if quote.is_some() { Err(SplitError::UnmatchedQuote) } else { Ok((word, rest)) }
}

/// The byte an escape stands for, and what follows it; `rest` begins behind the backslash.
fn escape(rest: &[u8]) -> Option<(u8, &[u8])> {
    let [first, tail @ ..] = rest else { return None };
    let simple = |value| Some((value, tail));
    match *first {
        b'a' => simple(0x07),
        b'b' => simple(0x08),
        b'E' => simple(0x1b),
        b'f' => simple(0x0c),
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'v' => simple(0x0b),
        b'0'..=b'7' => Some(digits(rest, 8, 3)),
        b'x' if tail.first().is_some_and(u8::is_ascii_hexdigit) => Some(digits(tail, 16, 2)),
        b'c' if !tail.is_empty() => Some((tail[0] & 0x1f, &tail[1..])),
        other => simple(other),
    }
}

fn digits(rest: &[u8], radix: u32, most: usize) -> (u8, &[u8]) {
    let digit = |b: u8| char::from(b).to_digit(radix);
    let count = rest.iter().take(most).take_while(|b| digit(**b).is_some()).count();
    let value = rest[..count].iter().filter_map(|b| digit(*b)).fold(0, |v, d| v * radix + d);
    // Three octal digits can exceed a byte; as in C, the low eight bits count.
    (value.to_le_bytes()[0], &rest[count..])
}

#[cfg(test)]
mod tests;
