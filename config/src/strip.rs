//! The first pass over a line: blanks, comments, quotes, continuation (spec config-language §4).

use std::borrow::Cow;

/// A line without comment and outer blanks.
#[derive(Debug)]
pub(crate) struct Stripped<'a> {
    /// What is left.
    pub text: Cow<'a, [u8]>,
    /// How many blanks were cut in front.
    pub indent: usize,
    /// Where backslashes were dropped: offset of the first, offset behind the last, how many.
    pub dropped: Option<(usize, usize, usize)>,
    /// An odd number of `"`.
    pub unterminated: bool,
    /// The last byte is a `\` that continues a definition.
    pub continued: bool,
    /// There was a comment, and such a `\` ended it.
    pub comment_continues: bool,
}

impl<'a> Stripped<'a> {
    /// A line without anything special in it, blanks cut.
    pub fn plain(text: &'a [u8], indent: usize) -> Stripped<'a> {
        let text = Cow::Borrowed(text);
        Stripped {
            text,
            indent,
            dropped: None,
            unterminated: false,
            continued: false,
            comment_continues: false,
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim_end(text: &[u8]) -> &[u8] {
    &text[..text.iter().rposition(|b| !is_blank(*b)).map_or(0, |last| last + 1)]
}

/// Strips `line`. The offsets in `literal` (ascending) are of `#` and `!` that start no comment.
pub(crate) fn strip<'a>(line: &'a [u8], literal: &[usize]) -> Stripped<'a> {
    let indent = line.iter().take_while(|b| is_blank(**b)).count();
    let text = &line[indent..];
    let scan = scan(text, indent, literal);
    let text = &text[..scan.end];
    let mut result = Stripped {
        text: Cow::Borrowed(text),
        indent,
        dropped: None,
        unterminated: scan.quoted,
        continued: scan.continued,
        comment_continues: scan.comment_continues,
    };
    if let (Some(first), Some(last)) = (scan.backslashes.first(), scan.backslashes.last()) {
        let mut kept = Vec::with_capacity(text.len());
        let mut from = 0;
        for at in &scan.backslashes {
            kept.extend_from_slice(&text[from..*at]);
            from = at + 1;
        }
        kept.extend_from_slice(&text[from..]);
        let count = scan.backslashes.len();
        result.dropped = Some((*first, last + 1 - count, count));
        result.text = Cow::Owned(kept);
    }
    trim_tail(&mut result);
    result
}

/// Cuts blanks at the end, or in front of the continuation mark.
fn trim_tail(line: &mut Stripped<'_>) {
    let text = line.text.as_ref();
    if !line.continued {
        let end = trim_end(text).len();
        match &mut line.text {
            Cow::Borrowed(text) => *text = &text[..end],
            Cow::Owned(text) => text.truncate(end),
        }
        return;
    }
    let end = trim_end(&text[..text.len() - 1]).len();
    if end + 1 < text.len() {
        let mut kept = text[..end].to_vec();
        kept.push(b'\\');
        line.text = Cow::Owned(kept);
    }
}

struct Scan {
    end: usize,
    quoted: bool,
    continued: bool,
    comment_continues: bool,
    /// Offsets of the backslashes that only protected a comment character.
    backslashes: Vec<usize>,
}

fn scan(text: &[u8], indent: usize, literal: &[usize]) -> Scan {
    let mut scan = Scan {
        end: text.len(),
        quoted: false,
        continued: false,
        comment_continues: false,
        backslashes: Vec::new(),
    };
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => scan.quoted = !scan.quoted,
            b'\\' => {
                match text.get(at + 1) {
                    None => scan.continued = true,
                    Some(b'#' | b'!') if !scan.quoted => scan.backslashes.push(at),
                    Some(_) => {}
                }
                at += 1;
            }
            b'#' | b'!' if !scan.quoted && literal.binary_search(&(at + indent)).is_err() => {
                scan.end = at;
                scan.comment_continues = ends_in_backslash(&text[at..]);
                return scan;
            }
            _ => {}
        }
        at += 1;
    }
    scan
}

/// Whether the last byte is a `\` that no other one in front of it protects.
fn ends_in_backslash(text: &[u8]) -> bool {
    text.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// The `@ID` or `@^ID` prefix of a line (spec §5): `None` when there is none, else whether the line
/// is kept, and how many bytes the prefix takes.
pub(crate) fn conditional(text: &[u8], config_id: &[u8]) -> Option<(bool, usize)> {
    let rest = text.strip_prefix(b"@")?;
    let end = rest.iter().position(|b| is_blank(*b)).unwrap_or(rest.len());
    let kept = match rest[..end].strip_prefix(b"^") {
        Some(id) => id != config_id,
        None => !rest[..end].is_empty() && &rest[..end] == config_id,
    };
    let blanks = rest[end..].iter().take_while(|b| is_blank(**b)).count();
    let taken = 1 + end + blanks;
    Some((kept && taken < text.len(), taken))
}
