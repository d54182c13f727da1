//! One try to hand a mail over: the connection and what is said on it. Waits for nothing; says what is
//! to be waited for.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use scheduler::Time;

use super::Sending;
use super::dialogue::{Dialogue, Outcome, Plan, Step};
use super::message::{Message, envelope};
use super::outbox::Letter;
use super::stream::{Handshake, Stream};

/// How long a connection may last, however slowly the server answers.
const WHOLE: Duration = Duration::from_secs(600);
/// How long the server's farewell is waited for.
const FAREWELL: Duration = Duration::from_secs(2);
/// Bytes read at once.
const BUFFER: usize = 4096;
/// Reads in a row before the server is held to talk without end.
const MAX_READS: usize = 64;

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

/// What a session needs next.
pub(super) enum Want {
    Read,
    Write,
    /// The dialogue is over.
    Over,
    /// The connection is.
    Lost(String),
}

impl Session {
    /// To hand `letter` over at one of these addresses; none if there is none.
    pub fn new(
        letter: &Letter,
        sending: Rc<Sending>,
        mut rest: VecDeque<SocketAddr>,
        now: Time,
    ) -> Option<Session> {
        let address = rest.pop_front()?;
        let to = letter.to.clone().unwrap_or_else(|| sending.mail.to.clone());
        let plan = plan(letter, &sending, &to);
        Some(Session {
            sending,
            to,
            dialogue: Dialogue::new(plan.clone()),
            plan,
            address,
            rest,
            stream: None,
            phase: Phase::Connecting,
            deadline: now,
            end: now + WHOLE,
        })
    }

    /// `SMTP server [192.0.2.1]:25`.
    pub fn name(&self) -> String {
        format!("SMTP server [{}]:{}", self.address.ip(), self.address.port())
    }

    /// Logs an answer that was not the expected one.
    pub fn complain(&self, command: &str, code: u16) {
        let server = self.name();
        log::info!("Error processing {command} cmd on {server}. SMTP status code = {code}");
    }

    /// Gets ready for the next address, if there is one.
    pub fn next_address(&mut self) -> bool {
        let Some(address) = self.rest.pop_front() else { return false };
        self.address = address;
        self.phase = Phase::Connecting;
        self.dialogue = Dialogue::new(self.plan.clone());
        true
    }

    /// What was refused, or that nothing was; none before that is known.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.dialogue.outcome()
    }

    /// Whether the server has greeted.
    pub fn has_begun(&self) -> bool {
        self.dialogue.has_begun()
    }

    /// A recipient of this try, as configured.
    pub fn recipient(&self, number: usize) -> Option<&str> {
        self.to.get(number).map(String::as_str)
    }

    /// Begins to connect; returns what to wait for, and how long.
    ///
    /// # Errors
    /// As [`Stream::connect`].
    pub fn connect(&mut self, now: Time) -> io::Result<(RawFd, Duration)> {
        self.stream = Some(Stream::connect(self.address)?);
        self.deadline = now + self.sending.mail.step_timeout();
        Ok(self.wait(now))
    }

    /// The descriptor to wait on, and how long.
    pub fn wait(&self, now: Time) -> (RawFd, Duration) {
        let fd = self.stream.as_ref().map_or(-1, Stream::fd);
        (fd, self.deadline.min(self.end).since(now))
    }

    /// The connection, to be forgotten and closed.
    pub fn take_stream(&mut self) -> Option<Stream> {
        self.stream.take()
    }

    /// Does what can be done now.
    pub fn go_on(&mut self, timed_out: bool, now: Time) -> Want {
        if timed_out {
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

    /// Once it is known how it went, other mails need not wait for the farewell.
    fn step_timeout(&self) -> Duration {
        let limit = self.sending.mail.step_timeout();
        if self.outcome().is_some() { limit.min(FAREWELL) } else { limit }
    }

    fn talk(&mut self, now: Time) -> io::Result<Want> {
        let mut buffer = [0; BUFFER];
        for _ in 0..MAX_READS {
            if !self.write(now)? {
                return Ok(Want::Write);
            }
            let Some(stream) = &mut self.stream else { return Ok(Want::Over) };
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

    /// Whether all that is to be said is said.
    fn write(&mut self, now: Time) -> io::Result<bool> {
        while let (Some(stream), false) = (&mut self.stream, self.dialogue.output().is_empty()) {
            match stream.write(self.dialogue.output()) {
                Ok(count) => self.dialogue.sent(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            // The limit is for one step: for a piece sent, and for the answer to the last.
            self.deadline = now + self.step_timeout();
        }
        Ok(true)
    }

    fn secure(&mut self) -> io::Result<()> {
        let mail = &self.sending.mail;
        let (Some(stream), Some(tls)) = (self.stream.take(), &self.sending.tls) else {
            return Err(io::Error::other("TLS is not available"));
        };
        let host = mail.server.as_ref().map_or("", |(host, _)| host);
        self.stream = Some(tls.wrap(stream, host)?);
        self.phase = Phase::Shaking;
        Ok(())
    }
}

fn plan(letter: &Letter, sending: &Sending, to: &[String]) -> Plan {
    let mail = &sending.mail;
    let message = Message {
        date: &letter.date,
        from: &sending.from,
        to: &mail.to,
        subject: &format!("[{}] {}", sending.router_id, letter.subject),
        body: &letter.body,
    };
    Plan {
        helo: envelope(&mail.helo_name()),
        from: envelope(&sending.from),
        to: to.iter().map(|address| envelope(address)).collect(),
        message: message.wire(),
        encryption: mail.encryption,
        credentials: mail.credentials.clone(),
    }
}
