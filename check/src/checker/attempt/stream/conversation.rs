//! A dialogue over a connection that never blocks.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

use socket2::Socket;

use super::super::http::Exchange;
use super::super::smtp::Smtp;
use super::super::tls::Session;
use super::READS;

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// Why an attempt over TCP failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no way to the server's network.
    Unreachable,
    /// Connecting failed at once.
    Connect,
    /// Connecting failed.
    Refused,
    /// Connecting took too long.
    ConnectTimeout,
    /// TLS was not agreed on.
    Handshake,
    /// Writing failed.
    Send,
    /// Writing took too long.
    SendTimeout,
    /// Reading failed.
    Receive,
    /// Nothing came.
    NoReply,
    /// No more came.
    ReceiveTimeout,
    /// There was too much to read, or it took too long in all.
    Overlong,
    /// The answer was read, and it is not what it should be.
    Answer(Answer),
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// HTTP: the connection ended before the header did.
    NoData,
    /// HTTP: none of the accepted status codes.
    Status,
    /// HTTP: MD5 of the body.
    Digest,
    /// HTTP: the expression does not match, or it does and must not.
    Regex,
    /// SMTP: not 220.
    Greeting,
    /// SMTP: not 250.
    Hello,
}

/// How one step of input or output went.
pub(crate) enum Step<T> {
    Done(T),
    Wait(Direction),
    Failed(io::Error),
}

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing can be done before the connection is ready for this. What there was to read was read.
    Wait(Direction),
    /// There may be something to read already.
    More,
    /// It was held to its end, or it failed.
    Over(Result<(), Fault>),
}

/// What a dialogue makes of what it read.
pub(crate) type Next = Option<Result<(), Fault>>;

/// What is said: bytes in, bytes out, no sockets.
pub(crate) enum Dialogue {
    Http(Box<Exchange>),
    Smtp(Smtp),
}

impl Dialogue {
    /// What is to be sent before anything is read.
    fn output(&self) -> &[u8] {
        match self {
            Dialogue::Http(exchange) => exchange.output(),
            Dialogue::Smtp(smtp) => smtp.output(),
        }
    }

    /// All of [`output`](Self::output) was sent.
    fn sent(&mut self) {
        match self {
            Dialogue::Http(exchange) => exchange.sent(),
            Dialogue::Smtp(smtp) => smtp.sent(),
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Next {
        match self {
            Dialogue::Http(exchange) => exchange.receive(bytes),
            Dialogue::Smtp(smtp) => smtp.receive(bytes),
        }
    }

    /// The server closed.
    fn end(&mut self) -> Result<(), Fault> {
        match self {
            Dialogue::Http(exchange) => exchange.end(),
            Dialogue::Smtp(_) => Err(Fault::Receive),
        }
    }
}

/// A connection, with or without TLS.
pub(crate) enum Link {
    Plain(Socket),
    Tls(Session),
}

impl Link {
    fn fd(&self) -> RawFd {
        match self {
            Link::Plain(socket) => socket.as_raw_fd(),
            Link::Tls(session) => session.fd(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Step<usize> {
        match self {
            Link::Plain(socket) => step(|| socket.read(buffer), Direction::Read),
            Link::Tls(session) => session.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Step<usize> {
        match self {
            Link::Plain(socket) => step(|| socket.write(bytes), Direction::Write),
            Link::Tls(session) => session.write(bytes),
        }
    }
}

fn step(mut act: impl FnMut() -> io::Result<usize>, direction: Direction) -> Step<usize> {
    loop {
        return match act() {
            Ok(count) => Step::Done(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Step::Wait(direction),
            Err(error) => Step::Failed(error),
        };
    }
}

/// A dialogue on its way over a connection.
pub(crate) struct Conversation {
    link: Link,
    dialogue: Dialogue,
    phase: Phase,
    /// Bytes of the dialogue's output that are sent.
    sent: usize,
    /// Something was read.
    heard: bool,
    last_error: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshake,
    Sending,
    Receiving,
}

impl Conversation {
    pub(crate) fn new(link: Link, dialogue: Dialogue) -> Conversation {
        let phase = match link {
            Link::Plain(_) => Phase::Sending,
            Link::Tls(_) => Phase::Handshake,
        };
        Conversation { link, dialogue, phase, sent: 0, heard: false, last_error: None }
    }

    /// The descriptor of the connection.
    pub(crate) fn fd(&self) -> RawFd {
        self.link.fd()
    }

    /// What is said.
    pub(crate) fn dialogue(&mut self) -> &mut Dialogue {
        &mut self.dialogue
    }

    /// What made it fail, if that was a system call or the TLS library.
    pub(crate) fn last_error(&self) -> Option<&io::Error> {
        self.last_error.as_ref()
    }

    /// What has happened when what it waits for does not come in time.
    pub(crate) fn timeout(&self) -> Fault {
        match self.phase {
            Phase::Handshake => Fault::ConnectTimeout,
            Phase::Sending => Fault::SendTimeout,
            Phase::Receiving if self.heard => Fault::ReceiveTimeout,
            Phase::Receiving => Fault::NoReply,
        }
    }

    /// Does all that can be done without waiting, but does not read more than [`READS`] times.
    pub(crate) fn advance(&mut self, buffer: &mut [u8]) -> Progress {
        let mut reads = 0;
        loop {
            let step = match self.phase {
                Phase::Handshake => self.shake(),
                Phase::Sending => self.send(),
                Phase::Receiving if reads == READS => return Progress::More,
                Phase::Receiving => {
                    reads += 1;
                    self.receive(buffer)
                }
            };
            if let Some(progress) = step {
                return progress;
            }
        }
    }

    fn shake(&mut self) -> Option<Progress> {
        let Link::Tls(session) = &mut self.link else { return None };
        match session.shake() {
            Step::Done(()) => {
                self.phase = Phase::Sending;
                None
            }
            Step::Wait(direction) => Some(Progress::Wait(direction)),
            Step::Failed(error) => self.failed(error, Fault::Handshake),
        }
    }

    fn send(&mut self) -> Option<Progress> {
        let rest = self.dialogue.output().get(self.sent..).unwrap_or_default();
        if rest.is_empty() {
            self.dialogue.sent();
            self.sent = 0;
            self.phase = Phase::Receiving;
            // The answer takes a while: no call is spent on finding that it is not there yet.
            return Some(Progress::More);
        }
        match self.link.write(rest) {
            Step::Done(count) => {
                self.sent += count;
                None
            }
            Step::Wait(direction) => Some(Progress::Wait(direction)),
            Step::Failed(error) => self.failed(error, Fault::Send),
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<Progress> {
        let next = match self.link.read(buffer) {
            Step::Done(0) => Some(self.dialogue.end()),
            Step::Done(count) => {
                self.heard = true;
                self.dialogue.receive(buffer.get(..count).unwrap_or_default())
            }
            Step::Wait(direction) => return Some(Progress::Wait(direction)),
            Step::Failed(error) => return self.failed(error, Fault::Receive),
        };
        if let Some(result) = next {
            return Some(Progress::Over(result));
        }
        if !self.dialogue.output().is_empty() {
            self.phase = Phase::Sending;
        }
        None
    }

    fn failed(&mut self, error: io::Error, fault: Fault) -> Option<Progress> {
        self.last_error = Some(error);
        Some(Progress::Over(Err(fault)))
    }

    /// Takes leave of the server, where that is wanted. The connection is closed with the value.
    pub(crate) fn close(&mut self) {
        if let Link::Tls(session) = &mut self.link
            && self.phase != Phase::Handshake
        {
            session.close();
        }
    }

    /// What was odd about how the server closed.
    pub(crate) fn oddity(&self) -> Option<&str> {
        match &self.link {
            Link::Plain(_) => None,
            Link::Tls(session) => session.oddity(),
        }
    }
}
