//! The checkers of a director that lives: its address comes and goes, its configuration changes, VRRP runs beside.

use std::path::Path;

use testbed::{Daemon, Host, Lan, Parts, wait_for, web};

use crate::checking::{
    SERVICE, check, global, name, ready_to_check, real, results, script, service,
};
use crate::{instance, ours};

/// A `TCP_CHECK` of this port of b.
fn tcp(port: u16, delay_loop: &str) -> String {
    format!(
        "TCP_CHECK {{\n      connect_port {port}\n      connect_timeout 1\n      retry 0\n      delay_loop \
         {delay_loop}\n    }}"
    )
}

fn backend(host: &Host, port: u16) -> web::Service {
    web::Service::start_on(host, port)
}

fn checker(what: &str, number: usize) -> String {
    format!("{what} healthchecker for service {} for VS {SERVICE}", name(number))
}

/// With `ha_suspend` nothing is checked, and nothing changes, while the virtual address is elsewhere.
#[test]
fn checkers_rest_while_the_address_is_elsewhere() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let resting = service("ha_suspend", &real(0, &tcp(81, "0.2")));
    // One that never rests, to tell that time has passed.
    let other = service("", &real(1, &tcp(81, "0.2"))).replace("10.9.0.100", "10.9.0.101");
    let daemon = check(&a, &(resting + &other));
    daemon.wait_log(&checker("Deactivating", 0));
    daemon.wait_log(&format!("TCP_CHECK on service {} failed.", name(1)));
    assert_eq!(daemon.logged(&format!("TCP_CHECK on service {}", name(0))), 0);
    assert!(!results(&daemon)[0].enabled);

    a.ip("address add 10.9.0.100/32 dev lo");
    daemon.wait_log(&checker("Activating", 0));
    daemon.wait_log(&format!("Removing service {} from VS {SERVICE}", name(0)));

    // A second one on another link does not matter, nor that it goes.
    a.ip("address add 10.9.0.100/24 dev eth0");
    a.ip("address del 10.9.0.100/24 dev eth0");
    a.ip("address del 10.9.0.100/32 dev lo");
    daemon.wait_log(&checker("Suspending", 0));
    assert_eq!(daemon.logged(&checker("Suspending", 0)), 1);
    let _backend = backend(&b, 81);
    daemon.wait_log(&format!("TCP connection to {} success.", name(1)));
    assert_eq!(daemon.logged(&format!("TCP connection to {} success.", name(0))), 0);
    assert!(!results(&daemon)[0].up);

    a.ip("address add 10.9.0.100/32 dev eth0");
    daemon.wait_log(&format!("Adding service {} to VS {SERVICE}", name(0)));
    daemon.stop();
}

/// VRRP and checkers in one daemon: those of the director that leads work, those of the other one rest.
#[test]
fn the_director_that_leads_checks() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b, c) = (lan.host("a", 1), lan.host("b", 2), lan.host("c", 3));
    let _backend = backend(&b, 81);
    let configuration = |priority| {
        "global_defs {\n  vrrp_version 3\n}\n".to_owned()
            + &instance("N1", 63, priority, "advert_int 0.25", &["10.9.0.100/24"])
            + &service("ha_suspend", &real(0, &tcp(81, "0.2")))
    };
    let start = |host: &Host, priority| {
        Daemon::start_parts(host, &ours(), Parts::All, &configuration(priority), &[])
    };
    let good = format!("TCP connection to {} success.", name(0));
    let first = start(&a, 150);
    first.wait_log(&good);
    let second = start(&c, 100);
    second.wait_log(&checker("Deactivating", 0));
    a.set_link(false);
    first.wait_log(&checker("Suspending", 0));
    second.wait_log(&good);
    a.set_link(true);
    second.wait_log(&checker("Suspending", 0));
    first.wait_logged(&checker("Activating", 0), 2);
    // What was suspended has not changed meanwhile.
    for daemon in [&first, &second] {
        assert!(results(daemon)[0].up);
        assert_eq!(daemon.logged("Removing service"), 0);
    }
    first.stop();
    second.wait_logged(&checker("Activating", 0), 2);
    second.stop();
}

/// What a reload leaves as it was goes on as if nothing had been; what it changes, changes at once.
#[test]
fn a_reload_keeps_what_stays() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let (_first, second) = (backend(&b, 81), backend(&b, 82));
    let reader = script(&a, "reader", "exec cat \"$2\" > \"$1\"");
    let global = global(&format!(
        "lvs_notify_fifo {}\n  lvs_notify_fifo_script \"{reader} {}\"",
        a.file("fifo").display(),
        a.file("seen").display()
    ));
    let configuration = |reals: &[String]| global.clone() + &service("", &reals.concat());
    let up = |number: usize, delay: &str| real(number, &tcp(81 + number as u16, delay));
    let reload = |daemon: &Daemon, reals: &[String], times: usize| {
        daemon.reload(&configuration(reals));
        daemon.wait_logged("Reload complete", times);
    };
    let daemon = check(&a, &configuration(&[up(0, "0.2"), up(1, "0.2"), up(2, "0.2")]));
    let removed = |number: usize| format!("Removing service {} from VS {SERVICE}", name(number));
    daemon.wait_log(&removed(2));

    // Nothing is changed, many times, in the middle of everything.
    for times in 1..=5 {
        reload(&daemon, &[up(0, "0.2"), up(1, "0.2"), up(2, "0.2")], times);
    }
    assert_eq!(daemon.logged("Gained quorum"), 1);
    assert_eq!(daemon.logged("Removing service"), 1);
    assert_eq!(
        results(&daemon).iter().map(|found| found.up).collect::<Vec<_>>(),
        [true, true, false]
    );

    // The interval of the first, a fourth real server, no checker for the third.
    reload(&daemon, &[up(0, "30"), up(1, "0.2"), real(2, ""), up(3, "0.2")], 6);
    daemon.wait_log(&removed(3));
    let found = results(&daemon);
    let servers: Vec<_> = found.iter().map(|found| found.server.clone()).collect();
    assert_eq!(servers, [name(0), name(1), name(3)]);
    assert!(found[0].up && found[1].up && !found[2].up);
    daemon.wait_log(&format!("Adding service {} to VS {SERVICE}", name(2)));

    // Checks go on, with what is new.
    drop(second);
    daemon.wait_log(&removed(1));
    let _second = backend(&b, 82);
    daemon.wait_log(&format!("Adding service {} to VS {SERVICE}", name(1)));

    // The first is gone; then the whole virtual server is.
    reload(&daemon, &[up(1, "0.2")], 7);
    daemon.wait_log(&removed(0));
    daemon.reload(&global);
    daemon.wait_logged("Reload complete", 8);
    assert_eq!(results(&daemon), []);
    daemon.stop();
    let seen = || std::fs::read_to_string(a.file("seen")).unwrap_or_default();
    wait_for("the end of the FIFO", || seen().ends_with(&format!("VS {SERVICE} DOWN\n")));
    let rs = |number: usize, state: &str| format!("RS {} {SERVICE} {state}", name(number));
    let seen = seen();
    let of = |number: usize| -> Vec<&str> {
        seen.lines().filter(|line| line.starts_with(&format!("RS {} ", name(number)))).collect()
    };
    assert_eq!(of(0), [rs(0, "DOWN")], "{seen}");
    assert_eq!(of(1), [rs(1, "DOWN"), rs(1, "UP"), rs(1, "DOWN")], "{seen}");
}

/// An attempt that takes long is no obstacle to a reload, nor the other way round.
#[test]
fn a_reload_while_servers_are_silent() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, _b) = (lan.host("a", 1), lan.host("b", 2));
    let deaf = script(&a, "deaf", "trap '' TERM\nwhile :; do sleep 0.1; done");
    let silent = "TCP_CHECK {\n connect_ip 10.9.0.33\n connect_timeout 1\n retry 0\n }".to_owned();
    let misc = format!("MISC_CHECK {{\n misc_path {deaf}\n misc_timeout 1\n }}");
    let all = global("") + &service("delay_loop 1", &(real(0, &silent) + &real(1, &misc)));
    let less = global("") + &service("delay_loop 1", &real(0, &silent));
    let daemon = check(&a, &all);
    wait_for("the script runs", || runs(&deaf));
    daemon.reload(&less);
    daemon.wait_logged("Reload complete", 1);
    daemon.reload(&all);
    daemon.wait_logged("Reload complete", 2);
    daemon.wait_log(&format!("TCP_CHECK on service {} failed.", name(0)));
    daemon.wait_log(&format!("Misc check for [{} VS {SERVICE}] by [{deaf}] timed out", name(1)));
    daemon.stop();
    wait_for("the script is gone", || !runs(&deaf));
}

/// The limit that a service manager sets for open files does not limit how many real servers there are.
#[test]
fn there_are_more_servers_than_files_may_be_open() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let a = lan.host("a", 1);
    let limited =
        script(&a, "limited", &format!("ulimit -S -n 64\nexec {} \"$@\"", ours().display()));
    let silent = "TCP_CHECK {\n connect_ip 10.9.0.33\n connect_timeout 2\n }";
    let reals: String = (0..200).map(|number| real(number, silent)).collect();
    let (program, configuration) = (Path::new(&limited), service("", &reals));
    let daemon = Daemon::start_parts(&a, program, Parts::Checkers, &configuration, &[]);
    daemon.wait_logged(" failed.", 200);
    assert_eq!(daemon.logged("Rescheduling"), 0);
    daemon.stop();
}

/// Whether a process runs this script.
fn runs(script: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.into_iter().any(|process| {
        let command = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        command.split('\0').any(|word| word == script)
    })
}
