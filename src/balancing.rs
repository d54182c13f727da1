//! Load balancing in the daemon, and what it has to know of VRRP.

use check::{Check, Followed};
use scheduler::Scheduler;
use vrrp::state::State;

use crate::daemon::{self, Daemon, STATUS_FAILED};

/// Lets load balancing follow the configuration, after a start or a reload.
pub fn apply(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    let settings = daemon.configuration.lvs.take().unwrap_or_default();
    if let Some(check) = &mut daemon.check {
        if let Err(error) = check.present(&settings) {
            log::error!(target: "check", "{error}");
            log::error!(target: "check", "SSL_GET goes on with what it presented before");
        }
        check::reload(scheduler, daemon, settings);
    } else {
        let namespace = daemon.configuration.globals.net_namespace_ipvs.as_deref();
        let mut check = Check::open(namespace);
        if daemon.options.address_monitoring {
            check.log_addresses();
        }
        if let Err(error) = check.present(&settings) {
            log::error!(target: "check", "{error}");
            log::error!(target: "check", "Error Initialize SSL, ctx Instance");
            log::error!(target: "check", "Terminate...");
            daemon.status = STATUS_FAILED;
            return daemon::stop(scheduler, daemon);
        }
        daemon.check = Some(check);
        check::start(scheduler, daemon, settings);
    }
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
