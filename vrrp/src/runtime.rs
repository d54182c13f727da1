//! VRRP in the daemon: the router of this crate, its sockets, the kernel's links and addresses, and
//! the scheduler that wakes it.
//!
//! # How one wake-up runs
//!
//! A callback tells the router what happened and collects its actions. [`Vrrp::perform`] then does
//! all adverts with one system call a socket, all address changes with one netlink batch, all
//! gratuitous ARPs with one call, and last tells scripts and FIFOs. Of thousands of addresses,
//! announcements, log lines or notifications a part is done at a time, behind what is urgent. One timer stands for all
//! deadlines of all instances; it is moved only when the earliest one changed.
//!
//! # Files
//!
//! - [`dispatch`]: socket to instance.
//! - [`kernel_view`], [`links`]: what the kernel has, and what its events mean for instances. [`linkbeat`]: links that are
//!   asked for.
//! - [`vmacs`]: the interfaces made for virtual routers. [`holdings`]: the virtual addresses held.
//!   [`announcer`]: who is told about them. [`firewall`]: who may not use them.
//! - [`port`]: an instance's prebuilt advert and what it expects of others'.
//! - [`checks`]: `vrrp_script`. [`files`]: `track_file`. [`processes`]: `vrrp_track_process`. [`sessions`]: `track_bfd`.
//! - [`statics`]: `track_group`. [`sysctl`]: settings of the kernel that are changed while it runs.
//! - [`lifecycle`]: start, reload, stop. [`snapshot`]: what the dumps print.

mod announcer;
mod checks;
mod dispatch;
mod files;
mod firewall;
mod holdings;
mod kernel_view;
mod lifecycle;
mod linkbeat;
mod links;
mod paths;
mod port;
mod processes;
mod sessions;
mod snapshot;
mod statics;
mod sysctl;
mod tell;
mod vmacs;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use netlink::{Channel, Monitor};
use notify::HasNotify;
use scheduler::{Class, Ready, Scheduler, ThreadId, Time};
use trackfile::Watch;

use crate::action::{Action, NotifyEvent, Subject};
use crate::config::{
    AddressSettings, FileSettings, GarpGroup, InstanceSettings, PathSettings, ProcessSettings,
    ScriptSettings, SessionSettings, TrackGroup,
};
use crate::io::{LinkMethod, ReceiveBatch, SendBatch, SocketKey, error_text};
use crate::mib::Rows;
use crate::packet;
use crate::router::Router;
use crate::state::Faults;

use announcer::{Announcement, Announcer};
pub use checks::{Check, Counter, Progress};
use dispatch::Endpoint;
use firewall::Firewall;
use firewall::reports::Reports;
use holdings::Holdings;
pub use kernel_view::KernelView;
pub use lifecycle::{Options, announce, reload, start, stop};
use linkbeat::Linkbeat;
use links::Debounce;
use paths::Paths;
use port::Port;
use processes::Watched;
pub use sessions::session_changed;
use sysctl::Sysctls;
use vmacs::Vmacs;

/// Announcements that are made before sockets and timers are looked at again.
const ANNOUNCED_AT_ONCE: usize = 256;

/// Log lines, and notifications, that are made before sockets and timers are looked at again.
const TOLD_AT_ONCE: usize = 256;

/// Settings that a reload left over, freed before sockets and timers are looked at again.
const FREED_AT_ONCE: usize = 256;

/// What the scheduler's world must offer for VRRP to live in it.
pub trait HasVrrp: HasNotify + 'static {
    /// The running VRRP, if it was started.
    fn vrrp(&mut self) -> Option<&mut Vrrp>;

    /// Called for each notification, after scripts and FIFOs were told and before a mail is sent. It may be of something that
    /// a reload has removed by now.
    fn told(_: &mut Scheduler<Self>, _: &mut Self, _: Subject, _: NotifyEvent)
    where
        Self: Sized,
    {
    }

    /// Called when a reload has changed the instances, after what was told of those that are gone and before the news of the others.
    fn reloaded(_: &mut Scheduler<Self>, _: &mut Self)
    where
        Self: Sized,
    {
    }

    /// Called for the first advert of its kind that an instance refuses in a state.
    fn refused(_: &mut Scheduler<Self>, _: &mut Self, _: Refusal)
    where
        Self: Sized,
    {
    }

    /// Called after states of instances have changed and scripts and FIFOs were told.
    fn states_told(_: &mut Scheduler<Self>, _: &mut Self)
    where
        Self: Sized,
    {
    }
}

/// Packets that reached no instance, for the dumps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Datagrams without a byte.
    pub empty: u64,
    /// Longer than any frame of our interfaces.
    pub truncated: u64,
    /// Shorter than the headers they need.
    pub too_short: u64,
    /// For virtual routers nobody configured.
    pub unknown_vrid: u64,
}

/// An advert that an instance refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The instance, by position.
    pub instance: usize,
    /// What it counted for.
    pub counter: packet::Counter,
    /// Sender.
    pub source: IpAddr,
}

/// A log line waiting to be written.
enum Line {
    Text { detail: bool, text: String },
    Addresses { settings: Rc<InstanceSettings>, present: bool },
}

/// A notification waiting to be told.
struct Notice {
    subject: Subject,
    event: NotifyEvent,
    priority: u8,
    /// A reload removed the instance.
    removed: bool,
    /// Nothing changed: for the FIFOs only.
    repeated: bool,
}

/// All of VRRP.
pub struct Vrrp {
    options: Options,
    router: Router,
    scripts: Vec<ScriptSettings>,
    files: Vec<FileSettings>,
    /// Until [`Watched`] has them.
    tracked_processes: Vec<ProcessSettings>,
    statics: Vec<AddressSettings>,
    static_paths: Vec<Rc<PathSettings>>,
    /// The monitor listens to routes and rules, too.
    watches_paths: bool,
    track_groups: Vec<TrackGroup>,
    garp_groups: Vec<GarpGroup>,
    debounces: HashMap<String, Debounce>,
    view: KernelView,
    monitor: Monitor,
    channel: Channel,
    announcer: Announcer,
    vmacs: Vmacs,
    /// The child process that deletes VMACs, until somebody waits for it.
    deleting: Option<i32>,
    /// Addresses that VMACs and ipvlans send from, by name.
    own_addresses: HashMap<String, AddressSettings>,
    holdings: Holdings,
    paths: Paths,
    firewall: Firewall,
    reports: Reports,
    sysctls: Sysctls,
    endpoints: Vec<Option<Endpoint>>,
    by_key: HashMap<SocketKey, usize>,
    ports: Vec<Port>,
    /// Old position of each instance, while a reload runs.
    map: Vec<Option<usize>>,
    /// Every configured virtual address; none of them is a source.
    virtual_addresses: HashSet<IpAddr>,
    /// Instances by the name of the interface or VRF their sockets are bound to. With the addresses of an interface
    /// their source may change.
    by_interface: HashMap<String, Vec<usize>>,
    /// Interfaces that instances speak on, track or put addresses on.
    interfaces: HashSet<String>,
    /// Instances whose VMAC stands on the interface: their source depends on its addresses, too.
    by_parent: HashMap<String, Vec<usize>>,
    /// Instances with `track_src_ip`.
    tracking_sources: Vec<usize>,
    interface_trackers: HashMap<String, usize>,
    checks: Vec<Check>,
    /// Checks that a reload dropped, until their command has ended.
    dropped_checks: Vec<Check>,
    next_check: u32,
    watch: Option<Watch>,
    processes: Option<Watched>,
    linkbeat: Option<Linkbeat>,
    /// Until [`Linkbeat`] has them.
    polled: Vec<(String, Option<LinkMethod>)>,
    session_settings: Vec<SessionSettings>,
    /// BFD sessions, whether tracked or not.
    sessions: sessions::Sessions,
    actions: Vec<Action>,
    lines: VecDeque<Line>,
    /// Told when no line waits, so that the log is never behind the scripts.
    notices: VecDeque<Notice>,
    mailed: tell::Mailed,
    /// Announcements whose addresses the kernel may not have yet.
    announcements: Vec<Action>,
    /// The event that goes on with many addresses, announcements or words is armed.
    settling: bool,
    /// Events were lost and the kernel's state could not be read: when to try again.
    resync_at: Option<Time>,
    sender: SendBatch,
    receiver: Option<ReceiveBatch>,
    timer: Option<(ThreadId, Time)>,
    dropped: Dropped,
    /// To be told; one of each kind and state.
    refusals: Vec<Refusal>,
    rows: Rows,
    /// Instances whose last advert could not be sent.
    failing: HashSet<usize>,
    /// The last line about a source address.
    said_of_source: String,
    /// Complaints about packets of no instance: one line each second.
    complained_at: Option<Time>,
    stopping: bool,
}

impl Vrrp {
    /// The protocol's state.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Names of the VMACs that this daemon made or took over.
    pub fn made_vmacs(&self) -> impl Iterator<Item = &str> {
        self.vmacs.made()
    }

    /// For clearing counters.
    pub fn router_mut(&mut self) -> &mut Router {
        &mut self.router
    }

    /// Links and addresses.
    pub fn view(&self) -> &KernelView {
        &self.view
    }

    /// Whether an interface is asked for its link.
    pub(crate) fn polls(&self, interface: &str) -> bool {
        self.linkbeat.iter().flat_map(Linkbeat::methods).any(|(name, _)| name == interface)
    }

    /// `static_ipaddress`.
    pub(crate) fn statics(&self) -> &[AddressSettings] {
        &self.statics
    }

    /// `static_routes`, then `static_rules`.
    pub(crate) fn static_paths(&self) -> &[Rc<PathSettings>] {
        &self.static_paths
    }

    /// Of the MIBs of the RFCs.
    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(crate) fn rows_mut(&mut self) -> &mut Rows {
        &mut self.rows
    }

    /// Packets that reached no instance.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    fn complain(&mut self, now: Time) -> bool {
        let quiet = self.complained_at.is_some_and(|at| now.since(at) < Duration::from_secs(1));
        if !quiet {
            self.complained_at = Some(now);
        }
        !quiet
    }

    /// Does what the router asked for: adverts, then addresses, then announcements, then words.
    fn perform(&mut self) {
        if self.actions.is_empty() {
            return;
        }
        let mut actions = std::mem::take(&mut self.actions);
        self.perform_adverts(&actions);
        if actions.iter().any(|a| !matches!(a, Action::Advert { .. })) {
            self.perform_words(&mut actions);
            self.perform_addresses(&actions);
            if self.lines.len() <= TOLD_AT_ONCE {
                self.write_lines(TOLD_AT_ONCE);
            }
            self.plan_announcements(&actions);
        }
        actions.clear();
        // Room for an advert of each instance; a start or a takeover asks for several times as much.
        actions.shrink_to(self.ports.len());
        self.actions = actions;
    }

    fn perform_adverts(&mut self, actions: &[Action]) {
        let mut failed = HashSet::new();
        for action in actions {
            let Action::Advert { instance, priority } = *action else { continue };
            let settings = &self.router.instances()[instance].settings;
            let port = &mut self.ports[instance];
            if port.send(instance, settings, priority, &mut self.sender).is_err() {
                let (endpoints, router) = (&self.endpoints, &self.router);
                flush(&mut self.sender, endpoints, router, &self.failing, &mut failed);
                // The queue is empty now; one instance's adverts fit.
                let _ = port.send(instance, settings, priority, &mut self.sender);
            }
        }
        flush(&mut self.sender, &self.endpoints, &self.router, &self.failing, &mut failed);
        if failed.is_empty() && self.failing.is_empty() {
            return;
        }
        for action in actions {
            if let Action::Advert { instance, .. } = action {
                self.failing.remove(instance);
            }
        }
        self.failing.extend(failed);
    }

    fn perform_addresses(&mut self, actions: &[Action]) {
        for action in actions {
            if let Action::Addresses { instance, present } = *action {
                let settings = Rc::clone(&self.router.instances()[instance].settings);
                if present {
                    self.firewall.take(&settings);
                    self.holdings.take(&settings);
                    self.paths.take(&settings.paths);
                } else {
                    self.holdings.release(&settings);
                    self.firewall.release(&settings);
                    self.paths.release(&settings.paths);
                }
                self.lines.push_back(Line::Addresses { settings, present });
            }
        }
    }

    /// Announcements wait until the addresses are there.
    fn plan_announcements(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Announce { .. }
                | Action::AnnounceExtra { .. }
                | Action::AnnounceSource { .. } => {
                    self.announcements.push(action.clone());
                }
                Action::CancelAnnounce { instance } => {
                    self.announcements.retain(
                        |a| !matches!(a, Action::Announce { instance: i, .. } | Action::AnnounceExtra { instance: i } if i == instance),
                    );
                    let list = self.announcements(*instance);
                    self.announcer.cancel(&list);
                }
                _ => {}
            }
        }
    }

    /// Brings the kernel's addresses, routes and rules nearer to those wanted and then announces; true
    /// when nothing is left to do.
    fn settle(&mut self, now: Time) -> bool {
        if !self.make_vmacs(now) || !self.paths.delete(&self.view, &mut self.channel) {
            return false;
        }
        if let Some(parents) = self.vmacs.parents(&self.view) {
            self.reports.follow(parents);
        }
        if !self.firewall.add(&self.view) {
            return false;
        }
        if self.holdings.is_dirty() && !self.holdings.apply(&self.view, &mut self.channel) {
            return false;
        }
        if !self.paths.add(&self.view, &mut self.channel) || !self.firewall.delete() {
            return false;
        }
        self.sysctls.release(&self.view);
        let rest = self.announcements.split_off(self.announcements.len().min(ANNOUNCED_AT_ONCE));
        for action in std::mem::replace(&mut self.announcements, rest) {
            match action {
                Action::Announce { instance, rounds } => {
                    let list = self.announcements(instance);
                    let name = &self.router.instances()[instance].settings.name;
                    self.announcer.announce(now, Some(name), &list, rounds, &self.view);
                }
                Action::AnnounceExtra { instance } => self.announce_extra(now, instance),
                Action::AnnounceSource { instance } => self.announce_source(now, instance),
                _ => {}
            }
        }
        self.announcer.drain(now, &self.view);
        self.announcements.is_empty()
    }

    fn announcements(&self, instance: usize) -> Vec<Announcement> {
        let s = &self.router.instances()[instance].settings;
        s.addresses
            .iter()
            .chain(&s.excluded)
            .map(|a| Announcement { interface: a.interface.clone(), ip: a.ip })
            .collect()
    }

    fn announce_extra(&mut self, now: Time, instance: usize) {
        let s = &self.router.instances()[instance].settings;
        let list: Vec<Announcement> = s
            .extra_addresses()
            .map(|a| Announcement { interface: a.interface.clone(), ip: a.ip })
            .collect();
        self.announcer.announce(now, Some(&s.name), &list, 1, &self.view);
    }

    fn announce_source(&mut self, now: Time, instance: usize) {
        let inst = &self.router.instances()[instance];
        let (Some(ip), Some(interface)) = (inst.source, &inst.settings.interface) else { return };
        let kind = if ip.is_ipv4() { "ARP" } else { "NA" };
        log::debug!("{}: sending gratuitous {kind} for {ip}", inst.settings.name);
        let list = [Announcement { interface: interface.clone(), ip }];
        self.announcer.announce(now, None, &list, 1, &self.view);
    }

    fn perform_words(&mut self, actions: &mut [Action]) {
        for action in actions {
            match action {
                Action::Log { detail, text } => {
                    self.lines.push_back(Line::Text { detail: *detail, text: std::mem::take(text) })
                }
                Action::Notify { subject, event, priority } => self.notices.push_back(Notice {
                    subject: *subject,
                    event: *event,
                    priority: *priority,
                    removed: false,
                    repeated: false,
                }),
                Action::Repeat { subject, event, priority } => self.notices.push_back(Notice {
                    subject: *subject,
                    event: *event,
                    priority: *priority,
                    removed: false,
                    repeated: true,
                }),
                _ => {}
            }
        }
    }

    /// Writes the oldest lines that wait, at most `limit` of them.
    fn write_lines(&mut self, limit: usize) {
        for line in self.lines.drain(..self.lines.len().min(limit)) {
            match line {
                Line::Text { detail: true, text } => log::debug!("{text}"),
                Line::Text { detail: false, text } => log::info!("{text}"),
                Line::Addresses { settings, present } => {
                    log_addresses(&settings, if present { "setting" } else { "removing" });
                }
            }
        }
        self.lines.shrink_to(TOLD_AT_ONCE);
    }

    /// The earliest moment anything here is due.
    fn next_wake(&self) -> Time {
        let debounce = self.debounces.values().filter_map(Debounce::due).min();
        self.router
            .next_deadline()
            .min(self.announcer.next_due())
            .min(self.holdings.restore_at().unwrap_or(Time::NEVER))
            .min(self.vmacs.restore_at().unwrap_or(Time::NEVER))
            .min(self.paths.restore_at().unwrap_or(Time::NEVER))
            .min(debounce.unwrap_or(Time::NEVER))
            .min(self.resync_at.unwrap_or(Time::NEVER))
            .min(self.processes_due())
    }
}

/// In the order in which they are set; the way back begins with rules and routes and ends with the firewall.
fn log_addresses(settings: &InstanceSettings, what: &str) {
    let paths = |routes: bool| {
        let has = settings.paths.iter().any(|path| path.is_route() == routes);
        if has {
            let kind = if routes { "Routes" } else { "Rules" };
            log::debug!("({}) {what} Virtual {kind}", settings.name);
        }
    };
    let drop_rule = || {
        if !settings.accept {
            log::debug!("({}) {what} firewall drop rule", settings.name);
        }
    };
    if what == "removing" {
        paths(false);
        paths(true);
    } else {
        drop_rule();
    }
    if !settings.addresses.is_empty() {
        log::debug!("({}) {what} VIPs.", settings.name);
    }
    if !settings.excluded.is_empty() {
        log::debug!("({}) {what} E-VIPs.", settings.name);
    }
    if what == "setting" {
        paths(true);
        paths(false);
    } else {
        drop_rule();
    }
}

/// Sends what is queued and adds whose adverts failed to `failed`. An instance that cannot send is
/// complained about once until it can again, and not at all while its interface is down.
fn flush(
    sender: &mut SendBatch,
    endpoints: &[Option<Endpoint>],
    router: &Router,
    failing: &HashSet<usize>,
    failed: &mut HashSet<usize>,
) {
    if sender.is_empty() {
        return;
    }
    sender.flush(
        |socket| endpoints.get(socket)?.as_ref().map(Endpoint::send_fd),
        |instance, error| {
            if let Some(inst) = router.instances().get(instance)
                && failed.insert(instance)
                && !failing.contains(&instance)
                && !inst.faults().contains(Faults::LINK)
                && !inst.faults().contains(Faults::BASE_LINK)
            {
                let code = error.raw_os_error().unwrap_or_default();
                let name = &inst.settings.name;
                log::info!("({name}): send advert error {code} ({})", error_text(&error));
            }
        },
    );
}

/// Ends every callback: does what was asked for, tells who wants to know, sets the one timer.
fn finish<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let now = s.now();
    let Some(vrrp) = w.vrrp() else { return };
    vrrp.perform();
    let mut settled = vrrp.settle(now);
    if settled && vrrp.judge_statics(now) {
        vrrp.perform();
        settled = vrrp.settle(now);
    }
    if vrrp.stopping {
        tell::tell(s, w, usize::MAX);
    } else if !vrrp.settling {
        tell::tell(s, w, TOLD_AT_ONCE);
    }
    processes::walk(s, w);
    let Some(vrrp) = w.vrrp() else { return };
    let told = vrrp.lines.is_empty() && vrrp.notices.is_empty();
    let settled = (vrrp.settling || vrrp.router.free_superseded(FREED_AT_ONCE)) && settled && told;
    if !settled && !vrrp.settling {
        vrrp.settling = true;
        // Urgent, but behind sockets and timers that are ready: events run in the next pass.
        s.add_event(Class::Urgent, 0, go_on_settling::<W>);
    }
    if vrrp.stopping {
        return;
    }
    let wake = vrrp.next_wake();
    match vrrp.timer {
        Some((_, at)) if at == wake => {}
        Some((id, _)) if s.move_timer(id, wake) => vrrp.timer = Some((id, wake)),
        _ => vrrp.timer = Some((s.add_timer(Class::Urgent, wake, 0, on_timer::<W>), wake)),
    }
}

fn go_on_settling<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    if let Some(vrrp) = w.vrrp() {
        vrrp.settling = false;
    }
    finish(s, w);
}

fn on_timer<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    vrrp.timer = None;
    vrrp.router.expire(ready.now, &mut vrrp.actions);
    vrrp.perform();
    vrrp.announcer.drain(ready.now, &vrrp.view);
    vrrp.restore(ready.now);
    vrrp.debounces_due(ready.now);
    vrrp.expire_processes(ready.now);
    if vrrp.resync_due(ready.now) {
        lifecycle::open_sockets(s, w);
    }
    finish(s, w);
}

fn on_socket<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let endpoint = ready.arg as usize;
    let Some(vrrp) = w.vrrp() else { return };
    let Some(fd) = vrrp.endpoints.get(endpoint).and_then(|e| e.as_ref().map(Endpoint::receive_fd))
    else {
        return;
    };
    if vrrp.read_socket(ready.now, endpoint) {
        s.drained(fd);
    }
    watch_socket(s, fd, endpoint);
    tell::refusals(s, w);
    finish(s, w);
}

fn watch_socket<W: HasVrrp>(s: &mut Scheduler<W>, fd: i32, endpoint: usize) {
    if let Err(error) = s.add_read(Class::Urgent, fd, None, endpoint as u64, on_socket::<W>) {
        log::error!("Cannot wait for adverts on descriptor {fd}: {error}");
    }
}

fn watch_kernel<W: HasVrrp>(s: &mut Scheduler<W>, fd: i32) {
    if let Err(error) = s.add_read(Class::Urgent, fd, None, 0, on_kernel::<W>) {
        log::error!("Cannot wait for kernel events: {error}");
    }
}

fn on_kernel<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    let fd = vrrp.monitor.fd();
    let (reopened, drained) = vrrp.kernel_events(ready.now);
    if drained {
        s.drained(fd);
    }
    watch_kernel(s, fd);
    if reopened {
        lifecycle::open_sockets(s, w);
    }
    finish(s, w);
}
