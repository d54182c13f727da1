//! The socket that asks and changes.
//!
//! A batch goes out in datagrams of at most [`PIECE`] bytes, each answered once: four thousand
//! addresses cost some twenty system calls.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::address::{self, Address};
use crate::batch::{Batch, Operation, Piece};
use crate::codec::Message;
use crate::error::NetlinkError;
use crate::exchange::{Exchange, Protocol};
use crate::link::{self, Link};
use crate::sys;

/// Bytes of requests in one datagram.
const PIECE: usize = 32 * 1024;
/// Requests in the first datagram of [`Channel::apply_within`].
const FIRST_STEP: usize = 4;

/// What a request that did not fail has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The kernel did as asked.
    Done,
    /// What is to be added was there, and the kernel left it as it was.
    Existed,
    /// What is to be deleted, or its interface, was not there.
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
    exchange: Exchange,
    /// What a request cost lately, in nanoseconds.
    pace: u128,
}

impl Channel {
    /// Opens the socket.
    ///
    /// # Errors
    /// What the system says about the socket.
    pub fn open() -> io::Result<Channel> {
        Ok(Channel { exchange: Exchange::open(Protocol::Route)?, pace: 0 })
    }

    /// The port that events of its requests carry, for [`Monitor::watch_paths`](crate::Monitor::watch_paths).
    ///
    /// # Errors
    /// What the system says about the socket.
    pub fn port(&self) -> io::Result<u32> {
        self.exchange.port()
    }

    /// All links of the namespace.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn dump_links(&mut self) -> io::Result<Vec<Link>> {
        self.exchange.dump(link::write_dump, |m| of_kind(m, libc::RTM_NEWLINK, Link::decode))
    }

    /// All IPv4 and IPv6 addresses of the namespace.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn dump_addresses(&mut self) -> io::Result<Vec<Address>> {
        self.exchange.dump(address::write_dump, |m| of_kind(m, libc::RTM_NEWADDR, Address::decode))
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

    /// Has a child process execute a batch, for requests that the kernel takes its time for. Returns the
    /// child's id; it ends with status 0 if no request failed, and is the caller's to wait for. To be called
    /// while the process has one thread only.
    ///
    /// # Errors
    /// What the system says about the child.
    pub fn apply_in_child(batch: &Batch) -> io::Result<i32> {
        sys::in_child(|| {
            // A socket of its own: answers on that of the parent would be taken from it.
            let outcomes = Channel::open().map(|mut channel| channel.apply(batch));
            outcomes.is_ok_and(|all| all.iter().all(|outcome| outcome.result.is_ok()))
        })
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
        let sent = piece.requests.iter().filter(|r| r.refused.is_none()).count();
        let mut results = self.exchange.execute(piece.bytes, sent).into_iter();
        for request in piece.requests {
            let result = match request.refused {
                Some(errno) => Err(NetlinkError::plain(errno)),
                None => results.next().unwrap_or(Ok(())),
            };
            let result =
                result.map_or_else(|e| forgive(request.operation, e), |()| Ok(Applied::Done));
            outcomes.push(Outcome { tag: request.tag, result });
        }
    }
}

fn of_kind<T>(message: &Message<'_>, kind: u16, decode: fn(&[u8]) -> Option<T>) -> Option<T> {
    if message.kind == kind { decode(message.payload) } else { None }
}

/// Errors that leave things as they were wanted are no errors.
fn forgive(operation: Operation, error: NetlinkError) -> Result<Applied, NetlinkError> {
    match (operation, error.errno) {
        (Operation::Add, Errno::EEXIST) => Ok(Applied::Existed),
        // Of addresses, of routes, of rules.
        (
            Operation::Delete,
            Errno::EADDRNOTAVAIL | Errno::ENODEV | Errno::ESRCH | Errno::ENOENT,
        ) => Ok(Applied::Absent),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests;
