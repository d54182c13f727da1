//! The kernel's process connector: who forks, executes, gets another name, exits.
//!
//! It is one for the whole machine and is asked in the initial network namespace, by a process of the
//! initial process namespace; in another it does not answer. Threads are left out: what is told of here is
//! processes.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;

use crate::codec::{Message, Messages, Writer, u16_at, u32_at};
use crate::namespace::{FIRST, within};
use crate::socket::{Received, Socket};

/// `CN_IDX_PROC` and `CN_VAL_PROC` of linux/connector.h; the first is the multicast group, too.
const CONNECTOR: u32 = 1;
/// `PROC_CN_MCAST_LISTEN` of linux/cn_proc.h.
const LISTEN: u32 = 1;
/// Bytes of a `struct cn_msg` before its data.
const HEADER: usize = 20;
/// Bytes of a `struct proc_event` before what depends on its kind.
const EVENT: usize = 16;

/// `PROC_EVENT_*` of linux/cn_proc.h.
const NONE: u32 = 0;
const FORK: u32 = 1;
const EXEC: u32 = 2;
const COMM: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// More than an event has.
const BUFFER: usize = 4096;
/// Receive queue where nobody says otherwise. The kernel charges about 1 KiB for an event; memory is
/// used only while they wait.
const QUEUE: usize = 1024 * 1024;
/// To which it grows when events were lost.
const LARGEST: usize = 64 * 1024 * 1024;
/// Events taken in one call, so that a storm of forks cannot hold the loop: each may have files read.
const EVENTS: usize = 64;

/// Something happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// The kernel will tell of processes, or, with an error number, will not.
    Confirmed(u32),
    /// A child came to be.
    Fork {
        /// Who forked.
        parent: i32,
        /// Its new child.
        child: i32,
    },
    /// It runs another program.
    Exec(i32),
    /// It has another name: up to 15 bytes, padded with NUL.
    Renamed(i32, [u8; 16]),
    /// It is no more.
    Exit(i32),
    /// Events were lost: everything known from events must be compared with `/proc`.
    Overrun,
}

/// A non-blocking socket that listens to the connector.
#[derive(Debug)]
pub struct ProcessMonitor {
    socket: Socket,
    buffer: Vec<u8>,
    queue: usize,
    may_force: bool,
}

impl ProcessMonitor {
    /// Asks to be told. Where the calling thread's network namespace has no connector `other` is tried, then
    /// that of process 1. `queue` is the receive buffer in bytes, 0 for the usual one; `force`: the system's limit
    /// does not hold for it. Whether events come says [`ProcessEvent::Confirmed`].
    ///
    /// # Errors
    /// What the system says; `ConnectionRefused` where there is no connector.
    pub fn open(
        queue: usize,
        force: bool,
        other: Option<BorrowedFd<'_>>,
    ) -> io::Result<ProcessMonitor> {
        let queue = if queue == 0 { QUEUE } else { queue };
        let may_force = force || queue == QUEUE;
        let refused = match Self::open_here(queue, may_force) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => error,
            opened => return opened,
        };
        let there =
            |there: BorrowedFd<'_>| within(there, || Self::open_here(queue, may_force)).ok()?.ok();
        let first = || File::open(FIRST).ok().and_then(|file| there(file.as_fd()));
        other.and_then(there).or_else(first).ok_or(refused)
    }

    fn open_here(queue: usize, may_force: bool) -> io::Result<ProcessMonitor> {
        let socket = Socket::open_connector(CONNECTOR)?;
        socket.set_queue(queue, may_force)?;
        socket.send(&request())?;
        Ok(ProcessMonitor { socket, buffer: vec![0; BUFFER], queue, may_force })
    }

    /// The descriptor to wait on for reading.
    pub fn fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }

    /// Takes what has arrived and appends it to `sink`. True: nothing is left; false: a bound of some
    /// dozens of events was reached, and the descriptor is still readable. When events were lost the
    /// receive buffer is doubled.
    ///
    /// # Errors
    /// What the system says about the socket, except an overrun, which is an event.
    pub fn receive(&mut self, sink: &mut Vec<ProcessEvent>) -> io::Result<bool> {
        for _ in 0..EVENTS {
            match self.socket.receive(&mut self.buffer) {
                Ok(Received::Messages(datagram)) => {
                    sink.extend(Messages::new(datagram).filter_map(|m| decode(&m)));
                }
                Ok(Received::Unusable) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(e) if e.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    self.queue = self.queue.saturating_mul(2).min(LARGEST);
                    self.socket.set_queue(self.queue, self.may_force)?;
                    sink.push(ProcessEvent::Overrun);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }
}

/// The message that asks to be told.
fn request() -> Vec<u8> {
    let mut writer = Writer::new();
    let done = libc::NLMSG_DONE as u16;
    // A message this short always fits.
    let _ = writer.message(done, 0, 0, |w| {
        let [length, flags] = [4_u16, 0].map(u16::to_ne_bytes);
        [CONNECTOR, CONNECTOR, 0, 0].iter().for_each(|n| w.raw(&n.to_ne_bytes()));
        w.raw(&length);
        w.raw(&flags);
        w.raw(&LISTEN.to_ne_bytes());
    });
    writer.as_bytes().to_vec()
}

/// The event a message stands for, if it is one of those that matter, of a process and not of a thread.
pub fn decode(message: &Message<'_>) -> Option<ProcessEvent> {
    let payload = message.payload;
    let (index, value) = (u32_at(payload, 0)?, u32_at(payload, 4)?);
    if (index, value) != (CONNECTOR, CONNECTOR) {
        return None;
    }
    let length = usize::from(u16_at(payload, 16)?);
    let event = payload.get(HEADER..HEADER.checked_add(length)?)?;
    let number = |at: usize| u32_at(event, EVENT + 4 * at);
    let pid = |at: usize| number(at).map(u32::cast_signed).filter(|pid| *pid > 0);
    // Of a process the first thread has its number.
    let process = |at: usize| pid(at).filter(|id| pid(at + 1) == Some(*id));
    match u32_at(event, 0)? {
        NONE => Some(ProcessEvent::Confirmed(number(0)?)),
        FORK => Some(ProcessEvent::Fork { parent: pid(1)?, child: process(2)? }),
        EXEC => Some(ProcessEvent::Exec(pid(1)?)),
        COMM => {
            let name = event.get(EVENT + 8..EVENT + 24)?.try_into().ok()?;
            Some(ProcessEvent::Renamed(process(0)?, name))
        }
        EXIT => Some(ProcessEvent::Exit(process(0)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
