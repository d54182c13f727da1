//! The packet filter's part: marks for groups of addresses (`nftables_ipvs`, spec ipvs §8), and
//! masquerading for NAT (`nat_mask`).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use ipvs::nft::{MapEntry, Network, Rules, WantedMaps};
use ipvs::{Family, Forwarding, Protocol, ServiceKey};

use super::Check;
use crate::keywords::Globals;
use crate::settings::{Group, GroupEntry, Identity, VirtualServer};

/// `nftables_ipvs_priority` while nothing says otherwise.
const PRIORITY: i32 = -1;
/// `nftables_ipvs_start_fwmark` while nothing says otherwise.
const FIRST_MARK: u32 = 1000;

/// What was asked of the packet filter.
#[derive(Default)]
pub(super) struct Filter {
    /// Where IPVS runs, as [`ipvs::Channel::open_in`] names it.
    pub(super) namespace: Option<String>,
    rules: Option<Rules>,
    /// The mark of each group and protocol; it stays while the daemon runs.
    marks: HashMap<(String, Protocol), u32>,
    /// The marks are in use.
    marking: bool,
}

impl Check {
    /// Brings the packet filter to what these virtual servers need. To be called before they are
    /// begun: packets are marked for services that are not there yet, and go their old way.
    pub(super) fn follow_filter(&mut self, globals: &Globals, servers: &[VirtualServer]) {
        let wanted = self.filter.wanted_maps(globals, servers);
        let masks = servers.iter().filter(|server| server.nat_mask.is_some());
        let networks: Vec<Network> = masks.flat_map(masqueraded).collect();
        let marks = wanted.is_some();
        if !marks && networks.is_empty() && self.filter.rules.is_none() {
            return;
        }
        let none = WantedMaps {
            table: globals.nftables.clone().unwrap_or_default(),
            priority: PRIORITY,
            counters: false,
            entries: Vec::new(),
        };
        let maps = marks || self.filter.marking;
        let done = self.filter.rules().and_then(|rules| {
            if maps {
                rules.follow(&wanted.unwrap_or(none))?;
            }
            rules.masquerade(&networks)
        });
        match done {
            Ok(()) => self.filter.marking = marks,
            Err(e) => {
                log::error!("Cannot change the packet filter for virtual servers: {e}");
                if marks && !self.filter.marking {
                    log::error!(
                        "nftables_ipvs: groups get a virtual service for each address instead"
                    );
                }
            }
        }
    }

    /// The marks that stand for a group, if it is one of addresses only and the filter marks.
    pub(super) fn marks(&self, settings: &VirtualServer) -> Option<Vec<ServiceKey>> {
        let Identity::Group(group, _) = &settings.identity else { return None };
        if !self.filter.marking || !has_only_addresses(group) {
            return None;
        }
        let protocol = settings.protocol.unwrap_or(Protocol::Tcp);
        let mark = *self.filter.marks.get(&(group.name.clone(), protocol))?;
        let families = [Family::Inet, Family::Inet6]
            .into_iter()
            .filter(|family| ranges(group).any(|(first, _, _)| Family::of(first) == *family));
        Some(families.map(|family| ServiceKey::Mark(mark, family)).collect())
    }

    /// Takes our tables out of the packet filter.
    pub(super) fn release_filter(&mut self) {
        if let Some(rules) = &mut self.filter.rules
            && let Err(e) = rules.remove()
        {
            log::error!("Cannot remove our tables from the packet filter: {e}");
        }
    }
}

impl Filter {
    /// The network namespace of IPVS, if it is another one.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    fn rules(&mut self) -> std::io::Result<&mut Rules> {
        match &mut self.rules {
            Some(rules) => Ok(rules),
            place => {
                let opened = Rules::open_in(self.namespace.as_deref());
                Ok(place.insert(opened.map_err(std::io::Error::other)?))
            }
        }
    }

    /// The maps of a configuration that wants some, with a mark for each new group and protocol.
    fn wanted_maps(&mut self, globals: &Globals, servers: &[VirtualServer]) -> Option<WantedMaps> {
        let table = globals.nftables.clone()?;
        let first_free = globals.nftables_start_fwmark.unwrap_or(FIRST_MARK);
        let next = self.marks.values().map(|mark| mark.saturating_add(1)).max();
        let mut next = next.unwrap_or(first_free).max(first_free);
        let mut entries = Vec::new();
        for server in servers {
            let Identity::Group(group, _) = &server.identity else { continue };
            let Some(protocol) = server.protocol.filter(|_| has_only_addresses(group)) else {
                continue;
            };
            let mark = *self.marks.entry((group.name.clone(), protocol)).or_insert(next);
            if mark == next {
                next = next.saturating_add(1);
            }
            entries.extend(ranges(group).map(|(first, last, port)| MapEntry {
                protocol,
                first,
                last,
                port,
                mark,
            }));
        }
        let priority = globals.nftables_priority.unwrap_or(PRIORITY);
        let counters = globals.nftables_counters;
        (!entries.is_empty()).then_some(WantedMaps { table, priority, counters, entries })
    }
}

fn has_only_addresses(group: &Group) -> bool {
    group.entries.iter().all(|entry| matches!(entry, GroupEntry::Addresses { .. }))
}

fn ranges(group: &Group) -> impl Iterator<Item = (IpAddr, IpAddr, u16)> {
    group.entries.iter().filter_map(|entry| match *entry {
        GroupEntry::Addresses { first, last, port } => Some((first, last, port)),
        GroupEntry::Mark { .. } => None,
    })
}

/// The networks of the real servers whose answers are masqueraded.
fn masqueraded(server: &VirtualServer) -> impl Iterator<Item = Network> {
    let mask = server.nat_mask.map(Ipv4Addr::from);
    server.real_servers.iter().filter_map(move |real| match (real.address, real.forwarding, mask) {
        (IpAddr::V4(address), Forwarding::Nat, Some(mask)) => Some(Network { address, mask }),
        _ => None,
    })
}
