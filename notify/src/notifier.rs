//! Running notify scripts under the scheduler.
//!
//! Submitting a script only queues it; an event of the lowest class starts one script a pass, so
//! that four thousand instances that become MASTER together do not keep their own adverts waiting.
//! Every script has a time limit: its process group gets SIGTERM, and SIGKILL if that does not
//! help. Without one, a script that hangs would hold up all later scripts of its object.
//!
//! [`drain`] is the end: it waits, within bounds, for what still runs (the stop hooks, mails, and the
//! readers of FIFOs that have lines to read), then calls [`HasNotify::drained`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use scheduler::{Cause, Class, Exit, Ready, Scheduler, ThreadId};

use crate::config::Settings;
use crate::fifo::FifoKind;
use crate::mail::{self, Mailer};
use crate::queue::{Job, MAX_WAITING, Queues};
use crate::reader::{self, Readers};
use crate::script::Script;
use crate::spawn::{signal_group, spawn};

/// How long a notify script may run. Generous: there are scripts that wait for a service to start.
const TIME_LIMIT: Duration = Duration::from_secs(300);
/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// From one SIGKILL to the next, for what cannot be killed at once.
const KILL_AGAIN: Duration = Duration::from_secs(10);
/// How long readers of FIFOs get at the end, once no script runs any more.
const READER_PATIENCE: Duration = Duration::from_millis(100);

/// A world that has a [`Notifier`] in it.
pub trait HasNotify {
    /// The notifier.
    fn notify(&mut self) -> &mut Notifier;

    /// Called once, after [`drain`]: nothing more will come from scripts. Stops the scheduler
    /// unless the world has more to do.
    fn drained(scheduler: &mut Scheduler<Self>, _world: &mut Self)
    where
        Self: Sized,
    {
        scheduler.stop();
    }
}

/// What a child that runs is.
#[derive(Debug)]
pub(crate) enum Role {
    /// A notify script of this object.
    Hook(Arc<str>, &'static str),
    /// The reader of a FIFO.
    Reader(FifoKind),
}

/// A child that runs.
#[derive(Debug)]
struct Running {
    role: Role,
    text: String,
    /// SIGTERM (1) and SIGKILLs (2, 3, …) sent so far.
    signals: u32,
    /// The thread that waits for it.
    thread: ThreadId,
}

#[derive(Debug)]
struct Drain {
    timer: ThreadId,
    readers_only: bool,
}

/// The scripts that run and wait, and the FIFOs.
#[derive(Debug)]
pub struct Notifier {
    queues: Queues,
    running: HashMap<i32, Running>,
    /// The event that starts the next script is armed.
    armed: bool,
    drain: Option<Drain>,
    dropped: u64,
    time_limit: Duration,
    grace: Duration,
    reader_patience: Duration,
    pub(crate) readers: Readers,
    pub(crate) mail: Mailer,
}

impl Default for Notifier {
    fn default() -> Self {
        Notifier {
            queues: Queues::default(),
            running: HashMap::new(),
            armed: false,
            drain: None,
            dropped: 0,
            time_limit: TIME_LIMIT,
            grace: GRACE,
            reader_patience: READER_PATIENCE,
            readers: Readers::default(),
            mail: Mailer::default(),
        }
    }
}

impl Notifier {
    /// A notifier without FIFOs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a line to the global and the VRRP FIFO.
    pub fn write_vrrp(&mut self, line: &str) {
        self.readers.write(&[FifoKind::Global, FifoKind::Vrrp], line);
    }

    /// Writes a line to the global and the LVS FIFO.
    pub fn write_lvs(&mut self, line: &str) {
        self.readers.write(&[FifoKind::Global, FifoKind::Lvs], line);
    }

    /// Whether mails about changes to FAULT are wanted (`no_email_faults`).
    pub fn mails_faults(&self) -> bool {
        self.mail.tells_faults()
    }

    /// Alerts that no mail told: too many waited, or a mail could not be sent.
    #[cfg(test)]
    pub(crate) fn lost_alerts(&self) -> u64 {
        self.mail.lost()
    }

    /// Whether no notify script runs or waits.
    pub fn is_idle(&self) -> bool {
        self.queues.is_idle()
    }

    /// Sets how long a notify script may run from now on.
    #[cfg(test)]
    pub(crate) fn set_time_limit(&mut self, limit: Duration) {
        self.time_limit = limit;
    }
}

/// Queues a script. `object` names whose event it is, in log lines too ("VRRP instance VI_1");
/// `hook` is the keyword that asks for the script; `extra` are arguments after its own.
///
/// Under a virtual clock there are no processes, and nothing is queued.
pub fn submit<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    object: &str,
    hook: &'static str,
    script: &Script,
    extra: &[&str],
) {
    if s.is_simulated() {
        return;
    }
    let extra = extra.iter().map(|&e| e.to_owned()).collect();
    let job = Job { hook, script: script.clone(), extra };
    let notifier = w.notify();
    if let Some(lost) = notifier.queues.push(object, job) {
        notifier.dropped = notifier.dropped.saturating_add(1);
        if notifier.dropped.is_power_of_two() {
            log::warn!(
                "{object}: more than {MAX_WAITING} scripts are waiting; {} '{}' will not be run \
                 (scripts lost so far: {})",
                lost.hook,
                lost.script.text,
                notifier.dropped
            );
        }
    }
    arm(s, w);
}

/// Opens, keeps and closes FIFOs so that they are as configured. A FIFO and its reader
/// that have not changed go on undisturbed, with what is in the pipe. A reader that
/// is replaced has ended before its successor starts.
pub fn configure_fifos<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    settings: &Settings,
) {
    for pid in w.notify().readers.configure(settings) {
        stop_child(s, w, pid);
    }
    reader::start_missing(s, w);
}

/// Waits until nothing runs or waits any more, but at most `patience`, then calls
/// [`HasNotify::drained`]. What has not ended by then gets SIGTERM; what has not been started is
/// dropped. Closes the FIFOs at once: the last lines must have been written.
pub fn drain<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, patience: Duration) {
    if w.notify().drain.is_some() {
        return;
    }
    w.notify().readers.close();
    let timer = s.add_timer_after(Class::Background, patience, 0, give_up::<W>);
    w.notify().drain = Some(Drain { timer, readers_only: false });
    mail::hurry(s, w);
    s.add_event(Class::Background, 0, |s, w, _| look_drained(s, w));
}

/// Watches a child with the scheduler. `time_limit` is `None` for readers.
pub(crate) fn add_child<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    pid: i32,
    time_limit: Option<Duration>,
    role: Role,
    text: &str,
) {
    let arg = u64::from(pid.unsigned_abs());
    match s.add_child(Class::Background, pid, time_limit, arg, on_child::<W>) {
        Ok(thread) => {
            let running = Running { role, text: text.to_owned(), signals: 0, thread };
            w.notify().running.insert(pid, running);
        }
        Err(error) => {
            // Out of descriptors, say. It runs, but nobody will know when it ends.
            log::error!("cannot watch script '{text}' (PID {pid}): {error}");
            s.disown(pid);
            if let Role::Hook(object, _) = role {
                w.notify().queues.finished(&object);
            }
        }
    }
}

/// Arms the event that starts the next script.
fn arm<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W) {
    let notifier = w.notify();
    if !notifier.armed && notifier.queues.has_next() {
        notifier.armed = true;
        s.add_event(Class::Background, 0, start_next::<W>);
    }
}

fn start_next<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let notifier = w.notify();
    notifier.armed = false;
    if let Some((object, job)) = notifier.queues.next() {
        let extra: Vec<&str> = job.extra.iter().map(String::as_str).collect();
        match spawn(&job.script, &extra) {
            Ok(pid) => {
                let limit = Some(notifier.time_limit);
                let role = Role::Hook(object, job.hook);
                add_child(s, w, pid, limit, role, &job.script.text);
            }
            // It has been logged, and counts as having run.
            Err(_) => notifier.queues.finished(&object),
        }
    }
    arm(s, w);
    look_drained(s, w);
}

fn on_child<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Ok(pid) = i32::try_from(ready.arg) else { return };
    match ready.cause {
        Cause::Exited(exit) => ended(s, w, pid, exit),
        _ => stop_child(s, w, pid),
    }
    arm(s, w);
    look_drained(s, w);
}

fn ended<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, pid: i32, exit: Exit) {
    let Some(running) = w.notify().running.remove(&pid) else { return };
    let how = match exit {
        Exit::Code(code) => format!("exited with status {code}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
    };
    match running.role {
        Role::Hook(object, hook) => {
            if exit != Exit::Code(0) {
                log::info!("{object}: {hook} script '{}' {how}", running.text);
            }
            w.notify().queues.finished(&object);
        }
        Role::Reader(kind) => {
            if running.signals == 0 && w.notify().drain.is_none() {
                log::warn!("{} fifo script '{}' {how}", kind.keyword(), running.text);
            }
            reader::ended(s, w, kind, running.signals > 0, exit != Exit::Code(0));
        }
    }
}

/// Sends a child the next stronger signal and waits again.
fn stop_child<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, pid: i32) {
    let notifier = w.notify();
    let grace = notifier.grace;
    let Some(running) = notifier.running.get_mut(&pid) else { return };
    running.signals = running.signals.saturating_add(1);
    let text = &running.text;
    let (signal, wait) = match running.signals {
        1 => (Signal::SIGTERM, grace),
        _ => (Signal::SIGKILL, KILL_AGAIN),
    };
    match (&running.role, running.signals) {
        (Role::Hook(object, hook), 1) => {
            log::warn!("{object}: {hook} script '{text}' (PID {pid}) runs too long, ending it");
        }
        (_, 1 | 2) => {}
        _ => log::warn!("Script '{text}' child (PID {pid}) failed to terminate after kill"),
    }
    signal_group(pid, signal);
    let thread = running.thread;
    if s.is_registered(thread) {
        // It is stopped before its time; if it is about to be reported as ended, all the better.
        s.move_timer(thread, s.now() + wait);
        return;
    }
    let arg = u64::from(pid.unsigned_abs());
    match s.add_child(Class::Background, pid, Some(wait), arg, on_child::<W>) {
        Ok(thread) => running.thread = thread,
        Err(error) => {
            log::error!("cannot watch script (PID {pid}) any longer: {error}");
            s.disown(pid);
            ended(s, w, pid, Exit::Code(-1));
        }
    }
}

/// The patience of [`drain`] is over.
fn give_up<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let mails = mail::give_up(s, w);
    if mails > 0 {
        log::warn!("stopping with {mails} mails not sent");
    }
    let notifier = w.notify();
    let waiting = notifier.queues.clear();
    let pids: Vec<i32> = notifier.running.keys().copied().collect();
    let hooks = notifier.running.values().filter(|r| matches!(r.role, Role::Hook(..))).count();
    if waiting > 0 || hooks > 0 {
        log::warn!("stopping with {hooks} scripts running (ended now) and {waiting} not started");
    }
    for pid in pids {
        signal_group(pid, Signal::SIGTERM);
    }
    notifier.drain = None;
    W::drained(s, w);
}

/// Ends [`drain`] if there is nothing left to wait for.
pub(crate) fn look_drained<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W) {
    let now = s.now();
    let notifier = w.notify();
    let Some(drain) = &mut notifier.drain else { return };
    if !notifier.queues.is_idle() || !notifier.mail.is_idle() {
        return;
    }
    let timer = drain.timer;
    if notifier.running.is_empty() {
        notifier.drain = None;
        s.cancel(timer);
        W::drained(s, w);
    } else if !drain.readers_only {
        drain.readers_only = true;
        let soon = now + notifier.reader_patience;
        if s.deadline(timer).is_some_and(|deadline| soon < deadline) {
            s.move_timer(timer, soon);
        }
    }
}

#[cfg(test)]
mod tests;
