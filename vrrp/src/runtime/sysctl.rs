//! Settings of the kernel that keywords change while VRRP runs: `promote_secondaries` of interfaces, ARP
//! settings of interfaces with VMACs on them, the host's `rp_filter` and `igmp_link_local_mcast_reports`.
//!
//! What was changed here is put back when nothing asks for it any more, at the stop at the latest;
//! what had the wanted value already is left alone. An interface is known by its index, so that one
//! that was renamed gets its value back and one that was made anew is set anew. A VMAC's own settings go with it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::kernel_view::KernelView;
use crate::config::{Family, Vmac};

const ROOT: &str = "/proc/sys/net";
const RP_FILTER: &str = "rp_filter";
const REPORTS: &str = "ipv4/igmp_link_local_mcast_reports";

/// A setting of an interface that is held at a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Switch {
    /// The removal of a primary address leaves its secondaries.
    PromoteSecondaries,
    /// ARP is answered only on the interface that has the address.
    ArpIgnore,
    /// ARP is answered only where packets to the asking address would leave.
    ArpFilter,
    /// ARP requests name an address of the interface itself: with a virtual one, neighbours would take this
    /// interface's MAC address for that of the virtual router.
    ArpAnnounce,
}

impl Switch {
    fn file(self) -> &'static str {
        match self {
            Switch::PromoteSecondaries => "promote_secondaries",
            Switch::ArpIgnore => "arp_ignore",
            Switch::ArpFilter => "arp_filter",
            Switch::ArpAnnounce => "arp_announce",
        }
    }

    fn value(self) -> &'static str {
        if self == Switch::ArpAnnounce { "2" } else { "1" }
    }
}

/// What a VMAC of IPv4 needs, and one of IPv6 the first: it alone answers for its addresses (RFC 9568 §8.1.2), and
/// packets come in though the way back is its parent's.
const OF_VMAC: [(&str, &str); 4] =
    [("arp_ignore", "1"), ("accept_local", "1"), ("rp_filter", "0"), ("promote_secondaries", "1")];

/// A setting that is held.
struct Held {
    /// The interface's name when it was set.
    name: String,
    original: String,
}

/// `rp_filter` moved from all interfaces together to each of them.
struct Loosened {
    /// What it was for all.
    all: String,
    /// What was changed: interface or `default`, and the value before.
    each: Vec<(String, String)>,
}

/// What was changed, and for whom.
pub(super) struct Sysctls {
    root: PathBuf,
    /// How many want it, by interface.
    wanted: HashMap<(String, Switch), u32>,
    held: HashMap<(u32, Switch), Held>,
    /// VMACs of IPv4, which need `rp_filter` to be each interface's own matter.
    loose: HashSet<String>,
    loosened: Option<Loosened>,
    /// What `igmp_link_local_mcast_reports` was.
    reports: Option<String>,
}

impl Default for Sysctls {
    fn default() -> Self {
        Sysctls::under(ROOT.into())
    }
}

impl Sysctls {
    fn under(root: PathBuf) -> Self {
        Sysctls {
            root,
            wanted: HashMap::new(),
            held: HashMap::new(),
            loose: HashSet::new(),
            loosened: None,
            reports: None,
        }
    }

    /// The interfaces of the instances with `promote_secondaries`, one for each instance, and all VMACs. Nothing
    /// is set or put back yet.
    pub fn want<'a>(
        &mut self,
        promoting: impl Iterator<Item = &'a str>,
        vmacs: impl Iterator<Item = &'a Vmac>,
    ) {
        self.wanted.clear();
        self.loose.clear();
        let mut add = |interface: &str, switch| {
            *self.wanted.entry((interface.to_owned(), switch)).or_default() += 1;
        };
        for interface in promoting {
            add(interface, Switch::PromoteSecondaries);
        }
        for vmac in vmacs.filter(|vmac| vmac.family == Family::V4 && !vmac.is_ipvlan()) {
            add(&vmac.parent, Switch::ArpIgnore);
            add(&vmac.parent, Switch::ArpFilter);
            add(&vmac.parent, Switch::ArpAnnounce);
            self.loose.insert(vmac.name.clone());
        }
    }

    /// Sets what is wanted on interfaces that are there and have it not yet.
    pub fn set(&mut self, view: &KernelView) {
        self.held.retain(|&(index, _), _| view.link_at(index).is_some());
        for (name, switch) in self.wanted.keys() {
            let Some(index) = view.index(name) else { continue };
            if self.held.contains_key(&(index, *switch)) {
                continue;
            }
            if let Some(original) = change(&self.path(name, switch.file()), switch.value()) {
                self.held.insert((index, *switch), Held { name: name.clone(), original });
            }
        }
        if !self.loose.is_empty() && self.loosened.is_none() {
            self.loosened = self.loosen();
        }
    }

    /// The kernel takes the larger of the value for all and the interface's own, and a VMAC needs 0.
    fn loosen(&self) -> Option<Loosened> {
        let path = self.path("all", RP_FILTER);
        let all = fs::read_to_string(&path).ok()?.trim().to_owned();
        let least: u32 = all.parse().ok().filter(|&value| value > 0)?;
        let mut each = Vec::new();
        for entry in fs::read_dir(self.root.join("ipv4/conf")).ok()?.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = self.path(&name, RP_FILTER);
            let own = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
            let enough = own.parse::<u32>().is_ok_and(|own| own >= least);
            if name == "all" || self.loose.contains(&name) || enough {
                continue;
            }
            if name == "default" {
                log::info!(
                    "NOTICE: setting sysctl net.ipv4.conf.default.rp_filter from {own} to {all}"
                );
            }
            if change(&path, &all).is_some() {
                each.push((name, own));
            }
        }
        log::info!("NOTICE: setting sysctl net.ipv4.conf.all.rp_filter from {all} to 0");
        change(&path, "0")?;
        Some(Loosened { all, each })
    }

    fn tighten(&mut self) {
        let Some(Loosened { all, each }) = self.loosened.take() else { return };
        log::info!("NOTICE: resetting sysctl net.ipv4.conf.all.rp_filter to {all}");
        put_back(&self.path("all", RP_FILTER), "0", &all);
        for (name, original) in each {
            if name == "default" {
                log::info!(
                    "NOTICE: resetting sysctl net.ipv4.conf.default.rp_filter to {original}"
                );
            }
            put_back(&self.path(&name, RP_FILTER), &all, &original);
        }
    }

    /// Sets up a VMAC that was just made.
    pub fn prepare_vmac(&self, vmac: &Vmac) {
        // One of IPv6 would otherwise answer ARP for every address of the host.
        let count = match vmac.family {
            _ if vmac.is_ipvlan() => 0,
            Family::V4 => OF_VMAC.len(),
            Family::V6 => 1,
        };
        for (file, value) in OF_VMAC.into_iter().take(count) {
            change(&self.path(&vmac.name, file), value);
        }
        let ipv6 = self.root.join("ipv6/conf").join(&vmac.name).join("disable_ipv6");
        // A kernel may have no IPv6.
        if !vmac.ipv6 && ipv6.exists() {
            change(&ipv6, "1");
        }
    }

    /// Puts back what nobody wants any more. Not before the addresses are gone for whose sake it was set.
    pub fn release(&mut self, view: &KernelView) {
        let name = |index: u32| view.link_at(index).map(|link| link.name.as_str());
        let unwanted = |&(index, switch): &(u32, Switch)| {
            name(index).is_none_or(|n| !self.wanted.contains_key(&(n.to_owned(), switch)))
        };
        let over: Vec<(u32, Switch)> = self.held.keys().copied().filter(unwanted).collect();
        for (index, switch) in over {
            if let (Some(old), Some(name)) = (self.held.remove(&(index, switch)), name(index)) {
                put_back(&self.path(name, switch.file()), switch.value(), &old.original);
            }
        }
        if self.loose.is_empty() {
            self.tighten();
        }
    }

    /// `disable_local_igmp`: until the stop, the host does not report its membership in link-local groups.
    pub fn silence_reports(&mut self) {
        self.reports = change(&self.root.join(REPORTS), "0");
    }

    /// VMACs outlive the daemon, and so does what was set for them.
    pub fn keep_vmacs(&mut self) {
        self.held.retain(|(_, switch), _| *switch == Switch::PromoteSecondaries);
        self.loosened = None;
    }

    /// Puts everything back.
    pub fn restore(&mut self, view: &KernelView) {
        self.wanted.clear();
        self.loose.clear();
        self.release(view);
        if let Some(original) = self.reports.take() {
            put_back(&self.root.join(REPORTS), "0", &original);
        }
    }

    /// For the dump: what the setting of the interface was, and for how many it is held.
    pub fn held(&self, name: &str, index: u32, switch: Switch) -> Option<(&str, u32)> {
        let held = self.held.get(&(index, switch))?;
        let count = self.wanted.get(&(name.to_owned(), switch)).copied().unwrap_or(0);
        Some((&held.original, count))
    }

    fn path(&self, interface: &str, file: &str) -> PathBuf {
        self.root.join("ipv4/conf").join(interface).join(file)
    }
}

impl Drop for Sysctls {
    /// Whatever ends the daemon short of a kill: nothing stays changed.
    fn drop(&mut self) {
        for ((_, switch), held) in &self.held {
            put_back(&self.path(&held.name, switch.file()), switch.value(), &held.original);
        }
        self.tighten();
        if let Some(original) = &self.reports {
            put_back(&self.root.join(REPORTS), "0", original);
        }
    }
}

/// Writes `value` unless it is there; what was there before, unless it cannot be changed.
fn change(path: &Path, value: &str) -> Option<String> {
    let changed = fs::read_to_string(path).and_then(|before| {
        let before = before.trim().to_owned();
        if before != value {
            fs::write(path, value)?;
        }
        Ok(before)
    });
    changed.inspect_err(|e| log::error!("Unable to set {} to {value}: {e}", path.display())).ok()
}

/// Writes `original` in the place of `ours`; what somebody else has changed since stays.
fn put_back(path: &Path, ours: &str, original: &str) {
    // An interface that has gone took its settings along.
    if original == ours
        || fs::read_to_string(path).is_ok_and(|now| now.trim() != ours)
        || !path.exists()
    {
        return;
    }
    if let Err(e) = fs::write(path, original) {
        log::error!("Unable to set {} back to {original}: {e}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use netlink::Link;

    use super::*;

    const PROMOTE: &str = "promote_secondaries";

    /// A directory that looks like the kernel's, with interfaces by name and their first values.
    struct Host(PathBuf);

    impl Host {
        fn new(test: &str, interfaces: &[(&str, &str)]) -> Host {
            let path =
                std::env::temp_dir().join(format!("ka-sysctl-{test}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            let host = Host(path);
            for (name, value) in interfaces {
                fs::create_dir_all(host.0.join("ipv4/conf").join(name)).unwrap();
                host.write(name, value);
            }
            fs::write(host.0.join(REPORTS), "1\n").unwrap();
            host
        }

        fn write(&self, name: &str, value: &str) {
            self.write_to(name, PROMOTE, value);
        }

        fn write_to(&self, name: &str, file: &str, value: &str) {
            fs::write(self.0.join("ipv4/conf").join(name).join(file), value).unwrap();
        }

        fn read(&self, name: &str) -> String {
            self.read_from(name, PROMOTE)
        }

        fn read_from(&self, name: &str, file: &str) -> String {
            let text = fs::read_to_string(self.0.join("ipv4/conf").join(name).join(file)).unwrap();
            text.trim().to_owned()
        }

        fn reports(&self) -> String {
            fs::read_to_string(self.0.join(REPORTS)).unwrap().trim().to_owned()
        }
    }

    impl Drop for Host {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn view(links: &[(u32, &str)]) -> KernelView {
        let link =
            |&(index, name): &(u32, &str)| Link { index, name: name.to_owned(), ..Link::default() };
        let mut view = KernelView::default();
        view.replace(links.iter().map(link).collect(), Vec::new());
        view
    }

    #[test]
    fn it_is_set_while_an_instance_wants_it_and_then_put_back() {
        let host = Host::new("want", &[("eth0", "0"), ("eth1", "1"), ("eth2", "0")]);
        let links = view(&[(2, "eth0"), (3, "eth1"), (4, "eth2")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        sysctls.want(["eth0", "eth0", "eth1"].into_iter(), std::iter::empty());
        sysctls.set(&links);
        assert_eq!(["eth0", "eth1", "eth2"].map(|name| host.read(name)), ["1", "1", "0"]);
        assert_eq!(sysctls.held("eth0", 2, Switch::PromoteSecondaries), Some(("0", 2)));

        sysctls.want(["eth0"].into_iter(), std::iter::empty());
        sysctls.set(&links);
        sysctls.release(&links);
        assert_eq!(host.read("eth0"), "1", "one instance is left");
        assert_eq!(host.read("eth1"), "1", "it was 1 before");

        sysctls.want(std::iter::empty(), std::iter::empty());
        assert_eq!(host.read("eth0"), "1", "addresses may still have to go");
        sysctls.release(&links);
        assert_eq!(host.read("eth0"), "0");
    }

    #[test]
    fn an_interface_that_is_made_anew_is_set_anew() {
        let host = Host::new("anew", &[("eth0", "0")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        sysctls.want(["eth0"].into_iter(), std::iter::empty());
        sysctls.set(&view(&[]));
        assert_eq!(host.read("eth0"), "0");
        sysctls.set(&view(&[(2, "eth0")]));
        assert_eq!(host.read("eth0"), "1");
        host.write("eth0", "0");
        sysctls.set(&view(&[(7, "eth0")]));
        assert_eq!(host.read("eth0"), "1");
        sysctls.restore(&view(&[(7, "eth0")]));
        assert_eq!(host.read("eth0"), "0");
    }

    #[test]
    fn a_renamed_interface_gets_its_value_back() {
        let host = Host::new("renamed", &[("eth0", "0"), ("wan", "1")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        sysctls.want(["eth0"].into_iter(), std::iter::empty());
        sysctls.set(&view(&[(2, "eth0")]));
        sysctls.restore(&view(&[(2, "wan")]));
        assert_eq!(host.read("wan"), "0");
    }

    #[test]
    fn reports_of_local_groups_come_back_however_it_ends() {
        let host = Host::new("reports", &[("eth0", "0")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        sysctls.silence_reports();
        assert_eq!(host.reports(), "0");
        sysctls.restore(&view(&[]));
        assert_eq!(host.reports(), "1");

        let mut sysctls = Sysctls::under(host.0.clone());
        sysctls.silence_reports();
        sysctls.want(["eth0"].into_iter(), std::iter::empty());
        sysctls.set(&view(&[(2, "eth0")]));
        drop(sysctls);
        assert_eq!((host.reports().as_str(), host.read("eth0").as_str()), ("1", "0"));
    }

    fn vmac(name: &str, family: Family) -> Vmac {
        Vmac {
            name: name.to_owned(),
            parent: "eth0".to_owned(),
            sublink: netlink::Sublink::PRIVATE_MACVLAN,
            mac: Some([0, 0, 0x5e, 0, 1, 51]),
            address: None,
            family,
            configured: None,
            group: None,
            notify_parent: false,
            ipv6: family == Family::V6,
        }
    }

    /// Each with its files, all of them 0 but `rp_filter` of `all` and of `eth1`.
    fn host_for_vmacs(test: &str) -> Host {
        let names = ["all", "default", "eth0", "eth1", "vrrp.51"];
        let host = Host::new(test, &names.map(|name| (name, "0")));
        for name in names {
            for file in ["arp_ignore", "arp_filter", "arp_announce", "accept_local", "rp_filter"] {
                host.write_to(name, file, "0");
            }
        }
        host.write_to("all", "rp_filter", "1");
        host.write_to("eth1", "rp_filter", "2");
        host
    }

    #[test]
    fn a_vmacs_parent_answers_arp_for_itself_alone_while_there_is_one() {
        let host = host_for_vmacs("parent");
        let links = view(&[(2, "eth0"), (3, "eth1")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        let arp = |name| {
            ["arp_ignore", "arp_filter", "arp_announce"].map(|file| host.read_from(name, file))
        };
        let vmacs = [vmac("a", Family::V4), vmac("b", Family::V4), vmac("c", Family::V6)];
        sysctls.want(std::iter::empty(), vmacs.iter());
        sysctls.set(&links);
        assert_eq!(
            (arp("eth0"), arp("eth1")),
            (["1", "1", "2"].map(str::to_owned), ["0"; 3].map(str::to_owned))
        );
        assert_eq!(sysctls.held("eth0", 2, Switch::ArpFilter), Some(("0", 2)));
        sysctls.want(std::iter::empty(), vmacs[2..].iter());
        sysctls.release(&links);
        assert_eq!(arp("eth0"), ["0"; 3]);
    }

    #[test]
    fn rp_filter_becomes_each_interfaces_own_matter_and_is_put_back() {
        let host = host_for_vmacs("rp-filter");
        let links = view(&[(2, "eth0"), (3, "eth1")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        let all =
            || ["all", "default", "eth0", "eth1"].map(|name| host.read_from(name, "rp_filter"));
        let vmacs = [vmac("vrrp.51", Family::V4)];
        sysctls.want(std::iter::empty(), vmacs.iter());
        sysctls.set(&links);
        assert_eq!(all(), ["0", "1", "1", "2"]);
        sysctls.prepare_vmac(&vmacs[0]);
        let own = OF_VMAC.map(|(file, _)| host.read_from("vrrp.51", file));
        assert_eq!(own, ["1", "1", "0", "1"]);

        host.write_to("eth0", "rp_filter", "2");
        sysctls.restore(&links);
        assert_eq!(all(), ["1", "0", "2", "2"], "eth0 was changed by somebody else since");
    }

    /// Somebody sets it again while there are VMACs.
    #[test]
    fn rp_filter_of_a_vmac_itself_stays_0() {
        let host = host_for_vmacs("rp-filter-again");
        host.write_to("all", "rp_filter", "0");
        let links = view(&[(2, "eth0")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        let vmacs = [vmac("vrrp.51", Family::V4)];
        sysctls.want(std::iter::empty(), vmacs.iter());
        sysctls.set(&links);
        host.write_to("all", "rp_filter", "1");
        sysctls.set(&links);
        let values = ["all", "eth0", "vrrp.51"].map(|name| host.read_from(name, "rp_filter"));
        assert_eq!(values, ["0", "1", "0"]);
    }

    #[test]
    fn what_somebody_else_changed_since_stays() {
        let host = Host::new("stays", &[("eth0", "0")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        sysctls.silence_reports();
        fs::write(host.0.join(REPORTS), "5").unwrap();
        sysctls.restore(&view(&[]));
        assert_eq!(host.reports(), "5");
    }
}
