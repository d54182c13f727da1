//! Log files: one for each part of the daemon, as the C daemon's processes had.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::ident::Part;
use super::{Entry, Idents};
use crate::dump;

/// The file of `-g` without a name, and where a relative name goes.
pub fn default_path(given: Option<&Path>) -> PathBuf {
    dump::temporary_directory().join(given.unwrap_or(Path::new("keepalived.log")))
}

/// The files that were written to so far.
pub struct Files {
    path: PathBuf,
    open: Vec<(Part, Option<File>)>,
}

impl Files {
    /// Opens each file with its first line.
    pub fn new(path: PathBuf) -> Files {
        Files { path, open: Vec::new() }
    }

    /// Closes all; the next lines may go to other names.
    pub fn close(&mut self) {
        self.open.clear();
    }

    /// Appends a line; a file that cannot be opened is not tried again.
    pub fn write(&mut self, entry: &Entry<'_>, idents: &Idents) {
        let position = self.open.iter().position(|(part, _)| *part == entry.part);
        let at = position.unwrap_or_else(|| {
            let name = dump::insert_suffix(
                &self.path,
                &format!("{}{}", entry.part.file_suffix(), idents.suffix()),
            );
            self.open.push((entry.part, open(&name).ok()));
            self.open.len() - 1
        });
        if let Some((_, Some(file))) = self.open.get_mut(at) {
            let line = line(entry);
            let _ = file.write_all(line.as_bytes());
        }
    }
}

fn line(entry: &Entry<'_>) -> String {
    format!(
        "{}.{:09} {}: {}\n",
        calendar::local(entry.seconds(), c"%a %b %d %T"),
        entry.at.subsec_nanos(),
        calendar::local(entry.seconds(), c"%Y"),
        entry.message
    )
}

/// A regular file, never through a symbolic link: the default name is in a directory that anybody
/// can write to.
fn open(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o666)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::ErrorKind::InvalidInput.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use log::Level;

    use super::*;

    #[test]
    fn each_part_has_its_file() {
        let dir = std::env::temp_dir().join(format!("ka-logfile-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut files = Files::new(dir.join("k.log"));
        let idents = Idents { namespace: None, instance: Some("one".into()) };
        for (part, message) in [(Part::Main, "a"), (Part::Vrrp, "b"), (Part::Main, "c")] {
            let at = Duration::from_nanos(1_000_000_123);
            files.write(&Entry { level: Level::Info, part, at, message }, &idents);
        }
        let main = std::fs::read_to_string(dir.join("k_one.log")).unwrap();
        let vrrp = std::fs::read_to_string(dir.join("k_vrrp_one.log")).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        let lines: Vec<&str> = main.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains(":01.000000123 19") && lines[0].ends_with(": a"), "{main}");
        assert!(vrrp.ends_with(": b\n"));
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let dir = std::env::temp_dir().join(format!("ka-loglink-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::os::unix::fs::symlink(dir.join("victim"), dir.join("k.log")).unwrap();
        assert!(open(&dir.join("k.log")).is_err());
        assert!(!dir.join("victim").exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
