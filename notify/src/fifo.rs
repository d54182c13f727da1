//! Named pipes into which events are written, one line each.
//!
//! The pipe is created if it is not there, and removed again on close if it was created here. One
//! that exists is used only if it is a pipe of the daemon's or of the configured user, and not
//! behind a symbolic link. It is open for reading too, so that events do not fail while there is
//! no reader; they wait in the pipe. A line that does not fit is dropped whole and counted, never
//! written in part: the daemon does not wait for readers.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

/// Writes of up to this many bytes are not mixed with others or cut (POSIX `PIPE_BUF`).
const ATOMIC: usize = libc::PIPE_BUF;

/// Where a FIFO is and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub path: String,
    /// User who owns it when it is created here, and who may own it when it is not.
    pub uid: u32,
    /// Group of a FIFO created here.
    pub gid: u32,
}

/// Which events a FIFO gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FifoKind {
    /// `notify_fifo`: everything.
    Global,
    /// `vrrp_notify_fifo`: instances and sync groups.
    Vrrp,
    /// `lvs_notify_fifo`: virtual and real servers.
    Lvs,
}

impl FifoKind {
    /// All kinds.
    pub const ALL: [FifoKind; 3] = [FifoKind::Global, FifoKind::Vrrp, FifoKind::Lvs];

    /// What stands before "notify" in log lines.
    fn prefix(self) -> &'static str {
        match self {
            FifoKind::Global => "",
            FifoKind::Vrrp => "vrrp",
            FifoKind::Lvs => "lvs",
        }
    }

    /// `notify`, `vrrp_notify` or `lvs_notify`.
    pub(crate) fn keyword(self) -> String {
        [self.prefix(), "notify"]
            .iter()
            .filter(|p| !p.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("_")
    }
}

/// The line for a VRRP event: `INSTANCE "VI_1" MASTER 150`. `object` is `INSTANCE` or `GROUP`; a
/// group's priority is 0.
pub fn vrrp_line(object: &str, name: &str, state: &str, priority: u8) -> String {
    format!("{object} \"{name}\" {state} {priority}\n")
}

/// An open FIFO.
#[derive(Debug)]
pub(crate) struct Fifo {
    path: String,
    kind: FifoKind,
    file: File,
    id: (u64, u64),
    created: bool,
    dropped: u64,
}

impl Fifo {
    /// Creates the FIFO if need be and opens it; a failure is logged, and the FIFO not used.
    pub fn open(kind: FifoKind, place: &Place) -> Option<Fifo> {
        let keyword = kind.keyword();
        match Self::try_open(kind, place) {
            Ok(Some(fifo)) => Some(fifo),
            Ok(None) => {
                log::error!("{keyword} fifo {} is not a fifo we own - not using", place.path);
                None
            }
            Err(error) => {
                let number = error.raw_os_error().unwrap_or(0);
                log::error!(
                    "Unable to open {keyword} fifo {} - errno {number} ({error})",
                    place.path
                );
                None
            }
        }
    }

    fn try_open(kind: FifoKind, place: &Place) -> io::Result<Option<Fifo>> {
        let path = Path::new(&place.path);
        let created = match fs::symlink_metadata(path) {
            Ok(found) if !is_ours(&found, place) => return Ok(None),
            Ok(_) => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                mkfifo(path, Mode::from_bits_truncate(0o644))?;
                let made = fs::symlink_metadata(path)?;
                if (made.uid(), made.gid()) != (place.uid, place.gid) {
                    lchown(path, Some(place.uid), Some(place.gid))?;
                }
                true
            }
            Err(error) => return Err(error),
        };
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        // Whoever can write to the directory may have put something else there in between.
        let opened = file.metadata()?;
        if !is_ours(&opened, place) {
            return Ok(None);
        }
        let id = (opened.dev(), opened.ino());
        Ok(Some(Fifo { path: place.path.clone(), kind, file, id, created, dropped: 0 }))
    }

    /// Writes one line, newline included, whole or not at all. Never waits.
    pub fn write(&mut self, line: &str) {
        if line.len() > ATOMIC {
            self.drop_line("the line is too long");
            return;
        }
        match self.file.write(line.as_bytes()) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drop_line("nobody reads it fast enough");
            }
            Err(error) => {
                let words = self.kind.keyword().replace('_', " ");
                log::error!("{words} fifo write error: {error}");
                self.dropped = self.dropped.saturating_add(1);
            }
        }
    }

    /// Counts a lost line; says so for the first, second, fourth, eighth, …
    fn drop_line(&mut self, reason: &str) {
        self.dropped = self.dropped.saturating_add(1);
        if self.dropped.is_power_of_two() {
            log::warn!(
                "{} fifo {}: {reason}; lines lost so far: {}",
                self.kind.keyword(),
                self.path,
                self.dropped
            );
        }
    }

    /// Lines lost since it was opened.
    #[cfg(test)]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether the path still leads to the pipe that is open.
    pub fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|m| (m.dev(), m.ino()) == self.id)
    }
}

impl Drop for Fifo {
    /// Removes what was created here.
    fn drop(&mut self) {
        if self.created
            && self.is_in_place()
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove {} fifo {}: {error}", self.kind.keyword(), self.path);
        }
    }
}

fn is_ours(metadata: &Metadata, place: &Place) -> bool {
    metadata.file_type().is_fifo()
        && (metadata.uid() == geteuid().as_raw() || metadata.uid() == place.uid)
}

#[cfg(test)]
mod tests;
