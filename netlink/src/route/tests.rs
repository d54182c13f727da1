use std::net::{Ipv4Addr, Ipv6Addr};

use netlink_packet_core::Parseable;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteLwEnCapType, RouteLwTunnelEncap, RouteMessage, RouteMetric,
    RouteNextHopFlags, RouteProtocol, RouteScope, RouteType,
};

use super::*;
use crate::codec::Messages;

fn index(name: &str) -> Option<u32> {
    name.strip_prefix("eth").and_then(|number| number.parse().ok())
}

/// What another implementation reads.
fn read(route: &Route) -> (u16, RouteMessage) {
    let mut writer = Writer::new();
    route.write_add(&mut writer, &index).unwrap();
    let message = Messages::new(writer.as_bytes()).next().unwrap();
    assert_eq!(message.kind, libc::RTM_NEWROUTE);
    (message.flags, RouteMessage::parse(message.payload).unwrap())
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// 10.1.0.0/16 via 192.0.2.1 dev eth3.
fn plain() -> Route {
    Route {
        destination: Some((v4("10.1.0.0").into(), 16)),
        protocol: ROUTE_PROTOCOL_KEEPALIVED,
        hop: Hop {
            via: Some(v4("192.0.2.1").into()),
            interface: Some("eth3".into()),
            ..Hop::default()
        },
        ..Route::default()
    }
}

#[test]
fn a_plain_route_is_read_elsewhere() {
    let (flags, message) = read(&plain());
    assert_eq!(i32::from(flags), libc::NLM_F_REQUEST | libc::NLM_F_CREATE);
    let header = &message.header;
    assert_eq!(header.address_family, AddressFamily::Inet);
    assert_eq!((header.destination_prefix_length, header.table), (16, libc::RT_TABLE_MAIN));
    assert_eq!((header.protocol, header.kind), (RouteProtocol::KeepAlived, RouteType::Unicast));
    assert_eq!(header.scope, RouteScope::Universe);
    let expected = [
        RouteAttribute::Table(254),
        RouteAttribute::Destination(RouteAddress::Inet(v4("10.1.0.0"))),
        RouteAttribute::Oif(3),
        RouteAttribute::Gateway(RouteAddress::Inet(v4("192.0.2.1"))),
    ];
    assert_eq!(message.attributes, expected);
}

#[test]
fn a_deletion_says_the_same_as_the_addition() {
    let (mut add, mut delete) = (Writer::new(), Writer::new());
    plain().write_add(&mut add, &index).unwrap();
    plain().write_delete(&mut delete, &index).unwrap();
    let of = |w: &Writer| Messages::new(w.as_bytes()).next().map(|m| (m.kind, m.payload.to_vec()));
    let ((_, added), (kind, deleted)) = (of(&add).unwrap(), of(&delete).unwrap());
    assert_eq!((kind, added), (libc::RTM_DELROUTE, deleted));
}

#[test]
fn everything_of_an_ipv6_route_is_read_elsewhere() {
    let route = Route {
        v6: true,
        insert: Insert::Append,
        from: Some((v6("2001:db8:1::").into(), 48)),
        source: Some(v6("2001:db8::9").into()),
        table: Some(1000),
        metric: Some(7),
        expires: Some(60),
        preference: Some(1),
        ..Route::default()
    };
    let (flags, message) = read(&route);
    let expected = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_APPEND;
    assert_eq!(i32::from(flags), expected);
    assert_eq!(message.header.address_family, AddressFamily::Inet6);
    assert_eq!((message.header.source_prefix_length, message.header.table), (48, 0));
    let text = format!("{:?}", message.attributes);
    assert_eq!(
        text,
        "[Table(1000), Source(Inet6(2001:db8:1::)), PrefSource(Inet6(2001:db8::9)), Priority(7), \
         Expires(60), Preference(High)]"
    );
}

#[test]
fn scopes_follow_from_the_kind() {
    let mut route = plain();
    assert_eq!(read(&route).1.header.scope, RouteScope::Universe);
    route.kind = Some(libc::RTN_BROADCAST);
    assert_eq!(read(&route).1.header.scope, RouteScope::Link);
    route.kind = Some(libc::RTN_LOCAL);
    let header = read(&route).1.header;
    assert_eq!((header.scope, header.table), (RouteScope::Host, libc::RT_TABLE_LOCAL));
    route.kind = Some(libc::RTN_BLACKHOLE);
    assert_eq!(read(&route).1.header.scope, RouteScope::Universe);
    route.scope = Some(200);
    assert_eq!(read(&route).1.header.scope, RouteScope::Site);
}

#[test]
fn metrics_are_locked_by_a_bit_each() {
    let metrics = vec![
        Metric { kind: 2, value: 1400, locked: true },
        Metric { kind: 8, value: 1360, locked: false },
    ];
    let route = Route { metrics, congestion: Some(("cubic".into(), true)), ..plain() };
    let expected = RouteAttribute::Metrics(vec![
        RouteMetric::Mtu(1400),
        RouteMetric::Advmss(1360),
        RouteMetric::CcAlgo("cubic".into()),
        RouteMetric::Lock(1 << 2 | 1 << 16),
    ]);
    assert!(read(&route).1.attributes.contains(&expected));
}

#[test]
fn several_ways_have_their_weights() {
    let hop = |via: &str, name: &str, weight| Hop {
        via: Some(v4(via).into()),
        interface: Some(name.into()),
        onlink: weight > 1,
        weight,
        ..Hop::default()
    };
    let hops = vec![hop("192.0.2.1", "eth1", 1), hop("192.0.2.2", "eth2", 256)];
    let route = Route { hop: Hop::default(), hops, ..plain() };
    let (_, message) = read(&route);
    let RouteAttribute::MultiPath(ways) = message.attributes.last().unwrap() else {
        panic!("{message:?}")
    };
    assert_eq!((ways[0].interface_index, ways[0].hops), (1, 0));
    assert_eq!((ways[1].interface_index, ways[1].hops), (2, 255));
    assert_eq!(ways[1].flags, RouteNextHopFlags::Onlink);
    let gateway = RouteAttribute::Gateway(RouteAddress::Inet(v4("192.0.2.2")));
    assert_eq!(ways[1].attributes, [gateway]);
}

#[test]
fn wrappings_are_read_elsewhere() {
    let with = |encapsulation| {
        let mut route = plain();
        route.hop.encapsulation = Some(encapsulation);
        read(&route).1.attributes
    };
    let text = format!("{:?}", with(Encapsulation::Mpls(vec![100, 200])));
    assert!(
        text.contains("EncapType(Mpls)")
            && text.contains("label: 100, traffic_class: 0, bottom_of_stack: false"),
        "{text}"
    );
    assert!(text.contains("label: 200, traffic_class: 0, bottom_of_stack: true"), "{text}");
    let attributes = with(Encapsulation::Ip {
        v6: false,
        id: Some(9),
        destination: Some(v4("192.0.2.7").into()),
        source: None,
        tos: Some(8),
        ttl: Some(64),
        flags: None,
    });
    assert!(attributes.contains(&RouteAttribute::EncapType(RouteLwEnCapType::Ip)));
    let Some(RouteAttribute::Encap(parts)) = attributes.last() else { panic!("{attributes:?}") };
    let parts: Vec<String> = parts
        .iter()
        .map(|part| match part {
            RouteLwTunnelEncap::Ip(part) => format!("{part:?}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(parts, ["Id(9)", "Destination(192.0.2.7)", "Ttl(64)", "Tos(8)"]);
}
