//! Pid files: whole-file locks on open file descriptions, which last as long as the daemon (a fork
//! keeps them, a crash drops them), so a stale file never keeps a new daemon from starting.

mod set;

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::unistd::Pid;

pub use set::PidFiles;

/// Where the state of running programs goes.
pub const RUN: &str = "/run";

/// The directory of pid files that use one.
pub const RUN_KEEPALIVED: &str = "/run/keepalived";

/// Times a file may vanish between open and lock.
const ATTEMPTS: u32 = 16;

/// Why a pid file could not be had.
#[derive(Debug)]
pub enum Refused {
    /// Another process holds it.
    Held,
    /// It cannot be opened or locked.
    Io(io::Error),
}

/// A locked pid file.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Creates or takes over the file at `path`, mode 0644 whatever the umask. A symbolic link or
    /// anything but a regular file is refused.
    pub fn lock(path: &Path) -> Result<PidFile, Refused> {
        for _ in 0..ATTEMPTS {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
                .open(path)
                .map_err(Refused::Io)?;
            if !file.metadata().map_err(Refused::Io)?.is_file() {
                return Err(Refused::Io(io::ErrorKind::InvalidInput.into()));
            }
            match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
                Ok(_) => {}
                Err(Errno::EAGAIN | Errno::EACCES) => return Err(Refused::Held),
                Err(e) => return Err(Refused::Io(e.into())),
            }
            let locked = PidFile { path: path.to_path_buf(), file };
            if locked.is_current() {
                let mode = Permissions::from_mode(0o644);
                locked.file.set_permissions(mode).map_err(Refused::Io)?;
                // What a daemon that is gone has left is nobody's pid.
                locked.file.set_len(0).map_err(Refused::Io)?;
                return Ok(locked);
            }
            // Its holder removed it while we opened it: the name means another file now.
        }
        Err(Refused::Held)
    }

    /// Replaces the content by `pid` and a newline. The launcher and the daemon both write, through
    /// one open file, so neither may move its offset, nor empty it under the eyes of a reader.
    pub fn write(&mut self, pid: Pid) -> io::Result<()> {
        let content = format!("{pid}\n");
        self.file.write_all_at(content.as_bytes(), 0)?;
        self.file.set_len(content.len() as u64)
    }

    /// Removes the file, unless the name belongs to somebody else's file by now.
    pub fn remove(self) {
        if self.is_current() {
            let _ = std::fs::remove_file(&self.path);
        }
    }

    fn is_current(&self) -> bool {
        match (self.file.metadata(), self.path.symlink_metadata()) {
            (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
            _ => false,
        }
    }
}

fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        // Has to be zero for this kind of lock.
        l_pid: 0,
    }
}

/// Default name of the file of `role` ("keepalived", "vrrp", "checkers", "bfd").
pub fn default_path(role: &str, use_directory: bool, instance: Option<&str>) -> PathBuf {
    match instance {
        Some(name) => PathBuf::from(format!("{RUN_KEEPALIVED}/{role}_{name}.pid")),
        None if use_directory => PathBuf::from(format!("{RUN_KEEPALIVED}/{role}.pid")),
        None => PathBuf::from(format!("{RUN}/{role}.pid")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ka-pid-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_second_daemon_is_refused_and_a_stale_file_is_not_in_the_way() {
        let path = path("second");
        std::fs::write(&path, "99999999999\n").unwrap();
        let mut first = PidFile::lock(&path).unwrap();
        first.write(Pid::from_raw(7)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "7\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert!(matches!(PidFile::lock(&path), Err(Refused::Held)));
        first.remove();
        assert!(!path.exists());
        PidFile::lock(&path).unwrap().remove();
    }

    #[test]
    fn a_reader_never_finds_it_empty_while_it_is_written_again() {
        let path = path("again");
        let mut file = PidFile::lock(&path).unwrap();
        file.write(Pid::from_raw(12345)).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    file.write(Pid::from_raw(12345)).unwrap();
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                assert_eq!(std::fs::read_to_string(&path).unwrap(), "12345\n");
            }
        });
        file.remove();
    }

    #[test]
    fn a_file_somebody_replaced_is_left_alone() {
        let path = path("replaced");
        let first = PidFile::lock(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = PidFile::lock(&path).unwrap();
        first.remove();
        assert!(path.exists());
        second.remove();
        assert!(!path.exists());
    }

    #[test]
    fn links_and_directories_are_refused() {
        let link = path("link");
        std::os::unix::fs::symlink("/nonexistent/x", &link).unwrap();
        assert!(matches!(PidFile::lock(&link), Err(Refused::Io(_))));
        std::fs::remove_file(&link).unwrap();
        assert!(matches!(PidFile::lock(&std::env::temp_dir()), Err(Refused::Io(_))));
    }

    #[test]
    fn default_names() {
        let name = |dir, instance| default_path("vrrp", dir, instance).display().to_string();
        assert_eq!(name(false, None), "/run/vrrp.pid");
        assert_eq!(name(true, None), "/run/keepalived/vrrp.pid");
        assert_eq!(name(false, Some("a")), "/run/keepalived/vrrp_a.pid");
    }
}
