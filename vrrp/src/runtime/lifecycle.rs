//! Start, reload and stop: the same operation with different want-states.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::Duration;

use netlink::{Batch, Channel, Monitor};
use scheduler::{Class, Scheduler, Time};

use super::announcer::Announcer;
use super::dispatch::Endpoint;
use super::firewall::Firewall;
use super::firewall::reports::{Parents, Reports};
use super::holdings::{Holdings, request};
use super::kernel_view::KernelView;
use super::linkbeat::{self, Linkbeat};
use super::links::Debounce;
use super::paths::{self, Paths};
use super::port::Port;
use super::sysctl::Sysctls;
use super::vmacs::{RELOAD_BUDGET, Vmacs};
use super::{
    Dropped, HasVrrp, Vrrp, checks, files, finish, log_addresses, processes, tell, watch_kernel,
    watch_socket,
};
use crate::action::Action;
use crate::config::{AddressSettings, InstanceSettings, RxBufs, Settings};
use crate::instance::Instance;
use crate::io::{ReceiveBatch, SendBatch, SocketKey, SocketPair};
use crate::router::{Router, Status, TrackerKind};
use crate::state::{Faults, State};

/// What the command line, and where the process runs, change for VRRP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// `--dont-release-vrrp`: addresses stay when the daemon stops.
    pub keep_addresses: bool,
    /// `--address-monitoring`: every address that comes or goes is logged.
    pub address_monitoring: bool,
    /// The network namespace that the process has left for another: the kernel may tell of processes there.
    pub left_network: Option<BorrowedFd<'static>>,
}

/// Smallest receive slot; larger MTUs enlarge it.
const SLOT: usize = 1500;

impl Vrrp {
    /// Opens what VRRP needs of the kernel and reads the kernel's state. Nothing is sent or changed yet.
    ///
    /// # Errors
    /// Missing privileges, mostly; the text of the system.
    pub fn open(settings: Settings, options: Options) -> io::Result<Vrrp> {
        // The monitor first: no change can fall between it and the dump.
        let monitor = Monitor::open()?;
        log::info!("Registering Kernel netlink reflector");
        let mut channel = Channel::open()?;
        log::info!("Registering Kernel netlink command channel");
        let mut view = KernelView::default();
        view.replace(channel.dump_links()?, channel.dump_addresses()?);
        let announcer = Announcer::open(&settings.globals, &settings.garp_groups)?;
        log::debug!("Registering gratuitous ARP shared channel");
        log::debug!("Registering gratuitous NDISC shared channel");
        let carriers = view.links().into_iter().filter(|l| !l.is_loopback());
        let mtu = carriers.map(|l| l.mtu as usize).max().unwrap_or(SLOT);
        let mut vrrp = Vrrp {
            options,
            router: Router::new(Settings::default()),
            scripts: Vec::new(),
            files: Vec::new(),
            tracked_processes: Vec::new(),
            statics: Vec::new(),
            static_paths: Vec::new(),
            watches_paths: false,
            track_groups: Vec::new(),
            garp_groups: Vec::new(),
            debounces: HashMap::new(),
            view,
            monitor,
            channel,
            announcer,
            vmacs: Vmacs::default(),
            deleting: None,
            own_addresses: HashMap::new(),
            holdings: Holdings::default(),
            paths: Paths::default(),
            firewall: Firewall::new(&settings.globals.firewall),
            reports: Reports::new(&settings.globals.firewall),
            sysctls: Sysctls::default(),
            endpoints: Vec::new(),
            by_key: HashMap::new(),
            ports: Vec::new(),
            map: Vec::new(),
            virtual_addresses: HashSet::new(),
            by_interface: HashMap::new(),
            by_parent: HashMap::new(),
            interfaces: HashSet::new(),
            tracking_sources: Vec::new(),
            interface_trackers: HashMap::new(),
            checks: Vec::new(),
            dropped_checks: Vec::new(),
            next_check: 0,
            watch: None,
            processes: None,
            linkbeat: None,
            polled: Vec::new(),
            session_settings: Vec::new(),
            sessions: HashMap::new(),
            actions: Vec::new(),
            lines: VecDeque::new(),
            notices: VecDeque::new(),
            mailed: tell::Mailed::default(),
            announcements: Vec::new(),
            settling: false,
            resync_at: None,
            sender: SendBatch::new(),
            // No advert is longer than an Ethernet frame of 9,000 bytes.
            receiver: Some(ReceiveBatch::new(mtu.clamp(SLOT, 9216))),
            timer: None,
            dropped: Dropped::default(),
            refusals: Vec::new(),
            rows: crate::mib::Rows::default(),
            failing: HashSet::new(),
            said_of_source: String::new(),
            complained_at: None,
            stopping: false,
        };
        let router = Router::new(vrrp.keep_parts(settings));
        vrrp.router = router;
        vrrp.index();
        vrrp.ports = vrrp.router.instances().iter().map(|i| Port::new(&i.settings)).collect();
        Ok(vrrp)
    }

    /// Takes what is not the router's out of the settings.
    fn keep_parts(&mut self, mut settings: Settings) -> Settings {
        self.scripts = std::mem::take(&mut settings.scripts);
        self.files = std::mem::take(&mut settings.files);
        self.tracked_processes = std::mem::take(&mut settings.processes);
        self.polled = std::mem::take(&mut settings.linkbeat);
        self.session_settings = std::mem::take(&mut settings.sessions);
        self.statics = std::mem::take(&mut settings.static_addresses);
        self.static_paths = std::mem::take(&mut settings.static_paths);
        self.track_groups = std::mem::take(&mut settings.track_groups);
        self.garp_groups = std::mem::take(&mut settings.garp_groups);
        let mut old = std::mem::take(&mut self.debounces);
        let mut delays = std::mem::take(&mut settings.debounce);
        // A VMAC goes down and up with its parent.
        for vmac in settings.instances.iter().flat_map(InstanceSettings::vmacs) {
            let delay = |of: &str| delays.iter().find(|(name, ..)| name == of).cloned();
            if let (None, Some((_, down, up))) = (delay(&vmac.name), delay(&vmac.parent)) {
                delays.push((vmac.name.clone(), down, up));
            }
        }
        for (name, down, up) in delays {
            let debounce = match old.remove(&name) {
                Some(mut d) => {
                    (d.down, d.up) = (down, up);
                    d
                }
                None => Debounce::new(down, up),
            };
            self.debounces.insert(name, debounce);
        }
        settings
    }

    /// Rebuilds the look-up tables over the router's instances.
    fn index(&mut self) {
        self.by_interface.clear();
        self.by_parent.clear();
        self.interfaces.clear();
        self.virtual_addresses.clear();
        self.interface_trackers.clear();
        self.tracking_sources.clear();
        self.failing.clear();
        // Neighbours are mostly on the same interface.
        let same = |a: &Instance, b: &Instance| a.settings.bound_to() == b.settings.bound_to();
        let mut at = 0;
        for run in self.router.instances().chunk_by(same) {
            let end = at + run.len();
            if let Some(name) = run[0].settings.bound_to() {
                self.by_interface.entry(name.to_owned()).or_default().extend(at..end);
            }
            at = end;
        }
        for (i, inst) in self.router.instances().iter().enumerate() {
            if inst.settings.track_source {
                self.tracking_sources.push(i);
            }
            for a in inst.settings.addresses.iter().chain(&inst.settings.excluded) {
                self.virtual_addresses.insert(a.ip);
                // Of thousands of addresses nearly all are on the interfaces of their neighbours.
                if !self.interfaces.contains(&a.interface) {
                    self.interfaces.insert(a.interface.clone());
                }
            }
        }
        self.interfaces.extend(self.by_interface.keys().cloned());
        let mut parents = HashMap::new();
        for (i, inst) in self.router.instances().iter().enumerate() {
            for vmac in inst.settings.vmacs() {
                self.interfaces.extend([vmac.name.clone(), vmac.parent.clone()]);
                parents.insert(vmac.name.clone(), vmac.parent.clone());
            }
            if let (Some(_), Some(parent)) = (&inst.settings.vmac, &inst.settings.interface) {
                self.by_parent.entry(parent.clone()).or_default().push(i);
            }
        }
        self.announcer.set_parents(parents);
        self.vmacs.want(self.router.instances().iter().map(|i| &*i.settings));
        let promoting = self.router.instances().iter().filter(|i| i.settings.promote_secondaries);
        let promoting = promoting.filter_map(|i| i.settings.interface.as_deref());
        self.sysctls.want(promoting, self.vmacs.wanted());
        for (t, tracker) in self.router.trackers().iter().enumerate() {
            if tracker.kind == TrackerKind::Interface {
                self.interface_trackers.insert(tracker.name.clone(), t);
                self.interfaces.insert(tracker.name.clone());
            }
        }
    }

    /// Tells the router what is known of interfaces and sources; prebuilds adverts.
    fn learn(&mut self, now: Time) {
        self.sysctls.set(&self.view);
        self.linkbeat = Linkbeat::open(std::mem::take(&mut self.polled));
        let statuses: Vec<(usize, bool)> = self
            .interface_trackers
            .iter()
            // What is not believed yet waits for the end of its delay.
            .filter(|(name, _)| self.debounces.get(*name).is_none_or(|d| d.due().is_none()))
            .map(|(name, &t)| (t, self.is_link_up(name)))
            .collect();
        for (tracker, up) in statuses {
            let status = if up { Status::Up } else { Status::Down };
            self.router.set_tracker(now, tracker, status, &mut self.actions);
        }
        for name in self.debounces.keys().cloned().collect::<Vec<_>>() {
            let up = self.is_link_up(&name);
            if let Some(d) = self.debounces.get_mut(&name) {
                d.learn(up);
            }
        }
        for port in &mut self.ports {
            port.interface = 0;
        }
        for (name, instances) in &self.by_interface {
            let index = self.view.index(name).unwrap_or(0);
            for &i in instances {
                self.ports[i].interface = index;
            }
        }
        for i in 0..self.ports.len() {
            self.choose_source(now, i);
        }
        self.judge_all_statics(now);
    }

    /// Deletes what an earlier run left behind: configured virtual addresses, routes and rules that
    /// are there although nobody here is MASTER yet.
    fn remove_leftovers(&mut self) {
        let virtuals = self.router.instances().iter().flat_map(|i| i.settings.paths.iter().rev());
        let leftovers: Vec<_> = virtuals.chain(self.static_paths.iter().rev()).cloned().collect();
        paths::delete(leftovers.into_iter(), &self.view, &mut self.channel);
        let mut batch = Batch::new();
        for inst in self.router.instances() {
            log_addresses(&inst.settings, "removing");
            for a in inst.settings.addresses.iter().chain(&inst.settings.excluded) {
                if self.is_present(a)
                    && let Some(r) = request(a, &self.view)
                {
                    batch.delete_address(&r, 0);
                }
            }
        }
        for a in self.statics.iter().filter(|a| self.is_present(a)) {
            if let Some(r) = request(a, &self.view) {
                batch.delete_address(&r, 0);
            }
        }
        if !batch.is_empty() {
            self.channel.apply(&batch);
        }
    }

    /// Listens to the removal of routes and rules if there is one that is tracked. The kernel's tables may be
    /// large and busy, so it does not otherwise.
    fn watch_paths(&mut self) {
        let virtuals = self.router.instances().iter().flat_map(|inst| &inst.settings.paths);
        let mut all = virtuals.chain(&self.static_paths);
        if self.watches_paths || all.all(|path| path.no_track) {
            return;
        }
        let watched = self.channel.port().and_then(|own| self.monitor.watch_paths(own));
        if let Err(error) = watched {
            log::error!("Netlink: cannot follow routes and rules: {error}");
        }
        self.watches_paths = true;
    }

    fn is_present(&self, a: &AddressSettings) -> bool {
        self.view.index(&a.interface).is_some_and(|i| self.view.has(i, a.ip, a.prefix))
    }

    /// Receive buffer the policy asks for on a socket with these instances.
    pub(super) fn receive_buffer(&self, instances: &[usize]) -> Option<usize> {
        let globals = self.router.globals();
        let multiplier = globals.rx_bufs_multiplier as usize;
        let total: usize = instances
            .iter()
            .map(|&i| {
                let s = &self.router.instances()[i].settings;
                let mtu = s
                    .interface
                    .as_ref()
                    .and_then(|n| self.view.link(n))
                    .map_or(SLOT, |l| l.mtu as usize);
                if s.kernel_rx_buf_size > 0 {
                    return s.kernel_rx_buf_size as usize;
                }
                match globals.rx_bufs {
                    RxBufs::System => 0,
                    RxBufs::Mtu => multiplier * mtu,
                    RxBufs::Advert => multiplier * (20 + 8 + 8 + s.addresses.len() * 16),
                    RxBufs::Bytes(bytes) => bytes as usize,
                }
            })
            .sum();
        (total > 0).then_some(total)
    }
}

/// Starts: leftovers go, static addresses come, sockets open, and every instance leaves INIT.
pub fn start<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let now = s.now();
    let Some(vrrp) = w.vrrp() else { return };
    vrrp.init_files();
    if vrrp.router.globals().disable_local_igmp {
        vrrp.sysctls.silence_reports();
    }
    let made = vrrp.begin_vmacs(now, Duration::MAX);
    vrrp.remove_leftovers();
    // A table that is named but not needed may be somebody's.
    if vrrp.router.instances().iter().any(|inst| !inst.settings.accept) {
        vrrp.firewall.remove_leftovers();
    }
    let statics = vrrp.statics.clone();
    for address in &statics {
        vrrp.holdings.want(address);
    }
    vrrp.holdings.apply_all(&vrrp.view, &mut vrrp.channel);
    vrrp.paths.take(&vrrp.static_paths);
    vrrp.paths.apply_all(&vrrp.view, &mut vrrp.channel);
    vrrp.watch_paths();
    let changes = vrrp.absorb(now, made);
    vrrp.learn(now);
    vrrp.apply_changes(now, changes);
    vrrp.build_checks();
    vrrp.tell_initial_checks(now);
    vrrp.watch_files(now);
    let processes = std::mem::take(&mut vrrp.tracked_processes);
    vrrp.find_processes(now, processes);
    vrrp.tell_sessions(now);
    open_sockets(s, w);
    let Some(vrrp) = w.vrrp() else { return };
    vrrp.actions.clear();
    vrrp.router.start(now, &mut vrrp.actions);
    checks::start(s, w);
    linkbeat::start(s, w);
    begin_watching(s, w);
    finish(s, w);
}

fn begin_watching<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    files::wait(s, w);
    processes::wait(s, w);
    let Some(vrrp) = w.vrrp() else { return };
    let fd = vrrp.monitor.fd();
    watch_kernel(s, fd);
}

/// Opens the sockets that instances need and have not, closes those nobody needs.
pub(super) fn open_sockets<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let now = s.now();
    let Some(vrrp) = w.vrrp() else { return };
    let mut wanted: Vec<(SocketKey, Vec<usize>)> = Vec::new();
    let mut position: HashMap<SocketKey, usize> = HashMap::new();
    for (i, inst) in vrrp.router.instances().iter().enumerate() {
        if let Some(key) = vrrp.ports[i].key(inst) {
            if let Some((_, instances)) = wanted.last_mut().filter(|(last, _)| *last == key) {
                instances.push(i);
                continue;
            }
            let at = *position.entry(key).or_insert_with(|| {
                wanted.push((key, Vec::new()));
                wanted.len() - 1
            });
            wanted[at].1.push(i);
        }
    }
    for slot in &mut vrrp.endpoints {
        if let Some(endpoint) = slot.take_if(|e| !position.contains_key(&e.key)) {
            s.forget(endpoint.receive_fd());
            vrrp.by_key.remove(&endpoint.key);
        }
    }
    for port in &mut vrrp.ports {
        port.socket = None;
    }
    let mut opened = Vec::new();
    for (key, instances) in wanted {
        if let Some(fresh) = vrrp.place(key, &instances) {
            opened.push(fresh);
        }
    }
    for i in 0..vrrp.ports.len() {
        let missing = vrrp.ports[i].socket.is_none();
        vrrp.router.set_fault(now, i, Faults::SOCKET, missing, &mut vrrp.actions);
    }
    for (fd, endpoint) in opened {
        watch_socket(s, fd, endpoint);
    }
}

impl Vrrp {
    /// Puts instances on the socket pair of `key`; returns its descriptor and position if it was opened now.
    fn place(&mut self, key: SocketKey, instances: &[usize]) -> Option<(i32, usize)> {
        let (at, fresh) = match self.by_key.get(&key) {
            Some(&at) => (at, None),
            None => {
                let at = self.open_pair(key, instances)?;
                let fd = self.endpoints[at].as_ref().map(Endpoint::receive_fd)?;
                (at, Some((fd, at)))
            }
        };
        let endpoint = self.endpoints[at].as_mut()?;
        endpoint.clear();
        for &i in instances {
            endpoint.add(self.router.instances()[i].settings.vrid, i);
            self.ports[i].socket = Some(at);
        }
        fresh
    }

    fn open_pair(&mut self, key: SocketKey, instances: &[usize]) -> Option<usize> {
        let name = self.view.link_at(key.interface).map(|l| l.name.clone());
        let pair = match SocketPair::open(key, name.as_deref(), self.receive_buffer(instances)) {
            Ok(pair) => pair,
            Err(error) => {
                log::error!("{error}");
                return None;
            }
        };
        let endpoint = Endpoint::new(key, pair);
        log::debug!("{}", endpoint.described());
        let at = match self.endpoints.iter().position(Option::is_none) {
            Some(at) => at,
            None => {
                self.endpoints.push(None);
                self.endpoints.len() - 1
            }
        };
        self.endpoints[at] = Some(endpoint);
        self.by_key.insert(key, at);
        Some(at)
    }

    /// Scripts that count as failed until their first success; of those that a reload found, only
    /// the new ones.
    fn tell_initial_checks(&mut self, now: Time) {
        let unproven = |t: usize| {
            matches!(self.router.trackers()[t].status(), Status::Unknown | Status::Unproven)
        };
        let statuses: Vec<(usize, Status)> = self
            .checks
            .iter()
            .filter(|c| c.settings.init_fail)
            .filter_map(|c| Some((c.tracker().filter(|&t| unproven(t))?, Status::Down)))
            .collect();
        for (tracker, status) in statuses {
            self.router.set_tracker(now, tracker, status, &mut self.actions);
        }
    }
}

/// Takes over a new configuration. Instances that did not change are not touched.
pub fn reload<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, settings: Settings) {
    let now = s.now();
    // What still waits names instances by position.
    tell::tell(s, w, usize::MAX);
    let Some(vrrp) = w.vrrp() else { return };
    let gone = vrrp.router.retire(&settings, &mut vrrp.actions);
    vrrp.perform();
    for notice in &mut vrrp.notices {
        notice.removed = true;
    }
    tell::tell(s, w, usize::MAX);
    let Some(vrrp) = w.vrrp() else { return };
    for i in gone {
        vrrp.mailed.forget("INSTANCE", &vrrp.router.instances()[i].settings.name);
    }
    if let Some(watch) = &vrrp.watch {
        s.forget(watch.fd());
    }
    if let Some(fd) = vrrp.process_fd() {
        s.forget(fd);
    }
    if settings.globals.disable_local_igmp != vrrp.router.globals().disable_local_igmp {
        log::info!("disable_local_igmp cannot be changed by a reload; the next start follows it");
    }
    if let Some(timer) = vrrp.linkbeat.as_mut().and_then(Linkbeat::take_timer) {
        s.cancel(timer);
    }
    vrrp.announcer.configure(&settings.globals, &settings.garp_groups);
    vrrp.exchange(now, settings);
    W::reloaded(s, w);
    open_sockets(s, w);
    let Some(vrrp) = w.vrrp() else { return };
    // Its end is told by the interfaces that go.
    if let Some(child) = vrrp.deleting.take()
        && let Err(error) = s.add_child(Class::Background, child, None, 0, |_, _, _| {})
    {
        log::error!("Cannot wait for the child process {child}: {error}");
    }
    let map = std::mem::take(&mut vrrp.map);
    vrrp.router.resume(now, &map, &mut vrrp.actions);
    checks::start(s, w);
    linkbeat::start(s, w);
    files::wait(s, w);
    processes::wait(s, w);
    finish(s, w);
}

impl Vrrp {
    /// Announcements that still wait name instances by position, which has changed.
    fn renumber_announcements(&mut self) {
        if self.announcements.is_empty() {
            return;
        }
        let positions: HashMap<usize, usize> =
            self.map.iter().enumerate().filter_map(|(new, old)| Some(((*old)?, new))).collect();
        self.announcements.retain_mut(|action| match action {
            Action::Announce { instance, .. }
            | Action::AnnounceExtra { instance }
            | Action::AnnounceSource { instance } => {
                positions.get(instance).map(|new| *instance = *new).is_some()
            }
            _ => false,
        });
    }

    /// Swaps the settings: router, ports, static addresses, checks, files.
    fn exchange(&mut self, now: Time, settings: Settings) {
        let old_statics = std::mem::take(&mut self.statics);
        let old_paths = std::mem::take(&mut self.static_paths);
        let held: Vec<_> = self
            .router
            .instances()
            .iter()
            .map(|i| (i.state() == State::Master).then(|| Rc::clone(&i.settings)))
            .collect();
        self.firewall.configure(&settings.globals.firewall, held.iter().flatten());
        self.reports.configure(&settings.globals.firewall);
        let settings = self.keep_parts(settings);
        self.map = self.router.adopt(settings);
        self.rows.outdate();
        self.renumber_announcements();
        self.index();
        let mut old_ports: Vec<Option<Port>> =
            std::mem::take(&mut self.ports).into_iter().map(Some).collect();
        for (i, from) in self.map.iter().enumerate() {
            let inst = &self.router.instances()[i];
            let kept = from.and_then(|f| old_ports.get_mut(f)?.take());
            let mut port = kept.unwrap_or_else(|| Port::new(&inst.settings));
            if inst.is_changed() {
                port.rebuild(inst, self.router.globals());
                port.forgive();
            }
            self.ports.push(port);
        }
        let changes = self.begin_vmacs(now, RELOAD_BUDGET);
        // What did not change is held as before. Of the others the new want-state first, so that what
        // stays is never let go.
        let exchanged: Vec<(Rc<InstanceSettings>, Rc<InstanceSettings>)> = self
            .router
            .instances()
            .iter()
            .zip(&self.map)
            .filter_map(|(inst, from)| Some((held[(*from)?].clone()?, Rc::clone(&inst.settings))))
            .filter(|(old, new)| !Rc::ptr_eq(old, new))
            .collect();
        for (_, new) in &exchanged {
            self.firewall.take(new);
            self.holdings.take(new);
            self.paths.take(&new.paths);
        }
        self.paths.take(&self.static_paths);
        for address in &self.statics {
            self.holdings.want(address);
        }
        for (old, new) in &exchanged {
            tell_removed(old, new);
            self.holdings.release(old);
            self.firewall.release(old);
            self.paths.release(&old.paths);
        }
        self.paths.release(&old_paths);
        self.watch_paths();
        for address in &old_statics {
            self.holdings.unwant(address);
        }
        self.learn(now);
        self.apply_changes(now, changes);
        self.build_checks();
        self.tell_initial_checks(now);
        self.watch_files(now);
        let processes = std::mem::take(&mut self.tracked_processes);
        self.follow_processes(now, processes);
        self.tell_sessions(now);
    }
}

/// Logs each address that a reload takes from a master.
fn tell_removed(old: &InstanceSettings, new: &InstanceSettings) {
    let listed = |a: &AddressSettings| {
        new.addresses.iter().chain(&new.excluded).any(|n| {
            (n.ip, n.prefix, &n.interface, n.scope, &n.label)
                == (a.ip, a.prefix, &a.interface, a.scope, &a.label)
        })
    };
    for a in old.addresses.iter().chain(&old.excluded).filter(|a| !listed(a)) {
        let (ip, prefix, interface) = (a.ip, a.prefix, &a.interface);
        log::info!("({}) ip address {ip}/{prefix} dev {interface}, no longer exist", new.name);
    }
}

/// Announces the addresses of an instance once more, by one frame each, if it is MASTER.
pub fn announce<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, instance: usize) {
    let Some(vrrp) = w.vrrp() else { return };
    let asked = vrrp.router.instances().get(instance);
    if vrrp.stopping || asked.is_none_or(|asked| asked.state() != State::Master) {
        return;
    }
    vrrp.actions.push(Action::Announce { instance, rounds: 1 });
    finish(s, w);
}

/// Stops: priority 0, addresses gone, everyone told. The world then drains its notifier.
pub fn stop<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let now = s.now();
    let Some(vrrp) = w.vrrp() else { return };
    for check in vrrp.checks.iter_mut().chain(&mut vrrp.dropped_checks) {
        check.terminate();
    }
    vrrp.stopping = true;
    let keep = vrrp.options.keep_addresses;
    vrrp.router.shutdown(now, keep, &mut vrrp.actions);
    vrrp.perform();
    if !keep {
        for address in vrrp.statics.clone() {
            vrrp.holdings.unwant(&address);
        }
        let statics = std::mem::take(&mut vrrp.static_paths);
        vrrp.paths.release(&statics);
    }
    vrrp.paths.apply_all(&vrrp.view, &mut vrrp.channel);
    vrrp.holdings.apply_all(&vrrp.view, &mut vrrp.channel);
    vrrp.firewall.remove();
    if keep {
        vrrp.sysctls.keep_vmacs();
    } else {
        vrrp.end_vmacs();
        vrrp.reports.follow(Parents::new());
    }
    vrrp.sysctls.restore(&vrrp.view);
    vrrp.announcements.clear();
    s.forget(vrrp.monitor.fd());
    if let Some(watch) = vrrp.watch.take() {
        s.forget(watch.fd());
    }
    if let Some(fd) = vrrp.process_fd() {
        s.forget(fd);
    }
    vrrp.processes = None;
    if let Some(timer) = vrrp.linkbeat.take().and_then(|mut linkbeat| linkbeat.take_timer()) {
        s.cancel(timer);
    }
    for endpoint in vrrp.endpoints.drain(..).flatten() {
        s.forget(endpoint.receive_fd());
    }
    if let Some((timer, _)) = vrrp.timer.take() {
        s.cancel(timer);
    }
    tell::tell(s, w, usize::MAX);
}
