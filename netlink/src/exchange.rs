//! Requests and their answers, whatever they are about.
//!
//! The kernel executes a datagram's requests one after the other inside the send call and answers
//! in that order; every error is answered, a success only when asked for. So only the last request
//! of a datagram asks: its answer says that all before it have been executed, and those that were
//! not refused by then have succeeded.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{SockFlag, SockProtocol};

use crate::codec::{MESSAGE_HEADER, Message, Messages, TooLong, Writer};
use crate::error::NetlinkError;
use crate::socket::{RECEIVE_BUFFER, Received, Socket};

/// Receive queue: the answers to a datagram in which every request fails, several times over.
const QUEUE: usize = 4 * 1024 * 1024;
/// How long the answers to one datagram may take. They are there when the send call returns; this
/// bounds what a broken kernel module could do to the loop.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a dump may take in all.
const DUMP_PATIENCE: Duration = Duration::from_secs(5);
/// How often a dump is repeated when the tables changed under it.
const DUMP_ATTEMPTS: usize = 4;

/// A family of netlink sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `NETLINK_ROUTE`.
    Route,
    /// `NETLINK_GENERIC`.
    Generic,
    /// `NETLINK_NETFILTER`.
    Netfilter,
}

/// A request socket in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Exchange {
    socket: Socket,
    seq: u32,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

impl Exchange {
    /// Opens the socket.
    ///
    /// # Errors
    /// What the system says about the socket.
    pub fn open(protocol: Protocol) -> io::Result<Exchange> {
        let protocol = match protocol {
            Protocol::Route => SockProtocol::NetlinkRoute,
            Protocol::Generic => SockProtocol::NetlinkGeneric,
            Protocol::Netfilter => SockProtocol::NetlinkNetFilter,
        };
        let socket = Socket::open(protocol, 0, SockFlag::empty(), QUEUE)?;
        socket.want_extended_acks();
        socket.set_patience(PATIENCE)?;
        let buffer = vec![0; RECEIVE_BUFFER];
        Ok(Exchange { socket, seq: 1, buffer, scratch: Vec::new() })
    }

    /// The port that events of its requests carry.
    ///
    /// # Errors
    /// What the system says about the socket.
    pub fn port(&self) -> io::Result<u32> {
        self.socket.port()
    }

    /// Sends a datagram of at least `count` messages and says how each of the first `count` ended;
    /// those after them are not answered. Sequence numbers and the wish for an answer are filled
    /// in. `ETIMEDOUT` and `ENOBUFS` mean that the answer is missing: the request may have been
    /// executed.
    pub fn execute(&mut self, datagram: &[u8], count: usize) -> Vec<Result<(), NetlinkError>> {
        if count == 0 {
            return Vec::new();
        }
        let (failures, unanswered) = self.exchange(datagram, count, false);
        let unanswered = unanswered.map(NetlinkError::plain);
        failures.into_iter().map(|f| f.or_else(|| unanswered.clone()).map_or(Ok(()), Err)).collect()
    }

    /// Sends a datagram whose first `count` messages, one at least, are executed together or not at
    /// all.
    ///
    /// # Errors
    /// Why the first that failed did, or `ETIMEDOUT` and `ENOBUFS` as in
    /// [`execute`](Self::execute).
    pub fn transact(&mut self, datagram: &[u8], count: usize) -> Result<(), NetlinkError> {
        // The kernel wants it all in one piece, which has to fit the queue.
        self.socket.make_room(datagram.len()).map_err(|e| NetlinkError::plain(errno_of(&e)))?;
        let (failures, unanswered) = self.exchange(datagram, count, true);
        let failure = failures.into_iter().flatten().next();
        failure.or(unanswered.map(NetlinkError::plain)).map_or(Ok(()), Err)
    }

    /// Sends a datagram and gathers the answers. With `together` the first failure is the end: the
    /// kernel may not look at what comes after it.
    fn exchange(
        &mut self,
        datagram: &[u8],
        count: usize,
        together: bool,
    ) -> (Vec<Option<NetlinkError>>, Option<Errno>) {
        let first_seq = self.seq;
        self.scratch.clear();
        self.scratch.extend_from_slice(datagram);
        self.seq = stamp(&mut self.scratch, first_seq, count);
        let mut failures: Vec<Option<NetlinkError>> = vec![None; count];
        let unanswered = match self.socket.send(&self.scratch) {
            Ok(()) => self.collect(first_seq, &mut failures, together),
            Err(error) => Some(errno_of(&error)),
        };
        (failures, unanswered)
    }

    /// Sends one request that `write` encodes with the sequence number it is given, and hands the
    /// messages of the answer to `take`, to the end of the dump or the acknowledgement.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn ask(
        &mut self,
        write: impl FnOnce(&mut Writer, u32) -> Result<(), TooLong>,
        take: impl FnMut(&Message<'_>),
    ) -> io::Result<()> {
        self.ask_once(write, take).map(drop)
    }

    /// All objects of a kind: a dump, repeated when the tables changed under it.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn dump<T>(
        &mut self,
        write: impl Fn(&mut Writer, u32) -> Result<(), TooLong>,
        decode: impl Fn(&Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut found = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            found.clear();
            if self.ask_once(&write, |message| found.extend(decode(message)))? {
                return Ok(found);
            }
        }
        // The tables never held still. What was read is as good as it gets; the events of the
        // changes that disturbed it are on their way to the monitor.
        log::debug!("netlink: dump interrupted {DUMP_ATTEMPTS} times, using the last one");
        Ok(found)
    }

    /// Sends a request for a dump, whose answer [`dump_part`](Self::dump_part) reads; nothing else may be asked until
    /// that has come to its end.
    ///
    /// # Errors
    /// What the system says about the request.
    pub fn begin_dump(
        &mut self,
        write: impl FnOnce(&mut Writer, u32) -> Result<(), TooLong>,
    ) -> io::Result<()> {
        let seq = self.seq;
        self.seq = self.seq.wrapping_add(1);
        let mut writer = Writer::new();
        write(&mut writer, seq).map_err(|TooLong| io::Error::from(Errno::EMSGSIZE))?;
        self.socket.send(writer.as_bytes())
    }

    /// Reads one datagram of a dump, of at most some hundred messages: the kernel makes it when it is read. True at the
    /// dump's end. Changes of the tables meanwhile may hide some objects or show them twice.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not. The dump is over then.
    pub fn dump_part(&mut self, mut take: impl FnMut(&Message<'_>)) -> io::Result<bool> {
        let seq = self.seq.wrapping_sub(1);
        match self.socket.receive(&mut self.buffer) {
            Ok(Received::Messages(datagram)) => {
                Ok(take_messages(datagram, seq, &mut true, &mut take)?)
            }
            Ok(Received::Unusable) => Err(Errno::EMSGSIZE.into()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::TimedOut.into()),
            Err(e) => Err(e),
        }
    }

    fn ask_once(
        &mut self,
        write: impl FnOnce(&mut Writer, u32) -> Result<(), TooLong>,
        take: impl FnMut(&Message<'_>),
    ) -> io::Result<bool> {
        let seq = self.seq;
        self.seq = self.seq.wrapping_add(1);
        let mut writer = Writer::new();
        write(&mut writer, seq).map_err(|TooLong| io::Error::from(Errno::EMSGSIZE))?;
        self.socket.send(writer.as_bytes())?;
        self.read_answer(seq, take)
    }

    /// Reads the answers to one datagram. `None`: what is not in `failures` has succeeded;
    /// otherwise the reason why nothing is known about it.
    fn collect(
        &mut self,
        first_seq: u32,
        failures: &mut [Option<NetlinkError>],
        together: bool,
    ) -> Option<Errno> {
        let deadline = Instant::now() + PATIENCE;
        let mut lost = None;
        loop {
            match self.socket.receive(&mut self.buffer) {
                Ok(Received::Messages(datagram)) => {
                    if take_answers(datagram, first_seq, failures, together) {
                        return lost;
                    }
                }
                Ok(Received::Unusable) => {}
                Err(error) => match errno_of(&error) {
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

    /// Reads an answer to its end; false when the kernel says that it was interrupted by a change.
    fn read_answer(&mut self, seq: u32, mut take: impl FnMut(&Message<'_>)) -> io::Result<bool> {
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
            if take_messages(datagram, seq, &mut consistent, &mut take)? {
                return Ok(consistent);
            }
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

fn errno_of(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

/// Writes consecutive sequence numbers into the messages of a datagram, asks for an answer to the
/// one that makes `count`, and returns the number that follows.
fn stamp(datagram: &mut [u8], first_seq: u32, count: usize) -> u32 {
    let mut seq = first_seq;
    let mut left = count;
    let mut rest = datagram;
    while let Some(len) = crate::codec::u32_at(rest, 0) {
        let len = usize::try_from(len).unwrap_or(usize::MAX).max(MESSAGE_HEADER);
        if let Some(field) = rest.get_mut(8..12) {
            field.copy_from_slice(&seq.to_ne_bytes());
        }
        seq = seq.wrapping_add(1);
        if left == 1
            && let Some(field) = rest.get_mut(6..8)
        {
            let flags = crate::codec::u16_at(field, 0).unwrap_or(0);
            field.copy_from_slice(&(flags | libc::NLM_F_ACK as u16).to_ne_bytes());
        }
        left = left.saturating_sub(1);
        // Our own messages are padded, so the next one starts on the next multiple of four.
        let next = len.checked_next_multiple_of(4).unwrap_or(len).min(rest.len());
        rest = &mut rest[next..];
    }
    seq
}

/// Hands the messages of a datagram of the answer to `take`; true at the answer's end. It is no longer
/// consistent when the kernel says that it was interrupted by a change.
///
/// # Errors
/// What the kernel answers.
pub(crate) fn take_messages(
    datagram: &[u8],
    seq: u32,
    consistent: &mut bool,
    take: &mut impl FnMut(&Message<'_>),
) -> Result<bool, NetlinkError> {
    for message in Messages::new(datagram).filter(|m| m.seq == seq) {
        *consistent &= i32::from(message.flags) & libc::NLM_F_DUMP_INTR == 0;
        match i32::from(message.kind) {
            libc::NLMSG_DONE => return Ok(true),
            libc::NLMSG_ERROR => return NetlinkError::from_ack(&message).map(|()| true),
            _ => take(&message),
        }
    }
    Ok(false)
}

/// Notes the answers in a datagram; true when no more is to be waited for.
pub(crate) fn take_answers(
    datagram: &[u8],
    first_seq: u32,
    failures: &mut [Option<NetlinkError>],
    together: bool,
) -> bool {
    Messages::new(datagram).any(|message| {
        take_answer(&message, first_seq, failures)
            || together && failures.iter().any(Option::is_some)
    })
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

#[cfg(test)]
mod tests;
