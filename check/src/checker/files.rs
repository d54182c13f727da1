//! `FILE_CHECK`: what the files say, at the start and whenever they change.
//!
//! A file is read once, however many checkers follow it.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::rc::Rc;

use scheduler::{Class, Ready, Scheduler};
use trackfile::Watch;

use super::attempt::{self, Outcome};
use super::{CheckerId, find};
use crate::runtime::HasCheck;
use crate::settings::{Kind, TrackFile};

/// Numbers that count (spec checkers-behaviour §11).
pub(crate) const RANGE: RangeInclusive<i64> = -2_147_483_648..=2_147_483_648;

/// Files that checkers follow.
pub(crate) struct Followed {
    watch: Watch,
    files: Vec<(Rc<TrackFile>, Vec<CheckerId>)>,
}

/// Writes the first numbers that `init_file` asks for.
pub(crate) fn initialise(files: &[Rc<TrackFile>]) {
    for file in files {
        let Some((number, overwrite)) = file.init else { continue };
        if let Err(error) = trackfile::initialise(Path::new(&file.path), number, overwrite) {
            log::error!("Cannot write track_file {} ({}): {error}", file.name, file.path);
        }
    }
}

/// Follows the files of all checkers there are, which replaces what was followed before, and reads
/// each of them now. To be called once the checkers of a configuration are in.
pub(crate) fn follow<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    unfollow(s, w);
    let Some(check) = w.check().filter(|_| !s.is_simulated()) else { return };
    let mut files: Vec<(Rc<TrackFile>, Vec<CheckerId>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (id, checker) in check.checkers.iter() {
        let Kind::File(settings) = &checker.settings.kind else { continue };
        let place = *places.entry(settings.file.path.as_str()).or_insert(files.len());
        match files.get_mut(place) {
            Some((_, followers)) => followers.push(id),
            None => files.push((Rc::clone(&settings.file), vec![id])),
        }
    }
    if files.is_empty() {
        return;
    }
    let named = files.iter().map(|(file, _)| (file.name.as_str(), Path::new(&file.path)));
    let watch = match Watch::open(named) {
        Ok(watch) => watch,
        Err(error) => {
            log::error!("Cannot watch track_files: {error}");
            return;
        }
    };
    let all = 0..files.len();
    check.checkers.followed = Some(Followed { watch, files });
    // The watch is older than what is read now, so that no change falls between.
    all.for_each(|file| tell(s, w, file));
    wait(s, w);
}

/// Follows no file any more.
pub(crate) fn unfollow<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    if let Some(followed) = w.check().and_then(|check| check.checkers.followed.take()) {
        s.forget(followed.watch.fd());
    }
}

/// Reads the file of one checker again.
pub(super) fn read<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(checker) = find(w, id) else { return };
    let Kind::File(settings) = &checker.settings.kind else { return };
    let number = number(&settings.file);
    checker.running = false;
    if let Some(number) = number {
        attempt::ended(s, w, id, Outcome::Number(number));
    }
}

fn wait<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(followed) = w.check().and_then(|check| check.checkers.followed.as_ref()) else {
        return;
    };
    if let Err(error) = s.add_read(Class::Checker, followed.watch.fd(), None, 0, on_change::<W>) {
        log::error!("Cannot wait for changes of track_files: {error}");
    }
}

fn on_change<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let followed = w.check().and_then(|check| check.checkers.followed.as_ref());
    let Some(changed) = followed.map(|followed| followed.watch.changed()) else { return };
    for file in changed {
        tell(s, w, file);
    }
    wait(s, w);
}

/// Tells the followers of a file what is in it.
fn tell<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, file: usize) {
    let followed = w.check().and_then(|check| check.checkers.followed.as_ref());
    let Some((file, followers)) = followed.and_then(|followed| followed.files.get(file)) else {
        return;
    };
    let Some(number) = number(file) else { return };
    for id in followers.clone() {
        attempt::ended(s, w, id, Outcome::Number(number));
    }
}

/// What is in a file, unless it does not count.
pub(crate) fn number(file: &TrackFile) -> Option<i64> {
    let number = trackfile::read_number(Path::new(&file.path), RANGE);
    number.inspect_err(|n| log::info!("Invalid number {n} read from {} - ignoring", file.path)).ok()
}

#[cfg(test)]
mod tests;
