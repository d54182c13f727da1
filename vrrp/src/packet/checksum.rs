//! One's-complement checksums: with the IPv4 pseudo-header, with the IPv6 one, without any, and incremental.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::checksum::Sum16BitWords;

use super::PROTOCOL;

/// Checksum of `payload` alone; the field inside it must be zero. Zero if it is filled in and right.
pub fn plain(payload: &[u8]) -> u16 {
    finish(Sum16BitWords::new().add_slice(payload))
}

/// Checksum of `payload` behind the IPv4 pseudo-header; as [`plain`] otherwise.
pub fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> u16 {
    let mut sum = Sum16BitWords::new();
    sum = sum.add_4bytes(source.octets());
    sum = sum.add_4bytes(destination.octets());
    finish(sum.add_2bytes([0, PROTOCOL]).add_2bytes(length16(payload)).add_slice(payload))
}

/// Checksum of `payload` behind the IPv6 pseudo-header with next header `protocol`; as [`plain`] otherwise.
pub fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, payload: &[u8]) -> u16 {
    let mut sum = Sum16BitWords::new();
    sum = sum.add_16bytes(source.octets());
    sum = sum.add_16bytes(destination.octets());
    finish(sum.add_2bytes(length16(payload)).add_2bytes([0, protocol]).add_slice(payload))
}

/// `checksum` after one 16-bit word under it changed (RFC 1624, equation 3).
pub fn patched(checksum: u16, old: u16, new: u16) -> u16 {
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

/// The result in the order of the wire.
fn finish(sum: Sum16BitWords) -> u16 {
    // The library sums native words and returns the bytes as they lie in memory.
    u16::from_be(sum.ones_complement())
}

/// Payloads are datagrams, so the length always fits.
fn length16(payload: &[u8]) -> [u8; 2] {
    (payload.len() as u16).to_be_bytes()
}
