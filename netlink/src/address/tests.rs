use std::net::Ipv6Addr;

use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressScope, CacheInfo,
};
use proptest::prelude::*;

use super::*;
use crate::batch::Batch;
use crate::codec::{Message, Messages};

fn same_family_pair() -> impl Strategy<Value = (IpAddr, Option<IpAddr>)> {
    let v4 = any::<(u32, Option<u32>)>().prop_map(|(ip, peer)| {
        let v4 = |bits| IpAddr::from(Ipv4Addr::from_bits(bits));
        (v4(ip), peer.map(v4))
    });
    let v6 = any::<(u128, Option<u128>)>().prop_map(|(ip, peer)| {
        let v6 = |bits| IpAddr::from(Ipv6Addr::from_bits(bits));
        (v6(ip), peer.map(v6))
    });
    prop_oneof![v4, v6]
}

prop_compose! {
    fn requests()(
        (ip, peer) in same_family_pair(),
        index in 1u32..,
        prefix in 0u8..=128,
        broadcast in prop::option::of(any::<u32>()),
        label in prop::option::of("[a-z]{1,5}:[a-z]{1,5}"),
        scope in any::<u8>(),
        (dad, home, mngtmpaddr, noprefixroute, autojoin) in any::<(bool, bool, bool, bool, bool)>(),
        preferred_lft in any::<Option<u32>>(),
    ) -> AddressRequest {
        AddressRequest {
            index, ip, prefix, peer, broadcast: broadcast.map(Ipv4Addr::from_bits), label, scope,
            dad, home, mngtmpaddr, noprefixroute, autojoin, preferred_lft,
        }
    }
}

/// What the other implementation reads from the one message that `write` writes.
fn read_elsewhere(
    write: impl FnOnce(&mut Writer) -> Result<(), TooLong>,
    judge: impl FnOnce(Message<'_>, AddressMessage),
) {
    let mut writer = Writer::new();
    write(&mut writer).unwrap();
    let message = Messages::new(writer.as_bytes()).next().unwrap();
    judge(message, AddressMessage::parse(message.payload).unwrap());
}

fn expected(request: &AddressRequest, add: bool) -> Vec<AddressAttribute> {
    let other = request.peer.unwrap_or(request.ip);
    let mut all = vec![AddressAttribute::Local(request.ip), AddressAttribute::Address(other)];
    if !add {
        return all;
    }
    let v4 = request.ip.is_ipv4();
    let mut flags = AddressFlags::empty();
    flags.set(AddressFlags::Nodad, !v4 && !request.dad);
    flags.set(AddressFlags::Homeaddress, !v4 && request.home);
    flags.set(AddressFlags::Managetempaddr, !v4 && request.mngtmpaddr);
    flags.set(AddressFlags::Noprefixroute, request.noprefixroute);
    flags.set(AddressFlags::Mcautojoin, request.autojoin);
    if !flags.is_empty() {
        all.push(AddressAttribute::Flags(flags));
    }
    all.push(AddressAttribute::Protocol(0x12.into()));
    if v4 {
        all.extend(request.broadcast.map(AddressAttribute::Broadcast));
        all.extend(request.label.clone().map(AddressAttribute::Label));
    } else if let Some(ifa_preferred) = request.preferred_lft {
        let mut lifetimes = CacheInfo::default();
        lifetimes.ifa_preferred = ifa_preferred;
        lifetimes.ifa_valid = u32::MAX;
        all.push(AddressAttribute::CacheInfo(lifetimes));
    }
    all
}

proptest! {
    #[test]
    fn our_requests_read_the_same_elsewhere(request in requests()) {
        read_elsewhere(|w| request.write_add(w), |message, parsed| {
            assert_eq!((message.kind, message.flags), (RTM_NEWADDR, 0x501));
            assert_eq!(parsed.header.index, request.index);
            assert_eq!(parsed.header.prefix_len, request.prefix);
            let v4 = request.ip.is_ipv4();
            let family = if v4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
            assert_eq!(parsed.header.family, family);
            assert_eq!(u8::from(parsed.header.scope), if v4 { request.scope } else { 0 });
            assert_eq!(parsed.attributes, expected(&request, true));
        });
        read_elsewhere(|w| request.write_delete(w), |message, parsed| {
            assert_eq!((message.kind, message.flags), (RTM_DELADDR, 1));
            assert_eq!(parsed.attributes, expected(&request, false));
        });
    }

    #[test]
    fn another_implementations_addresses_are_understood(request in requests(), protocol in any::<u8>(), lives in any::<(u32, u32)>()) {
        let v4 = request.ip.is_ipv4();
        let mut message = AddressMessage::default();
        message.header.family = if v4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.index = request.index;
        message.header.prefix_len = request.prefix;
        message.header.scope = AddressScope::from(request.scope);
        let mut lifetimes = CacheInfo::default();
        (lifetimes.ifa_preferred, lifetimes.ifa_valid) = lives;
        message.attributes = vec![
            AddressAttribute::Address(request.peer.unwrap_or(request.ip)),
            AddressAttribute::RoutePriority(4),
            AddressAttribute::Flags(AddressFlags::from_bits_retain(request.flags())),
            AddressAttribute::CacheInfo(lifetimes),
            AddressAttribute::Protocol(protocol.into()),
        ];
        // The kernel sends the local address of IPv6 only when there is a peer.
        if v4 || request.peer.is_some() {
            message.attributes.push(AddressAttribute::Local(request.ip));
        }
        message.attributes.extend(request.label.clone().map(AddressAttribute::Label));
        if v4 {
            message.attributes.extend(request.broadcast.map(AddressAttribute::Broadcast));
        }
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        let decoded = Address::decode(&bytes).unwrap();
        prop_assert_eq!(decoded, Address {
            index: request.index,
            ip: request.ip,
            prefix: request.prefix,
            peer: request.other_end(),
            broadcast: request.broadcast.filter(|_| v4),
            scope: request.scope,
            label: request.label.clone(),
            flags: request.flags(),
            protocol,
            preferred_lft: lives.0,
            valid_lft: lives.1,
        });
    }
}

#[test]
fn flags_beyond_eight_bits_replace_those_of_the_header() {
    let mut payload = vec![libc::AF_INET as u8, 24, 0x80, 0];
    payload.extend(5u32.to_ne_bytes());
    let mut with_attribute = payload.clone();
    for (bytes, expected) in [(&mut payload, 0x80), (&mut with_attribute, 0x280)] {
        bytes.extend([8, 0, IFA_LOCAL as u8, 0, 10, 0, 0, 1]);
        if expected == 0x280 {
            bytes.extend([8, 0, IFA_FLAGS as u8, 0]);
            bytes.extend(0x280u32.to_ne_bytes());
        }
        assert_eq!(Address::decode(bytes).unwrap().flags, expected);
    }
}

#[test]
fn a_message_without_an_address_is_no_address() {
    assert_eq!(Address::decode(&[libc::AF_INET as u8, 24, 0, 0, 1, 0, 0, 0]), None);
    assert_eq!(Address::decode(&[2, 24, 0, 0, 1, 0, 0, 0, 6, 0, 2, 0, 10, 0, 0, 0]), None);
    assert_eq!(Address::decode(&[]), None);
}

#[test]
fn a_peer_of_the_other_family_is_refused_before_it_is_sent() {
    let mut request = AddressRequest::new(1, Ipv4Addr::LOCALHOST.into(), 8);
    request.peer = Some(Ipv6Addr::LOCALHOST.into());
    let mut batch = Batch::new();
    batch.add_address(&request, 0);
    assert_eq!(batch.len(), 1);
    assert!(batch.piece(0, 1, 100).unwrap().bytes.is_empty());
}
