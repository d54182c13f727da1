//! The global section of the state dumps: what the daemon as a whole was told.
//!
//! One row for each value, in the C daemon's order. Values of what this daemon does not do are not
//! shown, but for those that say that it does not do it.

use std::fmt::{Display, Write};

use notify::Script;
use vrrp::config::{RxBufs, Version};

use crate::configuration::Configuration;

/// Shown for counts that are not set.
const UNSET: u32 = u32::MAX;

/// The section; `vrrp` is whether it stands in VRRP's file.
pub fn section(configuration: &Configuration, vrrp: bool) -> String {
    let mut rows = Rows(String::from("------< Global definitions >------\n"));
    rows.identity(configuration);
    rows.scripts(configuration);
    rows.adverts(configuration, vrrp);
    rows.process(configuration);
    rows.0
}

struct Rows(String);

impl Rows {
    fn text(&mut self, line: impl Display) {
        let _ = writeln!(self.0, " {line}");
    }

    fn row(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, " {name} = {value}");
    }

    fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.row(name, value);
        }
    }

    fn identity(&mut self, configuration: &Configuration) {
        let (globals, notify) = (&configuration.globals, &configuration.notify);
        self.row("Network namespace", globals.net_namespace.as_deref().unwrap_or("(default)"));
        self.row("Network namespace ipvs", "(default)");
        self.optional("Instance name", globals.instance.as_ref());
        self.optional("Parent process name", globals.process_name.as_ref());
        self.optional("VRRP process name", globals.vrrp_process_name.as_ref());
        self.text(match notify.use_symlink_paths {
            true => "Keep symlinks in script paths",
            false => "Replace symlinks in script paths",
        });
        self.text(match notify.scripts.supplementary_groups {
            true => "Set supplementary groups for all scripts",
            false => "Don't set supplementary groups for all scripts",
        });
        self.row("Router ID", router_id(configuration));
        self.row("Default smtp_alert", alert(notify.smtp_alert));
        self.row("Default smtp_alert_vrrp", alert(notify.smtp_alert_vrrp));
        self.row("Default smtp_alert_checker", alert(notify.smtp_alert_checker));
    }

    fn scripts(&mut self, configuration: &Configuration) {
        let globals = &configuration.globals;
        match &globals.reload_check_config {
            Some(file) => {
                self.text(format_args!("Test config before reload, log to {}", file.display()));
            }
            None => self.text("No test config before reload"),
        }
        if let Some(file) = &globals.reload_time_file {
            let repeat = if globals.reload_repeat { " (repeat)" } else { "" };
            self.row("Reload time file", format_args!("{}{repeat}", file.display()));
        }
        self.optional("Reload_file", globals.reload_file.as_ref().map(|file| file.display()));
        if globals.data_use_instance {
            self.text("Use instance name in data dumps");
        }
        for (name, separator, script) in [
            ("Startup script", ", ", &globals.startup_script),
            ("Shutdown script", " ", &globals.shutdown_script),
        ] {
            if let Some((script, limit)) = script {
                let limit = limit.as_secs();
                self.row(name, format_args!("{}{separator}timeout {limit}", command(script)));
            }
        }
    }

    fn adverts(&mut self, configuration: &Configuration, vrrp: bool) {
        let (globals, notify) = (&configuration.vrrp_globals, &configuration.notify);
        let defaults = &globals.defaults;
        self.row("Dynamic interfaces", globals.dynamic_interfaces);
        if notify.no_email_faults {
            self.row("Send emails for fault transitions", "off");
        }
        if vrrp {
            self.row("Default interface", &globals.default_interface);
        }
        self.row("Disable local IGMP", yes_no(globals.disable_local_igmp));
        self.row("Use VRRPv2 checksum for VRRPv3 IPv4", yes_no(defaults.v3_checksum_as_v2));
        for (name, fifo) in
            [("Global", &notify.fifo), ("VRRP", &notify.vrrp_fifo), ("LVS", &notify.lvs_fifo)]
        {
            if let Some((path, owner)) = &fifo.path {
                let owner = format_args!("{path}, uid:gid {}:{}", owner.uid, owner.gid).to_string();
                self.row(&format!("{name} notify fifo"), owner);
            }
            if let Some(script) = &fifo.script {
                self.row(&format!("{name} notify fifo script"), command(script));
            }
        }
        self.row("FIFO write vrrp states on reload", globals.fifo_write_states_on_reload);
        self.row("VRRP notify priority changes", defaults.notify_priority_changes);
        self.row("VRRP IPv4 mcast group", globals.mcast_group4);
        self.row("VRRP IPv6 mcast group", globals.mcast_group6);
        self.row("Gratuitous ARP delay", defaults.garp_delay);
        self.row("Gratuitous ARP repeat", defaults.garp_repeat);
        self.row("Gratuitous ARP refresh timer", defaults.garp_refresh);
        self.row("Gratuitous ARP refresh repeat", defaults.garp_refresh_repeat);
        let lower = (defaults.lower_prio_delay, defaults.lower_prio_repeat);
        self.row("Gratuitous ARP lower priority delay", lower.0.unwrap_or(UNSET));
        self.row("Gratuitous ARP lower priority repeat", lower.1.unwrap_or(UNSET));
        self.row("Num adverts before down", defaults.down_timer_adverts);
        self.row("Send advert after receive lower priority advert", !defaults.lower_prio_no_advert);
        self.row(
            "Send advert after receive higher priority advert",
            defaults.higher_prio_send_advert,
        );
        let seconds = |time: std::time::Duration| format!("{:.6}", time.as_secs_f64());
        self.row("Gratuitous ARP interval", seconds(globals.garp_interval));
        self.row("Gratuitous NA interval", seconds(globals.gna_interval));
        self.row(
            "VRRP default protocol version",
            if defaults.version == Version::V2 { 2 } else { 3 },
        );
        self.row("VRRP check unicast_src", defaults.check_unicast_source);
        self.row("VRRP skip check advert addresses", defaults.skip_check_adv_addr);
        self.row("VRRP strict mode", defaults.strict);
    }

    fn process(&mut self, configuration: &Configuration) {
        let globals = &configuration.vrrp_globals;
        let scheduling = &configuration.globals.scheduling;
        self.row("VRRP process priority", scheduling.nice);
        self.row("VRRP don't swap", scheduling.no_swap);
        self.row("VRRP realtime priority", scheduling.realtime);
        if !scheduling.processors.is_empty() {
            let list: Vec<String> = scheduling.processors.iter().map(ToString::to_string).collect();
            self.row("VRRP CPU Affinity", list.join(" "));
        }
        self.row("VRRP realtime limit", scheduling.rttime.as_micros());
        for part in ["vrrp", "checker", "RFCv2", "RFCv3", "traps"] {
            self.text(format_args!("SNMP {part} disabled"));
        }
        self.text("DBus disabled");
        self.text(match configuration.notify.scripts.security {
            true => "Script security enabled",
            false => "Script security disabled",
        });
        match globals.rx_bufs {
            RxBufs::System => {}
            RxBufs::Mtu => self.row("rx_bufs_policy", "MTU"),
            RxBufs::Advert => self.row("rx_bufs_policy", "ADVERT"),
            RxBufs::Bytes(size) => self.row("rx_bufs_size", size),
        }
        self.row("rx_bufs_multiples", globals.rx_bufs_multiplier);
        if let Some(umask) = configuration.globals.umask {
            self.row("umask", format_args!("0{umask:o}"));
        }
        if !globals.startup_delay.is_zero() {
            self.row("vrrp_startup_delay", globals.startup_delay.as_secs_f64());
        }
        if globals.log_unknown_vrids {
            self.text("log_unknown_vrids");
        }
        if globals.defaults.owner_ignore_adverts {
            self.text("vrrp_owner_ignore_adverts");
        }
        self.text(format_args!("json_version {}", globals.json_version));
        let files = &configuration.globals;
        for (what, file) in [
            ("state", &files.state_dump_file),
            ("stats", &files.stats_dump_file),
            ("json", &files.json_dump_file),
        ] {
            if let Some(file) = file {
                self.text(format_args!("{what} dump file {file}"));
            }
        }
    }
}

/// The configured name of this director, else the host's.
pub fn router_id(configuration: &Configuration) -> String {
    match configuration.vrrp_globals.router_id.as_str() {
        "" => nix::unistd::gethostname()
            .map_or_else(|_| "[unknown]".into(), |name| name.to_string_lossy().into_owned()),
        name => name.to_string(),
    }
}

fn command(script: &Script) -> String {
    let words: Vec<String> = script.argv.iter().map(|word| format!("'{word}'")).collect();
    format!("{}, uid:gid {}:{}", words.join(" "), script.uid, script.gid)
}

fn alert(value: Option<bool>) -> &'static str {
    match value {
        None => "unset",
        Some(true) => "on",
        Some(false) => "off",
    }
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
