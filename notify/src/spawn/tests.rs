use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::wait::{WaitStatus, waitpid};

use super::*;

/// A script's arguments, run as whoever runs the test.
pub(crate) fn script(argv: &[&str]) -> Script {
    Script {
        argv: argv.iter().map(|&a| a.to_owned()).collect(),
        text: argv.join(" "),
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        groups: None,
    }
}

/// A file name of its own for each call.
pub(crate) fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("ka-notify-{}-{n}-{name}", std::process::id()))
}

fn exit_of(script: &Script, extra: &[&str]) -> i32 {
    match waitpid(Pid::from_raw(spawn(script, extra).unwrap()), None).unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

/// What a shell command prints when it runs as a script.
fn output_of(script: &mut Script, command: &str) -> String {
    let file = scratch("output");
    script.argv = vec!["/bin/sh".into(), "-c".into(), format!("({command}) >{}", file.display())];
    // Whoever the script runs as may write there.
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    assert_eq!(exit_of(script, &[]), 0);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    text
}

#[test]
fn arguments_and_exit_status_pass_through() {
    let test = script(&["/bin/sh", "-c", "[ \"$1-$2\" = 'a b-c' ] && exit 3", "name", "a b"]);
    assert_eq!(exit_of(&test, &["c"]), 3);
    assert_eq!(exit_of(&script(&["true"]), &[]), 0, "found in PATH");
}

#[test]
fn what_cannot_be_executed_is_an_error_and_leaves_no_zombie() {
    let missing = spawn(&script(&["/no/such/script"]), &[]).unwrap_err();
    assert_eq!(missing.raw_os_error(), Some(libc::ENOENT));
    assert!(spawn(&script(&["no-such-command-anywhere"]), &[]).is_err());
    assert_eq!(spawn(&script(&["/tmp"]), &[]).unwrap_err().raw_os_error(), Some(libc::EACCES));
    assert!(spawn(&script(&[]), &[]).is_err());
    assert!(spawn(&script(&["/bin/true", "nul\0"]), &[]).is_err());
}

#[test]
fn a_script_has_its_own_group_and_a_clean_start() {
    let status = output_of(&mut script(&[]), "cat /proc/self/status; ps -o pid=,pgid= -p $$");
    let line = |name: &str| {
        status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("?").trim().to_owned()
    };
    assert_eq!(line("SigBlk:"), "0000000000000000");
    let ignored = u64::from_str_radix(&line("SigIgn:"), 16).unwrap();
    // The C library keeps signals 32 and 33 to itself.
    assert_eq!(ignored & !(3 << 31), 0, "SIGPIPE is ignored in the daemon, not in its scripts");
    let ids: Vec<&str> = status.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(ids[0], ids[1]);
    let descriptors = output_of(&mut script(&[]), "for f in /proc/$$/fd/*; do readlink $f; done");
    assert!(descriptors.lines().filter(|l| *l == "/dev/null").count() >= 2, "{descriptors}");
}

#[test]
fn no_descriptor_of_ours_leaks_even_without_close_on_exec() {
    let file = File::open("/").unwrap();
    let leaky = nix::unistd::dup(&file).unwrap();
    let listed = output_of(&mut script(&[]), "ls -l /proc/self/fd");
    drop(leaky);
    assert!(!listed.lines().any(|l| l.ends_with("-> /")), "{listed}");
}

#[test]
fn dangerous_variables_are_dropped() {
    let names: Vec<String> = environment()
        .iter()
        .map(|e| e.to_str().unwrap().split('=').next().unwrap().to_owned())
        .collect();
    assert!(names.iter().any(|n| n == "PATH"));
    let environment = output_of(&mut script(&[]), "env");
    for dropped in ["LD_PRELOAD", "LD_LIBRARY_PATH"] {
        assert!(!environment.lines().any(|l| l.starts_with(dropped)));
        assert!(!names.iter().any(|n| n == dropped));
    }
}

#[test]
fn user_group_and_supplementary_groups_are_set() {
    if !geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let mut other = script(&[]);
    (other.uid, other.gid) = (65534, 65533);
    let ids = |script: &mut Script| output_of(script, "id -u; id -g; id -G");
    assert_eq!(ids(&mut other), "65534\n65533\n65533\n");
    other.groups = Some(vec![65533, 20, 30]);
    assert_eq!(ids(&mut other), "65534\n65533\n65533 20 30\n");
    let dumpable = nix::sys::prctl::get_dumpable().unwrap();
    assert!(dumpable, "another user's script does not cost the daemon its core dumps");
}

#[test]
fn limits_are_those_that_were_remembered() {
    remember_limits();
    let file = |text: &str| {
        let line = text.lines().find(|l| l.starts_with("Max open files")).unwrap();
        line.split_whitespace().nth(3).unwrap().to_owned()
    };
    let before = file(&std::fs::read_to_string("/proc/self/limits").unwrap());
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let lower: u64 = before.parse::<u64>().unwrap() - 1;
    // Other tests of this process can do with one descriptor less for a moment.
    nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, lower, hard).unwrap();
    let seen = file(&output_of(&mut script(&[]), "cat /proc/self/limits"));
    nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, lower + 1, hard).unwrap();
    assert_eq!(seen, before);
}

#[test]
fn a_raised_priority_is_not_inherited() {
    if !geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    // Priority belongs to the thread, and the thread to this test.
    std::thread::spawn(|| {
        let raised = std::process::Command::new("renice")
            .args(["-n", "-5", "-p", &nix::unistd::gettid().to_string()])
            .output()
            .unwrap();
        assert!(raised.status.success());
        assert_eq!(output_of(&mut script(&[]), "nice").trim(), "0");
    })
    .join()
    .unwrap();
}

#[test]
fn a_script_without_a_first_line_runs_in_the_shell() {
    let file = scratch("bare");
    std::fs::write(&file, "[ \"$1\" = x ] && exit 5\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let code = exit_of(&script(&[file.to_str().unwrap()]), &["x"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code, 5);
}

#[test]
fn the_open_test_tells_whether_a_file_can_be_opened() {
    for (text, opens) in [("</dev/null", true), (" <  /dev/null", true), ("< /no/file", false)] {
        let mut test = script(&["<"]);
        test.text = text.into();
        assert_eq!(exit_of(&test, &[]) == 0, opens, "{text}");
    }
    assert!(!is_open_test("/bin/x </y") && !is_open_test("<x"));
}

#[test]
fn a_signal_reaches_what_the_script_started() {
    let file = scratch("group");
    let text = format!("sleep 1000 & echo $! >{0}.new; mv {0}.new {0}; wait", file.display());
    let pid = spawn(&script(&["/bin/sh", "-c", &text]), &[]).unwrap();
    let child = loop {
        match std::fs::read_to_string(&file) {
            Ok(text) => break text.trim().parse::<i32>().unwrap(),
            Err(_) => std::thread::yield_now(),
        }
    };
    std::fs::remove_file(&file).unwrap();
    signal_group(pid, Signal::SIGTERM);
    let status = waitpid(Pid::from_raw(pid), None).unwrap();
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGTERM, _)), "{status:?}");
    // The orphan is somebody else's child now; it ends or is a zombie.
    while std::fs::read_to_string(format!("/proc/{child}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z"))
    {
        std::thread::yield_now();
    }
    signal_group(pid, Signal::SIGTERM);
}
