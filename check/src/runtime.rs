//! Load balancing at run time, on the scheduler: virtual servers, their checkers, the kernel's table.
//!
//! # How a result travels
//!
//! A checker comes to a definitive result and calls [`judged`]. The [`Service`] it belongs to changes
//! its state, asks the kernel for the difference and notes what is to be told; [`tell`] then writes
//! the lines, starts scripts, fills FIFOs and hands over mails, of many a part at a time.
//!
//! # How a configuration is taken up
//!
//! Start and reload are one list of steps ([`steps`]), done a part at a time behind everything that is more
//! urgent: virtual servers that are gone end, those that stay follow, new ones begin, and checkers are
//! started. Between two steps everything that runs is consistent.

mod addresses;
mod checkers;
mod filter;
mod kernel;
mod statistics;
mod steps;
mod stop;
mod tell;

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use ipvs::{Batch, Kernel};
use notify::HasNotify;
use scheduler::{Class, Ready, Scheduler, ThreadId};

use crate::checker::attempt::{self, ping};
use crate::checker::{CheckerId, Checkers};
use crate::keywords::Globals;
use crate::service::table::{self, Keys, Work};
use crate::service::transition::{Came, Result};
use crate::service::{Service, Told};
use crate::settings::{CheckerSettings, Group, Kind, Settings, TlsSettings, TrackFile};

pub use kernel::{Followed, follow_instance};
pub use statistics::count;
pub use steps::{reload, start};
pub use stop::{end_scripts, stop};

/// After this long the kernel is asked again for what it refused.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// A world that does load balancing.
pub trait HasCheck: HasNotify + Sized + 'static {
    /// Load balancing, if it runs.
    fn check(&mut self) -> Option<&mut Check>;

    /// Makes one attempt of a checker. A simulation answers for the server instead.
    fn attempt(s: &mut Scheduler<Self>, w: &mut Self, id: CheckerId) {
        attempt::begin(s, w, id);
    }

    /// Called for each SNMP notification, which still lacks the router's id, if [`Check::tell_traps`] asks for them.
    fn notified(_s: &mut Scheduler<Self>, _w: &mut Self, _trap: snmp::Trap) {}

    /// Called once, after [`end_scripts`]: no script of a checker runs any more.
    fn scripts_ended(_s: &mut Scheduler<Self>, _w: &mut Self) {}
}

/// Load balancing.
pub struct Check {
    pub(crate) checkers: Checkers,
    slots: Vec<Option<Service>>,
    free: Vec<u32>,
    /// Slots in the order of the configuration.
    order: Vec<u32>,
    kernel: Box<dyn Kernel>,
    keys: Keys,
    batch: Batch,
    refused: Vec<u64>,
    told: VecDeque<Told>,
    /// The event that goes on telling is armed.
    telling: bool,
    /// Virtual servers whose table is not yet what it should be.
    dirty: BTreeSet<u32>,
    globals: Globals,
    /// What only dumps show.
    pub(crate) shown: Shown,
    steps: steps::Steps,
    asking_again: Option<ThreadId>,
    addresses: addresses::Addresses,
    random: config::Random,
    set: kernel::Set,
    filter: filter::Filter,
    /// Undone at the end.
    pings: Option<ping::Allowed>,
    stopping: bool,
    /// SNMP notifications are wanted.
    traps: bool,
    statistics: statistics::Statistics,
}

/// What a configuration says that nothing here acts on, but dumps show.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) tls: Option<TlsSettings>,
    pub(crate) groups: Vec<Rc<Group>>,
    pub(crate) files: Vec<Rc<TrackFile>>,
}

/// A definitive result of a checker (spec checkers-behaviour §2).
pub(crate) struct Judged {
    /// What it found.
    pub(crate) up: bool,
    /// Body of the mail about it, without the arrows; `None`: it never mails.
    pub(crate) mail: Option<Cow<'static, str>>,
}

#[cfg(test)]
impl Default for Check {
    fn default() -> Self {
        Check::new(Box::new(ipvs::Absent))
    }
}

impl Check {
    /// Load balancing by the kernel's IPVS in a network namespace, named as for
    /// [`ipvs::Channel::open_in`]. Where there is no IPVS it says so and goes on without it.
    pub fn open(namespace: Option<&str>) -> Check {
        let kernel: Box<dyn Kernel> = match ipvs::Channel::open_in(namespace) {
            Ok(channel) => Box::new(channel),
            Err(e) => {
                log::error!("IPVS: Can't initialize ipvs: {e}");
                log::error!("Real servers are checked all the same, but no connection is balanced");
                Box::new(ipvs::Absent)
            }
        };
        let mut check = Check::new(kernel);
        check.filter.namespace = namespace.map(str::to_owned);
        check
    }

    /// Makes ready what `SSL_GET`s present to servers, if there are any. To be called before [`start`] and
    /// [`reload`]; after an error what was there before stays.
    ///
    /// # Errors
    /// A file of the `SSL` block cannot be used; the text is a log line.
    pub fn present(&mut self, settings: &Settings) -> std::result::Result<(), String> {
        let is_secure =
            |checker: &Rc<CheckerSettings>| matches!(&checker.kind, Kind::Http(http) if http.tls);
        let mut reals = settings.virtual_servers.iter().flat_map(|server| &server.real_servers);
        if !reals.any(|real| real.checkers.iter().any(is_secure)) {
            return Ok(());
        }
        self.checkers.streams.web.present(settings.tls.as_ref())
    }

    /// Load balancing without virtual servers, on the kernel's table.
    pub fn new(kernel: Box<dyn Kernel>) -> Check {
        Check {
            checkers: Checkers::default(),
            slots: Vec::new(),
            free: Vec::new(),
            order: Vec::new(),
            kernel,
            keys: Keys::default(),
            batch: Batch::new(),
            refused: Vec::new(),
            told: VecDeque::new(),
            telling: false,
            dirty: BTreeSet::new(),
            globals: Globals::default(),
            shown: Shown::default(),
            steps: steps::Steps::default(),
            asking_again: None,
            addresses: addresses::Addresses::default(),
            random: config::Random::new(),
            set: kernel::Set::default(),
            filter: filter::Filter::default(),
            pings: None,
            stopping: false,
            traps: false,
            statistics: statistics::Statistics::default(),
        }
    }

    /// What is known of all BFD sessions there are: names, and whether they are up. To be called before
    /// [`start`] and [`reload`].
    pub fn know_sessions(&mut self, sessions: impl Iterator<Item = (String, bool)>) {
        self.checkers.sessions.know(sessions);
    }

    /// Logs every address that the machine gets or loses (`-a`). To be called before [`start`].
    pub fn log_addresses(&mut self) {
        self.addresses.logged = true;
    }

    /// Whether SNMP notifications are wanted.
    pub fn tell_traps(&mut self, wanted: bool) {
        self.traps = wanted;
    }

    /// Slots in the order of the configuration.
    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    pub(crate) fn globals(&self) -> &Globals {
        &self.globals
    }

    /// Virtual servers in the order of the configuration.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.order.iter().filter_map(|slot| self.service(*slot))
    }

    pub(crate) fn service(&self, slot: u32) -> Option<&Service> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// Lets `act` change the service in `slot`.
    fn with<R>(
        &mut self,
        slot: u32,
        act: impl FnOnce(&mut Service, &mut Work<'_>) -> R,
    ) -> Option<R> {
        let service = self.slots.get_mut(slot as usize)?.as_mut()?;
        let mut told = Vec::new();
        let mut work = Work {
            kernel: &mut *self.kernel,
            batch: &mut self.batch,
            keys: &mut self.keys,
            told: &mut told,
            refused: &mut self.refused,
            traps: self.traps,
            slot,
        };
        let result = act(service, &mut work);
        if service.dirty.is_some() {
            self.dirty.insert(slot);
        }
        self.told.extend(told);
        Some(result)
    }

    /// Sends what was gathered.
    fn flush(&mut self) {
        let mut told = Vec::new();
        table::flush(&mut Work {
            kernel: &mut *self.kernel,
            batch: &mut self.batch,
            keys: &mut self.keys,
            told: &mut told,
            refused: &mut self.refused,
            traps: self.traps,
            slot: 0,
        });
        self.told.extend(told);
    }

    /// Takes back what the kernel refused; true when it is to be asked again.
    fn take_back(&mut self) -> bool {
        let refused = std::mem::take(&mut self.refused);
        for tag in &refused {
            let slot = table::slot_of(*tag) as usize;
            if let Some(Some(service)) = self.slots.get_mut(slot) {
                service.take_back(*tag);
            }
        }
        !refused.is_empty()
    }
}

/// Takes a definitive result that differs from the checker's state, or is its first. False: the
/// kernel refused the change, and nothing may be changed; the checker tries again at its next run.
pub(crate) fn judged<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    judged: &Judged,
) -> bool {
    let Some(check) = w.check() else { return false };
    let Some(checker) = check.checkers.get(id) else { return false };
    let (slot, index) = checker.owner;
    let told = !matches!(checker.settings.kind, Kind::Http(_));
    let result = Result { was_up: checker.verdict.up, up: judged.up, told };
    let only_changes = check.globals.no_emails;
    let came = check.with(slot, |service, work| {
        let came = service.judged(index as usize, result, work);
        let mails = came == Came::Change || (came == Came::Same && !only_changes);
        if let Some(body) = judged.mail.as_ref().filter(|_| mails) {
            service.mail_real(index as usize, judged.up, body, work);
        }
        came
    });
    finish(s, w);
    came != Some(Came::Nothing)
}

/// Takes what a checker adds to the weight of its real server, replacing what it added before.
pub(crate) fn weighs<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    contribution: i64,
) {
    let Some(check) = w.check() else { return };
    let Some((slot, index)) = check.checkers.get(id).map(|checker| checker.owner) else { return };
    check.with(slot, |service, work| service.weighs(index as usize, id, contribution, work));
    finish(s, w);
}

/// Ends every callback: sends what is left, notes what was refused, tells who wants to know.
fn finish<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(check) = w.check() else { return };
    check.flush();
    let again = check.take_back();
    if again && check.asking_again.is_none() && !check.stopping {
        let timer = s.add_timer_after(Class::Checker, ASK_AGAIN, 0, ask_again::<W>);
        if let Some(check) = w.check() {
            check.asking_again = Some(timer);
        }
    }
    steps::go_on_filling(s, w);
    tell::tell(s, w);
}

/// Asks the kernel again for what it refused.
fn ask_again<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let Some(check) = w.check() else { return };
    check.asking_again = None;
    for slot in (0..).take(check.slots.len()) {
        if check.service(slot).is_some_and(|service| service.refused) {
            check.with(slot, Service::try_again);
        }
    }
    finish(s, w);
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;
