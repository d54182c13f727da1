//! VRRP adverts as bytes: building them, reading them, judging them. No I/O happens here.
//!
//! [`Template`] is the sending side: a packet built once and patched before each send, so that sending
//! allocates nothing. [`Packet`] and [`validate`] are the receiving side: the checks run in the documented
//! order, each failure is one variant of [`Rejected`] with the text to log, and [`Stats::record`] counts the
//! verdict. Bytes from outside never panic and nothing is allocated for them.
//!
//! Wire formats: RFC 3768 section 5.1 (v2), RFC 9568 section 5.1 (v3).

mod address_set;
mod ah;
pub mod checksum;
mod emit;
mod parse;
mod settings;
mod stats;
mod trailer;
mod validate;
mod verdict;

pub use address_set::AddressSet;
pub use ah::Sequence;
pub use emit::{AdvertSpec, ChecksumForm, EmitError, Template, emit};
pub use parse::{Advert, Packet, TooShort};
pub use stats::{Counter, Stats};
pub use trailer::{HmacCheck, Stamp, Stamps, TrailerDefect};
pub use validate::{ChecksumPolicy, Expect, validate};
pub use verdict::{Accepted, AddressNotice, Notice, Rejected, Verdict};

use crate::config::{Family, Version};

/// IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;
/// IP protocol number of the authentication header.
pub const PROTOCOL_AH: u8 = 51;
/// TTL or hop limit of every multicast advert; anything less has crossed a router.
pub const ADVERT_TTL: u8 = 255;
/// Traffic class of every advert: precedence "internetwork control".
pub const ADVERT_TOS: u8 = 0xc0;

/// Bytes before the addresses.
pub(crate) const HEADER_LEN: usize = 8;
/// Authentication data after the addresses of a v2 IPv4 advert.
pub(crate) const AUTH_LEN: usize = 8;
/// IPv4 header without options.
pub(crate) const IPV4_LEN: usize = 20;
/// Authentication header with a 12-byte integrity value.
pub(crate) const AH_LEN: usize = 24;
/// Authentication trailer behind an advert.
pub(crate) const TRAILER_LEN: usize = 28;
/// Where the checksum lies in the VRRP header.
pub(crate) const CHECKSUM_OFFSET: usize = 6;
/// The only packet type there is.
pub(crate) const TYPE_ADVERT: u8 = 1;
/// Most addresses an advert can carry.
pub const MAX_ADDRESSES: usize = 255;

impl Version {
    /// The number in the packet.
    pub fn number(self) -> u8 {
        match self {
            Version::V2 => 2,
            Version::V3 => 3,
        }
    }
}

impl Family {
    /// Bytes of one address.
    pub fn address_len(self) -> usize {
        match self {
            Family::V4 => 4,
            Family::V6 => 16,
        }
    }

    /// The family of an address.
    pub fn of(address: std::net::IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// Bytes of a VRRP payload that says `version` and carries `count` addresses.
pub fn payload_len(version: u8, family: Family, count: usize) -> usize {
    let auth = if version == 2 && family == Family::V4 { AUTH_LEN } else { 0 };
    HEADER_LEN + count * family.address_len() + auth
}

#[cfg(test)]
mod tests;
