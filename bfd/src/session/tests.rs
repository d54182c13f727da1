use std::net::{IpAddr, Ipv4Addr};

use config::Random;
use proptest::prelude::*;

use super::*;

const NEIGHBOR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

/// A session on its own, with a clock that the test moves.
struct Bench {
    now: Time,
    session: Session,
    numbers: Numbers,
    actions: Actions,
}

impl Bench {
    fn new(change: impl FnOnce(&mut InstanceSettings)) -> Bench {
        let mut settings = InstanceSettings::new("B", NEIGHBOR);
        settings.min_tx = 100_000;
        settings.min_rx = 100_000;
        change(&mut settings);
        let mut numbers = Numbers::new(Random::seeded(1));
        let session = Session::new(Rc::new(settings), numbers.draw(0));
        let mut bench =
            Bench { now: Time::from_nanos(1), session, numbers, actions: Actions::new() };
        bench.session.begin(bench.now);
        bench
    }

    fn with(&mut self, act: impl FnOnce(&mut Session, Time, &mut Numbers, &mut Out<'_>)) {
        self.actions.clear();
        let mut out = Out { place: 0, actions: &mut self.actions };
        act(&mut self.session, self.now, &mut self.numbers, &mut out);
    }

    fn hears(&mut self, packet: Packet) -> State {
        self.with(|session, now, numbers, out| session.heard(now, &packet, numbers, out));
        self.session.local.state
    }

    /// Asks, and hears this as the answer.
    fn is_answered(&mut self, packet: Packet) {
        self.wait(Duration::from_millis(100));
        assert!(self.sent()[0].poll);
        self.hears(Packet { last: true, ..packet });
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.with(|session, now, numbers, out| session.expire(now, false, numbers, out));
    }

    fn sent(&self) -> Vec<Packet> {
        let sent = self.actions.iter().filter_map(|(_, action)| match action {
            Action::Send(packet) => Some(*packet),
            _ => None,
        });
        sent.collect()
    }

    fn told(&self) -> Vec<bool> {
        let told = self.actions.iter().filter_map(|(_, action)| match action {
            Action::Tell(up) => Some(*up),
            _ => None,
        });
        told.collect()
    }

    fn said(&self) -> String {
        let said = self.actions.iter().filter_map(|(_, action)| match action {
            Action::Say(note) => Some(format!("{}\n", note.of("B"))),
            _ => None,
        });
        said.collect()
    }

    fn up(change: impl FnOnce(&mut InstanceSettings)) -> Bench {
        let mut bench = Bench::new(change);
        assert_eq!(bench.hears(packet(State::Init)), State::Up);
        bench
    }
}

fn packet(state: State) -> Packet {
    Packet {
        diagnostic: Diagnostic::NONE,
        state,
        poll: false,
        last: false,
        authenticated: false,
        demand: false,
        multiplier: 3,
        my_discriminator: 7,
        your_discriminator: 9,
        min_tx: 100_000,
        min_rx: 100_000,
    }
}

#[test]
fn the_handshake_and_what_it_says() {
    let mut bench = Bench::new(|_| {});
    bench.wait(Duration::ZERO);
    let first = bench.sent()[0];
    assert_eq!((first.state, first.your_discriminator), (State::Down, 0));
    assert_eq!((first.min_tx, first.min_rx, first.multiplier), (1_000_000, 100_000, 5));

    let slow = Packet { min_tx: 1_000_000, ..packet(State::Down) };
    assert_eq!(bench.hears(slow), State::Init);
    let said = "\
(B) ---------------< Session parameters >--------------
             min_tx  min_rx  tx_intv  mult  detect_time
    local   1000000  100000  1000000     5      3000000
    remote  1000000  100000  1000000     3      5000000
    Detection time is 3000000 us (was 0 us)
(B) Entering Init state
";
    assert_eq!(bench.said(), said);
    assert_eq!(bench.told(), []);

    assert_eq!(bench.hears(packet(State::Up)), State::Up);
    assert_eq!(bench.told(), [true]);
    assert!(bench.said().ends_with("(B) Entering Up state\n(B) Starting poll sequence\n"));
    assert_eq!(bench.session.local.interval, 100_000);
    // The shorter interval holds at once.
    bench.wait(Duration::from_millis(90));
    let polled = bench.sent()[0];
    assert!(polled.poll && !polled.last);
    assert_eq!((polled.min_tx, polled.your_discriminator), (100_000, 7));
    bench.hears(Packet { last: true, ..packet(State::Up) });
    bench.wait(Duration::from_millis(90));
    assert!(!bench.sent()[0].poll);
}

#[test]
fn the_transitions_of_the_standard() {
    use State::{AdminDown, Down, Init, Up};
    let next = |local, heard| transition(local, heard).map_or(local, |(state, _)| state);
    for (local, expected) in [
        (AdminDown, [AdminDown, AdminDown, AdminDown, AdminDown]),
        (Down, [Down, Init, Up, Down]),
        (Init, [Down, Init, Up, Up]),
        (Up, [Down, Down, Up, Up]),
    ] {
        assert_eq!([AdminDown, Down, Init, Up].map(|heard| next(local, heard)), expected);
    }
}

#[test]
fn silence_ends_a_session_after_the_detection_time() {
    let mut bench = Bench::up(|_| {});
    let number = bench.session.local.discriminator;
    bench.wait(Duration::from_micros(299_999));
    assert_eq!(bench.session.local.state, State::Up);
    bench.wait(Duration::from_micros(1));
    assert_eq!(bench.told(), [false]);
    let said = "\
(B) Expired after 300 ms (0 usec overdue)
(B) Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)
";
    assert_eq!(bench.said(), said);
    assert_ne!(bench.session.local.discriminator, number);
    assert_eq!(bench.session.remote.discriminator, 0);
    // What the neighbour said is forgotten one detection time later.
    assert_eq!(bench.session.remote.state, State::Init);
    bench.wait(Duration::from_millis(300));
    assert_eq!(bench.session.remote.state, State::Down);
}

#[test]
fn what_was_not_read_yet_may_be_from_the_neighbour() {
    let mut bench = Bench::up(|_| {});
    bench.now += Duration::from_secs(10);
    bench.with(|session, now, numbers, out| session.expire(now, true, numbers, out));
    assert_eq!(bench.session.local.state, State::Up);
    assert_eq!(bench.sent().len(), 1, "what is to be sent is not held up");
    assert!(bench.session.deadline() > bench.now);
    let mut silent = Bench { session: bench.session.clone(), ..Bench::new(|_| {}) };
    silent.now = bench.now;
    bench.hears(packet(State::Up));
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.session.local.state, State::Up);
    silent.wait(Duration::from_millis(1));
    assert_eq!(silent.session.local.state, State::Down);
}

#[test]
fn one_that_only_hears_expires_too() {
    let mut bench = Bench::new(|_| {});
    bench.hears(packet(State::Down));
    bench.wait(Duration::from_millis(299));
    bench.hears(packet(State::Down));
    bench.wait(Duration::from_millis(1));
    assert_eq!(bench.session.local.state, State::Down);
    assert_eq!(bench.told(), []);
}

#[test]
fn a_neighbour_that_is_taken_down_on_purpose_has_not_failed() {
    let mut bench = Bench::up(|_| {});
    assert_eq!(bench.hears(packet(State::AdminDown)), State::Down);
    assert_eq!(bench.told(), []);
    assert!(bench.session.told());
    let mut bench = Bench::up(|_| {});
    assert_eq!(bench.hears(packet(State::Down)), State::Down);
    assert_eq!(bench.told(), [false]);
}

#[test]
fn a_poll_is_answered_at_once() {
    let mut bench = Bench::up(|_| {});
    assert!(bench.session.polls());
    bench.hears(Packet { poll: true, min_tx: 500_000, ..packet(State::Up) });
    let answer = bench.sent()[0];
    assert!(answer.last && !answer.poll);
    assert!(bench.session.polls(), "it wants an answer itself");
    assert_eq!(bench.session.local.detection, 1_500_000);
    bench.hears(Packet { last: true, min_tx: 500_000, ..packet(State::Up) });
    // Without poll or answer, intervals stay, and the multiplier holds at once.
    bench.hears(Packet { min_tx: 900_000, multiplier: 2, ..packet(State::Up) });
    assert_eq!(bench.session.local.detection, 1_000_000);
}

/// A neighbour that polls for a shorter interval may send at the longer one until it has our answer.
#[test]
fn faster_packets_are_expected_when_the_neighbour_is_answered() {
    let slow = Packet { min_tx: 1_000_000, ..packet(State::Down) };
    let polls = Packet { poll: true, ..packet(State::Up) };
    let mut bench = Bench::new(|_| {});
    bench.hears(slow);
    bench.hears(polls);
    assert_eq!((bench.session.local.state, bench.session.local.detection), (State::Up, 3_000_000));
    bench.hears(polls);
    assert_eq!(bench.session.local.detection, 3_000_000, "it has not heard us");
    bench.hears(packet(State::Up));
    assert_eq!(bench.session.local.detection, 300_000);
}

/// It need not be asked before it gets more, and must not be missed for what we have not asked of it yet.
#[test]
fn our_own_intervals_change_when_the_neighbour_is_ready() {
    let mut bench = Bench::up(|_| {});
    assert_eq!(bench.session.local.interval, 100_000);
    bench.is_answered(packet(State::Up));
    let mut settings = (**bench.session.settings()).clone();
    (settings.min_tx, settings.min_rx) = (400_000, 10_000);
    let fast = Packet { min_tx: 10_000, ..packet(State::Up) };
    bench.with(|session, now, numbers, out| {
        session.follow(now, Rc::new(settings), numbers, out);
    });
    // Its own poll crosses ours.
    bench.hears(Packet { poll: true, ..fast });
    bench.hears(fast);
    assert_eq!((bench.session.local.interval, bench.session.remote.interval), (100_000, 100_000));
    bench.is_answered(fast);
    assert_eq!((bench.session.local.interval, bench.session.remote.interval), (400_000, 10_000));
}

/// A reload while the neighbour still answers an earlier poll.
#[test]
fn an_answer_to_an_older_question_is_none() {
    let mut bench = Bench::up(|_| {});
    bench.wait(Duration::from_millis(100));
    assert!(bench.sent()[0].poll);
    let mut settings = (**bench.session.settings()).clone();
    settings.min_tx = 400_000;
    bench.with(|session, now, numbers, out| {
        session.follow(now, Rc::new(settings), numbers, out);
    });
    bench.hears(Packet { last: true, ..packet(State::Up) });
    assert!(bench.session.polls());
    bench.wait(Duration::from_millis(100));
    assert!(bench.sent()[0].poll);
    bench.hears(Packet { last: true, ..packet(State::Up) });
    assert!(!bench.session.polls());
    assert_eq!(bench.session.local.interval, 400_000);
}

#[test]
fn jitter_takes_a_tenth_to_a_quarter() {
    let mut bench = Bench::up(|s| s.multiplier = 1);
    bench.hears(Packet { last: true, multiplier: 255, ..packet(State::Up) });
    bench.wait(Duration::from_secs(1));
    for _ in 0..1000 {
        bench.hears(Packet { multiplier: 255, ..packet(State::Up) });
        let interval = bench.session.send_at.since(bench.now);
        assert!((Duration::from_millis(75)..=Duration::from_millis(90)).contains(&interval));
        bench.wait(interval);
        assert_eq!(bench.sent().len(), 1);
    }
}

#[test]
fn a_passive_session_waits_for_its_neighbour() {
    let mut bench = Bench::new(|s| s.passive = true);
    assert_eq!(bench.session.deadline(), Time::NEVER);
    bench.hears(packet(State::Down));
    bench.wait(Duration::ZERO);
    assert_eq!(bench.sent()[0].state, State::Init);
    // Silent again after it expired.
    bench.wait(Duration::from_millis(300));
    assert_eq!(bench.session.local.state, State::Down);
    assert_eq!(bench.session.send_at, Time::NEVER);
    bench.hears(packet(State::Down));
    assert_ne!(bench.session.send_at, Time::NEVER);
}

#[test]
fn a_neighbour_may_want_to_hear_nothing() {
    let mut bench = Bench::up(|_| {});
    bench.is_answered(Packet { demand: true, ..packet(State::Up) });
    assert_eq!(bench.session.send_at, Time::NEVER);
    bench.hears(Packet { poll: true, demand: true, ..packet(State::Up) });
    assert_eq!(bench.sent().len(), 1, "but its polls are answered");
    bench.hears(packet(State::Up));
    assert_ne!(bench.session.send_at, Time::NEVER);
}

#[test]
fn without_a_socket_a_session_is_admin_down_and_tries_again() {
    let mut bench = Bench::new(|_| {});
    bench.with(|session, now, numbers, out| session.fail(now, numbers, out));
    assert_eq!(bench.said(), "(B) Entering AdminDown state\n");
    bench.wait(Duration::from_secs(59));
    assert_eq!(bench.actions, []);
    bench.wait(Duration::from_secs(1));
    assert_eq!(bench.actions, [(0, Action::Open)]);
    // By itself it begins anew, by a packet it is in Init.
    let mut heard = Bench { session: bench.session.clone(), ..Bench::new(|_| {}) };
    bench.with(|session, now, numbers, out| session.recover(now, false, numbers, out));
    assert_eq!(bench.session.local.state, State::Down);
    bench.wait(Duration::ZERO);
    assert_eq!(bench.sent().len(), 1);
    heard.with(|session, now, numbers, out| session.recover(now, true, numbers, out));
    assert_eq!(heard.hears(packet(State::Down)), State::Init);
    heard.wait(Duration::from_millis(299));
    assert_eq!(heard.session.local.state, State::Init);
}

#[test]
fn a_reload_lets_a_session_go_on() {
    let mut bench = Bench::up(|_| {});
    bench.is_answered(packet(State::Up));
    let follow = |bench: &mut Bench, change: &dyn Fn(&mut InstanceSettings)| {
        let mut settings = (**bench.session.settings()).clone();
        change(&mut settings);
        let mut reopen = false;
        bench.with(|session, now, numbers, out| {
            reopen = session.follow(now, Rc::new(settings), numbers, out);
        });
        reopen
    };
    assert!(!follow(&mut bench, &|_| {}));
    assert_eq!((bench.actions.len(), bench.session.polls()), (0, false));
    // Slower: the neighbour has to confirm first.
    assert!(!follow(&mut bench, &|s| s.min_tx = 400_000));
    assert!(bench.session.polls());
    assert_eq!(bench.session.local.interval, 100_000);
    bench.is_answered(packet(State::Up));
    assert_eq!(bench.session.local.interval, 400_000);
    assert!(follow(&mut bench, &|s| s.source = Some(NEIGHBOR)));
    assert_eq!(bench.session.local.state, State::Up);
}

proptest! {
    /// Whatever comes, and whenever: states stay legal, followers hear of every change once, and no session
    /// that is up is without a deadline.
    #[test]
    fn whatever_comes_the_session_stays_legal(
        steps in proptest::collection::vec(
            (any::<[u8; 24]>(), 0u64..500, any::<bool>()),
            1..60,
        ),
        passive in any::<bool>(),
    ) {
        let mut bench = Bench::new(|s| s.passive = passive);
        let mut told = false;
        for (bytes, millis, heard) in steps {
            if heard {
                let mut bytes = bytes;
                (bytes[0], bytes[3]) = (0x20 | bytes[0] & 7, 24);
                bytes[1] &= !1;
                // Times of a few hours at most, so that something happens.
                (bytes[12], bytes[16]) = (0, 0);
                if let Ok(packet) = Packet::parse(&bytes, 24) {
                    bench.hears(packet);
                }
            } else {
                bench.wait(Duration::from_millis(millis));
                prop_assert!(bench.session.deadline() > bench.now);
            }
            for up in bench.told() {
                told = up;
            }
            let session = &bench.session;
            prop_assert_eq!(session.told(), told);
            prop_assert_ne!(session.local.state, State::AdminDown);
            match session.local.state {
                State::Up => {
                    prop_assert!(told);
                    prop_assert!(session.expire_at != Time::NEVER);
                }
                State::Init => prop_assert!(session.expire_at != Time::NEVER),
                _ => prop_assert!(session.expire_at == Time::NEVER && !session.polls()),
            }
            for packet in bench.sent() {
                prop_assert!(!(packet.poll && packet.last));
                prop_assert_eq!(Packet::parse(&packet.emit(), 24).is_ok(),
                    packet.your_discriminator != 0
                        || !matches!(packet.state, State::Init | State::Up));
            }
        }
    }
}
