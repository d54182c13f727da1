//! Sockets of VRRP: adverts in and out in batches, gratuitous ARPs and unsolicited neighbour adverts.
//!
//! One [`SocketPair`] serves every instance with the same [`SocketKey`]. [`SendBatch`] collects the adverts
//! that are due and hands them to the kernel with one call a socket; [`ReceiveBatch`] takes up to
//! [`BATCH`] datagrams a call. Neither allocates in steady state. [`GarpChannel`] does the same on the link layer.
//! Nothing here blocks.

mod batch;
pub mod frame;
mod garp;
mod linkbeat;
mod socket;
mod sys;

pub use batch::{Datagram, Defect, Outgoing, QueueFull, ReceiveBatch, Received, SendBatch};
pub use garp::GarpChannel;
pub use linkbeat::{LinkMethod, LinkProbe};
pub use socket::{Carriage, SocketError, SocketKey, SocketPair};
pub use sys::BATCH;

use std::io;

use socket2::{SockFilter, Socket};

/// Room for a burst of adverts of thousands of instances; only a limit, not memory in use.
const SEND_BUFFER: i32 = 4 << 20;

/// Lets the kernel drop whatever would be queued for reading.
fn accept_nothing(socket: &Socket) -> io::Result<()> {
    // BPF_RET | BPF_K: keep 0 bytes.
    socket.attach_filter(&[SockFilter::new(0x06, 0, 0, 0)])
}

/// The system's words for an error, without the number the standard library appends.
pub fn error_text(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error") {
        text.truncate(end);
    }
    text
}

/// Whether the kernel forwards IPv6 from `interface`, as the Router flag of a neighbour advert says.
/// False when it cannot be read. Costs a file access: callers keep the answer for some seconds.
pub fn ipv6_forwarding(interface: &str) -> bool {
    if interface.is_empty() || interface.starts_with('.') || interface.contains('/') {
        return false;
    }
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/forwarding");
    std::fs::read_to_string(path).is_ok_and(|text| !matches!(text.trim(), "" | "0"))
}

#[cfg(test)]
mod tests;
