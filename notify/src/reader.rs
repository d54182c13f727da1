//! The three FIFOs and the scripts that read them.
//!
//! A reader outlives reloads for as long as its definition and its pipe stay as they are. There
//! are never two at a time: a successor starts when its predecessor has ended, and what is written
//! in between waits in the pipe. A reader that fails is started again after a while; one that
//! exits with status 0 wanted to (it may have gone into the background) and is left alone.

use std::time::Duration;

use scheduler::{Class, Ready, Scheduler};

use crate::config::Settings;
use crate::fifo::{Fifo, FifoKind, Place};
use crate::notifier::{HasNotify, Role, add_child};
use crate::script::Script;
use crate::security;
use crate::spawn::spawn;

/// Until a reader that failed is started again.
const RETRY: Duration = Duration::from_secs(5);

/// Whether a FIFO's reader is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reader {
    /// To be started.
    #[default]
    Missing,
    /// This process.
    Running(i32),
    /// It failed and will be started again by a timer or a reload.
    Failed,
    /// It went of its own accord.
    Left,
}

#[derive(Debug, Default)]
struct Slot {
    place: Option<Place>,
    script: Option<Script>,
    fifo: Option<Fifo>,
    reader: Reader,
}

/// The FIFOs by kind.
#[derive(Debug)]
pub(crate) struct Readers {
    slots: [Slot; FifoKind::ALL.len()],
    pub retry: Duration,
}

impl Default for Readers {
    fn default() -> Self {
        Readers { slots: Default::default(), retry: RETRY }
    }
}

impl Readers {
    fn slot(&mut self, kind: FifoKind) -> &mut Slot {
        let [global, vrrp, lvs] = &mut self.slots;
        match kind {
            FifoKind::Global => global,
            FifoKind::Vrrp => vrrp,
            FifoKind::Lvs => lvs,
        }
    }

    /// Takes the new settings and closes what does not fit them; returns the readers that must
    /// end. Nothing is opened or started here.
    pub fn configure(&mut self, settings: &Settings) -> Vec<i32> {
        let mut must_end = Vec::new();
        for kind in FifoKind::ALL {
            let (place, script) = wanted(kind, settings);
            let slot = self.slot(kind);
            let same_place =
                slot.place == place && slot.fifo.as_ref().is_none_or(Fifo::is_in_place);
            let same = same_place && slot.script == script;
            if !same_place {
                slot.fifo = None;
            }
            match slot.reader {
                Reader::Running(pid) if !same => must_end.push(pid),
                Reader::Failed => slot.reader = Reader::Missing,
                Reader::Left if !same => slot.reader = Reader::Missing,
                Reader::Running(_) | Reader::Left | Reader::Missing => {}
            }
            (slot.place, slot.script) = (place, script);
        }
        must_end
    }

    /// Opens what is configured and closed.
    fn open(&mut self) {
        for kind in FifoKind::ALL {
            let slot = self.slot(kind);
            if let (None, Some(place)) = (&slot.fifo, &slot.place) {
                slot.fifo = Fifo::open(kind, place);
            }
        }
    }

    /// Closes everything; readers see the end of their pipe and are not started again.
    pub fn close(&mut self) {
        for slot in &mut self.slots {
            slot.fifo = None;
            slot.place = None;
            slot.script = None;
        }
    }

    /// Writes a line to the FIFOs of these kinds that are open.
    pub fn write(&mut self, kinds: &[FifoKind], line: &str) {
        for kind in kinds {
            if let Some(fifo) = &mut self.slot(*kind).fifo {
                fifo.write(line);
            }
        }
    }
}

/// What the configuration says about one FIFO. A script that may not be run is left out.
fn wanted(kind: FifoKind, settings: &Settings) -> (Option<Place>, Option<Script>) {
    let fifo = match kind {
        FifoKind::Global => &settings.fifo,
        FifoKind::Vrrp => &settings.vrrp_fifo,
        FifoKind::Lvs => &settings.lvs_fifo,
    };
    let Some((path, owner)) = &fifo.path else { return (None, None) };
    let place = Place { path: path.clone(), uid: owner.uid, gid: owner.gid };
    let enforce = settings.scripts.security;
    let what = format!("{}_fifo_script", kind.keyword());
    let script = fifo.script.as_ref().filter(|s| security::admit(s, enforce, &what)).cloned();
    (Some(place), script)
}

/// Opens the FIFOs that are not open and starts the readers that are missing.
pub(crate) fn start_missing<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W) {
    if s.is_simulated() {
        return;
    }
    w.notify().readers.open();
    for kind in FifoKind::ALL {
        let slot = w.notify().readers.slot(kind);
        if slot.reader != Reader::Missing || slot.fifo.is_none() {
            continue;
        }
        let (Some(place), Some(script)) = (&slot.place, slot.script.clone()) else { continue };
        match spawn(&script, &[&place.path]) {
            Ok(pid) => {
                slot.reader = Reader::Running(pid);
                add_child(s, w, pid, None, Role::Reader(kind), &script.text);
            }
            // It has been logged; the next reload tries again.
            Err(_) => slot.reader = Reader::Failed,
        }
    }
}

/// A reader has ended: because it was told to, or of its own accord and then well or not.
pub(crate) fn ended<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    kind: FifoKind,
    told: bool,
    failed: bool,
) {
    let retry_after = w.notify().readers.retry;
    let slot = w.notify().readers.slot(kind);
    if told {
        slot.reader = Reader::Missing;
        start_missing(s, w);
    } else if failed && slot.place.is_some() {
        slot.reader = Reader::Failed;
        s.add_timer_after(Class::Background, retry_after, kind as u64, retry::<W>);
    } else {
        slot.reader = Reader::Left;
    }
}

fn retry<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(kind) = FifoKind::ALL.into_iter().find(|&kind| kind as u64 == ready.arg) else {
        return;
    };
    let slot = w.notify().readers.slot(kind);
    if slot.reader == Reader::Failed {
        slot.reader = Reader::Missing;
        start_missing(s, w);
    }
}
