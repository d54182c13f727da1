//! Notify scripts and the notify fifo: who is told, in which order, in which words.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use testbed::{Host, Lan, wait_for};

use crate::{instance, ours, ready, ready_for_ours, start, theirs, version_3};

/// A script that writes its arguments as one line into `calls`; the words behind the first, which
/// names the line, are what the daemon added.
fn script(host: &Host, calls: &Path) -> String {
    let path = host.file("notify.sh");
    fs::write(&path, format!("#!/bin/sh\necho \"$@\" >> {}\n", calls.display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// The calls for one object, as they were made; the C daemon starts a script without waiting for the one
/// before, so there the two of one transition may be swapped.
#[track_caller]
fn assert_calls(calls: &Path, object: &str, wanted: &[&str]) {
    let of_object = || {
        let text = fs::read_to_string(calls).unwrap_or_default();
        let mine = text.lines().filter(|line| line.split(' ').next() == Some(object));
        mine.map(|line| line[object.len() + 1..].to_owned()).collect::<Vec<_>>()
    };
    wait_for(&format!("{} calls for {object}", wanted.len()), || of_object().len() >= wanted.len());
    let (mut made, mut wanted) = (of_object(), wanted.to_vec());
    if ours() == theirs() {
        made.sort();
        wanted.sort();
    }
    assert_eq!(made, wanted, "calls for {object}");
}

fn notify(script: &str, object: &str) -> String {
    let state = |state: &str| format!("notify_{state} \"{script} {object} {state}\"\n  ");
    let states: String = ["master", "backup", "fault", "stop"].map(state).concat();
    format!("{states}notify \"{script} {object} generic\"")
}

/// Start, leading, link down, link up, leading, stop: the state's own script first, then the generic one.
#[test]
fn scripts_run_in_order_with_their_arguments() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let calls = a.file("calls");
    let script = script(&a, &calls);
    let configuration = version_3("")
        + &instance(
            "N1",
            63,
            150,
            &format!("advert_int 0.25\n  {}", notify(&script, "instance")),
            &["10.9.0.100/24"],
        );
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    a.set_link(false);
    a.wait_holds("10.9.0.100", false);
    a.set_link(true);
    a.wait_holds("10.9.0.100", true);
    daemon.stop();
    assert_calls(
        &calls,
        "instance",
        &[
            "backup",
            "generic INSTANCE N1 BACKUP 150",
            "master",
            "generic INSTANCE N1 MASTER 150",
            "fault",
            "generic INSTANCE N1 FAULT 150",
            "backup",
            "generic INSTANCE N1 BACKUP 150",
            "master",
            "generic INSTANCE N1 MASTER 150",
            "stop",
            "generic INSTANCE N1 STOP 150",
        ],
    );
}

/// A sync group has scripts of its own, and tells priority 0.
#[test]
fn group_scripts_run_beside_those_of_the_members() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let calls = a.file("calls");
    let script = script(&a, &calls);
    let member = |name: &str, vrid, vip: &str| {
        let lines = format!("advert_int 0.25\n  notify \"{script} {name} generic\"");
        instance(name, vrid, 150, &lines, &[vip])
    };
    let group = format!(
        "vrrp_sync_group G {{\n  group {{\n    N1\n    N2\n  }}\n  {}\n}}\n",
        notify(&script, "group")
    );
    let configuration = version_3("")
        + &group
        + &member("N1", 63, "10.9.0.100/24")
        + &member("N2", 64, "10.9.0.101/24");
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    a.wait_holds("10.9.0.101", true);
    daemon.stop();
    assert_calls(
        &calls,
        "group",
        &[
            "backup",
            "generic GROUP G BACKUP 0",
            "master",
            "generic GROUP G MASTER 0",
            "stop",
            "generic GROUP G STOP 0",
        ],
    );
    for name in ["N1", "N2"] {
        let told = ["BACKUP", "MASTER", "STOP"].map(|s| format!("generic INSTANCE {name} {s} 150"));
        assert_calls(&calls, name, &told.each_ref().map(String::as_str));
    }
}

/// One line per event into a fifo that is there already.
#[test]
fn the_fifo_gets_a_line_per_event() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let fifo = a.file("events");
    nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let mut reader = fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&fifo)
        .unwrap();
    let configuration = version_3(&format!("vrrp_notify_fifo {}", fifo.display()))
        + "vrrp_sync_group G {\n  group {\n    N1\n    N2\n  }\n}\n"
        + &instance("N1", 63, 150, "advert_int 0.25", &["10.9.0.100/24"])
        + &instance("N2", 64, 150, "advert_int 0.25", &["10.9.0.101/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    a.wait_holds("10.9.0.101", true);
    daemon.stop();

    let mut text = String::new();
    let _ = reader.read_to_string(&mut text);
    let lines: Vec<&str> = text.lines().collect();
    // Which member's timer ends first is chance; the lines of a transition stay together.
    let (mut backup, mut master, mut stop) =
        (lines[..3].to_vec(), lines[3..6].to_vec(), lines[6..].to_vec());
    for lines in [&mut backup, &mut master, &mut stop] {
        lines.sort_unstable();
    }
    for (lines, state) in [(backup, "BACKUP"), (master, "MASTER"), (stop, "STOP")] {
        let group = format!("GROUP \"G\" {state} 0");
        let members = ["N1", "N2"].map(|name| format!("INSTANCE \"{name}\" {state} 150"));
        assert_eq!(lines, [&group, &members[0], &members[1]], "all of it:\n{text}");
    }
}

/// Both FIFOs are made and read by the configured scripts, which get the FIFO's path as their last argument.
/// Priorities and, after a reload, states are told when that is asked for; nothing is left at the end.
/// (The C daemon starts the readers again at each reload.)
#[test]
fn fifo_scripts_read_states_priorities_and_repetitions() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let reader = a.file("reader.sh");
    let text = "#!/bin/sh\necho \"args $#: $1\" > $1\nexec cat \"$2\" >> $1\n";
    fs::write(&reader, text).unwrap();
    fs::set_permissions(&reader, fs::Permissions::from_mode(0o755)).unwrap();
    let weight = a.file("weight");
    fs::write(&weight, "0").unwrap();
    let (fifos, seen) = (["all", "vrrp"], ["seen-all", "seen-vrrp"].map(|name| a.file(name)));
    let fifos = fifos.map(|name| a.file(name));
    let global = ["notify_fifo", "vrrp_notify_fifo"].iter().zip(&fifos).zip(&seen);
    let global: String = global
        .map(|((keyword, fifo), seen)| {
            let (fifo, reader, seen) = (fifo.display(), reader.display(), seen.display());
            format!("{keyword} {fifo}\n  {keyword}_script \"{reader} {seen}\"\n  ")
        })
        .collect();
    let global =
        format!("{global}vrrp_notify_priority_changes\n  fifo_write_vrrp_states_on_reload");
    let file = format!("track_file W {{\n  file {}\n  weight 1\n}}\n", weight.display());
    let lines = "advert_int 0.25\n  track_file {\n    W\n  }";
    let configuration =
        version_3(&global) + &file + &instance("N1", 63, 150, lines, &["10.9.0.100/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    let last = |seen: &Path| {
        let text = fs::read_to_string(seen).unwrap_or_default();
        text.lines().last().unwrap_or_default().to_owned()
    };
    let wait = |line: &str| {
        for seen in &seen {
            wait_for(&format!("{line} in {}", seen.display()), || last(seen) == line);
        }
    };
    wait("INSTANCE \"N1\" MASTER 150");
    fs::write(&weight, "7").unwrap();
    wait("INSTANCE \"N1\" MASTER_PRIORITY 157");
    daemon.reload(&configuration);
    wait("INSTANCE \"N1\" MASTER 157");
    daemon.stop();
    wait("INSTANCE \"N1\" STOP 157");
    for seen in &seen {
        let text = fs::read_to_string(seen).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let told = ["BACKUP 150", "MASTER 150", "MASTER_PRIORITY 157", "MASTER 157", "STOP 157"];
        let told = told.map(|state| format!("INSTANCE \"N1\" {state}"));
        assert_eq!(lines, told, "{}", seen.display());
        assert!(text.starts_with("args 2: "), "{text}");
    }
    assert!(fifos.iter().all(|fifo| !fifo.exists()));
}
