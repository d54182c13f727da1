//! The checks on a received advert, in their documented order. The first that fails decides, except that a
//! v3 interval and an address list unlike ours are only remarked.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use subtle::ConstantTimeEq;

use super::verdict::Remarks;
use super::{
    ADVERT_TTL, Accepted, AddressNotice, AddressSet, HmacCheck, Notice, PROTOCOL, Packet, Rejected,
    Sequence, Stamp, TRAILER_LEN, TYPE_ADVERT, Verdict, checksum,
};
use crate::config::{AntiReplay, Authentication, HmacMode, Peer, Version};

/// Payload of the shortest Ethernet frame; shorter packets may arrive padded to it.
const MIN_ETHERNET_PAYLOAD: usize = 46;

/// What an instance expects of an advert.
#[derive(Clone, Debug)]
pub struct Expect<'a> {
    /// Our version.
    pub version: Version,
    /// Our interval between adverts.
    pub interval: Duration,
    /// v2: what authenticates an advert.
    pub authentication: Authentication,
    /// The highest number of an authentication header so far.
    pub sequence: Sequence,
    /// `auth_hmac`.
    pub hmac: Option<HmacCheck<'a>>,
    /// Empty: the instance uses multicast.
    pub peers: &'a [Peer],
    /// Unicast: adverts must come from a peer and with its TTL.
    pub check_source: bool,
    /// The addresses we advertise.
    pub addresses: &'a AddressSet,
    /// This sender's list is not compared with ours: the recorded master, in BACKUP, with `skip_check_adv_addr`.
    pub skip_addresses_of: Option<IpAddr>,
    /// v3 IPv4.
    pub checksum: ChecksumPolicy,
    /// We own the addresses and listen to nobody (`owner_ignore_adverts` with effective priority 255).
    pub ignore_adverts: bool,
}

/// Which checksums of v3 IPv4 adverts are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumPolicy {
    /// Any (`v3_checksum_as_v2`).
    Any,
    /// The standard's.
    Standard,
    /// The standard's; if only the old form with this group fits, the instance changes to it.
    Undecided(Ipv4Addr),
    /// The old form with this group only.
    Old(Ipv4Addr),
}

/// Judges a packet for an instance whose VRID it carries. Allocates nothing.
pub fn validate(packet: &Packet<'_>, expect: &Expect<'_>) -> Verdict {
    let mut remarks = Remarks::default();
    let outcome = judge(packet, expect, &mut remarks);
    Verdict { remarks, outcome }
}

fn judge(
    packet: &Packet<'_>,
    expect: &Expect<'_>,
    remarks: &mut Remarks,
) -> Result<Accepted, Rejected> {
    check_network_layer(packet, expect)?;
    remarks.stamp = check_trailer(packet, expect, &mut remarks.skew)?;
    remarks.sequence = check_version_2(packet, expect)?;
    check_version_2_interval(packet, expect)?;
    check_type(packet)?;
    remarks.interval = check_version_3_interval(packet, expect);
    let switch = check_checksum(packet, expect)?;
    check_destination(packet, expect)?;
    if expect.ignore_adverts {
        return Err(Rejected::Owner { source: packet.source });
    }
    remarks.addresses = compare_addresses(packet, expect).map(Notice::Addresses);
    check_peer(packet, expect)?;
    // Only a packet that is used may change how ours are sent.
    remarks.checksum = switch.then_some(Notice::OldChecksum);
    Ok(Accepted {
        priority: packet.advert.priority(),
        interval: packet.advert.interval(),
        source: packet.source,
        addresses_match: remarks.addresses.is_none(),
        interval_mismatch: remarks.interval.is_some(),
        switch_to_old_checksum: switch,
    })
}

/// Checks 1-4: authentication header, length, TTL, version.
fn check_network_layer(packet: &Packet<'_>, expect: &Expect<'_>) -> Result<(), Rejected> {
    let source = packet.source;
    match (packet.ah, expect.authentication) {
        (None, Authentication::Ah(_)) => return Err(Rejected::MissingAh { source }),
        (Some(_), Authentication::None | Authentication::Password(_)) => {
            return Err(Rejected::UnexpectedAh { source });
        }
        _ => {}
    }
    let expected = packet.offset + packet.advert.expected_len();
    let padded = expected < MIN_ETHERNET_PAYLOAD && is_padding(packet.len, expected);
    let signed = expect.hmac.is_some() && packet.len == expected + TRAILER_LEN;
    if packet.len != expected && !padded && !signed {
        return Err(Rejected::Length { source, received: packet.len, expected });
    }
    if expect.peers.is_empty() && packet.hop_limit != ADVERT_TTL {
        return Err(Rejected::HopLimit { source, received: packet.hop_limit });
    }
    let (received, expected) = (packet.advert.version(), expect.version.number());
    if received != expected {
        return Err(Rejected::Version { source, received, expected });
    }
    Ok(())
}

/// A surplus a padded Ethernet frame can have, with any number of VLAN tags taken out of it.
fn is_padding(received: usize, expected: usize) -> bool {
    received.checked_sub(expected).is_some_and(|surplus| surplus % 4 == 2)
}

/// Check 5: the stamp of a trailer that is right.
fn check_trailer(
    packet: &Packet<'_>,
    expect: &Expect<'_>,
    skew: &mut Option<Notice>,
) -> Result<Option<Stamp>, Rejected> {
    let source = packet.source;
    let Some(check) = &expect.hmac else { return Ok(None) };
    let Some(trailer) = packet.advert.trailer() else {
        return match check.settings.mode {
            HmacMode::Enforce => Err(Rejected::MissingTrailer { source }),
            HmacMode::Permissive | HmacMode::ReceiveOnly => Ok(None),
        };
    };
    // What was heard is remembered for each peer.
    if !expect.peers.is_empty() && expect.peers.iter().all(|peer| peer.address != source) {
        return Err(Rejected::SignedByStranger { source });
    }
    let (stamp, apart) = trailer
        .check(&packet.advert, source, check)
        .map_err(|defect| Rejected::Trailer { source, defect })?;
    if let (AntiReplay::Time { window }, Some(apart)) = (check.settings.anti_replay, apart) {
        *skew = (apart > window / 2).then_some(Notice::Skew { source, skew: apart, window });
    }
    Ok(Some(stamp))
}

/// Check 6: authentication of version 2. The number of an authentication header that is right.
fn check_version_2(packet: &Packet<'_>, expect: &Expect<'_>) -> Result<Option<u32>, Rejected> {
    if expect.version != Version::V2 {
        return Ok(None);
    }
    let (source, advert) = (packet.source, packet.advert);
    let received = advert.auth_type();
    if received > 2 {
        return Err(Rejected::UnknownAuthType { source, received });
    }
    let expected = expect.authentication.number();
    if received != expected {
        return Err(Rejected::AuthType { source, received, expected });
    }
    match &expect.authentication {
        Authentication::None => Ok(None),
        Authentication::Password(password) => {
            let same = advert.auth_data().is_some_and(|data| bool::from(data.ct_eq(password)));
            if same { Ok(None) } else { Err(Rejected::Password { source }) }
        }
        Authentication::Ah(key) => check_ah(packet, key, expect.sequence).map(Some),
    }
}

/// Checks 6d to 6g: the number of an authentication header that is right.
fn check_ah(packet: &Packet<'_>, key: &[u8; 8], last: Sequence) -> Result<u32, Rejected> {
    let source = packet.source;
    let Some(ah) = packet.ah else { return Err(Rejected::MissingAh { source }) };
    let protocol = ah.next_header();
    if protocol != PROTOCOL {
        return Err(Rejected::AhProtocol { source, protocol });
    }
    if !ah.is_signed_with(key) {
        return Err(Rejected::AhSignature { source });
    }
    let spi = ah.spi();
    if IpAddr::V4(spi) != source {
        return Err(Rejected::AhSpi { source, spi });
    }
    let (received, last) = (ah.sequence(), last.last());
    if received <= last {
        return Err(Rejected::AhReplay { source, received, last });
    }
    Ok(received)
}

/// Check 7: interval of version 2.
fn check_version_2_interval(packet: &Packet<'_>, expect: &Expect<'_>) -> Result<(), Rejected> {
    let (source, advert) = (packet.source, packet.advert);
    if expect.version == Version::V2 && advert.interval() != expect.interval {
        let (ours, received) = (expect.interval.as_secs(), advert.raw_interval());
        return Err(Rejected::Interval { source, ours, received });
    }
    Ok(())
}

/// Checks 8 and 9: packet type, and the length the IPv4 header claims.
fn check_type(packet: &Packet<'_>) -> Result<(), Rejected> {
    let source = packet.source;
    let received = packet.advert.packet_type();
    if received != TYPE_ADVERT {
        return Err(Rejected::PacketType { source, received });
    }
    if let Some(claimed) = packet.claimed_len {
        let received = packet.len;
        let padded = received <= MIN_ETHERNET_PAYLOAD && is_padding(received, usize::from(claimed));
        if usize::from(claimed) != received && !padded {
            return Err(Rejected::ClaimedLength { source, claimed, received });
        }
    }
    Ok(())
}

/// Check 10, which rejects nothing.
fn check_version_3_interval(packet: &Packet<'_>, expect: &Expect<'_>) -> Option<Notice> {
    let theirs = packet.advert.raw_interval();
    let differs = expect.version == Version::V3 && packet.advert.interval() != expect.interval;
    differs.then(|| Notice::Interval {
        ours: u16::try_from(expect.interval.as_millis() / 10).unwrap_or(u16::MAX),
        theirs,
    })
}

/// Check 11. True: the instance has to change to the old unicast form. The kernel has checked IPv6.
fn check_checksum(packet: &Packet<'_>, expect: &Expect<'_>) -> Result<bool, Rejected> {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.source, packet.destination) else {
        return Ok(false);
    };
    let payload = packet.advert.expected_bytes();
    let standard = || checksum::ipv4(source, destination, payload) == 0;
    let old = |group| checksum::ipv4(source, group, payload) == 0;
    let (right, switch) = match (expect.version, expect.checksum) {
        (Version::V2, _) => (checksum::plain(payload) == 0, false),
        (Version::V3, ChecksumPolicy::Any) => (true, false),
        (Version::V3, ChecksumPolicy::Standard) => (standard(), false),
        (Version::V3, ChecksumPolicy::Old(group)) => (old(group), false),
        (Version::V3, ChecksumPolicy::Undecided(group)) => {
            let new = standard();
            (new || old(group), !new)
        }
    };
    if right {
        Ok(switch)
    } else {
        Err(Rejected::Checksum { source: packet.source, version: expect.version.number() })
    }
}

/// Check 12.
fn check_destination(packet: &Packet<'_>, expect: &Expect<'_>) -> Result<(), Rejected> {
    let multicast_expected = expect.peers.is_empty();
    if packet.is_multicast() == multicast_expected {
        Ok(())
    } else {
        Err(Rejected::Destination { source: packet.source, multicast_expected })
    }
}

/// Check 14, which rejects nothing.
fn compare_addresses(packet: &Packet<'_>, expect: &Expect<'_>) -> Option<AddressNotice> {
    let advert = packet.advert;
    if usize::from(advert.count()) != expect.addresses.len() {
        let expected = expect.addresses.len() as u8;
        return Some(AddressNotice::Count { expected, received: advert.count() });
    }
    if expect.skip_addresses_of == Some(packet.source) {
        return None;
    }
    expect.addresses.first_missing_in(advert.address_bytes()).map(|address| {
        AddressNotice::Missing { vrid: advert.vrid(), source: packet.source, address }
    })
}

/// Checks 15 and 15b.
fn check_peer(packet: &Packet<'_>, expect: &Expect<'_>) -> Result<(), Rejected> {
    if expect.peers.is_empty() || !expect.check_source {
        return Ok(());
    }
    let (source, received) = (packet.source, packet.hop_limit);
    let Some(peer) = expect.peers.iter().find(|peer| peer.address == source) else {
        return Err(Rejected::NotAPeer { source });
    };
    let (min, max) = (peer.min_ttl, peer.max_ttl);
    if (min..=max).contains(&received) {
        Ok(())
    } else {
        Err(Rejected::PeerHopLimit { source, received, min, max })
    }
}
