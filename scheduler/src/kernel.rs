//! The kernel's side: one mio poll, one timerfd for the earliest deadline, one signalfd on demand.
//!
//! mio rounds poll time-outs up to whole milliseconds, hence the timerfd. It is never read: its next
//! expiry makes a new edge anyway, and setting it again clears it. It is set only when it would fire
//! too late or has fired; when the earliest deadline moves away (as a master_down_timer does with
//! every advert), it is left alone and wakes the loop once for nothing, instead of costing a system
//! call each time.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::source::{READ, Source, WRITE};
use crate::{Stats, Time, sys};

const TIMER: Token = Token(usize::MAX);
const SIGNAL: Token = Token(usize::MAX - 1);
const HALF: u32 = usize::BITS / 2;
/// How many events one poll can report.
pub(crate) const BATCH: usize = 256;

/// One event of a descriptor.
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    pub fd: RawFd,
    pub generation: u32,
    pub readable: bool,
    pub writable: bool,
}

pub(crate) struct Kernel {
    poll: Poll,
    events: Events,
    timer: TimerFd,
    /// What the timerfd was last set to; not after now means that it has fired.
    armed: Time,
    signal: Option<File>,
    mask: u64,
    /// Found by the last poll, in the kernel's order.
    pub edges: Vec<Edge>,
    /// The last poll found the signalfd readable.
    pub signalled: bool,
}

/// The now of `CLOCK_MONOTONIC`.
pub(crate) fn clock() -> Time {
    // The call cannot fail with this clock on Linux.
    let spec = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .unwrap_or(TimeSpec::new(0, 0));
    Time::ZERO + Duration::from(spec)
}

fn token(fd: RawFd, generation: u32) -> Token {
    let low = (1usize << HALF) - 1;
    Token((generation as usize & low) << HALF | fd as usize & low)
}

fn split(token: Token) -> (RawFd, u32) {
    let low = (1usize << HALF) - 1;
    ((token.0 & low) as RawFd, (token.0 >> HALF) as u32)
}

fn interest(bits: u8) -> Interest {
    match bits {
        READ => Interest::READABLE,
        WRITE => Interest::WRITABLE,
        _ => Interest::READABLE | Interest::WRITABLE,
    }
}

impl Kernel {
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = TimerFd::new(
            ClockId::CLOCK_MONOTONIC,
            TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC,
        )?;
        let raw = timer.as_fd().as_raw_fd();
        poll.registry().register(&mut SourceFd(&raw), TIMER, Interest::READABLE)?;
        Ok(Kernel {
            poll,
            events: Events::with_capacity(BATCH),
            timer,
            armed: Time::ZERO,
            signal: None,
            mask: 0,
            edges: Vec::with_capacity(BATCH),
            signalled: false,
        })
    }

    /// Makes sure that the timerfd fires at `head` or before.
    pub fn arm(&mut self, head: Time, now: Time, stats: &mut Stats) -> io::Result<()> {
        if head == Time::NEVER || (now < self.armed && self.armed <= head) {
            return Ok(());
        }
        // Zero would disarm it.
        let at = TimeSpec::from_duration(Duration::from_nanos(head.as_nanos().max(1)));
        self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        self.armed = head;
        stats.timer_sets += 1;
        Ok(())
    }

    /// Polls once, without a time-out or for nothing longer than a look, and appends what it finds
    /// to `edges`. An interrupted poll finds nothing. Returns whether there may be more to find.
    pub fn poll(&mut self, wait: bool, stats: &mut Stats) -> io::Result<bool> {
        let timeout = if wait { None } else { Some(Duration::ZERO) };
        stats.polls += 1;
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            result => result?,
        }
        let mut count = 0;
        for event in &self.events {
            count += 1;
            match event.token() {
                TIMER => {}
                SIGNAL => self.signalled = true,
                token => {
                    let (fd, generation) = split(token);
                    let failed = event.is_error();
                    let readable = event.is_readable() || event.is_read_closed() || failed;
                    let writable = event.is_writable() || event.is_write_closed() || failed;
                    self.edges.push(Edge { fd, generation, readable, writable });
                }
            }
        }
        Ok(count >= BATCH)
    }

    /// Asks the kernel to watch `fd` for `wanted`, and to report what is ready already.
    pub fn control(
        &self,
        fd: RawFd,
        source: &mut Source,
        wanted: u8,
        stats: &mut Stats,
    ) -> io::Result<()> {
        let registry = self.poll.registry();
        let mut target = SourceFd(&fd);
        stats.controls += 1;
        if source.interest != 0 {
            match registry.reregister(&mut target, token(fd, source.generation), interest(wanted)) {
                // Closed without a word, and the number reused: another open file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    source.generation = source.generation.wrapping_add(1);
                    source.drained = false;
                    stats.controls += 1;
                }
                result => {
                    source.interest = if result.is_ok() { wanted } else { source.interest };
                    return result;
                }
            }
        }
        source.interest = 0;
        registry.register(&mut target, token(fd, source.generation), interest(wanted))?;
        source.interest = wanted;
        Ok(())
    }

    /// Stops watching `fd`, if it is watched.
    pub fn ignore(&self, fd: RawFd, source: &mut Source, stats: &mut Stats) {
        if source.interest == 0 {
            return;
        }
        stats.controls += 1;
        // Fails only when it was closed before, and then it is out already.
        if let Err(error) = self.poll.registry().deregister(&mut SourceFd(&fd)) {
            log::debug!("descriptor {fd} was closed while it was watched: {error}");
        }
        source.interest = 0;
        source.generation = source.generation.wrapping_add(1);
    }

    /// Whether edges of this generation are of the file the source stands for now.
    pub fn is_current(edge: &Edge, source: &Source) -> bool {
        source.interest != 0 && token(edge.fd, source.generation) == token(edge.fd, edge.generation)
    }

    /// Blocks `signal` and reports it from now on.
    pub fn watch_signal(&mut self, signal: i32) -> io::Result<()> {
        let mask = self.mask | 1 << (signal - 1);
        if mask == self.mask {
            return Ok(());
        }
        sys::block_signals(mask)?;
        match &self.signal {
            Some(file) => sys::signalfd_change(file.as_fd(), mask)?,
            None => {
                let fd: OwnedFd = sys::signalfd(mask)?;
                let raw = fd.as_raw_fd();
                self.poll.registry().register(&mut SourceFd(&raw), SIGNAL, Interest::READABLE)?;
                self.signal = Some(File::from(fd));
            }
        }
        self.mask = mask;
        // One that was pending before its signalfd was asked about it makes no edge.
        self.signalled = true;
        Ok(())
    }

    /// The next signal that came, `None` when all have been read.
    pub fn next_signal(&mut self) -> io::Result<Option<i32>> {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let Some(file) = &mut self.signal else { return Ok(None) };
        let mut info = [0u8; SIZE];
        match file.read(&mut info) {
            // ssi_signo is the first field.
            Ok(SIZE) => {
                let [a, b, c, d, ..] = info;
                Ok(i32::try_from(u32::from_ne_bytes([a, b, c, d])).ok())
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}
