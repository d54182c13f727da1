//! Files written for those who look: state, statistics, JSON.

mod file;
pub mod global;
pub mod names;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

pub use file::write;

/// `TMPDIR` if it is an absolute existing directory, else `/tmp`.
pub fn temporary_directory() -> PathBuf {
    match std::env::var_os("TMPDIR").map(PathBuf::from) {
        Some(dir) if dir.is_absolute() && dir.is_dir() => dir,
        _ => PathBuf::from("/tmp"),
    }
}

/// `suffix` before the last `.` of the file's name, or at its end.
pub fn insert_suffix(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let at = name.iter().rposition(|b| *b == b'.').unwrap_or(name.len());
    let mut changed = name[..at].to_vec();
    changed.extend(suffix.as_bytes());
    changed.extend(&name[at..]);
    path.with_file_name(OsString::from_vec(changed))
}
