//! `auth_hmac`: adverts with a signature behind them, between our daemons (Debian's C daemon does not know it yet).

use std::io::Write;
use std::process::{Command, Stdio};

use testbed::{Capture, Daemon, Injector, Lan, v3_advert, wait_for};

use crate::{instance, ready_for_ours, start, theirs, version_3, wait_holder};

const KEY: &str = "correct horse battery staple, 32+";
const VIP: &str = "10.9.0.100/24";
/// Between the addresses of the hosts.
const STRANGER: [u8; 4] = [10, 9, 0, 3];
/// Ethernet and IPv4.
const HEADERS: usize = 14 + 20;
/// An advert of one address.
const ADVERT: usize = 12;

/// Two keys, of which one signs.
fn configuration(priority: u8, active: u8, mode: &str) -> String {
    let lines = format!(
        "advert_int 0.25\n  auth_hmac {{\n    key 1 \"{KEY}\"\n    key 2 hex:{}\n    active_key {active}\n    \
         time_window 300\n    mode {mode}\n  }}",
        "5a".repeat(64)
    );
    version_3("") + &instance("S", 81, priority, &lines, &[VIP])
}

/// What follows the IPv4 header of the latest signed advert of a host, by its last octet.
fn latest(capture: &Capture, host: u8) -> Vec<u8> {
    let mut payload = Vec::new();
    wait_for("a signed advert", || {
        let from = [10, 9, 0, host];
        let frames = capture.frames().into_iter().rev();
        let mut adverts = frames.filter(|frame| {
            frame.len() == HEADERS + ADVERT + 28 && frame[23] == 112 && frame[26..30] == from
        });
        payload = adverts.next().map(|frame| frame[HEADERS..].to_vec()).unwrap_or_default();
        !payload.is_empty()
    });
    payload
}

/// The HMAC that `openssl` makes for an advert with a trailer.
fn hmac_of(payload: &[u8], source: [u8; 4]) -> Vec<u8> {
    let mut signed = vec![4, payload[0] >> 4, payload[1], 0];
    signed.extend(source);
    signed.extend([0; 12]);
    signed.extend(&payload[..6]);
    signed.extend([0; 2]);
    signed.extend(&payload[8..ADVERT + 12]);
    signed.extend([0; 16]);
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("key:{KEY}"), "-binary"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(&signed).unwrap();
    let output = openssl.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout[..16].to_vec()
}

/// Sends `payload` until the counter moves: a replay of an advert that was lost on its way is none.
fn provokes(
    daemon: &Daemon,
    counter: &str,
    mut payload: impl FnMut() -> Vec<u8>,
    out: &Injector,
    source: [u8; 4],
) {
    let name = format!("Authentication Extension Errors/{counter}");
    let before = daemon.counters("S").get(&name);
    wait_for(&name, || {
        out.send(source.into(), 255, &payload());
        daemon.counters("S").get(&name) > before
    });
}

/// The signature is as `openssl` would make it, strangers cannot make or repeat one, keys are exchanged without
/// a gap, and a backup takes over.
#[test]
fn adverts_are_signed_and_nothing_else_counts() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let (a, b, c) = (lan.host("a", 1), lan.host("b", 2), lan.host("c", 3));
    let leader = start(&a, &configuration(150, 1, "enforce"));
    let backup = start(&b, &configuration(100, 1, "enforce"));
    wait_holder(&a, &b, &[VIP.trim_end_matches("/24")]);

    let advert = latest(lan.capture(), 1);
    assert_eq!(advert[ADVERT..ADVERT + 4], [1, 1, 0, 0], "type, key, reserved");
    assert_eq!(advert[ADVERT + 12..], hmac_of(&advert, [10, 9, 0, 1]));

    let out = Injector::open(&c);
    let plain = || v3_advert(STRANGER.into(), 81, 254, &[[10, 9, 0, 100].into()], 25);
    provokes(&backup, "Missing", plain, &out, STRANGER);
    let repeated = || latest(lan.capture(), 1);
    provokes(&backup, "Replay", repeated, &out, [10, 9, 0, 1]);
    let changed = |at: usize, bit: u8| {
        let mut advert = latest(lan.capture(), 1);
        advert[at] ^= bit;
        advert
    };
    // Another source than the signed one; priority, stamp and HMAC.
    provokes(&backup, "Invalid HMAC", || latest(lan.capture(), 1), &out, STRANGER);
    for (at, bit) in [(2, 1), (ADVERT + 11, 1), (ADVERT + 27, 1)] {
        provokes(&backup, "Invalid HMAC", || changed(at, bit), &out, [10, 9, 0, 1]);
    }
    provokes(&backup, "Unknown Key", || changed(ADVERT + 1, 8), &out, [10, 9, 0, 1]);
    provokes(&backup, "Malformed", || changed(ADVERT, 2), &out, [10, 9, 0, 1]);
    provokes(&backup, "Stale", || changed(ADVERT + 4, 1), &out, [10, 9, 0, 1]);
    assert_eq!(backup.counters("S").get("Became master"), 0);

    for daemon in [&backup, &leader] {
        let priority = if std::ptr::eq(daemon, &leader) { 150 } else { 100 };
        daemon.reload(&configuration(priority, 2, "enforce"));
        daemon.wait_log("Reload complete");
    }
    wait_for("the new key is used", || latest(lan.capture(), 1)[ADVERT + 1] == 2);
    let received = backup.counters("S").get("Advertisements/Received");
    wait_for("the new key is accepted", || {
        backup.counters("S").get("Advertisements/Received") > received + 2
    });
    assert_eq!(backup.counters("S").get("Became master"), 0);
    leader.stop();
    backup.wait_log("(S) Entering MASTER STATE");
    for line in [
        "(S) missing authentication trailer from 10.9.0.3",
        "(S) replayed authentication trailer from 10.9.0.1",
        "(S) invalid authentication HMAC from 10.9.0.3",
        "(S) unknown authentication key id 9 from 10.9.0.1",
        "(S) malformed authentication trailer from 10.9.0.1",
        "(S) stale authentication trailer from 10.9.0.1, clock skew ",
    ] {
        assert_eq!(backup.logged(line), 1, "{line}");
    }
    backup.stop();
}

/// From a network without signatures to one with them, as one would roll it out: first those that only look, beside a C
/// daemon that does not know of it, then ones that sign and do not ask for it.
#[test]
fn signatures_are_introduced_step_by_step() {
    if !crate::ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let vip = [VIP.trim_end_matches("/24")];
    let unsigned = version_3("") + &instance("S", 81, 150, "advert_int 0.25", &[VIP]);
    let old = Daemon::start(&a, &theirs(), &unsigned);
    let ours = start(&b, &configuration(100, 1, "receive-only"));
    wait_holder(&a, &b, &vip);
    ours.reload(&configuration(200, 1, "receive-only"));
    wait_holder(&b, &a, &vip);
    old.wait_log("(S) Entering BACKUP STATE");

    // Now the old one is replaced.
    old.stop();
    let new = start(&a, &configuration(150, 1, "permissive"));
    new.wait_log("(S) Entering BACKUP STATE");
    let unsigned_heard = new.counters("S").get("Advertisements/Received");
    wait_for("unsigned adverts count", || {
        new.counters("S").get("Advertisements/Received") > unsigned_heard
    });
    ours.reload(&configuration(200, 1, "enforce"));
    let advert = latest(lan.capture(), 2);
    assert_eq!(advert[ADVERT + 12..], hmac_of(&advert, [10, 9, 0, 2]));
    new.reload(&configuration(150, 1, "enforce"));
    new.wait_log("Reload complete");
    let heard = new.counters("S").get("Advertisements/Received");
    wait_for("signed adverts count", || new.counters("S").get("Advertisements/Received") > heard);
    for daemon in [&ours, &new] {
        assert_eq!(daemon.counters("S").errors(), []);
    }
    assert_eq!(new.counters("S").get("Became master"), 0);
}
