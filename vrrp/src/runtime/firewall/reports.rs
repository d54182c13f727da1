//! Membership reports of VMACs. A socket that joins a group on a VMAC makes the kernel report that from the VMAC's MAC
//! address, also while the instance is BACKUP, and switches would send the master's packets here. The reports leave by
//! the parent instead, from its own address; router solicitations of a VMAC do not leave at all.
//!
//! A table for each family, made anew with each change: VMACs come and go with the configuration.

use std::collections::BTreeMap;

use netlink::Exchange;
use netlink::nft::{Family, Hook, Meta, Set, Table, Transaction, Type, Verdict};

use super::send;
use crate::config::FirewallSettings;

/// What the table is called behind the name of the others.
const SUFFIX: &str = "_vmac";
const OUT: &str = "out";
const PARENTS: &str = "vmac_map";
const VMACS: &str = "vmac_set";

/// `IPPROTO_IGMP`, and where the IPv4 header has the protocol.
const IGMP: (u32, u8) = (9, 2);
const ICMPV6: u8 = 58;
/// MLDv2 report (RFC 3810 §5.2).
const MLD_REPORT: u8 = 143;
/// Router solicitation (RFC 4861 §4.1).
const ROUTER_SOLICITATION: u8 = 133;
/// What the kernel calls a VMAC, as wide as it compares it.
const MACVLAN: [u8; 16] = *b"macvlan\0\0\0\0\0\0\0\0\0";

/// The index of each VMAC's parent, by the family it is for and its own index.
pub(in crate::runtime) type Parents = BTreeMap<(Family, u32), u32>;

/// The tables.
pub(in crate::runtime) struct Reports {
    settings: FirewallSettings,
    exchange: Option<Exchange>,
    /// What the kernel has.
    parents: Parents,
    /// The kernel refused, and that was said.
    refused: bool,
}

impl Reports {
    /// Nothing is opened or changed yet.
    pub fn new(settings: &FirewallSettings) -> Reports {
        Reports {
            settings: settings.named(),
            exchange: None,
            parents: Parents::new(),
            refused: false,
        }
    }

    /// A reload may name the tables otherwise.
    pub fn configure(&mut self, settings: &FirewallSettings) {
        if self.settings != settings.named() {
            let parents = self.parents.clone();
            self.follow(Parents::new());
            self.settings = settings.named();
            self.follow(parents);
        }
    }

    /// These VMACs are there, and no others.
    pub fn follow(&mut self, parents: Parents) {
        if parents == self.parents {
            return;
        }
        let name = format!("{}{SUFFIX}", self.settings.table());
        let mut transaction = Transaction::new();
        for family in [Family::Ip, Family::Ip6] {
            let of = |parents: &Parents| -> Vec<(u32, u32)> {
                let own = parents.iter().filter(|((f, _), _)| *f == family);
                own.map(|((_, vmac), parent)| (*vmac, *parent)).collect()
            };
            let (before, now) = (of(&self.parents), of(&parents));
            let table = Table { family, name: &name };
            if now.is_empty() && !before.is_empty() {
                transaction.drop_table(table);
            } else if now != before {
                self.write(&mut transaction, table, &now);
            }
        }
        match send(&mut self.exchange, transaction) {
            Ok(()) => (self.parents, self.refused) = (parents, false),
            Err(error) if !std::mem::replace(&mut self.refused, true) => {
                log::error!(
                    "Cannot set firewall rules: {error}; reports of VMACs leave with their MAC addresses"
                );
            }
            Err(_) => {}
        }
    }

    fn write(&self, t: &mut Transaction, table: Table<'_>, vmacs: &[(u32, u32)]) {
        let index = &[Type::InterfaceIndex];
        let map = Set {
            name: PARENTS,
            key: index,
            data: Some(Type::InterfaceIndex),
            intervals: false,
            constant: false,
            counters: false,
        };
        t.replace_table(table);
        t.add_base_chain(table, OUT, "filter", Hook::Output, self.settings.priority);
        t.add_set(table, &map);
        t.add_elements(table, PARENTS, vmacs, |element, (vmac, parent)| {
            element.key(&vmac.to_ne_bytes());
            element.data(&parent.to_ne_bytes());
        });
        t.add_rule(table, OUT, |rule| {
            match table.family {
                Family::Ip => {
                    rule.load_network(1, IGMP.0, 1);
                    rule.equal(&[IGMP.1]);
                }
                Family::Ip6 => load_type(rule, MLD_REPORT),
            }
            is_macvlan(rule);
            let (offset, length) = if table.family == Family::Ip { (16, 4) } else { (24, 16) };
            rule.load_network(1, offset, length);
            rule.load_meta(2, Meta::OutputIndex);
            rule.look_up_at(2, PARENTS);
            rule.duplicate(1, 2);
            self.end(rule);
        });
        if table.family == Family::Ip6 {
            t.add_set(table, &Set { name: VMACS, data: None, ..map });
            t.add_elements(table, VMACS, vmacs, |element, (vmac, _)| {
                element.key(&vmac.to_ne_bytes())
            });
            t.add_rule(table, OUT, |rule| {
                load_type(rule, ROUTER_SOLICITATION);
                is_macvlan(rule);
                rule.load_meta(1, Meta::OutputIndex);
                rule.is_in(VMACS);
                self.end(rule);
            });
        }
    }

    fn end(&self, rule: &mut netlink::nft::Rule<'_>) {
        if self.settings.counters {
            rule.count();
        }
        rule.verdict(Verdict::Drop);
    }
}

/// Goes on with ICMPv6 messages of this type.
fn load_type(rule: &mut netlink::nft::Rule<'_>, kind: u8) {
    rule.load_meta(1, Meta::Protocol);
    rule.equal(&[ICMPV6]);
    rule.load_transport(1, 0, 1);
    rule.equal(&[kind]);
}

fn is_macvlan(rule: &mut netlink::nft::Rule<'_>) {
    rule.load_meta(1, Meta::OutputKind);
    rule.equal(&MACVLAN);
}
