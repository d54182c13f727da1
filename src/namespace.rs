//! Running in a network namespace, with a view of `/run/keepalived` of its own: the pid files stand in
//! `/run/keepalived/NAME` for everybody else.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use crate::pidfile::RUN_KEEPALIVED;

/// A network namespace that the process is in.
#[derive(Debug)]
pub struct Namespace {
    directory: PathBuf,
    mounted: bool,
}

impl Namespace {
    /// For a process that has [entered](enter) `name`: gives it its private directory. That is a
    /// convenience: when it cannot be made, that is logged and the pid files stand in the common one.
    pub fn settle(name: &str) -> Namespace {
        let mut namespace =
            Namespace { directory: Path::new(RUN_KEEPALIVED).join(name), mounted: false };
        match namespace.mount() {
            Ok(()) => namespace.mounted = true,
            Err(e) => log::warn!("Unable to mount {}: {e}", namespace.directory.display()),
        }
        namespace
    }

    fn mount(&self) -> io::Result<()> {
        make_directory(Path::new(RUN_KEEPALIVED))?;
        make_directory(&self.directory)?;
        unshare(CloneFlags::CLONE_NEWNS)?;
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_SLAVE, nothing)?;
        mount(Some(self.directory.as_path()), RUN_KEEPALIVED, nothing, MsFlags::MS_BIND, nothing)?;
        Ok(())
    }

    /// Unmounts and removes the directory, if it is empty.
    pub fn leave(self) {
        if self.mounted && umount2(RUN_KEEPALIVED, MntFlags::MNT_DETACH).is_err() {
            return;
        }
        let _ = std::fs::remove_dir(&self.directory);
        remove_pid_directory();
    }
}

/// The network namespace that the process has left to [`enter`] another.
static LEFT: OnceLock<File> = OnceLock::new();

/// The network namespace that the process began in, if it is in another now.
pub fn left() -> Option<BorrowedFd<'static>> {
    LEFT.get().map(AsFd::as_fd)
}

/// Joins the network namespace `/run/netns/NAME`.
pub fn enter(name: &str) -> io::Result<()> {
    // A name with a slash would mean a file anywhere.
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let file = File::open(Path::new("/run/netns").join(name))?;
    let before = File::open("/proc/thread-self/ns/net");
    setns(&file, CloneFlags::CLONE_NEWNET)?;
    if let Ok(before) = before {
        // Of several the first.
        let _ = LEFT.set(before);
    }
    Ok(())
}

/// Makes a directory with mode 0755 whatever the umask.
fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => std::fs::set_permissions(path, Permissions::from_mode(0o755)),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
}

/// Makes the directory of the pid files.
pub fn make_pid_directory() -> io::Result<()> {
    make_directory(Path::new(RUN_KEEPALIVED))
}

/// Removes it if it is empty.
pub fn remove_pid_directory() {
    let _ = std::fs::remove_dir(RUN_KEEPALIVED);
}
