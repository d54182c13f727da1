//! What the daemon as a whole is told: the single lines of the top level, and the `global_defs` that
//! are of no framework.
//!
//! The tables of all crates meet here: [`ROOT`] is the level a configuration is read at.

mod kernel;
mod rows;
mod umask;

use std::path::PathBuf;
use std::time::Duration;

use config::{Class, Context, Grammar, Line};
use notify::Script;
use notify::security::{self, Verdict};

use rows::TOP;

/// Time limit of a script that is given none.
const SCRIPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The outermost level of a configuration.
pub static ROOT: &[&dyn Grammar] = &[&TOP, &vrrp::config::ROOT, &check::ROOT, &bfd::ROOT];

/// What the daemon as a whole acts on.
#[derive(Clone, Debug, PartialEq)]
pub struct Globals {
    /// `net_namespace`; not changed by a reload.
    pub net_namespace: Option<String>,
    /// `net_namespace_ipvs`; empty: the namespace of the system. Not changed by a reload.
    pub net_namespace_ipvs: Option<String>,
    /// `use_pid_dir`.
    pub use_pid_dir: bool,
    /// `instance`; not changed by a reload.
    pub instance: Option<String>,
    /// `child_wait_time`.
    pub child_wait_time: Duration,
    /// `process_name`.
    pub process_name: Option<String>,
    /// `vrrp_process_name`.
    pub vrrp_process_name: Option<String>,
    /// `startup_script` and its time limit.
    pub startup_script: Option<(Script, Duration)>,
    /// `shutdown_script` and its time limit.
    pub shutdown_script: Option<(Script, Duration)>,
    /// How the process is scheduled.
    pub scheduling: Scheduling,
    /// `umask`.
    pub umask: Option<u32>,
    /// `reload_check_config`: where messages of the check go.
    pub reload_check_config: Option<PathBuf>,
    /// `reload_time_file`.
    pub reload_time_file: Option<PathBuf>,
    /// `reload_repeat`.
    pub reload_repeat: bool,
    /// `reload_file`; without a path in the configuration, beside the pid files.
    pub reload_file: Option<PathBuf>,
    /// `data_use_instance`.
    pub data_use_instance: bool,
    /// `state_dump_file`.
    pub state_dump_file: Option<String>,
    /// `stats_dump_file`.
    pub stats_dump_file: Option<String>,
    /// `json_dump_file`.
    pub json_dump_file: Option<String>,
    /// `config_save_dir`.
    pub config_save_dir: Option<String>,
    /// `tmp_config_directory`.
    pub tmp_config_directory: Option<String>,
    /// SNMP and D-Bus.
    pub interfaces: Interfaces,
}

/// Interfaces to other programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// `snmp_socket`.
    pub snmp_socket: Option<String>,
    /// `enable_snmp_vrrp`.
    pub snmp_vrrp: bool,
    /// `enable_snmp_checker`.
    pub snmp_checker: bool,
    /// `enable_snmp_rfcv2`.
    pub snmp_rfcv2: bool,
    /// `enable_snmp_rfcv3`.
    pub snmp_rfcv3: bool,
    /// `enable_traps`.
    pub snmp_traps: bool,
    /// `enable_dbus`.
    pub dbus: bool,
    /// `dbus_service_name`.
    pub dbus_service: Option<String>,
    /// `dbus_no_interface_name`.
    pub dbus_no_interface: Option<String>,
}

/// How VRRP is to be scheduled, and when lateness raises its priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduling {
    /// `max_auto_priority`; 0: off, -1: off without a notice.
    pub max_auto_priority: i8,
    /// `min_auto_priority_delay`.
    pub min_auto_priority_delay: Duration,
    /// `vrrp_priority`: nice value, -20 to 19.
    pub nice: i8,
    /// `vrrp_rt_priority`: SCHED_RR priority, 1 to 99; 0: off.
    pub realtime: u8,
    /// `vrrp_rlimit_rttime`, when realtime; zero: no limit.
    pub rttime: Duration,
    /// `vrrp_cpu_affinity`; empty: any.
    pub processors: Vec<usize>,
    /// `vrrp_no_swap`.
    pub no_swap: bool,
}

impl Default for Globals {
    fn default() -> Self {
        Globals {
            net_namespace: None,
            net_namespace_ipvs: None,
            use_pid_dir: false,
            instance: None,
            child_wait_time: Duration::from_secs(5),
            process_name: None,
            vrrp_process_name: None,
            startup_script: None,
            shutdown_script: None,
            scheduling: Scheduling::default(),
            umask: None,
            reload_check_config: None,
            reload_time_file: None,
            reload_repeat: false,
            reload_file: None,
            data_use_instance: false,
            state_dump_file: None,
            stats_dump_file: None,
            json_dump_file: None,
            config_save_dir: None,
            tmp_config_directory: None,
            interfaces: Interfaces::default(),
        }
    }
}

impl Default for Scheduling {
    fn default() -> Self {
        Scheduling {
            max_auto_priority: 0,
            min_auto_priority_delay: Duration::from_secs(1),
            nice: 0,
            realtime: 0,
            rttime: Duration::from_millis(10),
            processors: Vec::new(),
            no_swap: false,
        }
    }
}

/// What the lines of the top level say to the daemon as a whole, and to its scripts, FIFOs and mails.
/// The keywords of `global_defs` that are of a framework are the framework's to take.
pub fn read(lines: &[Line], ctx: &mut Context<'_>) -> (Globals, notify::Settings) {
    let mut draft = Draft::default();
    for line in lines {
        TOP.apply(&mut draft, line, ctx);
    }
    draft.finish(ctx)
}

/// [`Globals`] and what scripts need, while they are read.
#[derive(Default)]
pub struct Draft {
    globals: Globals,
    notify: notify::Settings,
    startup_timeout: Option<Duration>,
    shutdown_timeout: Option<Duration>,
    default_reload_file: bool,
}

impl Draft {
    /// What keywords make of each other.
    fn finish(mut self, ctx: &mut Context<'_>) -> (Globals, notify::Settings) {
        let globals = &mut self.globals;
        for (script, limit) in [
            (&mut globals.startup_script, self.startup_timeout),
            (&mut globals.shutdown_script, self.shutdown_timeout),
        ] {
            if let (Some((_, place)), Some(limit)) = (script, limit) {
                *place = limit;
            }
        }
        let secure = self.notify.scripts.security;
        admit(&mut globals.startup_script, "startup_script", secure, ctx);
        admit(&mut globals.shutdown_script, "shutdown_script", secure, ctx);
        if !secure && (globals.startup_script.is_some() || globals.shutdown_script.is_some()) {
            let message = "SECURITY VIOLATION - start/shutdown scripts are being executed but \
                           script_security not enabled.";
            ctx.report_general(Class::Security, message);
        }
        if self.default_reload_file {
            globals.reload_file = Some(default_reload_file(globals));
        }
        self.notify.finish(ctx);
        (self.globals, self.notify)
    }
}

/// Takes away a script that must not run.
fn admit(
    place: &mut Option<(Script, Duration)>,
    keyword: &str,
    secure: bool,
    ctx: &mut Context<'_>,
) {
    let Some((script, _)) = place else { return };
    let verdict = security::check(script);
    if !verdict.is_runnable() || (secure && verdict != Verdict::Ok) {
        ctx.log(None, format!("{keyword} {} {verdict} - ignoring", script.text));
        *place = None;
    }
}

fn default_reload_file(globals: &Globals) -> PathBuf {
    match &globals.instance {
        Some(instance) => format!("/run/keepalived/keepalived_{instance}.reload").into(),
        None if globals.use_pid_dir || globals.net_namespace.is_some() => {
            "/run/keepalived/keepalived.reload".into()
        }
        None => "/run/keepalived.reload".into(),
    }
}

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod tests;
