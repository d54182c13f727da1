//! What the kernel refuses, in the words of keepalived's log (spec ipvs §11).

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::IpAddr;

use nix::errno::Errno;

use crate::batch::{Change, Request};
use crate::service::{Family, ServiceKey};

/// A change that was not made. As text it is a line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The change's tag.
    pub tag: u64,
    /// Why. `ETIMEDOUT` and `ENOBUFS` mean that the answer is missing: the change may have been
    /// made.
    pub errno: Errno,
    command: Command,
    subject: Option<Subject>,
    superseded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subject {
    service: ServiceKey,
    destination: Option<(IpAddr, u16)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    AddService,
    SetService,
    DeleteService,
    Flush,
    AddDestination,
    DeleteDestination,
    SetDestination,
    SetTimeouts,
    StartDaemon,
    StopDaemon,
}

impl Command {
    /// Name and number of the socket option that did the same before there was generic netlink.
    fn name(self) -> (&'static str, u16) {
        match self {
            Command::AddService => ("IP_VS_SO_SET_ADD", 1154),
            Command::SetService => ("IP_VS_SO_SET_EDIT", 1155),
            Command::DeleteService => ("IP_VS_SO_SET_DEL", 1156),
            Command::Flush => ("IP_VS_SO_SET_FLUSH", 1157),
            Command::AddDestination => ("IP_VS_SO_SET_ADDDEST", 1159),
            Command::DeleteDestination => ("IP_VS_SO_SET_DELDEST", 1160),
            Command::SetDestination => ("IP_VS_SO_SET_EDITDEST", 1161),
            Command::SetTimeouts => ("IP_VS_SO_SET_TIMEOUT", 1162),
            Command::StartDaemon => ("IP_VS_SO_SET_STARTDAEMON", 1163),
            Command::StopDaemon => ("IP_VS_SO_SET_STOPDAEMON", 1164),
        }
    }

    fn of(change: &Change) -> Command {
        match change {
            Change::AddService(_) => Command::AddService,
            Change::SetService(_) => Command::SetService,
            Change::DeleteService(_) => Command::DeleteService,
            Change::Flush => Command::Flush,
            Change::AddDestination(..) => Command::AddDestination,
            Change::SetDestination(..) => Command::SetDestination,
            Change::DeleteDestination(..) => Command::DeleteDestination,
            Change::StartDaemon(_) => Command::StartDaemon,
            Change::StopDaemon(..) => Command::StopDaemon,
            Change::SetTimeouts(_) => Command::SetTimeouts,
        }
    }
}

impl Failure {
    pub(crate) fn new(request: &Request, errno: Errno) -> Failure {
        let subject = match &request.change {
            Change::AddService(s) | Change::SetService(s) | Change::DeleteService(s) => {
                Some(Subject { service: s.key, destination: None })
            }
            Change::AddDestination(s, d)
            | Change::SetDestination(s, d)
            | Change::DeleteDestination(s, d) => {
                Some(Subject { service: s.key, destination: Some((d.address, d.port)) })
            }
            Change::Flush
            | Change::StartDaemon(_)
            | Change::StopDaemon(..)
            | Change::SetTimeouts(_) => None,
        };
        let command = Command::of(&request.change);
        Failure { tag: request.tag, errno, command, subject, superseded: false }
    }

    /// Of the first attempt when there was a second one, which decides.
    pub(crate) fn superseded(self) -> Failure {
        Failure { superseded: true, ..self }
    }

    pub(crate) fn is_missing_destination(&self) -> bool {
        self.command == Command::SetDestination && self.errno == Errno::ENOENT
    }

    /// Whether the table is as it was wanted nevertheless: such a failure is logged and counts as
    /// a success.
    pub fn is_tolerated(&self) -> bool {
        self.superseded
            || match self.errno {
                Errno::EEXIST => {
                    matches!(self.command, Command::AddService | Command::AddDestination)
                }
                Errno::ENOENT => {
                    matches!(self.command, Command::DeleteService | Command::DeleteDestination)
                }
                _ => false,
            }
    }

    fn reason(&self) -> Cow<'static, str> {
        use Command as C;
        let known = match (self.errno, self.command) {
            (Errno::EEXIST, C::AddService) => "Service already exists",
            (Errno::EEXIST, C::AddDestination) => "Destination already exists",
            (Errno::EEXIST, C::StartDaemon) => "Daemon has already run",
            (Errno::ENOENT, C::AddService | C::SetService) => {
                "Scheduler or persistence engine not found"
            }
            (Errno::ENOENT, C::SetDestination | C::DeleteDestination) => "No such destination",
            (Errno::ESRCH, C::StopDaemon) => "No daemon is running",
            (Errno::ESRCH, _) => "No such service",
            (Errno::EPERM, _) => "Permission denied (you must be root)",
            (Errno::EINVAL, _) => {
                "Invalid operation.  Possibly wrong module version, address not unicast, ..."
            }
            (Errno::ENOPROTOOPT, _) => "Protocol not available",
            (Errno::ENOMEM, _) => "Memory allocation problem",
            (Errno::EOPNOTSUPP, _) => "Operation not supported with IPv6",
            (Errno::EAFNOSUPPORT, _) => "Operation not supported with specified address family",
            (Errno::EMSGSIZE, _) => "Module is wrong version",
            (errno, _) => return system_text(errno).into(),
        };
        known.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.command == Command::SetTimeouts {
            return f.write_str("Failed to set ipvs timeouts");
        }
        let (name, code) = self.command.name();
        let errno = self.errno as i32;
        write!(f, "IPVS cmd {name}({code}) error: {}({errno})", self.reason())?;
        let Some(subject) = self.subject else { return Ok(()) };
        write!(f, " ({}", subject.service)?;
        if let Some((address, port)) = subject.destination {
            write!(f, " -> {address}:{port}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for ServiceKey {
    /// `addr:tcp:port` (IPv6 without brackets), `Fwm N` or `Fwm N inet6`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceKey::Address(protocol, address, port) => {
                write!(f, "{address}:{}:{port}", protocol.word())
            }
            ServiceKey::Mark(mark, Family::Inet) => write!(f, "Fwm {mark}"),
            ServiceKey::Mark(mark, Family::Inet6) => write!(f, "Fwm {mark} inet6"),
        }
    }
}

/// The text that `strerror` has, without what the standard library adds.
pub(crate) fn system_text(errno: Errno) -> String {
    let mut text = io::Error::from(errno).to_string();
    if let Some(end) = text.find(" (os error") {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
