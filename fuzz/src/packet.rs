//! VRRP adverts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use vrrp::config::{
    AntiReplay, Authentication, Family, HmacKey, HmacMode, HmacSettings, Peer, Version,
};
use vrrp::packet::{
    AddressSet, ChecksumPolicy, Expect, HmacCheck, Packet, Sequence, Stamp, Stamps, Stats, validate,
};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const OURS_4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OURS_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// The first byte says what is expected, and the rest is the datagram; with the lowest bit it is
/// IPv6, of which the socket hands out the payload alone.
pub fn packet(data: &[u8]) {
    let Some((&choice, datagram)) = data.split_first() else { return };
    let bit = |which: u8| choice & (1 << which) != 0;
    let six = bit(0);
    let packet = if six {
        let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
        let destination = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
        Packet::ipv6(datagram, source, destination, if bit(7) { 64 } else { 255 })
    } else {
        Packet::ipv4(datagram)
    };
    let packet = match packet {
        Ok(packet) => packet,
        Err(too_short) => {
            assert!(!too_short.to_string().is_empty());
            return;
        }
    };
    let advert = packet.advert();
    assert!(advert.addresses().count() <= usize::from(advert.count()));
    assert!(advert.address_bytes().len() <= datagram.len());

    let (family, ours) = if six { (Family::V6, OURS_6) } else { (Family::V4, OURS_4) };
    let addresses = AddressSet::new(family, [ours]);
    let peers = [Peer { address: PEER, min_ttl: 0, max_ttl: 255 }];
    let keys = HmacKey::new(1, &[1; 32]).into_iter().collect();
    let (mode, anti_replay) = (HmacMode::Permissive, AntiReplay::Monotonic);
    let settings = HmacSettings { keys, active: 1, mode, anti_replay };
    let stamps = Stamps::default();
    let now = Stamp::of(SystemTime::UNIX_EPOCH);
    let check = HmacCheck { settings: &settings, stamps: &stamps, now };
    let expect = Expect {
        version: if bit(1) { Version::V3 } else { Version::V2 },
        interval: Duration::from_secs(1),
        authentication: match (bit(2), bit(7)) {
            (true, false) => Authentication::Password(*b"password"),
            (true, true) => Authentication::Ah(*b"password"),
            (false, _) => Authentication::None,
        },
        sequence: Sequence::default(),
        hmac: (packet.vrid() & 1 == 1).then_some(check),
        peers: if bit(3) { &peers } else { &[] },
        check_source: bit(4),
        addresses: &addresses,
        skip_addresses_of: None,
        checksum: match choice >> 5 & 3 {
            0 => ChecksumPolicy::Any,
            1 => ChecksumPolicy::Standard,
            2 => ChecksumPolicy::Undecided(GROUP),
            _ => ChecksumPolicy::Old(GROUP),
        },
        ignore_adverts: false,
    };
    let verdict = validate(&packet, &expect);
    assert_eq!(verdict.stamp(), None, "nobody guesses 128 bits");
    let numbered = verdict.sequence();
    let signed =
        matches!((expect.version, expect.authentication), (Version::V2, Authentication::Ah(_)));
    if verdict.outcome.is_ok() && signed {
        assert!(numbered.is_some());
        // Heard once, it is old.
        let mut again = expect.clone();
        again.sequence.heard(numbered.unwrap_or_default());
        assert!(validate(&packet, &again).outcome.is_err());
    }
    let mut stats = Stats::default();
    stats.record(&verdict);
    match &verdict.outcome {
        Ok(accepted) => assert_eq!(accepted.priority, advert.priority()),
        Err(rejected) => assert!(!rejected.to_string().is_empty()),
    }
    // The same packet is judged the same way again.
    assert_eq!(validate(&packet, &expect).outcome, verdict.outcome);
}
