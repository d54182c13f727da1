//! Messages and attributes into bytes.

use std::net::IpAddr;

use super::{ATTRIBUTE_HEADER, MESSAGE_HEADER, aligned};

/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// A message that has an attribute of more than 65,535 bytes, or more than 4 GiB in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Appends messages to a growing buffer.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Writer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// What has been written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what has been written and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Appends one message whose payload `body` writes.
    ///
    /// # Errors
    /// [`TooLong`] when a length does not fit its field; nothing is appended then.
    pub fn message(
        &mut self,
        kind: u16,
        flags: u16,
        seq: u32,
        body: impl FnOnce(&mut Writer),
    ) -> Result<(), TooLong> {
        let start = self.bytes.len();
        self.too_long = false;
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&seq.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        debug_assert_eq!(self.bytes.len() - start, MESSAGE_HEADER);
        body(self);
        let len = u32::try_from(self.bytes.len() - start);
        match (len, self.bytes.get_mut(start..start + 4)) {
            (Ok(len), Some(field)) if !self.too_long => field.copy_from_slice(&len.to_ne_bytes()),
            _ => {
                self.bytes.truncate(start);
                return Err(TooLong);
            }
        }
        self.pad();
        Ok(())
    }

    /// Appends bytes as they are: the fixed header of a message family.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends an attribute.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest_as(kind, |w| w.raw(value));
    }

    /// Appends an attribute of one byte.
    pub fn u8(&mut self, kind: u16, value: u8) {
        self.attribute(kind, &[value]);
    }

    /// Appends an attribute of four bytes.
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    /// Appends a text with its terminating NUL.
    pub fn text(&mut self, kind: u16, value: &str) {
        self.nest_as(kind, |w| {
            w.raw(value.as_bytes());
            w.raw(&[0]);
        });
    }

    /// Appends an address, 4 or 16 bytes.
    pub fn ip(&mut self, kind: u16, value: IpAddr) {
        match value {
            IpAddr::V4(ip) => self.attribute(kind, &ip.octets()),
            IpAddr::V6(ip) => self.attribute(kind, &ip.octets()),
        }
    }

    /// Appends an attribute that holds the attributes `body` writes.
    pub fn nest(&mut self, kind: u16, body: impl FnOnce(&mut Writer)) {
        self.nest_as(kind | NESTED, body);
    }

    fn nest_as(&mut self, kind: u16, body: impl FnOnce(&mut Writer)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        debug_assert_eq!(self.bytes.len() - start, ATTRIBUTE_HEADER);
        body(self);
        let len = u16::try_from(self.bytes.len() - start);
        match (len, self.bytes.get_mut(start..start + 2)) {
            (Ok(len), Some(field)) => field.copy_from_slice(&len.to_ne_bytes()),
            _ => self.too_long = true,
        }
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(aligned(self.bytes.len()), 0);
    }
}
