//! The messages of a transaction. Unlike elsewhere in netlink, numbers are in the network's byte
//! order; what registers hold is in the order the packet or the machine has it. Attributes are told
//! by numbers that mean something else in every message and expression: see the enumerations of
//! linux/netfilter/nf_tables.h.

use std::net::IpAddr;

use netlink::codec::{TooLong, Writer};
use netlink::{Exchange, NetlinkError};
use nix::errno::Errno;

use crate::service::{Family, Protocol};
use crate::wire;

use super::Network;
use super::elements::{Element, map_name};

/// `NFNL_SUBSYS_NFTABLES` of linux/netfilter/nfnetlink.h.
const SUBSYSTEM: u8 = 10;
/// `NFNL_MSG_BATCH_*`.
const BEGIN: u16 = 0x10;
const END: u16 = 0x11;

/// `NFT_MSG_*` of linux/netfilter/nf_tables.h.
mod kind {
    pub(super) const NEW_TABLE: u8 = 0;
    pub(super) const DEL_TABLE: u8 = 2;
    pub(super) const NEW_CHAIN: u8 = 3;
    pub(super) const NEW_RULE: u8 = 6;
    pub(super) const NEW_SET: u8 = 9;
    pub(super) const NEW_ELEMENTS: u8 = 12;
    pub(super) const DEL_ELEMENTS: u8 = 14;
}

const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const CREATE: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_CREATE) as u16;
const APPEND: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_APPEND) as u16;

/// Names of chains.
const INPUT: &str = "in";
const POSTROUTING: &str = "postrouting";
/// Where the chains hook in (`NF_INET_*`).
const HOOK_INPUT: u32 = 1;
const HOOK_POSTROUTING: u32 = 4;
/// `NFT_META_*`.
const META_MARK: u32 = 3;
const META_PROTOCOL: u32 = 16;
/// `NFT_PAYLOAD_*`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
/// `NFT_RETURN`.
const RETURN: i32 = -5;
/// `NF_IP_PRI_NAT_SRC`.
const PRIORITY_NAT: i32 = 100;
const ACCEPT: u32 = 1;

/// `NFT_SET_*`: intervals, a map, keys of several fields.
const SET_FLAGS: u32 = 0x4 | 0x8 | 0x80;
/// The types by which `nft` prints keys and data: two of six bits each, and the mark.
const TYPE_IPV4: u32 = 7;
const TYPE_IPV6: u32 = 8;
const TYPE_SERVICE: u32 = 13;
const TYPE_MARK: u32 = 19;
/// Tells `nft` that marks are in the machine's byte order.
const DATA_IN_HOST_ORDER: [u8; 6] = {
    let [a, b, c, d] = 1_u32.to_ne_bytes();
    [1, 4, a, b, c, d]
};
/// Elements in one message; an attribute holds 64 KiB.
const ELEMENTS: usize = 256;
/// More than any configuration asks for; a mistake should not fill the kernel's memory.
const LONGEST: usize = 32 * 1024 * 1024;

/// Changes that are made together or not at all.
#[derive(Debug)]
pub(super) struct Transaction {
    writer: Writer,
    messages: usize,
    too_long: bool,
}

impl Transaction {
    pub(super) fn new() -> Transaction {
        let mut new = Transaction { writer: Writer::new(), messages: 0, too_long: false };
        new.push(BEGIN, REQUEST, 0, u16::from(SUBSYSTEM), |_| {});
        new
    }

    /// Sends it, unless it is empty.
    pub(super) fn send(mut self, exchange: &mut Exchange) -> Result<(), NetlinkError> {
        // Without its beginning.
        if self.messages == 1 {
            return Ok(());
        }
        let answered = self.messages;
        self.push(END, REQUEST, 0, u16::from(SUBSYSTEM), |_| {});
        if self.too_long || self.writer.as_bytes().len() > LONGEST {
            return Err(NetlinkError { errno: Errno::E2BIG, message: None });
        }
        exchange.transact(self.writer.as_bytes(), answered)
    }

    /// Makes a table anew, whether or not there is one.
    pub(super) fn replace_table(&mut self, family: Family, table: &str) {
        self.drop_table(family, table);
        self.add_table(family, table);
    }

    /// Deletes a table, whether or not there is one.
    pub(super) fn drop_table(&mut self, family: Family, table: &str) {
        self.add_table(family, table);
        self.delete_table(family, table);
    }

    fn add_table(&mut self, family: Family, table: &str) {
        self.change(kind::NEW_TABLE, CREATE, family, |w| w.text(1, table));
    }

    /// Deletes a table, which has to be there.
    pub(super) fn delete_table(&mut self, family: Family, table: &str) {
        self.change(kind::DEL_TABLE, REQUEST, family, |w| w.text(1, table));
    }

    /// Adds the chain for packets to this machine.
    pub(super) fn add_input(&mut self, family: Family, table: &str, priority: i32) {
        self.add_chain(family, table, INPUT, "filter", HOOK_INPUT, priority);
    }

    /// Adds the chain that masquerades.
    pub(super) fn add_postrouting(&mut self, table: &str) {
        self.add_chain(Family::Inet, table, POSTROUTING, "nat", HOOK_POSTROUTING, PRIORITY_NAT);
    }

    fn add_chain(
        &mut self,
        family: Family,
        table: &str,
        chain: &str,
        sort: &str,
        hook: u32,
        priority: i32,
    ) {
        self.change(kind::NEW_CHAIN, CREATE, family, |w| {
            w.text(1, table);
            w.text(3, chain);
            w.text(7, sort);
            number(w, 5, ACCEPT);
            w.nest(4, |w| {
                number(w, 1, hook);
                w.attribute(2, &priority.to_be_bytes());
            });
        });
    }

    /// Adds a map from address and port to a mark.
    pub(super) fn add_map(&mut self, family: Family, table: &str, map: &str, counters: bool) {
        let (address, length) = match family {
            Family::Inet => (TYPE_IPV4, 4),
            Family::Inet6 => (TYPE_IPV6, 16),
        };
        // The kernel wants a number to tell the transaction's sets apart; names do that here.
        let id = 1;
        self.change(kind::NEW_SET, CREATE, family, |w| {
            w.text(1, table);
            w.text(2, map);
            number(w, 3, SET_FLAGS);
            number(w, 4, address << 6 | TYPE_SERVICE);
            number(w, 5, length + 4);
            number(w, 6, TYPE_MARK);
            number(w, 7, 4);
            number(w, 10, id);
            w.nest(9, |w| {
                w.nest(2, |w| {
                    w.nest(1, |w| number(w, 1, length));
                    w.nest(1, |w| number(w, 1, 2));
                });
            });
            w.attribute(13, &DATA_IN_HOST_ORDER);
            if counters {
                w.nest(17, |w| named(w, "counter", |_| {}));
            }
        });
    }

    pub(super) fn add_elements(&mut self, f: Family, table: &str, map: &str, elements: &[Element]) {
        self.change_elements(kind::NEW_ELEMENTS, f, table, map, elements);
    }

    pub(super) fn delete_elements(
        &mut self,
        family: Family,
        table: &str,
        map: &str,
        elements: &[Element],
    ) {
        self.change_elements(kind::DEL_ELEMENTS, family, table, map, elements);
    }

    fn change_elements(
        &mut self,
        kind: u8,
        family: Family,
        table: &str,
        map: &str,
        elements: &[Element],
    ) {
        let flags = if kind == kind::NEW_ELEMENTS { CREATE } else { REQUEST };
        for elements in elements.chunks(ELEMENTS) {
            self.change(kind, flags, family, |w| {
                w.text(1, table);
                w.text(2, map);
                w.nest(3, |w| elements.iter().for_each(|element| push_element(w, element)));
            });
        }
    }

    /// Adds the rule that marks the packets of a protocol by its map.
    pub(super) fn mark(&mut self, family: Family, table: &str, protocol: Protocol, counter: bool) {
        // Where the header has the destination, its length, and the register that follows it.
        let (offset, length, port_register) = match family {
            Family::Inet => (16, 4, 9),
            Family::Inet6 => (24, 16, 2),
        };
        self.add_rule(family, table, INPUT, |w| {
            expression(w, "meta", |w| {
                number(w, 2, META_PROTOCOL);
                number(w, 1, 1);
            });
            let [_, number_of_protocol] = wire::protocol_number(protocol).to_be_bytes();
            equal(w, &[number_of_protocol]);
            load(w, 1, NETWORK_HEADER, offset, length);
            load(w, port_register, TRANSPORT_HEADER, 2, 2);
            expression(w, "lookup", |w| {
                number(w, 2, 1);
                number(w, 3, 1);
                w.text(1, map_name(protocol));
            });
            expression(w, "meta", |w| {
                number(w, 2, META_MARK);
                number(w, 3, 1);
            });
            if counter {
                expression(w, "counter", |_| {});
            }
            expression(w, "immediate", |w| {
                number(w, 1, 0);
                w.nest(2, |w| w.nest(2, |w| w.attribute(1, &RETURN.to_be_bytes())));
            });
        });
    }

    /// Adds the rule that masquerades what comes from a network.
    pub(super) fn masquerade(&mut self, table: &str, network: Network) {
        let mask = network.mask.octets();
        self.add_rule(Family::Inet, table, POSTROUTING, |w| {
            load(w, 1, NETWORK_HEADER, 12, 4);
            if mask != [0xff; 4] {
                expression(w, "bitwise", |w| {
                    number(w, 1, 1);
                    number(w, 2, 1);
                    number(w, 3, 4);
                    w.nest(4, |w| w.attribute(1, &mask));
                    w.nest(5, |w| w.attribute(1, &[0; 4]));
                });
            }
            equal(w, &network.address.octets());
            expression(w, "masq", |_| {});
        });
    }

    fn add_rule(
        &mut self,
        family: Family,
        table: &str,
        chain: &str,
        body: impl FnOnce(&mut Writer),
    ) {
        self.change(kind::NEW_RULE, APPEND, family, |w| {
            w.text(1, table);
            w.text(2, chain);
            w.nest(4, body);
        });
    }

    fn change(&mut self, kind: u8, flags: u16, family: Family, body: impl FnOnce(&mut Writer)) {
        let [_, family] = wire::family_number(family).to_be_bytes();
        self.push(u16::from_be_bytes([SUBSYSTEM, kind]), flags, family, 0, body);
    }

    fn push(
        &mut self,
        kind: u16,
        flags: u16,
        family: u8,
        resource: u16,
        body: impl FnOnce(&mut Writer),
    ) {
        let [high, low] = resource.to_be_bytes();
        let written = self.writer.message(kind, flags, 0, |w| {
            w.raw(&[family, 0, high, low]);
            body(w);
        });
        self.too_long |= written == Err(TooLong);
        self.messages += 1;
    }
}

fn push_element(w: &mut Writer, element: &Element) {
    w.nest(1, |w| {
        w.nest(1, |w| w.attribute(1, &key(element.first, element.port)));
        w.nest(10, |w| w.attribute(1, &key(element.last, element.port)));
        w.nest(2, |w| w.attribute(1, &element.mark.to_ne_bytes()));
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

fn number(w: &mut Writer, kind: u16, value: u32) {
    w.attribute(kind, &value.to_be_bytes());
}

/// An expression of a rule.
fn expression(w: &mut Writer, name: &str, body: impl FnOnce(&mut Writer)) {
    w.nest(1, |w| named(w, name, body));
}

fn named(w: &mut Writer, name: &str, body: impl FnOnce(&mut Writer)) {
    w.text(1, name);
    w.nest(2, body);
}

/// Goes on if register 1 has this value.
fn equal(w: &mut Writer, value: &[u8]) {
    expression(w, "cmp", |w| {
        number(w, 1, 1);
        number(w, 2, 0);
        w.nest(3, |w| w.attribute(1, value));
    });
}

/// Loads a part of one of the packet's headers.
fn load(w: &mut Writer, register: u32, header: u32, offset: u32, length: u32) {
    expression(w, "payload", |w| {
        number(w, 1, register);
        number(w, 2, header);
        number(w, 3, offset);
        number(w, 4, length);
    });
}

#[cfg(test)]
mod tests {
    use netlink::codec::{Attributes, Messages};

    use super::*;

    fn elements(count: u32) -> Vec<Element> {
        let address = |n: u32| std::net::Ipv4Addr::from_bits(n).into();
        let element = |n| Element { port: 80, first: address(n), last: address(n + 1), mark: n };
        (0..count).map(|n| element(n * 2)).collect()
    }

    #[test]
    fn every_element_is_in_one_message_of_a_batch_that_begins() {
        for count in [0, 1, 256, 257, 5000] {
            let elements = elements(count);
            let mut transaction = Transaction::new();
            transaction.add_elements(Family::Inet, "table", "tcp_map", &elements);
            assert!(!transaction.too_long);
            let messages: Vec<_> = Messages::new(transaction.writer.as_bytes()).collect();
            assert_eq!(messages.len(), transaction.messages);
            assert_eq!((messages[0].kind, messages[0].payload), (BEGIN, &[0, 0, 0, 10][..]));
            let mut marks = Vec::new();
            for message in &messages[1..] {
                assert_eq!(message.kind, 0x0a0c);
                let list = Attributes::after(message.payload, 4).find_kind(3).unwrap();
                for element in list.nested() {
                    let data = element.nested().find_kind(2).unwrap();
                    marks.push(data.nested().find_kind(1).unwrap().u32().unwrap());
                }
            }
            assert_eq!(marks, elements.iter().map(|e| e.mark).collect::<Vec<_>>());
        }
    }

    #[test]
    fn keys_are_padded_to_registers() {
        let four = [10, 0, 0, 1, 0x1f, 0x90, 0, 0];
        assert_eq!(key([10, 0, 0, 1].into(), 8080), four);
        assert_eq!(key(std::net::Ipv6Addr::LOCALHOST.into(), 1).len(), 20);
    }
}
