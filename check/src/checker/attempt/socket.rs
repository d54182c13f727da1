//! The socket of an attempt, with what the configuration says about its local side.

use std::borrow::Cow;
use std::io;

use socket2::{Domain, Protocol, Socket, Type};

use crate::settings::{CheckerSettings, Connection, Kind, Origin};

/// Why no attempt could be made, which says nothing about the server. What went wrong in detail is
/// logged already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotMade {
    /// There is no socket.
    Create,
    /// It could not be given its local address, device or mark.
    Bind,
}

impl NotMade {
    /// What a checker for the real server `server` says then; its attempt ends with it as
    /// [`Outcome::NotMade`](super::Outcome::NotMade).
    pub(crate) fn text(self, settings: &CheckerSettings, server: &str) -> Cow<'static, str> {
        let v6 = settings.connection.as_ref().is_some_and(|c| c.target.is_ipv6());
        let create = self == NotMade::Create;
        match &settings.kind {
            Kind::Http(_) if create => "WEB connection fail to create socket. Rescheduling.".into(),
            Kind::Http(_) => "WEB socket bind failed. Rescheduling".into(),
            Kind::Smtp(_) if create => {
                "SMTP_CHECK connection failed to create socket. Rescheduling.".into()
            }
            Kind::Smtp(_) => "SMTP_CHECK socket bind failed. Rescheduling.".into(),
            Kind::Dns(_) => {
                let what =
                    if create { "failed to create socket" } else { "UDP socket bind failed" };
                format!("DNS_CHECK ({server}) {what}. Rescheduling.").into()
            }
            kind => {
                let protocol = match kind {
                    Kind::Udp(_) => "UDP",
                    Kind::Ping if v6 => "ICMPv6",
                    Kind::Ping => "ICMP",
                    _ => "TCP",
                };
                let what =
                    if create { "connect fail to create socket" } else { "socket bind failed" };
                format!("{protocol} {what}. Rescheduling.").into()
            }
        }
    }
}

/// Opens a socket for the target's family: non-blocking, closed on exec, bound to the configured
/// address and device and with the configured mark (no mark for ICMP). It is not connected.
///
/// # Errors
/// As [`NotMade`] says; the reason is logged.
pub(crate) fn open(
    connection: &Connection,
    kind: Type,
    protocol: Option<Protocol>,
) -> Result<Socket, NotMade> {
    let domain = Domain::for_address(connection.target);
    let socket =
        Socket::new_raw(domain, kind.nonblocking().cloexec(), protocol).map_err(|error| {
            log::info!("Checker can't create socket: {error}");
            NotMade::Create
        })?;
    let icmp = [Some(Protocol::ICMPV4), Some(Protocol::ICMPV6)].contains(&protocol);
    if let Some(origin) = &connection.origin {
        bind(&socket, origin, !icmp).map_err(|text| {
            log::info!("{text}");
            NotMade::Bind
        })?;
    }
    Ok(socket)
}

fn bind(socket: &Socket, origin: &Origin, marked: bool) -> Result<(), String> {
    if let Some(interface) = &origin.interface {
        socket.bind_device(Some(interface.as_bytes())).map_err(|error| {
            format!("Checker can't bind to device {interface}: {}", reason(&error))
        })?;
    }
    if marked && origin.mark != 0 {
        socket
            .set_mark(origin.mark)
            .map_err(|error| format!("Error setting fwmark {}: {error}", origin.mark))?;
    }
    if let Some(address) = origin.bind {
        socket
            .bind(&address.into())
            .map_err(|error| format!("Checker bind failed: {}", reason(&error)))?;
    }
    Ok(())
}

/// The text of the C library, without the number that `io::Error` adds.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use nix::fcntl::{FcntlArg, fcntl};

    use super::*;

    fn connection() -> Connection {
        Connection {
            target: (Ipv4Addr::LOCALHOST, 9).into(),
            origin: None,
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_socket_has_its_local_address_and_does_not_block() {
        let bind = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 7), 0));
        let origin = Origin { bind: Some(bind), ..Origin::default() }.given();
        let connection = Connection { origin, ..connection() };
        let socket = open(&connection, Type::DGRAM, None).unwrap();
        assert_eq!(socket.local_addr().unwrap().as_socket().unwrap().ip(), bind.ip());
        assert!(socket.nonblocking().unwrap());
        let flags = fcntl(&socket, FcntlArg::F_GETFD).unwrap();
        assert_eq!(flags, libc::FD_CLOEXEC);
        let v6 = Connection { target: "[::1]:9".parse().unwrap(), origin: None, ..connection };
        assert_eq!(open(&v6, Type::STREAM, None).unwrap().domain().unwrap(), Domain::IPV6);
    }

    #[test]
    fn what_is_not_there_cannot_be_bound() {
        let bind = Some(([192, 0, 2, 1], 0).into());
        let origin = Origin { bind, ..Origin::default() }.given();
        let elsewhere = Connection { origin, ..connection() };
        assert_eq!(open(&elsewhere, Type::STREAM, None).unwrap_err(), NotMade::Bind);
        let interface = Some("no-such-device".into());
        let origin = Origin { interface, ..Origin::default() }.given();
        let no_device = Connection { origin, ..connection() };
        assert_eq!(open(&no_device, Type::DGRAM, None).unwrap_err(), NotMade::Bind);
    }
}
