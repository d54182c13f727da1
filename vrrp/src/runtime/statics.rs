//! `track_group`: instances that cannot serve while a static address is missing.
//!
//! A static address somebody deletes is put back like a virtual one, and its interface is waited for.
//! Only while it cannot be there, because the interface is absent or down or the kernel refuses the
//! address, the instances of its group are in FAULT.

use std::collections::HashMap;

use scheduler::Time;

use super::Vrrp;
use crate::config::AddressSettings;
use crate::dump::path_text;
use crate::router::Status;
use crate::state::Faults;

impl Vrrp {
    /// Puts members of track groups into FAULT or lets them out; true when that changed anything.
    pub(super) fn judge_statics(&mut self, now: Time) -> bool {
        if self.track_groups.is_empty() || self.stopping {
            return false;
        }
        let mut members: Vec<usize> =
            self.track_groups.iter().flat_map(|group| group.members.iter().copied()).collect();
        members.sort_unstable();
        members.dedup();
        self.judge_members(now, members.into_iter())
    }

    /// As [`Vrrp::judge_statics`], for all instances: the groups may be new.
    pub(super) fn judge_all_statics(&mut self, now: Time) {
        self.judge_members(now, 0..self.router.instances().len());
    }

    fn judge_members(&mut self, now: Time, instances: impl Iterator<Item = usize>) -> bool {
        let missing = self.missing_statics();
        let mut changed = false;
        for i in instances {
            let why = missing.get(&i);
            let inst = &self.router.instances()[i];
            if inst.faults().contains(Faults::STATIC) == why.is_some() {
                continue;
            }
            if let Some(why) = why {
                log::info!("({}) static {why} cannot be present", inst.settings.name);
            }
            let present = why.is_some();
            self.router.set_fault(now, i, Faults::STATIC, present, &mut self.actions);
            changed = true;
        }
        changed
    }

    /// For each instance that must not serve, one entry that is the reason.
    fn missing_statics(&self) -> HashMap<usize, String> {
        let mut missing = HashMap::new();
        let mut miss = |group: &Option<String>, text: &dyn Fn() -> String| {
            let group = self.track_groups.iter().find(|g| Some(&g.name) == group.as_ref());
            for &member in group.iter().flat_map(|g| &g.members) {
                missing.insert(member, text());
            }
        };
        for a in self.statics.iter().filter(|a| !self.can_be_present(a)) {
            let text = || format!("address {}/{} dev {}", a.ip, a.prefix, a.interface);
            miss(&a.track_group, &text);
        }
        for path in self.static_paths.iter().filter(|path| path.track_group.is_some()) {
            let up = path.interfaces().into_iter().all(|name| self.is_believed_up(name));
            if !up || self.paths.is_refused(path) {
                miss(&path.track_group, &|| format!("entry {}", path_text(path)));
            }
        }
        missing
    }

    /// What `interface_up_down_delays` hold back of a link counts here as it does for instances.
    fn is_believed_up(&self, interface: &str) -> bool {
        let tracker = self.interface_trackers.get(interface);
        match tracker.map(|&t| self.router.trackers()[t].status()) {
            Some(status) => status == Status::Up,
            None => self.view.is_up(interface),
        }
    }

    fn can_be_present(&self, a: &AddressSettings) -> bool {
        self.is_believed_up(&a.interface)
            && self.view.link(&a.interface).is_some()
            && !self.holdings.is_refused(a)
    }
}
