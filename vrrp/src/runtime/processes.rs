//! `vrrp_track_process`: the kernel's process events and `/proc`, for [`Processes`].
//!
//! Events say who is to be looked at; `/proc` says what it is. At the start all of it is read at once, before
//! anybody is MASTER; later, after a reload or when events were lost, a part at a time. Where the kernel does not
//! tell of processes (in a container) that is done every second.

use std::fs::{self, File, ReadDir};
use std::io::{self, Read};
use std::os::fd::RawFd;
use std::time::Duration;

use config::ReceiveBuffer;
use netlink::{ProcessEvent, ProcessMonitor};
use scheduler::{Class, Ready, Scheduler, Time};

use super::{HasVrrp, Vrrp, finish};
use crate::config::ProcessSettings;
use crate::process::{Identity, Processes, Quorum};
use crate::router::{Status, TrackerKind};

/// Processes that are looked at before sockets and timers are looked at again: about a millisecond's work.
const AT_ONCE: usize = 64;
/// Between two walks where the kernel does not tell.
const PAUSE: Duration = Duration::from_secs(1);
/// Arguments of a process that are looked at, in bytes.
const COMMAND: u64 = 16 * 1024;

/// A walk through `/proc`.
struct Walk {
    directory: ReadDir,
    /// What it finds counts without delay.
    at_once: bool,
}

/// Tracked processes, and where it is said what becomes of them.
pub(super) struct Watched {
    processes: Processes,
    monitor: Option<ProcessMonitor>,
    /// The kernel tells.
    confirmed: bool,
    walk: Option<Walk>,
    /// Events were lost while it ran: it is not the last.
    again: bool,
    /// The event that goes on with the walk is armed.
    walking: bool,
    /// When to look again.
    walk_at: Option<Time>,
    events: Vec<ProcessEvent>,
}

impl Vrrp {
    /// Everything that is tracked of processes, for the dump.
    pub(super) fn quorums(&self) -> &[Quorum] {
        self.processes.as_ref().map_or(&[], |watched| watched.processes.quorums())
    }

    /// Looks for the processes before anything starts.
    pub(super) fn find_processes(&mut self, now: Time, settings: Vec<ProcessSettings>) {
        if settings.is_empty() {
            return;
        }
        let mut watched = self.open_watched(Processes::new(settings, &|_| None));
        watched.begin(true);
        let mut changed = Vec::new();
        while !watched.go_on(now, usize::MAX, &mut changed) {}
        self.processes = Some(watched);
        self.tell_quorums(now);
    }

    /// Takes over what a reload says; without a change nothing happens. What is new is looked for behind what is
    /// urgent.
    pub(super) fn follow_processes(&mut self, now: Time, settings: Vec<ProcessSettings>) {
        let old = self.processes.take();
        if settings.is_empty() {
            return;
        }
        let same = |watched: &Watched| {
            let quorums = watched.processes.quorums().iter();
            quorums.map(|quorum| &quorum.settings).eq(settings.iter())
        };
        let mut watched = match old {
            Some(watched) if same(&watched) => {
                self.processes = Some(watched);
                self.tell_quorums(now);
                return;
            }
            Some(mut watched) => {
                let before = watched.processes;
                let had = |name: &str| {
                    let known = before.quorums().iter().find(|q| q.settings.name == name)?;
                    Some(known.is_had())
                };
                watched.processes = Processes::new(settings, &had);
                watched
            }
            None => self.open_watched(Processes::new(settings, &|_| None)),
        };
        watched.begin(true);
        self.processes = Some(watched);
        self.tell_quorums(now);
    }

    /// Tells the router of all quorums, in silence.
    fn tell_quorums(&mut self, now: Time) {
        let Some(watched) = &self.processes else { return };
        for quorum in watched.processes.quorums() {
            let name = &quorum.settings.name;
            if let Some(tracker) = self.router.tracker(TrackerKind::Process, name) {
                self.router.set_tracker(now, tracker, status(quorum.is_had()), &mut self.actions);
            }
        }
    }

    /// Tells the router, and the log, of these.
    fn tell_changed(&mut self, now: Time, changed: &[usize]) {
        let Some(watched) = &self.processes else { return };
        for quorum in changed.iter().filter_map(|&at| watched.processes.quorums().get(at)) {
            let name = &quorum.settings.name;
            let what = if quorum.is_had() { "gained" } else { "lost" };
            let text = format!("Quorum {what} for tracked process {name}");
            self.actions.push(crate::action::Action::Log { detail: false, text });
            if let Some(tracker) = self.router.tracker(TrackerKind::Process, name) {
                self.router.set_tracker(now, tracker, status(quorum.is_had()), &mut self.actions);
            }
        }
    }

    /// The socket that process events come by.
    pub(super) fn process_fd(&self) -> Option<RawFd> {
        self.processes.as_ref()?.monitor.as_ref().map(ProcessMonitor::fd)
    }

    /// When the next quorum may change, or the next walk is due.
    pub(super) fn processes_due(&self) -> Time {
        let Some(watched) = &self.processes else { return Time::NEVER };
        watched.processes.next_due().min(watched.walk_at.unwrap_or(Time::NEVER))
    }

    /// What waited until now counts; begins a walk that is due.
    pub(super) fn expire_processes(&mut self, now: Time) {
        let Some(watched) = &mut self.processes else { return };
        let mut changed = Vec::new();
        watched.processes.expire(now, &mut changed);
        if watched.walk_at.take_if(|at| *at <= now).is_some() {
            watched.begin(false);
        }
        self.tell_changed(now, &changed);
    }

    /// Reads events; true when nothing is left to read.
    fn process_events(&mut self, now: Time) -> bool {
        let Some(watched) = &mut self.processes else { return true };
        let mut changed = Vec::new();
        let drained = watched.receive(now, &mut changed);
        self.tell_changed(now, &changed);
        drained
    }
}

fn status(had: bool) -> Status {
    if had { Status::Up } else { Status::Down }
}

impl Vrrp {
    fn open_watched(&self, processes: Processes) -> Watched {
        let ReceiveBuffer { bytes, force } = self.router.globals().process_buffer;
        let monitor = ProcessMonitor::open(bytes as usize, force, self.options.left_network);
        if let Err(error) = &monitor {
            log::info!("No process events: {error}; looking for tracked processes every second");
        }
        Watched {
            processes,
            monitor: monitor.ok(),
            confirmed: false,
            walk: None,
            again: false,
            walking: false,
            walk_at: None,
            events: Vec::new(),
        }
    }
}

impl Watched {
    fn begin(&mut self, at_once: bool) {
        match fs::read_dir("/proc") {
            Ok(directory) => {
                // One that was interrupted by a reload ends as the reload's.
                let at_once = at_once || self.walk.as_ref().is_some_and(|walk| walk.at_once);
                self.processes.begin_walk();
                self.walk = Some(Walk { directory, at_once });
            }
            Err(error) => log::error!("Cannot read /proc: {error}"),
        }
    }

    /// Looks at so many entries of `/proc`; true when none is left.
    fn go_on(&mut self, now: Time, limit: usize, changed: &mut Vec<usize>) -> bool {
        let Some(walk) = &mut self.walk else { return true };
        for _ in 0..limit {
            let Some(entry) = walk.directory.next() else {
                self.end_walk(now, changed);
                return true;
            };
            let name = entry.map(|entry| entry.file_name());
            let pid = name.ok().and_then(|name| name.to_str()?.parse::<i32>().ok());
            if let Some(pid) = pid
                && let Some(identity) = identity(pid, self.processes.needs_command())
            {
                self.processes.met(pid, &identity);
            }
        }
        false
    }

    fn end_walk(&mut self, now: Time, changed: &mut Vec<usize>) {
        let at_once = self.walk.take().is_some_and(|walk| walk.at_once);
        self.processes.end_walk(now, at_once, changed);
        // Until the kernel has said that it will tell.
        self.walk_at = (!self.confirmed).then_some(now + PAUSE);
        if std::mem::take(&mut self.again) {
            self.begin(false);
        }
    }

    fn receive(&mut self, now: Time, changed: &mut Vec<usize>) -> bool {
        let Some(monitor) = &mut self.monitor else { return true };
        let mut events = std::mem::take(&mut self.events);
        let drained = monitor.receive(&mut events).unwrap_or_else(|error| {
            log::error!("Process events: {error}");
            true
        });
        for event in events.drain(..) {
            match event {
                ProcessEvent::Confirmed(0) => {
                    log::debug!("proc_events has confirmed it is configured");
                    self.confirmed = true;
                    self.walk_at = None;
                }
                ProcessEvent::Confirmed(error) => {
                    let error = io::Error::from_raw_os_error(error.cast_signed());
                    log::info!("No process events: {error}");
                }
                ProcessEvent::Fork { parent, child } => {
                    self.processes.forked(now, parent, child, changed);
                }
                ProcessEvent::Exec(pid) => {
                    let identity = identity(pid, self.processes.needs_command());
                    self.processes.executed(now, pid, identity.as_ref(), changed);
                }
                ProcessEvent::Renamed(pid, name) => {
                    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                    self.processes.renamed(now, pid, name, changed);
                }
                ProcessEvent::Exit(pid) => self.processes.exited(now, pid, changed),
                ProcessEvent::Overrun => {
                    log::info!("Process events were lost, looking at all processes");
                    self.again = self.walk.is_some();
                    if !self.again {
                        self.begin(false);
                    }
                }
            }
        }
        self.events = events;
        drained
    }
}

/// What a process is; `None` if it is gone, or a zombie.
fn identity(pid: i32, with_command: bool) -> Option<Identity> {
    let mut buffer = [0; 512];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut buffer).ok()?;
    let name = name(buffer.get(..length)?)?.to_vec();
    let mut command = Vec::new();
    if with_command {
        let file = File::open(format!("/proc/{pid}/cmdline")).ok()?;
        file.take(COMMAND).read_to_end(&mut command).ok()?;
    }
    Some(Identity { name, command })
}

/// The name in a line of `/proc/PID/stat`, which may itself have blanks and brackets; `None` for what has
/// exited.
fn name(stat: &[u8]) -> Option<&[u8]> {
    let begin = stat.iter().position(|byte| *byte == b'(')? + 1;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(end + 2)?;
    if matches!(state, b'Z' | b'X' | b'x') {
        return None;
    }
    stat.get(begin..end)
}

/// Waits for the next event, and goes on with a walk.
pub(super) fn wait<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    if let Some(fd) = w.vrrp().and_then(|vrrp| vrrp.process_fd())
        && let Err(error) = s.add_read(Class::Checker, fd, None, 0, on_event::<W>)
    {
        log::error!("Cannot wait for process events: {error}");
    }
}

fn on_event<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    let drained = vrrp.process_events(ready.now);
    if let (true, Some(fd)) = (drained, vrrp.process_fd()) {
        s.drained(fd);
    }
    wait(s, w);
    finish(s, w);
}

/// Arms what goes on with a walk that has begun.
pub(super) fn walk<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let watched = w.vrrp().and_then(|vrrp| vrrp.processes.as_mut());
    if let Some(watched) = watched.filter(|watched| watched.walk.is_some() && !watched.walking) {
        watched.walking = true;
        s.add_event(Class::Background, 0, go_on::<W>);
    }
}

fn go_on<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    let Some(watched) = &mut vrrp.processes else { return };
    watched.walking = false;
    let mut changed = Vec::new();
    watched.go_on(ready.now, AT_ONCE, &mut changed);
    vrrp.tell_changed(ready.now, &changed);
    finish(s, w);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_what_follows_it() {
        assert_eq!(name(b"7 (sleep) S 1 7"), Some(&b"sleep"[..]));
        assert_eq!(name(b"7 (a) S (b c) R 1"), Some(&b"a) S (b c"[..]));
        assert_eq!(name(b"7 (sleep) Z 1 7"), None);
        for broken in ["", "7", "7 (", "7 (sleep", "7 (sleep)", ")(", "7 )(  "] {
            assert_eq!(name(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn this_process_is_found() {
        let own = identity(std::process::id().cast_signed(), true).unwrap();
        let command: Vec<u8> =
            std::env::args().flat_map(|a| [a.as_bytes(), &[0]].concat()).collect();
        assert_eq!(own.command, command);
        assert!(!own.name.is_empty() && own.name.len() <= 15);
        assert_eq!(identity(-1, false), None);
    }
}
