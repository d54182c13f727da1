//! The authentication trailer behind an advert (`auth_hmac`): 28 bytes, as keepalived 2.4.2 and later send them.
//!
//! ```text
//! type 1 | key id | reserved, 0 (16) | seconds (32) | 1/65536 of seconds (16) | counter (16) | HMAC (128)
//! ```
//!
//! The HMAC is the first half of HMAC-SHA256 (RFC 2104, FIPS 180-4) over a block that stands for the network layer (family
//! 4 or 6, version, VRID, 0, the source address padded to 16 bytes), the advert with a checksum of 0, and the
//! trailer with an HMAC of 0. It covers no destination, so that all peers get the same one.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::Mac;
use subtle::ConstantTimeEq;

use super::parse::Advert;
use super::{CHECKSUM_OFFSET, TRAILER_LEN};
use crate::config::{AntiReplay, HmacKey, HmacSettings};

/// The only type there is.
const TYPE: u8 = 1;
/// Where the HMAC begins.
const MAC_START: usize = 12;
/// Senders of multicast adverts that are remembered.
const MOST_SENDERS: usize = 4;

/// Number of a signed advert: UTC in seconds modulo 2^32, 1/65536 of seconds and a counter; each is later than the sender's
/// one before, in serial number arithmetic (RFC 1982).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(u64);

impl Stamp {
    /// That of a moment; those before 1970 are 0.
    pub fn of(now: SystemTime) -> Stamp {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let fraction = (u64::from(since.subsec_nanos()) << 16) / 1_000_000_000;
        Stamp(since.as_secs() << 32 | fraction << 16)
    }

    fn of_bytes(bytes: &[u8; 8]) -> Stamp {
        Stamp(u64::from_be_bytes(*bytes))
    }

    fn is_after(self, other: Stamp) -> bool {
        self != other && self.0.wrapping_sub(other.0) < 1 << 63
    }

    /// By how many seconds it is ahead of the other; negative when behind.
    fn ahead_of(self, other: Stamp) -> i32 {
        let seconds = |stamp: Stamp| (stamp.0 >> 32) as u32;
        seconds(self).wrapping_sub(seconds(other)).cast_signed()
    }
}

/// The stamps of one instance's adverts, sent and heard.
#[derive(Clone, Debug, Default)]
pub struct Stamps {
    sent: Option<Stamp>,
    /// The latest of each sender; who was heard last comes first.
    heard: Vec<(IpAddr, Stamp)>,
}

impl Stamps {
    /// The stamp of the next advert: the clock, or the last one and 1 where the clock has not gone on. A clock that was set
    /// back by more than the window is followed, as what we send would be stale.
    pub fn next(&mut self, now: Stamp, anti_replay: AntiReplay) -> Stamp {
        let stale = |last: Stamp| match anti_replay {
            AntiReplay::Time { window } => i64::from(last.ahead_of(now)) > i64::from(window),
            AntiReplay::Monotonic => false,
        };
        let next = match self.sent {
            Some(last) if !now.is_after(last) && !stale(last) => Stamp(last.0.wrapping_add(1)),
            _ => now,
        };
        self.sent = Some(next);
        next
    }

    /// How many senders an instance with this many unicast peers remembers: all of them, or four on a network.
    pub fn most_senders(peers: usize) -> usize {
        if peers == 0 { MOST_SENDERS } else { peers }
    }

    /// An advert of this sender was right. `most` senders are remembered, at least one; who was heard
    /// longest ago makes room.
    pub fn heard(&mut self, source: IpAddr, stamp: Stamp, most: usize) {
        let known = self.heard.iter().position(|(sender, _)| *sender == source);
        match known {
            Some(at) => self.heard[..=at].rotate_right(1),
            None => {
                self.heard.truncate(most.saturating_sub(1));
                self.heard.insert(0, (source, stamp));
            }
        }
        if let Some(first) = self.heard.first_mut() {
            *first = (source, stamp);
        }
    }

    /// The latest of a sender.
    pub(super) fn last_of(&self, source: IpAddr) -> Option<Stamp> {
        self.heard.iter().find(|(sender, _)| *sender == source).map(|(_, stamp)| *stamp)
    }
}

/// What trailers are judged by.
#[derive(Clone, Copy, Debug)]
pub struct HmacCheck<'a> {
    /// `auth_hmac` of the instance.
    pub settings: &'a HmacSettings,
    /// Those heard so far.
    pub stamps: &'a Stamps,
    /// Our clock.
    pub now: Stamp,
}

/// Why a trailer is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrailerDefect {
    /// Type or reserved bits.
    Malformed,
    /// The clocks differ by more than the window.
    Stale {
        /// Seconds between the clocks.
        skew: u32,
        /// Seconds allowed.
        window: u32,
    },
    /// No key has this id.
    UnknownKey(u8),
    /// Made with another key, or for another advert.
    InvalidHmac,
    /// Not later than the sender's last one.
    Replayed,
}

/// A trailer as received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trailer<'a>(pub(super) &'a [u8; TRAILER_LEN]);

impl Trailer<'_> {
    fn stamp(&self) -> Stamp {
        let [_, _, _, _, a, b, c, d, e, f, g, h, ..] = *self.0;
        Stamp::of_bytes(&[a, b, c, d, e, f, g, h])
    }

    /// The stamp of a trailer that is right for this advert and sender, and the seconds between the clocks where
    /// they count.
    pub(super) fn check(
        &self,
        advert: &Advert<'_>,
        source: IpAddr,
        check: &HmacCheck<'_>,
    ) -> Result<(Stamp, Option<u32>), TrailerDefect> {
        let [kind, id, reserved @ .., _, _, _, _, _, _, _, _] =
            self.0.first_chunk::<MAC_START>().copied().unwrap_or_default();
        if kind != TYPE || reserved != [0, 0] {
            return Err(TrailerDefect::Malformed);
        }
        let stamp = self.stamp();
        let skew = match check.settings.anti_replay {
            AntiReplay::Monotonic => None,
            AntiReplay::Time { window } => {
                let skew = stamp.ahead_of(check.now).unsigned_abs();
                if skew > window {
                    return Err(TrailerDefect::Stale { skew, window });
                }
                Some(skew)
            }
        };
        let key = check.settings.key(id).ok_or(TrailerDefect::UnknownKey(id))?;
        if !bool::from(self.0[MAC_START..].ct_eq(&mac(key, advert, source, self.0))) {
            return Err(TrailerDefect::InvalidHmac);
        }
        if check.stamps.last_of(source).is_some_and(|last| !stamp.is_after(last)) {
            return Err(TrailerDefect::Replayed);
        }
        Ok((stamp, skew))
    }
}

/// Fills in the trailer of an advert sent from `source`.
pub(super) fn sign(
    trailer: &mut [u8; TRAILER_LEN],
    advert: &Advert<'_>,
    source: IpAddr,
    key: &HmacKey,
    stamp: Stamp,
) {
    trailer[..4].copy_from_slice(&[TYPE, key.id, 0, 0]);
    trailer[4..MAC_START].copy_from_slice(&stamp.0.to_be_bytes());
    let mac = mac(key, advert, source, trailer);
    trailer[MAC_START..].copy_from_slice(&mac);
}

fn mac(
    key: &HmacKey,
    advert: &Advert<'_>,
    source: IpAddr,
    trailer: &[u8; TRAILER_LEN],
) -> [u8; TRAILER_LEN - MAC_START] {
    let mut network = [0; 20];
    network[1] = advert.version();
    network[2] = advert.vrid();
    match source {
        IpAddr::V4(address) => {
            network[0] = 4;
            network[4..8].copy_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            network[0] = 6;
            network[4..].copy_from_slice(&address.octets());
        }
    }
    let bytes = advert.expected_bytes();
    let (before, after) = bytes.split_at_checked(CHECKSUM_OFFSET).unwrap_or((bytes, &[]));
    let mut mac = key.mac();
    mac.update(&network);
    mac.update(before);
    mac.update(&[0; 2]);
    mac.update(after.get(2..).unwrap_or_default());
    mac.update(&trailer[..MAC_START]);
    mac.update(&[0; TRAILER_LEN - MAC_START]);
    let hash = mac.finalize().into_bytes();
    hash.first_chunk().copied().unwrap_or_default()
}
