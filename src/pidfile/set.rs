//! The pid files of the daemon and of its parts: one for each process the C daemon would have.

use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::{PidFile, Refused, default_path};
use crate::cli::Options;
use crate::configuration::Parts;

/// One of them.
struct Slot {
    path: PathBuf,
    /// Whether the process that it stands for would run.
    needed: fn(Parts) -> bool,
    file: Option<PidFile>,
}

/// All of them.
pub struct PidFiles(Vec<Slot>);

/// Somebody else holds one, or it cannot be had.
#[derive(Debug)]
pub struct Running;

impl PidFiles {
    /// The files of all parts that are enabled; none is touched yet. Relative names are relative to
    /// `start`, also after a change of directory.
    pub fn new(
        options: &Options,
        start: &Path,
        use_directory: bool,
        instance: Option<&str>,
    ) -> PidFiles {
        let enabled = &options.subsystems;
        type Row<'a> = (bool, &'a str, &'a Option<PathBuf>, fn(Parts) -> bool);
        let rows: [Row<'_>; 4] = [
            (true, "keepalived", &options.pid, |_| true),
            (enabled.vrrp, "vrrp", &options.vrrp_pid, |runs| runs.vrrp),
            (enabled.check, "checkers", &options.checkers_pid, |runs| runs.check),
            (enabled.bfd, "bfd", &options.bfd_pid, |runs| runs.bfd),
        ];
        let slots =
            rows.into_iter().filter(|(enabled, ..)| *enabled).map(|(_, role, given, needed)| {
                let path = match given {
                    Some(path) => start.join(path),
                    None => default_path(role, use_directory, instance),
                };
                Slot { path, needed, file: None }
            });
        PidFiles(slots.collect())
    }

    /// Locks all, also those of parts that will not run: another daemon may run them. What was
    /// locked is removed again when one cannot be had.
    pub fn lock(&mut self) -> Result<(), Running> {
        for at in 0..self.0.len() {
            let slot = &mut self.0[at];
            match PidFile::lock(&slot.path) {
                Ok(file) => slot.file = Some(file),
                Err(refused) => {
                    refused.log(&slot.path);
                    self.remove();
                    return Err(Running);
                }
            }
        }
        Ok(())
    }

    /// Keeps the files of parts that run, makes those that are missing, removes the others.
    pub fn follow(&mut self, runs: Parts, pid: Pid) {
        for slot in &mut self.0 {
            if !(slot.needed)(runs) {
                if let Some(file) = slot.file.take() {
                    file.remove();
                }
                continue;
            }
            // Somebody may have removed or replaced it.
            slot.file.take_if(|file| !file.is_current());
            if slot.file.is_none() {
                slot.file = PidFile::lock(&slot.path).map_err(|e| e.log(&slot.path)).ok();
            }
            if let Some(Err(e)) = slot.file.as_mut().map(|file| file.write(pid)) {
                log::error!("Unable to write pid file {}: {e}", slot.path.display());
            }
        }
    }

    /// Removes all.
    pub fn remove(&mut self) {
        self.0.iter_mut().filter_map(|slot| slot.file.take()).for_each(PidFile::remove);
    }
}

impl Refused {
    fn log(&self, path: &Path) {
        let path = path.display();
        match self {
            Refused::Io(e) => log::error!("Unable to lock pid file {path}: {e}"),
            Refused::Held => log::debug!("Pid file {path} is held by another process"),
        }
    }
}
