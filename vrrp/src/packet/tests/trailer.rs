//! The authentication trailer, built and judged.

use std::time::SystemTime;

use super::*;
use crate::config::{AntiReplay, HmacKey, HmacMode, HmacSettings};

/// Seconds since 1970 of the observed packet.
const OBSERVED: u64 = 0x6b02_3614;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn settings(mode: HmacMode, anti_replay: AntiReplay) -> HmacSettings {
    let keys = vec![HmacKey::new(7, SECRET).unwrap(), HmacKey::new(9, &[9; 64]).unwrap()];
    HmacSettings { keys, active: 7, mode, anti_replay }
}

fn enforced() -> HmacSettings {
    settings(HmacMode::Enforce, AntiReplay::Time { window: 5 })
}

fn at(seconds: u64) -> Stamp {
    Stamp::of(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The moment of the observed packet, to 1/65536 of a second.
fn observed() -> Stamp {
    let fraction = Duration::from_nanos(0x04b6 * 1_000_000_000 / 65_536 + 1);
    Stamp::of(SystemTime::UNIX_EPOCH + Duration::from_secs(OBSERVED) + fraction)
}

fn signed(spec: &AdvertSpec<'_>, key: &HmacKey, stamp: Stamp) -> Vec<u8> {
    let mut template = Template::new(&AdvertSpec { trailer: true, ..spec.clone() }).unwrap();
    template.sign_trailer(key, stamp);
    template.bytes().to_vec()
}

/// Judges bytes at a moment with what was heard before.
fn judge(
    bytes: &[u8],
    spec: &AdvertSpec<'_>,
    settings: &HmacSettings,
    stamps: &Stamps,
    now: Stamp,
) -> Verdict {
    let set = set_of(spec);
    let hmac = Some(HmacCheck { settings, stamps, now });
    validate(&Packet::ipv4(bytes).unwrap(), &Expect { hmac, ..expect_of(spec, &set) })
}

#[track_caller]
fn assert_rejected(verdict: &Verdict, text: &str, counter: &str) {
    assert_eq!(verdict.outcome.unwrap_err().to_string(), text);
    let mut stats = Stats::default();
    stats.record(verdict);
    let counted: Vec<_> = stats.entries().into_iter().filter(|(_, n)| *n > 0).collect();
    assert_eq!(counted, [(counter, 1)]);
    assert_eq!(verdict.stamp(), None);
}

#[test]
fn it_matches_the_observed_bytes() {
    let addresses = [v4(105)];
    let spec = spec(Version::V3, 0x39, &addresses);
    let settings = enforced();
    let bytes = signed(&spec, settings.signing_key().unwrap(), observed());
    let trailer = "01070000 6b023614 04b6 0000 3dcce08b80b83812f6eacf6e52a6cad0";
    assert_eq!(bytes[20..], hex(&format!("3139960100644356 0a090069 {trailer}")));
    assert_eq!(bytes[2..4], hex("003c"), "the IPv4 length includes it");

    let verdict = judge(&bytes, &spec, &settings, &Stamps::default(), at(OBSERVED + 2));
    assert!(verdict.outcome.is_ok(), "{verdict:?}");
    assert_eq!(verdict.stamp(), Some(observed()));
    assert_eq!(verdict.notices().count(), 0);
}

#[test]
fn every_defect_has_its_line_and_counter() {
    let addresses = [v4(1)];
    let spec = spec(Version::V3, 1, &addresses);
    let (settings, none) = (enforced(), Stamps::default());
    let key = settings.signing_key().unwrap();
    let good = signed(&spec, key, at(1_000));
    let verdict_of = |at_byte: usize, bit: u8, now| {
        let mut bytes = good.clone();
        bytes[at_byte] ^= bit;
        judge(&bytes, &spec, &settings, &none, now)
    };
    // Behind the IPv4 header and an advert of one address.
    let trailer = 32;
    let now = at(1_000);
    for (place, bit) in [(0, 2), (2, 1), (3, 0x80)] {
        let text = "malformed authentication trailer from 10.9.0.1";
        assert_rejected(&verdict_of(trailer + place, bit, now), text, "auth_ext_malformed");
    }
    let unknown = "unknown authentication key id 6 from 10.9.0.1";
    assert_rejected(&verdict_of(trailer + 1, 1, now), unknown, "auth_ext_unknown_key");
    // The id of another key, stamp, HMAC; source, priority, interval, address.
    for (place, bit) in
        [(trailer + 1, 14), (39, 1), (43, 1), (44, 1), (59, 0x80), (22, 1), (25, 1), (31, 1)]
    {
        let text = "invalid authentication HMAC from 10.9.0.1";
        assert_rejected(&verdict_of(place, bit, now), text, "auth_ext_invalid_hmac");
    }
    let other_source = judge(
        &signed(&AdvertSpec { source: v4(9), ..spec.clone() }, key, now)[..]
            .iter()
            .enumerate()
            .map(|(n, byte)| if n == 15 { 1 } else { *byte })
            .collect::<Vec<u8>>(),
        &spec,
        &settings,
        &none,
        now,
    );
    let text = "invalid authentication HMAC from 10.9.0.1";
    assert_rejected(&other_source, text, "auth_ext_invalid_hmac");
    let stale = "stale authentication trailer from 10.9.0.1, clock skew 6 sec exceeds window 5 sec";
    for now in [at(994), at(1_006)] {
        assert_rejected(&verdict_of(0, 0, now), stale, "auth_ext_stale");
    }
    let missing = "missing authentication trailer from 10.9.0.1";
    let unsigned = judge(&emitted(&spec), &spec, &settings, &none, now);
    assert_rejected(&unsigned, missing, "auth_ext_missing");
    // The checksum does not cover it, but all else is checked, too.
    let mut damaged = good.clone();
    damaged[26] ^= 1;
    let verdict = judge(&damaged, &spec, &settings, &none, now);
    assert_eq!(verdict.outcome.unwrap_err().to_string(), "Invalid VRRPv3 checksum from 10.9.0.1");
    assert_eq!(verdict.stamp(), Some(now), "whoever signed it has the key");
}

#[test]
fn a_length_of_its_own_is_what_tells_it() {
    let addresses = [v4(1)];
    let spec = spec(Version::V3, 1, &addresses);
    let settings = enforced();
    let good = signed(&spec, settings.signing_key().unwrap(), at(9));
    // Who does not use it finds a packet of a wrong length.
    let set = set_of(&spec);
    let verdict = validate(&Packet::ipv4(&good).unwrap(), &expect_of(&spec, &set));
    let text = "vrrp packet from 10.9.0.1 too long, length 60 and expect 32";
    assert_rejected(&verdict, text, "packet_len_err");
    for length in [59, 61] {
        let mut bytes = good.clone();
        bytes.resize(length, 0);
        let verdict = judge(&bytes, &spec, &settings, &Stamps::default(), at(9));
        let text = format!("vrrp packet from 10.9.0.1 too long, length {length} and expect 32");
        assert_rejected(&verdict, &text, "packet_len_err");
    }
}

#[test]
fn only_enforcement_asks_for_it_and_receive_only_sends_none() {
    let addresses = [v4(1)];
    let spec = spec(Version::V3, 1, &addresses);
    for mode in HmacMode::ALL {
        let settings = settings(mode, AntiReplay::Time { window: 5 });
        let unsigned = judge(&emitted(&spec), &spec, &settings, &Stamps::default(), at(9));
        assert_eq!(unsigned.outcome.is_ok(), mode != HmacMode::Enforce, "{mode:?}");
        assert_eq!(settings.signing_key().is_some(), mode != HmacMode::ReceiveOnly);
        // One that is there must be right.
        let forged = signed(&spec, &HmacKey::new(7, &[0; 32]).unwrap(), at(9));
        let verdict = judge(&forged, &spec, &settings, &Stamps::default(), at(9));
        let text = "invalid authentication HMAC from 10.9.0.1";
        assert_rejected(&verdict, text, "auth_ext_invalid_hmac");
    }
}

#[test]
fn what_is_not_later_than_the_senders_last_is_a_replay() {
    let addresses = [v4(1)];
    let spec = spec(Version::V3, 1, &addresses);
    for anti_replay in [AntiReplay::Time { window: 5 }, AntiReplay::Monotonic] {
        let settings = settings(HmacMode::Enforce, anti_replay);
        let key = settings.signing_key().unwrap();
        let mut stamps = Stamps::default();
        stamps.heard(SOURCE4.into(), at(100), 4);
        for (seconds, fresh) in [(99, false), (100, false), (101, true)] {
            let verdict =
                judge(&signed(&spec, key, at(seconds)), &spec, &settings, &stamps, at(100));
            if fresh {
                assert!(verdict.outcome.is_ok());
            } else {
                let text = "replayed authentication trailer from 10.9.0.1";
                assert_rejected(&verdict, text, "auth_ext_replay");
            }
        }
        // Another sender's number says nothing of this one's.
        let mut stamps = Stamps::default();
        stamps.heard(v4(77), at(100), 4);
        let verdict = judge(&signed(&spec, key, at(99)), &spec, &settings, &stamps, at(100));
        assert!(verdict.outcome.is_ok());
    }
}

#[test]
fn monotonic_does_not_compare_clocks() {
    let addresses = [v4(1)];
    let spec = spec(Version::V3, 1, &addresses);
    let settings = settings(HmacMode::Enforce, AntiReplay::Monotonic);
    let bytes = signed(&spec, settings.signing_key().unwrap(), at(10));
    let verdict = judge(&bytes, &spec, &settings, &Stamps::default(), at(2_000_000_000));
    assert!(verdict.outcome.is_ok());
    assert_eq!(verdict.notices().count(), 0);
}

#[test]
fn clocks_that_drift_apart_are_told_of() {
    let addresses = [v4(1)];
    let spec = spec(Version::V3, 1, &addresses);
    let settings = enforced();
    let bytes = signed(&spec, settings.signing_key().unwrap(), at(100));
    let told = |now| {
        let verdict = judge(&bytes, &spec, &settings, &Stamps::default(), at(now));
        assert!(verdict.outcome.is_ok());
        verdict.notices().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(told(102).is_empty());
    assert_eq!(
        told(97),
        ["authentication clock skew 3 sec from 10.9.0.1 approaching window 5 sec"]
    );
}

/// The state that replays are told by is kept for each peer, so that others must not fill it.
#[test]
fn peers_sign_once_for_all_and_strangers_are_refused_whatever_they_sign() {
    let addresses = [v4(1)];
    let spec = AdvertSpec { destination: PEER4.into(), ..spec(Version::V3, 1, &addresses) };
    let settings = enforced();
    let key = settings.signing_key().unwrap();
    let mut template = Template::new(&AdvertSpec { trailer: true, ..spec.clone() }).unwrap();
    template.sign_trailer(key, at(5));
    template.set_destination(v4(50));
    let set = set_of(&spec);
    let stamps = Stamps::default();
    let judged = |peer: IpAddr| {
        let peers = [Peer { address: peer, min_ttl: 0, max_ttl: 255 }];
        let hmac = Some(HmacCheck { settings: &settings, stamps: &stamps, now: at(5) });
        let expect = Expect { hmac, peers: &peers, ..expect_of(&spec, &set) };
        validate(&Packet::ipv4(template.bytes()).unwrap(), &expect)
    };
    assert!(judged(SOURCE4.into()).outcome.is_ok());
    let stranger = judged(v4(8));
    let text = "unicast source address 10.9.0.1 not a unicast peer";
    assert_eq!(stranger.outcome.unwrap_err().to_string(), text);
    let mut stats = Stats::default();
    stats.record(&stranger);
    assert_eq!(stats, Stats::default());
}

/// The kernel's checksum of IPv6 covers the trailer, so that ours is left alone.
#[test]
fn both_versions_and_families_carry_it() {
    let settings = enforced();
    let key = settings.signing_key().unwrap();
    let addresses = [v4(1), v4(2)];
    let spec2 = spec(Version::V2, 3, &addresses);
    let verdict = judge(&signed(&spec2, key, at(3)), &spec2, &settings, &Stamps::default(), at(3));
    assert!(verdict.outcome.is_ok(), "{verdict:?}");

    let addresses6: [IpAddr; 1] = ["fe80::100".parse().unwrap()];
    let source: Ipv6Addr = "fe80::1".parse().unwrap();
    let spec6 = AdvertSpec {
        source: source.into(),
        destination: GROUP6.into(),
        ..spec(Version::V3, 3, &addresses6)
    };
    let bytes = signed(&spec6, key, at(3));
    assert_eq!(bytes.len(), 8 + 16 + 28);
    let (set, stamps) = (set_of(&spec6), Stamps::default());
    let hmac = Some(HmacCheck { settings: &settings, stamps: &stamps, now: at(3) });
    let expect = Expect { hmac, ..expect_of(&spec6, &set) };
    let judged = |source| validate(&Packet::ipv6(&bytes, source, GROUP6, 255).unwrap(), &expect);
    assert!(judged(source).outcome.is_ok());
    let text = "invalid authentication HMAC from fe80::2";
    let forged = judged("fe80::2".parse().unwrap());
    assert_rejected(&forged, text, "auth_ext_invalid_hmac");
}

#[test]
fn stamps_go_up_whatever_the_clock_does() {
    let window = AntiReplay::Time { window: 5 };
    let sent = |clock: &[u64], anti_replay| {
        let mut stamps = Stamps::default();
        clock.iter().map(|&seconds| stamps.next(at(seconds), anti_replay)).collect::<Vec<_>>()
    };
    let counted = |seconds, count| {
        let mut stamps = Stamps::default();
        (0..=count).map(|_| stamps.next(at(seconds), window)).last().unwrap()
    };
    for anti_replay in [window, AntiReplay::Monotonic] {
        assert_eq!(
            sent(&[100, 100, 98, 101], anti_replay),
            [at(100), counted(100, 1), counted(100, 2), at(101)]
        );
    }
    // Set back by more than the window: what we send would be stale.
    assert_eq!(sent(&[100, 94], window), [at(100), at(94)]);
    assert_eq!(sent(&[100, 94], AntiReplay::Monotonic), [at(100), counted(100, 1)]);
    // The 32 bits of the seconds are used up in 2106.
    assert_eq!(sent(&[0xffff_ffff, 1 << 32], window), [at(0xffff_ffff), at(1 << 32)]);
    assert_eq!(at(1 << 32), at(0));
}

#[test]
fn of_too_many_senders_the_one_heard_longest_ago_is_forgotten() {
    let mut stamps = Stamps::default();
    let most = Stamps::most_senders(0);
    for (sender, seconds) in [(1, 10), (2, 20), (3, 30), (4, 40), (1, 50), (5, 60)] {
        stamps.heard(v4(sender), at(seconds), most);
    }
    let known = [1, 2, 3, 4, 5].map(|sender| stamps.last_of(v4(sender)));
    assert_eq!(known, [Some(at(50)), None, Some(at(30)), Some(at(40)), Some(at(60))]);
    assert_eq!(Stamps::most_senders(300), 300);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No byte of what is signed can be changed unnoticed, however often the template is patched.
    #[test]
    fn a_changed_bit_is_always_noticed(
        priorities in prop::collection::vec(any::<u8>(), 1..4), bit in 0..8u8, place in 20usize..60,
        seconds in 0..1u64 << 33,
    ) {
        let addresses = [v4(1)];
        let spec = spec(Version::V3, 1, &addresses);
        let settings = enforced();
        let key = settings.signing_key().unwrap();
        let mut template = Template::new(&AdvertSpec { trailer: true, ..spec.clone() }).unwrap();
        for priority in priorities {
            template.set_priority(priority);
            template.sign_trailer(key, at(seconds));
        }
        let mut bytes = template.bytes().to_vec();
        let stamps = Stamps::default();
        prop_assert!(judge(&bytes, &spec, &settings, &stamps, at(seconds)).outcome.is_ok());
        bytes[place] ^= 1 << bit;
        let verdict = judge(&bytes, &spec, &settings, &stamps, at(seconds));
        prop_assert!(verdict.outcome.is_err());
    }

    #[test]
    fn whatever_follows_an_advert_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..120), monotonic in any::<bool>(),
    ) {
        let addresses = [v4(1)];
        let spec = spec(Version::V3, 1, &addresses);
        let anti_replay =
            if monotonic { AntiReplay::Monotonic } else { AntiReplay::Time { window: 300 } };
        let settings = settings(HmacMode::Permissive, anti_replay);
        let mut packet = emitted(&spec);
        packet.extend(bytes);
        let verdict = judge(&packet, &spec, &settings, &Stamps::default(), at(0));
        prop_assert_eq!(verdict.outcome.is_ok(), matches!(packet.len(), 32 | 34 | 38 | 42 | 46));
    }
}
