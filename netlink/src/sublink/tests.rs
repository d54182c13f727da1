use netlink_packet_core::Parseable;
use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, LinkAttribute, LinkInfo, LinkMessage, MacVlanMode,
};

use super::*;
use crate::codec::Messages;

/// The message another implementation reads, with its type and flags.
fn read(write: impl FnOnce(&mut Writer) -> Result<(), TooLong>) -> (u16, u16, LinkMessage) {
    let mut writer = Writer::new();
    write(&mut writer).unwrap();
    let message = Messages::new(writer.as_bytes()).next().unwrap();
    (message.kind, message.flags, LinkMessage::parse(message.payload).unwrap())
}

fn request(sublink: Sublink, mac: Option<[u8; 6]>, group: u32) -> SublinkRequest<'static> {
    SublinkRequest { name: "vrrp.51", parent: 7, sublink, mac, group }
}

#[test]
fn a_private_macvlan_is_asked_for_exclusively() {
    let mac = [0, 0, 0x5e, 0, 1, 51];
    let request = request(Sublink::PRIVATE_MACVLAN, Some(mac), 0);
    let (kind, flags, message) = read(|w| request.write_add(w));
    assert_eq!((kind, flags), (RTM_NEWLINK, 0x601));
    assert_eq!(
        message.attributes,
        [
            LinkAttribute::IfName("vrrp.51".into()),
            LinkAttribute::Link(7),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Private)])),
            ]),
        ]
    );
}

#[test]
fn an_ipvlan_has_mode_flags_and_a_group() {
    let request = request(Sublink::Ipvlan { mode: 0, flags: 2 }, None, 42);
    let (_, _, message) = read(|w| request.write_add(w));
    assert!(message.attributes.contains(&LinkAttribute::Group(42)));
    let Some(LinkAttribute::LinkInfo(info)) = message.attributes.last() else {
        panic!("{message:?}")
    };
    let LinkInfo::Data(InfoData::IpVlan(data)) = &info[1] else { panic!("{info:?}") };
    let [InfoIpVlan::Mode(mode), InfoIpVlan::Flags(flags)] = &data[..] else { panic!("{data:?}") };
    assert_eq!((u16::from(*mode), flags.bits()), (0, 2));
}

#[test]
fn setting_up_changes_that_flag_alone() {
    let (kind, flags, message) = read(|w| write_up(w, "vrrp.51"));
    assert_eq!((kind, flags, message.header.index), (RTM_NEWLINK, 1, 0));
    assert_eq!((message.header.flags.bits(), message.header.change_mask.bits()), (1, 1));
    assert_eq!(message.attributes, [LinkAttribute::IfName("vrrp.51".into())]);
    let (_, _, message) = read(|w| write_group(w, 3, 9));
    assert_eq!((message.header.index, message.header.change_mask.bits()), (3, 0));
    assert_eq!(message.attributes, [LinkAttribute::Group(9)]);
}

#[test]
fn what_is_no_sublink_or_damaged_is_none() {
    let decode = |bytes: &[u8]| Sublink::decode(&Attribute { kind: IFLA_LINKINFO, value: bytes });
    let mut writer = Writer::new();
    Sublink::Macvlan(4).write(&mut writer);
    let whole = writer.as_bytes().get(4..).unwrap().to_vec();
    assert_eq!(decode(&whole), Some(Sublink::Macvlan(4)));
    for end in 0..whole.len() {
        assert_eq!(decode(&whole[..end]), None);
    }
    let mut other = Writer::new();
    other.text(IFLA_INFO_KIND, "vlan");
    other.nest(IFLA_INFO_DATA, |w| w.u32(MACVLAN_MODE, 1));
    assert_eq!(decode(other.as_bytes()), None);
}
