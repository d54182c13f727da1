//! Load balancing in the daemon, and what it has to know of VRRP.

use std::fmt::Display;

use check::{Check, Followed};
use scheduler::Scheduler;
use vrrp::state::State;

use crate::daemon::{self, Daemon, STATUS_FAILED};
use crate::sessions;

/// Load balancing that knows no virtual server yet. Loads the kernel's module if nothing runs whom
/// that could hold up.
pub fn open(daemon: &Daemon, starting: bool) -> Check {
    if starting && let Err(e) = ipvs::module::load() {
        not_loaded(&e);
    }
    let mut check = Check::open(daemon.configuration.globals.net_namespace_ipvs.as_deref());
    if daemon.options.address_monitoring {
        check.log_addresses();
    }
    check
}

/// Tells why the kernel's module is not there.
pub fn not_loaded(why: &dyn Display) {
    log::info!(target: "check", "IPVS: the module ip_vs cannot be loaded: {why}");
}

/// Lets load balancing follow the configuration, after a start or a reload; `opened` begins with it.
/// A configuration that cannot be used ends the daemon only when it is `starting`.
pub fn apply(
    scheduler: &mut Scheduler<Daemon>,
    daemon: &mut Daemon,
    opened: Option<Check>,
    starting: bool,
) {
    let settings = daemon.configuration.lvs.take().unwrap_or_default();
    let begins = opened.is_some();
    let traps = crate::snmp::tells_of_checks(daemon);
    daemon.check = opened.or(daemon.check.take());
    let known = sessions::known(daemon, |session| session.checker);
    let Some(check) = &mut daemon.check else { return };
    check.know_sessions(known);
    check.tell_traps(traps);
    if let Err(error) = check.present(&settings) {
        log::error!(target: "check", "{error}");
        if starting {
            log::error!(target: "check", "Error Initialize SSL, ctx Instance");
            log::error!(target: "check", "Terminate...");
            daemon.status = STATUS_FAILED;
            return daemon::stop(scheduler, daemon);
        }
        log::error!(target: "check", "SSL_GET goes on with what it presented before");
    }
    if begins {
        check::start(scheduler, daemon, settings);
    } else {
        check::reload(scheduler, daemon, settings);
    }
    let counts = crate::snmp::has_checks(daemon);
    check::count(scheduler, daemon, counts);
    let wanted = daemon.check.as_ref().and_then(Check::instance);
    if let Some(name) = wanted
        && instance(daemon, name).is_none()
    {
        log::error!(
            target: "check",
            "Unable to find vrrp instance {name} for lvs_sync_daemon; it does not run"
        );
    }
    follow_vrrp(scheduler, daemon);
}

/// Lets the IPVS sync daemon follow the state of its VRRP instance.
pub fn follow_vrrp(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    let Some(name) = daemon.check.as_ref().and_then(Check::instance) else { return };
    let followed = instance(daemon, name).map(|instance| Followed {
        vrid: instance.settings.vrid,
        master: instance.state() == State::Master,
    });
    check::follow_instance(scheduler, daemon, followed);
}

fn instance<'a>(daemon: &'a Daemon, name: &str) -> Option<&'a vrrp::instance::Instance> {
    let instances = daemon.vrrp.as_ref()?.router().instances();
    instances.iter().find(|instance| instance.settings.name == name)
}
