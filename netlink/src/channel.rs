//! The socket that asks and changes.
//!
//! A batch goes out in datagrams of at most [`PIECE`] bytes. The kernel executes a datagram's
//! requests one after the other inside the send call and answers in that order; every error is
//! answered, a success only when asked for. So only the last request of a datagram asks: its
//! answer says that all before it have been executed, and those that were not refused by then
//! have succeeded. Four thousand addresses cost some twenty system calls this way.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::SockFlag;

use crate::address::{self, Address};
use crate::batch::{Batch, Operation, Piece, Request};
use crate::codec::{MESSAGE_HEADER, Message, Messages, TooLong, Writer};
use crate::error::NetlinkError;
use crate::link::{self, Link};
use crate::socket::{RECEIVE_BUFFER, Received, Socket};

/// Bytes of requests in one datagram.
const PIECE: usize = 32 * 1024;
/// Receive queue: the answers to a datagram in which every request fails, several times over.
const QUEUE: usize = 4 * 1024 * 1024;
/// How long the answers to one datagram may take. They are there when the send call returns; this
/// bounds what a broken kernel module could do to the loop.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a dump may take in all.
const DUMP_PATIENCE: Duration = Duration::from_secs(5);
/// Requests in the first datagram of [`Channel::apply_within`].
const FIRST_STEP: usize = 4;
/// How often a dump is repeated when the tables changed under it.
const DUMP_ATTEMPTS: usize = 4;

/// What a request that did not fail has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The kernel did as asked.
    Done,
    /// The address to add was there, and the kernel left it as it was.
    Existed,
    /// The address to delete, or its interface, was not there.
    Absent,
}

/// How one request of a batch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The request's tag.
    pub tag: u64,
    /// What happened. `ETIMEDOUT` and `ENOBUFS` mean that the answer is missing: the request may
    /// have been executed.
    pub result: Result<Applied, NetlinkError>,
}

/// A request socket in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Channel {
    socket: Socket,
    seq: u32,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
    /// What a request cost lately, in nanoseconds.
    pace: u128,
}

impl Channel {
    /// Opens the socket.
    ///
    /// # Errors
    /// What the system says about the socket.
    pub fn open() -> io::Result<Channel> {
        let socket = Socket::open(0, SockFlag::empty(), QUEUE)?;
        socket.want_extended_acks();
        socket.set_patience(PATIENCE)?;
        let buffer = vec![0; RECEIVE_BUFFER];
        Ok(Channel { socket, seq: 1, buffer, scratch: Vec::new(), pace: 0 })
    }

    /// All links of the namespace.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn dump_links(&mut self) -> io::Result<Vec<Link>> {
        self.dump(link::write_dump, libc::RTM_NEWLINK, Link::decode)
    }

    /// All IPv4 and IPv6 addresses of the namespace.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn dump_addresses(&mut self) -> io::Result<Vec<Address>> {
        self.dump(address::write_dump, libc::RTM_NEWADDR, Address::decode)
    }

    /// Executes a batch in order; one outcome for each request, in the batch's order. A request
    /// that fails does not stop those after it.
    ///
    /// This may take long: the kernel walks all addresses of an interface for each new one, so that
    /// the four-thousandth IPv4 address costs ten times what the first did, and IPv6 is worse
    /// (milliseconds each). See [`apply_within`](Self::apply_within).
    pub fn apply(&mut self, batch: &Batch) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batch.len());
        while let Some(piece) = batch.piece(outcomes.len(), usize::MAX, PIECE) {
            self.apply_piece(&piece, &mut outcomes);
        }
        outcomes
    }

    /// Executes a part of a batch, from the request at position `from` on, for about `budget`, so
    /// that the caller can look after its sockets in between. At least one request is executed
    /// unless `from` is the end. The outcomes say how far it came: go on at `from` plus their
    /// number.
    pub fn apply_within(&mut self, batch: &Batch, from: usize, budget: Duration) -> Vec<Outcome> {
        let start = Instant::now();
        let mut outcomes = Vec::new();
        loop {
            let left = budget.saturating_sub(start.elapsed());
            let count = usize::try_from(left.as_nanos() / self.pace.max(1)).unwrap_or(usize::MAX);
            let done = outcomes.len();
            if done > 0 && count == 0 {
                return outcomes;
            }
            // The pace changes with what is asked for: a few requests first, then ever more.
            let count = count.min(done.saturating_mul(4).max(FIRST_STEP));
            let position = from.saturating_add(done);
            let Some(piece) = batch.piece(position, count, PIECE) else { return outcomes };
            let before = Instant::now();
            self.apply_piece(&piece, &mut outcomes);
            let steps = u128::try_from(outcomes.len() - done).unwrap_or(1).max(1);
            self.pace = before.elapsed().as_nanos() / steps;
        }
    }

    fn apply_piece(&mut self, piece: &Piece<'_>, outcomes: &mut Vec<Outcome>) {
        let sent: Vec<&Request> = piece.requests.iter().filter(|r| r.refused.is_none()).collect();
        let first_seq = self.take_seqs(sent.len());
        self.scratch.clear();
        self.scratch.extend_from_slice(piece.bytes);
        stamp(&mut self.scratch, first_seq);
        let mut failures: Vec<Option<NetlinkError>> = vec![None; sent.len()];
        let unanswered = if sent.is_empty() {
            None
        } else {
            match self.socket.send(&self.scratch) {
                Ok(()) => self.collect(first_seq, &mut failures),
                Err(error) => Some(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))),
            }
        };
        let mut failures = failures.into_iter();
        for request in piece.requests {
            let failure = match request.refused {
                Some(errno) => Some(NetlinkError::plain(errno)),
                None => failures.next().flatten().or(unanswered.map(NetlinkError::plain)),
            };
            let result = failure.map_or(Ok(Applied::Done), |e| forgive(request.operation, e));
            outcomes.push(Outcome { tag: request.tag, result });
        }
    }

    /// Reads the answers to one datagram. `None`: what is not in `failures` has succeeded;
    /// otherwise the reason why nothing is known about it.
    fn collect(&mut self, first_seq: u32, failures: &mut [Option<NetlinkError>]) -> Option<Errno> {
        let deadline = Instant::now() + PATIENCE;
        let mut lost = None;
        loop {
            match self.socket.receive(&mut self.buffer) {
                Ok(Received::Messages(datagram)) => {
                    for message in Messages::new(datagram) {
                        if take_answer(&message, first_seq, failures) {
                            return lost;
                        }
                    }
                }
                Ok(Received::Unusable) => {}
                Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)) {
                    Errno::ENOBUFS => lost = Some(Errno::ENOBUFS),
                    Errno::EAGAIN => return lost.or(Some(Errno::ETIMEDOUT)),
                    errno => return Some(errno),
                },
            }
            if Instant::now() >= deadline {
                return lost.or(Some(Errno::ETIMEDOUT));
            }
        }
    }

    fn dump<T>(
        &mut self,
        write: fn(&mut Writer, u32) -> Result<(), TooLong>,
        wanted: u16,
        decode: fn(&[u8]) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut found = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            found.clear();
            let seq = self.take_seqs(1);
            let mut writer = Writer::new();
            write(&mut writer, seq).map_err(|TooLong| io::Error::from(Errno::EMSGSIZE))?;
            self.socket.send(writer.as_bytes())?;
            let consistent = self.read_dump(seq, |message| {
                if message.kind == wanted {
                    found.extend(decode(message.payload));
                }
            })?;
            if consistent {
                return Ok(found);
            }
        }
        // The tables never held still. What was read is as good as it gets; the events of the
        // changes that disturbed it are on their way to the monitor.
        log::debug!("netlink: dump interrupted {DUMP_ATTEMPTS} times, using the last one");
        Ok(found)
    }

    /// Reads a dump to its end; false when the kernel says that it was interrupted by a change.
    fn read_dump(&mut self, seq: u32, mut take: impl FnMut(&Message<'_>)) -> io::Result<bool> {
        let deadline = Instant::now() + DUMP_PATIENCE;
        let mut consistent = true;
        loop {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Ok(Received::Messages(datagram)) => datagram,
                Ok(Received::Unusable) => return Err(Errno::EMSGSIZE.into()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(e) => return Err(e),
            };
            for message in Messages::new(datagram).filter(|m| m.seq == seq) {
                consistent &= i32::from(message.flags) & libc::NLM_F_DUMP_INTR == 0;
                match i32::from(message.kind) {
                    libc::NLMSG_DONE => return Ok(consistent),
                    libc::NLMSG_ERROR => NetlinkError::from_ack(&message)?,
                    _ => take(&message),
                }
            }
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Reserves `count` sequence numbers and returns the first.
    fn take_seqs(&mut self, count: usize) -> u32 {
        let first = self.seq;
        self.seq = self.seq.wrapping_add(u32::try_from(count).unwrap_or(u32::MAX));
        first
    }
}

/// Writes consecutive sequence numbers into the messages of a datagram and asks for an answer to
/// the last one.
fn stamp(datagram: &mut [u8], first_seq: u32) {
    let mut seq = first_seq;
    let mut rest = datagram;
    while let Some(len) = crate::codec::u32_at(rest, 0) {
        let len = usize::try_from(len).unwrap_or(usize::MAX).max(MESSAGE_HEADER);
        if let Some(field) = rest.get_mut(8..12) {
            field.copy_from_slice(&seq.to_ne_bytes());
        }
        seq = seq.wrapping_add(1);
        if len >= rest.len() {
            if let Some(field) = rest.get_mut(6..8) {
                let flags = crate::codec::u16_at(field, 0).unwrap_or(0);
                field.copy_from_slice(&(flags | libc::NLM_F_ACK as u16).to_ne_bytes());
            }
            return;
        }
        // Our own messages are padded, so the next one starts on the next multiple of four.
        let next = len.next_multiple_of(4).min(rest.len());
        rest = &mut rest[next..];
    }
}

/// Notes an answer; true when it is the one to the last request. Anything else that is in the
/// queue, such as a late answer to an earlier batch, is passed over.
fn take_answer(
    message: &Message<'_>,
    first_seq: u32,
    failures: &mut [Option<NetlinkError>],
) -> bool {
    if i32::from(message.kind) != libc::NLMSG_ERROR {
        return false;
    }
    let position = usize::try_from(message.seq.wrapping_sub(first_seq)).unwrap_or(usize::MAX);
    let last = position.checked_add(1) == Some(failures.len());
    let Some(failure) = failures.get_mut(position) else { return false };
    *failure = NetlinkError::from_ack(message).err();
    last
}

/// Errors that leave things as they were wanted are no errors.
fn forgive(operation: Operation, error: NetlinkError) -> Result<Applied, NetlinkError> {
    match (operation, error.errno) {
        (Operation::Add, Errno::EEXIST) => Ok(Applied::Existed),
        (Operation::Delete, Errno::EADDRNOTAVAIL | Errno::ENODEV) => Ok(Applied::Absent),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests;
