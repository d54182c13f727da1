//! The authentication header (RFC 2402) between the IPv4 header and an advert of version 2, with HMAC-MD5-96 (RFC 2403).
//!
//! The C daemon uses it without security associations: the key is `auth_pass`, the security parameter index is the
//! sender's address, and one counter numbers the adverts of all routers of a virtual router: each goes on from
//! the highest number it sent or heard, and what is not above that is a replay.

use std::net::{IpAddr, Ipv4Addr};

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use subtle::ConstantTimeEq;

use super::{AH_LEN, PROTOCOL};

/// Where the integrity check value begins in the header.
const ICV_START: usize = 12;
/// Bytes of the integrity check value: the first of the 16 that the hash has.
const ICV_LEN: usize = AH_LEN - ICV_START;
/// The header's length field: its 32-bit words less two.
const LENGTH_FIELD: u8 = (AH_LEN / 4 - 2) as u8;

/// What the key signs of a packet with an authentication header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// The IPv4 header, with options if it has any.
    ip: &'a [u8],
    /// The authentication header.
    header: &'a [u8; AH_LEN],
    /// What follows it.
    payload: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Takes apart a packet whose IPv4 header has `ip_len` bytes; `None` when it is too short.
    pub(super) fn of(packet: &'a [u8], ip_len: usize) -> Option<Self> {
        let (ip, rest) = packet.split_at_checked(ip_len)?;
        let (header, payload) = rest.split_first_chunk()?;
        Some(Signed { ip, header, payload })
    }

    /// The protocol that follows.
    pub(super) fn next_header(&self) -> u8 {
        self.header[0]
    }

    /// The security parameter index: the sender's address.
    pub(super) fn spi(&self) -> Ipv4Addr {
        let [_, _, _, _, a, b, c, d, ..] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// The advert's number.
    pub(super) fn sequence(&self) -> u32 {
        let [_, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.header;
        u32::from_be_bytes([a, b, c, d])
    }

    /// Whether it was signed with this key. Takes the same time whatever is wrong.
    pub(super) fn is_signed_with(&self, key: &[u8; 8]) -> bool {
        self.header[ICV_START..].ct_eq(&self.icv(key)).into()
    }

    /// The integrity check value. What routers may change counts as zero: type of service, flags and offset,
    /// checksum, and the time to live, though that only of unicast; and the value itself.
    pub(super) fn icv(&self, key: &[u8; 8]) -> [u8; ICV_LEN] {
        let mut ip = [0; 60];
        let ip = &mut ip[..self.ip.len().min(60)];
        ip.copy_from_slice(&self.ip[..ip.len()]);
        let multicast =
            ip.get(16).is_some_and(|first| Ipv4Addr::new(*first, 0, 0, 0).is_multicast());
        let time_to_live = (!multicast).then_some(8);
        for at in [1, 6, 7, 10, 11].into_iter().chain(time_to_live) {
            if let Some(byte) = ip.get_mut(at) {
                *byte = 0;
            }
        }
        let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else {
            // HMAC takes keys of any length.
            return [0; ICV_LEN];
        };
        mac.update(ip);
        mac.update(&self.header[..ICV_START]);
        mac.update(&[0; ICV_LEN]);
        mac.update(self.payload);
        let hash = mac.finalize().into_bytes();
        hash.first_chunk().copied().unwrap_or([0; ICV_LEN])
    }
}

/// Numbers and signs a packet whose IPv4 header has `ip_len` bytes and is complete but for its checksum; one that is too
/// short stays as it is.
pub(super) fn sign(packet: &mut [u8], ip_len: usize, key: &[u8; 8], sequence: Sequence) {
    let Some(source) = packet.get(12..).and_then(|rest| rest.first_chunk::<4>()).copied() else {
        return;
    };
    let mut header = [0; AH_LEN];
    header[0] = PROTOCOL;
    header[1] = LENGTH_FIELD;
    header[4..8].copy_from_slice(&source);
    header[8..ICV_START].copy_from_slice(&sequence.last().to_be_bytes());
    let Some(signed) = Signed::of(packet, ip_len) else { return };
    let icv = Signed { header: &header, ..signed }.icv(key);
    header[ICV_START..].copy_from_slice(&icv);
    if let Some(place) = packet.get_mut(ip_len..ip_len + AH_LEN) {
        place.copy_from_slice(&header);
    }
}

/// The number of the last advert that was sent or heard; those to come are above it.
///
/// At one advert a second it lasts for 136 years. Then it begins anew, and who heard the last one has to be
/// started again, as with the C daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    last: u32,
    /// Numbers that the next advert leaves out.
    skip: u32,
}

impl Sequence {
    /// The number itself; 0 before the first.
    pub fn last(self) -> u32 {
        self.last
    }

    /// Goes on to the number of the next advert to send.
    pub fn advance(&mut self) {
        self.last = self.last.wrapping_add(1 + self.skip);
        self.skip = 0;
    }

    /// An advert with this number had the right key. Anybody's next one is above it.
    pub fn heard(&mut self, sequence: u32) {
        self.last = sequence;
    }

    /// A MASTER refused another MASTER's advert because of its number. Two that send at the same moments, with the same
    /// numbers, would refuse each other for ever: ours skips some, and of two that do the one with the lower
    /// address skips more. Once for each own advert, so that a stream of replays does not use the numbers up.
    pub fn refused(&mut self, own: IpAddr, other: IpAddr) {
        self.skip = if own > other { 1 } else { 2 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_md5_is_that_of_rfc_2202() {
        // Test case 2, with the key padded by zeroes as HMAC does itself.
        let mut mac = Hmac::<Md5>::new_from_slice(b"Jefe\0\0\0\0").unwrap();
        mac.update(b"what do ya want for nothing?");
        let expected = [0x75, 0x0c, 0x78, 0x3e, 0x6a, 0xb0, 0xb5, 0x03];
        assert_eq!(mac.finalize().into_bytes()[..8], expected);
    }

    #[test]
    fn numbers_go_on_from_the_last_one_sent_or_heard() {
        let mut sequence = Sequence::default();
        sequence.advance();
        assert_eq!(sequence.last(), 1);
        sequence.heard(40);
        sequence.advance();
        assert_eq!(sequence.last(), 41);
    }

    #[test]
    fn two_that_count_in_step_part() {
        let addresses: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        let mut both = [Sequence::default(); 2];
        both.iter_mut().for_each(|sequence| sequence.heard(9));
        for _ in 0..1000 {
            both[0].refused(addresses[0], addresses[1]);
            both[1].refused(addresses[1], addresses[0]);
        }
        both.iter_mut().for_each(Sequence::advance);
        assert_eq!(both.map(Sequence::last), [12, 11]);
        both.iter_mut().for_each(Sequence::advance);
        assert_eq!(both.map(Sequence::last), [13, 12]);
    }
}
