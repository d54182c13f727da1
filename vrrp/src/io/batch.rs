//! Adverts out and in, many with one system call.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::BorrowedFd;

use super::sys::{Destination, Message, Receiver, Sender};
use crate::packet::{Packet, Template, TooShort};

/// Most packets a batch holds before it must be flushed.
const QUEUE_LIMIT: usize = 4096;

/// The batch holds as much as it may: flush it, then queue again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{QUEUE_LIMIT} packets are queued already")
    }
}

impl std::error::Error for QueueFull {}

/// An advert to queue.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Which socket; the caller's number, resolved at the flush.
    pub socket: usize,
    /// Who sends; named in error reports.
    pub tag: usize,
    /// A whole IPv4 packet or an IPv6 payload.
    pub bytes: &'a [u8],
    /// Our address.
    pub source: IpAddr,
    /// The group or a peer.
    pub destination: IpAddr,
    /// IPv6: index of the interface, 0 for none.
    pub interface: u32,
    /// IPv6 unicast: unless the kernel's default.
    pub hop_limit: Option<u8>,
}

impl<'a> Outgoing<'a> {
    /// A template as it stands.
    pub fn advert(socket: usize, tag: usize, template: &'a Template, interface: u32) -> Self {
        Outgoing {
            socket,
            tag,
            bytes: template.bytes(),
            source: template.source(),
            destination: template.destination(),
            interface,
            hop_limit: None,
        }
    }
}

/// A queued packet; its bytes lie in the batch.
#[derive(Clone, Copy, Debug)]
struct Queued {
    socket: usize,
    tag: usize,
    start: usize,
    len: usize,
    source: IpAddr,
    destination: IpAddr,
    interface: u32,
    hop_limit: Option<u8>,
}

impl Queued {
    fn message<'a>(&self, bytes: &'a [u8]) -> Message<'a> {
        Message {
            bytes: bytes.get(self.start..self.start + self.len).unwrap_or_default(),
            destination: match self.destination {
                IpAddr::V4(address) => Destination::V4(address),
                IpAddr::V6(address) => Destination::V6(address, self.interface),
            },
            source: match self.source {
                IpAddr::V4(_) => None,
                IpAddr::V6(source) => Some(source),
            },
            hop_limit: self.hop_limit,
        }
    }

    /// Whether one system call can send both.
    fn joins(&self, next: &Queued) -> bool {
        self.socket == next.socket
            && self.destination.is_multicast() == next.destination.is_multicast()
    }
}

/// Adverts waiting for one flush. Its buffers are kept, so it stops allocating once they have grown.
pub struct SendBatch {
    bytes: Vec<u8>,
    queue: Vec<Queued>,
    sender: Sender,
}

impl Default for SendBatch {
    fn default() -> Self {
        SendBatch::new()
    }
}

impl SendBatch {
    /// An empty batch.
    pub fn new() -> SendBatch {
        SendBatch { bytes: Vec::new(), queue: Vec::new(), sender: Sender::new() }
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Copies a packet into the batch.
    pub fn push(&mut self, packet: Outgoing<'_>) -> Result<(), QueueFull> {
        if self.queue.len() >= QUEUE_LIMIT {
            return Err(QueueFull);
        }
        self.queue.push(Queued {
            socket: packet.socket,
            tag: packet.tag,
            start: self.bytes.len(),
            len: packet.bytes.len(),
            source: packet.source,
            destination: packet.destination,
            interface: packet.interface,
            hop_limit: packet.hop_limit,
        });
        self.bytes.extend_from_slice(packet.bytes);
        Ok(())
    }

    /// Sends everything, one system call for each socket and batch, in the order queued within a
    /// socket. `socket` gives the descriptor for a number; each packet that could not be sent is reported with its
    /// tag and not tried again. Returns how many were sent. The batch is empty afterwards.
    pub fn flush<'fd>(
        &mut self,
        mut socket: impl FnMut(usize) -> Option<BorrowedFd<'fd>>,
        mut report: impl FnMut(usize, io::Error),
    ) -> usize {
        // The start grows with every packet, so the order within a socket is kept.
        self.queue.sort_unstable_by_key(|queued| (queued.socket, queued.start));
        let mut sent = 0;
        for run in self.queue.chunk_by(Queued::joins) {
            let Some(first) = run.first() else { continue };
            let Some(fd) = socket(first.socket) else {
                for queued in run {
                    report(queued.tag, io::ErrorKind::NotConnected.into());
                }
                continue;
            };
            let (bytes, sender) = (&self.bytes, &mut self.sender);
            sent += send_all(
                run,
                |rest| {
                    let dont_route = first.destination.is_multicast();
                    sender.send(fd, dont_route, rest.iter().map(|queued| queued.message(bytes)))
                },
                |queued, error| report(queued.tag, error),
            );
        }
        self.queue.clear();
        self.bytes.clear();
        sent
    }
}

/// Sends `items` in as many calls as it takes; an item that fails is reported and passed over.
pub(super) fn send_all<T>(
    items: &[T],
    mut send: impl FnMut(&[T]) -> io::Result<usize>,
    mut report: impl FnMut(&T, io::Error),
) -> usize {
    let (mut rest, mut sent) = (items, 0);
    while let Some((first, others)) = rest.split_first() {
        match send(rest) {
            Ok(count) => {
                // A call that takes nothing and reports nothing must not be repeated for ever.
                let count = count.clamp(1, rest.len());
                sent += count;
                rest = rest.get(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                report(first, error);
                rest = others;
            }
        }
    }
    sent
}

/// Buffers for a batch of datagrams, shared by all receive sockets.
pub struct ReceiveBatch {
    receiver: Receiver,
}

impl ReceiveBatch {
    /// `slot_len`: the largest MTU of the interfaces; what is longer arrives truncated.
    pub fn new(slot_len: usize) -> ReceiveBatch {
        ReceiveBatch { receiver: Receiver::new(slot_len) }
    }

    /// Takes what has arrived. Nothing there is an empty, drained result, not an error.
    pub fn receive(&mut self, fd: BorrowedFd<'_>) -> io::Result<Received<'_>> {
        let (count, drained) = loop {
            match self.receiver.receive(fd) {
                Ok(received) => break received,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break (0, true),
                Err(error) => return Err(error),
            }
        };
        Ok(Received { receiver: &self.receiver, next: 0, count, drained })
    }
}

/// The datagrams of one call, in order of arrival.
pub struct Received<'a> {
    receiver: &'a Receiver,
    next: usize,
    count: usize,
    drained: bool,
}

impl Received<'_> {
    /// Whether the socket had no more than this.
    pub fn drained(&self) -> bool {
        self.drained
    }
}

impl<'a> Iterator for Received<'a> {
    type Item = Datagram<'a>;

    fn next(&mut self) -> Option<Datagram<'a>> {
        let arrived = self.receiver.get(self.next)?;
        self.next += 1;
        Some(Datagram {
            bytes: arrived.bytes,
            len: arrived.len,
            source: arrived.source,
            destination: arrived.destination,
            hop_limit: arrived.hop_limit,
            truncated: arrived.truncated,
            control_truncated: arrived.control_truncated,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count.saturating_sub(self.next);
        (left, Some(left))
    }
}

/// One received datagram, in the batch's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What fitted the slot: a whole IPv4 packet or an IPv6 payload.
    pub bytes: &'a [u8],
    /// Length on the wire.
    pub len: usize,
    /// Who sent it.
    pub source: Option<IpAddr>,
    /// IPv6: where it was sent.
    pub destination: Option<Ipv6Addr>,
    /// IPv6: hop limit on arrival.
    pub hop_limit: Option<u8>,
    /// `bytes` is not all of it.
    pub truncated: bool,
    /// What came beside it is lost; destination and hop limit are unknown.
    pub control_truncated: bool,
}

/// Why a datagram is passed over before anybody looks into it. The text follows `recvmsg(FD) ` in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Nothing in it.
    Empty,
    /// It did not fit the slot.
    Truncated {
        /// Bytes on the wire.
        len: usize,
        /// Bytes kept.
        kept: usize,
    },
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Defect::Empty => f.write_str("returned data length 0"),
            Defect::Truncated { len, kept } => {
                write!(f, "message truncated from {len} to {kept} bytes")
            }
        }
    }
}

impl<'a> Datagram<'a> {
    /// What rules it out, if anything.
    pub fn defect(&self) -> Option<Defect> {
        match (self.len, self.truncated) {
            (0, _) => Some(Defect::Empty),
            (len, true) => Some(Defect::Truncated { len, kept: self.bytes.len() }),
            (_, false) => None,
        }
    }

    /// The datagram as a VRRP packet. An IPv6 packet whose destination or hop limit the kernel did not tell
    /// fails the checks on these.
    pub fn packet(&self) -> Result<Packet<'a>, TooShort> {
        match self.source {
            Some(IpAddr::V6(source)) => Packet::ipv6(
                self.bytes,
                source,
                self.destination.unwrap_or(Ipv6Addr::UNSPECIFIED),
                self.hop_limit.unwrap_or(0),
            ),
            Some(IpAddr::V4(_)) | None => Packet::ipv4(self.bytes),
        }
    }
}
