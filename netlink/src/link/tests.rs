use netlink_packet_core::{Emitable, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use proptest::prelude::*;

use super::*;
use crate::codec::Messages;

fn emitted(message: &LinkMessage) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

/// A message as another implementation writes it, with attributes we do not know around ours.
fn message(link: &Link) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = link.index;
    message.header.link_layer_type = link.hw_type.into();
    message.header.flags = LinkFlags::from_bits_retain(link.flags);
    message.attributes = vec![
        LinkAttribute::TxQueueLen(1000),
        LinkAttribute::IfName(link.name.clone()),
        LinkAttribute::Qdisc("noqueue".into()),
        LinkAttribute::Mtu(link.mtu),
        LinkAttribute::Address(link.mac.clone()),
        LinkAttribute::Broadcast(link.broadcast.clone()),
        LinkAttribute::Group(link.group),
    ];
    let optional = [
        link.kind.as_ref().map(|kind| {
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Other(kind.clone()))])
        }),
        link.parent.map(LinkAttribute::Link),
        link.master.map(LinkAttribute::Controller),
    ];
    message.attributes.extend(optional.into_iter().flatten());
    message.attributes.push(LinkAttribute::NumTxQueues(1));
    message
}

fn links() -> impl Strategy<Value = Link> {
    // The other implementation replaces hardware types it does not know.
    let hw_type = prop::sample::select(vec![1u16, 32, 772, 776]);
    let numbers = (1u32.., any::<u32>(), any::<u32>(), hw_type, any::<u32>());
    let texts = ("[a-z][a-z0-9.-]{0,14}", prop::option::of("[a-z]{1,15}"));
    let hardware = prop::collection::vec(any::<u8>(), 0..33);
    (numbers, texts, hardware.clone(), hardware, prop::option::of(1u32..), prop::option::of(1u32..))
        .prop_map(|(numbers, texts, mac, broadcast, parent, master)| {
            let (index, flags, mtu, hw_type, group) = numbers;
            let (name, kind) = texts;
            let sublink = None;
            Link {
                index,
                name,
                flags,
                mtu,
                hw_type,
                mac,
                broadcast,
                kind,
                sublink,
                parent,
                master,
                group,
            }
        })
}

proptest! {
    #[test]
    fn another_implementations_links_are_understood(link in links()) {
        prop_assert_eq!(Link::decode(&emitted(&message(&link))), Some(link));
    }

    /// The damage that makes a strict decoder give up the whole message.
    #[test]
    fn one_attribute_of_an_odd_size_loses_no_link(
        link in links(),
        kind in 1u16..70,
        size in 0usize..12,
        position in 0usize..8,
    ) {
        let mut attributes = message(&link).attributes;
        let odd = LinkAttribute::Other(netlink_packet_core::DefaultNla::new(kind, vec![0xee; size]));
        attributes.insert(position.min(attributes.len()), odd);
        let mut damaged = message(&link);
        damaged.attributes = attributes;
        let decoded = Link::decode(&emitted(&damaged));
        if kind == IFLA_WIRELESS {
            prop_assert_eq!(decoded, None);
        } else {
            let decoded = decoded.unwrap();
            prop_assert_eq!((decoded.index, decoded.flags), (link.index, link.flags));
        }
    }
}

#[test]
fn a_dump_request_reads_the_same_elsewhere() {
    let mut writer = Writer::new();
    write_dump(&mut writer, 9).unwrap();
    let message = Messages::new(writer.as_bytes()).next().unwrap();
    assert_eq!((message.kind, message.flags, message.seq), (libc::RTM_GETLINK, 0x301, 9));
    let parsed = LinkMessage::parse(message.payload).unwrap();
    assert_eq!(parsed.header.index, 0);
    let [LinkAttribute::ExtMask(mask)] = &parsed.attributes[..] else { panic!("{parsed:?}") };
    assert_eq!(format!("{mask:?}"), "[SkipStats]");
}

#[test]
fn a_bridge_ports_message_is_not_about_the_link() {
    let mut port = message(&Link { index: 3, name: "eth0".into(), ..Link::default() });
    assert!(Link::decode(&emitted(&port)).is_some());
    port.header.interface_family = AddressFamily::Bridge;
    assert_eq!(Link::decode(&emitted(&port)), None);
}

#[test]
fn a_parent_in_another_namespace_has_no_index_here() {
    let link = Link { index: 3, parent: Some(8), ..Link::default() };
    let mut elsewhere = message(&link);
    assert_eq!(Link::decode(&emitted(&elsewhere)).unwrap().parent, Some(8));
    elsewhere.attributes.push(LinkAttribute::LinkNetNsId(0));
    assert_eq!(Link::decode(&emitted(&elsewhere)).unwrap().parent, None);
}

#[test]
fn up_means_up_and_running() {
    let with = |flags: libc::c_int| Link { flags: flags.unsigned_abs(), ..Link::default() };
    assert!(with(IFF_UP | IFF_RUNNING).is_up());
    assert!(!with(IFF_UP).is_up() && !with(IFF_RUNNING).is_up());
    assert!(with(0).has_arp() && !with(IFF_NOARP).has_arp());
    assert!(with(IFF_MULTICAST).has_multicast() && with(IFF_LOOPBACK).is_loopback());
}
