//! A cpio archive in the "newc" format, which the kernel unpacks as its first root file system.

use std::collections::BTreeMap;
use std::io::{self, Write};

/// File types, as in `st_mode`.
const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// Files by their path inside, without the leading slash.
#[derive(Default)]
pub(super) struct Archive(BTreeMap<String, Entry>);

struct Entry {
    mode: u32,
    data: Vec<u8>,
    device: (u32, u32),
}

impl Archive {
    /// A folder, and those above it.
    pub(super) fn folder(&mut self, path: &str) {
        let mut path = path.trim_matches('/');
        while !path.is_empty() {
            let entry = Entry { mode: FOLDER, data: Vec::new(), device: (0, 0) };
            self.0.entry(path.to_owned()).or_insert(entry);
            path = path.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    /// A file with its permissions, and the folders above it.
    pub(super) fn file(&mut self, path: &str, permissions: u32, data: Vec<u8>) {
        self.insert(path, Entry { mode: FILE | permissions, data, device: (0, 0) });
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.insert(path, Entry { mode: LINK, data: target.into(), device: (0, 0) });
    }

    /// A character device.
    pub(super) fn device(&mut self, path: &str, major: u32, minor: u32) {
        let entry = Entry { mode: CHARACTER_DEVICE, data: Vec::new(), device: (major, minor) };
        self.insert(path, entry);
    }

    /// Whether there is something at a path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path.trim_matches('/'))
    }

    fn insert(&mut self, path: &str, entry: Entry) {
        let path = path.trim_matches('/');
        if let Some((above, _)) = path.rsplit_once('/') {
            self.folder(above);
        }
        self.0.insert(path.to_owned(), entry);
    }

    /// Writes all of it.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (number, (path, entry)) in (1..).zip(&self.0) {
            write_entry(out, number, path, entry)?;
        }
        let end = Entry { mode: 0, data: Vec::new(), device: (0, 0) };
        write_entry(out, 0, "TRAILER!!!", &end)
    }
}

fn write_entry(out: &mut impl Write, inode: u32, path: &str, entry: &Entry) -> io::Result<()> {
    let size = u32::try_from(entry.data.len()).map_err(io::Error::other)?;
    let name_size = u32::try_from(path.len() + 1).map_err(io::Error::other)?;
    let (major, minor) = entry.device;
    // Owner, group and time are 0; the check sum is not used in this format.
    let fields = [inode, entry.mode, 0, 0, 1, 0, size, 0, 0, major, minor, name_size, 0];
    let header =
        fields.iter().fold("070701".to_owned(), |text, field| format!("{text}{field:08X}"));
    let padding = |length: usize| &[0; 3][..length.next_multiple_of(4) - length];
    out.write_all(header.as_bytes())?;
    out.write_all(path.as_bytes())?;
    out.write_all(&[0])?;
    out.write_all(padding(header.len() + path.len() + 1))?;
    out.write_all(&entry.data)?;
    out.write_all(padding(entry.data.len()))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn another_program_reads_it() {
        let mut archive = Archive::default();
        archive.file("/a/b/file", 0o755, b"hello".to_vec());
        archive.link("/a/link", "b/file");
        let mut bytes = Vec::new();
        archive.write(&mut bytes).unwrap();
        assert_eq!(bytes.len() % 4, 0);

        let busybox = Command::new("busybox")
            .args(["cpio", "-t"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = busybox else { return };
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let listing = child.wait_with_output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&listing), "a\na/b\na/b/file\na/link\n");
    }
}
