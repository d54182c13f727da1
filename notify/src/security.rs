//! May this script be run, and can somebody else than root change what it does?
//!
//! A script that runs as root is as powerful as whoever can write to it, to a directory on the way
//! to it, or to a symbolic link on that way. So the path is walked the way the kernel walks it,
//! each element looked at before it is followed. Links are followed, because `/bin` is one on many
//! systems; a link is as trustworthy as its owner and the directory it is in.
//!
//! Access is judged by the permission bits. An access control list can only be seen as the group
//! bits that stand for its mask, so a script that its user may run by a list entry alone is taken
//! as not executable.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::script::Script;
use crate::spawn::is_open_test;

/// Links followed for one path, as many as the kernel follows.
const MAX_LINKS: usize = 40;
/// Where to search when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

const SET_UID: u32 = libc::S_ISUID;
const SET_GID: u32 = libc::S_ISGID;
const STICKY: u32 = libc::S_ISVTX;
const GROUP_WRITE: u32 = libc::S_IWGRP;
const OTHER_WRITE: u32 = libc::S_IWOTH;
const EXECUTE: u32 = 1;

/// What a look at a script's path has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can be run, and if it runs as root, nobody else can change it.
    Ok,
    /// It can be run, but runs as root and can be changed by somebody else.
    Insecure {
        /// The element of the path that is to blame.
        component: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner.
        owner: u32,
        /// Its group.
        group: u32,
    },
    /// The element does not exist or is not to be reached by the user.
    NotFound {
        /// The element of the path at which it ends.
        component: PathBuf,
        /// Why.
        reason: String,
    },
    /// It exists and its user may not execute it, or it is not a file.
    NotExecutable {
        /// The file.
        component: PathBuf,
        /// Its type and permission bits.
        mode: u32,
    },
}

impl Verdict {
    /// Whether the script can be run at all.
    pub fn is_runnable(&self) -> bool {
        matches!(self, Verdict::Ok | Verdict::Insecure { .. })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Ok => f.write_str("can be run"),
            Verdict::Insecure { component, mode, owner, group } => write!(
                f,
                "would run as root, but {} (mode {:04o}, owner {owner}, group {group}) can be \
                 changed by others; to fix it: chown root:root {0} && chmod go-w {0}",
                component.display(),
                mode & 0o7777,
            ),
            Verdict::NotFound { component, reason } => {
                write!(f, "cannot be run: {}: {reason}", component.display())
            }
            Verdict::NotExecutable { component, mode } => write!(
                f,
                "cannot be run: {} is not executable for its user (mode {:04o}{})",
                component.display(),
                mode & 0o7777,
                if mode & libc::S_IFMT == libc::S_IFREG { "" } else { ", not a file" },
            ),
        }
    }
}

/// Looks at the path of `script` as its user would, and at who could change it.
///
/// A command without a slash is looked up as [`find_in_path`] does it. The `< /path` form runs
/// nothing but the shell and is always fine.
pub fn check(script: &Script) -> Verdict {
    if is_open_test(&script.text) {
        return Verdict::Ok;
    }
    let name = script.argv.first().map(String::as_str).unwrap_or_default();
    if name.contains('/') {
        return check_path(Path::new(name), script);
    }
    match find_in_path(name, script) {
        Some(path) => check_path(&path, script),
        None => Verdict::NotFound { component: name.into(), reason: "not found in PATH".into() },
    }
}

/// Whether a configured script is to be used; says in the log what is wrong with it. `what` names
/// it ("vrrp_script chk"); `enforce` is `enable_script_security`, without which a script that
/// others could change is only complained about.
pub fn admit(script: &Script, enforce: bool, what: &str) -> bool {
    let verdict = check(script);
    match &verdict {
        Verdict::Ok => true,
        Verdict::Insecure { .. } if !enforce => {
            log::warn!("{what}: script '{}' {verdict}", script.text);
            true
        }
        _ => {
            log::error!("{what}: script '{}' {verdict} - disabling it", script.text);
            false
        }
    }
}

/// The first directory of `PATH` in which the script's user may execute a file of this name.
pub fn find_in_path(name: &str, script: &Script) -> Option<PathBuf> {
    if name.is_empty() {
        return None;
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|candidate| check_path(candidate, script).is_runnable())
}

fn check_path(path: &Path, script: &Script) -> Verdict {
    let mut walk = Walk { script, here: PathBuf::from("/"), weak: None };
    let file = match walk.go(path) {
        Ok(metadata) => metadata,
        Err(verdict) => return verdict,
    };
    let mode = file.mode();
    if !file.is_file() || !may_execute(script, &file) {
        return Verdict::NotExecutable { component: walk.here, mode };
    }
    let as_root = script.uid == 0
        || script.gid == 0
        || (mode & SET_UID != 0 && file.uid() == 0)
        || (mode & SET_GID != 0 && file.gid() == 0);
    match walk.weak {
        Some((component, weak)) if as_root => {
            Verdict::Insecure { component, mode: weak.mode(), owner: weak.uid(), group: weak.gid() }
        }
        _ => Verdict::Ok,
    }
}

/// A walk along a path, one element at a time.
struct Walk<'a> {
    script: &'a Script,
    /// The elements passed so far, free of links.
    here: PathBuf,
    /// The first element that somebody else than root can change.
    weak: Option<(PathBuf, Metadata)>,
}

impl Walk<'_> {
    /// Walks to the end of `path` and leaves [`Walk::here`] there.
    fn go(&mut self, path: &Path) -> Result<Metadata, Verdict> {
        let mut ahead: VecDeque<OsString> = elements(path).collect();
        let mut links = 0;
        let mut current = self.look(Path::new("/"))?;
        while let Some(element) = ahead.pop_front() {
            if !current.is_dir() {
                return Err(not_found(&self.here, &io::ErrorKind::NotADirectory.into()));
            }
            if !may_execute(self.script, &current) {
                return Err(not_found(&self.here, &io::ErrorKind::PermissionDenied.into()));
            }
            if element == OsStr::new("..") {
                self.here.pop();
                current = self.look(&self.here.clone())?;
                continue;
            }
            let next = self.here.join(&element);
            let metadata = self.look(&next)?;
            if !metadata.is_symlink() {
                self.here = next;
                current = metadata;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(not_found(&next, &io::Error::from_raw_os_error(libc::ELOOP)));
            }
            let target = fs::read_link(&next).map_err(|error| not_found(&next, &error))?;
            if target.is_absolute() {
                self.here = PathBuf::from("/");
                current = self.look(Path::new("/"))?;
            }
            for element in elements(&target).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(element);
            }
        }
        Ok(current)
    }

    /// Looks at one element without following it.
    fn look(&mut self, path: &Path) -> Result<Metadata, Verdict> {
        let metadata = fs::symlink_metadata(path).map_err(|error| not_found(path, &error))?;
        if self.weak.is_none() && is_weak(&metadata) {
            self.weak = Some((path.to_owned(), metadata.clone()));
        }
        Ok(metadata)
    }
}

/// The names in a path; `.` and the root are left out.
fn elements(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

fn not_found(component: &Path, error: &io::Error) -> Verdict {
    Verdict::NotFound { component: component.to_owned(), reason: error.to_string() }
}

/// Whether somebody else than root can change what is found here.
fn is_weak(metadata: &Metadata) -> bool {
    if metadata.uid() != 0 {
        return true;
    }
    // The bits of a link mean nothing; replacing it takes write access to its directory.
    if metadata.is_symlink() {
        return false;
    }
    let mode = metadata.mode();
    let sticky_directory = metadata.is_dir() && mode & STICKY != 0;
    (mode & GROUP_WRITE != 0 && metadata.gid() != 0)
        || (mode & OTHER_WRITE != 0 && !sticky_directory)
}

/// Whether the script's user may execute the file or pass through the directory.
fn may_execute(script: &Script, metadata: &Metadata) -> bool {
    let mode = metadata.mode();
    if script.uid == 0 {
        // Root needs one execute bit, no matter whose, to execute a file.
        return metadata.is_dir() || mode & 0o111 != 0;
    }
    let in_group = script.gid == metadata.gid()
        || script.groups.as_ref().is_some_and(|groups| groups.contains(&metadata.gid()));
    let shift = match () {
        () if script.uid == metadata.uid() => 6,
        () if in_group => 3,
        () => 0,
    };
    (mode >> shift) & EXECUTE != 0
}

#[cfg(test)]
mod tests;
