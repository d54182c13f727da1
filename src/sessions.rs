//! BFD in the daemon, and those who follow its sessions.

use bfd::InstanceSettings;
use bfd::runtime::{Bfd, HasBfd, News};
use scheduler::Scheduler;

use crate::daemon::Daemon;

/// Lets BFD follow the configuration, after a start or a reload; it ends when there is nothing left that it
/// should run for. Before VRRP and load balancing do: they begin with what is known of the sessions.
pub fn apply(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, runs: bool) {
    if !runs {
        bfd::runtime::stop(scheduler, daemon);
        daemon.bfd = None;
        return;
    }
    let settings = daemon.configuration.sessions.take().unwrap_or_default();
    if daemon.bfd.is_some() {
        return bfd::runtime::reload(scheduler, daemon, settings);
    }
    daemon.bfd = Some(Bfd::new());
    bfd::runtime::start(scheduler, daemon, settings);
}

/// The sessions that are `meant` for somebody, and whether they are up.
pub fn known(
    daemon: &Daemon,
    meant: fn(&InstanceSettings) -> bool,
) -> impl Iterator<Item = (String, bool)> + use<> {
    let states = daemon.bfd.iter().flat_map(Bfd::states);
    let known: Vec<(String, bool)> = states
        .filter(|session| meant(&session.settings))
        .map(|session| (session.settings.name.clone(), session.up))
        .collect();
    known.into_iter()
}

impl HasBfd for Daemon {
    fn bfd(&mut self) -> Option<&mut Bfd> {
        self.bfd.as_mut()
    }

    fn session_changed(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, news: &News) {
        let name = news.settings.name.as_str();
        if news.settings.vrrp {
            vrrp::runtime::session_changed(scheduler, daemon, name, news.up);
        }
        if news.settings.checker {
            check::session_changed(scheduler, daemon, name, news.up);
        }
    }
}
