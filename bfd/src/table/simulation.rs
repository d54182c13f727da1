//! Two systems and a link between them that delays, loses and doubles, under a virtual clock. Each scenario is made
//! from one number: `KA_SIM_SEED=n cargo test -p bfd simulation` runs it alone, `KA_SIM_COUNT` says how many
//! otherwise.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::packet::LENGTH;
use crate::session::Action;

const SECOND: Duration = Duration::from_secs(1);

/// A packet on its way.
struct InFlight {
    to: usize,
    bytes: [u8; LENGTH],
}

#[derive(Clone, Copy, Default)]
struct Link {
    /// Packets lost of a thousand; 1000: it is cut.
    loss: u64,
    /// Packets doubled of a thousand.
    doubled: u64,
    /// Longest delay, in microseconds.
    delay: u64,
    /// Nothing reaches this system.
    deaf: Option<usize>,
    /// Answers to polls are lost.
    answers_lost: bool,
}

struct World {
    now: Time,
    random: Random,
    systems: [Sessions; 2],
    link: Link,
    flying: BTreeMap<(Time, u64), InFlight>,
    sent: u64,
    /// What followers of each system were told, and when.
    told: [Vec<(Time, bool)>; 2],
    /// When each system heard something last.
    heard: [Time; 2],
}

fn address(system: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, system as u8 + 1).into()
}

impl World {
    fn new(seed: u64, settings: [InstanceSettings; 2], link: Link) -> World {
        let systems = [0, 1].map(|which| Sessions::new(Random::seeded(seed * 2 + which)));
        let mut world = World {
            now: Time::ZERO + SECOND,
            random: Random::seeded(seed ^ 0x5eed),
            systems,
            link,
            flying: BTreeMap::new(),
            sent: 0,
            told: [Vec::new(), Vec::new()],
            heard: [Time::ZERO; 2],
        };
        for (which, settings) in settings.into_iter().enumerate() {
            world.reload(which, settings);
        }
        world
    }

    fn reload(&mut self, which: usize, settings: InstanceSettings) {
        let mut actions = Actions::new();
        let origins = self.systems[which].adopt(self.now, vec![settings], &mut actions);
        if origins == [(None, true)] {
            self.systems[which].opened(self.now, 0, true, false, &mut actions);
        }
        self.perform(which, actions);
    }

    fn perform(&mut self, which: usize, actions: Actions) {
        for (place, action) in actions {
            assert_eq!(place, 0);
            match action {
                Action::Send(packet) => self.send(which, packet.emit()),
                Action::Tell(up) => self.told[which].push((self.now, up)),
                Action::Say(note) => assert!(!note.of("B").to_string().is_empty()),
                Action::Open => panic!("its socket is open"),
            }
        }
        self.check(which);
    }

    fn send(&mut self, from: usize, bytes: [u8; LENGTH]) {
        let copies = 1 + u64::from(self.random.between(0, 999) < self.link.doubled);
        for _ in 0..copies {
            let lost = self.random.between(0, 999) < self.link.loss;
            let answer = self.link.answers_lost && bytes[1] & 0x10 != 0;
            if lost || answer || self.link.deaf == Some(1 - from) {
                continue;
            }
            let delay = Duration::from_micros(self.random.between(0, self.link.delay));
            self.sent += 1;
            self.flying.insert((self.now + delay, self.sent), InFlight { to: 1 - from, bytes });
        }
    }

    /// What holds of a session at all times.
    fn check(&self, which: usize) {
        let session = &self.systems[which].list()[0];
        let told = self.told[which].last().is_some_and(|(_, up)| *up);
        assert_eq!(session.told(), told);
        let local = session.local();
        if local.state == State::Up {
            assert!(told && session.remote().discriminator != 0);
            assert!(local.detection > 0);
        }
        assert!(local.discriminator != 0);
    }

    /// Runs until `end`.
    fn run(&mut self, end: Time) {
        loop {
            let arrives = self.flying.keys().next().map_or(Time::NEVER, |(at, _)| *at);
            let due = self.systems.each_ref().map(Sessions::next_deadline);
            let next = arrives.min(due[0]).min(due[1]);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            let mut actions = Actions::new();
            // Sockets before timers.
            if arrives <= self.now {
                let Some((_, packet)) = self.flying.pop_first() else { continue };
                let arrival = Arrival {
                    source: (address(1 - packet.to), 50_000).into(),
                    destination: Some(address(packet.to)),
                    ttl: Some(255),
                    multihop: false,
                };
                let system = &mut self.systems[packet.to];
                if let Ok((place, heard)) = system.judge(&packet.bytes, LENGTH, &arrival) {
                    self.heard[packet.to] = self.now;
                    system.heard(self.now, place, &heard, &mut actions);
                }
                self.perform(packet.to, actions);
                continue;
            }
            for which in [0, 1] {
                let mut actions = Actions::new();
                self.systems[which].expire(self.now, false, &mut actions);
                assert!(self.systems[which].next_deadline() > self.now);
                self.perform(which, actions);
            }
        }
    }

    fn run_for(&mut self, time: Duration) {
        self.run(self.now + time);
    }

    fn states(&self) -> [State; 2] {
        self.systems.each_ref().map(|system| system.list()[0].local().state)
    }

    fn downs(&self) -> usize {
        self.told.iter().flatten().filter(|(_, up)| !up).count()
    }
}

/// Intervals and multiplier as people choose them.
fn settings(random: &mut Random, which: usize) -> InstanceSettings {
    let mut settings = InstanceSettings::new("B", address(1 - which));
    let millis = |random: &mut Random, min, max| random.between(min, max) as u32 * 1000;
    settings.min_rx = millis(random, 10, 300);
    settings.min_tx = millis(random, 10, 300);
    settings.idle_tx = millis(random, 1000, 1500);
    settings.multiplier = random.between(2, 6) as u8;
    settings
}

/// Lets `scenario` run with many seeds, or with the one that is asked for.
fn scenarios(count: u64, scenario: fn(u64, &mut Random)) {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let (first, count) = match number("KA_SIM_SEED") {
        Some(seed) => (seed, 1),
        None => (1, number("KA_SIM_COUNT").unwrap_or(count)),
    };
    for seed in first..first + count {
        println!("seed {seed}");
        scenario(seed, &mut Random::seeded(seed));
    }
}

/// Both sides come up and stay up as long as nothing is lost, also when a reload changes their
/// intervals and multipliers, and a failure is noticed within the detection time.
#[test]
fn without_loss_nothing_but_a_failure_ends_a_session() {
    scenarios(300, |seed, random| {
        let mut both = [0, 1].map(|which| settings(random, which));
        both[0].passive = random.between(0, 3) == 0;
        let link = Link { doubled: random.between(0, 100), delay: 1500, ..Link::default() };
        let mut world = World::new(seed, both, link);
        world.run_for(8 * SECOND);
        assert_eq!(world.states(), [State::Up; 2]);
        for _ in 0..5 {
            let which = random.between(0, 1) as usize;
            world.reload(which, settings(random, which));
            world.run_for(Duration::from_millis(random.between(0, 3000)));
            assert_eq!((world.states(), world.downs()), ([State::Up; 2], 0));
        }
        // Polls have ended, and everything that was agreed holds.
        world.run_for(3 * SECOND);
        assert!(world.systems.iter().all(|system| !system.list()[0].polls()));
        for which in [0, 1] {
            let (own, peer) =
                (&world.systems[which].list()[0], &world.systems[1 - which].list()[0]);
            assert_eq!(own.local().interval, peer.remote().interval);
            assert_eq!(own.remote_detection(), peer.local().detection);
            let agreed = own.settings().min_tx.max(peer.settings().min_rx);
            assert_eq!(own.local().interval, agreed);
        }

        world.link.loss = 1000;
        let detections = world.systems.each_ref().map(|s| s.list()[0].local().detection);
        world.run_for(10 * SECOND);
        for which in [0, 1] {
            let &(at, up) = world.told[which].last().unwrap();
            assert!(!up);
            let silence = at.since(world.heard[which]);
            assert_eq!(silence, Duration::from_micros(detections[which]), "not earlier, not later");
        }
        assert_eq!(world.downs(), 2);
        assert_eq!(world.states(), [State::Down; 2]);

        world.link.loss = 0;
        world.run_for(8 * SECOND);
        assert_eq!(world.states(), [State::Up; 2]);
    });
}

/// Whatever the link does, states stay legal, nobody is told the same twice in a row, and both sides agree soon
/// after it is well again.
#[test]
fn a_bad_link_does_no_lasting_harm() {
    scenarios(300, |seed, random| {
        let both = [0, 1].map(|which| settings(random, which));
        let mut world = World::new(seed, both, Link { doubled: 200, ..Link::default() });
        for _ in 0..10 {
            world.link.loss = random.between(0, 1000);
            world.link.delay = random.between(0, 400_000);
            world.run_for(Duration::from_millis(random.between(0, 4000)));
            if random.between(0, 3) == 0 {
                let which = random.between(0, 1) as usize;
                world.reload(which, settings(random, which));
            }
        }
        world.link = Link { delay: 1000, ..Link::default() };
        world.run_for(15 * SECOND);
        assert_eq!(world.states(), [State::Up; 2]);
        for told in &world.told {
            assert!(told.windows(2).all(|pair| pair[0].1 != pair[1].1), "{told:?}");
        }
    });
}

/// One side fails one way only: the other is told by the packets it still gets.
#[test]
fn a_side_that_hears_nothing_takes_the_other_down() {
    scenarios(100, |seed, random| {
        let both = [0, 1].map(|which| settings(random, which));
        let mut world = World::new(seed, both, Link { delay: 1000, ..Link::default() });
        world.run_for(8 * SECOND);
        assert_eq!(world.states(), [State::Up; 2]);
        world.link.deaf = Some(0);
        world.run_for(5 * SECOND);
        let [first, second] = world.told.each_ref().map(|told| *told.last().unwrap());
        assert_eq!((first.1, second.1), (false, false));
        // By its next packet, and not by the detection time of the other.
        let next = Duration::from_micros(u64::from(world.systems[0].list()[0].settings().min_tx));
        let slowest = next.max(Duration::from_millis(300)) + Duration::from_millis(1);
        assert!(second.0.since(first.0) <= slowest, "{:?}", second.0.since(first.0));
        assert_ne!(world.states()[0], State::Up);
    });
}

/// Intervals become shorter when a session comes up, or by a reload: nobody is missed before the
/// faster packets can have come.
#[test]
fn lost_answers_end_no_session() {
    scenarios(200, |seed, random| {
        let both = [0, 1].map(|which| settings(random, which));
        let link = Link { delay: 1000, answers_lost: true, ..Link::default() };
        let mut world = World::new(seed, both, link);
        world.run_for(8 * SECOND);
        assert_eq!((world.states(), world.downs()), ([State::Up; 2], 0));
        for which in [0, 1, 0, 1] {
            world.reload(which, settings(random, which));
            world.run_for(Duration::from_millis(random.between(0, 3000)));
        }
        assert_eq!((world.states(), world.downs()), ([State::Up; 2], 0));
        world.link.answers_lost = false;
        world.run_for(3 * SECOND);
        assert!(world.systems.iter().all(|system| !system.list()[0].polls()));
        for which in [0, 1] {
            let (own, peer) =
                (&world.systems[which].list()[0], &world.systems[1 - which].list()[0]);
            assert_eq!(own.remote_detection(), peer.local().detection);
        }
    });
}
