//! The VMACs: interfaces that exist for the sake of virtual routers, a want-state like addresses.
//!
//! One that is missing is made while its parent is there, a matching one that is there already (of a run that
//! was killed) is taken over, and one that nobody wants any more is deleted if it is this daemon's. What
//! somebody else deletes is made again at once, and after a second time within a second no faster than
//! once a second.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use netlink::{Applied, Batch, Channel, Link, Sublink, SublinkRequest, nft};
use scheduler::Time;

use super::Vrrp;
use super::firewall::reports::Parents;
use super::kernel_view::{Change, KernelView};
use super::sysctl::Sysctls;
use crate::config::{AddressSettings, Family, InstanceSettings, Vmac};

/// Shortest time between two attempts to make the same interface.
const PAUSE: Duration = Duration::from_secs(1);

/// Interfaces made before the time is looked at: one takes a quarter of a millisecond.
const AT_ONCE: usize = 4;

/// How long a part of many VMACs may keep the loop from its sockets, and a reload at once.
const VMAC_BUDGET: Duration = Duration::from_millis(2);
/// The same at once when a reload begins.
pub(super) const RELOAD_BUDGET: Duration = Duration::from_millis(20);

/// A number for the group that interfaces are moved to so that they can be deleted together.
const DOOMED: u32 = 0x6b61_0000;

/// A VMAC, and what became of it.
struct Wanted {
    vmac: Vmac,
    /// Name of the first instance with it.
    owner: String,
    /// It is of an instance that sends its adverts on it.
    speaks: bool,
    /// When it was made last.
    last: Option<Time>,
    /// Not to be made before then: somebody keeps deleting it.
    not_before: Option<Time>,
    /// The kernel would not make it. Said once; tried again when its parent changes.
    refused: bool,
}

/// An interface that is this daemon's to delete.
struct Made {
    /// Index; `None` until the kernel has told it.
    index: Option<u32>,
    sublink: Sublink,
    owner: String,
}

/// All VMACs.
#[derive(Default)]
pub(super) struct Vmacs {
    wanted: Vec<Wanted>,
    made: HashMap<String, Made>,
    /// Those that a child process is deleting, with the names of their instances.
    going: HashMap<String, String>,
    /// Something has changed: compare with what is there.
    look: bool,
    /// Some have come or gone since [`Vmacs::parents`] was asked for.
    moved: bool,
}

impl Vmacs {
    /// The VMACs of these instances, and no others, are wanted. Nothing is made or deleted yet.
    pub fn want<'a>(&mut self, instances: impl Iterator<Item = &'a InstanceSettings>) {
        let mut before: HashMap<String, Wanted> =
            self.wanted.drain(..).map(|w| (w.vmac.name.clone(), w)).collect();
        let mut seen: HashSet<String> = HashSet::new();
        for instance in instances {
            for vmac in instance.vmacs() {
                if !seen.insert(vmac.name.clone()) {
                    continue;
                }
                let own = instance.vmac.as_ref().is_some_and(|own| own.name == vmac.name);
                let known = before.remove(&vmac.name).filter(|known| known.vmac == *vmac);
                let (last, not_before) = known.map_or((None, None), |k| (k.last, k.not_before));
                self.wanted.push(Wanted {
                    vmac: vmac.clone(),
                    owner: instance.name.clone(),
                    speaks: !(own && instance.vmac_xmit_base),
                    last,
                    not_before,
                    refused: false,
                });
            }
        }
        self.look = true;
        self.moved = true;
    }

    /// Those that are there and have a MAC address of their own, with their parents; `None` when that is as it was.
    pub fn parents(&mut self, view: &KernelView) -> Option<Parents> {
        if !std::mem::take(&mut self.moved) {
            return None;
        }
        let there = self.wanted.iter().filter(|w| matches!(w.vmac.sublink, Sublink::Macvlan(_)));
        let pairs = there.filter_map(|w| {
            let family =
                if w.vmac.family == Family::V4 { nft::Family::Ip } else { nft::Family::Ip6 };
            let link =
                view.link(&w.vmac.name).filter(|link| link.sublink == Some(w.vmac.sublink))?;
            Some(((family, link.index), view.index(&w.vmac.parent)?))
        });
        Some(pairs.collect())
    }

    /// Whether none is wanted, and none there to be deleted.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty() && self.made.is_empty() && self.going.is_empty()
    }

    /// Names of those that are this daemon's.
    pub fn made(&self) -> impl Iterator<Item = &str> {
        self.made.keys().map(String::as_str)
    }

    /// The VMACs wanted.
    pub fn wanted(&self) -> impl Iterator<Item = &Vmac> {
        self.wanted.iter().map(|w| &w.vmac)
    }

    /// The interface called `name` came, or came back: VMACs on it can be made.
    pub fn appeared(&mut self, name: &str) {
        self.moved |= self.wanted.iter().any(|w| w.vmac.name == name || w.vmac.parent == name);
        for wanted in self.wanted.iter_mut().filter(|w| w.vmac.parent == name) {
            wanted.refused = false;
            self.look = true;
        }
        self.look |= self.made.contains_key(name);
    }

    /// The interface called `name` went.
    pub fn gone(&mut self, now: Time, name: &str) {
        self.moved |= self.made.contains_key(name);
        if let Some(owner) = self.going.remove(name) {
            log::info!("({owner}) Success removing VMAC interface {name}");
            self.look = true;
        }
        if self.made.remove(name).is_none() {
            return;
        }
        self.look = true;
        if let Some(wanted) = self.wanted.iter_mut().find(|w| w.vmac.name == name) {
            wanted.not_before = wanted.last.map(|last| last + PAUSE).filter(|at| *at > now);
        }
    }

    /// Events were lost.
    pub fn recheck(&mut self, now: Time, view: &KernelView) {
        let gone: Vec<String> = self
            .made
            .keys()
            .chain(self.going.keys())
            .filter(|name| view.link(name).is_none())
            .cloned()
            .collect();
        for name in gone {
            self.gone(now, &name);
        }
        self.look = true;
    }

    /// When one is to be made again.
    pub fn restore_at(&self) -> Option<Time> {
        self.wanted.iter().filter_map(|w| w.not_before).min()
    }

    /// The time of [`Vmacs::restore_at`] may have come.
    pub fn restore_due(&mut self, now: Time) {
        for wanted in &mut self.wanted {
            if wanted.not_before.take_if(|at| *at <= now).is_some() {
                self.look = true;
            }
        }
    }

    /// Deletes what is this daemon's and not wanted any more, or wanted otherwise. The kernel waits some ten
    /// milliseconds, once for all of them; therefore a child process deletes what is in nobody's way. Its id is returned.
    pub fn delete(&mut self, view: &KernelView, channel: &mut Channel) -> Option<i32> {
        let wanted: HashMap<&str, &Vmac> =
            self.wanted.iter().map(|w| (w.vmac.name.as_str(), &w.vmac)).collect();
        let stays = |name: &str, made: &Made, link: &Link| {
            let vmac = wanted.get(name);
            vmac.is_some_and(|v| v.sublink == made.sublink && is_same(v, link, view))
        };
        let mut doomed: Vec<(String, u32)> = Vec::new();
        let mut in_the_way: Vec<(String, u32)> = Vec::new();
        let mut absent: Vec<String> = Vec::new();
        for (name, made) in &self.made {
            match view.link(name) {
                Some(link) if stays(name, made, link) => {}
                Some(link) if link.sublink.is_some() => {
                    let excludes =
                        |w: &Wanted| w.vmac.name == *name || excludes(&w.vmac, link, view);
                    let now = self.wanted.iter().any(excludes);
                    let list = if now { &mut in_the_way } else { &mut doomed };
                    list.push((name.clone(), link.index));
                }
                _ => absent.push(name.clone()),
            }
        }
        for name in absent.iter().filter(|name| !wanted.contains_key(name.as_str())) {
            self.made.remove(name);
        }
        self.delete_links(&in_the_way, view, channel);
        self.delete_by_child(&doomed, view, channel)
    }

    fn delete_by_child(
        &mut self,
        doomed: &[(String, u32)],
        view: &KernelView,
        channel: &mut Channel,
    ) -> Option<i32> {
        if doomed.is_empty() {
            return None;
        }
        match Channel::apply_in_child(&deletion(doomed, view)) {
            Ok(child) => {
                for (name, _) in doomed {
                    let owner = self.made.remove(name).map(|made| made.owner).unwrap_or_default();
                    self.going.insert(name.clone(), owner);
                }
                Some(child)
            }
            Err(error) => {
                log::error!("No child process to remove VMAC interfaces: {error}");
                self.delete_links(doomed, view, channel);
                None
            }
        }
    }

    /// Deletes all of them, and waits: the daemon ends.
    pub fn delete_all(&mut self, view: &KernelView, channel: &mut Channel) {
        let names = self.made.keys().chain(self.going.keys());
        let links = names.filter_map(|name| view.link(name)).filter(|l| l.sublink.is_some());
        let mut doomed: Vec<(String, u32)> = links.map(|l| (l.name.clone(), l.index)).collect();
        doomed.sort_unstable_by_key(|(_, index)| *index);
        self.delete_links(&doomed, view, channel);
    }

    fn delete_links(&mut self, doomed: &[(String, u32)], view: &KernelView, channel: &mut Channel) {
        if doomed.is_empty() {
            return;
        }
        let outcomes = channel.apply(&deletion(doomed, view));
        let failed = outcomes.into_iter().rev().find_map(|o| o.result.err());
        for (name, _) in doomed {
            let owner = self.made.remove(name).map(|made| made.owner);
            let owner = owner.or_else(|| self.going.remove(name)).unwrap_or_default();
            match &failed {
                None => log::info!("({owner}) Success removing VMAC interface {name}"),
                Some(error) => {
                    log::error!("({owner}) Unable to remove VMAC interface {name}: {error}")
                }
            }
        }
    }

    /// Makes what is wanted and missing, for about `budget`; true when nothing is left to do.
    pub fn make(
        &mut self,
        now: Time,
        view: &KernelView,
        sysctls: &Sysctls,
        channel: &mut Channel,
        budget: Duration,
    ) -> bool {
        if !std::mem::take(&mut self.look) {
            return true;
        }
        let start = Instant::now();
        let missing: Vec<usize> =
            (0..self.wanted.len()).filter(|&i| self.is_due(i, view)).collect();
        for some in missing.chunks(AT_ONCE) {
            if start.elapsed() >= budget {
                self.look = true;
                return false;
            }
            self.make_some(now, some, view, sysctls, channel);
        }
        true
    }

    /// Whether it is to be made, or taken over.
    fn is_due(&mut self, i: usize, view: &KernelView) -> bool {
        let wanted = &self.wanted[i];
        if wanted.refused
            || wanted.not_before.is_some()
            || self.going.contains_key(&wanted.vmac.name)
            || view.index(&wanted.vmac.parent).is_none()
        {
            return false;
        }
        let there = view.link(&wanted.vmac.name).map(|link| link.index);
        match self.made.get_mut(&wanted.vmac.name) {
            None => true,
            Some(made) => {
                made.index = there.or(made.index);
                false
            }
        }
    }

    fn make_some(
        &mut self,
        now: Time,
        some: &[usize],
        view: &KernelView,
        sysctls: &Sysctls,
        channel: &mut Channel,
    ) {
        let places: Vec<Place> = some.iter().map(|&i| place(&self.wanted[i].vmac, view)).collect();
        let mut leftovers = Vec::new();
        for (&i, place) in some.iter().zip(&places) {
            let wanted = &mut self.wanted[i];
            let (owner, name) = (&wanted.owner, &wanted.vmac.name);
            match *place {
                Place::Free | Place::Taken => {}
                Place::Leftover(index) => {
                    log::info!(
                        "({owner}) VMAC {name} already exists but is incompatible. It will be deleted"
                    );
                    leftovers.push((name.clone(), index));
                }
                Place::Foreign => {
                    log::error!("({owner}): interface {name} already exists and is something else");
                    wanted.refused = true;
                }
            }
        }
        self.delete_links(&leftovers, view, channel);
        let mut batch = Batch::new();
        for (&i, place) in some.iter().zip(&places) {
            let vmac = &self.wanted[i].vmac;
            let Some(parent) = view.link(&vmac.parent) else { continue };
            if matches!(place, Place::Free | Place::Leftover(_)) {
                let request = SublinkRequest {
                    name: &vmac.name,
                    parent: parent.index,
                    sublink: vmac.sublink,
                    mac: vmac.mac,
                    group: vmac.group.unwrap_or(parent.group),
                };
                batch.add_sublink(&request, i as u64);
            }
        }
        for outcome in channel.apply(&batch) {
            let wanted = &mut self.wanted[outcome.tag as usize];
            let (owner, name) = (&wanted.owner, &wanted.vmac.name);
            match outcome.result {
                // Somebody was faster; the kernel will have told of it by then.
                Ok(Applied::Existed) => wanted.not_before = Some(now + PAUSE),
                Ok(_) => {
                    let kind = if wanted.vmac.is_ipvlan() { "ipvlan" } else { "VMAC" };
                    log::info!("({owner}): Success creating {kind} interface {name}");
                }
                Err(error) => {
                    log::error!("({owner}): Unable to create VMAC interface {name}: {error}");
                    wanted.refused = true;
                }
            }
        }
        self.prepare(now, some, view, sysctls, channel);
    }

    /// Settings first, so that nothing leaves an interface that it should not, then up.
    fn prepare(
        &mut self,
        now: Time,
        some: &[usize],
        view: &KernelView,
        sysctls: &Sysctls,
        channel: &mut Channel,
    ) {
        let mut batch = Batch::new();
        for &i in some {
            let wanted = &mut self.wanted[i];
            if wanted.refused || wanted.not_before.is_some() {
                continue;
            }
            wanted.last = Some(now);
            sysctls.prepare_vmac(&wanted.vmac);
            if !wanted.vmac.is_ipvlan() {
                batch.without_link_local(&wanted.vmac.name, 0);
            }
            batch.set_up(&wanted.vmac.name, i as u64 + 1);
            if let (true, Some(parent)) =
                (wanted.vmac.notify_parent, view.link(&wanted.vmac.parent))
            {
                batch.set_group(parent.index, parent.group, 0);
            }
            let sublink = wanted.vmac.sublink;
            let made = Made { index: None, sublink, owner: wanted.owner.clone() };
            self.made.insert(wanted.vmac.name.clone(), made);
        }
        for outcome in channel.apply(&batch) {
            // A kernel without IPv6 does not know what a link-local address is.
            let Some(wanted) = (outcome.tag as usize).checked_sub(1).map(|i| &self.wanted[i])
            else {
                continue;
            };
            if let Err(error) = outcome.result {
                let (owner, name) = (&wanted.owner, &wanted.vmac.name);
                log::error!("({owner}): Unable to set VMAC interface {name} up: {error}");
            }
        }
    }

    /// The own addresses of ipvlans, and the link-local ones of VMACs that speak IPv6: the configured source, else the parent's, which is the
    /// same machine, else what the parent would have.
    pub fn own_addresses(
        &self,
        view: &KernelView,
        virtual_addresses: &HashSet<IpAddr>,
        sources: &HashMap<&str, IpAddr>,
    ) -> HashMap<String, AddressSettings> {
        let speaking = self.wanted.iter().filter(|w| {
            w.vmac.address.is_some()
                || (w.speaks && w.vmac.family == Family::V6 && !w.vmac.is_ipvlan())
        });
        let address = |wanted: &Wanted| {
            let (name, parent) = (wanted.vmac.name.as_str(), view.link(&wanted.vmac.parent)?);
            if let Some((ip, prefix)) = wanted.vmac.address {
                let preferred_lft = ip.is_ipv6().then_some(0);
                let settings =
                    AddressSettings { preferred_lft, ..AddressSettings::new(ip, prefix, name) };
                return Some((name.to_owned(), settings));
            }
            let of_parent = || view.source(parent.index, Family::V6, None, virtual_addresses);
            let configured = sources.get(name).copied();
            let ip = configured.or_else(of_parent).or_else(|| interface_identifier(&parent.mac))?;
            let settings =
                AddressSettings { preferred_lft: Some(0), ..AddressSettings::new(ip, 64, name) };
            Some((name.to_owned(), settings))
        };
        speaking.filter_map(address).collect()
    }
}

/// Whether the interface is what is wanted.
fn is_same(vmac: &Vmac, link: &Link, view: &KernelView) -> bool {
    let alike = match (vmac.sublink, link.sublink) {
        // All on one parent have the flags in common.
        (Sublink::Ipvlan { mode, .. }, Some(Sublink::Ipvlan { mode: other, .. })) => mode == other,
        (wanted, there) => there == Some(wanted),
    };
    alike
        && vmac.mac.is_none_or(|mac| link.mac == mac)
        && link.parent.is_some()
        && link.parent == view.index(&vmac.parent)
}

/// Requests that delete these links together.
fn deletion(doomed: &[(String, u32)], view: &KernelView) -> Batch {
    let taken: HashSet<u32> = view.links().iter().map(|link| link.group).collect();
    let mut batch = Batch::new();
    if let Some(group) = (DOOMED..).find(|group| !taken.contains(group)) {
        for (_, index) in doomed {
            batch.set_group(*index, group, 0);
        }
        batch.delete_group(group, 1);
    }
    batch
}

/// Whether what is wanted cannot be there beside `link`: the same MAC address, or another ipvlan, which may have the
/// same addresses.
fn excludes(vmac: &Vmac, link: &Link, view: &KernelView) -> bool {
    let same_parent = link.parent.is_some() && view.index(&vmac.parent) == link.parent;
    same_parent && vmac.mac.is_none_or(|mac| link.mac == mac)
}

/// What is where a VMAC is to be.
enum Place {
    Free,
    /// What is wanted.
    Taken,
    /// A VMAC of an earlier configuration, with this index.
    Leftover(u32),
    /// Something that is nobody's to delete.
    Foreign,
}

fn place(vmac: &Vmac, view: &KernelView) -> Place {
    match view.link(&vmac.name) {
        None => Place::Free,
        Some(link) if is_same(vmac, link, view) => Place::Taken,
        Some(link) if link.sublink == Some(vmac.sublink) => Place::Leftover(link.index),
        Some(_) => Place::Foreign,
    }
}

/// The link-local address made from an Ethernet address (RFC 4291, appendix A).
fn interface_identifier(mac: &[u8]) -> Option<IpAddr> {
    let [a, b, c, d, e, f] = <[u8; 6]>::try_from(mac).ok()?;
    let octets = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f];
    Some(Ipv6Addr::from(octets).into())
}

impl Vrrp {
    /// At start and reload: VMACs that are not wanted any more go, those that are come, and what the kernel
    /// says of it is read, so that instances begin with what they need. Changes that are still to be
    /// acted on are returned.
    pub(super) fn begin_vmacs(&mut self, now: Time, budget: Duration) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.vmacs.is_empty() && self.own_addresses.is_empty() {
            return changes;
        }
        self.read_events(now, &mut changes);
        self.deleting = self.vmacs.delete(&self.view, &mut self.channel);
        self.sysctls.set(&self.view);
        self.read_events(now, &mut changes);
        let Vrrp { vmacs, view, sysctls, channel, .. } = self;
        vmacs.make(now, view, sysctls, channel, budget);
        let changes = self.absorb(now, changes);
        self.give_own_addresses();
        self.holdings.apply(&self.view, &mut self.channel);
        self.absorb(now, changes)
    }

    /// Reads what the kernel has said by now; nothing of it is acted on yet.
    pub(super) fn absorb(&mut self, now: Time, mut changes: Vec<Change>) -> Vec<Change> {
        if !self.vmacs.is_empty() {
            self.read_events(now, &mut changes);
        }
        changes
    }

    /// Makes VMACs that are missing; true when nothing is left to do.
    pub(super) fn make_vmacs(&mut self, now: Time) -> bool {
        let Vrrp { vmacs, view, sysctls, channel, .. } = self;
        vmacs.make(now, view, sysctls, channel, VMAC_BUDGET)
    }

    /// Deletes all VMACs.
    pub(super) fn end_vmacs(&mut self) {
        self.vmacs.want(std::iter::empty());
        if !self.vmacs.is_empty() {
            self.read_events(Time::ZERO, &mut Vec::new());
            self.vmacs.delete_all(&self.view, &mut self.channel);
        }
    }

    /// Gives VMACs that speak IPv6, and ipvlans, the address that they send from.
    pub(super) fn give_own_addresses(&mut self) {
        if self.vmacs.is_empty() && self.own_addresses.is_empty() {
            return;
        }
        let instances = self.router.instances().iter();
        let configured =
            instances.filter_map(|i| Some((i.settings.bound_to()?, i.settings.source?)));
        let link_local = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let configured = configured.filter(|(_, ip)| link_local(ip)).collect();
        let new = self.vmacs.own_addresses(&self.view, &self.virtual_addresses, &configured);
        let old = std::mem::replace(&mut self.own_addresses, new);
        for (name, address) in &self.own_addresses {
            if old.get(name) != Some(address) {
                self.holdings.want(address);
            }
        }
        for (name, address) in &old {
            if self.own_addresses.get(name) != Some(address) {
                self.holdings.unwant(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_identifier_comes_from_the_mac_address() {
        let mac = [0x02, 0, 0, 0, 0, 0x01];
        assert_eq!(interface_identifier(&mac), "fe80::ff:fe00:1".parse().ok());
        assert_eq!(interface_identifier(&mac[..5]), None);
    }
}
