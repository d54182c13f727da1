use config::{Class, Context, Mode, Options, Source};
use vrrp::config::Builder;

use super::*;
use crate::configuration::Parts;
use crate::globals;
use crate::host::Kernel;

/// Every keyword that has a row, with the words of the C daemon's dump.
const RICH: &str = include_str!("rich.conf");
const RICH_DUMP: &str = include_str!("rich.txt");
const PLAIN_DUMP: &str = include_str!("plain.txt");

fn configuration(text: &str) -> Configuration {
    let source = Source::FromMemory { name: "k.conf".into(), bytes: text.into() };
    let mut options = Options::new(source, globals::ROOT);
    options.mode = Mode::Test;
    let loaded = config::read(options);
    let mut diagnostics = loaded.diagnostics;
    let ctx = &mut Context { diagnostics: &mut diagnostics, mode: Mode::Test };
    let (globals, notify) = globals::read(&loaded.lines, ctx);
    let mut vrrp = Builder::new(std::rc::Rc::new(Kernel::ask()), notify.clone());
    let (mut check, mut bfd) = (check::Draft::new(), bfd::Draft::new());
    for line in &loaded.lines {
        vrrp.apply(line, ctx);
        check.apply(line, ctx);
        bfd.apply(line, ctx);
    }
    let vrrp_globals = vrrp.finish(ctx).unwrap().globals;
    let (lvs, bfd) = (check.finish(&notify, ctx), bfd.finish(ctx));
    let counts = |class| !matches!(class, None | Some(Class::Security));
    let wrong: Vec<_> = diagnostics.iter().filter(|d| counts(d.class)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    Configuration {
        globals,
        vrrp: None,
        vrrp_globals,
        notify,
        check: lvs.globals.clone(),
        lvs: Some(lvs),
        bfd: bfd.globals.clone(),
        sessions: Some(bfd),
        present: Parts::default(),
        whole: true,
    }
}

fn section(text: &str, vrrp: bool) -> String {
    let configuration = configuration(text);
    let realtime = configuration.globals.scheduling.realtime;
    let umask = configuration.globals.umask.unwrap_or(0o177);
    Shown { configuration: &configuration, vrrp, umask, realtime, reload_at: None }.section()
}

#[track_caller]
fn same(is: &str, wanted: &str) {
    for (is, wanted) in is.lines().zip(wanted.lines()) {
        assert_eq!(is, wanted);
    }
    assert_eq!(is.lines().count(), wanted.lines().count(), "{is}");
}

/// Who runs the test shows where nobody is named.
fn with_host(text: &str) -> String {
    let user = notify::ScriptDefaults::default().identity().unwrap();
    text.replace("HOST", &notify::host_name())
        .replace("UID:GID", &format!("{}:{}", user.uid, user.gid))
}

#[test]
fn defaults_are_those_of_the_c_daemon() {
    let text = "global_defs {\n}\n";
    same(&section(text, false), &with_host(PLAIN_DUMP));
}

#[test]
fn every_value_has_its_row() {
    same(&section(RICH, false), &with_host(RICH_DUMP));
}

#[test]
fn the_file_of_vrrp_has_what_instances_get() {
    let text = "global_defs {
        vrrp_garp_master_delay 7
        vrrp_garp_lower_prio_repeat 2
        vrrp_rt_priority 10
        startup_script /bin/true
        notify_fifo /tmp/f root
        notify_fifo_script /bin/cat root
        lvs_notify_fifo /tmp/l root
        lvs_notify_fifo_script /bin/cat root
        lvs_sync_daemon eth0 inst V
    }";
    let (own, vrrp) = (section(text, false), section(text, true));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (own, vrrp) = (lines(&own), lines(&vrrp));
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|line| !b.contains(line)).cloned().collect()
    };
    let script = with_host(" Startup script = '/bin/true', uid:gid UID:GID, timeout 10");
    assert_eq!(
        only(&own, &vrrp),
        [
            script.as_str(),
            " LVS syncd vrrp name = V",
            " Global notify fifo script = '/bin/cat', uid:gid 0:0",
            " Gratuitous ARP lower priority delay = 4294967295",
        ]
    );
    assert_eq!(
        only(&vrrp, &own),
        [
            " Default interface = eth0",
            " LVS syncd vrrp instance = V",
            " Global notify fifo script = '/bin/cat' '/tmp/f', uid:gid 0:0",
            " Gratuitous ARP lower priority delay = 7",
            " current realtime priority = 10",
            " current realtime time limit = 10000",
        ]
    );
}

#[test]
fn a_mail_server_brings_the_other_rows_of_mails() {
    let rows = |text: &str| -> Vec<String> {
        let text = section(&format!("global_defs {{\n{text}\n}}"), false);
        let mail = |line: &&str| line.contains("Smtp") || line.contains("Email");
        text.lines().filter(mail).map(|line| line.trim_start().to_owned()).collect()
    };
    assert_eq!(rows("notification_email {\n a@b\n}"), [""; 0]);
    assert_eq!(rows("smtp_helo_name h"), ["Smtp HELO name = h"]);
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    let host = notify::host_name();
    assert_eq!(
        rows("smtp_server 192.0.2.1"),
        [
            "Smtp server = 192.0.2.1".to_owned(),
            "Smtp server port = 25".to_owned(),
            format!("Smtp HELO name = {host}"),
            "Smtp server connection timeout = 30".to_owned(),
            format!("Email notification from = {user}@{host}"),
            "Email notification to:".to_owned(),
        ]
    );
}

#[test]
fn choices_have_their_words() {
    for (line, row) in [
        ("max_auto_priority -1", " Max auto priority = Disabled"),
        ("max_auto_priority", " Max auto priority = 99"),
        ("lvs_flush_on_stop", " LVS flush on stop = full"),
        ("lvs_sync_daemon eth0", " LVS syncd syncid = 4294967295"),
        ("vrrp_garp_extra_if all 30", " Gratuitous ARP for each secondary i/f = 30s"),
        ("vrrp_rx_bufs_policy 5000", " rx_bufs_size = 5000"),
        ("nftables", " nftables don't force use ifindex for link local IPv6"),
        ("nftables_ipvs", " ipvs nftables table name = keepalived_ipvs"),
        ("vrrp_startup_delay 1234.567891", " vrrp_startup_delay = 1234.57"),
        ("reload_check_config", " Test config before reload, log to /dev/null"),
    ] {
        let text = section(&format!("global_defs {{\n{line}\n}}"), false);
        assert!(text.lines().any(|l| l == row), "{line}: no {row:?} in\n{text}");
    }
    for (line, row) in [
        ("net_namespace_ipvs", "(default)"),
        ("net_namespace_ipvs blue", "blue"),
        ("", "(main namespace)"),
    ] {
        let text = section(line, false);
        let row = format!(" Network namespace ipvs = {row}");
        assert!(text.lines().any(|l| l == row), "{line}: no {row:?} in\n{text}");
    }
}

#[test]
fn a_reload_that_is_due_is_told() {
    let configuration = configuration("global_defs {\nreload_time_file /tmp/when\n}");
    let at = |reload_at| {
        Shown { configuration: &configuration, vrrp: false, umask: 0, realtime: 0, reload_at }
            .section()
    };
    assert!(at(None).contains(" Reload time file = /tmp/when\n No reload scheduled\n"));
    assert!(at(Some(86_400)).contains(" Reload scheduled for 1970-01-0"));
}
