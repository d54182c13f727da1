//! Load balancing in the daemon: on the kernel's IPVS, or, where the kernel has none, without it.

use check::Check;
use scheduler::Scheduler;

use crate::daemon::Daemon;

/// Lets load balancing follow the configuration, after a start or a reload.
pub fn apply(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    let settings = daemon.configuration.lvs.take().unwrap_or_default();
    if daemon.check.is_some() {
        return check::reload(scheduler, daemon, settings);
    }
    let globals = &daemon.configuration.globals;
    let kernel: Box<dyn ipvs::Kernel> = match ipvs::Channel::open_in(globals.net_namespace_ipvs.as_deref()) {
        Ok(channel) => Box::new(channel),
        Err(e) => {
            log::error!(target: "check", "IPVS: Can't initialize ipvs: {e}");
            log::error!(
                target: "check",
                "Real servers are checked and changes are told, but no connection is balanced"
            );
            Box::new(ipvs::Absent)
        }
    };
    let mut check = Check::new(kernel);
    if daemon.options.address_monitoring {
        check.log_addresses();
    }
    daemon.check = Some(check);
    check::start(scheduler, daemon, settings);
}
