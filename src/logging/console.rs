//! Standard error as a sink that never waits.
//!
//! Its open file description is shared with whoever started the daemon, so `O_NONBLOCK` is not set
//! on it. A terminal or pipe is opened anew through `/proc`, which makes a description of our own; a socket
//! is sent to with `MSG_DONTWAIT`; a regular file does not block. Where none of these works, a
//! `poll` before each short write tells whether there is room.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use log::Level;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Entry, Idents, Style, cut};
use crate::sys;

/// Bytes kept for a console that does not take them.
const BACKLOG: usize = 256 * 1024;

/// Longest message, as in the C daemon.
const MAX: usize = 510;

/// A write of at most this many bytes to a pipe that polls writable does not block.
const CHUNK: usize = 4096;

/// How bytes reach the descriptor.
enum Way {
    /// An own non-blocking description.
    Own(File),
    /// A socket: `MSG_DONTWAIT`.
    Socket,
    /// The shared description of a regular file.
    Regular,
    /// The shared description, after asking `poll`.
    Polled,
}

/// Standard error.
pub struct Console {
    style: Style,
    target: File,
    way: Way,
    backlog: VecDeque<u8>,
    lost: u64,
    /// Has a byte in it while the backlog is not empty.
    signal: Option<(PipeReader, PipeWriter)>,
    signalled: bool,
    /// A second since 1970 and its text: most lines are of the same second as the one before.
    time: (i64, String),
}

impl Console {
    /// On a duplicate of descriptor 2.
    pub fn stderr(style: Style) -> Console {
        let target = match io::stderr().as_fd().try_clone_to_owned() {
            Ok(fd) => File::from(fd),
            // No standard error at all.
            Err(_) => return Console::new(style, sink()),
        };
        Console::new(style, target)
    }

    fn new(style: Style, target: File) -> Console {
        let way = Way::of(&target);
        let signal = io::pipe().ok().filter(|(reader, writer)| {
            [reader.as_fd(), writer.as_fd()]
                .iter()
                .all(|fd| fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_ok())
        });
        let time = (i64::MIN, String::new());
        Console {
            style,
            target,
            way,
            backlog: VecDeque::new(),
            lost: 0,
            signal,
            signalled: false,
            time,
        }
    }

    /// The descriptor to wait on until it is writable.
    pub fn fd(&self) -> RawFd {
        match &self.way {
            Way::Own(file) => file.as_raw_fd(),
            _ => self.target.as_raw_fd(),
        }
    }

    /// Readable while lines wait.
    pub fn backlog(&self) -> Option<RawFd> {
        self.signal.as_ref().map(|(reader, _)| reader.as_raw_fd())
    }

    /// Writes a line, or keeps it, or counts it as lost.
    pub fn write(&mut self, entry: &Entry<'_>, idents: &Idents) {
        self.flush();
        if self.time.0 != entry.seconds() {
            self.time = (entry.seconds(), calendar::local(entry.seconds(), c"%c"));
        }
        let line = self.line(entry, idents);
        if self.backlog.len() + line.len() > BACKLOG {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        let was_empty = self.backlog.is_empty();
        self.backlog.extend(line.as_bytes());
        if !self.flush()
            && was_empty
            && let Some((_, writer)) = &mut self.signal
        {
            self.signalled = writer.write(b"!").is_ok();
        }
    }

    fn line(&self, entry: &Entry<'_>, idents: &Idents) -> String {
        let time = &self.time.1;
        let message = cut(entry.message, MAX);
        if self.style == Style::Plain {
            return [time, ": ", message, "\n"].concat();
        }
        let colour = match entry.level {
            Level::Error => "\x1b[31m",
            Level::Warn => "\x1b[33m",
            Level::Info => "",
            Level::Debug | Level::Trace => "\x1b[2m",
        };
        let who = format!("{}{}", entry.part.ident(), idents.suffix());
        format!("\x1b[2m{time}\x1b[0m \x1b[36m{who}\x1b[0m {colour}{message}\x1b[0m\n")
    }

    /// Writes what waits; true when nothing is left.
    pub fn flush(&mut self) -> bool {
        while !self.backlog.is_empty() {
            let (front, _) = self.backlog.as_slices();
            match self.way.write(&self.target, front) {
                Ok(0) => return false,
                Ok(len) => {
                    self.backlog.drain(..len.min(self.backlog.len()));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
                // Nobody will ever read it.
                Err(_) => self.backlog.clear(),
            }
            if self.backlog.is_empty() && self.lost > 0 {
                let lost = std::mem::take(&mut self.lost);
                self.backlog.extend(format!("{lost} lines lost\n").as_bytes());
            }
        }
        if self.signalled
            && let Some((reader, _)) = &mut self.signal
        {
            let _ = reader.read(&mut [0; 16]);
            self.signalled = false;
        }
        true
    }
}

/// A file that takes everything.
fn sink() -> File {
    match OpenOptions::new().write(true).open("/dev/null").or_else(|_| File::open("/")) {
        Ok(file) => file,
        Err(_) => std::process::abort(),
    }
}

impl Way {
    fn of(target: &File) -> Way {
        let Ok(kind) = target.metadata().map(|m| m.file_type()) else { return Way::Polled };
        if kind.is_file() {
            return Way::Regular;
        }
        if kind.is_socket() {
            return Way::Socket;
        }
        let path = format!("/proc/self/fd/{}", target.as_raw_fd());
        let own = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path);
        own.map_or(Way::Polled, Way::Own)
    }

    fn write(&mut self, target: &File, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Way::Own(file) => file.write(bytes),
            Way::Socket => sys::send_now(target.as_fd(), bytes),
            Way::Regular => (&mut &*target).write(bytes),
            Way::Polled => {
                if !writable(target.as_fd()) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                (&mut &*target).write(&bytes[..bytes.len().min(CHUNK)])
            }
        }
    }
}

fn writable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::super::ident::Part;
    use super::*;

    fn entry(message: &str) -> Entry<'_> {
        Entry { level: Level::Info, part: Part::Main, at: Duration::ZERO, message }
    }

    fn console(fd: impl Into<OwnedFd>) -> Console {
        Console::new(Style::Plain, File::from(fd.into()))
    }

    #[test]
    fn a_line_is_the_c_daemons() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut console = console(writer);
        console.write(&entry("Startup complete"), &Idents::default());
        let mut buf = [0; 200];
        let len = reader.read(&mut buf).unwrap();
        let line = std::str::from_utf8(&buf[..len]).unwrap();
        let time = line.strip_suffix(": Startup complete\n").unwrap();
        // `Thu Jan  1 00:00:00 1970`, in whatever zone.
        assert_eq!(time.len(), 24);
        assert!(time.ends_with("1970") || time.ends_with("1969"));
    }

    /// Fills a console nobody reads, checks that it comes back, then reads all.
    fn stall(mut console: Console, mut reader: impl Read) {
        let long = "x".repeat(400);
        let mut written = 0;
        while console.lost < 2 {
            console.write(&entry(&long), &Idents::default());
            written += 1;
        }
        assert!(console.backlog.len() <= BACKLOG);
        assert!(writable_now(&console.signal.as_ref().unwrap().0), "the loop is told");
        let mut seen = Vec::new();
        let mut buf = vec![0; 65536];
        while !console.flush() {
            let len = reader.read(&mut buf).unwrap();
            seen.extend_from_slice(&buf[..len]);
        }
        assert!(!writable_now(&console.signal.as_ref().unwrap().0));
        drop(console);
        reader.read_to_end(&mut seen).unwrap();
        let text = String::from_utf8(seen).unwrap();
        assert_eq!(text.matches(&long).count(), written - 2);
        assert!(text.ends_with("2 lines lost\n"));
    }

    fn writable_now(reader: &PipeReader) -> bool {
        let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
    }

    #[test]
    fn a_stalled_pipe_never_blocks() {
        let (reader, writer) = io::pipe().unwrap();
        let console = console(writer);
        assert!(matches!(console.way, Way::Own(_)));
        stall(console, reader);
    }

    #[test]
    fn a_stalled_pipe_that_cannot_be_reopened_never_blocks() {
        let (reader, writer) = io::pipe().unwrap();
        let mut console = console(writer);
        console.way = Way::Polled;
        stall(console, reader);
    }

    #[test]
    fn a_stalled_socket_never_blocks() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let console = console(writer);
        assert!(matches!(console.way, Way::Socket));
        stall(console, reader);
    }

    #[test]
    fn a_reader_that_went_away_is_forgotten() {
        let (reader, writer) = io::pipe().unwrap();
        let mut console = console(writer);
        drop(reader);
        console.write(&entry("x"), &Idents::default());
        assert!(console.backlog.is_empty());
    }
}
