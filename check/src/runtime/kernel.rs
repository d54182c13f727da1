//! What of the kernel's IPVS is set as a whole: connection timeouts and the sync daemon (spec ipvs §9, §10).

use ipvs::{Daemon, DaemonState, Timeouts};
use scheduler::Scheduler;

use super::{Check, HasCheck, finish};
use crate::keywords::{Globals, SyncDaemon};
use crate::service::Told;

/// Tag of requests that are of no virtual server.
const NOBODY: u64 = u64::MAX;

/// The state of the VRRP instance that the sync daemon follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Its VRID, by default the daemon's id.
    pub vrid: u8,
    /// It is MASTER.
    pub master: bool,
}

/// What was set, to be undone.
#[derive(Default)]
pub(super) struct Set {
    /// The timeouts found before the first change.
    original: Option<Timeouts>,
    wanted: Timeouts,
    settings: Option<SyncDaemon>,
    followed: Option<Followed>,
    running: Vec<Daemon>,
}

/// The VRRP instance of `lvs_sync_daemon` is in another state; `None`: there is no such instance.
pub fn follow_instance<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, followed: Option<Followed>) {
    let Some(check) = w.check() else { return };
    if check.set.followed != followed {
        check.set.followed = followed;
        check.follow_daemon();
        finish(s, w);
    }
}

impl Check {
    /// The VRRP instance that the sync daemon is to follow.
    pub fn instance(&self) -> Option<&str> {
        self.set.settings.as_ref()?.instance.as_deref()
    }

    /// Takes up `lvs_timeouts` and `lvs_sync_daemon`. What is the same as before is not touched.
    pub(super) fn follow_globals(&mut self, globals: &Globals) {
        let t = globals.timeouts;
        self.follow_timeouts(Timeouts { tcp: t.tcp, tcp_fin: t.tcp_fin, udp: t.udp });
        if self.set.settings != globals.sync_daemon {
            self.run_daemons(Vec::new());
            self.set.settings.clone_from(&globals.sync_daemon);
            if self.set.settings.as_ref().is_some_and(|daemon| daemon.instance.is_none()) {
                // One that somebody else has started would be in the way. Mostly there is none.
                let id = self.set.settings.as_ref().and_then(|daemon| daemon.id).unwrap_or(0);
                for state in [DaemonState::Master, DaemonState::Backup] {
                    self.batch.stop_daemon(state, id, NOBODY);
                }
                self.kernel.apply(&self.batch);
                self.batch.clear();
            }
            self.follow_daemon();
        }
    }

    /// Undoes it, at the end.
    pub(super) fn release(&mut self) {
        self.run_daemons(Vec::new());
        self.follow_timeouts(Timeouts::default());
    }

    fn follow_timeouts(&mut self, wanted: Timeouts) {
        if wanted == self.set.wanted {
            return;
        }
        if self.set.original.is_none() {
            match self.kernel.timeouts() {
                Ok(found) => self.set.original = Some(found),
                Err(e) => {
                    let text = format!("Failed to get IPVS timeouts: {e}");
                    return self.told.push_back(Told::Line(text));
                }
            }
        }
        let original = self.set.original.unwrap_or_default();
        let or = |wanted: u32, original: u32| if wanted == 0 { original } else { wanted };
        let timeouts = Timeouts {
            tcp: or(wanted.tcp, original.tcp),
            tcp_fin: or(wanted.tcp_fin, original.tcp_fin),
            udp: or(wanted.udp, original.udp),
        };
        self.set.wanted = wanted;
        self.batch.set_timeouts(timeouts, NOBODY);
        self.flush();
    }

    /// Lets the sync daemons be those that settings and VRRP ask for.
    fn follow_daemon(&mut self) {
        let Some(settings) = self.set.settings.clone() else { return };
        let (wanted, vrid): (&[DaemonState], u8) = match (&settings.instance, self.set.followed) {
            (None, _) => (&[DaemonState::Master, DaemonState::Backup], 0),
            (Some(_), None) => (&[], 0),
            (Some(_), Some(Followed { vrid, master: true })) => (&[DaemonState::Master], vrid),
            (Some(_), Some(Followed { vrid, master: false })) => (&[DaemonState::Backup], vrid),
        };
        let wanted = wanted.iter().map(|state| Daemon {
            state: *state,
            interface: settings.interface.clone(),
            id: settings.id.unwrap_or(vrid),
            max_length: settings.max_length,
            port: settings.port,
            ttl: settings.ttl,
            group: settings.group,
        });
        self.run_daemons(wanted.collect());
    }

    /// Stops all sync daemons but these, and starts those of them that do not run.
    fn run_daemons(&mut self, wanted: Vec<Daemon>) {
        for daemon in self.set.running.iter().filter(|daemon| !wanted.contains(daemon)) {
            self.batch.stop_daemon(daemon.state, daemon.id, NOBODY);
        }
        for daemon in wanted.iter().filter(|daemon| !self.set.running.contains(daemon)) {
            self.batch.start_daemon(daemon, NOBODY);
        }
        self.set.running = wanted;
        self.flush();
    }
}
