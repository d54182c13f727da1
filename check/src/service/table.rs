//! What the kernel's table should hold for a virtual server, compared with what it holds.
//!
//! What is there is remembered per real server ([`Real::programmed`]); the table is never read back.
//! Requests are gathered in one [`Batch`] for many servers and remembered as done when they are
//! gathered; a request that the kernel then refuses is taken back by its tag.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipvs::{Batch, Destination, Forwarding, Kernel, ServiceKey};

use super::{Service, Told};

/// A weight no server can have: the kernel's state is not what it should be and not known.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// Tag of a request about a service itself, and about its sorry server.
const SERVICE: u64 = u32::MAX as u64;
const SORRY: u64 = u32::MAX as u64 - 1;
/// Added to the tag of a request that changes or deletes something.
const CHANGES: u64 = 1 << 63;

/// How many virtual servers use each service of the kernel: those of a group may share some.
#[derive(Debug, Default)]
pub(crate) struct Keys(HashMap<ServiceKey, u32>);

impl Keys {
    /// True for the first user.
    fn acquire(&mut self, key: ServiceKey) -> bool {
        let users = self.0.entry(key).or_default();
        *users += 1;
        *users == 1
    }

    /// True for the last user.
    fn release(&mut self, key: ServiceKey) -> bool {
        match self.0.get_mut(&key) {
            Some(users) if *users > 1 => {
                *users -= 1;
                false
            }
            _ => self.0.remove(&key).is_some(),
        }
    }
}

/// What the functions of a service work on.
pub(crate) struct Work<'a> {
    pub(crate) kernel: &'a mut dyn Kernel,
    pub(crate) batch: &'a mut Batch,
    pub(crate) keys: &'a mut Keys,
    pub(crate) told: &'a mut Vec<Told>,
    /// Tags of requests that the kernel refused, to be taken back.
    pub(crate) refused: &'a mut Vec<u64>,
    /// SNMP notifications are wanted.
    pub(crate) traps: bool,
    /// Where the service stands, for tags.
    pub(crate) slot: u32,
}

impl Work<'_> {
    pub(crate) fn line(&mut self, text: String) {
        self.told.push(Told::Line(text));
    }

    fn tag(&self, what: u64) -> u64 {
        u64::from(self.slot) << 32 | what
    }
}

/// The slot a tag names.
pub(crate) fn slot_of(tag: u64) -> u32 {
    u32::try_from((tag & !CHANGES) >> 32).unwrap_or(u32::MAX)
}

impl Service {
    /// The kernel's service under one of the keys.
    fn kernel_service(&self, key: ServiceKey) -> ipvs::Service {
        let s = &self.settings;
        ipvs::Service {
            key,
            scheduler: s.scheduler,
            flags: s.flags,
            persistence: s.persistence,
            granularity: s.granularity,
            engine: s.engine.clone(),
        }
    }

    /// The weight a real server should have in the table; `None`: it should not be there.
    fn wanted(&self, index: usize) -> Option<u32> {
        let real = self.reals.get(index)?;
        let own = match (real.alive, self.is_sorry()) {
            (true, false) => Some(real.weight),
            _ => real.settings.inhibit.then_some(0),
        };
        match &self.sorry {
            Some(sorry) if sorry.twin == Some(index) => {
                let as_sorry = self.wanted_sorry_alone();
                if self.is_sorry() { as_sorry } else { own.or(as_sorry) }
            }
            _ => own,
        }
    }

    fn wanted_sorry_alone(&self) -> Option<u32> {
        let sorry = self.sorry.as_ref()?;
        match self.is_sorry() {
            true => Some(1),
            false => sorry.settings.inhibit.then_some(0),
        }
    }

    /// Has to be called when the quorum changes or several servers do.
    pub(crate) fn soil(&mut self) {
        self.dirty = Some(0);
    }

    /// Gathers the requests for servers whose entry may be wrong, until the batch has `limit`. False:
    /// there are more.
    ///
    /// The sorry server is added before real servers leave, and leaves after they are back, so that
    /// there is always a destination.
    pub(crate) fn fill(&mut self, work: &mut Work<'_>, limit: usize) -> bool {
        let Some(from) = self.dirty else { return true };
        if from == 0 && self.is_sorry() {
            self.fill_sorry(work);
        }
        for index in from..self.reals.len() {
            if work.batch.len() >= limit {
                self.dirty = Some(index);
                return false;
            }
            self.fill_real(index, work);
        }
        if !self.is_sorry() {
            self.fill_sorry(work);
        }
        self.dirty = None;
        true
    }

    /// Gathers the request for one real server.
    pub(crate) fn fill_real(&mut self, index: usize, work: &mut Work<'_>) {
        let wanted = self.wanted(index);
        let Some(real) = self.reals.get_mut(index) else { return };
        let programmed = std::mem::replace(&mut real.programmed, wanted);
        if programmed == wanted {
            return;
        }
        let s = &self.reals[index].settings;
        let destination = Destination {
            address: s.address,
            port: s.port,
            forwarding: s.forwarding,
            weight: wanted.or(programmed).filter(|w| *w != UNKNOWN).unwrap_or(0),
            upper_threshold: s.upper_threshold,
            lower_threshold: s.lower_threshold,
        };
        self.request(&self.keys, &destination, programmed, wanted, index as u64, work);
    }

    fn fill_sorry(&mut self, work: &mut Work<'_>) {
        let wanted = self.wanted_sorry_alone();
        let Some(sorry) = &mut self.sorry else { return };
        if sorry.twin.is_some() {
            return;
        }
        let programmed = std::mem::replace(&mut sorry.programmed, wanted);
        if programmed == wanted {
            return;
        }
        let s = &sorry.settings;
        let weight = wanted.unwrap_or(0);
        let destination = standing_in(s.address, s.port, s.forwarding, weight);
        self.request(&self.keys, &destination, programmed, wanted, SORRY, work);
    }

    fn request(
        &self,
        keys: &[ServiceKey],
        destination: &Destination,
        programmed: Option<u32>,
        wanted: Option<u32>,
        what: u64,
        work: &mut Work<'_>,
    ) {
        let tag = work.tag(what);
        for key in keys {
            let service = self.kernel_service(*key);
            let port = destination_port(*key, destination);
            let destination = Destination { port, ..*destination };
            match (programmed, wanted) {
                (None, Some(_)) => work.batch.add_destination(&service, &destination, tag),
                (Some(_), Some(_)) => {
                    work.batch.set_destination(&service, &destination, tag | CHANGES);
                }
                (Some(_), None) => {
                    work.batch.delete_destination(&service, &destination, tag | CHANGES);
                }
                (None, None) => {}
            }
        }
    }

    /// Gathers the requests that create the kernel's services.
    pub(crate) fn fill_services(&self, keys: &[ServiceKey], work: &mut Work<'_>) {
        for key in keys {
            if work.keys.acquire(*key) {
                let tag = work.tag(SERVICE);
                work.batch.add_service(&self.kernel_service(*key), tag);
            }
        }
    }

    /// Gathers again what the kernel refused before.
    pub(crate) fn try_again(&mut self, work: &mut Work<'_>) {
        self.refused = false;
        if std::mem::take(&mut self.absent) {
            let tag = work.tag(SERVICE);
            for key in &self.keys {
                work.batch.add_service(&self.kernel_service(*key), tag);
            }
        }
        if std::mem::take(&mut self.outdated) {
            self.fill_changed_services(&self.keys, work);
        }
        self.soil();
    }

    /// Gathers the requests that change the kernel's services.
    pub(crate) fn fill_changed_services(&self, keys: &[ServiceKey], work: &mut Work<'_>) {
        let tag = work.tag(SERVICE);
        for key in keys {
            work.batch.set_service(&self.kernel_service(*key), tag | CHANGES);
        }
    }

    /// Gathers what gives new keys the destinations that the others have.
    pub(crate) fn fill_keys(&self, keys: &[ServiceKey], work: &mut Work<'_>) {
        // What is unknown is asked for under all keys anyway.
        for (index, real) in self.reals.iter().enumerate() {
            let Some(weight) = real.programmed.filter(|weight| *weight != UNKNOWN) else {
                continue;
            };
            let s = &real.settings;
            let destination = Destination {
                upper_threshold: s.upper_threshold,
                lower_threshold: s.lower_threshold,
                ..standing_in(s.address, s.port, s.forwarding, weight)
            };
            self.request(keys, &destination, None, Some(weight), index as u64, work);
        }
        if let Some(sorry) = &self.sorry
            && let Some(weight) = sorry.programmed.filter(|weight| *weight != UNKNOWN)
        {
            let s = &sorry.settings;
            let destination = standing_in(s.address, s.port, s.forwarding, weight);
            self.request(keys, &destination, None, Some(weight), SORRY, work);
        }
    }

    /// Gathers the requests that delete the kernel's services; the kernel deletes their destinations
    /// with them. Of a service that others use too only our destinations go.
    pub(crate) fn empty_services(&self, keys: &[ServiceKey], work: &mut Work<'_>) {
        let tag = work.tag(SERVICE) | CHANGES;
        for key in keys {
            if work.keys.release(*key) {
                work.batch.delete_service(&self.kernel_service(*key), tag);
                continue;
            }
            for destination in self.held() {
                let gone = Destination { weight: 0, ..destination };
                self.request(std::slice::from_ref(key), &gone, Some(0), None, SERVICE, work);
            }
        }
    }

    /// What the table holds for it; the weights may be [`UNKNOWN`].
    pub(crate) fn held(&self) -> Vec<Destination> {
        let reals = self.reals.iter().filter_map(|real| {
            let s = &real.settings;
            Some(Destination {
                address: s.address,
                port: s.port,
                forwarding: s.forwarding,
                weight: real.programmed?,
                upper_threshold: s.upper_threshold,
                lower_threshold: s.lower_threshold,
            })
        });
        let sorry = self.sorry.as_ref().and_then(|sorry| {
            let s = &sorry.settings;
            Some(standing_in(s.address, s.port, s.forwarding, sorry.programmed?))
        });
        reals.chain(sorry).collect()
    }

    /// Where the destinations of a key stand in the configuration that have another port there.
    pub(crate) fn moved(&self, key: ServiceKey) -> HashMap<(IpAddr, u16), (IpAddr, u16)> {
        let reals = self.reals.iter().map(|real| {
            let s = &real.settings;
            standing_in(s.address, s.port, s.forwarding, 0)
        });
        let sorry = self.sorry.as_ref().map(|sorry| {
            let s = &sorry.settings;
            standing_in(s.address, s.port, s.forwarding, 0)
        });
        reals
            .chain(sorry)
            .filter_map(|d| {
                let port = destination_port(key, &d);
                (port != d.port).then_some(((d.address, port), (d.address, d.port)))
            })
            .collect()
    }

    /// Gathers the requests that take out what is at none of these places.
    pub(crate) fn vacate(&mut self, stays: &HashSet<(IpAddr, u16)>, work: &mut Work<'_>) {
        let goes = |entry: &Destination| !stays.contains(&(entry.address, entry.port));
        for entry in self.held().into_iter().filter(goes) {
            let gone = Destination { weight: 0, ..entry };
            self.request(&self.keys, &gone, Some(0), None, SERVICE, work);
        }
        for real in &mut self.reals {
            if !stays.contains(&(real.settings.address, real.settings.port)) {
                real.programmed = None;
            }
        }
        if let Some(sorry) = &mut self.sorry
            && !stays.contains(&(sorry.settings.address, sorry.settings.port))
        {
            sorry.programmed = None;
        }
    }

    /// Takes over what the table holds from the time before a reload, by whatever name it goes now;
    /// gathers the requests that take out what has no name any more.
    pub(crate) fn inherit(&mut self, held: Vec<Destination>, work: &mut Work<'_>) {
        let mut heirs: HashMap<(IpAddr, u16), usize> = HashMap::with_capacity(self.reals.len());
        for (index, real) in self.reals.iter().enumerate() {
            heirs.insert((real.settings.address, real.settings.port), index);
        }
        for before in held {
            let heir = heirs.get(&(before.address, before.port)).copied();
            if !self.bequeath(&before, heir) {
                let gone = Destination { weight: 0, ..before };
                self.request(&self.keys, &gone, Some(0), None, SERVICE, work);
            }
        }
    }

    /// Gives an entry of the table to a real server or to the sorry server; false when it is nobody's.
    fn bequeath(&mut self, before: &Destination, heir: Option<usize>) -> bool {
        let (after, programmed) = match (heir.and_then(|n| self.reals.get_mut(n)), &mut self.sorry)
        {
            (Some(real), _) => {
                let s = &real.settings;
                let after = Destination {
                    forwarding: s.forwarding,
                    upper_threshold: s.upper_threshold,
                    lower_threshold: s.lower_threshold,
                    ..*before
                };
                (after, &mut real.programmed)
            }
            (None, Some(sorry)) => {
                let s = &sorry.settings;
                if (s.address, s.port) != (before.address, before.port) {
                    return false;
                }
                let after = standing_in(s.address, s.port, s.forwarding, before.weight);
                (after, &mut sorry.programmed)
            }
            (None, None) => return false,
        };
        let moves =
            |key: &ServiceKey| destination_port(*key, before) != destination_port(*key, &after);
        if before.forwarding != after.forwarding && self.keys.iter().any(moves) {
            return false;
        }
        *programmed = Some(if after == *before { before.weight } else { UNKNOWN });
        true
    }

    /// Takes back what the request with this tag was to do; it is asked for again after a while.
    pub(crate) fn take_back(&mut self, tag: u64) {
        self.refused = true;
        let programmed = match tag & u64::from(u32::MAX) {
            SERVICE => {
                match tag & CHANGES {
                    0 => self.absent = true,
                    _ => self.outdated = true,
                }
                return;
            }
            SORRY => self.sorry.as_mut().map(|sorry| &mut sorry.programmed),
            index => {
                let real = usize::try_from(index).ok().and_then(|i| self.reals.get_mut(i));
                real.map(|real| &mut real.programmed)
            }
        };
        // What is refused under one key may have been added under another.
        let is_somewhere = tag & CHANGES != 0 || self.keys.len() > 1;
        if let Some(programmed) = programmed {
            *programmed = is_somewhere.then_some(UNKNOWN);
        }
    }

    /// Asks for one real server at once; false when the kernel refused.
    pub(crate) fn program(&mut self, index: usize, work: &mut Work<'_>) -> bool {
        // What others are refused is not its own.
        flush(work);
        let before = self.reals.get(index).and_then(|real| real.programmed);
        let known = work.refused.len();
        self.fill_real(index, work);
        flush(work);
        let done = work.refused.len() == known;
        if !done && let Some(real) = self.reals.get_mut(index) {
            work.refused.truncate(known);
            real.programmed = before;
            if self.keys.len() > 1 {
                // Under some of its keys it may have been done.
                real.programmed = Some(UNKNOWN);
                self.soil();
            }
        }
        done
    }
}

/// Sends what was gathered. What the kernel refuses is logged, and noted if it matters.
pub(crate) fn flush(work: &mut Work<'_>) {
    if work.batch.is_empty() {
        return;
    }
    for failure in work.kernel.apply(work.batch) {
        work.told.push(Told::Line(failure.to_string()));
        if !failure.is_tolerated() {
            work.refused.push(failure.tag);
        }
    }
    work.batch.clear();
}

/// A destination without thresholds.
fn standing_in(address: IpAddr, port: u16, forwarding: Forwarding, weight: u32) -> Destination {
    Destination { address, port, forwarding, weight, upper_threshold: 0, lower_threshold: 0 }
}

/// The port of a destination under a key (spec ipvs §3): only NAT can change it.
fn destination_port(key: ServiceKey, destination: &Destination) -> u16 {
    match (key, destination.forwarding) {
        (_, Forwarding::Nat) => destination.port,
        (ServiceKey::Address(_, _, port), _) => port,
        (ServiceKey::Mark(..), _) => 0,
    }
}
