//! The global section of the state dumps: what the daemon as a whole was told.
//!
//! One row for each value, in the C daemon's order, also of what nothing acts on yet: the section says
//! what is configured. What has no row: the version of libnftnl, which is not used, and the chains of
//! `vrrp_iptables`.

use std::fmt::{Display, Write};
use std::time::Duration;

use check::FlushOnStop;
use config::{ReceiveBuffer, Scheduling};
use notify::Script;
use vrrp::config::{RxBufs, Version};
use vrrp::dump::general;

use crate::configuration::Configuration;

/// Shown for counts that are not set.
const UNSET: u32 = u32::MAX;

/// What the section is about.
pub struct Shown<'a> {
    /// The configuration.
    pub configuration: &'a Configuration,
    /// Whether it stands in VRRP's file.
    pub vrrp: bool,
    /// The umask of the process.
    pub umask: u32,
    /// The realtime priority of the process; 0: none.
    pub realtime: u8,
    /// When a reload is due, in seconds since 1970.
    pub reload_at: Option<i64>,
}

impl Shown<'_> {
    /// The section; every line ends in a newline.
    pub fn section(&self) -> String {
        let mut rows = Rows(String::from("------< Global definitions >------\n"));
        rows.identity(self.configuration);
        rows.mail(self.configuration);
        rows.files(self);
        rows.lvs_timeouts(self);
        rows.sync_daemon(self);
        rows.fifos(self);
        rows.garp(self);
        rows.firewall(self.configuration);
        rows.scheduling(self.configuration);
        rows.interfaces(self.configuration);
        rows.buffers(self.configuration);
        rows.rest(self);
        rows.0
    }
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
        self.optional("Config save dir", globals.config_save_dir.as_ref());
        self.row("Network namespace", globals.net_namespace.as_deref().unwrap_or("(default)"));
        self.row(
            "Network namespace ipvs",
            match globals.net_namespace_ipvs.as_deref() {
                None => "(main namespace)",
                Some("") => "(default)",
                Some(name) => name,
            },
        );
        self.optional("Instance name", globals.instance.as_ref());
        self.optional("Parent process name", globals.process_name.as_ref());
        self.optional("VRRP process name", globals.vrrp_process_name.as_ref());
        self.optional("LVS process name", configuration.check.process_name.as_ref());
        self.optional("BFD process name", configuration.bfd.process_name.as_ref());
        self.text(match notify.use_symlink_paths {
            true => "Keep symlinks in script paths",
            false => "Replace symlinks in script paths",
        });
        self.text(match notify.scripts.supplementary_groups {
            true => "Set supplementary groups for all scripts",
            false => "Don't set supplementary groups for all scripts",
        });
        self.row("Router ID", router_id(configuration));
    }

    /// A server brings defaults for the rest.
    fn mail(&mut self, configuration: &Configuration) {
        let (notify, mail) = (&configuration.notify, &configuration.notify.mail);
        if let Some((host, port)) = &mail.server {
            self.row("Smtp server", host);
            self.row("Smtp server port", port);
        }
        let by_default = mail.server.is_some();
        self.optional(
            "Smtp HELO name",
            mail.helo.clone().or_else(|| by_default.then(|| mail.helo_name())),
        );
        let timeout = mail.timeout.or_else(|| by_default.then(|| mail.step_timeout()));
        self.optional("Smtp server connection timeout", timeout.map(|limit| limit.as_secs()));
        if let Some(from) = mail.from.clone().or_else(|| by_default.then(|| mail.sender())) {
            self.row("Email notification from", from);
            self.text("Email notification to:");
            for address in &mail.to {
                self.text(format_args!("  {address}"));
            }
        }
        self.row("Default smtp_alert", alert(notify.smtp_alert));
        self.row("Default smtp_alert_vrrp", alert(notify.smtp_alert_vrrp));
        self.row("Default smtp_alert_checker", alert(notify.smtp_alert_checker));
    }

    fn files(&mut self, shown: &Shown<'_>) {
        let globals = &shown.configuration.globals;
        self.row("Checkers log all failures", shown.configuration.check.log_all_failures);
        match &globals.reload_check_config {
            Some(file) => {
                self.text(format_args!("Test config before reload, log to {}", file.display()));
            }
            None => self.text("No test config before reload"),
        }
        if let Some(file) = &globals.reload_time_file {
            let repeat = if globals.reload_repeat { " (repeat)" } else { "" };
            self.row("Reload time file", format_args!("{}{repeat}", file.display()));
            match shown.reload_at {
                Some(at) => {
                    let at = calendar::local(at, c"%Y-%m-%d %H:%M:%S");
                    self.text(format_args!("Reload scheduled for {at}"));
                }
                None => self.text("No reload scheduled"),
            }
        }
        self.optional("Reload_file", globals.reload_file.as_ref().map(|file| file.display()));
        self.optional("config save directory", globals.tmp_config_directory.as_ref());
        if globals.data_use_instance {
            self.text("Use instance name in data dumps");
        }
        if shown.vrrp {
            return;
        }
        for (name, separator, script) in [
            ("Startup script", ", ", &globals.startup_script),
            ("Shutdown script", " ", &globals.shutdown_script),
        ] {
            if let Some((script, limit)) = script {
                let limit = limit.as_secs();
                self.row(name, format_args!("{}{separator}timeout {limit}", command(script, None)));
            }
        }
    }

    fn lvs_timeouts(&mut self, shown: &Shown<'_>) {
        let configuration = shown.configuration;
        let globals = &configuration.vrrp_globals;
        self.row("Dynamic interfaces", globals.dynamic_interfaces);
        if globals.dynamic_interfaces {
            self.row("Allow interface changes", globals.allow_if_changes);
        }
        if configuration.notify.no_email_faults {
            self.row("Send emails for fault transitions", "off");
        }
        let limits = configuration.check.timeouts;
        // The C daemon has the same words for TCP and UDP.
        for (name, seconds) in [
            ("LVS TCP timeout", limits.tcp),
            ("LVS TCP FIN timeout", limits.tcp_fin),
            ("LVS TCP timeout", limits.udp),
        ] {
            self.optional(name, (seconds > 0).then_some(seconds));
        }
        if shown.vrrp {
            self.row("Default interface", &globals.default_interface);
        }
        self.row("Disable local IGMP", yes_no(globals.disable_local_igmp));
        let as_v2 = globals.defaults.v3_checksum_as_v2;
        self.row("Use VRRPv2 checksum for VRRPv3 IPv4", yes_no(as_v2));
    }

    fn sync_daemon(&mut self, shown: &Shown<'_>) {
        let check = &shown.configuration.check;
        if let Some(daemon) = &check.sync_daemon {
            let owner = if shown.vrrp { "LVS syncd vrrp instance" } else { "LVS syncd vrrp name" };
            self.optional(owner, daemon.instance.as_ref());
            self.row("LVS syncd interface", &daemon.interface);
            self.row("LVS syncd syncid", daemon.id.map_or(UNSET, u32::from));
            self.optional("LVS syncd maxlen", daemon.max_length);
            if let Some(group) = daemon.group {
                self.text(format_args!("LVS mcast group {group}"));
            }
            self.optional("LVS syncd mcast port", daemon.port);
            self.optional("LVS syncd mcast ttl", daemon.ttl);
        }
        self.row("LVS flush", check.flush);
        self.row(
            "LVS flush on stop",
            match check.flush_on_stop {
                FlushOnStop::Full => "full",
                FlushOnStop::VirtualServers => "VS",
                FlushOnStop::Disabled => "disabled",
            },
        );
    }

    fn fifos(&mut self, shown: &Shown<'_>) {
        let notify = &shown.configuration.notify;
        // Whose the FIFO is hands its path to the script.
        for (name, fifo, vrrp) in [
            ("Global", &notify.fifo, true),
            ("VRRP", &notify.vrrp_fifo, true),
            ("LVS", &notify.lvs_fifo, false),
        ] {
            let path = fifo.path.as_ref();
            if let Some((path, owner)) = path {
                let owner = format!("{path}, uid:gid {}:{}", owner.uid, owner.gid);
                self.row(&format!("{name} notify fifo"), owner);
            }
            if let Some(script) = &fifo.script {
                let path = path.filter(|_| vrrp && shown.vrrp).map(|(path, _)| path.as_str());
                self.row(&format!("{name} notify fifo script"), command(script, path));
            }
        }
        let globals = &shown.configuration.vrrp_globals;
        self.row("FIFO write vrrp states on reload", globals.fifo_write_states_on_reload);
        self.row("VRRP notify priority changes", globals.defaults.notify_priority_changes);
    }

    fn garp(&mut self, shown: &Shown<'_>) {
        let globals = &shown.configuration.vrrp_globals;
        let defaults = &globals.defaults;
        self.row("VRRP IPv4 mcast group", globals.mcast_group4);
        self.row("VRRP IPv6 mcast group", globals.mcast_group6);
        self.row("Gratuitous ARP delay", defaults.garp_delay);
        self.row("Gratuitous ARP repeat", defaults.garp_repeat);
        self.row("Gratuitous ARP refresh timer", defaults.garp_refresh);
        self.row("Gratuitous ARP refresh repeat", defaults.garp_refresh_repeat);
        // VRRP's file has what instances get, the other what was given.
        let or = |value: Option<u32>, inherited: u32| {
            value.unwrap_or(if shown.vrrp { inherited } else { UNSET })
        };
        let (delay, repeat) = (defaults.lower_prio_delay, defaults.lower_prio_repeat);
        self.row("Gratuitous ARP lower priority delay", or(delay, defaults.garp_delay));
        self.row("Gratuitous ARP lower priority repeat", or(repeat, defaults.garp_repeat));
        self.row("Num adverts before down", defaults.down_timer_adverts);
        let (seconds, all) = defaults.garp_extra_if;
        let secondary = if all { "i/f" } else { "VMAC" };
        let secondary = format!("Gratuitous ARP for each secondary {secondary}");
        self.row(&secondary, format_args!("{seconds}s"));
        self.row("Send advert after receive lower priority advert", !defaults.lower_prio_no_advert);
        let answers = defaults.higher_prio_send_advert;
        self.row("Send advert after receive higher priority advert", answers);
        self.row("Gratuitous ARP interval", micros(globals.garp_interval));
        self.row("Gratuitous NA interval", micros(globals.gna_interval));
        let version = if defaults.version == Version::V2 { 2 } else { 3 };
        self.row("VRRP default protocol version", version);
    }

    fn firewall(&mut self, configuration: &Configuration) {
        let globals = &configuration.vrrp_globals;
        let (known, check) = (&globals.firewall, &configuration.check);
        if let Some(table) = &known.table {
            self.row("nftables table name", table);
            self.row("nftables base chain priority", known.priority);
            let not = if known.by_index { "" } else { "don't " };
            self.text(format_args!("nftables {not}force use ifindex for link local IPv6"));
        }
        if let Some(table) = &check.nftables {
            self.row("ipvs nftables table name", table);
            let priority = check.nftables_priority.unwrap_or(-1);
            self.row("ipvs nftables base chain priority", priority);
            let first = check.nftables_start_fwmark.unwrap_or(1000);
            self.row("ipvs nftables start fwmark", first);
        }
        let with = if known.counters { "with" } else { "without" };
        self.text(format_args!("nftables {with} counters"));
        self.row("VRRP check unicast_src", globals.defaults.check_unicast_source);
        self.row("VRRP skip check advert addresses", globals.defaults.skip_check_adv_addr);
        self.row("VRRP strict mode", globals.defaults.strict);
    }

    fn scheduling(&mut self, configuration: &Configuration) {
        let own = &configuration.globals.scheduling;
        match own.max_auto_priority {
            ..0 => self.row("Max auto priority", "Disabled"),
            most => self.row("Max auto priority", most),
        }
        let delay = own.min_auto_priority_delay.as_micros();
        self.row("Min auto priority delay", format_args!("{delay} usecs"));
        let vrrp = Scheduling {
            nice: own.nice,
            no_swap: own.no_swap,
            realtime: own.realtime,
            rttime: own.rttime,
            processors: own.processors.clone(),
        };
        let (check, bfd) = (&configuration.check.scheduling, &configuration.bfd.scheduling);
        for (who, wanted) in [("VRRP", &vrrp), ("Checker", check), ("BFD", bfd)] {
            self.row(&format!("{who} process priority"), wanted.nice);
            self.row(&format!("{who} don't swap"), wanted.no_swap);
            self.row(&format!("{who} realtime priority"), wanted.realtime);
            if !wanted.processors.is_empty() {
                let list: Vec<_> = wanted.processors.iter().map(ToString::to_string).collect();
                self.row(&format!("{who} CPU Affinity"), list.join(" "));
            }
            self.row(&format!("{who} realtime limit"), wanted.rttime.as_micros());
        }
    }

    fn interfaces(&mut self, configuration: &Configuration) {
        let (known, check) = (&configuration.globals.interfaces, &configuration.check);
        let enabled = |value: bool| if value { "enabled" } else { "disabled" };
        for (part, value) in [
            ("vrrp", known.snmp_vrrp),
            ("checker", known.snmp_checker),
            ("RFCv2", known.snmp_rfcv2),
            ("RFCv3", known.snmp_rfcv3),
            ("traps", known.snmp_traps),
        ] {
            self.text(format_args!("SNMP {part} {}", enabled(value)));
        }
        let socket = known.snmp_socket.as_deref();
        self.row("SNMP socket", socket.unwrap_or("default (unix:/var/agentx/master)"));
        let age = check.snmp_virtual_server_age.unwrap_or(Duration::from_secs(5));
        self.row("SNMP VS stats update interval", micros(age));
        let age = check.snmp_real_server_age.unwrap_or_default();
        self.row("SNMP RS stats update interval", micros(age));
        self.text(format_args!("DBus {}", enabled(known.dbus)));
        self.row("DBus service name", known.dbus_service.as_deref().unwrap_or(""));
        let none = known.dbus_no_interface.as_deref().unwrap_or("none");
        self.row("DBus no interface name", none);
        let scripts = &configuration.notify.scripts;
        self.text(format_args!("Script security {}", enabled(scripts.security)));
        if let Ok(user) = scripts.identity() {
            self.text(format_args!("Default script uid:gid {}:{}", user.uid, user.gid));
        }
    }

    fn buffers(&mut self, configuration: &Configuration) {
        let (vrrp, check) = (&configuration.vrrp_globals.recorded, &configuration.check);
        for (socket, ReceiveBuffer { bytes, force }) in [
            ("vrrp_netlink_cmd", vrrp.command_buffer),
            ("vrrp_netlink_monitor", vrrp.monitor_buffer),
            ("process_monitor", configuration.vrrp_globals.process_buffer),
            ("lvs_netlink_cmd", check.command_buffer),
            ("lvs_netlink_monitor", check.monitor_buffer),
        ] {
            self.row(&format!("{socket}_rcv_bufs"), bytes);
            self.row(&format!("{socket}_rcv_bufs_force"), u8::from(force));
        }
        self.row("rs_init_notifies", u8::from(check.rs_init_notifies));
        self.row("no_checker_emails", u8::from(check.no_emails));
        match configuration.vrrp_globals.rx_bufs {
            RxBufs::System => {}
            RxBufs::Mtu => self.row("rx_bufs_policy", "MTU"),
            RxBufs::Advert => self.row("rx_bufs_policy", "ADVERT"),
            RxBufs::Bytes(size) => self.row("rx_bufs_size", size),
        }
        self.row("rx_bufs_multiples", configuration.vrrp_globals.rx_bufs_multiplier);
    }

    fn rest(&mut self, shown: &Shown<'_>) {
        let (globals, files) = (&shown.configuration.vrrp_globals, &shown.configuration.globals);
        self.row("umask", format_args!("0{:o}", shown.umask));
        if !globals.startup_delay.is_zero() {
            self.row("vrrp_startup_delay", general(globals.startup_delay));
        }
        if globals.log_unknown_vrids {
            self.text("log_unknown_vrids");
        }
        if globals.defaults.owner_ignore_adverts {
            self.text("vrrp_owner_ignore_adverts");
        }
        self.optional("VMAC prefix", globals.vmac_prefix.as_ref());
        self.optional("VMAC address prefix", globals.vmac_addr_prefix.as_ref());
        if shown.vrrp && shown.realtime > 0 {
            self.row("current realtime priority", shown.realtime);
            self.row("current realtime time limit", files.scheduling.rttime.as_micros());
        }
        self.text(format_args!("json_version {}", globals.json_version));
        self.text(format_args!("iproute usr directory {}", globals.recorded.iproute_usr_dir));
        self.text(format_args!("iproute etc directory {}", globals.recorded.iproute_etc_dir));
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
        "" => notify::host_name(),
        name => name.to_string(),
    }
}

fn micros(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}

fn command(script: &Script, last: Option<&str>) -> String {
    let words = script.argv.iter().map(String::as_str).chain(last);
    let words: Vec<String> = words.map(|word| format!("'{word}'")).collect();
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

#[cfg(test)]
mod tests;
