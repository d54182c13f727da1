//! `-t`: says what is wrong with a configuration and ends with the status that tools know.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use config::{Mode, render};

use crate::cli::Options;
use crate::configuration::{self, Read};
use crate::process;

/// Where problems are written to.
enum Output {
    /// `-tFILE`.
    File(File),
    /// Standard error; with places shown in colour when it is a terminal.
    Stderr { terminal: bool },
}

/// Tests the configuration; the exit status.
pub fn run(options: &Options) -> i32 {
    process::set_umask(options.umask.unwrap_or(process::DEFAULT_UMASK));
    let mut output = match options.config_test.as_ref().and_then(Option::as_ref) {
        None => Output::Stderr { terminal: io::stderr().is_terminal() },
        Some(path) => match open(path) {
            Ok(file) => Output::File(file),
            Err(e) => {
                eprintln!("Unable to open config-test log file {}: {e}", path.display());
                return 1;
            }
        },
    };
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let read = configuration::read(options, &directory, Mode::Test);
    for diagnostic in read.diagnostics.iter().filter(|d| d.class.is_some()) {
        output.write(diagnostic, &read);
    }
    let status = read.test_status();
    // The process ends. To give back every one of many real servers would take a tenth of its time.
    std::mem::forget(read);
    status
}

impl Output {
    fn write(&mut self, diagnostic: &config::Diagnostic, read: &Read) {
        // Nobody is left to be told when this fails; the exit status still says it.
        let _ = match self {
            Output::Stderr { terminal: true } => {
                let shown = render::caret(
                    diagnostic,
                    &read.sources,
                    std::env::var_os("NO_COLOR").is_none(),
                );
                writeln!(io::stderr(), "{shown}")
            }
            Output::Stderr { terminal: false } => {
                writeln!(io::stderr(), "{}", render::one_line(diagnostic, &read.sources))
            }
            Output::File(file) => {
                writeln!(file, "{}", render::one_line(diagnostic, &read.sources))
            }
        };
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}
