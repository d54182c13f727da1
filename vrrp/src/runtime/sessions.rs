//! `track_bfd`: what is known of BFD sessions. One that nothing is known of is down.

use std::collections::HashMap;

use scheduler::{Scheduler, Time};

use super::{HasVrrp, Vrrp, finish};
use crate::config::SessionSettings;
use crate::router::{Status, TrackerKind};

/// Names of sessions, and whether they are up.
pub(super) type Sessions = HashMap<String, bool>;

impl Vrrp {
    /// What is known of all sessions there are. To be called before [`start`](super::start) and
    /// [`reload`](super::reload).
    pub fn know_sessions(&mut self, sessions: impl Iterator<Item = (String, bool)>) {
        self.sessions.clear();
        self.sessions.extend(sessions);
    }

    /// BFD sessions, tracked or not.
    pub(crate) fn session_settings(&self) -> &[SessionSettings] {
        &self.session_settings
    }

    /// Whether one is known to be up.
    pub(crate) fn is_session_up(&self, name: &str) -> bool {
        self.sessions.get(name).copied().unwrap_or(false)
    }

    /// Trackers begin with what is known.
    pub(super) fn tell_sessions(&mut self, now: Time) {
        let trackers = self.router.trackers().iter().enumerate();
        let bfd = trackers.filter(|(_, tracker)| tracker.kind == TrackerKind::Bfd);
        let known: Vec<(usize, Status)> = bfd
            .map(|(at, tracker)| {
                let up = self.sessions.get(&tracker.name).copied().unwrap_or(false);
                (at, status(up))
            })
            .collect();
        for (at, status) in known {
            self.router.set_tracker(now, at, status, &mut self.actions);
        }
    }
}

fn status(up: bool) -> Status {
    if up { Status::Up } else { Status::Down }
}

/// A BFD session went up or down.
pub fn session_changed<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, name: &str, up: bool) {
    let Some(vrrp) = w.vrrp().filter(|vrrp| !vrrp.stopping) else { return };
    let state = if up { "Up" } else { "Down" };
    log::debug!("Received BFD event: instance {name} is in state {state} (delivered in 0 usec)");
    match vrrp.sessions.get_mut(name) {
        Some(known) => *known = up,
        None => {
            vrrp.sessions.insert(name.to_owned(), up);
        }
    }
    if let Some(tracker) = vrrp.router.tracker(TrackerKind::Bfd, name) {
        vrrp.router.set_tracker(s.now(), tracker, status(up), &mut vrrp.actions);
    }
    finish(s, w);
}
