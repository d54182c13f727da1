//! A received datagram and the advert in it, as views of the receive buffer.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use etherparse::Ipv4HeaderSlice;

use super::ah::Signed;
use super::trailer::Trailer;
use super::{AH_LEN, AUTH_LEN, HEADER_LEN, PROTOCOL_AH, payload_len};
use crate::config::Family;

/// A datagram that is long enough to name its virtual router; nothing else is known to be right.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub(super) advert: Advert<'a>,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) hop_limit: u8,
    /// The authentication header that precedes the advert, and all it protects.
    pub(super) ah: Option<Signed<'a>>,
    /// Bytes received, IPv4 header included.
    pub(super) len: usize,
    /// Bytes before the advert.
    pub(super) offset: usize,
    /// The total length an IPv4 header claims.
    pub(super) claimed_len: Option<u16>,
}

impl<'a> Packet<'a> {
    /// A datagram as an IPv4 raw socket delivers it, header included.
    pub fn ipv4(bytes: &'a [u8]) -> Result<Packet<'a>, TooShort> {
        let too_short = |ah| TooShort { family: Family::V4, ah, len: bytes.len() };
        let header = Ipv4HeaderSlice::from_slice(bytes).map_err(|_| too_short(false))?;
        let ah = header.protocol().0 == PROTOCOL_AH;
        let offset = header.slice().len() + if ah { AH_LEN } else { 0 };
        let advert = bytes
            .get(offset..)
            .and_then(|payload| Advert::parse(payload, Family::V4))
            .ok_or(too_short(ah))?;
        let ah = if ah { Signed::of(bytes, header.slice().len()) } else { None };
        Ok(Packet {
            advert,
            source: IpAddr::V4(header.source_addr()),
            destination: IpAddr::V4(header.destination_addr()),
            hop_limit: header.ttl(),
            ah,
            len: bytes.len(),
            offset,
            claimed_len: Some(header.total_len()),
        })
    }

    /// A datagram as an IPv6 raw socket delivers it: the payload, the rest beside it.
    /// `hop_limit` is zero when the kernel did not tell.
    pub fn ipv6(
        payload: &'a [u8],
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: u8,
    ) -> Result<Packet<'a>, TooShort> {
        let too_short = TooShort { family: Family::V6, ah: false, len: payload.len() };
        Ok(Packet {
            advert: Advert::parse(payload, Family::V6).ok_or(too_short)?,
            source: IpAddr::V6(source),
            destination: IpAddr::V6(destination),
            hop_limit,
            ah: None,
            len: payload.len(),
            offset: 0,
            claimed_len: None,
        })
    }

    /// The virtual router it is meant for; what the dispatcher looks up.
    pub fn vrid(&self) -> u8 {
        self.advert.vrid()
    }

    /// Who sent it.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// Where it was sent.
    pub fn destination(&self) -> IpAddr {
        self.destination
    }

    /// Whether it was sent to a group.
    pub fn is_multicast(&self) -> bool {
        self.destination.is_multicast()
    }

    /// TTL or hop limit on arrival.
    pub fn hop_limit(&self) -> u8 {
        self.hop_limit
    }

    /// The advert, not validated.
    pub fn advert(&self) -> Advert<'a> {
        self.advert
    }

    /// Family of the network layer.
    pub fn family(&self) -> Family {
        self.advert.family
    }
}

/// A datagram shorter than its headers and eight bytes of VRRP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort {
    /// Family of the socket.
    pub family: Family,
    /// Whether an authentication header was announced.
    pub ah: bool,
    /// Bytes received.
    pub len: usize,
}

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        let ah = if self.ah { " with AH" } else { "" };
        write!(f, "{family} VRRP packet{ah} too short - {} bytes", self.len)
    }
}

impl std::error::Error for TooShort {}

/// View of a VRRP payload of at least eight bytes. Fields are as received, checked by nobody.
#[derive(Clone, Copy, Debug)]
pub struct Advert<'a> {
    pub(super) family: Family,
    payload: &'a [u8],
    header: &'a [u8; HEADER_LEN],
    rest: &'a [u8],
}

impl<'a> Advert<'a> {
    /// The view, unless there are fewer than eight bytes.
    pub fn parse(payload: &'a [u8], family: Family) -> Option<Advert<'a>> {
        let (header, rest) = payload.split_first_chunk()?;
        Some(Advert { family, payload, header, rest })
    }

    /// Version number, 0-15.
    pub fn version(&self) -> u8 {
        self.header[0] >> 4
    }

    /// Packet type, 0-15; an advert says 1.
    pub fn packet_type(&self) -> u8 {
        self.header[0] & 0x0f
    }

    /// VRID.
    pub fn vrid(&self) -> u8 {
        self.header[1]
    }

    /// Priority; 0 when a master resigns.
    pub fn priority(&self) -> u8 {
        self.header[2]
    }

    /// How many addresses it says it carries.
    pub fn count(&self) -> u8 {
        self.header[3]
    }

    /// Authentication type; version 2 only.
    pub fn auth_type(&self) -> u8 {
        self.header[4]
    }

    /// Interval as the field's number: seconds (v2) or centiseconds (v3).
    pub fn raw_interval(&self) -> u16 {
        match self.version() {
            2 => u16::from(self.header[5]),
            _ => u16::from_be_bytes([self.header[4], self.header[5]]) & 0x0fff,
        }
    }

    /// Interval between the sender's adverts.
    pub fn interval(&self) -> Duration {
        match self.version() {
            2 => Duration::from_secs(u64::from(self.raw_interval())),
            _ => Duration::from_millis(10 * u64::from(self.raw_interval())),
        }
    }

    /// Checksum field.
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.header[6], self.header[7]])
    }

    /// Bytes a payload with this version and count has.
    pub fn expected_len(&self) -> usize {
        payload_len(self.version(), self.family, usize::from(self.count()))
    }

    /// The payload without whatever follows the expected length.
    pub(super) fn expected_bytes(&self) -> &'a [u8] {
        self.payload.get(..self.expected_len()).unwrap_or(self.payload)
    }

    /// What follows the expected length, if it is as long as an authentication trailer.
    pub(super) fn trailer(&self) -> Option<Trailer<'a>> {
        self.payload.get(self.expected_len()..)?.try_into().ok().map(Trailer)
    }

    /// The announced addresses as they lie in the packet; fewer if it is cut short.
    pub fn address_bytes(&self) -> &'a [u8] {
        let announced = usize::from(self.count()) * self.family.address_len();
        self.rest.get(..announced).unwrap_or(self.rest)
    }

    /// The announced addresses; fewer if the packet is cut short.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + 'a {
        let (family, bytes) = (self.family, self.address_bytes());
        (0..bytes.len() / family.address_len())
            .filter_map(move |position| address_at(bytes, family, position))
    }

    /// The eight authentication bytes of a v2 IPv4 advert.
    pub fn auth_data(&self) -> Option<&'a [u8; AUTH_LEN]> {
        if self.version() != 2 || self.family != Family::V4 {
            return None;
        }
        self.rest.get(usize::from(self.count()) * 4..)?.first_chunk()
    }
}

/// The address at a position of a packed list.
pub(super) fn address_at(wire: &[u8], family: Family, position: usize) -> Option<IpAddr> {
    match family {
        Family::V4 => {
            let octets: [u8; 4] = *wire.get(position * 4..)?.first_chunk()?;
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        }
        Family::V6 => {
            let octets: [u8; 16] = *wire.get(position * 16..)?.first_chunk()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
    }
}
