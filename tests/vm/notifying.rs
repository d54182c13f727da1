//! Who is told what when real servers and quorums come and go.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use testbed::wait_for;

use crate::site::{Forwarding, Site};
use crate::{global, start, told};

/// Lines in the FIFO in their order, scripts by event; `omega` tells of the end, too.
pub fn every_change_is_told(program: &Path) -> String {
    let mut site = Site::new(Forwarding::Nat, 3);
    let calls = site.director.file("calls");
    let script = site.director.file("notify.sh");
    fs::write(&script, format!("#!/bin/sh\necho \"$@\" >> {}\n", calls.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let fifo = site.director.file("events");
    nix::unistd::mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    let mut options = fs::File::options();
    let mut reader =
        options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&fifo).unwrap();

    let script = script.display();
    let server = |number: usize| {
        let lines = ["up", "down"].map(|s| format!("notify_{s} \"{script} r{number} {s}\"\n    "));
        site.server(number, &lines.concat())
    };
    let quorum = ["up", "down"].map(|s| format!("  quorum_{s} \"{script} quorum {s}\"\n"));
    let lines = format!("  omega\n{}{}{}{}", quorum.concat(), site.sorry(2), server(0), server(1));
    let global = global(&format!("lvs_notify_fifo {}\n  rs_init_notifies", fifo.display()));
    let daemon = start(&site.director, program, &(global + &site.service(&lines)));
    daemon.wait_logged("TCP connection to ", 2);

    let mut seen = String::new();
    let mut all_calls = 0;
    let mut step = |name: &str, count: usize| {
        let read = || fs::read_to_string(&calls).unwrap_or_default();
        wait_for(&format!("{name}: {count} scripts have run"), || {
            read().lines().count() >= all_calls + count
        });
        // Scripts run at the same time.
        let text = read();
        let mut new: Vec<&str> = text.lines().skip(all_calls).collect();
        new.sort_unstable();
        all_calls += new.len();
        let mut fifo = String::new();
        wait_for(&format!("{name}: {count} lines are in the FIFO"), || {
            let _ = reader.read_to_string(&mut fifo);
            fifo.lines().count() >= count
        });
        seen += &format!("== {name}\n{}\n-- fifo\n{fifo}", new.join("\n"));
    };
    step("start", 3);
    site.serve(&daemon, 0, false);
    step("the first dies", 1);
    site.serve(&daemon, 1, false);
    step("the second dies", 2);
    site.serve(&daemon, 0, true);
    step("the first is back", 2);
    let log = daemon.stop();
    step("stop", 2);
    seen + &told(&log)
}
