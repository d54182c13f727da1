use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Authentication, Peer};

mod rejections;
mod trailer;

const GROUP4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const SOURCE4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const PEER4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().filter_map(|b| char::from(b).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn v4(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 9, 0, last))
}

fn number(sequence: u32) -> Sequence {
    let mut last = Sequence::default();
    last.heard(sequence);
    last
}

fn spec(version: Version, vrid: u8, addresses: &[IpAddr]) -> AdvertSpec<'_> {
    AdvertSpec {
        version,
        vrid,
        priority: 150,
        interval: Duration::from_secs(1),
        addresses,
        authentication: Authentication::None,
        sequence: number(1),
        trailer: false,
        source: SOURCE4.into(),
        destination: GROUP4.into(),
        checksum: ChecksumForm::Destination,
        id: 1,
        ttl: 255,
    }
}

/// Emits into a poisoned buffer, so that a byte left unwritten shows.
fn emitted(spec: &AdvertSpec<'_>) -> Vec<u8> {
    let mut buffer = vec![0xa5; 4096];
    let len = emit(spec, &mut buffer).unwrap();
    assert!(buffer[len..].iter().all(|&byte| byte == 0xa5));
    buffer.truncate(len);
    assert_eq!(Template::new(spec).unwrap().bytes(), buffer);
    buffer
}

fn expect_of<'a>(spec: &AdvertSpec<'_>, addresses: &'a AddressSet) -> Expect<'a> {
    Expect {
        version: spec.version,
        interval: spec.interval,
        authentication: spec.authentication,
        sequence: Sequence::default(),
        hmac: None,
        peers: &[],
        check_source: false,
        addresses,
        skip_addresses_of: None,
        checksum: ChecksumPolicy::Standard,
        ignore_adverts: false,
    }
}

fn set_of(spec: &AdvertSpec<'_>) -> AddressSet {
    AddressSet::new(Family::of(spec.source), spec.addresses.iter().copied())
}

#[test]
fn version_2_with_password_matches_the_observed_bytes() {
    let addresses = [v4(100), v4(101)];
    let spec = AdvertSpec {
        authentication: Authentication::Password(*b"secret12"),
        ..spec(Version::V2, 0x33, &addresses)
    };
    let bytes = emitted(&spec);
    assert_eq!(bytes[..12], hex("45c0002c 0001 0000 ff70 0000"));
    assert_eq!(bytes[12..20], hex("0a090001 e0000012"));
    assert_eq!(bytes[20..], hex("2133 9602 0101 c56f 0a090064 0a090065 7365637265743132"));
}

#[test]
fn version_3_multicast_matches_the_observed_bytes() {
    let addresses = [v4(100)];
    let spec =
        AdvertSpec { interval: Duration::from_millis(250), ..spec(Version::V3, 0x34, &addresses) };
    assert_eq!(emitted(&spec)[20..], hex("3134 9601 0019 43ab 0a090064"));
}

#[test]
fn version_3_unicast_matches_the_observed_bytes() {
    let addresses = [v4(102)];
    let spec = AdvertSpec { destination: PEER4.into(), ..spec(Version::V3, 0x36, &addresses) };
    assert_eq!(emitted(&spec)[20..], hex("3136 9601 0064 1964 0a090066"));
}

#[test]
fn an_authentication_header_matches_the_observed_bytes() {
    let addresses = [v4(104)];
    let authentication = Authentication::Ah(*b"secret\0\0");
    let spec = AdvertSpec { authentication, ..spec(Version::V2, 0x38, &addresses) };
    let mut observed = hex("45c00040 0001 0000 ff33 0000 0a090001 e0000012
                            70040000 0a090001 00000001 10dd99fffd48b06be758eda2
                            2138960102013c54 0a090068 0000000000000000");
    assert_eq!(emitted(&spec), observed);

    // On the way here the kernel filled in the checksum, and routers may have changed the type of service.
    observed[10..12].copy_from_slice(&hex("a1b2"));
    observed[1] = 0;
    let set = set_of(&spec);
    let verdict = validate(&Packet::ipv4(&observed).unwrap(), &expect_of(&spec, &set));
    assert!(verdict.outcome.is_ok());
    assert_eq!(verdict.sequence(), Some(1));
}

/// What the C daemon sends to a peer, with the checksum that the kernel filled in.
#[test]
fn an_authentication_header_for_a_peer_matches_the_observed_bytes() {
    let observed = hex("45c0004000010000ff33a6b4 0a090001 0a090003
                        70040000 0a090001 00000001 2bbcd9777672587b8e151c93
                        2133960102013c5e 0a080064 0000000000000000");
    let addresses = [IpAddr::from([10, 8, 0, 100])];
    let authentication = Authentication::Ah(*b"secret12");
    let spec = AdvertSpec { authentication, ..spec(Version::V2, 51, &addresses) };
    // Numbered and signed for one peer, and then for the other.
    let mut template = Template::new(&spec).unwrap();
    template.sign(number(9));
    template.set_destination("10.9.0.3".parse().unwrap());
    template.sign(number(1));
    let mut sent = template.bytes().to_vec();
    sent[10..12].copy_from_slice(&observed[10..12]);
    assert_eq!(sent, observed);
}

#[test]
fn version_3_ipv6_matches_the_observed_bytes() {
    let addresses: [IpAddr; 2] = ["fe80::100".parse().unwrap(), "fd00::2".parse().unwrap()];
    let source = "fe80::1".parse().unwrap();
    let spec = AdvertSpec {
        interval: Duration::from_millis(250),
        source: IpAddr::V6(source),
        destination: GROUP6.into(),
        ..spec(Version::V3, 0x35, &addresses)
    };
    let mut bytes = emitted(&spec);
    let observed = hex("3135 9602 0019 0000 fe800000000000000000000000000100
                        fd000000000000000000000000000002");
    assert_eq!(bytes, observed, "the kernel fills in the checksum");
    let sum = checksum::ipv6(source, GROUP6, PROTOCOL, &bytes);
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(checksum::ipv6(source, GROUP6, PROTOCOL, &bytes), 0);
}

#[test]
fn version_2_for_ipv6_carries_no_authentication_bytes() {
    let addresses = ["fe80::100".parse().unwrap()];
    let spec = AdvertSpec {
        source: "fe80::1".parse().unwrap(),
        destination: GROUP6.into(),
        ..spec(Version::V2, 9, &addresses)
    };
    assert_eq!(emitted(&spec).len(), 8 + 16);
}

#[test]
fn what_cannot_be_built_is_refused() {
    let many = vec![v4(1); 256];
    let mut buffer = [0; 2000];
    assert_eq!(
        emit(&spec(Version::V3, 1, &many), &mut buffer),
        Err(EmitError::TooManyAddresses(256))
    );
    let mixed = [v4(1), IpAddr::V6(GROUP6)];
    assert_eq!(
        emit(&spec(Version::V3, 1, &mixed), &mut buffer),
        Err(EmitError::WrongFamily(IpAddr::V6(GROUP6)))
    );
    let one = [v4(1)];
    assert_eq!(
        emit(&spec(Version::V3, 1, &one), &mut buffer[..31]),
        Err(EmitError::BufferTooSmall { needed: 32, given: 31 })
    );
}

#[test]
fn the_largest_advert_fits_and_is_accepted() {
    let addresses: Vec<IpAddr> = (0..255).map(v4).collect();
    let spec = spec(Version::V3, 1, &addresses);
    let bytes = emitted(&spec);
    let mut reversed = addresses.clone();
    reversed.reverse();
    let set = AddressSet::new(Family::V4, reversed);
    let verdict = validate(&Packet::ipv4(&bytes).unwrap(), &expect_of(&spec, &set));
    assert!(verdict.outcome.is_ok_and(|accepted| accepted.addresses_match));
}

fn spec_strategy() -> impl Strategy<Value = (bool, u8, u8, u16, Vec<u32>, Authentication, u16)> {
    (
        any::<bool>(),
        1..=255u8,
        any::<u8>(),
        1..=255u16,
        prop::collection::hash_set(any::<u32>(), 0..40).prop_map(Vec::from_iter),
        prop_oneof![
            Just(Authentication::None),
            any::<[u8; 8]>().prop_map(Authentication::Password),
            any::<[u8; 8]>().prop_map(Authentication::Ah),
        ],
        1..=u16::MAX,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_emitted_advert_reads_back_and_is_accepted(
        (v2, vrid, priority, interval, list, authentication, id) in spec_strategy(), rotate in 0usize..40,
    ) {
        let addresses: Vec<IpAddr> = list.iter().map(|&a| IpAddr::V4(a.into())).collect();
        let spec = AdvertSpec {
            version: if v2 { Version::V2 } else { Version::V3 },
            vrid,
            priority,
            interval: Duration::from_secs(u64::from(if v2 { interval } else { interval % 40 + 1 })),
            authentication: if v2 { authentication } else { Authentication::None },
            id,
            ..spec(Version::V3, 1, &addresses)
        };
        let bytes = emitted(&spec);
        let packet = Packet::ipv4(&bytes).unwrap();
        prop_assert_eq!(packet.vrid(), vrid);
        prop_assert_eq!(packet.advert().addresses().collect::<Vec<_>>(), &addresses[..]);
        let mut ours = addresses.clone();
        ours.rotate_left(rotate % addresses.len().max(1));
        let set = AddressSet::new(Family::V4, ours);
        let verdict = validate(&packet, &expect_of(&spec, &set));
        prop_assert_eq!(verdict.notices().count(), 0);
        let numbered = matches!(spec.authentication, Authentication::Ah(_));
        prop_assert_eq!(verdict.sequence(), numbered.then_some(1));
        prop_assert_eq!(verdict.outcome, Ok(Accepted {
            priority,
            interval: spec.interval,
            source: SOURCE4.into(),
            addresses_match: true,
            interval_mismatch: false,
            switch_to_old_checksum: false,
        }));
    }

    #[test]
    fn a_patched_template_equals_a_new_one(
        (v2, vrid, priority, _, list, authentication, id) in spec_strategy(),
        peers in prop::collection::vec(any::<u32>(), 1..4), form in 0..3u8, sequence in any::<u32>(),
    ) {
        let addresses: Vec<IpAddr> = list.iter().map(|&a| IpAddr::V4(a.into())).collect();
        let first = AdvertSpec {
            authentication,
            checksum: match form {
                0 => ChecksumForm::Destination,
                1 => ChecksumForm::Group(GROUP4),
                _ => ChecksumForm::AsV2,
            },
            ..spec(if v2 { Version::V2 } else { Version::V3 }, vrid, &addresses)
        };
        let mut template = Template::new(&first).unwrap();
        for peer in peers {
            let destination = IpAddr::V4(peer.into());
            template.set_priority(priority);
            template.set_destination(destination);
            template.set_id(id);
            let sequence = number(sequence);
            template.sign(sequence);
            let fresh = AdvertSpec { priority, destination, id, sequence, ..first.clone() };
            let fresh = Template::new(&fresh);
            prop_assert_eq!(&template, &fresh.unwrap());
            prop_assert_eq!(template.priority(), priority);
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        let addresses = [v4(1), v4(2)];
        let spec = spec(Version::V3, 1, &addresses);
        let set = set_of(&spec);
        let mut stats = Stats::default();
        if let Ok(packet) = Packet::ipv4(&bytes) {
            stats.record(&validate(&packet, &expect_of(&spec, &set)));
        }
        if let Ok(packet) = Packet::ipv6(&bytes, Ipv6Addr::LOCALHOST, GROUP6, 255) {
            stats.record(&validate(&packet, &expect_of(&spec, &set)));
        }
    }

    #[test]
    fn a_damaged_advert_never_panics_and_never_passes_the_checksum(
        position in 20usize..32, bit in 0..8u8, cut in 0usize..40,
    ) {
        let addresses = [v4(1)];
        let spec = spec(Version::V3, 1, &addresses);
        let set = set_of(&spec);
        let mut bytes = emitted(&spec);
        bytes[position] ^= 1 << bit;
        let packet = Packet::ipv4(&bytes).unwrap();
        let verdict = validate(&packet, &expect_of(&spec, &set));
        prop_assert!(verdict.outcome.is_err());
        prop_assert!(!verdict.outcome.unwrap_err().to_string().is_empty());
        bytes.truncate(cut);
        if let Ok(packet) = Packet::ipv4(&bytes) {
            prop_assert!(validate(&packet, &expect_of(&spec, &set)).outcome.is_err());
        }
    }
}
