//! Sending and receiving an advert allocates nothing once the buffers have grown.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use vrrp::config::{Family, Version};
use vrrp::io::{Outgoing, ReceiveBatch, SendBatch};
use vrrp::packet::{
    AddressSet, AdvertSpec, ChecksumForm, ChecksumPolicy, Expect, Packet, Stats, Template, validate,
};

mod sys;

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn template(addresses: &[IpAddr]) -> Template {
    Template::new(&AdvertSpec {
        version: Version::V3,
        vrid: 1,
        priority: 100,
        interval: Duration::from_secs(1),
        addresses,
        password: None,
        source: PEER,
        destination: PEER,
        checksum: ChecksumForm::Destination,
        id: 1,
        ttl: 255,
    })
    .unwrap()
}

#[test]
fn sending_an_advert_allocates_nothing() {
    let mut template = template(&[PEER]);
    let mut batch = SendBatch::new();
    // Not a raw socket: the kernel refuses each packet, after all of our part has run.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut burst = |id: u16| {
        for tag in 0..100 {
            template.set_priority(tag as u8);
            template.set_id(id);
            template.set_destination(PEER);
            batch.push(Outgoing::advert(0, tag, &template, 0)).unwrap();
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
    let ours: Vec<IpAddr> = (0..20).map(|n| Ipv4Addr::new(10, 0, 0, n).into()).collect();
    let theirs: Vec<IpAddr> = ours.iter().rev().copied().collect();
    let template = template(&theirs);
    let addresses = AddressSet::new(Family::V4, ours);
    let expect = Expect {
        version: Version::V3,
        interval: Duration::from_secs(1),
        password: None,
        peers: &[],
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
                stats.record(&validate(&packet, &expect));
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
