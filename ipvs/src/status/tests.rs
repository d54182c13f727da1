use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use netlink::codec::{Messages, Writer};
use netlink::generic::Family as Netlink;
use proptest::prelude::*;

use super::*;
use crate::batch::Change;
use crate::service::Service;
use crate::wire;

const FAMILY: Netlink = Netlink::new(30, 1);

fn encoded(change: &Change) -> Vec<u8> {
    let mut writer = Writer::new();
    wire::write(&mut writer, FAMILY, change).unwrap();
    writer.as_bytes().to_vec()
}

fn with_message<T>(bytes: &[u8], read: impl FnOnce(&Message<'_>) -> T) -> T {
    read(&Messages::new(bytes).next().unwrap())
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
    ]
}

fn keys() -> impl Strategy<Value = ServiceKey> {
    let protocols = prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let families = prop::sample::select(vec![Family::Inet, Family::Inet6]);
    prop_oneof![
        (protocols, addresses(), any::<u16>()).prop_map(|(p, a, n)| ServiceKey::Address(p, a, n)),
        (1u32.., families).prop_map(|(mark, family)| ServiceKey::Mark(mark, family)),
    ]
}

prop_compose! {
    fn services()(
        key in keys(),
        flags in 0u32..16,
        persistence in prop_oneof![Just(0), 1u32..],
        mask in prop::option::of(0u32..32),
        engine in prop::option::of("[a-z]{1,8}"),
    ) -> Service {
        let granularity = mask.map(|bits| match key.family() {
            Family::Inet => !(u32::MAX >> bits),
            Family::Inet6 => bits + 1,
        });
        let engine = engine.map(Rc::from);
        Service { key, scheduler: "wlc", flags: flags << 2, persistence, granularity, engine }
    }
}

fn forwardings() -> impl Strategy<Value = Forwarding> {
    let checksums = prop::sample::select(vec![Checksum::None, Checksum::Full, Checksum::Remote]);
    let tunnels = prop_oneof![any::<u16>().prop_map(Tunnel::Gue), Just(Tunnel::Gre)];
    prop_oneof![
        Just(Forwarding::Nat),
        Just(Forwarding::Direct),
        Just(Forwarding::Tunnel(Tunnel::Ipip, Checksum::None)),
        (tunnels, checksums).prop_map(|(t, c)| Forwarding::Tunnel(t, c)),
    ]
}

prop_compose! {
    fn destinations()(
        address in addresses(),
        port in any::<u16>(),
        forwarding in forwardings(),
        weight in any::<u32>(),
        upper_threshold in any::<u32>(),
        lower_threshold in any::<u32>(),
    ) -> Destination {
        Destination { address, port, forwarding, weight, upper_threshold, lower_threshold }
    }
}

proptest! {
    #[test]
    fn what_is_asked_for_is_what_would_be_read(service in services(), destination in destinations()) {
        let bytes = encoded(&Change::AddService(service.clone()));
        let seen = with_message(&bytes, ServiceStatus::decode).unwrap();
        prop_assert_eq!(seen.key, service.key);
        prop_assert_eq!(&seen.scheduler, service.scheduler);
        prop_assert_eq!(seen.flags, service.flags);
        prop_assert_eq!(seen.persistence, service.persistence);
        prop_assert_eq!(seen.granularity, service.granularity);
        let engine = service.engine.as_deref().filter(|_| service.persistence > 0);
        prop_assert_eq!(seen.engine.as_deref(), engine);

        let change = Change::SetDestination(service.clone(), destination);
        let bytes = encoded(&change);
        let key = with_message(&bytes, ServiceStatus::decode).unwrap().key;
        prop_assert_eq!(key, service.key);
        let seen = with_message(&bytes, |m| DestinationStatus::decode(m, Family::Inet)).unwrap();
        prop_assert_eq!(seen.destination, destination);
    }

    #[test]
    fn odd_replies_never_panic(
        service in services(),
        destination in destinations(),
        damage in prop::collection::vec((16usize..300, any::<u8>()), 0..6),
        end in 16usize..300,
    ) {
        let mut bytes = encoded(&Change::AddDestination(service, destination));
        for (position, value) in damage {
            if let Some(byte) = bytes.get_mut(position) {
                *byte = value;
            }
        }
        let payload = bytes.get(16..end.min(bytes.len())).unwrap_or_default();
        let message = Message { kind: 30, flags: 0, seq: 1, port: 0, payload };
        let _ = ServiceStatus::decode(&message);
        let _ = DestinationStatus::decode(&message, Family::Inet6);
        let _ = timeouts(&message);
    }

    #[test]
    fn random_bytes_never_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let message = Message { kind: 30, flags: 0, seq: 1, port: 0, payload: &payload };
        let _ = ServiceStatus::decode(&message);
        let _ = DestinationStatus::decode(&message, Family::Inet);
        let _ = timeouts(&message);
        let attribute = Attribute { kind: 1, value: &payload };
        let _ = statistics(Some(attribute), None);
    }
}

/// A reply about a destination with both nests of statistics, or only the narrow one.
fn with_statistics(wide: bool) -> DestinationStatus {
    let mut writer = Writer::new();
    let written = FAMILY.message(&mut writer, 5, 0, 1, |w| {
        w.nest(top::DEST, |w| {
            w.attribute(dest::ADDR, &[10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            w.attribute(dest::PORT, &443_u16.to_be_bytes());
            w.u32(dest::FWD_METHOD, 0x103);
            w.u32(dest::ACTIVE_CONNS, 4);
            w.u32(dest::INACT_CONNS, 5);
            w.u32(dest::PERSIST_CONNS, 6);
            w.nest(dest::STATS, |w| {
                w.u32(1, u32::MAX);
                w.attribute(4, &7_u64.to_ne_bytes());
                w.u32(10, 9);
            });
            if wide {
                w.nest(dest::STATS64, |w| {
                    w.attribute(1, &(1_u64 << 40).to_ne_bytes());
                    w.attribute(11, &[]);
                    w.attribute(10, &10_u64.to_ne_bytes());
                });
            }
        });
    });
    written.unwrap();
    with_message(writer.as_bytes(), |m| DestinationStatus::decode(m, Family::Inet)).unwrap()
}

#[test]
fn the_wide_numbers_are_preferred_and_old_kernels_understood() {
    let status = with_statistics(true);
    assert_eq!(status.statistics.connections, 1 << 40);
    assert_eq!((status.statistics.bytes_in, status.statistics.byte_rate_out), (0, 10));
    let status = with_statistics(false);
    assert_eq!(status.statistics.connections, u32::MAX.into());
    assert_eq!((status.statistics.bytes_in, status.statistics.byte_rate_out), (7, 9));
    assert_eq!((status.active, status.inactive, status.persistent), (4, 5, 6));
    assert_eq!(status.destination.address, IpAddr::from([10, 0, 0, 9]));
    assert_eq!(status.destination.forwarding, Forwarding::Direct);
    assert_eq!(status.destination.port, 443);
}
