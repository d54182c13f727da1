//! The tables, one for each family: their chains drop what comes to, or goes from, the addresses in their sets.
//!
//! A link-local address means another host on each interface, so it is matched together with one: by
//! index, or by name where the interface may come and go without the instance minding.

use std::net::{IpAddr, Ipv6Addr};

use netlink::nft::{Family, Hook, Meta, Rule, Set, Table, Transaction, Type, Verdict};

use crate::config::FirewallSettings;

const VIPS: &str = "vips";
const BY_INDEX: &str = "vips_link_local";
const BY_NAME: &str = "vips_link_local_name";
const NEIGHBOUR_DISCOVERY: &str = "neighbor-discovery";
const IN: &str = "in";
const OUT: &str = "out";
const IN_LINK_LOCAL: &str = "in_link_local";
const OUT_LINK_LOCAL: &str = "out_link_local";

/// `IPPROTO_ICMPV6`, where the fixed header says what follows it.
const ICMPV6: u8 = 58;
const NEXT_HEADER: u32 = 6;
/// Neighbour solicitation and advertisement (RFC 4861 §4.3, §4.4): what an address is found by.
const DISCOVERY: [u8; 2] = [135, 136];
/// fe80::/10.
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
const LINK_LOCAL_MASK: Ipv6Addr = Ipv6Addr::new(0xffc0, 0, 0, 0, 0, 0, 0, 0);

/// An address whose packets are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// On whichever interface.
    Anywhere(IpAddr),
    /// On the interface with this index.
    ByIndex(Ipv6Addr, u32),
    /// On the interface with this name, padded with NUL.
    ByName(Ipv6Addr, [u8; 16]),
}

impl Element {
    fn family(self) -> Family {
        match self {
            Element::Anywhere(IpAddr::V4(_)) => Family::Ip,
            _ => Family::Ip6,
        }
    }

    fn set(self) -> &'static str {
        match self {
            Element::Anywhere(_) => VIPS,
            Element::ByIndex(..) => BY_INDEX,
            Element::ByName(..) => BY_NAME,
        }
    }

    fn write(self, to: &mut netlink::nft::Element<'_>) {
        match self {
            Element::Anywhere(IpAddr::V4(ip)) => to.key(&ip.octets()),
            Element::Anywhere(IpAddr::V6(ip)) => to.key(&ip.octets()),
            Element::ByIndex(ip, index) => to.key(&joined(ip, &index.to_ne_bytes())),
            Element::ByName(ip, name) => to.key(&joined(ip, &name)),
        }
    }
}

fn joined(ip: Ipv6Addr, interface: &[u8]) -> Vec<u8> {
    [&ip.octets(), interface].concat()
}

/// What is there of a family's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Made {
    table: bool,
    by_index: bool,
    by_name: bool,
}

/// The tables as far as they have been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tables {
    settings: FirewallSettings,
    ip: Made,
    ip6: Made,
}

impl Tables {
    /// None yet.
    pub(super) fn new(settings: FirewallSettings) -> Tables {
        Tables { settings, ip: Made::default(), ip6: Made::default() }
    }

    pub(super) fn settings(&self) -> &FirewallSettings {
        &self.settings
    }

    /// The table of a family, made or not.
    pub(super) fn table(&self, family: Family) -> Table<'_> {
        Table { family, name: self.settings.table() }
    }

    /// The families whose table has been made.
    pub(super) fn made(&self) -> impl Iterator<Item = Family> + use<> {
        let families = [(Family::Ip, self.ip), (Family::Ip6, self.ip6)];
        families.into_iter().filter_map(|(family, made)| made.table.then_some(family))
    }

    /// Adds elements, and before them the tables and sets for them that have not been made.
    pub(super) fn add(&mut self, t: &mut Transaction, elements: &[Element]) {
        for element in elements {
            self.make(t, *element);
        }
        self.each_set(elements, |table, set, list| {
            t.add_elements(table, set, list, |to, element| element.write(to));
        });
    }

    /// Deletes elements, which have to be there.
    pub(super) fn delete(&self, t: &mut Transaction, elements: &[Element]) {
        self.each_set(elements, |table, set, list| {
            t.delete_elements(table, set, list, |to, element| element.write(to));
        });
    }

    fn each_set(&self, elements: &[Element], mut work: impl FnMut(Table<'_>, &str, &[Element])) {
        let sets = [(Family::Ip, VIPS), (Family::Ip6, VIPS), (Family::Ip6, BY_INDEX)];
        for (family, set) in sets.into_iter().chain([(Family::Ip6, BY_NAME)]) {
            let belongs = |e: &Element| e.family() == family && e.set() == set;
            let list: Vec<Element> = elements.iter().copied().filter(belongs).collect();
            if !list.is_empty() {
                work(self.table(family), set, &list);
            }
        }
    }

    fn make(&mut self, t: &mut Transaction, element: Element) {
        let family = element.family();
        let made = if family == Family::Ip { &mut self.ip } else { &mut self.ip6 };
        let before = *made;
        made.table = true;
        made.by_index |= matches!(element, Element::ByIndex(..));
        made.by_name |= matches!(element, Element::ByName(..));
        let now = *made;
        if now == before {
            return;
        }
        let writer = Layout { table: self.table(family), settings: &self.settings };
        if !before.table {
            writer.add_table(t);
        }
        if now.by_index && !before.by_index {
            let (input, output) = (Meta::InputIndex, Meta::OutputIndex);
            writer.add_link_local(t, BY_INDEX, Type::InterfaceIndex, input, output);
        }
        if now.by_name && !before.by_name {
            let (input, output) = (Meta::InputName, Meta::OutputName);
            writer.add_link_local(t, BY_NAME, Type::InterfaceName, input, output);
        }
    }
}

/// Writes a table.
struct Layout<'a> {
    table: Table<'a>,
    settings: &'a FirewallSettings,
}

impl Layout<'_> {
    /// Makes the table anew.
    fn add_table(&self, t: &mut Transaction) {
        let priority = self.settings.priority;
        t.replace_table(self.table);
        t.add_base_chain(self.table, OUT, "filter", Hook::Output, priority);
        t.add_base_chain(self.table, IN, "filter", Hook::Input, priority);
        match self.table.family {
            Family::Ip => self.add_set(t, VIPS, &[Type::Ipv4Address], false),
            Family::Ip6 => {
                t.add_chain(self.table, IN_LINK_LOCAL);
                t.add_chain(self.table, OUT_LINK_LOCAL);
                self.add_set(t, VIPS, &[Type::Ipv6Address], false);
                self.add_set(t, NEIGHBOUR_DISCOVERY, &[Type::Icmpv6Type], true);
                t.add_elements(self.table, NEIGHBOUR_DISCOVERY, &DISCOVERY, |e, n| e.key(&[*n]));
                for (chain, part, next) in
                    [(IN, Part::To, IN_LINK_LOCAL), (OUT, Part::From, OUT_LINK_LOCAL)]
                {
                    self.accept_discovery(t, chain);
                    self.add_rule(t, chain, Verdict::Goto(next), |rule| {
                        part.load(rule, Family::Ip6);
                        rule.mask(&LINK_LOCAL_MASK.octets());
                        rule.equal(&LINK_LOCAL.octets());
                    });
                }
            }
        }
        for (chain, part) in [(IN, Part::To), (OUT, Part::From)] {
            self.add_rule(t, chain, Verdict::Drop, |rule| {
                part.load(rule, self.table.family);
                rule.is_in(VIPS);
            });
        }
    }

    /// The address is held, so that it must be found; only then is it not to answer.
    fn accept_discovery(&self, t: &mut Transaction, chain: &str) {
        self.add_rule(t, chain, Verdict::Accept, |rule| {
            rule.load_network(1, NEXT_HEADER, 1);
            rule.equal(&[ICMPV6]);
            rule.load_transport(1, 0, 1);
            rule.is_in(NEIGHBOUR_DISCOVERY);
        });
    }

    /// Adds a set of link-local addresses, and the rules that ask it.
    fn add_link_local(&self, t: &mut Transaction, set: &str, by: Type, input: Meta, output: Meta) {
        self.add_set(t, set, &[Type::Ipv6Address, by], false);
        for (chain, part, meta) in
            [(IN_LINK_LOCAL, Part::To, input), (OUT_LINK_LOCAL, Part::From, output)]
        {
            self.add_rule(t, chain, Verdict::Drop, |rule| {
                part.load(rule, Family::Ip6);
                rule.load_meta(2, meta);
                rule.is_in(set);
            });
        }
    }

    fn add_set(&self, t: &mut Transaction, name: &str, key: &[Type], constant: bool) {
        let set = Set { name, key, data: None, intervals: false, constant, counters: false };
        t.add_set(self.table, &set);
    }

    fn add_rule(
        &self,
        t: &mut Transaction,
        chain: &str,
        verdict: Verdict<'_>,
        body: impl FnOnce(&mut Rule<'_>),
    ) {
        t.add_rule(self.table, chain, |rule| {
            body(rule);
            if self.settings.counters {
                rule.count();
            }
            rule.verdict(verdict);
        });
    }
}

/// Which address of a packet.
#[derive(Clone, Copy)]
enum Part {
    From,
    To,
}

impl Part {
    /// Loads it from the header.
    fn load(self, rule: &mut Rule<'_>, family: Family) {
        let (offset, length) = match (family, self) {
            (Family::Ip, Part::From) => (12, 4),
            (Family::Ip, Part::To) => (16, 4),
            (Family::Ip6, Part::From) => (8, 16),
            (Family::Ip6, Part::To) => (24, 16),
        };
        rule.load_network(1, offset, length);
    }
}
