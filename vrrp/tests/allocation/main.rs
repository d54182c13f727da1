//! Sending and receiving an advert allocates nothing once the buffers have grown.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use vrrp::config::{
    AntiReplay, Authentication, Family, HmacKey, HmacMode, HmacSettings, Peer, Version,
};
use vrrp::io::{Outgoing, ReceiveBatch, SendBatch};
use vrrp::packet::{
    AddressSet, AdvertSpec, ChecksumForm, ChecksumPolicy, Expect, HmacCheck, Packet, Sequence,
    Stamp, Stamps, Stats, Template, validate,
};

mod sys;

const KEY: [u8; 8] = *b"secret12";

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Of version 2 with an authentication header, or of version 3 with a trailer.
fn template(addresses: &[IpAddr], version: Version) -> Template {
    Template::new(&AdvertSpec {
        version,
        vrid: 1,
        priority: 100,
        interval: Duration::from_secs(1),
        addresses,
        authentication: Authentication::Ah(KEY),
        sequence: Sequence::default(),
        trailer: version == Version::V3,
        source: PEER,
        destination: PEER,
        checksum: ChecksumForm::Destination,
        id: 1,
        ttl: 255,
    })
    .unwrap()
}

fn hmac() -> HmacSettings {
    let keys = HmacKey::new(1, &[1; 32]).into_iter().collect();
    let anti_replay = AntiReplay::Time { window: 300 };
    HmacSettings { keys, active: 1, mode: HmacMode::Enforce, anti_replay }
}

fn now() -> Stamp {
    Stamp::of(SystemTime::now())
}

#[test]
fn sending_an_advert_allocates_nothing() {
    let hmac = hmac();
    let mut stamps = Stamps::default();
    let mut templates = [Version::V2, Version::V3].map(|version| template(&[PEER], version));
    let mut batch = SendBatch::new();
    // Not a raw socket: the kernel refuses each packet, after all of our part has run.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut burst = |id: u16| {
        let mut sequence = Sequence::default();
        for tag in 0..100 {
            let template = &mut templates[tag % 2];
            template.set_priority(tag as u8);
            template.set_id(id);
            template.set_destination(PEER);
            sequence.advance();
            template.sign(sequence);
            template.sign_trailer(&hmac.keys[0], stamps.next(now(), hmac.anti_replay));
            batch.push(Outgoing::advert(0, tag, template, 0)).unwrap();
        }
        let mut failed = 0;
        let sent = batch.flush(|_| Some(socket.as_fd()), |_, _| failed += 1);
        assert_eq!(sent + failed, 100);
    };
    burst(1);
    assert_eq!(sys::allocations(|| burst(2)), 0);
}

#[test]
fn receiving_an_advert_allocates_nothing() {
    receive(Version::V3);
    receive(Version::V2);
}

fn receive(version: Version) {
    let ours: Vec<IpAddr> = (0..20).map(|n| Ipv4Addr::new(10, 0, 0, n).into()).collect();
    let theirs: Vec<IpAddr> = ours.iter().rev().copied().collect();
    let mut template = template(&theirs, version);
    let mut sequence = Sequence::default();
    sequence.advance();
    template.sign(sequence);
    let (hmac, mut stamps) = (hmac(), Stamps::default());
    template.sign_trailer(&hmac.keys[0], stamps.next(now(), hmac.anti_replay));
    let check = HmacCheck { settings: &hmac, stamps: &stamps, now: now() };
    let addresses = AddressSet::new(Family::V4, ours);
    let peers = [Peer { address: PEER, min_ttl: 0, max_ttl: 255 }];
    let expect = Expect {
        version,
        interval: Duration::from_secs(1),
        authentication: match version {
            Version::V2 => Authentication::Ah(KEY),
            Version::V3 => Authentication::None,
        },
        sequence: Sequence::default(),
        hmac: (version == Version::V3).then_some(check),
        peers: &peers,
        check_source: false,
        addresses: &addresses,
        skip_addresses_of: None,
        checksum: ChecksumPolicy::Any,
        ignore_adverts: false,
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..10 {
        socket.send_to(template.bytes(), socket.local_addr().unwrap()).unwrap();
    }
    let mut batch = ReceiveBatch::new(2048);
    let mut stats = Stats::default();
    let mut judged = 0;
    let allocations = sys::allocations(|| {
        // The loopback delivers soon, not always at once.
        while judged < 10 {
            for datagram in batch.receive(socket.as_fd()).unwrap() {
                assert_eq!(datagram.source, Some(PEER));
                let packet = Packet::ipv4(datagram.bytes).unwrap();
                let verdict = validate(&packet, &expect);
                assert!(verdict.outcome.is_ok());
                stats.record(&verdict);
                judged += 1;
            }
        }
    });
    assert_eq!((judged, allocations), (10, 0));
}

#[test]
fn the_count_counts() {
    assert_eq!(sys::allocations(|| drop(std::hint::black_box(vec![1u8]))), 1);
}
