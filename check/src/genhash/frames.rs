//! What `genhash` prints.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::checker::attempt::http::Exchange;

/// Bytes in one line of a dump.
const LINE: usize = 16;

/// Standard output, and how much of the exchange it has seen.
pub(super) struct Frames<'a> {
    out: &'a mut dyn Write,
    verbose: bool,
    head: bool,
    body: bool,
}

impl<'a> Frames<'a> {
    pub(super) fn new(out: &'a mut dyn Write, verbose: bool) -> Frames<'a> {
        Frames { out, verbose, head: false, body: false }
    }

    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Dumps what has come since the last call.
    pub(super) fn show(&mut self, exchange: &mut Exchange) -> io::Result<()> {
        if !self.verbose {
            return Ok(());
        }
        if let (false, Some(head)) = (self.head, exchange.raw_head()) {
            self.head = true;
            self.title("    HTTP Header Buffer    ")?;
            self.out.write_all(dump(head).as_bytes())?;
            self.title(" HTTP Header Ascii Buffer ")?;
            self.out.write_all(head)?;
            self.line("")?;
        }
        let body = exchange.take_body();
        if !body.is_empty() && !self.body {
            self.body = true;
            self.title("        HTML Buffer        ")?;
        }
        self.out.write_all(dump(&body).as_bytes())
    }

    /// The digest, as bytes and as text.
    pub(super) fn digest(&mut self, bytes: &[u8], text: &str) -> io::Result<()> {
        if self.verbose {
            self.line("")?;
            self.title("    HTML hash resulting    ")?;
            self.out.write_all(dump(bytes).as_bytes())?;
            self.title(" HTML hash final resulting ")?;
        }
        self.line(text)
    }

    fn title(&mut self, text: &str) -> io::Result<()> {
        let rule = "-----------------------";
        writeln!(self.out, "{rule}[{text}]{rule}")
    }
}

/// Offset, bytes and characters, line by line.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, line) in bytes.chunks(LINE).enumerate() {
        let _ = write!(text, "{:04} ", index * LINE);
        for place in 0..LINE {
            if place == LINE / 2 {
                text.push_str(" -");
            }
            let _ = match line.get(place) {
                Some(byte) => write!(text, " {byte:02x}"),
                None => write!(text, "   "),
            };
        }
        text.push_str("   ");
        for place in 0..LINE {
            text.push(match line.get(place) {
                Some(byte @ b' '..=b'~') => char::from(*byte),
                Some(_) => '.',
                None => ' ',
            });
        }
        text.push('\n');
    }
    text
}
