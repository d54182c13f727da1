//! What the checks say about a packet, with the texts to log.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Counter, Stamp, TrailerDefect};

/// Result of [`super::validate`]: remarks first, then whether the advert takes part in the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub(super) remarks: Remarks,
    /// The advert, or why it has no effect.
    pub outcome: Result<Accepted, Rejected>,
}

/// At most one notice of each sort, and the number of the authentication header or trailer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    pub(super) interval: Option<Notice>,
    pub(super) checksum: Option<Notice>,
    pub(super) addresses: Option<Notice>,
    pub(super) skew: Option<Notice>,
    pub(super) sequence: Option<u32>,
    pub(super) stamp: Option<Stamp>,
}

impl Verdict {
    /// The number of a right authentication header, whatever else is wrong: the last one heard.
    pub fn sequence(&self) -> Option<u32> {
        self.remarks.sequence
    }

    /// The stamp of a right authentication trailer, whatever else is wrong: the sender's latest.
    pub fn stamp(&self) -> Option<Stamp> {
        self.remarks.stamp
    }

    /// What to log although it does not decide anything, in order.
    pub fn notices(&self) -> impl Iterator<Item = &Notice> {
        let remarks = &self.remarks;
        [&remarks.skew, &remarks.interval, &remarks.checksum, &remarks.addresses]
            .into_iter()
            .flatten()
    }
}

/// An advert for the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its priority.
    pub priority: u8,
    /// Interval of its sender.
    pub interval: Duration,
    /// Who sent it.
    pub source: IpAddr,
    /// The list is ours, or was not compared.
    pub addresses_match: bool,
    /// v3: the interval is not ours.
    pub interval_mismatch: bool,
    /// It verifies with the old unicast checksum only: use that form from now on.
    pub switch_to_old_checksum: bool,
}

/// Something to log, once for each kind, about a packet that is used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// v3: the sender's interval differs; both in centiseconds.
    Interval {
        /// Ours.
        ours: u16,
        /// The sender's.
        theirs: u16,
    },
    /// The instance changes to the old unicast checksum.
    OldChecksum,
    /// The address list differs.
    Addresses(AddressNotice),
    /// The sender's clock differs from ours by more than half of what is allowed; both in seconds.
    Skew {
        /// Sender.
        source: IpAddr,
        /// Between the clocks.
        skew: u32,
        /// Allowed.
        window: u32,
    },
}

/// How an address list differs from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressNotice {
    /// In its length.
    Count {
        /// Our number.
        expected: u8,
        /// Theirs.
        received: u8,
    },
    /// One of ours is not in it.
    Missing {
        /// VRID.
        vrid: u8,
        /// Who sent it.
        source: IpAddr,
        /// The absent address.
        address: IpAddr,
    },
}

impl Notice {
    /// What it counts as.
    pub fn counter(&self) -> Option<Counter> {
        match self {
            Notice::Addresses(_) => Some(Counter::AddrListErr),
            Notice::Interval { .. } | Notice::OldChecksum | Notice::Skew { .. } => None,
        }
    }

    /// Number from 32 to 63 for the rate limit of one line for each kind; those of [`Rejected`] are below.
    pub fn kind(&self) -> u8 {
        match self {
            Notice::Interval { .. } => 32,
            Notice::OldChecksum => 33,
            Notice::Addresses(AddressNotice::Count { .. }) => 34,
            Notice::Addresses(AddressNotice::Missing { .. }) => 35,
            Notice::Skew { .. } => 36,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Interval { ours, theirs } => write!(
                f,
                "advertisement interval mismatch ours = {ours} centi-sec rcv'd={theirs} centi-sec"
            ),
            Notice::Skew { source, skew, window } => write!(
                f,
                "authentication clock skew {skew} sec from {source} approaching window {window} sec"
            ),
            Notice::OldChecksum => f.write_str("Setting unicast VRRPv3 checksum to old version"),
            Notice::Addresses(AddressNotice::Count { expected, received }) => {
                write!(f, "expected {expected} VIPs but received {received}")
            }
            Notice::Addresses(AddressNotice::Missing { vrid, source, address }) => write!(
                f,
                "ip address associated with VRID {vrid} not present in advert from {source}: {address}"
            ),
        }
    }
}

/// Why an advert has no effect on the election. In the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// An authentication header although the instance does not use it.
    UnexpectedAh {
        /// Sender.
        source: IpAddr,
    },
    /// No authentication header although the instance uses it.
    MissingAh {
        /// Sender.
        source: IpAddr,
    },
    /// Length does not follow from version and count.
    Length {
        /// Sender.
        source: IpAddr,
        /// Bytes received.
        received: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// Multicast: crossed a router.
    HopLimit {
        /// Sender.
        source: IpAddr,
        /// TTL or hop limit on arrival.
        received: u8,
    },
    /// Another version than ours.
    Version {
        /// Sender.
        source: IpAddr,
        /// Theirs.
        received: u8,
        /// Ours.
        expected: u8,
    },
    /// `auth_hmac`: no trailer although one must be there.
    MissingTrailer {
        /// Sender.
        source: IpAddr,
    },
    /// `auth_hmac`: a trailer from somebody who is no peer.
    SignedByStranger {
        /// Sender.
        source: IpAddr,
    },
    /// `auth_hmac`: the trailer is wrong.
    Trailer {
        /// Sender.
        source: IpAddr,
        /// What is wrong with it.
        defect: TrailerDefect,
    },
    /// v2: no such authentication type.
    UnknownAuthType {
        /// Sender.
        source: IpAddr,
        /// Theirs.
        received: u8,
    },
    /// v2: another authentication type than ours.
    AuthType {
        /// Sender.
        source: IpAddr,
        /// Theirs.
        received: u8,
        /// Ours.
        expected: u8,
    },
    /// v2: wrong password.
    Password {
        /// Sender.
        source: IpAddr,
    },
    /// AH: something else than VRRP follows the authentication header.
    AhProtocol {
        /// Sender.
        source: IpAddr,
        /// What the header says follows.
        protocol: u8,
    },
    /// AH: the integrity check value was not made with our password.
    AhSignature {
        /// Sender.
        source: IpAddr,
    },
    /// AH: the security parameter index is not the sender's address.
    AhSpi {
        /// Sender.
        source: IpAddr,
        /// What stands there.
        spi: Ipv4Addr,
    },
    /// AH: the number is not above the last one sent or heard.
    AhReplay {
        /// Sender.
        source: IpAddr,
        /// Theirs.
        received: u32,
        /// The last one.
        last: u32,
    },
    /// v2: another interval than ours; both in seconds.
    Interval {
        /// Sender.
        source: IpAddr,
        /// Ours.
        ours: u64,
        /// Theirs.
        received: u16,
    },
    /// Not an advert.
    PacketType {
        /// Sender.
        source: IpAddr,
        /// Theirs.
        received: u8,
    },
    /// The IPv4 header claims another length than was received.
    ClaimedLength {
        /// Sender.
        source: IpAddr,
        /// Bytes the header claims.
        claimed: u16,
        /// Bytes received.
        received: usize,
    },
    /// Wrong checksum.
    Checksum {
        /// Sender.
        source: IpAddr,
        /// Version, 2 or 3.
        version: u8,
    },
    /// Multicast to a unicast instance or the reverse.
    Destination {
        /// Sender.
        source: IpAddr,
        /// The instance uses multicast.
        multicast_expected: bool,
    },
    /// We own the addresses and listen to nobody.
    Owner {
        /// Sender.
        source: IpAddr,
    },
    /// Not from a configured peer.
    NotAPeer {
        /// Sender.
        source: IpAddr,
    },
    /// Outside the peer's range of TTL or hop limit.
    PeerHopLimit {
        /// Sender.
        source: IpAddr,
        /// On arrival.
        received: u8,
        /// Smallest allowed.
        min: u8,
        /// Largest allowed.
        max: u8,
    },
}

impl Rejected {
    /// What it counts as.
    pub fn counter(&self) -> Option<Counter> {
        match self {
            Rejected::UnexpectedAh { .. }
            | Rejected::MissingAh { .. }
            | Rejected::AuthType { .. } => Some(Counter::AuthtypeMismatch),
            Rejected::Length { .. } | Rejected::ClaimedLength { .. } => Some(Counter::PacketLenErr),
            Rejected::HopLimit { .. } | Rejected::PeerHopLimit { .. } => Some(Counter::IpTtlErr),
            Rejected::Version { .. } => Some(Counter::VersErr),
            Rejected::UnknownAuthType { .. } => Some(Counter::InvalidAuthtype),
            Rejected::Password { .. }
            | Rejected::AhSignature { .. }
            | Rejected::AhSpi { .. }
            | Rejected::AhReplay { .. } => Some(Counter::AuthFailure),
            Rejected::PacketType { .. } => Some(Counter::InvalidTypeRcvd),
            Rejected::Checksum { .. } => Some(Counter::ChkErr),
            Rejected::Destination { .. } => Some(Counter::AddrListErr),
            Rejected::MissingTrailer { .. } => Some(Counter::AuthExtMissing),
            Rejected::Trailer { defect, .. } => Some(match defect {
                TrailerDefect::Malformed => Counter::AuthExtMalformed,
                TrailerDefect::Stale { .. } => Counter::AuthExtStale,
                TrailerDefect::UnknownKey(_) => Counter::AuthExtUnknownKey,
                TrailerDefect::InvalidHmac => Counter::AuthExtInvalidHmac,
                TrailerDefect::Replayed => Counter::AuthExtReplay,
            }),
            Rejected::AhProtocol { .. }
            | Rejected::SignedByStranger { .. }
            | Rejected::Interval { .. }
            | Rejected::Owner { .. }
            | Rejected::NotAPeer { .. } => None,
        }
    }

    /// Number below 32 for the rate limit of one line for each kind.
    pub fn kind(&self) -> u8 {
        match self {
            Rejected::UnexpectedAh { .. } => 0,
            Rejected::Length { .. } => 1,
            Rejected::HopLimit { .. } => 2,
            Rejected::Version { .. } => 3,
            Rejected::UnknownAuthType { .. } => 4,
            Rejected::AuthType { .. } => 5,
            Rejected::Password { .. } => 6,
            Rejected::Interval { .. } => 7,
            Rejected::PacketType { .. } => 8,
            Rejected::ClaimedLength { .. } => 9,
            Rejected::Checksum { .. } => 10,
            Rejected::Destination { .. } => 11,
            Rejected::Owner { .. } => 12,
            Rejected::NotAPeer { .. } => 13,
            Rejected::PeerHopLimit { .. } => 14,
            Rejected::MissingAh { .. } => 15,
            Rejected::AhProtocol { .. } => 16,
            Rejected::AhSignature { .. } => 17,
            Rejected::AhSpi { .. } => 18,
            Rejected::AhReplay { .. } => 19,
            Rejected::MissingTrailer { .. } => 20,
            Rejected::SignedByStranger { .. } => 21,
            Rejected::Trailer { defect, .. } => match defect {
                TrailerDefect::Malformed => 22,
                TrailerDefect::Stale { .. } => 23,
                TrailerDefect::UnknownKey(_) => 24,
                TrailerDefect::InvalidHmac => 25,
                TrailerDefect::Replayed => 26,
            },
        }
    }

    /// Whether the packet itself was right, so that it counts as received.
    pub fn after_receipt(&self) -> bool {
        matches!(self, Rejected::NotAPeer { .. } | Rejected::PeerHopLimit { .. })
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Rejected::UnexpectedAh { source } => {
                write!(f, "Received AH header but auth type not AH from {source}")
            }
            Rejected::MissingAh { source } => {
                write!(f, "No AH header but auth type is AH from {source}")
            }
            Rejected::AhProtocol { source, protocol } => {
                write!(f, "IPSEC-AH : protocol {protocol} from {source} and expect 112")
            }
            Rejected::AhSignature { source } => write!(
                f,
                "IPSEC-AH : invalid IPSEC HMAC-MD5 value from {source}. Due to fields mutation or bad password !"
            ),
            Rejected::AhSpi { source, spi } => {
                write!(
                    f,
                    "IPSEC AH : invalid IPSEC SPI value from {source}. {spi} and expect {source}"
                )
            }
            Rejected::AhReplay { source, received, last } => write!(
                f,
                "IPSEC-AH : sequence number {received} from {source} already processed. Packet dropped. Local({last})"
            ),
            Rejected::Length { source, received, expected } => {
                let how = if received > expected { "long" } else { "short" };
                write!(
                    f,
                    "vrrp packet from {source} too {how}, length {received} and expect {expected}"
                )
            }
            Rejected::HopLimit { source, received } => {
                write!(f, "invalid TTL/HL from {source}. Received {received} and expect 255")
            }
            Rejected::Version { source, received, expected } => write!(
                f,
                "wrong VRRP version from {source}. Received {received} and expect {expected}"
            ),
            Rejected::UnknownAuthType { source, received } => {
                write!(f, "Invalid auth type from {source}: {received}")
            }
            Rejected::AuthType { source, received, expected } => {
                write!(f, "received a {received} auth from {source}, expecting {expected}!")
            }
            Rejected::Password { source } => {
                write!(f, "received an invalid passwd from {source}!")
            }
            Rejected::Interval { source, ours, received } => write!(
                f,
                "advertisement interval mismatch with {source} mine={ours} sec rcv'd={received} sec"
            ),
            Rejected::PacketType { source, received } => {
                write!(f, "Invalid packet type from {source}. {received} and expect 1")
            }
            Rejected::ClaimedLength { source, claimed, received } => write!(
                f,
                "ip_tot_len mismatch against received length from {source}. {claimed} and received {received}"
            ),
            Rejected::Checksum { source, version } => {
                write!(f, "Invalid VRRPv{version} checksum from {source}")
            }
            Rejected::Destination { source, multicast_expected } => {
                let (ours, theirs) =
                    if multicast_expected { ("multi", "uni") } else { ("uni", "multi") };
                write!(
                    f,
                    "Expected {ours}cast packet but received {theirs}cast packet from {source}"
                )
            }
            Rejected::Owner { source } => {
                write!(f, "Dropping packet(s) from {source} since we are address owner")
            }
            Rejected::MissingTrailer { source } => {
                write!(f, "missing authentication trailer from {source}")
            }
            Rejected::Trailer { source, defect } => match defect {
                TrailerDefect::Malformed => {
                    write!(f, "malformed authentication trailer from {source}")
                }
                TrailerDefect::Stale { skew, window } => write!(
                    f,
                    "stale authentication trailer from {source}, clock skew {skew} sec exceeds window {window} sec"
                ),
                TrailerDefect::UnknownKey(id) => {
                    write!(f, "unknown authentication key id {id} from {source}")
                }
                TrailerDefect::InvalidHmac => {
                    write!(f, "invalid authentication HMAC from {source}")
                }
                TrailerDefect::Replayed => {
                    write!(f, "replayed authentication trailer from {source}")
                }
            },
            Rejected::NotAPeer { source } | Rejected::SignedByStranger { source } => {
                write!(f, "unicast source address {source} not a unicast peer")
            }
            Rejected::PeerHopLimit { source, received, min, max } => {
                write!(f, "TTL/HL {received} from {source} not in range [{min}, {max}]")
            }
        }
    }
}
