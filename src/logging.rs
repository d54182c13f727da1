//! Log lines: the `log` macros in front, `env_logger` as filter, and three sinks of our own behind
//! its formatting hook: syslog, console, file.
//!
//! Promise: no log call waits. A sink that cannot take a line drops it, counts it, and says later
//! how many were lost, because a log call that blocks is an advert that is not sent.
//!
//! Levels: `debug` lines are the detail of `-D`, `trace` lines that of a second `-D`; what a plain
//! daemon says is `info` and above. `RUST_LOG` has no say.

mod console;
mod file;
mod ident;
mod syslog;

use std::fmt::Write;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter};

use console::Console;
use file::Files;
pub use file::default_path as default_file;
pub use ident::Idents;
use ident::Part;
use syslog::Syslog;

use crate::cli::Facility;

/// Room for a line as most are; one that grows as it is written takes several times as long.
const ROOM: usize = 192;

/// Where the lines go.
#[derive(Clone, Debug, Default)]
pub struct Sinks {
    /// To syslog, with this facility.
    pub syslog: Option<Facility>,
    /// To standard error.
    pub console: Option<Style>,
    /// To this file and those beside it.
    pub file: Option<PathBuf>,
}

/// How lines look on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The C daemon's form.
    Plain,
    /// For somebody who watches: which part speaks, in colour.
    Colour,
}

/// One line on its way to the sinks.
struct Entry<'a> {
    level: Level,
    part: Part,
    /// Since 1970.
    at: Duration,
    message: &'a str,
}

impl Entry<'_> {
    fn seconds(&self) -> i64 {
        i64::try_from(self.at.as_secs()).unwrap_or(i64::MAX)
    }
}

/// At most `max` bytes of `text`, whole characters.
fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

#[derive(Default)]
struct Open {
    idents: Idents,
    syslog: Option<Syslog>,
    console: Option<Console>,
    files: Option<Files>,
}

static OPEN: Mutex<Option<Open>> = Mutex::new(None);

fn with_open<R>(run: impl FnOnce(&mut Open) -> R) -> Option<R> {
    // A panic inside a sink must not silence the rest of the daemon's life.
    let mut open = OPEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    open.as_mut().map(run)
}

/// Starts logging; `detail` is how often `-D` was given. Lines before this call are lost.
pub fn start(sinks: &Sinks, detail: u32) {
    let open = Open {
        idents: Idents::default(),
        syslog: sinks.syslog.map(|facility| Syslog::new(facility, syslog::PATH)),
        console: sinks.console.map(Console::stderr),
        files: sinks.file.clone().map(Files::new),
    };
    *OPEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(open);
    let level = match detail {
        0 => LevelFilter::Info,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    let logger = env_logger::Builder::new()
        .filter_level(level)
        .format(|_, record| {
            let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let mut message = String::with_capacity(ROOM);
            // A String takes all that is written to it.
            let _ = write!(message, "{}", record.args());
            for line in message.lines() {
                let part = Part::of(record.target());
                emit(&Entry { level: record.level(), part, at, message: line });
            }
            Ok(())
        })
        // The hook writes to the sinks itself and leaves nothing for this target.
        .target(env_logger::Target::Pipe(Box::new(std::io::sink())))
        .build();
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(level);
    }
}

fn emit(entry: &Entry<'_>) {
    with_open(|open| {
        if let Some(syslog) = &mut open.syslog {
            syslog.write(entry, &open.idents);
        }
        if let Some(console) = &mut open.console {
            console.write(entry, &open.idents);
        }
        if let Some(files) = &mut open.files {
            files.write(entry, &open.idents);
        }
    });
}

/// Adds the network namespace and the instance's name to the idents and file names.
pub fn set_idents(idents: Idents) {
    with_open(|open| {
        if let Some(files) = &mut open.files {
            files.close();
        }
        open.idents = idents;
    });
}

/// Readable when lines wait for a console that was not writable.
pub fn console_backlog() -> Option<RawFd> {
    with_open(|open| open.console.as_ref().and_then(Console::backlog)).flatten()
}

/// The console's descriptor, to wait on until it is writable.
pub fn console_fd() -> Option<RawFd> {
    with_open(|open| open.console.as_ref().map(Console::fd)).flatten()
}

/// Writes lines that wait; true when none is left.
pub fn flush_console() -> bool {
    with_open(|open| open.console.as_mut().is_none_or(Console::flush)).unwrap_or(true)
}
