//! Opening the receive and the send socket that the instances with one key share.
//!
//! The receive socket is bound so that the kernel delivers only what some instance may want; which instance
//! it is decides the dispatcher by VRID. The send socket receives nothing.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};

use super::{SEND_BUFFER, accept_nothing, error_text, sys};
use crate::config::Family;
use crate::packet::{ADVERT_TOS, ADVERT_TTL, CHECKSUM_OFFSET, PROTOCOL, PROTOCOL_AH};

/// How the instances of a socket pair reach each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Carriage {
    /// Through this group.
    Multicast(IpAddr),
    /// From this address to peers.
    Unicast(IpAddr),
}

/// What instances must have in common to share sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketKey {
    /// Index of the interface; 0 for unicast without one.
    pub interface: u32,
    /// Group, or unicast source.
    pub carriage: Carriage,
    /// Adverts have an authentication header, which is another protocol of IP.
    pub ah: bool,
}

impl SocketKey {
    /// Protocol of IP.
    pub fn protocol(&self) -> u8 {
        if self.ah { PROTOCOL_AH } else { PROTOCOL }
    }

    /// Address family.
    pub fn family(&self) -> Family {
        match self.carriage {
            Carriage::Multicast(address) | Carriage::Unicast(address) => Family::of(address),
        }
    }
}

/// An open receive and send socket. Both are non-blocking and closed on exec.
#[derive(Debug)]
pub struct SocketPair {
    key: SocketKey,
    interface: Option<String>,
    receive: Socket,
    send: Socket,
}

impl SocketPair {
    /// Opens both sockets. `interface` is the name belonging to the key's index; `receive_buffer` the size
    /// asked for by `vrrp_rx_bufs_policy`, if any.
    pub fn open(
        key: SocketKey,
        interface: Option<&str>,
        receive_buffer: Option<usize>,
    ) -> Result<SocketPair, SocketError> {
        let receive = open_receive(key, interface, receive_buffer)?;
        let send = open_send(key, interface)?;
        Ok(SocketPair { key, interface: interface.map(str::to_owned), receive, send })
    }

    /// What it was opened for.
    pub fn key(&self) -> SocketKey {
        self.key
    }

    /// The interface it is bound to.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// Where adverts arrive.
    pub fn receive(&self) -> &Socket {
        &self.receive
    }

    /// Where adverts leave.
    pub fn send(&self) -> &Socket {
        &self.send
    }

    /// Joins the group again, after the interface lost its memberships; nothing for unicast.
    /// A deleted and re-created interface has another index: open a new pair for it.
    pub fn rejoin(&self) -> Result<(), SocketError> {
        match join(&self.receive, self.key, self.interface()) {
            Err(SocketError::Membership { error, .. })
                if error.kind() == io::ErrorKind::AddrInUse =>
            {
                Ok(())
            }
            result => result,
        }
    }

    /// Changes the kernel's receive buffer, after instances came or went.
    pub fn set_receive_buffer(&self, bytes: usize) -> Result<(), SocketError> {
        set_receive_buffer(&self.receive, self.interface(), bytes)
    }
}

/// Why a pair could not be opened. The text is what the daemon logs; the instances stay without sockets.
#[derive(Debug)]
pub enum SocketError {
    /// No raw socket.
    Open(io::Error),
    /// No membership in the group.
    Membership {
        /// Interface it was tried on.
        interface: String,
        /// Family of the group.
        family: Family,
        /// Why.
        error: io::Error,
    },
    /// No bind to the group.
    BindMulticast(io::Error),
    /// No bind to the unicast source.
    BindUnicast {
        /// The source.
        source: IpAddr,
        /// Why.
        error: io::Error,
    },
    /// No bind to the interface.
    BindDevice {
        /// Its name.
        interface: String,
        /// Why.
        error: io::Error,
    },
    /// An option was refused.
    Option {
        /// Its name.
        option: &'static str,
        /// Interface of the socket; empty if none.
        interface: String,
        /// Why.
        error: io::Error,
    },
}

impl SocketError {
    /// The operating system's error.
    pub fn error(&self) -> &io::Error {
        match self {
            SocketError::Open(error)
            | SocketError::BindMulticast(error)
            | SocketError::Membership { error, .. }
            | SocketError::BindUnicast { error, .. }
            | SocketError::BindDevice { error, .. }
            | SocketError::Option { error, .. } => error,
        }
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let errno = self.error().raw_os_error().unwrap_or(0);
        let text = error_text(self.error());
        match self {
            SocketError::Open(_) => write!(f, "cant open raw socket. errno={errno}"),
            SocketError::Membership { interface, family, .. } => {
                let v6 = if *family == Family::V6 { "V6" } else { "" };
                write!(
                    f,
                    "({interface}) cant do IP{v6}_ADD_MEMBERSHIP {interface} errno={text} ({errno})"
                )
            }
            SocketError::BindMulticast(_) => {
                write!(f, "bind for multicast failed {errno} - {text}")
            }
            SocketError::BindUnicast { source, .. } => {
                write!(f, "bind unicast_src {source} failed {errno} - {text}")
            }
            SocketError::BindDevice { interface, .. } => write!(
                f,
                "can't bind to device {interface}. errno={errno}. (try to run it as root)"
            ),
            SocketError::Option { option, interface, .. } => {
                write!(f, "({interface}) cant set {option} errno={text} ({errno})")
            }
        }
    }
}

impl std::error::Error for SocketError {}

/// Turns a refused option into an error that names it.
fn option(
    option: &'static str,
    interface: Option<&str>,
) -> impl FnOnce(io::Error) -> SocketError + use<> {
    let interface = interface.unwrap_or_default().to_owned();
    move |error| SocketError::Option { option, interface, error }
}

fn raw_socket(key: SocketKey) -> Result<Socket, SocketError> {
    let domain = match key.family() {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    // Close-on-exec comes with it.
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(key.protocol()))))
        .map_err(SocketError::Open)?;
    socket.set_nonblocking(true).map_err(SocketError::Open)?;
    Ok(socket)
}

fn open_receive(
    key: SocketKey,
    interface: Option<&str>,
    receive_buffer: Option<usize>,
) -> Result<Socket, SocketError> {
    let socket = raw_socket(key)?;
    if let Some(bytes) = receive_buffer {
        set_receive_buffer(&socket, interface, bytes)?;
    }
    multicast_all_off(&socket, key.family(), interface)?;
    join(&socket, key, interface)?;
    bind(&socket, key, interface)?;
    if key.family() == Family::V6 {
        socket.set_recv_hoplimit_v6(true).map_err(option("IPV6_RECVHOPLIMIT", interface))?;
        sys::set_option(socket.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
            .map_err(option("IPV6_RECVPKTINFO", interface))?;
    }
    bind_device(&socket, interface)?;
    if key.family() == Family::V6 {
        kernel_checksum(&socket, interface)?;
    }
    Ok(socket)
}

fn open_send(key: SocketKey, interface: Option<&str>) -> Result<Socket, SocketError> {
    let family = key.family();
    let socket = raw_socket(key)?;
    set_receive_buffer(&socket, interface, 0)?;
    multicast_all_off(&socket, family, interface)?;
    match family {
        Family::V4 => {
            socket.set_header_included_v4(true).map_err(option("IP_HDRINCL", interface))?;
        }
        Family::V6 => {
            kernel_checksum(&socket, interface)?;
            socket
                .set_multicast_hops_v6(u32::from(ADVERT_TTL))
                .map_err(option("IPV6_MULTICAST_HOPS", interface))?;
        }
    }
    bind_device(&socket, interface)?;
    if let Carriage::Multicast(_) = key.carriage {
        multicast_output(&socket, key, interface)?;
    }
    let tos = u32::from(ADVERT_TOS);
    match family {
        Family::V4 => socket.set_tos_v4(tos).map_err(option("IP_TOS", interface))?,
        Family::V6 => socket.set_tclass_v6(tos).map_err(option("IPV6_TCLASS", interface))?,
    }
    accept_nothing(&socket).map_err(option("SO_ATTACH_FILTER", interface))?;
    // A burst of all instances must fit; without the privilege the default has to do.
    let _ = sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, SEND_BUFFER);
    Ok(socket)
}

/// Multicast leaves through the interface and does not come back to this host.
fn multicast_output(
    socket: &Socket,
    key: SocketKey,
    interface: Option<&str>,
) -> Result<(), SocketError> {
    match key.family() {
        Family::V4 => {
            sys::set_multicast_interface_v4(socket.as_fd(), key.interface)
                .map_err(option("IP_MULTICAST_IF", interface))?;
            socket.set_multicast_loop_v4(false).map_err(option("IP_MULTICAST_LOOP", interface))
        }
        Family::V6 => {
            socket
                .set_multicast_if_v6(key.interface)
                .map_err(option("IPV6_MULTICAST_IF", interface))?;
            socket.set_multicast_loop_v6(false).map_err(option("IPV6_MULTICAST_LOOP", interface))
        }
    }
}

fn set_receive_buffer(
    socket: &Socket,
    interface: Option<&str>,
    bytes: usize,
) -> Result<(), SocketError> {
    socket.set_recv_buffer_size(bytes).map_err(option("SO_RCVBUF", interface))
}

/// Only groups this socket joined, not those other sockets of the host did.
fn multicast_all_off(
    socket: &Socket,
    family: Family,
    interface: Option<&str>,
) -> Result<(), SocketError> {
    match family {
        Family::V4 => {
            socket.set_multicast_all_v4(false).map_err(option("IP_MULTICAST_ALL", interface))
        }
        Family::V6 => match socket.set_multicast_all_v6(false) {
            // Linux before 4.20 has no such option; the bind to the group does most of it.
            Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(()),
            result => result.map_err(option("IPV6_MULTICAST_ALL", interface)),
        },
    }
}

fn join(socket: &Socket, key: SocketKey, interface: Option<&str>) -> Result<(), SocketError> {
    let result = match key.carriage {
        Carriage::Unicast(_) => return Ok(()),
        Carriage::Multicast(IpAddr::V4(group)) => {
            socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(key.interface))
        }
        Carriage::Multicast(IpAddr::V6(group)) => socket.join_multicast_v6(&group, key.interface),
    };
    result.map_err(|error| SocketError::Membership {
        interface: interface.unwrap_or_default().to_owned(),
        family: key.family(),
        error,
    })
}

/// To the group, or to the unicast source even while no interface has it.
fn bind(socket: &Socket, key: SocketKey, interface: Option<&str>) -> Result<(), SocketError> {
    match key.carriage {
        Carriage::Multicast(group) => {
            socket.bind(&scoped(group, key.interface)).map_err(SocketError::BindMulticast)
        }
        Carriage::Unicast(source) => {
            match key.family() {
                Family::V4 => {
                    socket.set_freebind_v4(true).map_err(option("IP_FREEBIND", interface))
                }
                Family::V6 => {
                    socket.set_freebind_v6(true).map_err(option("IPV6_FREEBIND", interface))
                }
            }?;
            socket
                .bind(&scoped(source, key.interface))
                .map_err(|error| SocketError::BindUnicast { source, error })
        }
    }
}

/// A socket address; link-local ones name the interface.
fn scoped(address: IpAddr, interface: u32) -> SockAddr {
    match address {
        IpAddr::V4(_) => SocketAddr::new(address, 0).into(),
        IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, interface).into(),
    }
}

fn bind_device(socket: &Socket, interface: Option<&str>) -> Result<(), SocketError> {
    let Some(name) = interface else { return Ok(()) };
    socket
        .bind_device(Some(name.as_bytes()))
        .map_err(|error| SocketError::BindDevice { interface: name.to_owned(), error })
}

/// Lets the kernel compute and check the VRRP checksum of IPv6.
fn kernel_checksum(socket: &Socket, interface: Option<&str>) -> Result<(), SocketError> {
    sys::set_option(
        socket.as_fd(),
        libc::IPPROTO_IPV6,
        libc::IPV6_CHECKSUM,
        CHECKSUM_OFFSET as libc::c_int,
    )
    .map_err(option("IPV6_CHECKSUM", interface))
}
