//! `linkbeat_interfaces`: interfaces whose link is asked for every second, because their drivers do not tell the
//! kernel when it goes. What the kernel says of the link of such an interface is passed over.

use std::collections::HashMap;
use std::time::Duration;

use scheduler::{Class, Ready, Scheduler, ThreadId, Time};

use super::{HasVrrp, Vrrp, finish};
use crate::io::{LinkMethod, LinkProbe};
use crate::router::Status;

/// Between two questions to the same interface.
const INTERVAL: Duration = Duration::from_secs(1);
/// Interfaces that are asked before sockets and timers are looked at again.
const AT_ONCE: usize = 16;

/// An interface that is asked.
struct Polled {
    name: String,
    preferred: Option<LinkMethod>,
    /// What it answered to last; `None`: it is not there.
    method: Option<LinkMethod>,
    up: bool,
}

impl Polled {
    fn ask(&mut self, probe: &LinkProbe) -> bool {
        let known = self.method.and_then(|method| probe.is_up(&self.name, method).ok());
        known.unwrap_or_else(|| {
            // It may be another one of the same name.
            self.method = probe.method(&self.name, self.preferred);
            self.method.is_some_and(|method| probe.is_up(&self.name, method).unwrap_or(false))
        })
    }
}

/// All of them.
pub(super) struct Linkbeat {
    probe: LinkProbe,
    polled: Vec<Polled>,
    index: HashMap<String, usize>,
    /// The next one to be asked.
    next: usize,
    timer: Option<ThreadId>,
}

impl Linkbeat {
    /// Asks each once.
    pub(super) fn open(wanted: Vec<(String, Option<LinkMethod>)>) -> Option<Linkbeat> {
        if wanted.is_empty() {
            return None;
        }
        let probe = match LinkProbe::open() {
            Ok(probe) => probe,
            Err(error) => {
                log::error!("Cannot poll the link of interfaces: {error}");
                return None;
            }
        };
        log::info!("Using MII-BMSR/ETHTOOL NIC polling thread(s)...");
        let index = wanted.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        let polled = wanted.into_iter().map(|(name, preferred)| {
            let mut polled = Polled { name, preferred, method: None, up: false };
            polled.up = polled.ask(&probe);
            polled
        });
        let polled = polled.collect();
        Some(Linkbeat { probe, polled, index, next: 0, timer: None })
    }

    fn get(&self, name: &str) -> Option<&Polled> {
        self.polled.get(*self.index.get(name)?)
    }

    /// Whether the interface had a link when it was last asked; `None`: it is not one of these.
    pub(super) fn is_up(&self, name: &str) -> Option<bool> {
        self.get(name).map(|polled| polled.up)
    }

    /// How the interface is asked, if it is.
    pub(super) fn methods(&self) -> impl Iterator<Item = (&str, LinkMethod)> {
        self.polled.iter().filter_map(|polled| Some((polled.name.as_str(), polled.method?)))
    }

    /// Asks some; appends those whose answer is another than before. True when all have been asked.
    fn ask(&mut self, changed: &mut Vec<(String, bool)>) -> bool {
        let end = self.polled.len().min(self.next + AT_ONCE);
        for polled in &mut self.polled[self.next..end] {
            let up = polled.ask(&self.probe);
            if std::mem::replace(&mut polled.up, up) != up {
                changed.push((polled.name.clone(), up));
            }
        }
        self.next = if end == self.polled.len() { 0 } else { end };
        self.next == 0
    }

    /// It does not exist any more.
    fn forget(&mut self, name: &str) {
        if let Some(polled) = self.index.get(name).and_then(|&at| self.polled.get_mut(at)) {
            (polled.up, polled.method) = (false, None);
        }
    }

    /// The timer that goes on, to be cancelled.
    pub(super) fn take_timer(&mut self) -> Option<ThreadId> {
        self.timer.take()
    }
}

impl Vrrp {
    /// Whether an interface is up, as it is known of this one.
    pub(super) fn is_link_up(&self, name: &str) -> bool {
        let polled = self.linkbeat.as_ref().and_then(|linkbeat| linkbeat.is_up(name));
        polled.unwrap_or_else(|| self.view.is_up(name))
    }

    /// Such an interface was deleted: there is nobody to ask.
    pub(super) fn polled_is_gone(&mut self, now: Time, name: &str) {
        if let Some(linkbeat) = &mut self.linkbeat {
            linkbeat.forget(name);
        }
        if let Some(&tracker) = self.interface_trackers.get(name) {
            self.router.set_tracker(now, tracker, Status::Down, &mut self.actions);
        }
    }

    /// Whether it is asked, and not told by the kernel.
    pub(super) fn is_polled(&self, name: &str) -> bool {
        self.linkbeat.as_ref().is_some_and(|linkbeat| linkbeat.get(name).is_some())
    }
}

/// Begins to ask every second.
pub(super) fn start<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let at = s.now() + INTERVAL;
    arm(s, w, at);
}

fn arm<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, at: Time) {
    if let Some(linkbeat) = w.vrrp().and_then(|vrrp| vrrp.linkbeat.as_mut()) {
        linkbeat.timer = Some(s.add_timer(Class::Checker, at, 0, on_timer::<W>));
    }
}

fn on_timer<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    let Some(linkbeat) = &mut vrrp.linkbeat else { return };
    linkbeat.timer = None;
    let mut changed = Vec::new();
    let all = linkbeat.ask(&mut changed);
    for (name, up) in changed {
        vrrp.link_is(ready.now, &name, up);
    }
    // The others in the next pass.
    arm(s, w, if all { ready.now + INTERVAL } else { ready.now });
    finish(s, w);
}
