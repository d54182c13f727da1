//! The header of a reply, read as it always was: no more of it than matters, and no less
//! tolerantly. Servers in use today answer `ICY 200 OK`, names with blanks before the colon, control
//! characters and more, which parsers of HTTP refuse; to refuse it here would take them down.

use super::find;

const LENGTH: &[u8] = b"Content-Length:";

/// What matters of a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The three digits between the first two blanks of the first line. A first line that ends after
    /// the digits has none.
    pub(super) status: Option<u16>,
    /// The number behind the first `Content-Length:`, with these capitals and wherever it stands.
    pub(super) length: Option<u64>,
}

impl Head {
    /// Reads a complete header.
    pub(super) fn read(raw: &[u8]) -> Head {
        let line = raw.split(|&byte| byte == b'\r' || byte == b'\n').next().unwrap_or_default();
        let mut words = line.split(|&byte| byte == b' ');
        let (code, more) = (words.nth(1), words.next());
        let length = find(raw, LENGTH).and_then(|at| raw.get(at + LENGTH.len()..));
        Head { status: more.and(code).and_then(status), length: length.and_then(number) }
    }
}

fn status(word: &[u8]) -> Option<u16> {
    let &[a, b, c] = word else { return None };
    let digits = word.iter().all(u8::is_ascii_digit);
    let digit = |byte: u8| u16::from(byte & 15);
    digits.then(|| digit(a) * 100 + digit(b) * 10 + digit(c))
}

/// The number that the text begins with, after blanks.
fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()
}
