//! Handing mails to the server, under the scheduler.
//!
//! One thread at most is registered: for the next moment to look, for an answer of a name server, or
//! for the connection. Each wait has a limit, and the whole of a connection too.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use scheduler::{Cause, Class, Ready, Scheduler, ThreadId, Time};

use super::dialogue::{Dialogue, Failure, Outcome, Plan, Step};
use super::message::{Message, envelope};
use super::outbox::{Letter, Next};
use super::resolve::{Lookup, Progress, known};
use super::stream::{Handshake, Stream};
use super::{Mailer, Sending};
use crate::notifier::{HasNotify, look_drained};

/// How long a connection may last, however slowly the server answers.
const WHOLE: Duration = Duration::from_secs(600);
/// Bytes read at once.
const BUFFER: usize = 4096;
/// Reads before the server is held to talk without end.
const MAX_READS: usize = 256;
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Talking,
    Shaking,
}

#[derive(Debug)]
pub(crate) struct Session {
    sending: Rc<Sending>,
    /// The recipients of this try, as configured.
    to: Vec<String>,
    plan: Plan,
    address: SocketAddr,
    rest: VecDeque<SocketAddr>,
    stream: Option<Stream>,
    dialogue: Dialogue,
    phase: Phase,
    deadline: Time,
    end: Time,
}

/// What a connection needs.
enum Want {
    Read,
    Write,
    /// The dialogue is over.
    Over,
    /// The connection is.
    Lost(String),
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
        Work::Talking(mut session) => session.close(s),
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
        let mut datagram = [0; BUFFER];
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
    mut rest: VecDeque<SocketAddr>,
) {
    let Some(address) = rest.pop_front() else { return };
    let to = letter.to.clone().unwrap_or_else(|| sending.mail.to.clone());
    let plan = plan(letter, &sending, &to);
    let session = Session {
        sending,
        to,
        dialogue: Dialogue::new(plan.clone()),
        plan,
        address,
        rest,
        stream: None,
        phase: Phase::Connecting,
        deadline: s.now(),
        end: s.now() + WHOLE,
    };
    connect(s, w, Box::new(session));
}

fn plan(letter: &Letter, sending: &Sending, to: &[String]) -> Plan {
    let mail = &sending.mail;
    let from = mail.sender();
    let message = Message {
        date: &letter.date,
        from: &from,
        to: &mail.to,
        subject: &format!("[{}] {}", sending.router_id, letter.subject),
        body: &letter.body,
    };
    Plan {
        helo: envelope(&mail.helo_name()),
        from: envelope(&from),
        to: to.iter().map(|address| envelope(address)).collect(),
        message: message.wire(),
        encryption: mail.encryption,
        credentials: mail.credentials.clone(),
    }
}

/// Tries the session's address, or one behind it.
fn connect<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, mut session: Box<Session>) {
    loop {
        let begun = Stream::connect(session.address).and_then(|stream| {
            session.deadline = s.now() + session.sending.mail.step_timeout();
            let fd = stream.fd();
            session.stream = Some(stream);
            let wait = Some(session.sending.mail.step_timeout());
            s.add_write(Class::Background, fd, wait, 0, on_io::<W>)
        });
        match begun {
            Ok(_) => {
                w.notify().mail.work = Work::Talking(session);
                return;
            }
            Err(error) => {
                session.close(s);
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
    let want = session.go_on(ready.cause, s.now());
    let fd = session.stream.as_ref().map_or(-1, Stream::fd);
    let wait = Some(session.deadline.min(session.end).since(s.now()));
    let registered = match want {
        Want::Read => s.add_read(Class::Background, fd, wait, 0, on_io::<W>),
        Want::Write => s.add_write(Class::Background, fd, wait, 0, on_io::<W>),
        Want::Over => {
            session.close(s);
            return conclude(s, w, session);
        }
        Want::Lost(reason) => return lost(s, w, session, &reason),
    };
    match registered {
        Ok(_) => w.notify().mail.work = Work::Talking(session),
        Err(error) => lost(s, w, session, &error.to_string()),
    }
}

/// The connection is lost, which may not matter any more.
fn lost<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    mut session: Box<Session>,
    reason: &str,
) {
    session.close(s);
    if session.dialogue.outcome().is_some() {
        return conclude(s, w, session);
    }
    let text = format!("{}: {reason}", session.name());
    if session.dialogue.has_begun() || !session.next_address() {
        return failed(s, w, &text, false);
    }
    log::info!("{text}");
    connect(s, w, session);
}

/// The dialogue has come to its end.
fn conclude<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, mut session: Box<Session>) {
    match session.dialogue.outcome().cloned() {
        Some(Outcome::Sent(refused)) => {
            log::info!("SMTP alert successfully sent.");
            let mut left = Vec::new();
            for one in refused {
                session.complain("RCPT", one.code);
                let Some(recipient) = session.to.get(one.recipient) else { continue };
                log::warn!("{recipient} does not get the mail (status code {})", one.code);
                if one.code < 500 {
                    left.push(recipient.clone());
                }
            }
            let now = s.now();
            let mailer = &mut w.notify().mail;
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

impl Session {
    fn name(&self) -> String {
        format!("SMTP server [{}]:{}", self.address.ip(), self.address.port())
    }

    fn complain(&self, command: &str, code: u16) {
        let server = self.name();
        log::info!("Error processing {command} cmd on {server}. SMTP status code = {code}");
    }

    /// Gets ready for the next address, if there is one.
    fn next_address(&mut self) -> bool {
        let Some(address) = self.rest.pop_front() else { return false };
        self.address = address;
        self.phase = Phase::Connecting;
        self.dialogue = Dialogue::new(self.plan.clone());
        true
    }

    fn close<W>(&mut self, s: &mut Scheduler<W>) {
        if let Some(stream) = self.stream.take() {
            s.forget(stream.fd());
        }
    }

    /// Does what can be done now.
    fn go_on(&mut self, cause: Cause, now: Time) -> Want {
        if cause == Cause::TimedOut {
            return Want::Lost("no answer in time".into());
        }
        let result = match self.phase {
            Phase::Connecting => self.connected(now),
            Phase::Shaking => self.shake(now),
            Phase::Talking => self.talk(now),
        };
        result.unwrap_or_else(|error| Want::Lost(error.to_string()))
    }

    fn connected(&mut self, now: Time) -> io::Result<Want> {
        if let Some(stream) = &self.stream {
            stream.connected()?;
        }
        log::info!("Remote {} connected.", self.name());
        self.phase = Phase::Talking;
        self.deadline = now + self.sending.mail.step_timeout();
        Ok(Want::Read)
    }

    fn shake(&mut self, now: Time) -> io::Result<Want> {
        let Some(stream) = &mut self.stream else { return Ok(Want::Over) };
        match stream.shake()? {
            Handshake::Read => Ok(Want::Read),
            Handshake::Write => Ok(Want::Write),
            Handshake::Done => {
                self.dialogue.secured();
                self.phase = Phase::Talking;
                self.talk(now)
            }
        }
    }

    fn talk(&mut self, now: Time) -> io::Result<Want> {
        let mut buffer = [0; BUFFER];
        for _ in 0..MAX_READS {
            let Some(stream) = &mut self.stream else { return Ok(Want::Over) };
            while !self.dialogue.output().is_empty() {
                match stream.write(self.dialogue.output()) {
                    Ok(count) => self.dialogue.sent(count),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Want::Write),
                    Err(error) => return Err(error),
                }
                // The limit is for one step: for a piece sent, and for the answer to the last.
                self.deadline = now + self.sending.mail.step_timeout();
            }
            let step = match stream.read(&mut buffer) {
                Ok(0) => self.dialogue.closed(),
                Ok(count) => self.dialogue.received(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Want::Read),
                Err(error) => return Err(error),
            };
            match step {
                Step::Receive => {}
                Step::Close => return Ok(Want::Over),
                Step::Secure => {
                    self.secure()?;
                    return self.shake(now);
                }
            }
        }
        Err(io::Error::other("the server talks without end"))
    }

    fn secure(&mut self) -> io::Result<()> {
        let mail = &self.sending.mail;
        let (Some(stream), Some(tls)) = (self.stream.take(), &self.sending.tls) else {
            return Err(io::Error::other("TLS is not available"));
        };
        let host = mail.server.as_ref().map_or("", |(host, _)| host);
        if let Some(encryption) = mail.encryption {
            self.stream = Some(tls.wrap(stream, host, encryption)?);
        }
        self.phase = Phase::Shaking;
        Ok(())
    }
}
