//! Real servers that follow BFD sessions with their machines.

use std::path::Path;

use nix::sys::signal::Signal;
use testbed::{C_KEEPALIVED, Daemon, Host, Lan, Parts, wait_for};

use crate::{global, start, table};

/// The machine may be busy: a server is missed after some seconds.
const TIMES: &str = "min_rx 300\n  min_tx 300\n  multiplier 10";

fn session(name: &str, neighbor: &Host, times: &str) -> String {
    format!("bfd_instance {name} {{\n  neighbor_ip {}\n  {times}\n}}\n", neighbor.address())
}

/// The other side of a session is always the C daemon's.
fn answer(server: &Host, director: &Host) -> Daemon {
    let text = session("D", director, TIMES);
    Daemon::start_parts(server, Path::new(C_KEEPALIVED), Parts::Checkers, &text, &[])
}

/// The table while one session after the other goes up, one goes down and up again, and through a reload.
pub fn servers_follow_sessions(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let servers = [lan.host("r0", 21), lan.host("r1", 22)];
    let configuration = |times: &str| {
        let mut sessions = String::new();
        let mut reals = String::new();
        for (number, server) in servers.iter().enumerate() {
            sessions += &session(&format!("R{number}"), server, times);
            let alpha = if number == 1 { "alpha" } else { "" };
            reals += &format!(
                "  real_server {} 80 {{\n    BFD_CHECK {{\n      name R{number}\n      {alpha}\n    }}\n  }}\n",
                server.address()
            );
        }
        sessions += &session("Z", &director, "checker");
        sessions +=
            &session("Y", &director, "multiplier 3\n  checker").replace("10.9.0.1", "10.9.0.99");
        global("")
            + &sessions
            + &format!(
                "virtual_server 10.7.0.100 80 {{\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n{reals}}}\n"
            )
    };
    let daemon = start(&director, program, &configuration(TIMES));
    let mut seen = String::new();
    let mut wait = |what: &str, numbers: &[usize]| {
        wait_for(&format!("{what}: {numbers:?} are in the table"), || {
            let lines = table(&director);
            lines.matches("-a ").count() == numbers.len()
                && numbers.iter().all(|n| lines.contains(&servers[*n].address()))
        });
        seen += &format!("== {what}\n{}", table(&director));
    };
    // Until the first word about its session the first one is in the table.
    for number in [0, 1] {
        daemon.wait_log(&format!("BFD check of [R{number}] RS("));
    }
    wait("no session is up", &[]);
    let first = answer(&servers[0], &director);
    wait("the first is up", &[0]);
    let _second = answer(&servers[1], &director);
    wait("both are up", &[0, 1]);
    let dump = daemon.dump(Signal::SIGUSR1 as i32, "keepalived_check.data", |text| {
        text.contains("------< Checker track BFDs >------") && text.ends_with('\n')
    });
    daemon.reload(&configuration("min_rx 300\n  min_tx 400\n  multiplier 10"));
    first.wait_log("Detection time is 4000000 us");
    wait("after a reload", &[0, 1]);
    first.crash();
    wait("the first does not answer", &[1]);
    let _first = answer(&servers[0], &director);
    wait("it does again", &[0, 1]);
    let log = daemon.stop();
    let about = ["BFD check of", " VS ", "Activating BFD"];
    let lines = log.lines().filter_map(|line| Some(line.split_once(": ")?.1));
    seen += "== the dump\n";
    let (_, checkers) = dump.split_once("------< Health checkers >------").unwrap_or_default();
    // The C daemon shows the times of checkers that have none, as the largest numbers there are.
    const THEIRS: [&str; 5] = ["Alpha =", "Delay", "Warmup", "Retries", "Default"];
    let shown = |line: &&str| !THEIRS.iter().any(|start| line.trim_start().starts_with(start));
    checkers.lines().filter(shown).for_each(|line| seen += &format!("{line}\n"));
    seen += "== the log\n";
    for line in lines.filter(|text| about.iter().any(|about| text.contains(about))) {
        seen += &format!("{line}\n");
    }
    seen
}
