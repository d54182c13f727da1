//! Attempts of one datagram: sent on a connected socket, then answered, refused or not answered.

use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;

use nix::sys::socket::{MsgFlags, recv};
use scheduler::{Cause, Class, Ready, Scheduler, Time};
use socket2::{Socket, Type};

use super::ping::{self, Pinger};
use super::socket::{self, NotMade};
use super::{Attempt, Outcome, dns, ended, udp};
use crate::checker::{Checker, CheckerId, find};
use crate::runtime::HasCheck;
use crate::settings::{CheckerSettings, Connection, Endpoint, Kind};

/// Datagrams looked at before others get their turn.
const BATCH: usize = 16;
/// Bytes of a datagram that are read; more only if more are compared.
const READ: usize = 64;

/// An attempt that waits for its answer.
pub(crate) struct Datagram {
    socket: Socket,
    /// Id of a `DNS_CHECK`, sequence number of a `PING_CHECK`.
    number: u16,
    deadline: Time,
}

impl Datagram {
    /// Closes its socket.
    pub(super) fn abandon<W>(self, s: &mut Scheduler<W>) {
        s.forget_closing(self.socket.as_raw_fd());
    }
}

/// Sends the datagram and waits for what comes back.
pub(super) fn begin<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(checker) = find(w, id) else { return };
    let settings = Rc::clone(&checker.settings);
    let Some(connection) = &settings.connection else { return };
    match send(checker, &settings, connection) {
        Ok((socket, number)) => {
            let deadline = s.now() + connection.timeout;
            let datagram = Datagram { socket, number, deadline };
            checker.attempt = Some(Box::new(Attempt::Datagram(datagram)));
            wait(s, w, id);
        }
        Err(outcome) => ended(s, w, id, outcome),
    }
}

fn send(
    checker: &mut Checker,
    settings: &CheckerSettings,
    connection: &Connection,
) -> Result<(Socket, u16), Outcome> {
    let v6 = connection.target.is_ipv6();
    let made = match checker.pinger.take() {
        Some(pinger) => Ok((pinger.socket, pinger.sequence.wrapping_add(1))),
        None => open(settings, connection),
    };
    let (socket, number) = match made {
        Ok(made) => made,
        Err(Failed::NotMade(why)) => {
            return Err(Outcome::NotMade(why.text(settings, &checker.server)));
        }
        Err(Failed::Connect(error)) => return Err(not_connected(checker, connection, &error)),
    };
    let sent = match &settings.kind {
        Kind::Udp(udp) => socket.send(udp::payload(udp)),
        Kind::Ping => {
            discard(&socket);
            socket.send(&ping::request(v6, number))
        }
        Kind::Dns(dns) => dns::query(dns, number)
            .ok_or(io::ErrorKind::InvalidInput.into())
            .and_then(|query| socket.send(&query)),
        _ => Ok(0),
    };
    match sent {
        Ok(_) => Ok((socket, number)),
        Err(error) => Err(not_sent(checker, &error)),
    }
}

/// Why there is no connected socket.
enum Failed {
    NotMade(NotMade),
    Connect(io::Error),
}

fn open(settings: &CheckerSettings, connection: &Connection) -> Result<(Socket, u16), Failed> {
    let v6 = connection.target.is_ipv6();
    let (protocol, number) = match settings.kind {
        Kind::Ping => (Some(ping::protocol(v6)), 1),
        Kind::Dns(_) => (None, dns::fresh_id()),
        _ => (None, 0),
    };
    let socket = socket::open(connection, Type::DGRAM, protocol).map_err(Failed::NotMade)?;
    if matches!(settings.kind, Kind::Udp(_)) {
        udp::report_errors(&socket, v6).map_err(Failed::Connect)?;
    }
    socket.connect(&connection.target.into()).map_err(Failed::Connect)?;
    Ok((socket, number))
}

/// Throws away what came since the last answer: echoes that the network doubled.
fn discard(socket: &Socket) {
    let mut buffer = [0; READ];
    for _ in 0..BATCH {
        if recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).is_err() {
            break;
        }
    }
}

fn wait<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(checker) = find(w, id) else { return };
    let Some(Attempt::Datagram(datagram)) = checker.attempt.as_deref() else { return };
    let left = datagram.deadline.since(s.now());
    let fd = datagram.socket.as_raw_fd();
    if let Err(error) = s.add_read(Class::Checker, fd, Some(left), id.arg(), on_ready::<W>) {
        log::error!("cannot wait for an answer: {error}");
        let text = NotMade::Create.text(&checker.settings, &checker.server);
        finish(s, w, id, Outcome::NotMade(text));
    }
}

fn on_ready<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let id = CheckerId::from_arg(ready.arg);
    let Some(checker) = find(w, id) else { return };
    let outcome = match ready.cause {
        Cause::TimedOut => Some(timed_out(checker)),
        // Of those that send what is no answer, again and again.
        _ => read(checker).or_else(|| is_late(checker, ready.now).then(|| timed_out(checker))),
    };
    match outcome {
        Some(outcome) => finish(s, w, id, outcome),
        None => wait(s, w, id),
    }
}

fn is_late(checker: &Checker, now: Time) -> bool {
    match checker.attempt.as_deref() {
        Some(Attempt::Datagram(datagram)) => datagram.deadline <= now,
        _ => false,
    }
}

/// The outcome, if one of the datagrams that are there is an answer.
fn read(checker: &mut Checker) -> Option<Outcome> {
    let settings = Rc::clone(&checker.settings);
    let target = settings.connection.as_ref()?.target;
    let expected = match &settings.kind {
        Kind::Udp(udp) => udp.reply.as_ref().map_or(0, |(reply, _)| reply.len()),
        _ => 0,
    };
    let mut buffer = vec![0; expected.max(READ)];
    for _ in 0..BATCH {
        let Some(Attempt::Datagram(datagram)) = checker.attempt.as_deref() else { return None };
        let number = datagram.number;
        let received = match settings.kind {
            Kind::Ping => ping::receive(&datagram.socket, target.ip(), &mut buffer),
            _ => {
                let fd = datagram.socket.as_raw_fd();
                // The length is that of the whole datagram.
                recv(fd, &mut buffer, MsgFlags::MSG_TRUNC).map(Some).map_err(Into::into)
            }
        };
        let length = match received {
            Ok(Some(length)) => length,
            Ok(None) => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Some(not_read(checker, &error)),
        };
        let start = buffer.get(..length).unwrap_or(&buffer);
        let outcome = match &settings.kind {
            Kind::Dns(_) => dns::judge(start, number, &checker.server),
            Kind::Udp(udp) => Some(udp::judge(udp, start, length, &checker.server)),
            _ => Some(ping::judge(start, target.is_ipv6(), number, || ping_failed(checker))),
        };
        if outcome.is_some() {
            return outcome;
        }
    }
    None
}

fn timed_out(checker: &Checker) -> Outcome {
    let server = &checker.server;
    match &checker.settings.kind {
        Kind::Dns(_) => dns::failure(server, "read timeout from socket"),
        Kind::Udp(udp) => udp::nothing_came(udp, server),
        _ => Outcome::Failure(format!("ICMP connection to address {server} timeout.").into()),
    }
}

/// The outcome of a system call that failed.
fn failed(checker: &mut Checker, error: &io::Error) -> Outcome {
    checker.verdict.last_error = error.raw_os_error().unwrap_or(0);
    match checker.settings.kind {
        Kind::Dns(_) => dns::failure(&checker.server, "connection error."),
        Kind::Udp(_) => udp::failure(&checker.server),
        _ => ping_failed(checker),
    }
}

/// The same, of connecting.
fn not_connected(checker: &mut Checker, connection: &Connection, error: &io::Error) -> Outcome {
    let outcome = not_sent(checker, error);
    let number = checker.verdict.last_error;
    match checker.settings.kind {
        Kind::Udp(_) => {
            Outcome::Failure(format!("UDP connect error {number} - {}", text(number)).into())
        }
        Kind::Dns(_) if number == libc::ENETUNREACH => {
            let what = format!("network unreachable for {}", Endpoint(connection.target));
            dns::failure(&checker.server, &what)
        }
        _ => outcome,
    }
}

/// The same, of sending.
fn not_sent(checker: &mut Checker, error: &io::Error) -> Outcome {
    let outcome = failed(checker, error);
    if checker.settings.kind == Kind::Ping {
        log::info!("send ICMP packet fail");
        return Outcome::Failure("".into());
    }
    outcome
}

/// The same, of receiving.
fn not_read(checker: &mut Checker, error: &io::Error) -> Outcome {
    let outcome = failed(checker, error);
    let number = checker.verdict.last_error;
    match checker.settings.kind {
        Kind::Dns(_) => {
            let what = format!("failed to read socket; errno {number} ({})", text(number));
            dns::failure(&checker.server, &what)
        }
        _ => outcome,
    }
}

/// What an error number means.
fn text(number: i32) -> &'static str {
    nix::errno::Errno::from_raw(number).desc()
}

fn ping_failed(checker: &Checker) -> Outcome {
    let Checker { server, service, .. } = checker;
    Outcome::Failure(format!("ICMP connection to {server} of {service} failed.").into())
}

fn finish<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId, outcome: Outcome) {
    let Some(checker) = find(w, id) else { return };
    if let Some(Attempt::Datagram(datagram)) = checker.attempt.take().map(|attempt| *attempt) {
        let Datagram { socket, number, .. } = datagram;
        if outcome == Outcome::Success && checker.settings.kind == Kind::Ping {
            s.forget(socket.as_raw_fd());
            checker.pinger = Some(Box::new(Pinger { socket, sequence: number }));
        } else {
            s.forget_closing(socket.as_raw_fd());
        }
    }
    ended(s, w, id, outcome);
}

#[cfg(test)]
mod tests;
