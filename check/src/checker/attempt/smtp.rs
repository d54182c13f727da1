//! The dialogue of `SMTP_CHECK`: greeting, HELO, QUIT (spec checkers-behaviour §8.3).

use super::stream::conversation::{Answer, Fault, Next};

/// Longest reply.
const LINE: usize = 512;

/// A dialogue in progress.
pub(crate) struct Smtp {
    state: State,
    /// What is to be sent.
    output: Vec<u8>,
    /// The reply so far.
    line: Vec<u8>,
    helo: Vec<u8>,
}

#[derive(Clone, Copy)]
enum State {
    Greeting,
    Hello,
    Quit,
}

impl Smtp {
    /// A dialogue in which we call ourselves `name`.
    pub(crate) fn new(name: &str) -> Smtp {
        let helo = format!("HELO {name}\r\n").into_bytes();
        Smtp { state: State::Greeting, output: Vec::new(), line: Vec::new(), helo }
    }

    /// What is to be sent now.
    pub(crate) fn output(&self) -> &[u8] {
        &self.output
    }

    /// It was sent.
    pub(crate) fn sent(&mut self) {
        self.output.clear();
    }

    /// Takes what the server said. What it says beyond the reply that is awaited counts as part of
    /// the next.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Next {
        for &byte in bytes {
            if self.line.len() == LINE {
                return Some(Err(Fault::Receive));
            }
            self.line.push(byte);
            if byte == b'\n'
                && let Some(result) = self.reply()
            {
                return Some(result);
            }
        }
        None
    }

    fn reply(&mut self) -> Next {
        let code = code(&self.line);
        self.line.clear();
        match self.state {
            State::Greeting if code != Some(220) => Some(Err(Fault::Answer(Answer::Greeting))),
            State::Greeting => {
                self.state = State::Hello;
                self.output = std::mem::take(&mut self.helo);
                None
            }
            State::Hello if code != Some(250) => Some(Err(Fault::Answer(Answer::Hello))),
            State::Hello => {
                self.state = State::Quit;
                self.output.extend_from_slice(b"QUIT\r\n");
                None
            }
            State::Quit => Some(Ok(())),
        }
    }
}

/// The code of a reply: three digits and then a blank or the end. The first line of a reply of many
/// (`220-`) has none, and neither has `220` with CR: so it always was.
fn code(line: &[u8]) -> Option<u16> {
    let (&[a, b, c], rest) = line.split_first_chunk()?;
    let digits = [a, b, c].iter().all(u8::is_ascii_digit);
    let ends = matches!(rest, [b' ' | b'\n', ..] | []);
    let number = |digit: u8| u16::from(digit & 15);
    (digits && ends).then(|| number(a) * 100 + number(b) * 10 + number(c))
}

#[cfg(test)]
mod tests;
