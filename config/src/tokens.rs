//! Cutting a line at its braces and into tokens (spec config-language §8 and §9.1).

/// What stands between, or is, a brace outside quotes. Ranges are byte offsets in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Text without braces outside quotes, outer blanks included.
    Text(usize, usize),
    /// A `{` at this offset.
    Open(usize),
    /// A `}` at this offset.
    Close(usize),
}

/// Calls `each` for every segment of `line`, until it returns false.
pub(crate) fn segments(line: &[u8], mut each: impl FnMut(Segment) -> bool) {
    let mut quoted = false;
    let mut from = 0;
    for (at, byte) in line.iter().enumerate() {
        let brace = match byte {
            b'"' => {
                quoted = !quoted;
                continue;
            }
            b'{' if !quoted => Segment::Open(at),
            b'}' if !quoted => Segment::Close(at),
            _ => continue,
        };
        if from < at && !each(Segment::Text(from, at)) {
            return;
        }
        from = at + 1;
        if !each(brace) {
            return;
        }
    }
    if from < line.len() {
        each(Segment::Text(from, line.len()));
    }
}

/// A token: the byte range of its text without quotes, and where the next search starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub start: usize,
    pub end: usize,
    pub quoted: bool,
}

/// The result of looking for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Token(Token),
    Unmatched(usize),
    End,
}

pub(crate) fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d)
}

/// The first token of `line[from..end]`; continue behind it at [`Token::resume`].
pub(crate) fn token(line: &[u8], from: usize, end: usize) -> Next {
    let line = &line[..end];
    let Some(skip) = line[from..].iter().position(|b| !is_separator(*b)) else {
        return Next::End;
    };
    let start = from + skip;
    if line[start] == b'"' {
        return match line[start + 1..].iter().position(|b| *b == b'"') {
            Some(len) => {
                Next::Token(Token { start: start + 1, end: start + 1 + len, quoted: true })
            }
            None => Next::Unmatched(start),
        };
    }
    let len = line[start..].iter().position(|b| is_separator(*b) || *b == b'"');
    Next::Token(Token { start, end: len.map_or(end, |len| start + len), quoted: false })
}

impl Token {
    /// Where to look for the next one.
    pub fn resume(&self) -> usize {
        self.end + usize::from(self.quoted)
    }
}
