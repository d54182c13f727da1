//! A virtual server begins, follows a new configuration, ends (spec ipvs §4, §7).

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use ipvs::{Family, Protocol, ServiceKey};

use super::table::Work;
use super::transition::passing;
use super::{Real, Service, Sorry};
use crate::checker::CheckerId;
use crate::mib::QuorumStatus;
use crate::settings::{Group, GroupEntry, Identity, SorryServer, VirtualServer};

/// How a virtual server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The daemon stops.
    Stop,
    /// The daemon stops, and the table is emptied without a word about real servers.
    Flush,
    /// The new configuration does not have it.
    Removed,
    /// As `Removed`, and real servers are not spoken of (`lvs_flush_on_stop`).
    RemovedAtOnce,
}

impl Service {
    /// A virtual server about which the kernel knows nothing yet, with its real servers as dead;
    /// [`Service::start`] follows.
    pub(crate) fn new(mut settings: VirtualServer, keys: Vec<ServiceKey>) -> Service {
        let reals: Vec<Real> =
            std::mem::take(&mut settings.real_servers).into_iter().map(Real::new).collect();
        let mut service = Service {
            sorry: None,
            settings,
            keys,
            reals,
            quorum_up: false,
            weight: 0,
            alive: 0,
            dirty: None,
            refused: false,
            absent: false,
            outdated: false,
            reloaded: false,
            counters: None,
        };
        service.sorry = service.new_sorry();
        service
    }

    fn new_sorry(&self) -> Option<Sorry> {
        let settings = self.settings.sorry.clone()?;
        let same = |real: &Real| is_same(real, &settings);
        let twin = self.reals.iter().position(same);
        Some(Sorry { settings, twin, programmed: None, serves: false })
    }

    /// Puts it to work: real servers without a failed checker live before any check has run. The
    /// requests are gathered by [`Service::fill`], which the caller calls until it is through.
    pub(crate) fn start(&mut self, told_of_reals: bool, work: &mut Work<'_>) {
        self.fill_services(&self.keys, work);
        self.revive();
        self.soil();
        if told_of_reals {
            // One after the other, as those who count them see it.
            self.alive = 0;
            for index in 0..self.reals.len() {
                if self.reals[index].alive {
                    self.alive += 1;
                    self.tell_real(index, true, work);
                }
            }
        }
        self.judge_quorum(true, work);
    }

    /// Real servers whose checkers are all up are alive from now on.
    fn revive(&mut self) {
        for real in &mut self.reals {
            real.weight = real.effective_weight();
            real.alive = real.failed == 0;
            real.was_alive |= real.alive;
        }
        self.weigh();
    }

    /// Ends it.
    pub(crate) fn end(&mut self, ending: Ending, work: &mut Work<'_>) {
        let removed = matches!(ending, Ending::Removed | Ending::RemovedAtOnce);
        if removed {
            let text = match &self.settings.identity {
                Identity::Group(group, _) => {
                    format!("Removing Virtual Server Group [{}]", group.name)
                }
                _ => format!("Removing Virtual Server {}", self.settings.name),
            };
            work.line(text);
        }
        if matches!(ending, Ending::Stop | Ending::Removed) {
            for index in 0..self.reals.len() {
                self.alive = self.alive.saturating_sub(usize::from(self.reals[index].alive));
                self.end_real(index, ending, work);
            }
        }
        let told = match ending {
            Ending::Stop | Ending::Flush => self.settings.omega,
            Ending::Removed | Ending::RemovedAtOnce => self.quorum_up,
        };
        if told {
            let body = if removed { "Removing" } else { "Shutting down" };
            self.tell_quorum(QuorumStatus::Shutdown, body, work);
        }
        self.quorum_up = false;
        self.dirty = None;
        self.empty_services(&self.keys, work);
    }

    fn end_real(&self, index: usize, ending: Ending, work: &mut Work<'_>) {
        let Some(real) = self.reals.get(index) else { return };
        let (server, service) = (&real.settings.name, &self.settings.name);
        let (text, body) = match ending {
            Ending::Stop => {
                let inhibited =
                    if real.settings.inhibit && !real.alive { "(inhibited) " } else { "" };
                let text = format!("Shutting down {inhibited}service {server} from VS {service}");
                (text, "Shutting down")
            }
            _ => (format!("Removing service {server} from VS {service}"), "Removing"),
        };
        work.line(text);
        if real.alive && (ending != Ending::Stop || self.settings.omega) {
            self.tell_real(index, false, work);
            self.mail_real(index, false, body, work);
        }
    }

    /// Lets it follow `settings`, which are of the same identity. Real servers that stay keep their
    /// state. The caller settles the checkers, then calls [`Service::resume`].
    pub(crate) fn follow(
        &mut self,
        settings: VirtualServer,
        keys: Vec<ServiceKey>,
        work: &mut Work<'_>,
    ) -> Followed {
        self.leave(&keys, work);
        let changed = is_changed(&self.settings, &settings);
        let held = self.held();
        let old_sorry = self.sorry.take();
        let reals = settings.real_servers.len();
        let mut new = Service::new(settings, std::mem::take(&mut self.keys));
        let mut old: Vec<_> = std::mem::take(&mut self.reals).into_iter().map(Some).collect();
        let place = |real: &Real| (real.settings.address, real.settings.port);
        let places: HashMap<_, _> =
            old.iter().flatten().map(place).enumerate().map(|(n, place)| (place, n)).collect();
        let mut carried = Vec::with_capacity(reals);
        for real in &mut new.reals {
            let before = places.get(&place(real)).and_then(|n| old.get_mut(*n)?.take());
            carried.push(before.map(|before| real.carry(before)).unwrap_or_default());
        }
        new.quorum_up = self.quorum_up;
        new.weight = self.weight;
        new.alive = self.alive;
        new.refused = self.refused;
        new.absent = self.absent;
        new.outdated = self.outdated;
        new.counters = self.counters.take();
        new.reloaded = true;
        *self = new;
        let mut gone = Vec::new();
        for real in old.into_iter().flatten() {
            self.drop_real(&real, work);
            gone.extend(real.checkers);
        }
        self.carry_sorry(old_sorry, work);
        self.inherit(held, work);
        if changed {
            self.fill_changed_services(&self.keys, work);
        }
        self.join(keys, work);
        Followed { carried, gone }
    }

    /// A real server that the new configuration does not have.
    fn drop_real(&mut self, real: &Real, work: &mut Work<'_>) {
        let (server, service) = (&real.settings.name, &self.settings.name);
        work.line(format!("service {server} no longer exist"));
        work.line(format!("Removing service {server} from VS {service}"));
        if real.alive {
            self.alive = self.alive.saturating_sub(1);
            let index = self.reals.len();
            self.reals.push(Real::new(real.settings.clone()));
            self.tell_real(index, false, work);
            self.mail_real(index, false, "Removing", work);
            self.reals.pop();
        }
    }

    fn carry_sorry(&mut self, old: Option<Sorry>, work: &mut Work<'_>) {
        let Some(old) = old else { return };
        match &mut self.sorry {
            Some(new) if is_same_server(&old.settings, &new.settings) => new.serves = old.serves,
            // One that is not in the table goes without a word.
            _ if !old.serves && !old.settings.inhibit => {}
            _ => {
                let (server, service) = (&old.settings.name, &self.settings.name);
                work.line(format!("Removing sorry server {server} from VS {service}"));
            }
        }
    }

    /// Gives up the members of a group that are not among `keys`. Of all virtual servers those that
    /// leave come before those that [`join`](Self::join): a member may pass from one to the other.
    pub(crate) fn leave(&mut self, keys: &[ServiceKey], work: &mut Work<'_>) {
        if self.keys == keys {
            return;
        }
        let wanted: HashSet<&ServiceKey> = keys.iter().collect();
        let old = std::mem::take(&mut self.keys);
        let (kept, gone): (Vec<_>, Vec<_>) = old.into_iter().partition(|key| wanted.contains(key));
        self.keys = kept;
        if let Identity::Group(group, _) = &self.settings.identity {
            for key in &gone {
                let member = member(*key);
                work.line(format!("VS {member} in group {} no longer exists", group.name));
            }
        }
        self.empty_services(&gone, work);
    }

    fn join(&mut self, keys: Vec<ServiceKey>, work: &mut Work<'_>) {
        if self.keys == keys {
            return;
        }
        let known: HashSet<&ServiceKey> = self.keys.iter().collect();
        let new: Vec<_> = keys.iter().filter(|key| !known.contains(key)).copied().collect();
        if let Identity::Group(group, _) = &self.settings.identity {
            for key in &new {
                work.line(format!("VS {} added into group {}", member(*key), group.name));
            }
        }
        self.fill_services(&new, work);
        self.fill_keys(&new, work);
        self.keys = keys;
    }

    /// After [`Service::follow`], once the checkers are what they will be.
    pub(crate) fn resume(&mut self, work: &mut Work<'_>) {
        for index in 0..self.reals.len() {
            let service = Rc::clone(&self.settings.name);
            let Some(real) = self.reals.get_mut(index) else { break };
            let weight = real.effective_weight();
            let before = std::mem::replace(&mut real.weight, weight);
            let (was, is) = (real.alive, real.failed == 0);
            real.alive = is;
            real.was_alive |= is;
            if !real.reloaded {
                continue;
            }
            let server = &real.settings.name;
            if weight != before {
                real.previous_weight = before;
                let state = if was { "active" } else { "inactive" };
                work.line(format!(
                    "Changing weight from {before} to {weight} for {state} service {server} of VS {service}"
                ));
            }
            if is != was {
                // Its last failed checker is gone, or a file that is looked at anew speaks against it.
                let (what, word) = passing(is, real.settings.inhibit);
                work.line(format!("{what} service {server} {word} VS {service}"));
                self.tell_real(index, is, work);
            }
        }
        self.weigh();
        self.soil();
        self.judge_quorum(true, work);
    }
}

/// The checkers of the old configuration.
#[derive(Debug)]
pub(crate) struct Followed {
    /// Those of each real server there is now, as far as it was there before.
    pub(crate) carried: Vec<Vec<CheckerId>>,
    /// Those of real servers that are gone.
    pub(crate) gone: Vec<CheckerId>,
}

impl Real {
    /// Takes the state over from `old`, the same server under the old configuration.
    fn carry(&mut self, old: Real) -> Vec<CheckerId> {
        self.reloaded = true;
        self.failed = old.failed;
        self.alive = old.alive;
        self.was_alive = old.was_alive;
        self.weight = old.weight;
        self.previous_weight = old.previous_weight;
        self.contributions = old.contributions;
        old.checkers
    }
}

fn is_same(real: &Real, sorry: &SorryServer) -> bool {
    (real.settings.address, real.settings.port) == (sorry.address, sorry.port)
}

fn is_same_server(a: &SorryServer, b: &SorryServer) -> bool {
    (a.address, a.port) == (b.address, b.port)
}

/// Something that the kernel's service holds differs.
fn is_changed(old: &VirtualServer, new: &VirtualServer) -> bool {
    (old.scheduler, old.flags, old.persistence, old.granularity, &old.engine)
        != (new.scheduler, new.flags, new.persistence, new.granularity, &new.engine)
}

/// `[addr:proto:port]` or `[FWM n]`.
fn member(key: ServiceKey) -> String {
    match key {
        ServiceKey::Address(protocol, ip, port) => format!("[{ip}:{}:{port}]", protocol.word()),
        ServiceKey::Mark(mark, _) => format!("[FWM {mark}]"),
    }
}

/// Most addresses and marks of a group; each is a service of the kernel with all real servers.
const KEYS_MAX: usize = 1 << 18;

/// What the kernel knows a virtual server by (spec ipvs §5): the addresses of a group in file order,
/// then its marks; and whether these are all.
pub(crate) fn keys(settings: &VirtualServer) -> (Vec<ServiceKey>, bool) {
    let protocol = settings.protocol.unwrap_or(Protocol::Tcp);
    let family = settings.family.unwrap_or(Family::Inet);
    match &settings.identity {
        Identity::Address(ip, port) => (vec![ServiceKey::Address(protocol, *ip, *port)], true),
        Identity::Mark(mark) => (vec![ServiceKey::Mark(*mark, family)], true),
        Identity::Group(group, _) => {
            let mut keys: Vec<_> = group_keys(group, protocol, family).take(KEYS_MAX + 1).collect();
            let all = keys.len() <= KEYS_MAX;
            keys.truncate(KEYS_MAX);
            let mut seen = HashSet::with_capacity(keys.len());
            keys.retain(|key| seen.insert(*key));
            (keys, all)
        }
    }
}

fn group_keys(
    group: &Group,
    protocol: Protocol,
    family: Family,
) -> impl Iterator<Item = ServiceKey> {
    let addresses = group.entries.iter().filter_map(move |entry| match *entry {
        GroupEntry::Addresses { first, last, port } => {
            let all = addresses(first, last);
            Some(all.map(move |ip| ServiceKey::Address(protocol, ip, port)))
        }
        GroupEntry::Mark { .. } => None,
    });
    let marks = group.entries.iter().filter_map(move |entry| match *entry {
        GroupEntry::Mark { mark, family: own } => {
            Some(ServiceKey::Mark(mark, own.unwrap_or(family)))
        }
        GroupEntry::Addresses { .. } => None,
    });
    addresses.flatten().chain(marks)
}

/// The addresses of a range, whole addresses and not only their last octet.
fn addresses(first: IpAddr, last: IpAddr) -> Box<dyn Iterator<Item = IpAddr>> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Box::new((u32::from(first)..=u32::from(last)).map(|bits| Ipv4Addr::from(bits).into()))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            Box::new((u128::from(first)..=u128::from(last)).map(|bits| Ipv6Addr::from(bits).into()))
        }
        _ => Box::new(std::iter::empty()),
    }
}
