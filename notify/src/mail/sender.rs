//! Handing mails to the server, under the scheduler.
//!
//! One thread at most is registered: for the next moment to look, for an answer of a name server, or
//! for the connection. Each wait has a limit, and the whole of a connection too.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::rc::Rc;

use scheduler::{Cause, Class, Ready, Scheduler, ThreadId, Time};

use super::dialogue::{Failure, Outcome};
use super::outbox::{Letter, Next};
use super::resolve::{Lookup, Progress, known};
use super::session::{Session, Want};
use super::{Mailer, Sending};
use crate::notifier::{HasNotify, look_drained};

/// Longest answer of a name server that is read.
const MAX_DATAGRAM: usize = 4096;
/// Datagrams of strangers before a name server's answer is given up.
const MAX_STRANGE: usize = 64;

/// What is going on.
#[derive(Debug, Default)]
pub(crate) enum Work {
    /// Nothing, and no thread is registered.
    #[default]
    Idle,
    /// This timer.
    Waiting(ThreadId),
    /// The server's name is being looked up.
    Resolving(Box<Resolving>),
    /// There is a connection, or an attempt at one.
    Talking(Box<Session>),
}

#[derive(Debug)]
pub(crate) struct Resolving {
    letter: Letter,
    sending: Rc<Sending>,
    lookup: Lookup,
    socket: Option<UdpSocket>,
    deadline: Time,
    strange: usize,
}

/// Arms the event that looks what is next.
pub(super) fn arm<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W) {
    let mailer = &mut w.notify().mail;
    if !mailer.armed {
        mailer.armed = true;
        s.add_event(Class::Background, 0, look::<W>);
    }
}

/// From now on nothing is gathered and nothing tried again: the daemon is about to end.
pub(crate) fn hurry<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W) {
    w.notify().mail.hurry = true;
    arm(s, w);
}

/// Drops everything; returns how many mails and alerts that were.
pub(crate) fn give_up<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W) -> usize {
    let mailer = &mut w.notify().mail;
    match std::mem::take(&mut mailer.work) {
        Work::Idle => {}
        Work::Waiting(timer) => {
            s.cancel(timer);
        }
        Work::Resolving(mut resolving) => resolving.close(s),
        Work::Talking(mut session) => close(s, &mut session),
    }
    mailer.outbox.clear()
}

fn look<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let mailer = &mut w.notify().mail;
    mailer.armed = false;
    match mailer.work {
        Work::Idle => {}
        Work::Waiting(timer) => {
            s.cancel(timer);
            mailer.work = Work::Idle;
        }
        Work::Resolving(_) | Work::Talking(_) => return,
    }
    let Some(sending) = mailer.sending.clone() else { return look_drained(s, w) };
    match mailer.outbox.next(s.now(), mailer.hurry) {
        Next::Nothing => look_drained(s, w),
        Next::At(at) => {
            mailer.work = Work::Waiting(s.add_timer(Class::Background, at, 0, look::<W>));
        }
        Next::Send(letter) => begin(s, w, letter, sending),
    }
}

fn begin<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    letter: Letter,
    sending: Rc<Sending>,
) {
    let Some((host, port)) = sending.mail.server.clone() else { return };
    let addresses: VecDeque<SocketAddr> =
        known(&host).into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
    if !addresses.is_empty() {
        return open(s, w, &letter, sending, addresses);
    }
    let resolver = w.notify().mail.resolver;
    let lookup = Lookup::new(&host, resolver());
    let deadline = s.now();
    let resolving = Resolving { letter, sending, lookup, socket: None, deadline, strange: 0 };
    ask(s, w, Box::new(resolving), Progress::Ask);
}

/// Does what a lookup wants.
fn ask<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    mut resolving: Box<Resolving>,
    mut progress: Progress,
) {
    loop {
        if progress == Progress::Ask {
            resolving.close(s);
            progress = match resolving.send(s.now()) {
                Ok(()) => Progress::Wait,
                Err(error) => {
                    log::debug!("cannot ask a name server: {error}");
                    resolving.lookup.unanswered()
                }
            };
        }
        match progress {
            Progress::Ask => continue,
            Progress::Wait => {
                let wait = Some(resolving.deadline.since(s.now()));
                let fd = resolving.socket.as_ref().map_or(-1, AsRawFd::as_raw_fd);
                match s.add_read(Class::Background, fd, wait, 0, on_answer::<W>) {
                    Ok(_) => w.notify().mail.work = Work::Resolving(resolving),
                    Err(error) => failed(s, w, &error.to_string(), false),
                }
                return;
            }
            Progress::Done(ips) => {
                resolving.close(s);
                let Resolving { letter, sending, .. } = *resolving;
                let (host, port) = sending.mail.server.clone().unwrap_or_default();
                if ips.is_empty() {
                    return failed(
                        s,
                        w,
                        &format!("SMTP server {host} has no known address"),
                        false,
                    );
                }
                let addresses = ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
                return open(s, w, &letter, sending, addresses);
            }
        }
    }
}

fn on_answer<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let mailer = &mut w.notify().mail;
    let Work::Resolving(mut resolving) = std::mem::take(&mut mailer.work) else { return };
    let progress = match ready.cause {
        Cause::Readable => resolving.receive(),
        _ => resolving.lookup.unanswered(),
    };
    ask(s, w, resolving, progress);
}

impl Resolving {
    /// A socket for each question: its port is as random as the question's number, and the kernel
    /// keeps out what does not come from the server.
    fn send(&mut self, now: Time) -> io::Result<()> {
        let Some((server, question)) = self.lookup.query() else {
            return Err(io::Error::other("the name cannot be asked for"));
        };
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(server)?;
        socket.send(&question)?;
        self.deadline = now + self.lookup.timeout();
        self.socket = Some(socket);
        Ok(())
    }

    fn receive(&mut self) -> Progress {
        let mut datagram = [0; MAX_DATAGRAM];
        let Some(socket) = &self.socket else { return self.lookup.unanswered() };
        loop {
            match socket.recv(&mut datagram) {
                Ok(length) => {
                    let answer = datagram.get(..length).unwrap_or_default();
                    match self.lookup.answered(answer) {
                        Progress::Wait if self.strange < MAX_STRANGE => self.strange += 1,
                        Progress::Wait => return self.lookup.unanswered(),
                        progress => return progress,
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Wait,
                Err(_) => return self.lookup.unanswered(),
            }
        }
    }

    fn close<W>(&mut self, s: &mut Scheduler<W>) {
        if let Some(socket) = self.socket.take() {
            s.forget(socket.as_raw_fd());
        }
    }
}

fn open<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    letter: &Letter,
    sending: Rc<Sending>,
    rest: VecDeque<SocketAddr>,
) {
    let Some(session) = Session::new(letter, sending, rest, s.now()) else { return };
    connect(s, w, Box::new(session));
}

/// Tries the session's address, or one behind it.
fn connect<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, mut session: Box<Session>) {
    loop {
        let begun = session
            .connect(s.now())
            .and_then(|(fd, wait)| s.add_write(Class::Background, fd, Some(wait), 0, on_io::<W>));
        match begun {
            Ok(_) => {
                w.notify().mail.work = Work::Talking(session);
                return;
            }
            Err(error) => {
                close(s, &mut session);
                let text = format!("{} cannot be reached: {error}", session.name());
                if !session.next_address() {
                    return failed(s, w, &text, false);
                }
                log::info!("{text}");
            }
        }
    }
}

fn on_io<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let mailer = &mut w.notify().mail;
    let Work::Talking(mut session) = std::mem::take(&mut mailer.work) else { return };
    let want = session.go_on(ready.cause == Cause::TimedOut, s.now());
    let (fd, wait) = session.wait(s.now());
    let wait = Some(wait);
    let registered = match want {
        Want::Read => s.add_read(Class::Background, fd, wait, 0, on_io::<W>),
        Want::Write => s.add_write(Class::Background, fd, wait, 0, on_io::<W>),
        Want::Over => {
            close(s, &mut session);
            return conclude(s, w, session);
        }
        Want::Lost(reason) => return lost(s, w, session, &reason),
    };
    match registered {
        Ok(_) => w.notify().mail.work = Work::Talking(session),
        Err(error) => lost(s, w, session, &error.to_string()),
    }
}

/// Ends the connection, if there is one.
fn close<W>(s: &mut Scheduler<W>, session: &mut Session) {
    if let Some(stream) = session.take_stream() {
        s.forget(stream.fd());
    }
}

/// The connection is lost, which may not matter any more.
fn lost<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    mut session: Box<Session>,
    reason: &str,
) {
    close(s, &mut session);
    if session.outcome().is_some() {
        return conclude(s, w, session);
    }
    let text = format!("{}: {reason}", session.name());
    if session.has_begun() || !session.next_address() {
        return failed(s, w, &text, false);
    }
    log::info!("{text}");
    connect(s, w, session);
}

/// The dialogue has come to its end.
fn conclude<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, mut session: Box<Session>) {
    match session.outcome().cloned() {
        Some(Outcome::Sent(refused)) => {
            log::info!("SMTP alert successfully sent.");
            let mut left = Vec::new();
            for one in refused {
                session.complain("RCPT", one.code);
                let Some(recipient) = session.recipient(one.recipient) else { continue };
                log::warn!("{recipient} does not get the mail (status code {})", one.code);
                if one.code < 500 {
                    left.push(recipient.to_owned());
                }
            }
            let now = s.now();
            let mailer = &mut w.notify().mail;
            if mailer.hurry && !left.is_empty() {
                left.clear();
                mailer.lost = mailer.lost.saturating_add(1);
            }
            if let Some(letter) = mailer.outbox.sent(now, left) {
                given_up(mailer, &letter);
            }
            arm(s, w);
        }
        Some(Outcome::Failed(failure)) => {
            if let Failure::Code(command, code) = failure {
                session.complain(command, code);
                if command == "(E)SMTP" && session.next_address() {
                    return connect(s, w, session);
                }
            }
            failed(s, w, &format!("{} {failure}", session.name()), failure.is_final());
        }
        None => failed(s, w, "", false),
    }
}

/// This try is over without success.
fn failed<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, reason: &str, is_final: bool) {
    log::warn!("mail not sent: {reason}");
    let now = s.now();
    let mailer = &mut w.notify().mail;
    if let Some(letter) = mailer.outbox.failed(now, is_final || mailer.hurry) {
        given_up(mailer, &letter);
    }
    arm(s, w);
}

fn given_up(mailer: &mut Mailer, letter: &Letter) {
    mailer.lost = mailer.lost.saturating_add(letter.alerts);
    log::error!("the mail '{}' is given up (alerts lost so far: {})", letter.subject, mailer.lost);
}
