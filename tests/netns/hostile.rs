//! A stranger on the network: whatever it sends, the state stays and the right counter moves.

use std::net::{Ipv4Addr, Ipv6Addr};

use testbed::{Injector, Lan, checksum_v6, v2_advert, v3_advert, v3_advert_v6, wait_for};

use crate::{instance, ours, ready, start, theirs, version_3};

const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 3);
const VIPS: [Ipv4Addr; 1] = [Ipv4Addr::new(10, 9, 0, 100)];

/// A packet, and the counter of the statistics that must move (none where there is no such counter).
struct Attack {
    name: &'static str,
    ttl: u8,
    payload: Vec<u8>,
    counter: Option<&'static str>,
}

impl Attack {
    fn new(name: &'static str, payload: Vec<u8>, counter: Option<&'static str>) -> Self {
        Self { name, ttl: 255, payload, counter }
    }
}

/// `advert` with the byte at `at` replaced, its checksum left as it was.
fn with_byte(advert: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut changed = advert.to_vec();
    changed[at] = byte;
    changed
}

/// Sends every attack at a pair of directors, one of which leads, and sees that nothing moves but counters.
#[track_caller]
fn withstand(
    configuration: impl Fn(u8) -> String,
    send: fn(&Injector, &Attack),
    attacks: &[Attack],
) {
    let lan = Lan::new();
    let (a, b, c) = (lan.host("a", 1), lan.host("b", 2), lan.host("c", 3));
    let leader = start(&a, &configuration(150));
    let backup = start(&b, &configuration(100));
    leader.wait_log("(H) Entering MASTER STATE");
    backup.wait_log("(H) Entering BACKUP STATE");
    let stranger = Injector::open(&c);

    for attack in attacks {
        let Some(counter) = attack.counter else {
            send(&stranger, attack);
            continue;
        };
        let before = [&leader, &backup].map(|daemon| daemon.counters("H"));
        send(&stranger, attack);
        for (daemon, before) in [&leader, &backup].iter().zip(before) {
            wait_for(&format!("{} counts as {counter}", attack.name), || {
                daemon.counters("H").get(counter) > before.get(counter)
            });
        }
    }
    for daemon in [&leader, &backup] {
        let before = daemon.counters("H").get("Advertisements/Received");
        let sent = daemon.counters("H").get("Advertisements/Sent");
        wait_for("adverts go on", || {
            let now = daemon.counters("H");
            now.get("Advertisements/Received") + now.get("Advertisements/Sent") > before + sent + 2
        });
    }
    let leads = leader.counters("H");
    assert_eq!((leads.get("Became master"), leads.get("Released master")), (1, 0));
    assert_eq!(backup.counters("H").get("Became master"), 0);
    leader.stop();
    backup.stop();
}

fn over_ipv4(stranger: &Injector, attack: &Attack) {
    stranger.send(STRANGER, attack.ttl, &attack.payload);
}

#[test]
fn version_2_with_password() {
    if !ready() {
        return;
    }
    let configuration = |priority| {
        let lines = "advert_int 1\n  authentication {\n  auth_type PASS\n  auth_pass secret12\n  }";
        instance("H", 68, priority, lines, &["10.9.0.100/24"])
    };
    let good = v2_advert(68, 254, &VIPS, Some("secret12"));
    let mut long = good.clone();
    long.extend([0; 400]);
    withstand(
        configuration,
        over_ipv4,
        &[
            Attack::new("a header cut short", good[..5].to_vec(), None),
            Attack::new("a truncated advert", good[..12].to_vec(), Some("Packet Errors/Length")),
            Attack::new("an oversized advert", long, Some("Packet Errors/Length")),
            Attack { ttl: 1, ..Attack::new("TTL 1", good.clone(), Some("Packet Errors/TTL")) },
            Attack::new("a wrong checksum", with_byte(&good, 6, good[6] ^ 0xff), None),
            Attack::new("a wrong version", with_byte(&good, 0, 0x41), None),
            Attack::new(
                "a wrong password",
                v2_advert(68, 254, &VIPS, Some("guess")),
                Some("Authentication Errors/Failure"),
            ),
            Attack::new(
                "no authentication",
                v2_advert(68, 254, &VIPS, None),
                Some("Authentication Errors/Type Mismatch"),
            ),
            Attack::new(
                "an unknown authentication",
                with_byte(&good, 4, 9),
                Some("Authentication Errors/Invalid Type"),
            ),
            Attack::new(
                "a wrong packet type",
                with_byte(&good, 0, 0x22),
                Some("Packet Errors/Invalid Type"),
            ),
            Attack::new("another interval", with_byte(&good, 5, 7), None),
            Attack::new("an unknown VRID", v2_advert(69, 254, &VIPS, Some("secret12")), None),
        ],
    );
}

#[test]
fn version_3_and_noise() {
    if !ready() {
        return;
    }
    let configuration = |priority| {
        version_3("") + &instance("H", 68, priority, "advert_int 0.25", &["10.9.0.100/24"])
    };
    let good = v3_advert(STRANGER, 68, 254, &VIPS, 25);
    let mut attacks = vec![
        Attack::new("an empty packet", Vec::new(), None),
        Attack::new("a truncated advert", good[..10].to_vec(), Some("Packet Errors/Length")),
        Attack { ttl: 1, ..Attack::new("TTL 1", good.clone(), Some("Packet Errors/TTL")) },
        Attack::new("a wrong checksum", with_byte(&good, 7, good[7] ^ 1), None),
        Attack::new("version 2 instead", v2_advert(68, 254, &VIPS, None), None),
        Attack::new(
            "more addresses than there are",
            with_byte(&good, 3, 200),
            Some("Packet Errors/Length"),
        ),
    ];
    // With the C daemon even a bad packet puts off the master's next advert: noise silences it.
    let packets = if ours() == theirs() { 0 } else { 500 };
    // A fixed sequence that looks like noise (the multiplier is Knuth's for 64-bit words), aimed at our VRID.
    let mut state = 1_u64;
    let mut noise = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    for _ in 0..packets {
        let length = usize::from(noise()) % 60;
        let mut payload: Vec<u8> = (0..length).map(|_| noise()).collect();
        if let Some(vrid) = payload.get_mut(1) {
            *vrid = 68;
        }
        attacks.push(Attack::new("noise", payload, None));
    }
    withstand(configuration, over_ipv4, &attacks);
}

/// Over IPv6 the kernel drops what has a wrong checksum; what is left must have the right one to be judged.
#[test]
fn version_3_over_ipv6() {
    if !ready() {
        return;
    }
    let vip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 9, 0x100);
    let stranger = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 3);
    let configuration = |priority| {
        version_3("") + &instance("H", 68, priority, "advert_int 0.25", &["fe80::9:100/64"])
    };
    let good = v3_advert_v6(stranger, 68, 254, &[vip], 25);
    let judged = |advert: Vec<u8>| checksum_v6(stranger, advert);
    let attacks = [
        Attack { ttl: 1, ..Attack::new("hop limit 1", good.clone(), Some("Packet Errors/TTL")) },
        Attack::new("half an address", judged(good[..16].to_vec()), Some("Packet Errors/Length")),
        Attack::new(
            "more addresses than there are",
            judged(with_byte(&good, 3, 9)),
            Some("Packet Errors/Length"),
        ),
        Attack::new("a wrong checksum", with_byte(&good, 7, good[7] ^ 1), None),
        Attack::new("a wrong version", judged(with_byte(&good, 0, 0x41)), None),
        Attack::new(
            "a wrong type",
            judged(with_byte(&good, 0, 0x34)),
            Some("Packet Errors/Invalid Type"),
        ),
        Attack::new("a header cut short", good[..6].to_vec(), None),
        Attack::new("an unknown VRID", judged(with_byte(&good, 1, 69)), None),
    ];
    withstand(configuration, |out, attack| out.send_v6(attack.ttl, &attack.payload), &attacks);
}
