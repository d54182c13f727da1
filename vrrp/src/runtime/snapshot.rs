//! What the dumps print, gathered from all over VRRP.

use std::collections::{HashMap, HashSet};
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::Vrrp;
use super::dispatch::Endpoint;
use super::sysctl::Switch;
use crate::dump::{DebounceView, GarpView, HeldView, PortView, Snapshot, SocketView};

impl Vrrp {
    /// VRRP as it is at this moment.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        let debounce = |d: &super::Debounce| DebounceView {
            up: d.up,
            down: d.down,
            running: d.due().is_some(),
            seen_up: d.seen_up(),
        };
        Snapshot {
            router: &self.router,
            kernel: &self.view,
            virtual_addresses: &self.virtual_addresses,
            statics: &self.statics,
            static_paths: &self.static_paths,
            track_groups: &self.track_groups,
            garp: self.garp_views(),
            ports: self.port_views(),
            sockets: self.endpoints.iter().flatten().map(|e| self.socket_view(e)).collect(),
            checks: &self.checks,
            files: &self.files,
            quorums: self.quorums(),
            linkbeat: self.linkbeat.iter().flat_map(|linkbeat| linkbeat.methods()).collect(),
            sessions: &self.session_settings,
            up: &self.sessions,
            debounces: self.debounces.iter().map(|(n, d)| (n.as_str(), debounce(d))).collect(),
            held: self.held(),
            made: self.vmacs.made().collect(),
            forwarding: self.announcer.forwarding().collect::<HashMap<_, _>>(),
        }
    }

    fn held(&self) -> HashMap<u32, HeldView<'_>> {
        let links = self.view.links().into_iter();
        let view = |link: &netlink::Link| {
            let of = |switch| self.sysctls.held(&link.name, link.index, switch);
            HeldView {
                promote: of(Switch::PromoteSecondaries),
                arp_ignore: of(Switch::ArpIgnore),
                arp_filter: of(Switch::ArpFilter),
            }
        };
        links.map(|link| (link.index, view(link))).collect()
    }

    fn port_views(&self) -> Vec<PortView> {
        let ports = self.ports.iter().map(|port| {
            let endpoint = port.socket.and_then(|at| self.endpoints.get(at)?.as_ref());
            PortView {
                descriptors: endpoint.map(descriptors),
                old_checksum: port.old_checksum,
                complained: port.complained,
            }
        });
        ports.collect()
    }

    fn socket_view<'a>(&'a self, endpoint: &'a Endpoint) -> SocketView<'a> {
        let mut instances: Vec<usize> = endpoint.instances().collect();
        instances.sort_unstable();
        SocketView {
            key: endpoint.key,
            interface: endpoint.pair.interface(),
            descriptors: descriptors(endpoint),
            buffer: self.receive_buffer(&instances).unwrap_or(0),
            instances,
        }
    }

    /// The groups, then the interfaces for which the global intervals count.
    fn garp_views(&self) -> Vec<GarpView<'_>> {
        let mut views = Vec::new();
        let mut grouped: HashSet<&str> = HashSet::new();
        for group in &self.garp_groups {
            let interfaces: Vec<&str> = group.interfaces.iter().map(String::as_str).collect();
            grouped.extend(&interfaces);
            views.push(self.garp_view(group.garp_interval, group.gna_interval, interfaces));
        }
        let globals = self.router.globals();
        let (arp, na) = (globals.garp_interval, globals.gna_interval);
        if !arp.is_zero() || !na.is_zero() {
            let used =
                self.router.instances().iter().filter_map(|i| i.settings.interface.as_deref());
            let others = used.filter(|&name| grouped.insert(name)).collect();
            views.push(self.garp_view(arp, na, others));
        }
        views
    }

    fn garp_view<'a>(&self, arp: Duration, na: Duration, interfaces: Vec<&'a str>) -> GarpView<'a> {
        let next = |na| interfaces.iter().map(|name| self.announcer.next_of(name, na)).max();
        GarpView {
            arp,
            arp_next: next(false).unwrap_or_default(),
            na,
            na_next: next(true).unwrap_or_default(),
            interfaces,
        }
    }
}

fn descriptors(endpoint: &Endpoint) -> (i32, i32) {
    (endpoint.receive_fd(), endpoint.send_fd().as_raw_fd())
}
