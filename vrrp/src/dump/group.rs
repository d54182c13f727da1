//! Groups of instances, and of interfaces.

use std::time::Duration;

use super::address::ENTRY;
use super::instance::tracked;
use super::scripts::transitions;
use super::snapshot::{GarpView, Snapshot};
use super::text::{Text, signed, stamp};

/// `garp_group` blocks, then the interfaces of the global intervals.
pub(super) fn garp_groups(t: &mut Text, groups: &[GarpView<'_>]) {
    if groups.is_empty() {
        return;
    }
    t.title("Gratuitous ARP delays");
    for group in groups {
        t.title("GARP delay group");
        interval(t, " GARP interval = ", group.arp);
        t.time(" GARP next time ", group.arp_next);
        interval(t, " GNA interval = ", group.na);
        t.time(" GNA next time ", group.na_next);
        t.put(" Interfaces\n");
        for name in &group.interfaces {
            t.word("  ", name);
        }
    }
}

fn interval(t: &mut Text, key: &str, interval: Duration) {
    t.put(key);
    stamp(t.raw(), (signed(interval.as_secs()), interval.subsec_micros()));
    t.end();
}

/// `track_group` blocks.
pub(super) fn track_groups(t: &mut Text, s: &Snapshot<'_>) {
    if s.track_groups.is_empty() {
        return;
    }
    t.title("Static Track groups");
    for group in s.track_groups {
        t.word(" Static Track Group = ", &group.name);
        members(t, s, &group.members);
    }
}

/// `vrrp_sync_group` blocks.
pub(super) fn sync_groups(t: &mut Text, s: &Snapshot<'_>) {
    if s.router.groups().is_empty() {
        return;
    }
    t.title("VRRP Sync groups");
    for group in s.router.groups() {
        let c = &*group.settings;
        t.put(" VRRP Sync Group = ").put(&c.name).put(", ").word("", group.state().word());
        let instances = || c.members.iter().filter_map(|&m| s.router.instances().get(m));
        let faulty = instances().filter(|i| i.is_faulty()).count();
        let waiting = instances().filter(|i| i.scripts_in_init() > 0).count();
        t.put("   Num member fault ").int(signed(faulty));
        t.put(", num member init ").int(signed(waiting)).end();
        members(t, s, &c.members);
        if c.tracking_weight {
            t.put("   sync group tracking weight set\n");
        }
        t.yes_no("   Using smtp notification = ", c.notify.smtp_alert);
        if c.notify.priority_changes {
            t.yes_no("   Notify priority changes = ", true);
        }
        tracked(t, "   Tracked interfaces :\n", " weight ", &c.track_interfaces);
        tracked(t, "   Tracked scripts :\n", " weight ", &c.track_scripts);
        tracked(t, "   Tracked files :\n", ", weight ", &c.track_files);
        tracked(t, "   Tracked process :\n", ", weight ", &c.track_processes);
        tracked(t, "   Tracked BFDs :\n", ": weight ", &c.track_bfds);
        transitions(t, &c.notify);
    }
}

fn members(t: &mut Text, s: &Snapshot<'_>, members: &[usize]) {
    t.put("   VRRP member instances :\n");
    for instance in members.iter().filter_map(|&m| s.router.instances().get(m)) {
        t.word(ENTRY, &instance.settings.name);
    }
}
