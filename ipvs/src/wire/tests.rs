use std::rc::Rc;

use super::*;

/// A family number no attribute has, to see it in the bytes.
const FAMILY: Netlink = Netlink::new(0x5a5a, 1);

fn bytes(change: &Change) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer, FAMILY, change).unwrap();
    writer.as_bytes().to_vec()
}

/// The request as hexadecimal text: header and command, then each attribute of the outermost two
/// levels on its own line. Little-endian machines only, as the texts below are.
fn golden(change: &Change, command: u8, expected: &[&str]) {
    if cfg!(target_endian = "big") {
        return;
    }
    let bytes = bytes(change);
    let mut all = String::new();
    for word in expected.iter().flat_map(|line| line.split_whitespace()) {
        all.push_str(word);
    }
    let body: Vec<u8> = (0..all.len() / 2)
        .map(|n| u8::from_str_radix(&all[2 * n..2 * n + 2], 16).unwrap())
        .collect();
    let mut wanted = u32::try_from(20 + body.len()).unwrap().to_le_bytes().to_vec();
    wanted.extend([0x5a, 0x5a, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, command, 1, 0, 0]);
    wanted.extend(body);
    assert_eq!(bytes, wanted, "{bytes:02x?}\n{wanted:02x?}");
}

fn service(key: ServiceKey) -> Service {
    Service { key, scheduler: "wrr", flags: 0, persistence: 0, granularity: None, engine: None }
}

fn web() -> Service {
    service(ServiceKey::Address(Protocol::Tcp, "10.0.0.1".parse().unwrap(), 80))
}

fn real(forwarding: Forwarding) -> Destination {
    Destination {
        address: "192.168.7.9".parse().unwrap(),
        port: 8080,
        forwarding,
        weight: 3,
        upper_threshold: 100,
        lower_threshold: 50,
    }
}

/// The service in a destination request: 84 bytes.
const PLAIN: &str = "5400 0180  0600 0100 0200 0000  0600 0200 0600 0000
    1400 0300 0a000001 00000000 00000000 00000000  0600 0400 0050 0000
    0800 0600 77727200  0c00 0700 00000000 ffffffff  0800 0800 00000000  0800 0900 ffffffff";

#[test]
fn a_service_that_is_plain() {
    golden(&Change::AddService(web()), 1, &[PLAIN]);
    golden(&Change::SetService(web()), 2, &[PLAIN]);
    golden(&Change::DeleteService(web()), 3, &[PLAIN]);
}

#[test]
fn a_persistent_service_with_everything() {
    let service = Service {
        scheduler: "sh",
        flags: 0x4 | 0x8 | 0x10,
        persistence: 300,
        granularity: Some(0xffff_ff00),
        engine: Some(Rc::from("sip")),
        ..service(ServiceKey::Address(Protocol::Udp, "10.0.0.1".parse().unwrap(), 5060))
    };
    golden(
        &Change::AddService(service),
        1,
        &[
            "5c00 0180  0600 0100 0200 0000  0600 0200 1100 0000",
            "1400 0300 0a000001 00000000 00000000 00000000  0600 0400 13c4 0000",
            "0700 0600 73680000  0800 0b00 73697000",
            "0c00 0700 1d000000 ffffffff  0800 0800 2c010000  0800 0900 ffffff00",
        ],
    );
}

#[test]
fn an_engine_without_persistence_is_not_sent() {
    let with = Service { engine: Some(Rc::from("sip")), ..web() };
    assert_eq!(bytes(&Change::AddService(with)), bytes(&Change::AddService(web())));
}

#[test]
fn a_mark_of_ipv6_has_its_mask_as_a_length() {
    let service = Service {
        persistence: 60,
        granularity: Some(64),
        ..service(ServiceKey::Mark(7, Family::Inet6))
    };
    golden(
        &Change::AddService(service),
        1,
        &[
            "3800 0180  0600 0100 0a00 0000  0800 0500 07000000  0800 0600 77727200",
            "0c00 0700 01000000 ffffffff  0800 0800 3c000000  0800 0900 40000000",
        ],
    );
}

#[test]
fn a_destination_carries_a_service_without_persistence() {
    let service = Service {
        persistence: 300,
        granularity: Some(0xff00_0000),
        engine: Some(Rc::from("sip")),
        ..web()
    };
    let forwarding = Forwarding::Tunnel(Tunnel::Gue(6080), Checksum::Remote);
    let change = Change::AddDestination(service, real(forwarding));
    golden(
        &change,
        5,
        &[
            PLAIN,
            "6000 0280  0600 0b00 0200 0000  1400 0100 c0a80709 00000000 00000000 00000000",
            "0600 0200 1f90 0000  0800 0300 02000000  0800 0400 03000000",
            "0500 0d00 01000000  0600 0e00 17c0 0000  0600 0f00 0200 0000",
            "0800 0500 64000000  0800 0600 32000000",
        ],
    );
}

#[test]
fn only_tunnels_have_tunnel_attributes() {
    let nat = "4800 0280  0600 0b00 0200 0000  1400 0100 c0a80709 00000000 00000000 00000000
        0600 0200 1f90 0000  0800 0300 00000000  0800 0400 03000000
        0800 0500 64000000  0800 0600 32000000";
    golden(&Change::SetDestination(web(), real(Forwarding::Nat)), 6, &[PLAIN, nat]);
    let direct = nat.replace("0800 0300 00000000", "0800 0300 03000000");
    golden(&Change::DeleteDestination(web(), real(Forwarding::Direct)), 7, &[PLAIN, &direct]);
    let kinds = nat.replace("4800 0280", "5000 0280").replace("0300 00000000", "0300 02000000");
    let ipip = kinds.replace("0800 0400 03000000", "0800 0400 03000000 0500 0d00 00000000");
    // Without flags, whatever was configured.
    let forwarding = Forwarding::Tunnel(Tunnel::Ipip, Checksum::Full);
    golden(&Change::AddDestination(web(), real(forwarding)), 5, &[PLAIN, &ipip]);
    let forwarding = Forwarding::Tunnel(Tunnel::Gre, Checksum::Full);
    let gre = ipip
        .replace("5000 0280", "5800 0280")
        .replace("0500 0d00 00000000", "0500 0d00 02000000 0600 0f00 0100 0000");
    golden(&Change::AddDestination(web(), real(forwarding)), 5, &[PLAIN, &gre]);
}

#[test]
fn the_sync_daemon_and_the_rest() {
    let daemon = Daemon {
        state: DaemonState::Backup,
        interface: "eth0".to_owned(),
        id: 51,
        max_length: Some(1400),
        port: Some(8849),
        ttl: Some(3),
        group: Some("224.0.0.88".parse().unwrap()),
    };
    let start = "0800 0100 02000000  0900 0200 65746830 00000000  0800 0300 33000000
        0600 0400 7805 0000  0600 0700 9122 0000  0500 0800 03000000";
    golden(&Change::StartDaemon(daemon.clone()), 9, &["4000 0380", start, "0800 0500 e0000058"]);
    let six = Daemon { group: Some("ff02::81".parse().unwrap()), ..daemon.clone() };
    golden(
        &Change::StartDaemon(six),
        9,
        &["4c00 0380", start, "1400 0600 ff020000 00000000 00000000 00000081"],
    );
    let plain = Daemon {
        state: DaemonState::Master,
        max_length: None,
        port: None,
        ttl: None,
        group: None,
        ..daemon
    };
    golden(
        &Change::StartDaemon(plain),
        9,
        &["2000 0380  0800 0100 01000000  0900 0200 65746830 00000000  0800 0300 33000000"],
    );
    golden(
        &Change::StopDaemon(DaemonState::Master, 51),
        10,
        &["1400 0380  0800 0100 01000000  0800 0300 33000000"],
    );
    golden(&Change::Flush, 17, &[]);
    let timeouts = Timeouts { tcp: 900, tcp_fin: 120, udp: 300 };
    golden(
        &Change::SetTimeouts(timeouts),
        12,
        &["0800 0400 84030000  0800 0500 78000000  0800 0600 2c010000"],
    );
}
