//! Attempts over TCP: connect, hold a dialogue, close.
//!
//! Each wait is bounded by `connect_timeout`, and the whole attempt by [`STEPS`] times that: a
//! server that sends a byte now and then does not keep its checker for ever.

pub(crate) mod conversation;
mod words;

use std::rc::Rc;
use std::time::Duration;

use scheduler::{Cause, Class, Ready, Scheduler, Time};
use socket2::Type;

use super::socket::{self, NotMade};
use super::{Attempt, Outcome, ended};
use crate::checker::{Checker, CheckerId, find};
use crate::runtime::HasCheck;
use crate::settings::{CheckerSettings, Kind};
use conversation::{Conversation, Dialogue, Step, Trouble, Why};

/// How many times `connect_timeout` an attempt may take altogether.
const STEPS: u32 = 20;
/// Bytes that are read at a time.
const READ: usize = 8192;

/// An attempt in progress.
pub(crate) struct Stream {
    conversation: Conversation,
    deadline: Time,
}

impl Stream {
    /// Closes its socket.
    pub(super) fn abandon<W>(self, s: &mut Scheduler<W>) {
        s.forget(self.conversation.fd());
    }
}

/// Connects, and waits for what comes of it.
pub(super) fn begin<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(checker) = find(w, id) else { return };
    match connect(checker, s.now()) {
        Ok(stream) => {
            checker.attempt = Some(Box::new(Attempt::Stream(stream)));
            wait(s, w, id, Step::Write);
        }
        Err(outcome) => ended(s, w, id, outcome),
    }
}

fn connect(checker: &mut Checker, now: Time) -> Result<Stream, Outcome> {
    let settings = Rc::clone(&checker.settings);
    let Some(connection) = &settings.connection else {
        return Err(Outcome::NotMade("no address to connect to".into()));
    };
    let socket = socket::open(connection, Type::STREAM, None)
        .map_err(|why| Outcome::NotMade(why.text(&settings, &checker.server)))?;
    let dialogue = dialogue(&settings);
    let conversation = Conversation::begin(socket, connection.target, dialogue)
        .map_err(|trouble| failed(checker, trouble))?;
    Ok(Stream { conversation, deadline: now + connection.timeout.saturating_mul(STEPS) })
}

fn dialogue(_settings: &CheckerSettings) -> Option<Dialogue> {
    None
}

fn wait<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId, step: Step) {
    let Some(checker) = find(w, id) else { return };
    let Some(Attempt::Stream(stream)) = checker.attempt.as_deref() else { return };
    let step_time = checker.settings.connection.as_ref().map_or(Duration::ZERO, |c| c.timeout);
    let left = step_time.min(stream.deadline.since(s.now()));
    let (fd, arg) = (stream.conversation.fd(), id.arg());
    let waits = match step {
        Step::Read => s.add_read(Class::Checker, fd, Some(left), arg, on_ready::<W>),
        Step::Write => s.add_write(Class::Checker, fd, Some(left), arg, on_ready::<W>),
        Step::Again => Ok(s.add_event(Class::Checker, arg, on_ready::<W>)),
        Step::Over(Ok(())) => return finish(s, w, id, Ok(())),
        Step::Over(Err(trouble)) => return finish(s, w, id, Err(trouble)),
    };
    if let Err(error) = waits {
        log::error!("cannot wait for a connection: {error}");
        let text = NotMade::Create.text(&checker.settings, &checker.server);
        close(s, checker);
        ended(s, w, id, Outcome::NotMade(text));
    }
}

fn on_ready<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let id = CheckerId::from_arg(ready.arg);
    let Some(checker) = find(w, id) else { return };
    let Some(Attempt::Stream(stream)) = checker.attempt.as_deref_mut() else { return };
    let late = stream.deadline <= ready.now;
    let step = match ready.cause {
        Cause::TimedOut if !late => Step::Over(Err(stream.conversation.timed_out())),
        Cause::TimedOut => Step::Over(Err(Trouble { why: Why::Endless, errno: libc::ETIMEDOUT })),
        _ => match stream.conversation.go_on(&mut [0; READ]) {
            Step::Read | Step::Write | Step::Again if late => {
                Step::Over(Err(Trouble { why: Why::Endless, errno: libc::ETIMEDOUT }))
            }
            step => step,
        },
    };
    wait(s, w, id, step);
}

fn close<W>(s: &mut Scheduler<W>, checker: &mut Checker) {
    if let Some(Attempt::Stream(stream)) = checker.attempt.take().map(|attempt| *attempt) {
        stream.abandon(s);
    }
}

fn finish<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    result: Result<(), Trouble>,
) {
    let Some(checker) = find(w, id) else { return };
    close(s, checker);
    let outcome = match result {
        Ok(()) => succeeded(checker),
        Err(trouble) => failed(checker, trouble),
    };
    ended(s, w, id, outcome);
}

fn succeeded(checker: &Checker) -> Outcome {
    match &checker.settings.kind {
        Kind::Http(http) if usize::from(checker.verdict.url) + 1 < http.urls.len() => {
            Outcome::NextUrl
        }
        _ => Outcome::Success,
    }
}

fn failed(checker: &mut Checker, trouble: Trouble) -> Outcome {
    checker.verdict.last_error = trouble.errno;
    Outcome::Failure(words::failure(&checker.settings, &checker.server, trouble.why))
}

#[cfg(test)]
mod tests;
