//! The socket that listens to the kernel.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{SockFlag, SockProtocol};

use crate::address::Address;
use crate::codec::{Message, Messages};
use crate::link::Link;
use crate::route::ROUTE_PROTOCOL_KEEPALIVED;
use crate::rule;
use crate::socket::{RECEIVE_BUFFER, Received, Socket};

/// Receive queue. The kernel charges about 1 KiB for a notification, so some ten thousand address
/// changes fit between two looks at the socket; memory is used only while they wait.
const QUEUE: usize = 16 * 1024 * 1024;
/// Datagrams taken in one call, so that a storm of notifications cannot hold the loop.
const DATAGRAMS: usize = 4096;

/// Routes and rules of both families (`RTNLGRP_*`).
const PATHS: [u32; 4] = [
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
];

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A link appeared or changed (name, flags, MTU, hardware address, …).
    Link(Link),
    /// A link was deleted or moved to another network namespace.
    LinkGone {
        /// Its index.
        index: u32,
        /// Its name.
        name: String,
    },
    /// An address appeared or changed.
    Address(Address),
    /// An address was removed.
    AddressGone(Address),
    /// A route or a rule of this daemon was removed by somebody else. Only after
    /// [`Monitor::watch_paths`].
    PathGone,
    /// Events were lost: everything known from events must be compared with a fresh dump. Events
    /// that follow are newer than the loss and may be in the dump already.
    Overrun,
}

/// A non-blocking event socket in the network namespace of the thread that opened it.
///
/// Open it before the first dump; then no change can fall between the two.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
    /// Port of the socket whose removals of routes and rules are no news.
    own: u32,
}

impl Monitor {
    /// Opens the socket and subscribes to links and to IPv4 and IPv6 addresses.
    ///
    /// # Errors
    /// What the system says about the socket.
    pub fn open() -> io::Result<Monitor> {
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
        let socket = Socket::open(
            SockProtocol::NetlinkRoute,
            groups.unsigned_abs(),
            SockFlag::SOCK_NONBLOCK,
            QUEUE,
        )?;
        Ok(Monitor { socket, buffer: vec![0; RECEIVE_BUFFER], own: 0 })
    }

    /// Listens to routes and rules, too: those of protocol
    /// [`ROUTE_PROTOCOL_KEEPALIVED`](crate::ROUTE_PROTOCOL_KEEPALIVED) that are removed by
    /// another socket than the one with the port `own`.
    ///
    /// # Errors
    /// What the system says.
    pub fn watch_paths(&mut self, own: u32) -> io::Result<()> {
        self.own = own;
        for group in PATHS {
            self.socket.join(group)?;
        }
        Ok(())
    }

    /// The descriptor to wait on for reading.
    pub fn fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }

    /// Takes what has arrived and appends it to `sink`. True: nothing is left; false: a bound of
    /// some thousand datagrams was reached, and the descriptor is still readable.
    ///
    /// # Errors
    /// What the system says about the socket, except an overrun, which is an event.
    pub fn receive(&mut self, sink: &mut Vec<Event>) -> io::Result<bool> {
        for _ in 0..DATAGRAMS {
            match self.socket.receive(&mut self.buffer) {
                Ok(Received::Messages(datagram)) => {
                    let own = self.own;
                    sink.extend(
                        Messages::new(datagram).filter_map(|message| decode(&message, own)),
                    );
                }
                Ok(Received::Unusable) => sink.push(Event::Overrun),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) if e.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    sink.push(Event::Overrun);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The event a message stands for, if it is one of those asked for.
fn decode(message: &Message<'_>, own: u32) -> Option<Event> {
    match message.kind {
        libc::RTM_NEWLINK => Link::decode(message.payload).map(Event::Link),
        libc::RTM_DELLINK => Link::decode(message.payload)
            .map(|link| Event::LinkGone { index: link.index, name: link.name }),
        libc::RTM_NEWADDR => Address::decode(message.payload).map(Event::Address),
        libc::RTM_DELADDR => Address::decode(message.payload).map(Event::AddressGone),
        libc::RTM_DELROUTE | libc::RTM_DELRULE if message.port == own => None,
        libc::RTM_DELROUTE => {
            (message.payload.get(5) == Some(&ROUTE_PROTOCOL_KEEPALIVED)).then_some(Event::PathGone)
        }
        libc::RTM_DELRULE => rule::is_ours(message.payload).then_some(Event::PathGone),
        kind if i32::from(kind) == libc::NLMSG_OVERRUN => Some(Event::Overrun),
        _ => None,
    }
}
