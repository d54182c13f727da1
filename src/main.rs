//! The keepalived daemon: one process, one thread, one scheduler.
//!
//! This package only puts the rooms together: the command line, start and stop in the C daemon's
//! order, signals, pid files, log lines, reload, dumps. What a packet or a keyword means is known
//! elsewhere.

mod balancing;
mod cli;
mod configtest;
mod configuration;
mod daemon;
mod daemonise;
mod dump;
mod globals;
mod host;
mod logging;
#[cfg(test)]
mod manual;
mod namespace;
mod pidfile;
mod process;
mod reload;
mod scripts;
mod signals;
mod snmp;
mod start;
mod sys;
mod systemd;

use std::io::Write;

use cli::Action;

fn main() {
    let argv: Vec<_> = std::env::args_os().collect();
    let invocation = cli::read(&argv);
    // A closed stream is no reason not to run.
    let _ = std::io::stdout().write_all(invocation.stdout.as_bytes());
    let _ = std::io::stderr().write_all(invocation.stderr.as_bytes());
    std::process::exit(match invocation.action {
        Action::Exit(status) => status,
        Action::Genhash(page) => genhash(&page),
        Action::Run(options) if options.config_test.is_some() => configtest::run(&options),
        Action::Run(options) => start::run(*options, &argv),
    })
}

fn genhash(page: &check::Page) -> i32 {
    let result = check::genhash(page, &mut std::io::stdout(), &mut std::io::stderr());
    i32::from(result.inspect_err(|error| eprintln!("genhash: {error}")).is_err())
}
