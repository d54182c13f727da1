//! Writes a file whole or not at all, and never through a symbolic link: its directory is usually
//! `/tmp`, and the writer is usually root.
//!
//! The text goes to a new file of an unpredictable name beside it, which then takes the name: a
//! reader sees the old file or the new one, whatever stood under the name (a link included) is replaced.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Attempts at a name nobody else has taken.
const ATTEMPTS: u32 = 16;

/// Replaces `path` by a file with `text` in it, mode 0666 less the umask (by default 0600).
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let (mut file, temporary) = create_beside(path)?;
    let done = file.write_all(text.as_bytes()).and_then(|()| std::fs::rename(&temporary, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    done
}

fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    for _ in 0..ATTEMPTS {
        let mut hidden = std::ffi::OsString::from(".");
        // A long name must leave room for what makes it unique.
        hidden.push(std::ffi::OsStr::from_bytes(&name.as_bytes()[..name.len().min(200)]));
        hidden.push(format!(".{:016x}", random()));
        let temporary = path.with_file_name(hidden);
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o666)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&temporary);
        match opened {
            Ok(file) => return Ok((file, temporary)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// From the keys that the standard library draws for its hash maps.
fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("ka-dump-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn replaces_and_leaves_nothing_beside() {
        let dir = directory("replace");
        let path = dir.join("keepalived.data");
        std::fs::write(&path, "State = FAULT").unwrap();
        write(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_link_under_the_name_is_replaced_not_followed() {
        let dir = directory("link");
        let path = dir.join("keepalived.data");
        std::fs::write(dir.join("victim"), "precious").unwrap();
        symlink(dir.join("victim"), &path).unwrap();
        write(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(dir.join("victim")).unwrap(), "precious");
        assert!(!path.symlink_metadata().unwrap().file_type().is_symlink());
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn failure_leaves_nothing_beside() {
        let dir = directory("fail");
        std::fs::create_dir(dir.join("keepalived.data")).unwrap();
        assert!(write(&dir.join("keepalived.data"), "x").is_err());
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn suffixes_go_before_the_last_dot() {
        for (path, changed) in
            [("/t/k.data", "/t/k_x.data"), ("/t/k", "/t/k_x"), ("/t/a.b.c", "/t/a.b_x.c")]
        {
            assert_eq!(super::super::insert_suffix(Path::new(path), "_x"), PathBuf::from(changed));
        }
    }
}
