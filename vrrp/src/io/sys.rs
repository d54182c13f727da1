//! The system calls that have no safe wrapper of the needed shape: `sendmmsg` and `recvmmsg` with
//! preallocated headers, and a few socket options.
#![allow(unsafe_code)]
// Lengths in message headers are usize in one C library and u32 in another.
#![allow(clippy::unnecessary_cast)]

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Most datagrams one system call takes or gives.
pub const BATCH: usize = 64;
/// What a receiving call asks for at least.
const FEWEST: usize = 8;

/// Sets an integer socket option.
pub(super) fn set_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set_struct(fd, level, name, &value)
}

/// Sends IPv4 multicast through the interface with this index (`IP_MULTICAST_IF`).
pub(super) fn set_multicast_interface_v4(fd: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: index as libc::c_int,
    };
    set_struct(fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
}

fn set_struct<T: Copy>(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the kernel reads size_of::<T>() bytes from a live reference.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Room for the control messages of one datagram: packet info and hop limit take 64 bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 128]);

impl Control {
    const EMPTY: Control = Control([0; 128]);
}

/// C structures for which all zeroes is a value.
///
/// # Safety
/// Implement it only where that is so.
unsafe trait AllZeroes: Copy {}
// SAFETY: integers and pointers that may be null.
unsafe impl AllZeroes for libc::iovec {}
// SAFETY: as above.
unsafe impl AllZeroes for libc::msghdr {}
// SAFETY: as above.
unsafe impl AllZeroes for libc::mmsghdr {}
// SAFETY: as above.
unsafe impl AllZeroes for libc::sockaddr_in6 {}
// SAFETY: as above.
unsafe impl AllZeroes for libc::sockaddr_storage {}

fn zeroed<T: AllZeroes>() -> T {
    // SAFETY: the trait promises it.
    unsafe { mem::zeroed() }
}

fn slots<T: AllZeroes>() -> Box<[T]> {
    vec![zeroed(); BATCH].into_boxed_slice()
}

/// Buffers and headers of `recvmmsg`.
pub(super) struct Receiver {
    slot_len: usize,
    buffers: Box<[u8]>,
    names: Box<[libc::sockaddr_in6]>,
    controls: Box<[Control]>,
    iovecs: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    count: usize,
    /// How many the next call asks for: preparing a slot costs more than most sockets ever need.
    wanted: usize,
}

/// What came with a datagram.
pub(super) struct Arrived<'a> {
    pub(super) bytes: &'a [u8],
    /// Length on the wire; more than `bytes` has when truncated.
    pub(super) len: usize,
    pub(super) source: Option<IpAddr>,
    pub(super) destination: Option<Ipv6Addr>,
    pub(super) hop_limit: Option<u8>,
    pub(super) truncated: bool,
    pub(super) control_truncated: bool,
}

impl Receiver {
    /// Slots of `slot_len` bytes; memory is only touched once datagrams arrive.
    pub(super) fn new(slot_len: usize) -> Receiver {
        Receiver {
            slot_len: slot_len.max(1),
            buffers: vec![0; slot_len.max(1) * BATCH].into_boxed_slice(),
            names: slots(),
            controls: vec![Control::EMPTY; BATCH].into_boxed_slice(),
            iovecs: slots(),
            headers: slots(),
            count: 0,
            wanted: FEWEST,
        }
    }

    /// Takes what is there, without waiting: up to [`BATCH`] datagrams, fewer while there are few.
    /// Returns how many, and whether nothing was left.
    pub(super) fn receive(&mut self, fd: BorrowedFd<'_>) -> io::Result<(usize, bool)> {
        self.count = 0;
        let wanted = self.wanted;
        let slots = self
            .buffers
            .chunks_exact_mut(self.slot_len)
            .zip(self.names.iter_mut())
            .zip(self.controls.iter_mut())
            .zip(self.iovecs.iter_mut())
            .zip(self.headers.iter_mut())
            .take(wanted);
        for ((((buffer, name), control), iovec), header) in slots {
            iovec.iov_base = buffer.as_mut_ptr().cast();
            iovec.iov_len = buffer.len();
            name.sin6_family = 0;
            let message = &mut header.msg_hdr;
            message.msg_name = ptr::from_mut(name).cast();
            message.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            message.msg_iov = iovec;
            message.msg_iovlen = 1;
            message.msg_control = control.0.as_mut_ptr().cast();
            message.msg_controllen = control.0.len() as _;
            message.msg_flags = 0;
            header.msg_len = 0;
        }
        // SAFETY: the first `wanted` headers, of BATCH, point to live, exclusively borrowed memory of the stated lengths, set just
        // above, and the kernel keeps no pointer after the call.
        let count = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                self.headers.as_mut_ptr(),
                wanted as libc::c_uint,
                (libc::MSG_DONTWAIT | libc::MSG_TRUNC) as _,
                ptr::null_mut(),
            )
        };
        self.count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        if self.count == wanted {
            self.wanted = (wanted * 2).min(BATCH);
        } else if self.count < wanted / 4 {
            self.wanted = (wanted / 2).max(FEWEST);
        }
        Ok((self.count, self.count < wanted))
    }

    /// One datagram of the last call.
    pub(super) fn get(&self, index: usize) -> Option<Arrived<'_>> {
        if index >= self.count {
            return None;
        }
        let header = self.headers.get(index)?;
        let buffer = self.buffers.chunks_exact(self.slot_len).nth(index)?;
        let len = header.msg_len as usize;
        let flags = header.msg_hdr.msg_flags;
        let control_truncated = flags & libc::MSG_CTRUNC != 0;
        let mut arrived = Arrived {
            bytes: buffer.get(..len).unwrap_or(buffer),
            len,
            source: self.names.get(index).and_then(source_of),
            destination: None,
            hop_limit: None,
            truncated: flags & libc::MSG_TRUNC != 0,
            control_truncated,
        };
        if !control_truncated {
            let used = (header.msg_hdr.msg_controllen as usize).min(128);
            read_control(self.controls.get(index)?, used, &mut arrived);
        }
        Some(arrived)
    }
}

/// The address `recvmmsg` stored.
fn source_of(name: &libc::sockaddr_in6) -> Option<IpAddr> {
    match libc::c_int::from(name.sin6_family) {
        libc::AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(name.sin6_addr.s6_addr))),
        libc::AF_INET => {
            // SAFETY: the family says that the kernel wrote a sockaddr_in, which is smaller than sockaddr_in6.
            let name: libc::sockaddr_in = unsafe { ptr::read(ptr::from_ref(name).cast()) };
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr))))
        }
        _ => None,
    }
}

/// Packet info and hop limit among the control messages; others are skipped.
fn read_control(control: &Control, used: usize, arrived: &mut Arrived<'_>) {
    let mut message: libc::msghdr = zeroed();
    message.msg_control = control.0.as_ptr().cast_mut().cast();
    message.msg_controllen = used as _;
    // SAFETY: the header describes the live, aligned control buffer, of which the kernel filled `used` bytes;
    // nothing is written through it.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&message) };
    while !next.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return headers that lie inside the buffer.
        let (header, data) = unsafe { (ptr::read(next), libc::CMSG_DATA(next)) };
        // SAFETY: CMSG_LEN only calculates.
        let room = |size: usize| unsafe { libc::CMSG_LEN(size as u32) as usize };
        let has = |size: usize| header.cmsg_len as usize >= room(size);
        match (header.cmsg_level, header.cmsg_type) {
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if has(size_of::<libc::in6_pktinfo>()) => {
                // SAFETY: the message is long enough; its data may be unaligned.
                let info: libc::in6_pktinfo = unsafe { ptr::read_unaligned(data.cast()) };
                arrived.destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) if has(size_of::<libc::c_int>()) => {
                // SAFETY: the message is long enough; its data may be unaligned.
                let limit: libc::c_int = unsafe { ptr::read_unaligned(data.cast()) };
                arrived.hop_limit = u8::try_from(limit).ok();
            }
            _ => {}
        }
        // SAFETY: as above.
        next = unsafe { libc::CMSG_NXTHDR(&message, next) };
    }
}

/// Where a message goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination {
    V4(Ipv4Addr),
    /// With an interface index for link-local and multicast addresses, else zero.
    V6(Ipv6Addr, u32),
    /// A frame out of the interface with this index.
    Link {
        interface: u32,
        protocol: u16,
        mac: [u8; 6],
    },
}

/// One message for `sendmmsg`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) destination: Destination,
    /// IPv6: the source address.
    pub(super) source: Option<Ipv6Addr>,
    /// IPv6: unless the socket's own.
    pub(super) hop_limit: Option<u8>,
}

/// Headers of `sendmmsg`.
pub(super) struct Sender {
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    iovecs: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

impl Sender {
    pub(super) fn new() -> Sender {
        Sender {
            names: slots(),
            controls: vec![Control::EMPTY; BATCH].into_boxed_slice(),
            iovecs: slots(),
            headers: slots(),
        }
    }

    /// Sends the first [`BATCH`] messages at most, without waiting. Returns how many the kernel took: fewer
    /// when one failed, an error when the first one did.
    pub(super) fn send<'a>(
        &mut self,
        fd: BorrowedFd<'_>,
        dont_route: bool,
        messages: impl Iterator<Item = Message<'a>>,
    ) -> io::Result<usize> {
        let mut count = 0;
        let slots = self
            .names
            .iter_mut()
            .zip(self.controls.iter_mut())
            .zip(self.iovecs.iter_mut())
            .zip(self.headers.iter_mut());
        for ((((name, control), iovec), header), message) in slots.zip(messages) {
            iovec.iov_base = message.bytes.as_ptr().cast_mut().cast();
            iovec.iov_len = message.bytes.len();
            let out = &mut header.msg_hdr;
            out.msg_namelen = write_name(name, message.destination);
            out.msg_name = ptr::from_mut(name).cast();
            out.msg_iov = iovec;
            out.msg_iovlen = 1;
            out.msg_flags = 0;
            write_control(control, out, &message);
            count += 1;
        }
        let route = if dont_route { libc::MSG_DONTROUTE } else { 0 };
        // SAFETY: the first `count` headers point to live memory of the stated lengths: the messages' bytes
        // outlive 'a, the rest is ours. The kernel only reads them and keeps no pointer after the call.
        let sent = unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | route) as _,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Stores the address and returns its length.
fn write_name(name: &mut libc::sockaddr_storage, destination: Destination) -> libc::socklen_t {
    /// Overwrites the start of the storage.
    fn put<T: Copy>(name: &mut libc::sockaddr_storage, value: T) -> libc::socklen_t {
        const { assert!(size_of::<T>() <= size_of::<libc::sockaddr_storage>()) };
        // SAFETY: sockaddr_storage is as large as, and aligned for, every socket address structure.
        unsafe { ptr::write(ptr::from_mut(name).cast::<T>(), value) };
        size_of::<T>() as libc::socklen_t
    }
    match destination {
        Destination::V4(address) => put(
            name,
            libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: 0,
                sin_addr: libc::in_addr { s_addr: u32::from(address).to_be() },
                sin_zero: [0; 8],
            },
        ),
        Destination::V6(address, scope) => put(
            name,
            libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: 0,
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: address.octets() },
                sin6_scope_id: scope,
            },
        ),
        Destination::Link { interface, protocol, mac } => {
            let [a, b, c, d, e, f] = mac;
            put(
                name,
                libc::sockaddr_ll {
                    sll_family: libc::AF_PACKET as libc::c_ushort,
                    sll_protocol: protocol.to_be(),
                    sll_ifindex: interface as libc::c_int,
                    sll_hatype: 0,
                    sll_pkttype: 0,
                    sll_halen: 6,
                    sll_addr: [a, b, c, d, e, f, 0, 0],
                },
            )
        }
    }
}

/// Stores the control messages an IPv6 message needs, or none.
fn write_control(control: &mut Control, out: &mut libc::msghdr, message: &Message<'_>) {
    let scope = match message.destination {
        Destination::V6(_, scope) => scope,
        Destination::V4(_) | Destination::Link { .. } => 0,
    };
    let mut used = 0;
    if let Some(source) = message.source {
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
            ipi6_ifindex: scope as _,
        };
        used += append_control(control, used, libc::IPV6_PKTINFO, info);
    }
    if let Some(limit) = message.hop_limit {
        used += append_control(control, used, libc::IPV6_HOPLIMIT, libc::c_int::from(limit));
    }
    out.msg_control = if used == 0 { ptr::null_mut() } else { control.0.as_mut_ptr().cast() };
    out.msg_controllen = used as _;
}

/// Appends an IPv6-level control message at `at` and returns the space it takes.
fn append_control<T: Copy>(control: &mut Control, at: usize, kind: libc::c_int, data: T) -> usize {
    let size = size_of::<T>() as u32;
    // SAFETY: CMSG_SPACE and CMSG_LEN only calculate.
    let (space, len) = unsafe { (libc::CMSG_SPACE(size) as usize, libc::CMSG_LEN(size)) };
    let Some(slot) = control.0.get_mut(at..at + space) else { return 0 };
    let header: *mut libc::cmsghdr = slot.as_mut_ptr().cast();
    // SAFETY: the slot has CMSG_SPACE bytes: the header, then, where CMSG_DATA points, the data. The buffer is
    // aligned for a header, and CMSG_SPACE keeps `at` aligned.
    unsafe {
        (*header).cmsg_len = len as _;
        (*header).cmsg_level = libc::IPPROTO_IPV6;
        (*header).cmsg_type = kind;
        ptr::write_unaligned(libc::CMSG_DATA(header).cast(), data);
    }
    space
}
