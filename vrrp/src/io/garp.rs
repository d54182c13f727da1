//! Gratuitous ARPs and unsolicited neighbour adverts: one packet socket for each protocol, frames sent in batches.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use socket2::{Domain, Socket, Type};

use super::batch::{QueueFull, send_all};
use super::frame::{ALL_NODES_MAC, NA_LEN, gratuitous_arp, unsolicited_na};
use super::sys::{self, Destination, Message, Sender};
use super::{SEND_BUFFER, accept_nothing};

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Most frames of a protocol that wait for a flush.
const QUEUE_LIMIT: usize = 4096;

/// A frame to send.
struct Frame {
    bytes: [u8; NA_LEN],
    len: usize,
    interface: u32,
    destination: [u8; 6],
    tag: usize,
}

/// The frames of one protocol and the socket they leave by.
struct Lane {
    protocol: u16,
    socket: Socket,
    queue: Vec<Frame>,
}

/// Sends announcements of addresses on any interface. Keeps its buffers, so it stops allocating.
pub struct GarpChannel {
    arp: Lane,
    na: Lane,
    sender: Sender,
}

impl GarpChannel {
    /// Opens both sockets; needs the privilege for packet sockets.
    pub fn open() -> io::Result<GarpChannel> {
        Ok(GarpChannel {
            arp: Lane::open(ETHERTYPE_ARP)?,
            na: Lane::open(ETHERTYPE_IPV6)?,
            sender: Sender::new(),
        })
    }

    /// Queues a gratuitous ARP for `address` on the interface with index `interface` and address `mac`.
    /// `tag` names it in error reports.
    pub fn push_arp(
        &mut self,
        tag: usize,
        interface: u32,
        mac: [u8; 6],
        broadcast: [u8; 6],
        address: Ipv4Addr,
    ) -> Result<(), QueueFull> {
        self.arp.push(tag, interface, broadcast, &gratuitous_arp(mac, broadcast, address))
    }

    /// Queues an unsolicited neighbour advert; arguments as for [`GarpChannel::push_arp`].
    pub fn push_na(
        &mut self,
        tag: usize,
        interface: u32,
        mac: [u8; 6],
        address: Ipv6Addr,
        router: bool,
    ) -> Result<(), QueueFull> {
        self.na.push(tag, interface, ALL_NODES_MAC, &unsolicited_na(mac, address, router))
    }

    /// How many frames wait.
    pub fn len(&self) -> usize {
        self.arp.queue.len() + self.na.queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends everything in the order queued, ARP first. Each frame that could not be sent is reported with its tag and
    /// not tried again. Returns how many were sent. The queues are empty afterwards.
    pub fn flush(&mut self, mut report: impl FnMut(usize, io::Error)) -> usize {
        let mut sent = 0;
        for lane in [&mut self.arp, &mut self.na] {
            let (socket, protocol, sender) = (lane.socket.as_fd(), lane.protocol, &mut self.sender);
            sent += send_all(
                &lane.queue,
                |frames| sender.send(socket, false, frames.iter().map(|f| f.message(protocol))),
                |frame, error| report(frame.tag, error),
            );
            lane.queue.clear();
        }
        sent
    }
}

impl Lane {
    fn open(protocol: u16) -> io::Result<Lane> {
        // Protocol 0 hooks it into no receive path; each frame names its protocol instead.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        accept_nothing(&socket)?;
        // A takeover of thousands of addresses must fit; without the privilege the default has to do.
        let _ =
            sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, SEND_BUFFER);
        Ok(Lane { protocol, socket, queue: Vec::new() })
    }

    fn push(
        &mut self,
        tag: usize,
        interface: u32,
        destination: [u8; 6],
        frame: &[u8],
    ) -> Result<(), QueueFull> {
        if self.queue.len() >= QUEUE_LIMIT {
            return Err(QueueFull);
        }
        let mut bytes = [0; NA_LEN];
        let len = frame.len().min(NA_LEN);
        bytes[..len].copy_from_slice(&frame[..len]);
        self.queue.push(Frame { bytes, len, interface, destination, tag });
        Ok(())
    }
}

impl Frame {
    fn message(&self, protocol: u16) -> Message<'_> {
        Message {
            bytes: self.bytes.get(..self.len).unwrap_or_default(),
            destination: Destination::Link {
                interface: self.interface,
                protocol,
                mac: self.destination,
            },
            source: None,
            hop_limit: None,
        }
    }
}
