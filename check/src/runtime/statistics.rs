//! What the kernel has counted, for SNMP: read in the background, a part at a time, while somebody asks for it. An
//! answer is what was read last.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use ipvs::{DestinationStatus, ServiceKey, Survey};
use scheduler::{Class, Ready, Scheduler, ThreadId, Time};

use super::{Check, HasCheck};
use crate::service::{Counted, Counters};

/// `snmp_vs_stats_update_interval`, where it is not given.
const AGE: Duration = Duration::from_secs(5);
/// The table is not read more often.
const SHORTEST: Duration = Duration::from_millis(100);
/// When it failed.
const RETRY: Duration = Duration::from_secs(60);
/// After this time without a question nothing is read.
const INTEREST: Duration = Duration::from_secs(600);

/// The reading and its state.
#[derive(Default)]
pub(super) struct Statistics {
    timer: Option<ThreadId>,
    /// Somebody has asked since this was last looked at.
    asked: Cell<bool>,
    /// When that was last so.
    asked_at: Time,
    services_at: Time,
    destinations_at: Time,
    survey: Option<Survey>,
    sweep: Option<Sweep>,
    /// That it does not work was told.
    complained: bool,
}

/// One reading of the whole table.
struct Sweep {
    /// Destinations are read, too.
    destinations: bool,
    /// By key; `None` while they are read.
    services: Option<HashMap<ServiceKey, ipvs::Statistics>>,
    reading: HashMap<ServiceKey, ipvs::Statistics>,
    /// Position of the virtual server, of its key, and what was found of it so far.
    position: usize,
    key: usize,
    found: HashMap<(IpAddr, u16), Counted>,
    /// The destinations of that key were asked for; where some of them stand in the configuration.
    asked: Option<HashMap<(IpAddr, u16), (IpAddr, u16)>>,
}

/// Begins to count or ceases to. To be called after every [`start`](super::start) and [`reload`](super::reload).
pub fn count<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, wanted: bool) {
    let Some(check) = w.check() else { return };
    let old = std::mem::take(&mut check.statistics);
    if let Some(timer) = old.timer {
        s.cancel(timer);
    }
    if wanted {
        // Who asks first is not to wait for the second reading.
        check.statistics.asked_at = s.now();
        due(s, w);
    }
}

fn arm<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, after: Duration) {
    let timer = s.add_timer_after(Class::Background, after, 0, |s, w: &mut W, _: Ready| {
        if let Some(check) = w.check() {
            check.statistics.timer = None;
        }
        due(s, w);
    });
    if let Some(check) = w.check() {
        check.statistics.timer = Some(timer);
    }
}

/// Begins a reading if it is time to.
fn due<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    let now = s.now();
    let Some(check) = w.check() else { return };
    if check.stopping {
        return;
    }
    let services = check.globals.snmp_virtual_server_age.unwrap_or(AGE);
    let destinations = check.globals.snmp_real_server_age.unwrap_or(services);
    let tick = services.min(destinations).max(SHORTEST);
    let statistics = &mut check.statistics;
    if statistics.asked.take() {
        statistics.asked_at = now;
    }
    let is_due = |at: Time, age| at == Time::ZERO || now.since(at) >= age;
    let of_destinations = is_due(statistics.destinations_at, destinations);
    let begins = now.since(statistics.asked_at) < INTEREST
        && (is_due(statistics.services_at, services) || of_destinations);
    if !begins {
        return arm(s, w, tick);
    }
    statistics.services_at = now;
    if of_destinations {
        statistics.destinations_at = now;
    }
    statistics.sweep = Some(Sweep {
        destinations: of_destinations,
        services: None,
        reading: HashMap::new(),
        position: 0,
        key: 0,
        found: HashMap::new(),
        asked: None,
    });
    match check.begin_sweep() {
        Ok(()) => go_on_soon(s),
        Err(error) => fail(s, w, &error),
    }
}

fn go_on_soon<W: HasCheck>(s: &mut Scheduler<W>) {
    s.add_event(Class::Background, 0, go_on::<W>);
}

fn go_on<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let Some(check) = w.check() else { return };
    // The one that it was about may have ended with a reload.
    if check.statistics.sweep.is_none() {
        return;
    }
    match check.sweep_part() {
        Ok(false) => go_on_soon(s),
        Ok(true) => {
            check.statistics.sweep = None;
            check.statistics.complained = false;
            let globals = &check.globals;
            let services = globals.snmp_virtual_server_age.unwrap_or(AGE);
            let tick = services.min(globals.snmp_real_server_age.unwrap_or(services));
            arm(s, w, tick.max(SHORTEST));
        }
        Err(error) => fail(s, w, &error),
    }
}

fn fail<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, error: &io::Error) {
    let Some(check) = w.check() else { return };
    let statistics = &mut check.statistics;
    statistics.sweep = None;
    statistics.survey = None;
    if !std::mem::replace(&mut statistics.complained, true) {
        log::warn!("SNMP: the counters of IPVS cannot be read: {error}");
    }
    arm(s, w, RETRY);
}

impl Check {
    /// Somebody is interested in what was counted.
    pub(crate) fn ask_statistics(&self) {
        self.statistics.asked.set(true);
    }

    fn begin_sweep(&mut self) -> io::Result<()> {
        let statistics = &mut self.statistics;
        let survey = match &mut statistics.survey {
            Some(survey) => survey,
            None => {
                let opened = Survey::open_in(self.filter.namespace()).map_err(io::Error::other)?;
                statistics.survey.insert(opened)
            }
        };
        survey.ask_services()
    }

    /// Reads one part; true when that was all.
    fn sweep_part(&mut self) -> io::Result<bool> {
        let statistics = &mut self.statistics;
        let (Some(sweep), Some(survey)) = (&mut statistics.sweep, &mut statistics.survey) else {
            return Ok(true);
        };
        let Some(services) = &sweep.services else {
            let reading = &mut sweep.reading;
            let all = survey.services(|status| {
                reading.insert(status.key, status.statistics);
            })?;
            if all {
                sweep.services = Some(std::mem::take(&mut sweep.reading));
            }
            return Ok(false);
        };
        let Some(slot) = self.order.get(sweep.position) else { return Ok(true) };
        let Some(service) = self.slots.get_mut(*slot as usize).and_then(Option::as_mut) else {
            sweep.position += 1;
            return Ok(false);
        };
        if let (true, Some(key)) = (sweep.destinations, service.keys.get(sweep.key)) {
            match &sweep.asked {
                None => {
                    if sweep.key == 0 {
                        sweep.found = HashMap::with_capacity(service.reals.len() + 1);
                    }
                    survey.ask_destinations(*key)?;
                    sweep.asked = Some(service.moved(*key));
                }
                Some(moved) => {
                    let found = &mut sweep.found;
                    if survey.destinations(|status| add(found, moved, &status))? {
                        sweep.asked = None;
                        sweep.key += 1;
                    }
                }
            }
            return Ok(false);
        }
        let mut sum = ipvs::Statistics::default();
        for key in &service.keys {
            if let Some(statistics) = services.get(key) {
                sum.add(statistics);
            }
        }
        let counters = service.counters.get_or_insert_default();
        counters.service = sum;
        if sweep.destinations {
            counters.destinations = std::mem::take(&mut sweep.found);
        }
        sweep.position += 1;
        sweep.key = 0;
        Ok(false)
    }
}

fn add(
    found: &mut HashMap<(IpAddr, u16), Counted>,
    moved: &HashMap<(IpAddr, u16), (IpAddr, u16)>,
    status: &DestinationStatus,
) {
    let place = (status.destination.address, status.destination.port);
    let counted = found.entry(*moved.get(&place).unwrap_or(&place)).or_default();
    counted.active = counted.active.saturating_add(status.active);
    counted.inactive = counted.inactive.saturating_add(status.inactive);
    counted.persistent = counted.persistent.saturating_add(status.persistent);
    counted.statistics.add(&status.statistics);
}

impl Counters {
    /// What was counted of a destination.
    pub(crate) fn of(&self, place: (IpAddr, u16)) -> Counted {
        self.destinations.get(&place).copied().unwrap_or_default()
    }
}
