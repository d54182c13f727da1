//! One case for each row of the documented order of checks, with the text that is logged.

use super::*;
use crate::config::UnicastChecksum;

/// Emits, damages, judges.
struct Case<'a> {
    spec: AdvertSpec<'a>,
    set: AddressSet,
    peers: Vec<Peer>,
    check_source: bool,
    checksum: ChecksumPolicy,
    ignore_adverts: bool,
    skip_addresses_of: Option<IpAddr>,
    interval: Duration,
    authentication: Authentication,
    sequence: Sequence,
    version: Version,
}

impl<'a> Case<'a> {
    fn new(spec: AdvertSpec<'a>) -> Case<'a> {
        Case {
            set: set_of(&spec),
            peers: Vec::new(),
            check_source: false,
            checksum: ChecksumPolicy::Standard,
            ignore_adverts: false,
            skip_addresses_of: None,
            interval: spec.interval,
            authentication: spec.authentication,
            sequence: Sequence::default(),
            version: spec.version,
            spec,
        }
    }

    fn unicast(addresses: &'a [IpAddr]) -> Case<'a> {
        let spec = AdvertSpec { destination: PEER4.into(), ..spec(Version::V3, 7, addresses) };
        let peers = vec![Peer { address: SOURCE4.into(), min_ttl: 254, max_ttl: 255 }];
        Case { peers, check_source: true, ..Case::new(spec) }
    }

    fn judge(&self, damage: impl FnOnce(&mut Vec<u8>)) -> Verdict {
        let mut bytes = emitted(&self.spec);
        damage(&mut bytes);
        let expect = Expect {
            version: self.version,
            interval: self.interval,
            authentication: self.authentication,
            sequence: self.sequence,
            hmac: None,
            peers: &self.peers,
            check_source: self.check_source,
            addresses: &self.set,
            skip_addresses_of: self.skip_addresses_of,
            checksum: self.checksum,
            ignore_adverts: self.ignore_adverts,
        };
        validate(&Packet::ipv4(&bytes).unwrap(), &expect)
    }

    #[track_caller]
    fn rejects(&self, damage: impl FnOnce(&mut Vec<u8>), text: &str, counted: &[&str]) {
        let verdict = self.judge(damage);
        assert_eq!(verdict.outcome.unwrap_err().to_string(), text);
        assert_counted(&verdict, counted);
    }
}

#[track_caller]
fn assert_counted(verdict: &Verdict, counted: &[&str]) {
    let mut stats = Stats::default();
    stats.record(verdict);
    let names: Vec<&str> =
        stats.entries().iter().filter(|(_, n)| *n > 0).map(|(name, _)| *name).collect();
    assert_eq!(names, counted);
}

/// Makes the checksum right again after a change; v3 multicast or v2.
fn repair(bytes: &mut [u8]) {
    bytes[26..28].fill(0);
    let destination = Ipv4Addr::new(bytes[16], bytes[17], bytes[18], bytes[19]);
    let sum = match bytes[20] >> 4 {
        2 => checksum::plain(&bytes[20..]),
        _ => checksum::ipv4(SOURCE4, destination, &bytes[20..]),
    };
    bytes[26..28].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn row_0_too_short() {
    let text = |bytes: &[u8]| Packet::ipv4(bytes).unwrap_err().to_string();
    let addresses = [v4(1)];
    let mut bytes = emitted(&spec(Version::V3, 1, &addresses));
    assert_eq!(text(&bytes[..27]), "IPv4 VRRP packet too short - 27 bytes");
    assert_eq!(text(&[]), "IPv4 VRRP packet too short - 0 bytes");
    bytes[9] = 51;
    assert_eq!(text(&bytes), "IPv4 VRRP packet with AH too short - 32 bytes");
    let v6 = Packet::ipv6(&bytes[..7], Ipv6Addr::LOCALHOST, GROUP6, 255).unwrap_err();
    assert_eq!(v6.to_string(), "IPv6 VRRP packet too short - 7 bytes");
}

#[test]
fn row_1_authentication_header() {
    let addresses = [v4(1)];
    let case = Case::new(spec(Version::V2, 1, &addresses));
    case.rejects(
        |bytes| {
            bytes[9] = 51;
            bytes.splice(20..20, [0; 24]);
        },
        "Received AH header but auth type not AH from 10.9.0.1",
        &["authtype_mismatch"],
    );
}

#[test]
fn row_2_length() {
    let addresses = [v4(1)];
    let case = Case::new(spec(Version::V3, 1, &addresses));
    case.rejects(
        |bytes| bytes.extend([0; 4]),
        "vrrp packet from 10.9.0.1 too long, length 36 and expect 32",
        &["packet_len_err"],
    );
    case.rejects(
        |bytes| bytes.truncate(30),
        "vrrp packet from 10.9.0.1 too short, length 30 and expect 32",
        &["packet_len_err"],
    );
    // A packet that says version 2 needs the authentication bytes, whatever we speak.
    case.rejects(
        |bytes| bytes[20] = 0x21,
        "vrrp packet from 10.9.0.1 too short, length 32 and expect 40",
        &["packet_len_err"],
    );
    for padding in [2, 6, 10, 14] {
        let verdict = case.judge(|bytes| bytes.extend(vec![0xee; padding]));
        assert!(verdict.outcome.is_ok(), "{padding} bytes of Ethernet padding");
    }
}

#[test]
fn row_3_ttl_of_multicast() {
    let addresses = [v4(1)];
    let case = Case::new(AdvertSpec { ttl: 254, ..spec(Version::V3, 1, &addresses) });
    case.rejects(
        |_| (),
        "invalid TTL/HL from 10.9.0.1. Received 254 and expect 255",
        &["ip_ttl_err"],
    );
}

#[test]
fn row_4_version() {
    let addresses = [v4(1)];
    let case = Case { version: Version::V2, ..Case::new(spec(Version::V3, 1, &addresses)) };
    case.rejects(
        |_| (),
        "wrong VRRP version from 10.9.0.1. Received 3 and expect 2",
        &["vers_err"],
    );
}

#[test]
fn row_6_authentication() {
    let addresses = [v4(1)];
    let plain = Case::new(spec(Version::V2, 1, &addresses));
    plain.rejects(
        |bytes| bytes[24] = 3,
        "Invalid auth type from 10.9.0.1: 3",
        &["invalid_authtype"],
    );
    plain.rejects(
        |bytes| bytes[24] = 1,
        "received a 1 auth from 10.9.0.1, expecting 0!",
        &["authtype_mismatch"],
    );
    let mut pass = Case::new(AdvertSpec {
        authentication: Authentication::Password(*b"secret12"),
        ..spec(Version::V2, 1, &addresses)
    });
    assert!(pass.judge(|_| ()).outcome.is_ok());
    pass.authentication = Authentication::Password(*b"secret13");
    pass.rejects(|_| (), "received an invalid passwd from 10.9.0.1!", &["auth_failure"]);
}

/// Damages that nobody without the key can repair.
#[test]
fn row_6_authentication_header() {
    const FORGED: &str = "IPSEC-AH : invalid IPSEC HMAC-MD5 value from 10.9.0.1. Due to fields mutation or bad \
                          password !";
    let addresses = [v4(1)];
    let key = Authentication::Ah(*b"secret12");
    let spec =
        AdvertSpec { authentication: key, sequence: number(7), ..spec(Version::V2, 1, &addresses) };
    let mut case = Case::new(spec);
    let verdict = case.judge(|_| ());
    assert!(verdict.outcome.is_ok());
    assert_eq!(verdict.sequence(), Some(7));

    case.rejects(|bytes| bytes[20] = 6, "IPSEC-AH : protocol 6 from 10.9.0.1 and expect 112", &[]);
    // Identification, length field, parameter index, number, value, priority, interval.
    for at in [5, 21, 27, 31, 32, 43, 46, 49] {
        case.rejects(|bytes| bytes[at] ^= 1, FORGED, &["auth_failure"]);
    }
    case.authentication = Authentication::Ah(*b"secret13");
    case.rejects(|_| (), FORGED, &["auth_failure"]);
    case.authentication = key;

    case.sequence.heard(6);
    assert!(case.judge(|_| ()).outcome.is_ok());
    for last in [7, 8, u32::MAX] {
        case.sequence.heard(last);
        let text = format!(
            "IPSEC-AH : sequence number 7 from 10.9.0.1 already processed. Packet dropped. Local({last})"
        );
        case.rejects(|_| (), &text, &["auth_failure"]);
        assert_eq!(case.judge(|_| ()).sequence(), None);
    }
}

/// The right key and another sender's parameter index.
#[test]
fn row_6_parameter_index_of_an_authentication_header() {
    let addresses = [v4(1)];
    let key = *b"secret12";
    let authentication = Authentication::Ah(key);
    let case = Case::new(AdvertSpec { authentication, ..spec(Version::V2, 1, &addresses) });
    let copied = |bytes: &mut Vec<u8>| {
        bytes[15] = 9;
        ah::sign(bytes, 20, &key, number(1));
        bytes[15] = 1;
    };
    let forged = "IPSEC-AH : invalid IPSEC HMAC-MD5 value from 10.9.0.1. Due to fields mutation or bad password !";
    case.rejects(copied, forged, &["auth_failure"]);
    let signed_again = |bytes: &mut Vec<u8>| {
        bytes[27] = 9;
        let icv = ah::Signed::of(bytes, 20).unwrap().icv(&key);
        bytes[32..44].copy_from_slice(&icv);
    };
    let other = "IPSEC AH : invalid IPSEC SPI value from 10.9.0.1. 10.9.0.9 and expect 10.9.0.1";
    case.rejects(signed_again, other, &["auth_failure"]);
}

#[test]
fn row_1_authentication_header_missing() {
    let addresses = [v4(1)];
    let mut case = Case::new(spec(Version::V2, 1, &addresses));
    case.authentication = Authentication::Ah(*b"secret12");
    let text = "No AH header but auth type is AH from 10.9.0.1";
    case.rejects(|_| (), text, &["authtype_mismatch"]);
}

/// Whoever has the key may have made a mistake elsewhere: the number counts all the same.
#[test]
fn a_number_counts_although_the_advert_is_of_no_use() {
    let addresses = [v4(1)];
    let authentication = Authentication::Ah(*b"secret12");
    let spec =
        AdvertSpec { authentication, sequence: number(5), ..spec(Version::V2, 1, &addresses) };
    let case = Case { interval: Duration::from_secs(3), ..Case::new(spec) };
    let verdict = case.judge(|_| ());
    assert!(matches!(verdict.outcome, Err(Rejected::Interval { .. })));
    assert_eq!(verdict.sequence(), Some(5));
}

/// A router on the way of a unicast advert takes from the time to live, and the header must allow it.
#[test]
fn the_time_to_live_is_signed_for_multicast_only() {
    let addresses = [v4(1)];
    let key = *b"secret12";
    for (destination, same) in [(PEER4, true), (GROUP4, false)] {
        let authentication = Authentication::Ah(key);
        let destination = destination.into();
        let spec = AdvertSpec { authentication, destination, ..spec(Version::V2, 1, &addresses) };
        let mut bytes = emitted(&spec);
        bytes[8] = 64;
        assert_eq!(ah::Signed::of(&bytes, 20).unwrap().is_signed_with(&key), same);
    }
}

#[test]
fn row_7_interval_of_version_2() {
    let addresses = [v4(1)];
    let case =
        Case { interval: Duration::from_secs(3), ..Case::new(spec(Version::V2, 1, &addresses)) };
    case.rejects(
        |_| (),
        "advertisement interval mismatch with 10.9.0.1 mine=3 sec rcv'd=1 sec",
        &[],
    );
}

#[test]
fn row_8_type() {
    let addresses = [v4(1)];
    Case::new(spec(Version::V3, 1, &addresses)).rejects(
        |bytes| bytes[20] = 0x32,
        "Invalid packet type from 10.9.0.1. 2 and expect 1",
        &["invalid_type_rcvd"],
    );
}

#[test]
fn row_9_claimed_length() {
    let addresses = [v4(1)];
    Case::new(spec(Version::V3, 1, &addresses)).rejects(
        |bytes| bytes[3] = 36,
        "ip_tot_len mismatch against received length from 10.9.0.1. 36 and received 32",
        &["packet_len_err"],
    );
}

#[test]
fn row_10_interval_of_version_3_is_only_remarked() {
    let addresses = [v4(1)];
    let case = Case {
        interval: Duration::from_millis(250),
        ..Case::new(spec(Version::V3, 1, &addresses))
    };
    let verdict = case.judge(|_| ());
    let texts: Vec<String> = verdict.notices().map(Notice::to_string).collect();
    assert_eq!(texts, ["advertisement interval mismatch ours = 25 centi-sec rcv'd=100 centi-sec"]);
    let accepted = verdict.outcome.unwrap();
    assert!(accepted.interval_mismatch);
    assert_eq!(accepted.interval, Duration::from_secs(1));
    assert_counted(&verdict, &["advert_rcvd"]);
}

#[test]
fn row_11_checksum() {
    let addresses = [v4(1)];
    for (version, text) in [
        (Version::V2, "Invalid VRRPv2 checksum from 10.9.0.1"),
        (Version::V3, "Invalid VRRPv3 checksum from 10.9.0.1"),
    ] {
        Case::new(spec(version, 1, &addresses)).rejects(|bytes| bytes[27] ^= 1, text, &["chk_err"]);
    }
    let any = Case { checksum: ChecksumPolicy::Any, ..Case::new(spec(Version::V3, 1, &addresses)) };
    assert!(any.judge(|bytes| bytes[27] ^= 1).outcome.is_ok());
}

#[test]
fn row_11_old_unicast_checksum() {
    let addresses = [v4(1)];
    let mut case = Case::unicast(&addresses);
    let accepts = |case: &Case<'_>| case.judge(|_| ()).outcome.is_ok();

    case.checksum = ChecksumPolicy::Undecided(GROUP4);
    assert!(!case.judge(|_| ()).outcome.unwrap().switch_to_old_checksum);
    case.checksum = ChecksumPolicy::Old(GROUP4);
    assert!(!accepts(&case), "the new form fails once the old one is set");

    case.spec.checksum = ChecksumForm::Group(GROUP4);
    assert!(accepts(&case));
    case.checksum = ChecksumPolicy::Standard;
    assert!(!accepts(&case));
    case.checksum = ChecksumPolicy::Undecided(GROUP4);
    let verdict = case.judge(|_| ());
    assert!(verdict.outcome.unwrap().switch_to_old_checksum);
    assert_eq!(
        verdict.notices().map(Notice::to_string).collect::<Vec<_>>(),
        ["Setting unicast VRRPv3 checksum to old version"]
    );
    case.peers[0].address = v4(77);
    assert_eq!(case.judge(|_| ()).notices().count(), 0, "a stranger does not switch us");
}

#[test]
fn checksum_policy_follows_the_configuration() {
    use ChecksumPolicy::{Any, Old, Standard, Undecided};
    use UnicastChecksum::{Auto, Never, Old as Given};
    // v3_checksum_as_v2, old_unicast_checksum of a unicast instance, switched before.
    let rows = [
        (false, None, false, Standard),
        (true, None, false, Any),
        (true, Some(Given), true, Any),
        (false, Some(Never), true, Standard),
        (false, Some(Auto), false, Undecided(GROUP4)),
        (false, Some(Auto), true, Old(GROUP4)),
        (false, Some(Given), false, Old(GROUP4)),
    ];
    for (as_v2, unicast, switched, policy) in rows {
        assert_eq!(ChecksumPolicy::new(as_v2, unicast, switched, GROUP4), policy);
    }
}

#[test]
fn row_12_destination() {
    let addresses = [v4(1)];
    let unicast = Case::unicast(&addresses);
    unicast.rejects(
        |bytes| {
            bytes[16..20].copy_from_slice(&GROUP4.octets());
            repair(bytes);
        },
        "Expected unicast packet but received multicast packet from 10.9.0.1",
        &["addr_list_err"],
    );
    Case::new(AdvertSpec { destination: PEER4.into(), ..spec(Version::V3, 1, &addresses) })
        .rejects(
            |_| (),
            "Expected multicast packet but received unicast packet from 10.9.0.1",
            &["addr_list_err"],
        );
}

#[test]
fn row_13_owner() {
    let addresses = [v4(1)];
    Case { ignore_adverts: true, ..Case::new(spec(Version::V3, 1, &addresses)) }.rejects(
        |_| (),
        "Dropping packet(s) from 10.9.0.1 since we are address owner",
        &[],
    );
}

#[test]
fn row_14_addresses_are_only_remarked() {
    let (two, one) = ([v4(1), v4(2)], [v4(1)]);
    let mut case = Case::new(spec(Version::V3, 0x34, &two));
    case.set = AddressSet::new(Family::V4, one);
    let verdict = case.judge(|_| ());
    assert!(!verdict.outcome.unwrap().addresses_match);
    assert_counted(&verdict, &["advert_rcvd", "addr_list_err"]);
    let text = verdict.notices().map(Notice::to_string).collect::<String>();
    assert_eq!(text, "expected 1 VIPs but received 2");

    case.set = AddressSet::new(Family::V4, [v4(2), v4(9)]);
    let verdict = case.judge(|_| ());
    let text = verdict.notices().map(Notice::to_string).collect::<String>();
    assert_eq!(
        text,
        "ip address associated with VRID 52 not present in advert from 10.9.0.1: 10.9.0.9"
    );
    case.skip_addresses_of = Some(v4(1));
    assert!(case.judge(|_| ()).outcome.unwrap().addresses_match);
    case.skip_addresses_of = Some(v4(7));
    assert!(!case.judge(|_| ()).outcome.unwrap().addresses_match);
}

#[test]
fn a_list_that_repeats_an_address_does_not_pass_for_ours() {
    let repeated = [v4(1), v4(1)];
    let case = Case {
        set: AddressSet::new(Family::V4, [v4(1), v4(2)]),
        ..Case::new(spec(Version::V3, 1, &repeated))
    };
    assert!(!case.judge(|_| ()).outcome.unwrap().addresses_match);
}

#[test]
fn row_15_peers_and_their_ttl() {
    let addresses = [v4(1)];
    let mut case = Case::unicast(&addresses);
    assert!(case.judge(|bytes| bytes[8] = 254).outcome.is_ok());
    case.rejects(
        |bytes| bytes[8] = 253,
        "TTL/HL 253 from 10.9.0.1 not in range [254, 255]",
        &["advert_rcvd", "ip_ttl_err"],
    );
    case.peers[0].address = v4(77);
    case.rejects(|_| (), "unicast source address 10.9.0.1 not a unicast peer", &["advert_rcvd"]);
    case.check_source = false;
    assert!(case.judge(|bytes| bytes[8] = 3).outcome.is_ok());
}

#[test]
fn priority_0_is_counted() {
    let addresses = [v4(1)];
    let case = Case::new(AdvertSpec { priority: 0, ..spec(Version::V3, 1, &addresses) });
    assert_counted(&case.judge(|_| ()), &["advert_rcvd", "pri_zero_rcvd"]);
}

#[test]
fn the_first_failing_check_decides() {
    // Everything is wrong; mending the first failure each time shows the next row.
    let addresses = [v4(1)];
    let case = Case {
        authentication: Authentication::Password(*b"secret12"),
        interval: Duration::from_secs(2),
        ..Case::new(AdvertSpec { ttl: 1, ..spec(Version::V2, 1, &addresses) })
    };
    let mut bytes = emitted(&case.spec);
    bytes[3] = 44;
    bytes[20] = 0x22;
    bytes[24] = 9;
    bytes.extend([0; 8]);
    let mends: [fn(&mut Vec<u8>); 8] = [
        |bytes| bytes.truncate(40),
        |bytes| bytes[8] = 255,
        |bytes| bytes[24] = 2,
        |bytes| bytes[24] = 1,
        |bytes| bytes[32..40].copy_from_slice(b"secret12"),
        |bytes| bytes[25] = 2,
        |bytes| bytes[20] = 0x21,
        |bytes| bytes[3] = 40,
    ];
    let mut kinds = Vec::new();
    for mend in mends {
        kinds.push(case.judge(|b| b.clone_from(&bytes)).outcome.unwrap_err().kind());
        mend(&mut bytes);
    }
    kinds.push(case.judge(|b| b.clone_from(&bytes)).outcome.unwrap_err().kind());
    assert_eq!(kinds, [1, 2, 4, 5, 6, 7, 8, 9, 10]);
}
