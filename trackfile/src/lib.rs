//! `track_file`: a number in a file, read again whenever the file changes.
//!
//! Directories are watched and not files, so that a file may come, go and be replaced.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// Bytes of a file that are looked at.
const LIMIT: u64 = 127;
/// Reads of events in a row; what is left is reported again.
const READS: usize = 64;

/// Files being watched, known by their position among those that were given.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    files: HashMap<(WatchDescriptor, OsString), Vec<usize>>,
    count: usize,
}

impl Watch {
    /// Watches files, given by name and path; a link is followed now and not again. A file whose
    /// directory cannot be watched is logged by its name, and never reported.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn open<'a>(files: impl IntoIterator<Item = (&'a str, &'a Path)>) -> io::Result<Watch> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let mut watch = Watch { inotify, files: HashMap::new(), count: 0 };
        for (name, path) in files {
            watch.add(name, path);
        }
        Ok(watch)
    }

    fn add(&mut self, name: &str, path: &Path) {
        let position = self.count;
        self.count += 1;
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (Some(directory), Some(file)) = (path.parent(), path.file_name()) else { return };
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM;
        match self.inotify.add_watch(directory, flags) {
            Ok(descriptor) => {
                self.files.entry((descriptor, file.to_owned())).or_default().push(position);
            }
            Err(error) => {
                let directory = directory.display();
                log::error!("Cannot watch {directory} for track_file {name}: {error}");
            }
        }
    }

    /// What becomes readable when a file has changed.
    pub fn fd(&self) -> RawFd {
        self.inotify.as_fd().as_raw_fd()
    }

    /// The files that changed since the last call, in order; all of them when events were lost.
    pub fn changed(&self) -> Vec<usize> {
        let mut changed = BTreeSet::new();
        for _ in 0..READS {
            let Ok(events) = self.inotify.read_events() else { break };
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    changed.extend(0..self.count);
                }
                let Some(name) = event.name else { continue };
                changed.extend(self.files.get(&(event.wd, name)).into_iter().flatten());
            }
        }
        changed.into_iter().collect()
    }
}

/// Writes the first number into a file (`init_file`): into one that is there only with `overwrite`.
///
/// # Errors
/// It cannot be written.
pub fn initialise(path: &Path, number: i32, overwrite: bool) -> io::Result<()> {
    if !overwrite && path.exists() {
        return Ok(());
    }
    // A FIFO does not keep us waiting for its reader.
    let flags = OFlag::O_NONBLOCK.bits();
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).custom_flags(flags).open(path);
    file?.write_all(format!("{number}\n").as_bytes())
}

/// The number in a file: C notation, 0 when it is missing, empty or no number.
///
/// # Errors
/// The text of a number outside `range`, which is to be ignored.
pub fn read_number(path: &Path, range: RangeInclusive<i64>) -> Result<i64, String> {
    let mut text = Vec::new();
    // A FIFO does not keep us waiting; it is empty.
    let flags = OFlag::O_NONBLOCK.bits();
    if let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) {
        // What could be read until then.
        let _ = file.take(LIMIT).read_to_end(&mut text);
    }
    number_in(&text, range)
}

/// The same of what stands in the file.
///
/// # Errors
/// As [`read_number`].
pub fn number_in(text: &[u8], range: RangeInclusive<i64>) -> Result<i64, String> {
    let text = String::from_utf8_lossy(text);
    let number = parse_number(&text);
    if range.contains(&number) { Ok(number) } else { Err(text.trim().to_owned()) }
}

/// C's `strtol` with base 0 on the start of `text`.
fn parse_number(text: &str) -> i64 {
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
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        let rows = [
            ("", 0),
            ("5\n", 5),
            (" -7 x", -7),
            ("0x1f", 31),
            ("0X1F", 31),
            ("010", 8),
            ("08", 0),
            ("+3", 3),
            ("abc", 0),
            ("-2147483648", -2_147_483_648),
            ("99999999999999999999999", i64::MAX),
            ("é", 0),
        ];
        for (text, number) in rows {
            assert_eq!(parse_number(text), number, "{text:?}");
        }
    }

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let path =
                std::env::temp_dir().join(format!("trackfile-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Directory(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn what_is_out_of_range_is_told_and_what_is_missing_is_zero() {
        let directory = Directory::new("range");
        let file = directory.0.join("f");
        assert_eq!(read_number(&file, -5..=5), Ok(0));
        fs::write(&file, "6\n").unwrap();
        assert_eq!(read_number(&file, -5..=5), Err("6".into()));
        assert_eq!(read_number(&file, -5..=6), Ok(6));
        fs::write(&file, format!("{}7", " ".repeat(127))).unwrap();
        assert_eq!(read_number(&file, -5..=5), Ok(0), "not in the first 127 bytes");
        assert_eq!(read_number(&directory.0, -5..=5), Ok(0), "no file");
        let fifo = directory.0.join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read_number(&fifo, -5..=5), Ok(0), "a FIFO nobody writes to");
        assert!(initialise(&fifo, 1, true).is_err(), "nor reads");
    }

    #[test]
    fn every_way_of_changing_a_file_is_seen() {
        let directory = Directory::new("watch");
        let path = |name: &str| directory.0.join(name);
        fs::write(path("real"), "1").unwrap();
        std::os::unix::fs::symlink(path("real"), path("link")).unwrap();
        let (file, link, nowhere) = (path("file"), path("link"), PathBuf::from("/no/such/place"));
        let files = [("file", &*file), ("link", &*link), ("nowhere", &*nowhere)];
        let watch = Watch::open(files).unwrap();
        assert_eq!(watch.changed(), []);
        fs::write(path("other"), "1").unwrap();
        assert_eq!(watch.changed(), []);
        fs::write(&file, "1").unwrap();
        assert_eq!(watch.changed(), [0]);
        fs::rename(&file, path("other")).unwrap();
        assert_eq!(watch.changed(), [0]);
        fs::rename(path("other"), &file).unwrap();
        fs::write(path("real"), "2").unwrap();
        assert_eq!(watch.changed(), [0, 1]);
        fs::remove_file(&file).unwrap();
        assert_eq!(watch.changed(), [0]);
    }
}
