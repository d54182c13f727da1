//! What a session says in the log, in the C daemon's words.

use std::fmt;

use log::Level;

use crate::packet::{Diagnostic, State};

/// Something to be logged. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A transition.
    Entering {
        /// From here.
        from: State,
        /// To here.
        to: State,
        /// Our diagnostic.
        local: Diagnostic,
        /// The neighbour's.
        remote: Diagnostic,
    },
    /// Nothing was heard for too long.
    Expired {
        /// The detection time.
        after: u64,
        /// Time since it was over.
        overdue: u64,
    },
    /// Another detection time.
    Detection {
        /// The new one.
        now: u64,
        /// The old one.
        was: u64,
    },
    /// Other intervals.
    Parameters {
        /// Of our side.
        local: Row,
        /// Of the neighbour's.
        remote: Row,
    },
    /// The neighbour is asked to confirm what has changed.
    Poll,
}

/// One side's parameters. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// It would send as often as this.
    pub min_tx: u32,
    /// It can receive as often as this.
    pub min_rx: u32,
    /// It sends as often as this.
    pub interval: u32,
    /// Its multiplier.
    pub multiplier: u8,
    /// It notices a failure after this.
    pub detection: u64,
}

impl Note {
    /// How much it matters: `Debug` is the detail of `-D`, `Trace` that of a second one.
    pub fn level(&self) -> Level {
        match self {
            Note::Entering { to: State::Up | State::AdminDown, .. } | Note::Detection { .. } => {
                Level::Info
            }
            Note::Entering { from: State::Up, .. } | Note::Expired { .. } => Level::Warn,
            Note::Entering { .. } => Level::Trace,
            Note::Parameters { .. } | Note::Poll => Level::Debug,
        }
    }

    /// The text, of a session with this name; several lines for parameters.
    pub fn of<'a>(&'a self, name: &'a str) -> impl fmt::Display + 'a {
        Said { note: self, name }
    }
}

struct Said<'a> {
    note: &'a Note,
    name: &'a str,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        // As wide as the name with its brackets.
        let indent = name.len() + 3;
        match *self.note {
            Note::Entering { to: State::Down, local, remote, .. } => write!(
                f,
                "({name}) Entering Down state (Local diagnostic - {local}, Remote diagnostic - {remote})"
            ),
            Note::Entering { to, .. } => write!(f, "({name}) Entering {to} state"),
            Note::Expired { after, overdue } => {
                write!(f, "({name}) Expired after {} ms ({overdue} usec overdue)", after / 1000)
            }
            Note::Detection { now, was } => {
                write!(f, "{:indent$}Detection time is {now} us (was {was} us)", "")
            }
            Note::Parameters { local, remote } => {
                writeln!(f, "({name}) ---------------< Session parameters >--------------")?;
                writeln!(
                    f,
                    "{:indent$}{:>15}{:>8}{:>9}{:>6}{:>13}",
                    "", "min_tx", "min_rx", "tx_intv", "mult", "detect_time"
                )?;
                let mut row = |side: &str, row: Row, end: &str| {
                    write!(
                        f,
                        "{:indent$}{side:6}{:>9}{:>8}{:>9}{:>6}{:>13}{end}",
                        "", row.min_tx, row.min_rx, row.interval, row.multiplier, row.detection
                    )
                };
                row("local", local, "\n")?;
                row("remote", remote, "")
            }
            Note::Poll => write!(f, "({name}) Starting poll sequence"),
        }
    }
}
