//! Settings of the kernel that keywords change while VRRP runs: `promote_secondaries` of interfaces
//! and the host's `igmp_link_local_mcast_reports`.
//!
//! What was changed here is put back when nothing asks for it any more, at the stop at the latest;
//! what had the wanted value already is left alone. An interface is known by its index, so that one
//! that was renamed gets its value back and one that was made anew is set anew.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::kernel_view::KernelView;

const ROOT: &str = "/proc/sys/net/ipv4";
const PROMOTE: &str = "promote_secondaries";
const REPORTS: &str = "igmp_link_local_mcast_reports";

/// An interface whose `promote_secondaries` is held at 1.
struct Promoted {
    /// Its name when it was set.
    name: String,
    original: String,
}

/// What was changed, and for whom.
pub(super) struct Sysctls {
    root: PathBuf,
    /// How many instances want it, by interface.
    wanted: HashMap<String, u32>,
    promoted: HashMap<u32, Promoted>,
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
        Sysctls { root, wanted: HashMap::new(), promoted: HashMap::new(), reports: None }
    }

    /// The interfaces of the instances with `promote_secondaries`, one for each instance. Nothing is
    /// set or put back yet.
    pub fn want<'a>(&mut self, interfaces: impl Iterator<Item = &'a str>) {
        self.wanted.clear();
        for interface in interfaces {
            *self.wanted.entry(interface.to_owned()).or_default() += 1;
        }
    }

    /// Sets what is wanted on interfaces that are there and have it not yet.
    pub fn set(&mut self, view: &KernelView) {
        self.promoted.retain(|&index, _| view.link_at(index).is_some());
        for name in self.wanted.keys() {
            let Some(index) = view.index(name) else { continue };
            if self.promoted.contains_key(&index) {
                continue;
            }
            if let Some(original) = change(&self.promote_path(name), "1") {
                self.promoted.insert(index, Promoted { name: name.clone(), original });
            }
        }
    }

    /// Puts back what nobody wants any more. Not before the addresses are gone for whose sake it was set.
    pub fn release(&mut self, view: &KernelView) {
        let name = |index: u32| view.link_at(index).map(|link| link.name.as_str());
        let unwanted = |&index: &u32| name(index).is_none_or(|n| !self.wanted.contains_key(n));
        let over: Vec<u32> = self.promoted.keys().copied().filter(unwanted).collect();
        for index in over {
            if let (Some(old), Some(name)) = (self.promoted.remove(&index), name(index)) {
                put_back(&self.promote_path(name), "1", &old.original);
            }
        }
    }

    /// `disable_local_igmp`: until the stop, the host does not report its membership in link-local groups.
    pub fn silence_reports(&mut self) {
        self.reports = change(&self.root.join(REPORTS), "0");
    }

    /// Puts everything back.
    pub fn restore(&mut self, view: &KernelView) {
        self.wanted.clear();
        self.release(view);
        if let Some(original) = self.reports.take() {
            put_back(&self.root.join(REPORTS), "0", &original);
        }
    }

    /// For the dump: what `promote_secondaries` of the interface was, and how many instances hold it.
    pub fn promoted(&self, name: &str, index: u32) -> Option<(&str, u32)> {
        let promoted = self.promoted.get(&index)?;
        Some((&promoted.original, self.wanted.get(name).copied().unwrap_or(0)))
    }

    fn promote_path(&self, interface: &str) -> PathBuf {
        self.root.join("conf").join(interface).join(PROMOTE)
    }
}

impl Drop for Sysctls {
    /// Whatever ends the daemon short of a kill: nothing stays changed.
    fn drop(&mut self) {
        for promoted in self.promoted.values() {
            put_back(&self.promote_path(&promoted.name), "1", &promoted.original);
        }
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
    if original == ours || fs::read_to_string(path).is_ok_and(|now| now.trim() != ours) {
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

    /// A directory that looks like the kernel's, with interfaces by name and their first values.
    struct Host(PathBuf);

    impl Host {
        fn new(test: &str, interfaces: &[(&str, &str)]) -> Host {
            let path =
                std::env::temp_dir().join(format!("ka-sysctl-{test}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            let host = Host(path);
            for (name, value) in interfaces {
                fs::create_dir_all(host.0.join("conf").join(name)).unwrap();
                host.write(name, value);
            }
            fs::write(host.0.join(REPORTS), "1\n").unwrap();
            host
        }

        fn write(&self, name: &str, value: &str) {
            fs::write(self.0.join("conf").join(name).join(PROMOTE), value).unwrap();
        }

        fn read(&self, name: &str) -> String {
            let text = fs::read_to_string(self.0.join("conf").join(name).join(PROMOTE)).unwrap();
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
        sysctls.want(["eth0", "eth0", "eth1"].into_iter());
        sysctls.set(&links);
        assert_eq!(["eth0", "eth1", "eth2"].map(|name| host.read(name)), ["1", "1", "0"]);
        assert_eq!(sysctls.promoted("eth0", 2), Some(("0", 2)));

        sysctls.want(["eth0"].into_iter());
        sysctls.set(&links);
        sysctls.release(&links);
        assert_eq!(host.read("eth0"), "1", "one instance is left");
        assert_eq!(host.read("eth1"), "1", "it was 1 before");

        sysctls.want(std::iter::empty());
        assert_eq!(host.read("eth0"), "1", "addresses may still have to go");
        sysctls.release(&links);
        assert_eq!(host.read("eth0"), "0");
    }

    #[test]
    fn an_interface_that_is_made_anew_is_set_anew() {
        let host = Host::new("anew", &[("eth0", "0")]);
        let mut sysctls = Sysctls::under(host.0.clone());
        sysctls.want(["eth0"].into_iter());
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
        sysctls.want(["eth0"].into_iter());
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
        sysctls.want(["eth0"].into_iter());
        sysctls.set(&view(&[(2, "eth0")]));
        drop(sysctls);
        assert_eq!((host.reports().as_str(), host.read("eth0").as_str()), ("1", "0"));
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
