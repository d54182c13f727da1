//! Messages out of a datagram, attributes out of a message.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ATTRIBUTE_HEADER, MESSAGE_HEADER, aligned};

/// Nested and byte-order bits of an attribute's type (`NLA_TYPE_MASK` inverted).
const TYPE_MASK: u16 = 0x3fff;

/// One message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub seq: u32,
    /// `nlmsg_pid`: the port of the socket that caused the message, 0 for the kernel itself.
    pub port: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// Iterates over the messages of one datagram; stops at the first one that does not fit.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Reads `datagram`.
    pub fn new(datagram: &'a [u8]) -> Self {
        Messages { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let header = self.rest.get(..MESSAGE_HEADER)?;
        let len = usize::try_from(u32_at(header, 0)?).ok()?;
        let payload = self.rest.get(MESSAGE_HEADER..len)?;
        let message = Message {
            kind: u16_at(header, 4)?,
            flags: u16_at(header, 6)?,
            seq: u32_at(header, 8)?,
            port: u32_at(header, 12)?,
            payload,
        };
        self.rest = self.rest.get(aligned(len)..).unwrap_or_default();
        Some(message)
    }
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// `nla_type` without its two flag bits.
    pub kind: u16,
    /// The attribute's bytes without padding.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The first byte.
    pub fn u8(&self) -> Option<u8> {
        self.value.first().copied()
    }

    /// The first two bytes.
    pub fn u16(&self) -> Option<u16> {
        u16_at(self.value, 0)
    }

    /// The first four bytes.
    pub fn u32(&self) -> Option<u32> {
        u32_at(self.value, 0)
    }

    /// The text up to the first NUL; bytes that are not UTF-8 become replacement characters.
    pub fn text(&self) -> String {
        let end = self.value.iter().position(|&b| b == 0).unwrap_or(self.value.len());
        String::from_utf8_lossy(self.value.get(..end).unwrap_or_default()).into_owned()
    }

    /// An address of the given family (`AF_INET` or `AF_INET6`).
    pub fn ip(&self, family: u8) -> Option<IpAddr> {
        match i32::from(family) {
            libc::AF_INET => {
                let octets: [u8; 4] = self.value.get(..4)?.try_into().ok()?;
                Some(Ipv4Addr::from(octets).into())
            }
            libc::AF_INET6 => {
                let octets: [u8; 16] = self.value.get(..16)?.try_into().ok()?;
                Some(Ipv6Addr::from(octets).into())
            }
            _ => None,
        }
    }

    /// The attributes inside this one.
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.value)
    }
}

/// Iterates over attributes; stops at the first one that does not fit.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Reads `bytes`, which start with an attribute header.
    pub fn new(bytes: &'a [u8]) -> Self {
        Attributes { rest: bytes }
    }

    /// Reads the attributes that follow a fixed header of `header` bytes.
    pub fn after(payload: &'a [u8], header: usize) -> Self {
        Attributes { rest: payload.get(aligned(header)..).unwrap_or_default() }
    }

    /// The first attribute of this type.
    pub fn find_kind(mut self, kind: u16) -> Option<Attribute<'a>> {
        self.find(|a| a.kind == kind)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let len = usize::from(u16_at(self.rest, 0)?);
        let kind = u16_at(self.rest, 2)? & TYPE_MASK;
        let value = self.rest.get(ATTRIBUTE_HEADER..len)?;
        self.rest = self.rest.get(aligned(len)..).unwrap_or_default();
        Some(Attribute { kind, value })
    }
}

/// Two bytes at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let end = offset.checked_add(2)?;
    bytes.get(offset..end)?.try_into().ok().map(u16::from_ne_bytes)
}

/// Four bytes at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let end = offset.checked_add(4)?;
    bytes.get(offset..end)?.try_into().ok().map(u32::from_ne_bytes)
}
