use std::net::{Ipv4Addr, Ipv6Addr};

use super::frame::{gratuitous_arp, unsolicited_na};
use super::*;
use crate::config::Family;
use crate::packet::checksum;

mod lan;
mod sockets;

const MAC: [u8; 6] = [2, 0, 0, 0, 0x0a, 1];

#[test]
fn gratuitous_arp_matches_the_observed_bytes() {
    let frame = gratuitous_arp(MAC, [0xff; 6], Ipv4Addr::new(10, 9, 0, 100));
    let observed = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0x0a, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2,
        0, 0, 0, 0x0a, 1, 0x0a, 9, 0, 0x64, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0a, 9, 0, 0x64,
    ];
    assert_eq!(frame, observed);
}

#[test]
fn unsolicited_na_names_the_address_its_link_layer_and_whether_it_routes() {
    let address: Ipv6Addr = "fd00::2".parse().unwrap();
    let all_nodes: Ipv6Addr = "ff02::1".parse().unwrap();
    for (router, flags) in [(true, 0xa0), (false, 0x20)] {
        let frame = unsolicited_na(MAC, address, router);
        let (ip, message) = etherparse::Ipv6Header::from_slice(&frame[14..]).unwrap();
        assert_eq!(frame[..14], [0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0x0a, 1, 0x86, 0xdd]);
        assert_eq!((ip.source, ip.destination), (address.octets(), all_nodes.octets()));
        assert_eq!((ip.hop_limit, ip.next_header.0, ip.payload_length), (255, 58, 32));
        assert_eq!(message[..2], [136, 0]);
        assert_eq!(checksum::ipv6(address, all_nodes, 58, message), 0);
        assert_eq!(message[4..8], [flags, 0, 0, 0]);
        assert_eq!(message[8..24], address.octets());
        assert_eq!(message[24..], [2, 1, 2, 0, 0, 0, 0x0a, 1]);
    }
}

#[test]
fn socket_errors_carry_the_documented_texts() {
    let error = || io::Error::from_raw_os_error(1);
    let texts = [
        (SocketError::Open(error()), "cant open raw socket. errno=1"),
        (
            SocketError::Membership {
                interface: "eth0".into(),
                family: Family::V4,
                error: error(),
            },
            "(eth0) cant do IP_ADD_MEMBERSHIP eth0 errno=Operation not permitted (1)",
        ),
        (
            SocketError::Membership {
                interface: "eth0".into(),
                family: Family::V6,
                error: error(),
            },
            "(eth0) cant do IPV6_ADD_MEMBERSHIP eth0 errno=Operation not permitted (1)",
        ),
        (
            SocketError::BindMulticast(error()),
            "bind for multicast failed 1 - Operation not permitted",
        ),
        (
            SocketError::BindUnicast { source: MAC_OWNER.into(), error: error() },
            "bind unicast_src 10.9.0.1 failed 1 - Operation not permitted",
        ),
        (
            SocketError::BindDevice { interface: "eth0".into(), error: error() },
            "can't bind to device eth0. errno=1. (try to run it as root)",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

const MAC_OWNER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

#[test]
fn forwarding_of_nonsense_is_false() {
    for name in ["", "..", "../../..", "no-such-interface"] {
        assert!(!ipv6_forwarding(name), "{name}");
    }
}

#[test]
fn a_failing_item_is_reported_and_passed_over() {
    // Item 3 fails, the kernel takes two at a time, the first call is interrupted.
    let mut interrupted = false;
    let mut failed = Vec::new();
    let mut taken = Vec::new();
    let sent = batch::send_all(
        &[0, 1, 2, 3, 4],
        |items: &[i32]| {
            if !std::mem::replace(&mut interrupted, true) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if items[0] == 3 {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            let some: Vec<i32> = items.iter().copied().take(2).take_while(|&i| i != 3).collect();
            taken.extend(&some);
            Ok(some.len())
        },
        |&item, _| failed.push(item),
    );
    assert_eq!((sent, taken, failed), (4, vec![0, 1, 2, 4], vec![3]));
}
