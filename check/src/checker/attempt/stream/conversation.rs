//! One TCP connection and the dialogue on it, without the loop that waits for it.
//!
//! A conversation connects, shakes hands if it is over TLS, and then carries bytes between the socket
//! and its dialogue. It never blocks and does a bounded amount at a time: [`Conversation::go_on`]
//! says what to wait for, and the caller how long that may take.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};

use socket2::Socket;

/// Reads before others get their turn: with buffers of 8 KiB, 64 KiB.
const READS: usize = 8;

/// What is said on a connection.
#[derive(Debug)]
pub(crate) enum Dialogue {}

impl Dialogue {
    /// What has to be sent before anything more is read.
    fn to_send(&self) -> &[u8] {
        &[]
    }

    /// All of that was sent.
    fn sent(&mut self) {}

    /// Takes bytes from the server; what they settle, if they do.
    fn received(&mut self, _bytes: &[u8]) -> Option<Result<(), Reason>> {
        None
    }

    /// The server has closed its side.
    fn closed(&mut self) -> Result<(), Reason> {
        Ok(())
    }
}

/// What is wrong with an answer: the words before `server R`.
pub(crate) type Reason = &'static str;

/// Why a conversation failed, and the number of the system's error or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) why: Why,
    pub(crate) errno: i32,
}

/// Why a conversation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// No route to the server.
    Unreachable,
    /// The connection was refused before there was anything to wait for.
    ConnectAtOnce,
    /// It was refused later, or closed while hands were shaken.
    Connect,
    /// It, or the handshake, took too long.
    ConnectTimeout,
    /// The handshake failed.
    Handshake,
    /// Sending failed.
    Write,
    /// The server did not take what was sent.
    WriteTimeout,
    /// Receiving failed.
    Read,
    /// The server did not begin to answer.
    NoAnswer,
    /// It did not go on answering.
    ReadTimeout,
    /// It answered all the time, but never to the end.
    Endless,
    /// What it answered is wrong.
    Answer(Reason),
}

impl Trouble {
    fn new(why: Why, error: &io::Error) -> Trouble {
        Trouble { why, errno: error.raw_os_error().unwrap_or(0) }
    }

    fn answer(reason: Reason) -> Trouble {
        Trouble { why: Why::Answer(reason), errno: 0 }
    }
}

/// What a conversation needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its socket has to become readable.
    Read,
    /// Its socket has to become writable.
    Write,
    /// Only another turn.
    Again,
    /// Nothing: it is over.
    Over(Result<(), Trouble>),
}

/// How a transfer went.
enum Moved {
    Bytes(usize),
    Closed,
    Blocked(Step),
    Failed(io::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Talking,
}

/// A connection and what is said on it.
pub(crate) struct Conversation {
    channel: Channel,
    phase: Phase,
    /// `None`: that the server accepts is all that matters.
    dialogue: Option<Dialogue>,
    /// Bytes of the dialogue's text that are sent.
    sent: usize,
    /// The server has said something.
    answered: bool,
}

impl Conversation {
    /// Connects a socket. The first thing to wait for is that it becomes writable.
    pub(crate) fn begin(
        socket: Socket,
        target: SocketAddr,
        dialogue: Option<Dialogue>,
    ) -> Result<Conversation, Trouble> {
        match socket.connect(&target.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(Trouble::new(refused(&error), &error)),
            Ok(()) => {}
        }
        let channel = Channel::Plain(socket);
        Ok(Conversation { channel, phase: Phase::Connecting, dialogue, sent: 0, answered: false })
    }

    /// The socket, to wait for.
    pub(crate) fn fd(&self) -> RawFd {
        self.channel.socket().as_raw_fd()
    }

    /// Does what can be done now. `buffer` is only used meanwhile.
    pub(crate) fn go_on(&mut self, buffer: &mut [u8]) -> Step {
        if self.phase == Phase::Connecting {
            match self.channel.socket().take_error() {
                Ok(None) => self.phase = Phase::Talking,
                Ok(Some(error)) | Err(error) => {
                    return Step::Over(Err(Trouble::new(Why::Connect, &error)));
                }
            }
        }
        for _ in 0..READS {
            if let Some(step) = self.exchange(buffer) {
                return step;
            }
        }
        Step::Again
    }

    /// Sends all there is to send, then reads once.
    fn exchange(&mut self, buffer: &mut [u8]) -> Option<Step> {
        let Some(dialogue) = &mut self.dialogue else { return Some(Step::Over(Ok(()))) };
        while let Some(rest) = dialogue.to_send().get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.channel.write(rest) {
                Moved::Bytes(length) => self.sent += length,
                Moved::Blocked(step) => return Some(step),
                Moved::Closed => {
                    return Some(Step::Over(Err(Trouble { why: Why::Write, errno: 0 })));
                }
                Moved::Failed(error) => {
                    return Some(Step::Over(Err(Trouble::new(Why::Write, &error))));
                }
            }
        }
        if self.sent > 0 {
            dialogue.sent();
            self.sent = 0;
        }
        let finding = match self.channel.read(buffer) {
            Moved::Bytes(length) => {
                self.answered = true;
                dialogue.received(buffer.get(..length).unwrap_or_default())
            }
            Moved::Closed => Some(dialogue.closed()),
            Moved::Blocked(step) => return Some(step),
            Moved::Failed(error) => {
                return Some(Step::Over(Err(Trouble::new(Why::Read, &error))));
            }
        };
        finding.map(|finding| Step::Over(finding.map_err(Trouble::answer)))
    }

    /// What it means that nothing happened for too long.
    pub(crate) fn timed_out(&self) -> Trouble {
        let sending = self.dialogue.as_ref().is_some_and(|dialogue| !dialogue.to_send().is_empty());
        let why = match self.phase {
            Phase::Connecting => Why::ConnectTimeout,
            Phase::Talking if sending => Why::WriteTimeout,
            Phase::Talking if self.answered => Why::ReadTimeout,
            Phase::Talking => Why::NoAnswer,
        };
        Trouble { why, errno: libc::ETIMEDOUT }
    }
}

fn refused(error: &io::Error) -> Why {
    match error.raw_os_error() {
        Some(libc::ENETUNREACH) => Why::Unreachable,
        _ => Why::ConnectAtOnce,
    }
}

/// What the bytes go through.
enum Channel {
    Plain(Socket),
}

impl Channel {
    fn socket(&self) -> &Socket {
        match self {
            Channel::Plain(socket) => socket,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Moved {
        match self {
            Channel::Plain(socket) => plain(Step::Read, || socket.read(buffer)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Moved {
        match self {
            Channel::Plain(socket) => plain(Step::Write, || socket.write(bytes)),
        }
    }
}

fn plain(wait: Step, mut transfer: impl FnMut() -> io::Result<usize>) -> Moved {
    loop {
        return match transfer() {
            Ok(0) => Moved::Closed,
            Ok(length) => Moved::Bytes(length),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => continue,
                io::ErrorKind::WouldBlock => Moved::Blocked(wait),
                _ => Moved::Failed(error),
            },
        };
    }
}
