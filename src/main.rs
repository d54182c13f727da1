//! The keepalived daemon.

mod cli;
mod daemonise;
mod dump;
mod logging;
mod namespace;
mod pidfile;
mod process;
mod sys;
mod systemd;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let argv: Vec<_> = std::env::args_os().collect();
    let invocation = cli::read(&argv);
    let _ = std::io::stdout().write_all(invocation.stdout.as_bytes());
    let _ = std::io::stderr().write_all(invocation.stderr.as_bytes());
    match invocation.action {
        cli::Action::Exit(status) => ExitCode::from(status as u8),
        cli::Action::Run(options) => {
            eprintln!("{options:?}");
            ExitCode::from(1)
        }
    }
}
