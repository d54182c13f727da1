//! Where files come from: the disk, or memory for tests and tools.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// Largest file read; a configuration of a hundred thousand servers has a tenth of that.
pub const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// What a path leads to, symbolic links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or nothing that may be looked at.
    Missing,
    /// A directory.
    Directory,
    /// A regular file that somebody may execute.
    Executable,
    /// A regular file.
    Regular,
    /// A device, pipe or socket.
    Irregular,
}

impl Kind {
    /// Why it is not read; empty for [`Kind::Regular`].
    pub fn complaint(self) -> &'static str {
        match self {
            Kind::Missing => "does not exist",
            Kind::Directory => "is a directory",
            Kind::Executable | Kind::Irregular => "is not a regular non-executable file",
            Kind::Regular => "",
        }
    }
}

/// Access to files. All paths are absolute, or relative to a place of the implementation's choice.
pub trait Files {
    /// What is at `path`.
    fn kind(&self, path: &Path) -> Kind;

    /// The names in the directory `path`, in any order.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn list(&self, path: &Path) -> io::Result<Vec<Vec<u8>>>;

    /// The content of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read or is larger than [`MOST_BYTES`].
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// `path`, a directory, without symbolic links.
    fn resolve(&self, path: &Path) -> PathBuf;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn kind(&self, path: &Path) -> Kind {
        match fs::metadata(path) {
            Err(_) => Kind::Missing,
            Ok(data) if data.is_dir() => Kind::Directory,
            Ok(data) if !data.is_file() => Kind::Irregular,
            Ok(data) if data.permissions().mode() & 0o111 != 0 => Kind::Executable,
            Ok(_) => Kind::Regular,
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Vec<u8>>> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().into_vec())).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Whatever took the file's place since it was looked at must not block the daemon.
        let flags = nix::libc::O_NONBLOCK;
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut content = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MOST_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "file is too large"));
        }
        Ok(content)
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    }
}

/// Files kept in memory; directories exist as far as files are in them.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, (Kind, Vec<u8>)>,
}

impl Memory {
    /// No files.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// With a regular file.
    #[must_use]
    pub fn file(self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) -> Memory {
        self.entry(path, Kind::Regular, content)
    }

    /// With something else at `path`.
    #[must_use]
    pub fn entry(
        mut self,
        path: impl AsRef<Path>,
        kind: Kind,
        content: impl Into<Vec<u8>>,
    ) -> Memory {
        self.files.insert(normal(path.as_ref()), (kind, content.into()));
        self
    }
}

/// Without `.`, and `..` taken literally.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

impl Files for Memory {
    fn kind(&self, path: &Path) -> Kind {
        let path = normal(path);
        match self.files.get(&path) {
            Some((kind, _)) => *kind,
            None if self.files.keys().any(|file| file.starts_with(&path)) => Kind::Directory,
            None => Kind::Missing,
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Vec<u8>>> {
        let path = normal(path);
        let mut names: Vec<Vec<u8>> = self
            .files
            .keys()
            .filter_map(|file| file.strip_prefix(&path).ok()?.components().next())
            .map(|name| name.as_os_str().as_bytes().to_vec())
            .collect();
        names.dedup();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names) }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.files.get(&normal(path)) {
            Some((Kind::Regular, content)) => Ok(content.clone()),
            Some(_) => Err(io::ErrorKind::PermissionDenied.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        normal(path)
    }
}

/// The path that `name`, as found in a file or made by a pattern, stands for.
pub(crate) fn path_of(directory: &Path, name: &[u8]) -> PathBuf {
    directory.join(OsStr::from_bytes(name))
}
