//! One session with one neighbour, in asynchronous mode (RFC 5880). No socket, no clock: what happens
//! comes in with its moment, and what is to be done goes out as [`Action`]s.

mod note;
mod transition;

use std::rc::Rc;
use std::time::Duration;

use scheduler::Time;

use crate::numbers::Numbers;
use crate::packet::{Diagnostic, Packet, State};
use crate::settings::InstanceSettings;
pub use note::{Note, Row};
use transition::transition;

/// How long a session whose packets may have come and not been read yet is waited for at a time.
const UNREAD: Duration = Duration::from_millis(1);

/// Until opening the socket is tried again.
const REOPEN: Duration = Duration::from_secs(60);

/// What a session wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this to the neighbour.
    Send(Packet),
    /// Tell those who follow it that the session is up, or that it is not.
    Tell(bool),
    /// Log this.
    Say(Note),
    /// Try again to open its socket, and say what came of it.
    Open,
}

/// Actions of sessions, with their places.
pub type Actions = Vec<(usize, Action)>;

/// Where one session's actions go.
pub(crate) struct Out<'a> {
    pub(crate) place: usize,
    pub(crate) actions: &'a mut Actions,
}

impl Out<'_> {
    fn push(&mut self, action: Action) {
        self.actions.push((self.place, action));
    }

    fn say(&mut self, note: Note) {
        self.push(Action::Say(note));
    }
}

/// What is known of our side. Times are in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local {
    /// Its state.
    pub state: State,
    /// Why it went down last.
    pub diagnostic: Diagnostic,
    /// Our number of the session.
    pub discriminator: u32,
    /// Our packets go out as often as this, before jitter.
    pub interval: u32,
    /// After this without a packet the session is down; 0 while nothing was heard.
    pub detection: u64,
}

/// What the neighbour says. Times are in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Remote {
    /// Its state.
    pub state: State,
    /// Why it went down last.
    pub diagnostic: Diagnostic,
    /// Its number of the session; 0 if not known.
    pub discriminator: u32,
    /// It would send as often as this.
    pub min_tx: u32,
    /// It can receive as often as this.
    pub min_rx: u32,
    /// It wants to hear nothing while the session is up.
    pub demand: bool,
    /// Its multiplier.
    pub multiplier: u8,
    /// Its packets come as often as this.
    pub interval: u32,
}

/// In microseconds.
#[derive(Clone, Copy, Debug)]
struct Agreed {
    tx: u32,
    rx: u32,
}

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    settings: Rc<InstanceSettings>,
    local: Local,
    remote: Remote,
    /// Our periodic packets ask for an answer.
    poll: bool,
    /// One of them has left since there is something to ask.
    asked: bool,
    /// Our intervals as far as the neighbour can know them (RFC 5880 section 6.8.3): until it has answered,
    /// we neither send more slowly nor expect it to send faster.
    agreed: Agreed,
    /// The neighbour will send faster once it has our answer.
    hastens: bool,
    /// What its followers were told last.
    told: bool,
    last_seen: Option<Time>,
    send_at: Time,
    expire_at: Time,
    /// What the neighbour said is forgotten then.
    reset_at: Time,
    open_at: Time,
}

impl Session {
    /// A session that knows nothing, and sends nothing before [`begin`](Self::begin).
    pub(crate) fn new(settings: Rc<InstanceSettings>, discriminator: u32) -> Session {
        Session {
            local: Local { discriminator, interval: settings.idle_tx, ..Local::default() },
            agreed: Agreed { tx: settings.idle_tx, rx: settings.min_rx },
            settings,
            remote: Remote::default(),
            poll: false,
            asked: false,
            hastens: false,
            told: false,
            last_seen: None,
            send_at: Time::NEVER,
            expire_at: Time::NEVER,
            reset_at: Time::NEVER,
            open_at: Time::NEVER,
        }
    }

    /// What is configured.
    pub fn settings(&self) -> &Rc<InstanceSettings> {
        &self.settings
    }

    /// Our side.
    pub fn local(&self) -> &Local {
        &self.local
    }

    /// The neighbour's side.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Whether an answer to a poll is waited for.
    pub fn polls(&self) -> bool {
        self.poll
    }

    /// What followers were told last; at first, that it is down.
    pub fn told(&self) -> bool {
        self.told
    }

    /// When the last packet came.
    pub fn last_seen(&self) -> Option<Time> {
        self.last_seen
    }

    /// The neighbour notices a failure of ours after so many microseconds.
    pub fn remote_detection(&self) -> u64 {
        u64::from(self.settings.multiplier) * u64::from(self.local.interval)
    }

    /// The earliest moment something is due.
    pub(crate) fn deadline(&self) -> Time {
        self.send_at.min(self.expire_at).min(self.reset_at).min(self.open_at)
    }

    /// Its socket is open: sends, unless the neighbour has to begin.
    pub(crate) fn begin(&mut self, now: Time) {
        self.open_at = Time::NEVER;
        if !self.settings.passive {
            self.send_at = now;
        }
    }

    /// Its socket cannot be opened.
    pub(crate) fn fail(&mut self, now: Time, numbers: &mut Numbers, out: &mut Out<'_>) {
        self.open_at = now + REOPEN;
        if self.local.state != State::AdminDown {
            self.enter(now, (State::AdminDown, self.local.diagnostic), numbers, out);
        }
    }

    /// Its socket could be opened after all: by itself, or because the neighbour was heard.
    pub(crate) fn recover(
        &mut self,
        now: Time,
        heard: bool,
        numbers: &mut Numbers,
        out: &mut Out<'_>,
    ) {
        self.begin(now);
        if self.local.state == State::AdminDown {
            let state = if heard { State::Init } else { State::Down };
            self.enter(now, (state, self.local.diagnostic), numbers, out);
            // The packet that is processed next tells the detection time.
            self.expire_at = Time::NEVER;
        }
    }

    /// A packet of the neighbour that has passed all checks.
    pub(crate) fn heard(
        &mut self,
        now: Time,
        packet: &Packet,
        numbers: &mut Numbers,
        out: &mut Out<'_>,
    ) {
        self.last_seen = Some(now);
        let remote = &mut self.remote;
        remote.discriminator = packet.my_discriminator;
        remote.state = packet.state;
        remote.diagnostic = packet.diagnostic;
        remote.min_tx = packet.min_tx;
        remote.min_rx = packet.min_rx;
        remote.demand = packet.demand;
        remote.multiplier = packet.multiplier;
        if packet.last && self.asked {
            self.poll = false;
        }
        let intervals = (self.local.interval, self.remote.interval);
        if self.local.state != State::Up || packet.poll || packet.last || self.hastens {
            self.follow_intervals(now, packet, numbers);
        }
        let detection = u64::from(packet.multiplier) * u64::from(self.remote.interval);
        let was = std::mem::replace(&mut self.local.detection, detection);
        if intervals != (self.local.interval, self.remote.interval) {
            out.say(self.parameters());
        }
        if detection != was {
            out.say(Note::Detection { now: detection, was });
        }
        if let Some(next) = transition(self.local.state, packet.state) {
            self.enter(now, next, numbers, out);
        }
        let begins = self.local.state == State::Init && self.expire_at == Time::NEVER;
        if self.local.state == State::Up || begins {
            self.expire_at = now + Duration::from_micros(self.local.detection);
        }
        if packet.poll {
            out.push(Action::Send(Packet { poll: false, last: true, ..self.packet() }));
        }
        if self.is_silenced() {
            self.send_at = Time::NEVER;
        } else if self.send_at == Time::NEVER && self.local.state != State::AdminDown {
            self.send_at = now;
        }
    }

    /// Does what is due. `unread`: there are packets that nobody has looked at yet, so that silence proves
    /// nothing.
    pub(crate) fn expire(
        &mut self,
        now: Time,
        unread: bool,
        numbers: &mut Numbers,
        out: &mut Out<'_>,
    ) {
        if self.open_at <= now {
            self.open_at = now + REOPEN;
            out.push(Action::Open);
        }
        if unread && self.expire_at <= now {
            self.expire_at = now + UNREAD;
        }
        if self.expire_at <= now {
            if self.local.state == State::Up {
                let overdue = now.since(self.expire_at).as_micros();
                let overdue = u64::try_from(overdue).unwrap_or(u64::MAX);
                out.say(Note::Expired { after: self.local.detection, overdue });
            }
            self.remote.discriminator = 0;
            self.enter(now, (State::Down, Diagnostic::EXPIRED), numbers, out);
        }
        if self.reset_at <= now {
            self.reset_at = Time::NEVER;
            self.poll = false;
            self.remote.state = State::Down;
            self.remote.discriminator = 0;
            self.remote.diagnostic = Diagnostic::NONE;
            self.remote.demand = false;
        }
        if self.send_at <= now {
            out.push(Action::Send(self.packet()));
            self.asked |= self.poll;
            self.send_at = now + numbers.jitter(self.local.interval);
        }
    }

    /// Goes on under another configuration; true when its socket must be opened anew.
    pub(crate) fn follow(
        &mut self,
        now: Time,
        settings: Rc<InstanceSettings>,
        numbers: &mut Numbers,
        out: &mut Out<'_>,
    ) -> bool {
        let old = std::mem::replace(&mut self.settings, settings);
        let new = &*self.settings;
        let other_times = (old.min_rx, old.min_tx) != (new.min_rx, new.min_tx);
        if self.local.state == State::Up {
            if other_times {
                self.start_poll(out);
                self.hasten(now, numbers);
            }
        } else {
            if old.idle_tx != new.idle_tx {
                self.set_interval(now, new.idle_tx.max(self.remote.min_rx), numbers);
            }
            let has_begun = self.local.state != State::AdminDown;
            if self.settings.passive {
                self.send_at = Time::NEVER;
            } else if old.passive && has_begun {
                self.send_at = now;
            }
        }
        let socket = |s: &InstanceSettings| (s.neighbor.is_ipv6(), s.source, s.ttl);
        socket(&old) != socket(&self.settings) || self.local.state == State::AdminDown
    }

    fn follow_intervals(&mut self, now: Time, packet: &Packet, numbers: &mut Numbers) {
        let wanted = match (self.local.state, packet.state) {
            (State::Up, _) | (State::Init, State::Up) => self.settings.min_tx,
            _ => self.settings.idle_tx,
        };
        let (up, min_rx) = (self.local.state == State::Up, self.settings.min_rx);
        self.agreed = match up && self.poll {
            true => Agreed { tx: wanted.min(self.agreed.tx), rx: min_rx.max(self.agreed.rx) },
            false => Agreed { tx: wanted, rx: min_rx },
        };
        let expected = self.agreed.rx.max(self.remote.min_tx);
        let matters = matches!(self.local.state, State::Init | State::Up);
        self.hastens = matters && packet.poll && expected < self.remote.interval;
        if !self.hastens {
            self.remote.interval = expected;
        }
        self.set_interval(now, self.agreed.tx.max(self.remote.min_rx), numbers);
    }

    /// Sends faster at once if it may: the neighbour needs no warning of that.
    fn hasten(&mut self, now: Time, numbers: &mut Numbers) {
        self.agreed.tx = self.agreed.tx.min(self.settings.min_tx);
        let interval = self.agreed.tx.max(self.remote.min_rx);
        if interval < self.local.interval {
            self.set_interval(now, interval, numbers);
        }
    }

    /// A shorter interval holds at once, a longer one from the next packet on.
    fn set_interval(&mut self, now: Time, interval: u32, numbers: &mut Numbers) {
        let old = std::mem::replace(&mut self.local.interval, interval);
        if interval < old && self.send_at != Time::NEVER {
            self.send_at = self.send_at.min(now + numbers.jitter(interval));
        }
    }

    fn enter(
        &mut self,
        now: Time,
        (to, diagnostic): (State, Diagnostic),
        numbers: &mut Numbers,
        out: &mut Out<'_>,
    ) {
        let from = std::mem::replace(&mut self.local.state, to);
        self.local.diagnostic = diagnostic;
        let remote = self.remote.diagnostic;
        out.say(Note::Entering { from, to, local: diagnostic, remote });
        let detection = Duration::from_micros(self.local.detection);
        match to {
            State::Init | State::Up => {
                self.reset_at = Time::NEVER;
                self.expire_at = now + detection;
            }
            State::Down | State::AdminDown => {
                self.expire_at = Time::NEVER;
                self.poll = false;
                self.hastens = false;
                if self.settings.passive || to == State::AdminDown {
                    self.send_at = Time::NEVER;
                }
            }
        }
        if to == State::Up {
            if self.settings.idle_tx != self.settings.min_tx {
                self.start_poll(out);
            }
            let before = self.local.interval;
            self.hasten(now, numbers);
            if self.local.interval != before {
                out.say(self.parameters());
            }
            self.tell(true, out);
        }
        if from == State::Up {
            self.local.discriminator = numbers.redraw(self.local.discriminator);
            self.local.interval = self.settings.idle_tx.max(self.remote.min_rx);
            self.reset_at = now + detection;
            // Taken down on purpose, the neighbour has not failed (RFC 5882 section 3.2).
            if self.remote.state != State::AdminDown {
                self.tell(false, out);
            }
        }
    }

    fn tell(&mut self, up: bool, out: &mut Out<'_>) {
        self.told = up;
        out.push(Action::Tell(up));
    }

    fn start_poll(&mut self, out: &mut Out<'_>) {
        self.poll = true;
        self.asked = false;
        out.say(Note::Poll);
    }

    /// The neighbour does not want to hear us (RFC 5880 section 6.8.7).
    fn is_silenced(&self) -> bool {
        let both_up = (self.local.state, self.remote.state) == (State::Up, State::Up);
        self.remote.demand && both_up && !self.poll
    }

    /// How often we would send, as the neighbour is told.
    fn min_tx(&self) -> u32 {
        match self.local.state {
            State::Up => self.settings.min_tx,
            _ => self.settings.idle_tx,
        }
    }

    fn packet(&self) -> Packet {
        Packet {
            diagnostic: self.local.diagnostic,
            state: self.local.state,
            poll: self.poll,
            last: false,
            authenticated: false,
            demand: false,
            multiplier: self.settings.multiplier,
            my_discriminator: self.local.discriminator,
            your_discriminator: self.remote.discriminator,
            min_tx: self.min_tx(),
            min_rx: self.settings.min_rx,
        }
    }

    fn parameters(&self) -> Note {
        let local = Row {
            min_tx: self.min_tx(),
            min_rx: self.settings.min_rx,
            interval: self.local.interval,
            multiplier: self.settings.multiplier,
            detection: self.local.detection,
        };
        let remote = Row {
            min_tx: self.remote.min_tx,
            min_rx: self.remote.min_rx,
            interval: self.remote.interval,
            multiplier: self.remote.multiplier,
            detection: self.remote_detection(),
        };
        Note::Parameters { local, remote }
    }
}

#[cfg(test)]
mod tests;
