//! One virtual router: its settings, its state, its deadlines and the formulas of RFC 9568 §6.1.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use scheduler::Time;

use crate::config::{InstanceSettings, Version};
use crate::packet::{Counter, Stats};
use crate::router::Changed;
use crate::state::{Faults, State};

/// Priority of the address owner (RFC 9568 §5.2.4).
pub const OWNER: u8 = 255;

/// An instance at run time.
pub struct Instance {
    /// As configured; shared, so that unchanged settings survive a reload without a copy.
    pub settings: Rc<InstanceSettings>,
    /// Counters of the statistics file.
    pub stats: Stats,
    /// Address adverts are sent from; decides ties. `None`: the instance is in FAULT.
    pub source: Option<IpAddr>,
    /// The address most recently heard from while BACKUP.
    pub master: Option<IpAddr>,
    /// Its priority.
    pub master_priority: u8,
    /// Its interval (v3), else our own.
    pub master_interval: Duration,
    /// When the state was entered.
    pub last_transition: Time,
    /// When the last advert was sent.
    pub last_advert: Time,
    /// When it left INIT or FAULT.
    pub(crate) up_since: Time,
    /// Why it would become MASTER if it did now.
    pub(crate) claim: MasterReason,
    /// Why it last did.
    pub(crate) reason: MasterReason,
    /// What the last advert with a wrong TTL, version or checksum counted for.
    pub(crate) last_error: Option<Counter>,
    pub(crate) state: State,
    pub(crate) wanted: State,
    pub(crate) group: Option<usize>,
    pub(crate) faults: Faults,
    pub(crate) tracker_faults: u32,
    pub(crate) scripts_in_init: u32,
    /// FAULT only because a first script verdict is awaited: nothing was logged or notified.
    pub(crate) silent: bool,
    /// Configured priority plus the trackers' contributions, not clamped.
    pub(crate) total: i32,
    pub(crate) effective: u8,
    /// Advert or master-down deadline; [`Time::NEVER`] in FAULT.
    pub(crate) deadline: Time,
    pub(crate) announce_at: Time,
    pub(crate) announce_again: u32,
    pub(crate) refresh_at: Time,
    pub(crate) extra_at: Time,
    /// End of a running preempt delay.
    pub(crate) preempt_at: Option<Time>,
    /// The owner conflict, if one is being watched.
    pub(crate) rogue: Option<Rogue>,
    /// Time of this instance's entry in the router's heap; see `router::Router::arm`.
    pub(crate) armed: Time,
    /// Its turn among those due in the same moment: the lower one set its deadline before.
    pub(crate) turn: u64,
    /// What the reload under way changed; taken when the instance resumes.
    pub(crate) changed: Option<Changed>,
    /// Effective priority and master-down interval before the reload under way.
    pub(crate) before_reload: Option<(u8, Duration)>,
}

/// Why an instance is MASTER (RFC 6527, vrrpv3StatisticsNewMasterReason).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterReason {
    /// It never was.
    NotMaster = 0,
    /// The MASTER gave up, and nobody has a higher priority.
    Priority = 1,
    /// It did not wait for a MASTER, or did not accept one of lower priority.
    Preempted = 2,
    /// The MASTER fell silent, or there was none.
    NoResponse = 3,
}

/// Another address owner heard while we are one (spec vrrp-behaviour §4.6).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rogue {
    pub(crate) address: IpAddr,
    /// When the other is judged to have stopped.
    pub(crate) until: Time,
    /// Heard again since the check began.
    pub(crate) heard: bool,
}

impl Instance {
    /// An instance that has not started.
    pub fn new(settings: Rc<InstanceSettings>) -> Self {
        let priority = settings.priority;
        let mut faults = Faults::NONE;
        faults.set(Faults::CONFIG, settings.config_fault.is_some());
        Instance {
            stats: Stats::default(),
            source: settings.source,
            master: None,
            master_priority: 0,
            master_interval: settings.advert_interval,
            last_transition: Time::ZERO,
            last_advert: Time::ZERO,
            up_since: Time::ZERO,
            claim: MasterReason::NoResponse,
            reason: MasterReason::NotMaster,
            last_error: None,
            state: State::Init,
            wanted: if settings.wants_master { State::Master } else { State::Backup },
            group: None,
            faults,
            tracker_faults: 0,
            scripts_in_init: 0,
            silent: false,
            total: i32::from(priority),
            effective: priority,
            deadline: Time::NEVER,
            announce_at: Time::NEVER,
            announce_again: 0,
            refresh_at: Time::NEVER,
            extra_at: Time::NEVER,
            preempt_at: None,
            rogue: None,
            armed: Time::NEVER,
            turn: 0,
            changed: None,
            before_reload: None,
            settings,
        }
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The state it would like to be in.
    pub fn wanted(&self) -> State {
        self.wanted
    }

    /// Position of its sync group.
    pub fn group(&self) -> Option<usize> {
        self.group
    }

    /// Priority after trackers, as sent in adverts.
    pub fn effective_priority(&self) -> u8 {
        self.effective
    }

    /// Configured priority plus the trackers' contributions, not clamped to 1..=254.
    pub fn total_priority(&self) -> i32 {
        self.total
    }

    /// Reasons for FAULT beside trackers.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Trackers that hold the instance in FAULT.
    pub fn tracker_faults(&self) -> u32 {
        self.tracker_faults
    }

    /// Scripts without a first verdict that hold the instance in FAULT.
    pub fn scripts_in_init(&self) -> u32 {
        self.scripts_in_init
    }

    /// The advert or master-down deadline.
    pub fn deadline(&self) -> Time {
        self.deadline
    }

    /// Configured as address owner.
    pub fn is_owner(&self) -> bool {
        self.settings.priority == OWNER
    }

    /// Whether the reload under way changed its settings.
    pub(crate) fn is_changed(&self) -> bool {
        self.changed.is_some()
    }

    pub(crate) fn is_faulty(&self) -> bool {
        !self.faults.is_empty() || self.tracker_faults > 0
    }

    /// Faulty for a reason that was named before its first state.
    pub(crate) fn is_known_faulty(&self) -> bool {
        let mut known = self.faults;
        known.set(Faults::SOCKET, false);
        !known.is_empty() || self.tracker_faults > 0
    }

    /// Name in parentheses, as log lines begin.
    pub(crate) fn tag(&self) -> String {
        format!("({})", self.settings.name)
    }

    /// Skew_Time (RFC 9568 §6.1; RFC 3768 §6.1 with its one-second base).
    pub fn skew(&self) -> Duration {
        let priority = if self.is_owner() { OWNER } else { self.effective };
        let base = match self.settings.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.master_interval,
        };
        base * (256 - u32::from(priority)) / 256
    }

    /// Active_Down_Interval: how long silence lasts before a BACKUP takes over.
    pub fn master_down_interval(&self) -> Duration {
        self.master_interval * u32::from(self.settings.down_timer_adverts) + self.skew()
    }

    /// Earliest moment at which something is due.
    pub(crate) fn next_due(&self) -> Time {
        let rogue = self.rogue.map_or(Time::NEVER, |r| r.until);
        self.deadline.min(self.announce_at).min(self.refresh_at).min(self.extra_at).min(rogue)
    }

    /// Deadline of the advert after one sent at `planned`.
    ///
    /// The first deadline after becoming MASTER is moved back onto a grid (a 256th of the interval,
    /// at least 1 ms), so that instances of equal interval become due together and leave in one
    /// system call; every later one is the planned time plus the interval, without drift.
    pub(crate) fn first_advert_deadline(&self, now: Time) -> Time {
        let interval = self.settings.advert_interval;
        let grid = (interval / 256).max(Duration::from_millis(1)).as_nanos() as u64;
        let exact = now + interval;
        Time::from_nanos(exact.as_nanos() - exact.as_nanos() % grid)
    }
}
