//! The text of a mail: header lines in the C daemon's words and order, then the body, ready to be
//! sent behind DATA.
//!
//! What is plain printable ASCII stands in the mail as it is. What is not (names may have any byte
//! a configuration can spell) is encoded by lettre, so that neither a line end nor a byte that a
//! server does not take gets from a name into the mail.

use lettre::message::Body;
use lettre::message::header::{HeaderName, HeaderValue, Headers};

/// Longest line that goes out as it is; RFC 5322 section 2.1.1 allows 998 bytes.
const MAX_LINE: usize = 900;

/// What a mail says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// `Tue, 24 Nov 2026 16:51:59 +0000`.
    pub date: &'a str,
    /// As configured.
    pub from: &'a str,
    /// As configured.
    pub to: &'a [String],
    /// Whole, with the director's name.
    pub subject: &'a str,
    /// Lines, ended by LF.
    pub body: &'a str,
}

impl Message<'_> {
    /// The mail with its dots doubled and the dot that ends it.
    pub fn wire(&self) -> Vec<u8> {
        let mut headers = Headers::new();
        headers.insert_raw(value("Date", self.date.to_owned()));
        headers.insert_raw(value("From", displayed(self.from)));
        headers.insert_raw(value("Subject", self.subject.to_owned()));
        headers.insert_raw(value("X-Mailer", "Keepalived".to_owned()));
        headers.insert_raw(recipients(self.to));
        let body = without_controls(self.body);
        let plain = |line: &str| line.len() <= MAX_LINE && line.is_ascii();
        let body = if body.lines().all(plain) {
            body.into_bytes()
        } else {
            let body = Body::new(body);
            let encoding = body.encoding().to_string();
            headers.insert_raw(value("MIME-Version", "1.0".to_owned()));
            headers.insert_raw(value("Content-Type", "text/plain; charset=utf-8".to_owned()));
            headers.insert_raw(value("Content-Transfer-Encoding", encoding));
            body.into_vec()
        };
        let mut wire = headers.to_string().into_bytes();
        wire.extend(b"\r\n");
        append_stuffed(&mut wire, &body);
        wire.extend(b"\r\n.\r\n");
        wire
    }
}

fn value(name: &'static str, text: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    if text.len() <= MAX_LINE && text.bytes().all(is_printable) {
        return HeaderValue::dangerous_new_pre_encoded(name, text.clone(), text);
    }
    HeaderValue::new(name, text)
}

/// One address a line, as many as there are.
fn recipients(addresses: &[String]) -> HeaderValue {
    let shown: Vec<String> = addresses.iter().map(|address| displayed(address)).collect();
    let joined = shown.join(", ");
    if shown.iter().all(|a| a.len() <= MAX_LINE && a.bytes().all(is_printable)) {
        let name = HeaderName::new_from_ascii_str("To");
        return HeaderValue::dangerous_new_pre_encoded(name, joined, shown.join(",\r\n "));
    }
    HeaderValue::new(HeaderName::new_from_ascii_str("To"), joined)
}

/// No control characters but the line ends; a bare CR is none.
fn without_controls(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.replace(|c: char| c.is_control() && c != '\n', " ")
}

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// `body` with CRLF line ends and leading dots doubled (RFC 5321 section 4.5.2).
fn append_stuffed(wire: &mut Vec<u8>, body: &[u8]) {
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    for line in body.split(|&byte| byte == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend(line.strip_suffix(b"\r").unwrap_or(line));
        wire.extend(b"\r\n");
    }
}

/// An address as header lines show it: a name before `<…>` is quoted if it has to be.
pub(crate) fn displayed(address: &str) -> String {
    let Some((name, rest)) = split(address) else { return address.to_owned() };
    let already = name.len() > 1 && name.starts_with('"') && name.ends_with('"');
    if already || !name.contains(['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '.']) {
        return address.to_owned();
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\" {rest}")
}

/// What stands between the angle brackets of MAIL and RCPT.
pub(crate) fn envelope(address: &str) -> String {
    let bare = split(address).map_or(address, |(_, rest)| rest);
    let bare = bare.strip_prefix('<').and_then(|a| a.strip_suffix('>')).unwrap_or(bare);
    bare.chars().filter(|c| !c.is_control()).collect()
}

/// The name and `<…>` of an address that has them.
fn split(address: &str) -> Option<(&str, &str)> {
    let start = address.ends_with('>').then(|| address.rfind('<')).flatten()?;
    let (name, rest) = address.split_at_checked(start)?;
    Some((name.trim_end(), rest))
}

#[cfg(test)]
mod tests;
