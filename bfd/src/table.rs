//! All sessions: which one a packet is for, what is due next, and what a reload makes of them.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use config::Random;
use scheduler::{Heap, Time};

use crate::numbers::Numbers;
use crate::packet::{Malformed, Packet, State};
use crate::session::{Actions, Out, Session};
use crate::settings::InstanceSettings;

/// How a datagram came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Who sent it.
    pub source: SocketAddr,
    /// The address it came to, if the kernel told.
    pub destination: Option<IpAddr>,
    /// TTL or hop limit it came with, if the kernel told.
    pub ttl: Option<u8>,
    /// It came to the port for paths of several hops.
    pub multihop: bool,
}

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no packet for anybody.
    Malformed(Malformed),
    /// It is for no session; its discriminator for ours.
    NoSession(u32),
    /// It comes from further away than configured.
    Far {
        /// TTL or hop limit it came with.
        ttl: u8,
        /// The least that is accepted.
        least: u8,
        /// It is a hop limit.
        six: bool,
    },
    /// It is authenticated, and we have no keys.
    Authenticated,
    /// The session cannot answer.
    AdminDown,
}

/// Dropped datagrams, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// No packets.
    pub malformed: u64,
    /// For no session.
    pub no_session: u64,
    /// From too far away.
    pub far: u64,
    /// Authenticated.
    pub authenticated: u64,
    /// For sessions that cannot answer.
    pub admin_down: u64,
}

impl Drops {
    /// Counts one.
    pub fn count(&mut self, refused: Refused) {
        let counter = match refused {
            Refused::Malformed(_) => &mut self.malformed,
            Refused::NoSession(_) => &mut self.no_session,
            Refused::Far { .. } => &mut self.far,
            Refused::Authenticated => &mut self.authenticated,
            Refused::AdminDown => &mut self.admin_down,
        };
        *counter = counter.saturating_add(1);
    }
}

impl Refused {
    /// The line about a datagram from `source`, in the C daemon's words.
    pub fn from(self, source: SocketAddr) -> impl fmt::Display {
        Said { refused: self, source }
    }
}

struct Said {
    refused: Refused,
    source: SocketAddr,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ip, port) = (self.source.ip(), self.source.port());
        let discarding = format_args!("Discarding packet from [{ip}]:{port}");
        match self.refused {
            Refused::Malformed(why) => {
                write!(f, "{why}\nDiscarding bogus packet from [{ip}]:{port}")
            }
            Refused::NoSession(number) => write!(
                f,
                "{discarding} (session is not found - your discriminator field is {number:#010x})"
            ),
            Refused::Far { ttl, least, six } => {
                let what = if six { "hop_limit" } else { "ttl" };
                write!(f, "Packet {what}({ttl}) < {least} - discarding\n{discarding}")
            }
            Refused::Authenticated => {
                write!(f, "{discarding} (auth bit is set, but no authentication  is in use)")
            }
            Refused::AdminDown => write!(f, "{discarding} (session is in AdminDown state)"),
        }
    }
}

/// All sessions, in the order of the configuration.
pub struct Sessions {
    list: Vec<Session>,
    numbers: Numbers,
    /// Places of sessions by neighbour and port.
    by_neighbor: HashMap<(IpAddr, bool), Vec<usize>>,
    deadlines: Heap,
}

impl Sessions {
    /// No session; `random` decides discriminators and jitter.
    pub fn new(random: Random) -> Sessions {
        Sessions {
            list: Vec::new(),
            numbers: Numbers::new(random),
            by_neighbor: HashMap::new(),
            deadlines: Heap::new(),
        }
    }

    /// All of them.
    pub fn list(&self) -> &[Session] {
        &self.list
    }

    /// When something is due next.
    pub fn next_deadline(&self) -> Time {
        self.deadlines.head()
    }

    /// The packet in a datagram of `size` bytes that begins with `bytes`, and the place of the session
    /// it is for. That session may be in AdminDown.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn judge(
        &self,
        bytes: &[u8],
        size: usize,
        arrival: &Arrival,
    ) -> Result<(usize, Packet), Refused> {
        let packet = Packet::parse(bytes, size).map_err(Refused::Malformed)?;
        let number = packet.your_discriminator;
        let place = match number {
            0 => self.by_address(arrival),
            number => self.numbers.place(number),
        };
        let found = place.and_then(|place| Some((place, self.list.get(place)?)));
        let Some((place, session)) = found else { return Err(Refused::NoSession(number)) };
        let settings = session.settings();
        // What the kernel does not tell counts as the least.
        let ttl = arrival.ttl.unwrap_or_default();
        if !settings.is_near(ttl) {
            let least = settings.ttl.saturating_sub(settings.max_hops);
            return Err(Refused::Far { ttl, least, six: arrival.source.is_ipv6() });
        }
        if packet.authenticated {
            return Err(Refused::Authenticated);
        }
        Ok((place, packet))
    }

    fn by_address(&self, arrival: &Arrival) -> Option<usize> {
        let places = self.by_neighbor.get(&(arrival.source.ip(), arrival.multihop))?;
        let fits = |place: &&usize| {
            let session = self.list.get(**place);
            session.is_some_and(|session| {
                let source = session.settings().source;
                source.is_none() || source == arrival.destination
            })
        };
        places.iter().find(fits).copied()
    }

    /// A packet that [`judge`](Self::judge) let pass.
    pub fn heard(&mut self, now: Time, place: usize, packet: &Packet, actions: &mut Actions) {
        self.with(place, actions, |session, numbers, out| {
            if session.local().state != State::AdminDown {
                session.heard(now, packet, numbers, out);
            }
        });
    }

    /// Does what is due. `unread`: there are packets that [`judge`](Self::judge) has not seen, and no session
    /// is given up before it has.
    pub fn expire(&mut self, now: Time, unread: bool, actions: &mut Actions) {
        while let Some((place, _)) = self.deadlines.pop_due(now) {
            self.with(place as usize, actions, |session, numbers, out| {
                session.expire(now, unread, numbers, out);
            });
        }
    }

    /// The socket of a session is open, or is not. `heard`: it was tried because of a packet.
    pub fn opened(
        &mut self,
        now: Time,
        place: usize,
        open: bool,
        heard: bool,
        actions: &mut Actions,
    ) {
        self.with(place, actions, |session, numbers, out| {
            if open {
                session.recover(now, heard, numbers, out);
            } else {
                session.fail(now, numbers, out);
            }
        });
    }

    /// Takes over a configuration. Sessions are the same if their names are; those that stay go on
    /// where they are. Returns for each the place it had; sockets of those that had none, and of those
    /// with `true`, are to be opened.
    pub fn adopt(
        &mut self,
        now: Time,
        instances: Vec<InstanceSettings>,
        actions: &mut Actions,
    ) -> Vec<(Option<usize>, bool)> {
        let mut before: HashMap<String, (usize, Session)> = HashMap::new();
        for (place, session) in std::mem::take(&mut self.list).into_iter().enumerate() {
            before.insert(session.settings().name.clone(), (place, session));
        }
        let stay = instances.iter().map(|settings| before.remove(&settings.name));
        let stay: Vec<Option<(usize, Session)>> = stay.collect();
        // The numbers of those that are gone are free again.
        let kept = stay.iter().flatten().map(|(_, session)| session.local().discriminator);
        self.numbers.renumber(kept);
        let mut origins = Vec::with_capacity(instances.len());
        for (place, (settings, old)) in instances.into_iter().zip(stay).enumerate() {
            let settings = Rc::new(settings);
            let (session, origin) = match old {
                Some((from, mut session)) => {
                    let out = &mut Out { place, actions };
                    let reopen = session.follow(now, settings, &mut self.numbers, out);
                    (session, (Some(from), reopen))
                }
                None => (Session::new(settings, self.numbers.draw(place)), (None, true)),
            };
            self.list.push(session);
            origins.push(origin);
        }
        let numbers = self.list.iter().map(|session| session.local().discriminator);
        self.numbers.renumber(numbers);
        self.by_neighbor.clear();
        self.deadlines = Heap::new();
        for place in 0..self.list.len() {
            let settings = self.list[place].settings();
            let key = (settings.neighbor, settings.multihop);
            self.by_neighbor.entry(key).or_default().push(place);
            self.arm(place);
        }
        origins
    }

    /// Lets `act` change the session at `place`.
    fn with(
        &mut self,
        place: usize,
        actions: &mut Actions,
        act: impl FnOnce(&mut Session, &mut Numbers, &mut Out<'_>),
    ) {
        let Some(session) = self.list.get_mut(place) else { return };
        act(session, &mut self.numbers, &mut Out { place, actions });
        self.arm(place);
    }

    fn arm(&mut self, place: usize) {
        let Some(session) = self.list.get(place) else { return };
        // There are never so many sessions.
        let Ok(slot) = u32::try_from(place) else { return };
        match session.deadline() {
            Time::NEVER => {
                self.deadlines.disarm(slot);
            }
            at => self.deadlines.arm(slot, at),
        }
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
