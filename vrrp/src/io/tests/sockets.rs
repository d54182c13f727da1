//! Real sockets across a real (virtual) cable.

use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use socket2::{Domain, Socket, Type};

use super::lan::Lan;
use super::*;
use crate::config::{Authentication, Version};
use crate::packet::{
    AddressSet, AdvertSpec, ChecksumForm, ChecksumPolicy, Expect, PROTOCOL, Sequence, Template,
    validate,
};

/// Takes datagrams until `wanted` have come or nothing comes for two seconds.
fn collect<T>(
    socket: &Socket,
    wanted: usize,
    slot_len: usize,
    mut map: impl FnMut(Datagram<'_>) -> T,
) -> Vec<T> {
    let mut batch = ReceiveBatch::new(slot_len);
    let mut all = Vec::new();
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    while all.len() < wanted {
        // Waits for the first byte; the batch itself never waits.
        let waiting = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
        assert!(waiting.is_ok(), "only {} of {wanted} datagrams came", all.len());
        loop {
            let received = batch.receive(socket.as_fd()).unwrap();
            let drained = received.drained();
            all.extend(received.map(&mut map));
            if drained {
                break;
            }
        }
    }
    all
}

fn authentication(version: Version) -> Authentication {
    match version {
        Version::V2 => Authentication::Password(*b"secret12"),
        Version::V3 => Authentication::None,
    }
}

fn template(vrid: u8, version: Version, source: IpAddr, destination: IpAddr) -> Template {
    let own = match Family::of(source) {
        Family::V4 => "10.9.0.100".parse().unwrap(),
        Family::V6 => "fe80::100".parse().unwrap(),
    };
    Template::new(&AdvertSpec {
        version,
        vrid,
        priority: 100,
        interval: Duration::from_secs(1),
        addresses: &[own],
        authentication: authentication(version),
        sequence: Sequence::default(),
        trailer: false,
        source,
        destination,
        checksum: ChecksumForm::Destination,
        id: 1,
        ttl: 255,
    })
    .unwrap()
}

/// Opens the pairs at both ends.
fn pairs(lan: &Lan, carriage: [Carriage; 2]) -> (SocketPair, SocketPair) {
    let open = |name: &str, carriage| {
        let key = SocketKey { interface: if_nametoindex(name).unwrap(), carriage, ah: false };
        SocketPair::open(key, Some(name), Some(256 << 10)).unwrap()
    };
    let left = lan.in_left(|| open("left", carriage[0]));
    let right = lan.in_right(|| open("right", carriage[1]));
    (left, right)
}

/// Sends more than a batch from left to right, judges it there, and one advert the other way.
fn exchange(
    lan: &Lan,
    carriage: [Carriage; 2],
    from: [IpAddr; 2],
    to: [IpAddr; 2],
    version: Version,
) {
    const COUNT: usize = BATCH + 6;
    let (left, right) = pairs(lan, carriage);
    let mut batch = SendBatch::new();
    let send = |batch: &mut SendBatch, pair: &SocketPair| {
        batch.flush(|_| Some(pair.send().as_fd()), |tag, error| panic!("advert {tag}: {error}"))
    };
    for vrid in 1..=COUNT as u8 {
        let advert = template(vrid, version, from[0], to[0]);
        batch.push(Outgoing::advert(0, 0, &advert, left.key().interface)).unwrap();
    }
    assert_eq!(send(&mut batch, &left), COUNT);
    assert!(batch.is_empty());

    let addresses = match left.key().family() {
        Family::V4 => AddressSet::new(Family::V4, ["10.9.0.100".parse().unwrap()]),
        Family::V6 => AddressSet::new(Family::V6, ["fe80::100".parse().unwrap()]),
    };
    let peers = match carriage[0] {
        Carriage::Multicast(_) => vec![],
        Carriage::Unicast(address) => {
            vec![crate::config::Peer { address, min_ttl: 0, max_ttl: 255 }]
        }
    };
    let expect = Expect {
        version,
        interval: Duration::from_secs(1),
        authentication: authentication(version),
        sequence: Sequence::default(),
        hmac: None,
        peers: &peers,
        check_source: true,
        addresses: &addresses,
        skip_addresses_of: None,
        checksum: ChecksumPolicy::Standard,
        ignore_adverts: false,
    };
    let vrids = collect(right.receive(), COUNT, 2048, |datagram| {
        assert!(datagram.defect().is_none() && !datagram.control_truncated);
        let packet = datagram.packet().unwrap();
        let accepted = validate(&packet, &expect).outcome.unwrap();
        assert_eq!(accepted.source, from[0]);
        assert_eq!(packet.destination(), to[0]);
        if let (IpAddr::V6(source), IpAddr::V6(destination)) = (from[0], to[0]) {
            let sum = checksum::ipv6(source, destination, PROTOCOL, datagram.bytes);
            assert_eq!(sum, 0, "the kernel fills in the checksum");
        }
        packet.vrid()
    });
    assert_eq!(vrids, (1..=COUNT as u8).collect::<Vec<_>>());

    let answer = template(77, version, from[1], to[1]);
    batch.push(Outgoing::advert(0, 0, &answer, right.key().interface)).unwrap();
    assert_eq!(send(&mut batch, &right), 1);
    let seen = collect(left.receive(), 1, 2048, |d| d.packet().unwrap().vrid());
    assert_eq!(seen, [77], "and none of its own");
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn multicast_ipv4() {
    Lan::run(|lan| {
        let group = ip("224.0.0.18");
        let from = [ip("10.9.0.1"), ip("10.9.0.2")];
        exchange(lan, [Carriage::Multicast(group); 2], from, [group; 2], Version::V2);
        let (left, _right) = pairs(lan, [Carriage::Multicast(group); 2]);
        left.rejoin().unwrap();
    });
}

#[test]
fn multicast_ipv6() {
    Lan::run(|lan| {
        let group = ip("ff02::12");
        let from = [ip("fe80::1"), ip("fe80::2")];
        exchange(lan, [Carriage::Multicast(group); 2], from, [group; 2], Version::V3);
        let (left, _right) = pairs(lan, [Carriage::Multicast(group); 2]);
        left.rejoin().unwrap();
    });
}

#[test]
fn unicast_ipv4() {
    Lan::run(|lan| {
        let from = [ip("10.9.0.1"), ip("10.9.0.2")];
        let to = [from[1], from[0]];
        exchange(lan, from.map(Carriage::Unicast), from, to, Version::V3);
    });
}

#[test]
fn unicast_ipv6() {
    Lan::run(|lan| {
        let from = [ip("fd09::1"), ip("fd09::2")];
        let to = [from[1], from[0]];
        exchange(lan, from.map(Carriage::Unicast), from, to, Version::V3);
    });
}

#[test]
fn hop_limit_of_an_ipv6_unicast_advert_can_be_chosen() {
    Lan::run(|lan| {
        let from = [ip("fd09::1"), ip("fd09::2")];
        let (left, right) = pairs(lan, from.map(Carriage::Unicast));
        let advert = template(1, Version::V3, from[0], from[1]);
        let outgoing = Outgoing {
            hop_limit: Some(42),
            ..Outgoing::advert(0, 0, &advert, left.key().interface)
        };
        let mut batch = SendBatch::new();
        batch.push(outgoing).unwrap();
        batch.flush(|_| Some(left.send().as_fd()), |_, error| panic!("{error}"));
        let limits = collect(right.receive(), 1, 2048, |d| d.hop_limit);
        assert_eq!(limits, [Some(42)]);
    });
}

#[test]
fn a_datagram_longer_than_the_slot_is_marked() {
    Lan::run(|lan| {
        let group = ip("224.0.0.18");
        let (left, right) = pairs(lan, [Carriage::Multicast(group); 2]);
        let advert = template(1, Version::V3, ip("10.9.0.1"), group);
        let mut batch = SendBatch::new();
        batch.push(Outgoing::advert(0, 0, &advert, 0)).unwrap();
        batch.flush(|_| Some(left.send().as_fd()), |_, error| panic!("{error}"));
        let seen = collect(right.receive(), 1, 16, |d| (d.bytes.len(), d.defect()));
        let defect = Defect::Truncated { len: 32, kept: 16 };
        assert_eq!(seen, [(16, Some(defect))]);
        assert_eq!(defect.to_string(), "message truncated from 32 to 16 bytes");
    });
}

#[test]
fn a_packet_the_kernel_refuses_does_not_stop_the_others() {
    Lan::run(|lan| {
        let group = ip("ff02::12");
        let (left, right) = pairs(lan, [Carriage::Multicast(group); 2]);
        let mut batch = SendBatch::new();
        // Nobody has the source of the second one; the fourth's socket is closed.
        let sources = ["fe80::1", "fe80::77", "fe80::1", "fe80::1"];
        for (tag, source) in sources.into_iter().enumerate() {
            let advert = template(tag as u8, Version::V3, ip(source), group);
            let socket = usize::from(tag == 3);
            batch.push(Outgoing::advert(socket, tag, &advert, left.key().interface)).unwrap();
        }
        let mut failed = Vec::new();
        let sent = batch.flush(
            |socket| (socket == 0).then(|| left.send().as_fd()),
            |tag, error| failed.push((tag, error.kind())),
        );
        assert_eq!(sent, 2);
        assert_eq!(failed, [(1, io::ErrorKind::InvalidInput), (3, io::ErrorKind::NotConnected)]);
        let seen = collect(right.receive(), 2, 2048, |d| d.packet().unwrap().vrid());
        assert_eq!(seen, [0, 2]);
    });
}

#[test]
fn a_missing_interface_is_an_error_with_its_name() {
    Lan::run(|lan| {
        lan.in_left(|| {
            let key = SocketKey {
                interface: 9999,
                carriage: Carriage::Multicast(ip("224.0.0.18")),
                ah: false,
            };
            let error = SocketPair::open(key, Some("nowhere"), None).unwrap_err().to_string();
            assert!(error.starts_with("(nowhere) cant do IP_ADD_MEMBERSHIP nowhere errno="));
        });
    });
}

/// All frames of both kinds and of every kind of advert, as another implementation sees them.
#[test]
fn a_network_analyser_finds_nothing_wrong() {
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("skipped: needs tshark");
        return;
    }
    Lan::run(|lan| {
        let tap = lan.in_right(|| {
            let all = libc::ETH_P_ALL as u16;
            Socket::new(Domain::PACKET, Type::RAW, Some(i32::from(all.to_be()).into())).unwrap()
        });
        let sent = send_one_of_each(lan);
        let mut frames: Vec<Vec<u8>> = Vec::new();
        while frames.len() < sent {
            let mine = |d: Datagram<'_>| d.bytes.to_vec();
            let some = collect(&tap, 1, 2048, mine);
            // Link-layer source of the left end: the right one speaks too.
            frames.extend(some.into_iter().filter(|f| f[6..12] == MAC && is_ours(f)));
        }
        assert_eq!(frames.len(), sent);
        judge(&frames);
    });
}

/// Adverts, ARP, neighbour adverts; not what the kernel sends on its own.
fn is_ours(frame: &[u8]) -> bool {
    match (frame[12], frame[13]) {
        (8, 0) => frame[23] == PROTOCOL,
        (8, 6) => true,
        (0x86, 0xdd) => frame[20] == PROTOCOL || (frame[20] == 58 && frame[54] == 136),
        _ => false,
    }
}

fn send_one_of_each(lan: &Lan) -> usize {
    let (group4, group6) = (ip("224.0.0.18"), ip("ff02::12"));
    let (four, _far4) = pairs(lan, [Carriage::Multicast(group4); 2]);
    let (six, _far6) = pairs(lan, [Carriage::Multicast(group6); 2]);
    let interface = four.key().interface;
    let adverts = [
        (0, template(0x33, Version::V2, ip("10.9.0.1"), group4)),
        (0, template(0x34, Version::V3, ip("10.9.0.1"), group4)),
        (1, template(0x35, Version::V3, ip("fe80::1"), group6)),
    ];
    let mut batch = SendBatch::new();
    for (socket, advert) in &adverts {
        batch.push(Outgoing::advert(*socket, 0, advert, interface)).unwrap();
    }
    let sockets = [four.send().as_fd(), six.send().as_fd()];
    batch.flush(|socket| sockets.get(socket).copied(), |_, error| panic!("{error}"));

    let mut channel = lan.in_left(GarpChannel::open).unwrap();
    let mut failed = Vec::new();
    channel.push_arp(0, interface, MAC, [0xff; 6], "10.9.0.100".parse().unwrap()).unwrap();
    channel.push_arp(1, 9999, MAC, [0xff; 6], "10.9.0.101".parse().unwrap()).unwrap();
    channel.push_na(2, interface, MAC, "fd09::100".parse().unwrap(), true).unwrap();
    assert_eq!(channel.flush(|tag, _| failed.push(tag)), 2);
    assert_eq!(failed, [1], "there is no such interface");
    assert!(channel.is_empty());
    adverts.len() + 2
}

fn judge(frames: &[Vec<u8>]) {
    let path = std::env::temp_dir().join(format!("ka-frames-{}.pcap", std::process::id()));
    std::fs::write(&path, capture_file(frames)).unwrap();
    let mut command = Command::new("tshark");
    command.arg("-r").arg(&path).args(["-o", "ip.check_checksum:TRUE", "-T", "fields"]);
    command.args(["-E", "separator=|"]);
    for field in [
        "vrrp.virt_rtr_id",
        "vrrp.checksum.status",
        "ip.checksum.status",
        "icmpv6.checksum.status",
        "arp.isgratuitous",
        "_ws.malformed",
    ] {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    std::fs::remove_file(&path).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).replace("True", "1");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    // Status 1 is "good". Advert v2, v3, v3 over IPv6; neighbour advert; ARP.
    let mut good = ["51|1|1|||", "52|1|1|||", "53|1||||", "|||1||", "||||1|"];
    good.sort_unstable();
    assert_eq!(lines, good, "{}", String::from_utf8_lossy(&output.stderr));
}

/// The frames in the classic capture format.
fn capture_file(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 2 | 4 << 16, 0, 0, 65535, 1] {
        file.extend(word.to_ne_bytes());
    }
    for frame in frames {
        for word in [0, 0, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_ne_bytes());
        }
        file.extend(frame);
    }
    file
}

/// The kernel keeps twice what it is asked for.
#[test]
fn a_receive_buffer_that_is_asked_for_is_had() {
    Lan::run(|lan| {
        lan.in_left(|| {
            let carriage = Carriage::Multicast("224.0.0.18".parse().unwrap());
            let key = SocketKey { interface: if_nametoindex("left").unwrap(), carriage, ah: false };
            let size = |asked: Option<usize>| {
                let pair = SocketPair::open(key, Some("left"), asked).unwrap();
                pair.receive().recv_buffer_size().unwrap()
            };
            assert_eq!(size(Some(40_000)), 80_000);
            assert_ne!(size(None), 80_000);
        });
    });
}
