//! `track_file`: a number in a file, read again whenever the file changes.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, RawFd};
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use scheduler::{Class, Ready, Scheduler, Time};

use super::{HasVrrp, Vrrp, finish};
use crate::config::FileSettings;
use crate::router::{Status, TrackerKind};

/// Bytes of a file that are looked at.
const LIMIT: u64 = 127;

/// The directories being watched.
pub(super) struct Watch {
    inotify: Inotify,
    directories: HashMap<WatchDescriptor, PathBuf>,
}

impl Watch {
    /// Watches the directories of all files.
    fn open(files: &[FileSettings]) -> io::Result<Watch> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let mut directories = HashMap::new();
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM;
        for file in files {
            let Some(directory) = Path::new(&file.path).parent() else { continue };
            match inotify.add_watch(directory, flags) {
                Ok(descriptor) => {
                    directories.insert(descriptor, directory.to_owned());
                }
                Err(error) => {
                    log::error!(
                        "Cannot watch {} for track_file {}: {error}",
                        directory.display(),
                        file.name
                    );
                }
            }
        }
        Ok(Watch { inotify, directories })
    }

    pub fn fd(&self) -> RawFd {
        self.inotify.as_fd().as_raw_fd()
    }

    /// Paths that changed; `None` when events were lost and every file may have.
    fn changed(&self) -> Option<Vec<PathBuf>> {
        let mut paths = Vec::new();
        let mut lost = false;
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                lost |= event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                let name: OsString = event.name.unwrap_or_default();
                if let Some(directory) = self.directories.get(&event.wd) {
                    paths.push(directory.join(name));
                }
            }
        }
        (!lost).then_some(paths)
    }
}

/// The number in a file: C notation, 0 when it is missing, empty or no number. `Err`: a number
/// outside 32 bits, which is ignored (spec vrrp-behaviour §5.4).
pub fn read_number(path: &Path) -> Result<i64, String> {
    let mut text = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(LIMIT).read_to_end(&mut text);
    }
    let text = String::from_utf8_lossy(&text);
    parse_number(&text).ok_or_else(|| text.trim().to_owned())
}

/// C's `strtol` with base 0 on the start of `text`; `None` outside 32 bits.
fn parse_number(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, &digits[2..]),
        _ if digits.starts_with('0') => (8, digits),
        _ => (10, digits),
    };
    let mut value: i64 = 0;
    for digit in digits.chars().map_while(|c| c.to_digit(radix)) {
        value = value.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit));
    }
    let value = if negative { -value } else { value };
    (i64::from(i32::MIN)..=i64::from(i32::MAX)).contains(&value).then_some(value)
}

impl Vrrp {
    /// Writes the initial values that `init_file` asks for (only at the daemon's start).
    pub(super) fn init_files(&self) {
        for file in &self.files {
            let Some((value, overwrite)) = file.init else { continue };
            if !overwrite && Path::new(&file.path).exists() {
                continue;
            }
            if let Err(error) = std::fs::write(&file.path, format!("{value}\n")) {
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
        match Watch::open(&self.files) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => log::error!("Cannot watch track_files: {error}"),
        }
        for i in 0..self.files.len() {
            self.read_file(now, i);
        }
    }

    fn read_file(&mut self, now: Time, file: usize) {
        let file = &self.files[file];
        let Some(tracker) = self.router.tracker(TrackerKind::File, &file.name) else { return };
        match read_number(Path::new(&file.path)) {
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
    let changed = watch.changed();
    for i in 0..vrrp.files.len() {
        let path = Path::new(&vrrp.files[i].path);
        if changed.as_ref().is_none_or(|paths| paths.iter().any(|p| p == path)) {
            vrrp.read_file(ready.now, i);
        }
    }
    wait(s, w);
    finish(s, w);
}

#[cfg(test)]
mod tests {
    use super::parse_number;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let rows = [
            ("", Some(0)),
            ("5\n", Some(5)),
            (" -7 x", Some(-7)),
            ("0x1f", Some(31)),
            ("010", Some(8)),
            ("+3", Some(3)),
            ("abc", Some(0)),
            ("2147483648", None),
            ("-2147483648", Some(-2_147_483_648)),
            ("99999999999999999999999", None),
            ("é", Some(0)),
        ];
        for (text, number) in rows {
            assert_eq!(parse_number(text), number, "{text:?}");
        }
    }
}
