//! Who scripts run as, and which may run.

use super::*;

fn with(globals: &str, before: &str, inside: &str) -> Outcome {
    test(&format!(
        "global_defs {{\n{globals}\n}}\n{before}\nvrrp_instance A {{\ninterface eth0\n\
         virtual_router_id 5\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{inside}\n}}\n"
    ))
}

const SECURE: &str = "enable_script_security\nscript_user root";

#[test]
fn scripts_without_script_security_are_a_violation() {
    for (before, inside) in [
        ("", "notify_master /bin/true"),
        ("vrrp_script s {\nscript /bin/true\n}", ""),
        ("vrrp_sync_group g {\nnotify /bin/true\ngroup { A }\n}", ""),
    ] {
        let outcome = with("", before, inside);
        assert_eq!(outcome.exit_status(), 6, "{before} {inside}");
        assert!(outcome.said("SECURITY VIOLATION - scripts are being executed but script_"));
        assert!(outcome.result.is_ok());
    }
    let fifo = with("vrrp_notify_fifo /tmp/f\nvrrp_notify_fifo_script /bin/true", "", "");
    assert_eq!(fifo.exit_status(), 6);
}

#[test]
fn a_notify_script_that_is_not_there_is_dropped_in_silence() {
    let outcome = with("", "", "notify_master /nonexistent/x");
    assert_eq!(outcome.exit_status(), 0);
    assert_eq!(outcome.settings().instances[0].notify.master, None);
}

#[test]
fn a_tracked_script_that_is_not_there_is_an_error_and_tracked_no_more() {
    let script = "vrrp_script s {\nscript /nonexistent/x\n}";
    let outcome = with(SECURE, script, "track_script {\ns\n}");
    assert_eq!(outcome.exit_status(), 5);
    assert!(outcome.said("Disabling track script s since not found/accessible"));
    let settings = outcome.settings();
    assert!(settings.scripts.is_empty() && settings.instances[0].track_scripts.is_empty());
}

#[test]
fn users_are_those_of_the_script_or_of_script_user() {
    let outcome =
        with(SECURE, "", "notify_master /bin/true\nnotify_backup \"/bin/true a 'b c'\" nobody");
    assert_eq!(outcome.exit_status(), 0, "{:?}", outcome.problems());
    let settings = outcome.settings();
    let notify = &settings.instances[0].notify;
    assert_eq!(notify.master.as_ref().map(|s| (s.uid, s.gid)), Some((0, 0)));
    let backup = notify.backup.as_ref().unwrap();
    assert_ne!(backup.uid, 0);
    assert_eq!(backup.argv, ["/bin/true", "a", "b c"]);
}

#[test]
fn an_unknown_user_drops_a_notify_script_and_counts_for_a_tracked_one() {
    let notify = with(SECURE, "", "notify_master /bin/true no-such-user");
    assert_eq!(notify.exit_status(), 0);
    assert_eq!(notify.settings().instances[0].notify.master, None);
    let tracked = with(SECURE, "vrrp_script s {\nscript /bin/true\nuser no-such-user\n}", "");
    assert_eq!(tracked.exit_status(), 5);
}

#[test]
fn a_script_nobody_tracks_is_mentioned_where_the_daemon_runs() {
    let text = "global_defs {\nenable_script_security\nscript_user root\n}\n\
                vrrp_script s {\nscript /bin/true\n}\n\
                vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\n\
                virtual_ipaddress {\n10.0.0.1\n}\n}\n";
    assert_eq!(read(text, Mode::Test).problems(), []);
    let outcome = read(text, Mode::Start);
    assert_eq!(outcome.problems(), [(Class::General, "Warning - script s is not used")]);
    assert!(outcome.settings().scripts.is_empty());
}

#[test]
fn scripts_are_not_judged_where_vrrp_refuses_to_run() {
    let outcome = with("", "", "notify_master /bin/true\ntrack_interface {\nnope\n}");
    assert!(outcome.result.is_err());
    assert_eq!(outcome.exit_status(), 5);
}
