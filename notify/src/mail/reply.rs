//! Replies of a mail server, put together from whatever pieces they arrive in.
//!
//! More is accepted than RFC 5321 section 4.2 promises: a bare LF ends a line, and a code needs no
//! blank behind it (which that section asks of clients).

use std::fmt;
use std::str::FromStr;

use lettre::transport::smtp::response::Response;

/// Longest line of a reply, in bytes; the RFC's limit is 512.
const MAX_LINE: usize = 2048;
/// Most lines of one reply.
const MAX_LINES: usize = 128;

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// What stands behind the code on each line.
    pub lines: Vec<String>,
}

impl Reply {
    /// As lettre's parsers want it, which panic on a line of blanks; none when lettre does not know such
    /// a code.
    pub fn response(&self) -> Option<Response> {
        let last = self.lines.len().saturating_sub(1);
        let line = |(n, text): (usize, &String)| {
            format!("{}{}{}\r\n", self.code, if n == last { ' ' } else { '-' }, text.trim())
        };
        let text: String = self.lines.iter().enumerate().map(line).collect();
        Response::from_str(&text).ok()
    }
}

/// Why what came is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// A line or the whole is too long.
    TooLong,
    /// A line that begins with no code, or with another one than the line before.
    NoCode,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::TooLong => "a reply is too long",
            Malformed::NoCode => "a reply has no valid code",
        })
    }
}

/// The reply that is arriving.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    line: Vec<u8>,
    code: Option<u16>,
    lines: Vec<String>,
}

impl Replies {
    /// Takes bytes up to the end of a reply; returns how many those were, and the reply.
    pub fn take(&mut self, bytes: &[u8]) -> (usize, Option<Result<Reply, Malformed>>) {
        for (n, &byte) in bytes.iter().enumerate() {
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() > MAX_LINE {
                    return (n + 1, Some(Err(Malformed::TooLong)));
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match self.end_line(&line) {
                Ok(None) => {}
                Ok(Some(reply)) => return (n + 1, Some(Ok(reply))),
                Err(error) => return (n + 1, Some(Err(error))),
            }
        }
        (bytes.len(), None)
    }

    fn end_line(&mut self, line: &[u8]) -> Result<Option<Reply>, Malformed> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (digits, rest) = line.split_at_checked(3).ok_or(Malformed::NoCode)?;
        let code = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u16>().ok());
        let code = code.filter(|code| (200..600).contains(code)).ok_or(Malformed::NoCode)?;
        if self.code.is_some_and(|first| first != code) {
            return Err(Malformed::NoCode);
        }
        if self.lines.len() >= MAX_LINES {
            return Err(Malformed::TooLong);
        }
        let (separator, text) = rest.split_at_checked(1).unwrap_or_default();
        // The lone CR would be cut off by lettre's parser.
        let text = String::from_utf8_lossy(text).replace('\r', " ");
        self.lines.push(text);
        if separator == b"-" {
            self.code = Some(code);
            return Ok(None);
        }
        self.code = None;
        Ok(Some(Reply { code, lines: std::mem::take(&mut self.lines) }))
    }
}
