//! A netlink socket: open, send, receive, nothing about what the bytes mean.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname,
    getsockopt, recvmsg, send, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use crate::sys;

/// More than the kernel puts into one datagram of a dump (32 KiB) or of a notification.
pub(crate) const RECEIVE_BUFFER: usize = 64 * 1024;

/// What one receive brought.
pub(crate) enum Received<'a> {
    /// Messages from the kernel.
    Messages(&'a [u8]),
    /// A datagram that did not fit the buffer or did not come from the kernel.
    Unusable,
}

/// An open netlink socket.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
}

impl Socket {
    /// Opens a socket in the caller's network namespace and joins `groups` (a mask).
    pub(crate) fn open(
        protocol: SockProtocol,
        groups: u32,
        flags: SockFlag,
        queue: usize,
    ) -> io::Result<Socket> {
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            flags | SockFlag::SOCK_CLOEXEC,
            protocol,
        )?;
        let socket = Socket { fd };
        socket.set_queue(queue, true)?;
        socket.bind(groups)?;
        Ok(socket)
    }

    /// Opens a non-blocking socket to the connector and joins `groups`.
    pub(crate) fn open_connector(groups: u32) -> io::Result<Socket> {
        let socket = Socket { fd: sys::connector()? };
        socket.bind(groups)?;
        Ok(socket)
    }

    fn bind(&self, groups: u32) -> io::Result<()> {
        Ok(bind(self.fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?)
    }

    /// Sets the size of the receive queue. The forced form ignores the system's limit but wants
    /// CAP_NET_ADMIN; what the system allows is better than nothing.
    pub(crate) fn set_queue(&self, queue: usize, force: bool) -> io::Result<()> {
        if !force || setsockopt(&self.fd, sockopt::RcvBufForce, &queue).is_err() {
            setsockopt(&self.fd, sockopt::RcvBuf, &queue)?;
        }
        Ok(())
    }

    /// Asks for extended acknowledgements without the request in them. Kernels before 4.12 have
    /// neither; then errors come without an explanation.
    pub(crate) fn want_extended_acks(&self) {
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            if let Err(error) = sys::set(self.fd.as_fd(), option, 1) {
                log::debug!("netlink: option {option} not available: {error}");
            }
        }
    }

    /// Joins one more group, by its number.
    pub(crate) fn join(&self, group: u32) -> io::Result<()> {
        sys::set(self.fd.as_fd(), libc::NETLINK_ADD_MEMBERSHIP, group.cast_signed())
    }

    /// Its address: the port that messages about its requests carry.
    pub(crate) fn port(&self) -> io::Result<u32> {
        Ok(getsockname::<NetlinkAddr>(self.fd.as_raw_fd())?.pid())
    }

    /// Bounds how long one receive may wait.
    pub(crate) fn set_patience(&self, patience: Duration) -> io::Result<()> {
        let micros = i64::try_from(patience.as_micros()).unwrap_or(i64::MAX);
        let value = TimeVal::new(micros / 1_000_000, (micros % 1_000_000) as libc::suseconds_t);
        Ok(setsockopt(&self.fd, sockopt::ReceiveTimeout, &value)?)
    }

    /// Lets a datagram of `len` bytes be sent at once.
    pub(crate) fn make_room(&self, len: usize) -> io::Result<()> {
        // The kernel counts its own structures too.
        let queue = len.saturating_add(4096);
        if getsockopt(&self.fd, sockopt::SndBuf)? >= queue {
            return Ok(());
        }
        if setsockopt(&self.fd, sockopt::SndBufForce, &queue).is_err() {
            setsockopt(&self.fd, sockopt::SndBuf, &queue)?;
        }
        Ok(())
    }

    /// Sends one datagram to the kernel.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        loop {
            match send(self.fd.as_raw_fd(), bytes, MsgFlags::empty()) {
                Ok(sent) if sent == bytes.len() => return Ok(()),
                Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Receives one datagram; `WouldBlock` when there is none in time.
    pub(crate) fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Received<'a>> {
        let (bytes, from_kernel, cut) = loop {
            let mut parts = [IoSliceMut::new(buffer)];
            let fd = self.fd.as_raw_fd();
            match recvmsg::<NetlinkAddr>(fd, &mut parts, None, MsgFlags::empty()) {
                Ok(message) => {
                    let from_kernel = message.address.is_some_and(|a| a.pid() == 0);
                    break (
                        message.bytes,
                        from_kernel,
                        message.flags.contains(MsgFlags::MSG_TRUNC),
                    );
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        };
        match buffer.get(..bytes) {
            Some(messages) if from_kernel && !cut => Ok(Received::Messages(messages)),
            _ => Ok(Received::Unusable),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
