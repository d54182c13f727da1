//! nftables: transactions of tables, chains, sets and rules.
//!
//! Unlike elsewhere in netlink, numbers are in the network's byte order; what registers hold is in
//! the order the packet or the machine has it. Attributes are told by numbers that mean something
//! else in every message and expression: see the enumerations of linux/netfilter/nf_tables.h.

mod rule;

use nix::errno::Errno;

use crate::codec::{TooLong, Writer};
use crate::error::NetlinkError;
use crate::exchange::Exchange;

pub use rule::{Meta, Rule, Verdict};

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

/// `NF_ACCEPT`, the policy of every chain here.
const ACCEPT: u32 = 1;
/// Elements in one message; an attribute holds 64 KiB.
const ELEMENTS: usize = 256;
/// More than any configuration asks for; a mistake should not fill the kernel's memory.
const LONGEST: usize = 32 * 1024 * 1024;

/// What a table filters (`NFPROTO_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ip = 2,
    /// IPv6.
    Ip6 = 10,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// What it filters.
    pub family: Family,
    /// Its name, 1 to 254 bytes.
    pub name: &'a str,
}

/// Where a chain sees packets (`NF_INET_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// To this machine.
    Input = 1,
    /// From this machine.
    Output = 3,
    /// All that leave, last of all.
    Postrouting = 4,
}

/// A field's type, by which `nft` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// An IPv4 address.
    Ipv4Address = 7,
    /// An IPv6 address.
    Ipv6Address = 8,
    /// A port.
    Service = 13,
    /// A packet's mark, in the machine's byte order.
    Mark = 19,
    /// The index of an interface, in the machine's byte order.
    InterfaceIndex = 20,
    /// The type of an ICMPv6 message.
    Icmpv6Type = 29,
    /// The name of an interface, padded with NUL to [`Type::size`].
    InterfaceName = 41,
}

impl Type {
    fn is_host_ordered(self) -> bool {
        matches!(self, Type::Mark | Type::InterfaceIndex)
    }

    /// Bytes of a value.
    pub const fn size(self) -> u32 {
        match self {
            Type::Ipv4Address | Type::Mark | Type::InterfaceIndex => 4,
            Type::Ipv6Address | Type::InterfaceName => 16,
            Type::Service => 2,
            Type::Icmpv6Type => 1,
        }
    }
}

/// A set or, with data, a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set<'a> {
    /// Its name.
    pub name: &'a str,
    /// The fields of its keys. Of several each is padded to four bytes.
    pub key: &'a [Type],
    /// What a key stands for.
    pub data: Option<Type>,
    /// Its keys are ranges.
    pub intervals: bool,
    /// Nothing changes it once it is made.
    pub constant: bool,
    /// Each element counts packets.
    pub counters: bool,
}

/// Changes that are made together or not at all.
#[derive(Debug)]
pub struct Transaction {
    writer: Writer,
    messages: usize,
    too_long: bool,
}

impl Default for Transaction {
    fn default() -> Self {
        Transaction::new()
    }
}

impl Transaction {
    /// One that changes nothing yet.
    pub fn new() -> Transaction {
        let mut new = Transaction { writer: Writer::new(), messages: 0, too_long: false };
        new.push(BEGIN, REQUEST, 0, u16::from(SUBSYSTEM), |_| {});
        new
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        // It has its beginning.
        self.messages == 1
    }

    /// Sends it, unless it is empty, on a socket of [`Protocol::Netfilter`](crate::Protocol).
    ///
    /// # Errors
    /// Why the first change that failed did; `E2BIG` when there is too much of it, `ETIMEDOUT`
    /// when the kernel does not answer. Nothing has changed then.
    pub fn send(mut self, exchange: &mut Exchange) -> Result<(), NetlinkError> {
        if self.is_empty() {
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
    pub fn replace_table(&mut self, table: Table<'_>) {
        self.drop_table(table);
        self.add_table(table);
    }

    /// Deletes a table, whether or not there is one.
    pub fn drop_table(&mut self, table: Table<'_>) {
        self.add_table(table);
        self.delete_table(table);
    }

    fn add_table(&mut self, table: Table<'_>) {
        self.change(kind::NEW_TABLE, CREATE, table, |_| {});
    }

    /// Deletes a table, which has to be there.
    pub fn delete_table(&mut self, table: Table<'_>) {
        self.change(kind::DEL_TABLE, REQUEST, table, |_| {});
    }

    /// Adds a chain of a type (`filter`, `nat`) that sees packets. What it does not judge is
    /// accepted.
    pub fn add_base_chain(
        &mut self,
        table: Table<'_>,
        name: &str,
        kind: &str,
        hook: Hook,
        priority: i32,
    ) {
        self.change(kind::NEW_CHAIN, CREATE, table, |w| {
            w.text(3, name);
            w.text(7, kind);
            number(w, 5, ACCEPT);
            w.nest(4, |w| {
                number(w, 1, hook as u32);
                w.attribute(2, &priority.to_be_bytes());
            });
        });
    }

    /// Adds a chain that others lead to.
    pub fn add_chain(&mut self, table: Table<'_>, name: &str) {
        self.change(kind::NEW_CHAIN, CREATE, table, |w| w.text(3, name));
    }

    /// Adds a set without elements.
    pub fn add_set(&mut self, table: Table<'_>, set: &Set<'_>) {
        // The kernel wants a number to tell the transaction's sets apart; names do that here.
        let id = 1;
        let several = set.key.len() > 1;
        let padded = |t: &Type| if several { t.size().next_multiple_of(4) } else { t.size() };
        // `NFT_SET_*`: constant, intervals, a map, keys of several fields.
        let flags = u32::from(set.constant) << 1
            | u32::from(set.intervals) << 2
            | u32::from(set.data.is_some()) << 3
            | u32::from(set.intervals && several) << 7;
        self.change(kind::NEW_SET, CREATE, table, |w| {
            w.text(2, set.name);
            number(w, 3, flags);
            number(w, 4, set.key.iter().fold(0, |types, t| types << 6 | *t as u32));
            number(w, 5, set.key.iter().map(padded).sum());
            if let Some(data) = set.data {
                number(w, 6, data as u32);
                number(w, 7, data.size());
            }
            number(w, 10, id);
            if set.intervals && several {
                w.nest(9, |w| {
                    w.nest(2, |w| {
                        set.key.iter().for_each(|t| w.nest(1, |w| number(w, 1, t.size())));
                    });
                });
            }
            let orders = [(0, set.key.first().copied().filter(|_| !several)), (1, set.data)];
            let host = orders.into_iter().filter(|(_, of)| of.is_some_and(Type::is_host_ordered));
            let told: Vec<u8> = host.flat_map(|(which, _)| in_host_order(which)).collect();
            if !told.is_empty() {
                w.attribute(13, &told);
            }
            if set.counters {
                w.nest(17, |w| named(w, "counter", |_| {}));
            }
        });
    }

    /// Adds elements to a set; those that are there stay as they are.
    pub fn add_elements<T>(
        &mut self,
        table: Table<'_>,
        set: &str,
        elements: &[T],
        write: impl Fn(&mut Element<'_>, &T),
    ) {
        self.change_elements(kind::NEW_ELEMENTS, CREATE, table, set, elements, write);
    }

    /// Deletes elements of a set, which have to be there.
    pub fn delete_elements<T>(
        &mut self,
        table: Table<'_>,
        set: &str,
        elements: &[T],
        write: impl Fn(&mut Element<'_>, &T),
    ) {
        self.change_elements(kind::DEL_ELEMENTS, REQUEST, table, set, elements, write);
    }

    fn change_elements<T>(
        &mut self,
        kind: u8,
        flags: u16,
        table: Table<'_>,
        set: &str,
        elements: &[T],
        write: impl Fn(&mut Element<'_>, &T),
    ) {
        for elements in elements.chunks(ELEMENTS) {
            self.change(kind, flags, table, |w| {
                w.text(2, set);
                w.nest(3, |w| {
                    for element in elements {
                        w.nest(1, |w| write(&mut Element(w), element));
                    }
                });
            });
        }
    }

    /// Adds a rule to the end of a chain.
    pub fn add_rule(&mut self, table: Table<'_>, chain: &str, body: impl FnOnce(&mut Rule<'_>)) {
        self.change(kind::NEW_RULE, APPEND, table, |w| {
            w.text(2, chain);
            w.nest(4, |w| body(&mut Rule::new(w)));
        });
    }

    /// Everything in a table begins with its name.
    fn change(&mut self, kind: u8, flags: u16, table: Table<'_>, body: impl FnOnce(&mut Writer)) {
        let kind = u16::from_be_bytes([SUBSYSTEM, kind]);
        self.push(kind, flags, table.family as u8, 0, |w| {
            w.text(1, table.name);
            body(w);
        });
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

/// Tells `nft` that keys (0) or data (1) are in the machine's byte order.
fn in_host_order(which: u8) -> [u8; 6] {
    let [a, b, c, d] = 1_u32.to_ne_bytes();
    [which, 4, a, b, c, d]
}

/// An element of a set while it is written.
#[derive(Debug)]
pub struct Element<'w>(&'w mut Writer);

impl Element<'_> {
    /// Its key, or the first of its range.
    pub fn key(&mut self, bytes: &[u8]) {
        self.0.nest(1, |w| w.attribute(1, bytes));
    }

    /// The last key of its range.
    pub fn last(&mut self, bytes: &[u8]) {
        self.0.nest(10, |w| w.attribute(1, bytes));
    }

    /// What the key stands for.
    pub fn data(&mut self, bytes: &[u8]) {
        self.0.nest(2, |w| w.attribute(1, bytes));
    }
}

fn number(w: &mut Writer, kind: u16, value: u32) {
    w.attribute(kind, &value.to_be_bytes());
}

fn named(w: &mut Writer, name: &str, body: impl FnOnce(&mut Writer)) {
    w.text(1, name);
    w.nest(2, body);
}

#[cfg(test)]
mod tests;
