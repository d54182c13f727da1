//! Frames that tell the neighbours where an address lives now. Pure functions of the addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, EtherType, Ethernet2Header, IpNumber, Ipv6FlowLabel, Ipv6Header,
};

use crate::packet::checksum;

/// Bytes of a gratuitous ARP frame; the driver pads it.
pub const ARP_LEN: usize = 42;
/// Bytes of an unsolicited neighbour advert frame.
pub const NA_LEN: usize = 86;
/// Where neighbour adverts for everybody go on Ethernet.
pub const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ETHERNET_LEN: usize = 14;
const IPV6_LEN: usize = 40;
/// Neighbour advert with the option for the target's link-layer address.
const NA_MESSAGE_LEN: usize = NA_LEN - ETHERNET_LEN - IPV6_LEN;
const NEIGHBOUR_ADVERT: u8 = 136;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;
const OPTION_TARGET_LINK_LAYER: u8 = 2;

/// ARP request for `address` from itself (RFC 5227 section 3): sender and target are the same.
pub fn gratuitous_arp(mac: [u8; 6], broadcast: [u8; 6], address: Ipv4Addr) -> [u8; ARP_LEN] {
    let ethernet =
        Ethernet2Header { destination: broadcast, source: mac, ether_type: EtherType::ARP };
    let arp = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: mac,
        sender_ipv4: address.octets(),
        target_mac: broadcast,
        target_ipv4: address.octets(),
    };
    let mut frame = [0; ARP_LEN];
    frame[..ETHERNET_LEN].copy_from_slice(&ethernet.to_bytes());
    frame[ETHERNET_LEN..].copy_from_slice(&arp.to_bytes());
    frame
}

/// Neighbour advert for `address` to all nodes (RFC 4861 section 4.4), overriding what they have.
/// `router`: the sender forwards IPv6.
pub fn unsolicited_na(mac: [u8; 6], address: Ipv6Addr, router: bool) -> [u8; NA_LEN] {
    let ethernet =
        Ethernet2Header { destination: ALL_NODES_MAC, source: mac, ether_type: EtherType::IPV6 };
    let ip = Ipv6Header {
        traffic_class: 0,
        flow_label: Ipv6FlowLabel::ZERO,
        payload_length: NA_MESSAGE_LEN as u16,
        next_header: IpNumber::IPV6_ICMP,
        hop_limit: 255,
        source: address.octets(),
        destination: ALL_NODES.octets(),
    };
    let mut frame = [0; NA_LEN];
    frame[..ETHERNET_LEN].copy_from_slice(&ethernet.to_bytes());
    frame[ETHERNET_LEN..ETHERNET_LEN + IPV6_LEN].copy_from_slice(&ip.to_bytes());
    let message = &mut frame[ETHERNET_LEN + IPV6_LEN..];
    message[0] = NEIGHBOUR_ADVERT;
    message[4] = FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    message[8..24].copy_from_slice(&address.octets());
    message[24] = OPTION_TARGET_LINK_LAYER;
    // Its length in units of eight bytes.
    message[25] = 1;
    message[26..32].copy_from_slice(&mac);
    let sum = checksum::ipv6(address, ALL_NODES, IpNumber::IPV6_ICMP.0, message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    frame
}
