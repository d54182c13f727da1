//! The chains, maps and rules of load balancing.

use std::net::IpAddr;

use netlink::nft::{Hook, Meta, Set, Table, Transaction, Type, Verdict};

use crate::service::{Family, Protocol};
use crate::wire;

use super::Network;
use super::elements::{Element, map_name};

/// Names of chains.
const INPUT: &str = "in";
const POSTROUTING: &str = "postrouting";
/// `NF_IP_PRI_NAT_SRC`.
const PRIORITY_NAT: i32 = 100;

/// A table of a family.
pub(super) fn table(family: Family, name: &str) -> Table<'_> {
    let family = match family {
        Family::Inet => netlink::nft::Family::Ip,
        Family::Inet6 => netlink::nft::Family::Ip6,
    };
    Table { family, name }
}

/// Adds the chain for packets to this machine.
pub(super) fn add_input(transaction: &mut Transaction, table: Table<'_>, priority: i32) {
    transaction.add_base_chain(table, INPUT, "filter", Hook::Input, priority);
}

/// Adds the chain that masquerades.
pub(super) fn add_postrouting(transaction: &mut Transaction, table: Table<'_>) {
    transaction.add_base_chain(table, POSTROUTING, "nat", Hook::Postrouting, PRIORITY_NAT);
}

/// Adds a map from address and port to a mark.
pub(super) fn add_map(t: &mut Transaction, table: Table<'_>, map: &str, counters: bool) {
    let address = match table.family {
        netlink::nft::Family::Ip => Type::Ipv4Address,
        netlink::nft::Family::Ip6 => Type::Ipv6Address,
    };
    t.add_set(
        table,
        &Set {
            name: map,
            key: &[address, Type::Service],
            data: Some(Type::Mark),
            intervals: true,
            constant: false,
            counters,
        },
    );
}

pub(super) fn add_elements(t: &mut Transaction, table: Table<'_>, map: &str, list: &[Element]) {
    t.add_elements(table, map, list, write);
}

pub(super) fn delete_elements(t: &mut Transaction, table: Table<'_>, map: &str, list: &[Element]) {
    t.delete_elements(table, map, list, write);
}

fn write(to: &mut netlink::nft::Element<'_>, element: &Element) {
    to.key(&key(element.first, element.port));
    to.last(&key(element.last, element.port));
    to.data(&element.mark.to_ne_bytes());
}

/// Adds the rule that marks the packets of a protocol by its map.
pub(super) fn mark(t: &mut Transaction, table: Table<'_>, protocol: Protocol, counter: bool) {
    // Where the header has the destination, its length, and the register that follows it.
    let (offset, length, port_register) = match table.family {
        netlink::nft::Family::Ip => (16, 4, 9),
        netlink::nft::Family::Ip6 => (24, 16, 2),
    };
    t.add_rule(table, INPUT, |rule| {
        rule.load_meta(1, Meta::Protocol);
        let [_, number_of_protocol] = wire::protocol_number(protocol).to_be_bytes();
        rule.equal(&[number_of_protocol]);
        rule.load_network(1, offset, length);
        rule.load_transport(port_register, 2, 2);
        rule.look_up(map_name(protocol));
        rule.set_mark();
        if counter {
            rule.count();
        }
        rule.verdict(Verdict::Return);
    });
}

/// Adds the rule that masquerades what comes from a network.
pub(super) fn masquerade(transaction: &mut Transaction, table: Table<'_>, network: Network) {
    let mask = network.mask.octets();
    transaction.add_rule(table, POSTROUTING, |rule| {
        rule.load_network(1, 12, 4);
        if mask != [0xff; 4] {
            rule.mask(&mask);
        }
        rule.equal(&network.address.octets());
        rule.masquerade();
    });
}

/// Address and port, each padded to four bytes.
fn key(address: IpAddr, port: u16) -> Vec<u8> {
    let mut key = match address {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    key.extend_from_slice(&port.to_be_bytes());
    key.extend_from_slice(&[0, 0]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_padded_to_registers() {
        let four = [10, 0, 0, 1, 0x1f, 0x90, 0, 0];
        assert_eq!(key([10, 0, 0, 1].into(), 8080), four);
        assert_eq!(key(std::net::Ipv6Addr::LOCALHOST.into(), 1).len(), 20);
    }
}
