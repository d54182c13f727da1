//! Loading the kernel's module.
//!
//! It takes tens of milliseconds, and a script of the administrator's may do it in any time it likes.

use std::fs::File;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::channel;

/// Where the kernel says which program loads modules.
const PROGRAM: &str = "/proc/sys/kernel/modprobe";
/// What it is unless somebody changed it.
const USUAL: &str = "/sbin/modprobe";
/// How long loading may take.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How often [`load`] tries.
const ATTEMPTS: usize = 2;
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Longest path the kernel takes there.
const PATH_MAX: u64 = 256;

/// Loads `ip_vs` where it is missing, and waits for it, at most for twice [`PATIENCE`].
///
/// # Errors
/// The program cannot be run, fails, or takes too long.
pub fn load() -> io::Result<()> {
    for _ in 0..ATTEMPTS {
        let Some(mut child) = begin()? else { break };
        wait(&mut child, PATIENCE)?;
    }
    Ok(())
}

/// Begins to load `ip_vs` and leaves the program to the caller, who is to end it after
/// [`PATIENCE`]. `None` where nothing is missing.
///
/// # Errors
/// The program cannot be run.
pub fn begin() -> io::Result<Option<Child>> {
    if !channel::is_missing() {
        return Ok(None);
    }
    let program = program();
    if program.is_empty() {
        return Err(io::Error::other("loading modules is switched off"));
    }
    let child = Command::new(program)
        .args(["-s", "--", "ip_vs"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Some(child))
}

fn program() -> String {
    let mut text = String::new();
    match File::open(PROGRAM).and_then(|file| file.take(PATH_MAX).read_to_string(&mut text)) {
        Ok(_) => text.trim_end_matches('\n').to_owned(),
        Err(_) => USUAL.to_owned(),
    }
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(io::Error::other(status.to_string())),
            None if Instant::now() >= deadline => {
                child.kill()?;
                child.wait()?;
                return Err(io::ErrorKind::TimedOut.into());
            }
            None => thread::sleep(LOOK_AGAIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended_and_one_that_fails_says_so() {
        let mut hangs = Command::new("sleep").arg("1000").spawn().unwrap();
        let error = wait(&mut hangs, Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(hangs.try_wait().unwrap().is_some());
        let mut fails = Command::new("false").spawn().unwrap();
        assert!(wait(&mut fails, PATIENCE).is_err());
        let mut works = Command::new("true").spawn().unwrap();
        assert!(wait(&mut works, PATIENCE).is_ok());
    }
}
