//! BFD in the daemon: the sessions of this crate, their sockets, and the scheduler that wakes them.
//!
//! One timer stands for all sessions; a callback lets them do what is due or what a datagram asks for, and
//! [`finish`] sends, logs, tells those who follow a session, and moves the timer. In steady state nothing
//! is allocated.

mod socket;

use std::fmt::Display;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use config::Random;
use scheduler::{Class, Ready, Scheduler, ThreadId, Time};

use crate::packet::{Packet, State};
use crate::session::{Action, Actions, Session};
use crate::settings::{InstanceSettings, Settings};
use crate::table::{Drops, Refused, Sessions};
use socket::{Buffer, Receiver, Sender};

/// Datagrams taken from a socket before the loop looks at other urgent work.
const AT_ONCE: usize = 512;

/// How long sessions are not given up because datagrams wait to be read: as long as it takes to read what a
/// process that was frozen finds, and not as long as somebody floods us.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Until a receive socket that could not be opened is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(60);

/// Lines of one session in a second.
const LINES: u32 = 20;

const SECOND: Duration = Duration::from_secs(1);

/// What the scheduler's world must offer for BFD to live in it.
pub trait HasBfd: Sized + 'static {
    /// The running BFD, if it was started.
    fn bfd(&mut self) -> Option<&mut Bfd>;

    /// A session went up or down. At the end of a start or a reload, all are told of as they were told
    /// last.
    fn session_changed(s: &mut Scheduler<Self>, w: &mut Self, news: &News);
}

/// What became of a session.
#[derive(Clone, Debug)]
pub struct News {
    /// Which one, and for whom.
    pub settings: Rc<InstanceSettings>,
    /// It is up.
    pub up: bool,
}

/// A session's socket and what is to be remembered of it.
#[derive(Default)]
pub(crate) struct Port {
    sender: Option<Sender>,
    /// The last packet could not be sent.
    pub(crate) failing: bool,
    /// When a packet last made us try to open the socket.
    tried: Option<Time>,
    /// Lines in the second that began then, and those that were left out.
    second: Time,
    lines: u32,
    left_out: u32,
}

impl Port {
    pub(crate) fn fd(&self) -> Option<i32> {
        self.sender.as_ref().map(Sender::fd)
    }
}

/// Why a socket is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Occasion {
    /// A start or a reload.
    Configured,
    /// It is time to try again.
    Time,
    /// A packet came for the session.
    Heard,
}

/// All of BFD.
pub struct Bfd {
    sessions: Sessions,
    ports: Vec<Port>,
    /// Over one hop, over several.
    receivers: [Option<Receiver>; 2],
    /// For source ports.
    random: Random,
    actions: Actions,
    news: Vec<News>,
    buffer: Box<Buffer>,
    drops: Drops,
    /// Since when there has been more to read than was read.
    behind: [Option<Time>; 2],
    /// The last line about a dropped datagram.
    complained: Option<Time>,
    timer: Option<(ThreadId, Time)>,
    listening_again: Option<ThreadId>,
}

impl Default for Bfd {
    fn default() -> Self {
        Bfd::new()
    }
}

impl Bfd {
    /// Without sessions.
    pub fn new() -> Bfd {
        Bfd {
            sessions: Sessions::new(Random::new()),
            ports: Vec::new(),
            receivers: [None, None],
            random: Random::new(),
            actions: Actions::new(),
            news: Vec::new(),
            buffer: Box::default(),
            drops: Drops::default(),
            behind: [None; 2],
            complained: None,
            timer: None,
            listening_again: None,
        }
    }

    /// The sessions, in the order of the configuration.
    pub fn sessions(&self) -> &[Session] {
        self.sessions.list()
    }

    /// What followers of each session were told last.
    pub fn states(&self) -> impl Iterator<Item = News> + '_ {
        self.sessions()
            .iter()
            .map(|session| News { settings: Rc::clone(session.settings()), up: session.told() })
    }

    /// Datagrams that reached no session.
    pub fn drops(&self) -> Drops {
        self.drops
    }

    pub(crate) fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// Descriptors of the sockets for one hop and for several.
    pub(crate) fn listening(&self) -> [Option<i32>; 2] {
        self.receivers.each_ref().map(|receiver| receiver.as_ref().map(Receiver::fd))
    }

    /// Does what sessions asked for.
    fn perform(&mut self, now: Time) {
        let mut done = 0;
        while let Some(&(place, action)) = self.actions.get(done) {
            done += 1;
            match action {
                Action::Send(packet) => self.send(place, &packet),
                Action::Tell(up) => {
                    if let Some(session) = self.sessions.list().get(place) {
                        self.news.push(News { settings: Rc::clone(session.settings()), up });
                    }
                }
                Action::Say(note) => {
                    if log::log_enabled!(note.level())
                        && self.may_say(now, place)
                        && let Some(session) = self.sessions.list().get(place)
                    {
                        log::log!(note.level(), "{}", note.of(&session.settings().name));
                    }
                }
                Action::Open => self.open(now, place, Occasion::Time),
            }
        }
        self.actions.clear();
    }

    /// A neighbour that makes a session say much is not to fill the log.
    fn may_say(&mut self, now: Time, place: usize) -> bool {
        let Some(port) = self.ports.get_mut(place) else { return false };
        if now.since(port.second) >= SECOND {
            (port.second, port.lines) = (now, 0);
            let left_out = std::mem::take(&mut port.left_out);
            if left_out > 0
                && let Some(session) = self.sessions.list().get(place)
            {
                let name = &session.settings().name;
                log::info!("({name}) {left_out} lines were left out");
            }
        }
        let may = port.lines < LINES;
        if may {
            port.lines += 1;
        } else {
            port.left_out = port.left_out.saturating_add(1);
        }
        may
    }

    fn send(&mut self, place: usize, packet: &Packet) {
        let Some(port) = self.ports.get_mut(place) else { return };
        let Some(sender) = &port.sender else { return };
        let result = sender.send(&packet.emit());
        let failed = result.is_err();
        if let Err(error) = result
            && !port.failing
            && let Some(session) = self.sessions.list().get(place)
        {
            log::error!("sendto() error ({})", error_text(&error));
            log::error!("({}) Error sending packet", session.settings().name);
        }
        port.failing = failed;
    }

    /// Opens the socket of a session, which then goes on by itself.
    fn open(&mut self, now: Time, place: usize, occasion: Occasion) {
        let Some(session) = self.sessions.list().get(place) else { return };
        let Some(port) = self.ports.get_mut(place) else { return };
        let settings = session.settings();
        port.sender = match Sender::open(settings, &mut self.random) {
            Ok(sender) => Some(sender),
            Err(error) => {
                // Once is enough while it stays like that.
                if occasion == Occasion::Configured || session.local().state != State::AdminDown {
                    let name = &settings.name;
                    log::error!("({name}) bind() error ({})", error_text(&error));
                    log::error!("({name}) Unable to open output socket, disabling instance");
                }
                None
            }
        };
        let (open, heard) = (port.sender.is_some(), occasion == Occasion::Heard);
        self.sessions.opened(now, place, open, heard, &mut self.actions);
    }

    /// Takes what has come to a socket; true when nothing is left on it.
    fn read(&mut self, now: Time, which: usize) -> bool {
        for _ in 0..AT_ONCE {
            let Some(Some(receiver)) = self.receivers.get(which) else { return true };
            match receiver.receive(&mut self.buffer) {
                Ok((_, _, None)) => {}
                Ok((size, kept, Some(arrival))) => {
                    let bytes = self.buffer.bytes.get(..kept).unwrap_or_default();
                    let judged = self.sessions.judge(bytes, size, &arrival);
                    let refused = match judged {
                        Ok((place, packet)) if self.can_answer(now, place) => {
                            self.sessions.heard(now, place, &packet, &mut self.actions);
                            None
                        }
                        Ok(_) => Some(Refused::AdminDown),
                        Err(refused) => Some(refused),
                    };
                    if let Some(refused) = refused {
                        self.drops.count(refused);
                        self.complain(now, &refused.from(arrival.source));
                    }
                    self.perform(now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.complain(now, &format_args!("recvmsg() error ({})", error_text(&error)));
                    return true;
                }
            }
        }
        false
    }

    /// Whether a session has a socket. One that has none tries again when it hears something, at most
    /// once a second.
    fn can_answer(&mut self, now: Time, place: usize) -> bool {
        let down = |bfd: &Bfd| {
            let session = bfd.sessions.list().get(place);
            session.is_none_or(|session| session.local().state == State::AdminDown)
        };
        if !down(self) {
            return true;
        }
        let Some(port) = self.ports.get_mut(place) else { return false };
        if port.tried.is_some_and(|at| now.since(at) < SECOND) {
            return false;
        }
        port.tried = Some(now);
        self.open(now, place, Occasion::Heard);
        !down(self)
    }

    /// With detail, a line a second at most: anybody can send us something.
    fn complain(&mut self, now: Time, what: &dyn Display) {
        if self.complained.is_none_or(|at| now.since(at) >= SECOND) {
            self.complained = Some(now);
            log::debug!("{what}");
        }
    }

    /// Takes over a configuration; sockets that stay useful stay open.
    fn adopt(&mut self, now: Time, instances: Vec<InstanceSettings>) {
        let origins = self.sessions.adopt(now, instances, &mut self.actions);
        let mut before: Vec<Option<Port>> =
            std::mem::take(&mut self.ports).into_iter().map(Some).collect();
        for &(from, _) in &origins {
            let kept = from.and_then(|from| before.get_mut(from)?.take());
            self.ports.push(kept.unwrap_or_default());
        }
        for (place, &(_, reopen)) in origins.iter().enumerate() {
            if reopen {
                self.open(now, place, Occasion::Configured);
            } else if let (Some(port), Some(session)) =
                (self.ports.get_mut(place), self.sessions.list().get(place))
                && let Some(sender) = &mut port.sender
            {
                sender.follow(session.settings());
            }
        }
    }

    fn needs(&self, which: usize) -> bool {
        self.sessions().iter().any(|session| usize::from(session.settings().multihop) == which)
    }
}

/// Begins with a configuration.
pub fn start<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W, settings: Settings) {
    take(s, w, settings);
}

/// Goes on with another configuration. Sessions whose names are in it stay what they are.
pub fn reload<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W, settings: Settings) {
    let begun = s.clock();
    log::info!("Reloading");
    take(s, w, settings);
    log::info!("Reload finished in {} usec", s.clock().since(begun).as_micros());
}

/// Ends all sessions. The neighbours are not told: they find out.
pub fn stop<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(bfd) = w.bfd() else { return };
    for receiver in bfd.receivers.iter_mut().filter_map(Option::take) {
        s.forget(receiver.fd());
    }
    let timers = [bfd.timer.take().map(|(timer, _)| timer), bfd.listening_again.take()];
    for timer in timers.into_iter().flatten() {
        s.cancel(timer);
    }
    bfd.adopt(s.now(), Vec::new());
}

fn take<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W, settings: Settings) {
    let now = s.now();
    let Some(bfd) = w.bfd() else { return };
    bfd.adopt(now, settings.instances);
    listen(s, w);
    let Some(bfd) = w.bfd() else { return };
    bfd.perform(now);
    // In place of what has changed by now: the states of all.
    bfd.news.clear();
    let states: Vec<News> = bfd.states().collect();
    bfd.news.extend(states);
    finish(s, w);
}

/// Opens the sockets that sessions need and have not, closes those nobody needs.
fn listen<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W) {
    let mut again = false;
    for which in [0, 1] {
        let Some(bfd) = w.bfd() else { return };
        let needed = bfd.needs(which);
        let Some(slot) = bfd.receivers.get_mut(which) else { continue };
        match (needed, &slot) {
            (false, Some(receiver)) => {
                s.forget(receiver.fd());
                *slot = None;
            }
            (true, None) => match Receiver::open(which == 1) {
                Ok(receiver) => {
                    let fd = receiver.fd();
                    *slot = Some(receiver);
                    wait(s, fd, which);
                }
                Err(error) => {
                    let number = error.raw_os_error().unwrap_or_default();
                    log::error!("bind() error {number} ({})", error_text(&error));
                    let kind = if which == 1 { "multihop " } else { "" };
                    log::error!("Unable to open {kind}listening socket");
                    again = true;
                }
            },
            _ => {}
        }
    }
    let Some(bfd) = w.bfd() else { return };
    if again && bfd.listening_again.is_none() {
        let timer = s.add_timer_after(Class::Background, LISTEN_AGAIN, 0, listen_again::<W>);
        bfd.listening_again = Some(timer);
    }
}

fn listen_again<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    if let Some(bfd) = w.bfd() {
        bfd.listening_again = None;
    }
    listen(s, w);
}

fn wait<W: HasBfd>(s: &mut Scheduler<W>, fd: i32, which: usize) {
    let arg = if which == 1 { 1 } else { 0 };
    if let Err(error) = s.add_read(Class::Urgent, fd, None, arg, on_socket::<W>) {
        log::error!("Cannot wait for packets on descriptor {fd}: {error}");
    }
}

fn on_socket<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let which = usize::from(ready.arg == 1);
    let Some(bfd) = w.bfd() else { return };
    let Some(fd) = bfd.listening().get(which).copied().flatten() else { return };
    let drained = bfd.read(ready.now, which);
    if let Some(behind) = bfd.behind.get_mut(which) {
        *behind = if drained { None } else { behind.or(Some(ready.now)) };
    }
    if drained {
        s.drained(fd);
    }
    wait(s, fd, which);
    finish(s, w);
}

fn on_timer<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(bfd) = w.bfd() else { return };
    bfd.timer = None;
    let unread = bfd.behind.iter().flatten().any(|since| ready.now.since(*since) < CATCH_UP);
    bfd.sessions.expire(ready.now, unread, &mut bfd.actions);
    finish(s, w);
}

/// Ends every callback: does what was asked for, tells who follows, sets the one timer.
fn finish<W: HasBfd>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(bfd) = w.bfd() else { return };
    bfd.perform(s.now());
    let wake = bfd.sessions.next_deadline();
    match bfd.timer {
        Some((_, at)) if at == wake => {}
        Some((id, _)) if s.move_timer(id, wake) => bfd.timer = Some((id, wake)),
        _ => bfd.timer = Some((s.add_timer(Class::Urgent, wake, 0, on_timer::<W>), wake)),
    }
    let mut told = 0;
    while let Some(bfd) = w.bfd()
        && let Some(news) = bfd.news.get(told).cloned()
    {
        told += 1;
        W::session_changed(s, w, &news);
    }
    if let Some(bfd) = w.bfd() {
        bfd.news.clear();
    }
}

fn error_text(error: &std::io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error") {
        text.truncate(end);
    }
    text
}
