//! Attempts over TCP: connect, hold a dialogue, close.
//!
//! A `TCP_CHECK` is over when the connection is there. The others go on with a [`Conversation`], which
//! does the reading and writing; what is said is decided by their dialogues, which know no sockets.
//!
//! # Limits
//!
//! `connect_timeout` bounds every single wait, as it always did. A server that sends a byte now and
//! then could so keep an attempt alive for ever; therefore the attempt as a whole may take
//! [`WAITS`] times as long. Reading stops for others' turn after [`READS`] full buffers, and what an
//! attempt takes in is bounded by its dialogue. All attempts read into one buffer.

pub(crate) mod conversation;
pub(crate) mod words;

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;

use scheduler::{Cause, Class, Ready, Scheduler, Time};
use socket2::{Socket, Type};

use super::http::check::Web;
use super::smtp::Smtp;
use super::socket::{self, NotMade};
use super::{Attempt, Outcome, ended};
use crate::checker::{Checker, CheckerId, find};
use crate::runtime::HasCheck;
use crate::settings::Kind;
use conversation::{Conversation, Dialogue, Direction, Fault, Link, Progress};

/// The whole attempt may take so many times its `connect_timeout`.
const WAITS: u32 = 10;
/// Full buffers read before others get their turn.
pub(crate) const READS: usize = 4;
/// Bytes read at once; a record of TLS fits.
pub(crate) const BUFFER: usize = 16 << 10;

/// What the attempts of all checkers share.
#[derive(Default)]
pub(crate) struct Shared {
    /// What was read last; of no meaning between two callbacks.
    buffer: Vec<u8>,
    /// What `HTTP_GET`s need beside it.
    pub(crate) web: Web,
}

/// An attempt in progress.
pub(crate) struct Stream {
    phase: Phase,
    /// When the attempt as a whole has taken too long.
    limit: Time,
}

enum Phase {
    Connecting(Socket),
    Talking(Conversation),
}

impl Stream {
    fn fd(&self) -> RawFd {
        match &self.phase {
            Phase::Connecting(socket) => socket.as_raw_fd(),
            Phase::Talking(conversation) => conversation.fd(),
        }
    }

    /// Closes its socket.
    pub(super) fn abandon<W>(self, s: &mut Scheduler<W>) {
        s.forget_closing(self.fd());
    }
}

/// Connects, and goes on from there.
pub(super) fn begin<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(checker) = find(w, id) else { return };
    let Some(connection) = &checker.settings.connection else { return };
    let limit = s.now() + connection.timeout.saturating_mul(WAITS);
    let socket = match socket::open(connection, Type::STREAM, None) {
        Ok(socket) => socket,
        Err(why) => {
            let text = why.text(&checker.settings, &checker.server);
            return ended(s, w, id, Outcome::NotMade(text));
        }
    };
    match socket.connect(&connection.target.into()) {
        Ok(()) => connected(s, w, id, socket, limit),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            let phase = Phase::Connecting(socket);
            wait(s, w, id, Box::new(Attempt::Stream(Stream { phase, limit })), Direction::Write);
        }
        Err(error) => {
            let fault = match error.kind() {
                io::ErrorKind::NetworkUnreachable => Fault::Unreachable,
                _ => Fault::Connect,
            };
            drop(socket);
            failed(s, w, id, fault, Some(&error));
        }
    }
}

/// The connection is there.
fn connected<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    socket: Socket,
    limit: Time,
) {
    let fd = socket.as_raw_fd();
    let Some(checker) = find(w, id) else { return s.forget_closing(fd) };
    let settings = Rc::clone(&checker.settings);
    let conversation = match (&settings.kind, &settings.connection) {
        (Kind::Http(http), Some(connection)) => {
            with_web(w, id, |web, checker| web.begin(checker, http, connection, socket))
        }
        (Kind::Smtp(name), _) => {
            let dialogue = Dialogue::Smtp(Smtp::new(name));
            Some(Ok(Conversation::new(Link::Plain(socket), dialogue)))
        }
        _ => {
            s.forget_closing(fd);
            drop(socket);
            return ended(s, w, id, Outcome::Success);
        }
    };
    match conversation {
        Some(Ok(conversation)) => {
            let phase = Phase::Talking(conversation);
            advance(s, w, id, Box::new(Attempt::Stream(Stream { phase, limit })));
        }
        Some(Err(text)) => {
            s.forget_closing(fd);
            ended(s, w, id, Outcome::NotMade(text.into()));
        }
        None => s.forget_closing(fd),
    }
}

fn on_ready<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let id = CheckerId::from_arg(ready.arg);
    let Some(attempt) = find(w, id).and_then(|checker| checker.attempt.take()) else { return };
    let Attempt::Stream(Stream { phase, limit }) = &*attempt else { return };
    let timed_out = ready.cause == Cause::TimedOut;
    match phase {
        _ if ready.now >= *limit => over(s, w, id, *attempt, Err(Fault::Overlong)),
        Phase::Connecting(_) if timed_out => over(s, w, id, *attempt, Err(Fault::ConnectTimeout)),
        Phase::Connecting(socket) => match socket.take_error().unwrap_or_else(Some) {
            None => {
                if let Attempt::Stream(Stream { phase: Phase::Connecting(socket), limit }) =
                    *attempt
                {
                    connected(s, w, id, socket, limit);
                }
            }
            Some(error) => {
                s.forget_closing(socket.as_raw_fd());
                drop(attempt);
                failed(s, w, id, Fault::Refused, Some(&error));
            }
        },
        Phase::Talking(conversation) if timed_out => {
            let fault = conversation.timeout();
            over(s, w, id, *attempt, Err(fault));
        }
        Phase::Talking(_) => advance(s, w, id, attempt),
    }
}

/// Reads and writes what can be.
fn advance<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId, mut attempt: Box<Attempt>) {
    let Attempt::Stream(Stream { phase: Phase::Talking(conversation), .. }) = &mut *attempt else {
        return;
    };
    let Some(shared) = w.check().map(|check| &mut check.checkers.streams) else {
        return s.forget_closing(conversation.fd());
    };
    shared.buffer.resize(BUFFER, 0);
    match conversation.advance(&mut shared.buffer) {
        Progress::Wait(direction) => {
            if direction == Direction::Read {
                s.drained(conversation.fd());
            }
            wait(s, w, id, attempt, direction);
        }
        Progress::More => wait(s, w, id, attempt, Direction::Read),
        Progress::Over(result) => over(s, w, id, *attempt, result),
    }
}

/// Closes the connection and tells the checker what came of it.
fn over<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    attempt: Attempt,
    result: Result<(), Fault>,
) {
    let Attempt::Stream(stream) = attempt else { return };
    s.forget_closing(stream.fd());
    let Phase::Talking(mut conversation) = stream.phase else {
        return failed(s, w, id, result.err().unwrap_or(Fault::Refused), None);
    };
    conversation.close();
    if let Err(fault) = result {
        return failed(s, w, id, fault, conversation.last_error());
    }
    let judged = with_web(w, id, |web, checker| {
        let settings = Rc::clone(&checker.settings);
        match (&settings.kind, conversation.dialogue()) {
            (Kind::Http(http), Dialogue::Http(exchange)) => {
                let outcome = web.judge(id, checker, http, exchange);
                web.odd(id, checker, conversation.oddity());
                outcome
            }
            _ => Outcome::Success,
        }
    });
    if let Some(outcome) = judged {
        ended(s, w, id, outcome);
    }
}

fn failed<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    fault: Fault,
    error: Option<&io::Error>,
) {
    let Some(checker) = find(w, id) else { return };
    if let Some(number) = error.and_then(io::Error::raw_os_error) {
        checker.verdict.last_error = number;
    }
    let text = words::failure(checker, fault);
    ended(s, w, id, Outcome::Failure(text));
}

fn wait<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    attempt: Box<Attempt>,
    direction: Direction,
) {
    let Attempt::Stream(stream) = &*attempt else { return };
    let fd = stream.fd();
    let Some(checker) = find(w, id) else { return s.forget_closing(fd) };
    let Some(connection) = &checker.settings.connection else { return s.forget_closing(fd) };
    let left = Some(connection.timeout.min(stream.limit.since(s.now())));
    let added = match direction {
        Direction::Read => s.add_read(Class::Checker, fd, left, id.arg(), on_ready::<W>),
        Direction::Write => s.add_write(Class::Checker, fd, left, id.arg(), on_ready::<W>),
    };
    match added {
        Ok(_) => checker.attempt = Some(attempt),
        Err(error) => {
            log::error!("cannot wait for a connection: {error}");
            let text = NotMade::Create.text(&checker.settings, &checker.server);
            s.forget_closing(fd);
            drop(attempt);
            ended(s, w, id, Outcome::NotMade(text));
        }
    }
}

/// Lets `act` see the checker and what the checks of URLs share.
fn with_web<W: HasCheck, R>(
    w: &mut W,
    id: CheckerId,
    act: impl FnOnce(&mut Web, &Checker) -> R,
) -> Option<R> {
    let checkers = &mut w.check()?.checkers;
    let mut web = mem::take(&mut checkers.streams.web);
    let result = checkers.get(id).map(|checker| act(&mut web, checker));
    checkers.streams.web = web;
    result
}

#[cfg(test)]
mod tests;
