//! The command line: one table of options, a splitter that reads argv as the C library's
//! `getopt_long` does, and what the options mean.
//!
//! argv is cut up by [`split`], the options that act at their place (`-v`, `-h`, `--signum`, `-T`)
//! act in order, and what is left becomes [`Options`] through the struct that the table declares.
//! Nothing here prints or exits: [`Invocation`] says what goes to which stream and which status
//! the process ends with, so that tests can look at it.

mod genhash;
mod options;
mod split;
mod table;
mod text;

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

pub use options::{Facility, Options, Subsystems};
use split::Found;
use table::{Args, Opt, TABLE, Value};
pub use text::VERSION_LINE;

/// The tables, for the manual and the completions of shells.
#[cfg(test)]
pub mod tables {
    pub use super::genhash::TABLE as GENHASH;
    pub use super::table::{Opt, TABLE as KEEPALIVED, Value};
}

/// What a command line asks for.
pub struct Invocation {
    /// Text for standard output.
    pub stdout: String,
    /// Text for standard error.
    pub stderr: String,
    /// What to do after both were written.
    pub action: Action,
}

/// Whether the process goes on.
pub enum Action {
    /// End with this status.
    Exit(i32),
    /// Print the digest of this page, and end with status 0.
    Genhash(Box<check::Page>),
    /// Run with these options.
    Run(Box<Options>),
}

/// Signal numbers by the names `--signum` knows.
pub fn signal_number(function: &str) -> Option<i32> {
    Some(match function {
        "STOP" => libc::SIGTERM,
        "RELOAD" => libc::SIGHUP,
        "DATA" => libc::SIGUSR1,
        "STATS" => libc::SIGUSR2,
        "STATS_CLEAR" => libc::SIGRTMAX() - 1,
        "JSON" => libc::SIGRTMIN() + 2,
        _ => return None,
    })
}

/// Reads a command line. `argv` includes the program's name.
pub fn read(argv: &[OsString]) -> Invocation {
    let mut run = Run { stdout: String::new(), stderr: String::new(), bad: false };
    let program = argv.first().map(|p| p.as_bytes()).unwrap_or_default();
    if program.rsplit(|b| *b == b'/').next() == Some(b"genhash") {
        return run.read_genhash("genhash", argv.get(1..).unwrap_or_default());
    }
    let mut given = Given::default();
    let mut words = Vec::new();
    let rest = argv.get(1..).unwrap_or_default();
    for found in split::split(TABLE, rest) {
        match found {
            Found::Option { row, .. } if row.long == "genhash" => return run.genhash(rest),
            Found::Option { row, value } => {
                if let Some(status) = run.act(row.long, value.as_deref()) {
                    return run.exit(status);
                }
                given.add(row, value);
            }
            Found::Word(word) => words.push(word.to_string_lossy().into_owned()),
            Found::Unknown(name) => run.complain(&format!("Unknown option {name}")),
            Found::Missing(name) => run.complain(&format!("Missing parameter for option {name}")),
        }
    }
    if !words.is_empty() {
        // On standard output, and not an error: so it is in the C daemon.
        let _ = writeln!(run.stdout, "Unexpected argument(s): {}", words.join(" "));
    }
    if run.bad {
        return run.exit(1);
    }
    run.finish(&given)
}

/// The options met, as the struct behind the table wants them: each value once (the last one
/// wins, as with `getopt`), switches as often as they were given.
#[derive(Default)]
struct Given(Vec<(&'static Opt, Option<String>)>);

impl Given {
    fn add(&mut self, row: &'static Opt, value: Option<OsString>) {
        if row.long == "all" {
            // Re-enables what was disabled earlier on the line.
            self.0.retain(|(row, _)| !matches!(row.long, "vrrp" | "check" | "no_bfd"));
        }
        if row.value != Value::None {
            self.0.retain(|(earlier, _)| earlier.long != row.long);
        }
        let value = match row.value {
            Value::None => None,
            Value::Needed(_) | Value::Maybe(_) => Some(options::to_text(value.unwrap_or_default())),
        };
        self.0.push((row, value));
    }

    fn canonical(&self) -> Vec<String> {
        let mut argv = Vec::new();
        for (row, value) in &self.0 {
            argv.push(format!("--{}", row.long.replace('_', "-")));
            argv.extend(value.clone());
        }
        argv
    }
}

struct Run {
    stdout: String,
    stderr: String,
    bad: bool,
}

impl Run {
    fn complain(&mut self, message: &str) {
        self.stderr.push_str(message);
        self.stderr.push('\n');
        self.bad = true;
    }

    /// Options that act where they stand; the status to exit with, if it is one of them.
    fn act(&mut self, long: &str, value: Option<&OsStr>) -> Option<i32> {
        match long {
            "version" => {
                self.stderr.push_str(&text::version());
                Some(0)
            }
            "help" => {
                self.stderr.push_str(&text::usage());
                Some(0)
            }
            "signum" => {
                let name = value.unwrap_or_default().to_string_lossy();
                match signal_number(&name) {
                    Some(number) => {
                        let _ = writeln!(self.stdout, "{number}");
                        Some(0)
                    }
                    None => {
                        let _ = writeln!(self.stderr, "Unknown sigfunc {name}");
                        Some(1)
                    }
                }
            }
            _ => None,
        }
    }

    /// What stands behind `-T` is the command line of another program, and what stands before it is
    /// lost.
    fn genhash(mut self, argv: &[OsString]) -> Invocation {
        let is_genhash =
            |found: &Found| matches!(found, Found::Option { row, .. } if row.long == "genhash");
        let mut behind = 0;
        let mut found = Vec::new();
        while behind < argv.len() && !found.iter().any(is_genhash) {
            behind += 1;
            found = split::split(TABLE, argv.get(..behind).unwrap_or_default());
        }
        if !found.first().is_some_and(is_genhash) {
            let warning = "Warning -- `-T` not used as first option, previous options ignored\n";
            self.stderr.push_str(warning);
        }
        self.read_genhash("keepalived --genhash", argv.get(behind..).unwrap_or_default())
    }

    fn read_genhash(mut self, program: &str, argv: &[OsString]) -> Invocation {
        match genhash::read(program, argv) {
            Ok(page) => {
                let action = Action::Genhash(Box::new(page));
                Invocation { stdout: self.stdout, stderr: self.stderr, action }
            }
            Err(text) => {
                self.stderr.push_str(&text);
                self.exit(1)
            }
        }
    }

    fn finish(mut self, given: &Given) -> Invocation {
        let argv = given.canonical();
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        match <Args as argh::FromArgs>::from_args(&["keepalived"], &argv) {
            Ok(args) => {
                let (options, messages) = Options::new(args);
                for message in messages {
                    let _ = writeln!(self.stderr, "{message}");
                }
                Invocation {
                    stdout: self.stdout,
                    stderr: self.stderr,
                    action: Action::Run(Box::new(options)),
                }
            }
            Err(early) => {
                self.stderr.push_str(&early.output);
                self.exit(1)
            }
        }
    }

    fn exit(self, status: i32) -> Invocation {
        Invocation { stdout: self.stdout, stderr: self.stderr, action: Action::Exit(status) }
    }
}

#[cfg(test)]
mod tests;
