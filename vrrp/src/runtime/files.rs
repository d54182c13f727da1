//! `track_file`: a number in a file, read again whenever the file changes.

use std::ops::RangeInclusive;
use std::path::Path;

use scheduler::{Class, Ready, Scheduler, Time};
use trackfile::Watch;

use super::{HasVrrp, Vrrp, finish};
use crate::config::FileSettings;
use crate::router::{Status, TrackerKind};

/// Numbers that count (spec vrrp-behaviour §5.4).
const RANGE: RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;

impl Vrrp {
    /// Writes the initial values that `init_file` asks for (only at the daemon's start).
    pub(super) fn init_files(&self) {
        for file in &self.files {
            let Some((value, overwrite)) = file.init else { continue };
            if let Err(error) = trackfile::initialise(Path::new(&file.path), value, overwrite) {
                log::error!("Cannot write track_file {} ({}): {error}", file.name, file.path);
            }
        }
    }

    /// Opens the watch, then reads every file, so that no change falls between.
    pub(super) fn watch_files(&mut self, now: Time) {
        self.watch = None;
        if self.files.is_empty() {
            return;
        }
        let files = self.files.iter().map(|file| (file.name.as_str(), Path::new(&file.path)));
        match Watch::open(files) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => log::error!("Cannot watch track_files: {error}"),
        }
        for i in 0..self.files.len() {
            self.read_file(now, i);
        }
    }

    fn read_file(&mut self, now: Time, file: usize) {
        let Some(file) = self.files.get(file) else { return };
        let Some(tracker) = self.router.tracker(TrackerKind::File, &file.name) else { return };
        match trackfile::read_number(Path::new(&file.path), RANGE) {
            Ok(value) => {
                self.router.set_tracker(now, tracker, Status::Value(value), &mut self.actions);
            }
            Err(number) => log::info!("Invalid number {number} read from {} - ignoring", file.path),
        }
    }

    /// The tracked files, for the dump.
    pub fn files(&self) -> &[FileSettings] {
        &self.files
    }
}

/// Waits for the next change.
pub(super) fn wait<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(watch) = w.vrrp().and_then(|v| v.watch.as_ref()) else { return };
    if let Err(error) = s.add_read(Class::Urgent, watch.fd(), None, 0, on_change::<W>) {
        log::error!("Cannot wait for changes of track_files: {error}");
    }
}

fn on_change<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    let Some(watch) = &vrrp.watch else { return };
    for file in watch.changed() {
        vrrp.read_file(ready.now, file);
    }
    wait(s, w);
    finish(s, w);
}
