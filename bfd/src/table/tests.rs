use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::packet::{Diagnostic, LENGTH};
use crate::session::Action;

const NOW: Time = Time::from_nanos(1);

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn instance(name: &str, neighbor: u8) -> InstanceSettings {
    InstanceSettings::new(name, ip(neighbor))
}

fn sessions(instances: Vec<InstanceSettings>) -> Sessions {
    let mut sessions = Sessions::new(Random::seeded(1));
    sessions.adopt(NOW, instances, &mut Actions::new());
    sessions
}

fn packet(your_discriminator: u32) -> Packet {
    Packet {
        diagnostic: Diagnostic::NONE,
        state: State::Down,
        poll: false,
        last: false,
        authenticated: false,
        demand: false,
        multiplier: 3,
        my_discriminator: 7,
        your_discriminator,
        min_tx: 1_000_000,
        min_rx: 100_000,
    }
}

fn from(last: u8) -> Arrival {
    Arrival {
        source: (ip(last), 50_000).into(),
        destination: Some(ip(1)),
        ttl: Some(255),
        multihop: false,
    }
}

fn judge(sessions: &Sessions, packet: Packet, arrival: Arrival) -> Result<usize, Refused> {
    sessions.judge(&packet.emit(), LENGTH, &arrival).map(|(place, _)| place)
}

#[test]
fn a_packet_finds_its_session() {
    let mut several = instance("M", 2);
    several.multihop = true;
    let mut from_8 = instance("C", 4);
    from_8.source = Some(ip(8));
    let mut from_9 = instance("D", 4);
    from_9.source = Some(ip(9));
    let sessions = sessions(vec![instance("A", 2), instance("B", 3), several, from_8, from_9]);
    let unknown = Err(Refused::NoSession(0));
    assert_eq!(judge(&sessions, packet(0), from(2)), Ok(0));
    assert_eq!(judge(&sessions, packet(0), from(3)), Ok(1));
    assert_eq!(judge(&sessions, packet(0), from(5)), unknown);
    assert_eq!(judge(&sessions, packet(0), Arrival { multihop: true, ..from(2) }), Ok(2));
    assert_eq!(judge(&sessions, packet(0), from(4)), unknown);
    for (destination, place) in [(8, 3), (9, 4)] {
        let arrival = Arrival { destination: Some(ip(destination)), ..from(4) };
        assert_eq!(judge(&sessions, packet(0), arrival), Ok(place));
    }
    // A discriminator is enough, wherever the packet comes from.
    let number = sessions.list()[1].local().discriminator;
    assert_eq!(judge(&sessions, packet(number), from(5)), Ok(1));
    let other = number ^ 1;
    assert_eq!(judge(&sessions, packet(other), from(3)), Err(Refused::NoSession(other)));
}

#[test]
fn the_checks_and_their_order() {
    let mut wide = instance("W", 3);
    (wide.ttl, wide.max_hops) = (64, 10);
    let mut any = instance("X", 4);
    (any.ttl, any.max_hops) = (200, 255);
    let sessions = sessions(vec![instance("A", 2), wide, any]);
    let with = |ttl| move |last| Arrival { ttl, ..from(last) };
    let signed = Packet { authenticated: true, ..packet(0) };
    let far = |ttl, least| Err(Refused::Far { ttl, least, six: false });
    assert_eq!(judge(&sessions, packet(0), with(Some(254))(2)), far(254, 255));
    assert_eq!(judge(&sessions, packet(0), with(None)(2)), far(0, 255));
    assert_eq!(judge(&sessions, packet(0), with(Some(54))(3)), Ok(1));
    assert_eq!(judge(&sessions, packet(0), with(Some(53))(3)), far(53, 54));
    assert_eq!(judge(&sessions, packet(0), with(Some(1))(4)), Ok(2));
    // Hops before authentication, and nobody's packets are not looked at.
    assert_eq!(judge(&sessions, signed, with(Some(1))(2)), far(1, 255));
    assert_eq!(judge(&sessions, signed, from(2)), Err(Refused::Authenticated));
    assert_eq!(judge(&sessions, signed, from(9)), Err(Refused::NoSession(0)));
    let cut = sessions.judge(&[0x20; 10], 10, &from(9)).map(|_| ());
    assert_eq!(cut, Err(Refused::Malformed(Malformed::Short(10))));
}

#[test]
fn what_is_said_of_dropped_datagrams() {
    let source = (ip(2), 4444).into();
    let said = |refused: Refused| refused.from(source).to_string();
    assert_eq!(
        said(Refused::Malformed(Malformed::Version(3))),
        "Packet is of unsupported version: 3\nDiscarding bogus packet from [10.0.0.2]:4444"
    );
    assert_eq!(
        said(Refused::NoSession(10)),
        "Discarding packet from [10.0.0.2]:4444 (session is not found - your discriminator field is \
         0x0000000a)"
    );
    assert_eq!(
        said(Refused::Far { ttl: 3, least: 255, six: true }),
        "Packet hop_limit(3) < 255 - discarding\nDiscarding packet from [10.0.0.2]:4444"
    );
}

#[test]
fn a_reload_finds_sessions_by_name() {
    let mut sessions = sessions(vec![instance("A", 2), instance("B", 3)]);
    let numbers: Vec<u32> = sessions.list().iter().map(|s| s.local().discriminator).collect();
    let mut actions = Actions::new();
    let mut moved = instance("A", 9);
    moved.source = Some(ip(1));
    let origins =
        sessions.adopt(NOW, vec![instance("B", 3), instance("C", 4), moved], &mut actions);
    assert_eq!(origins, [(Some(1), false), (None, true), (Some(0), true)]);
    assert_eq!(sessions.list()[0].local().discriminator, numbers[1]);
    assert_eq!(sessions.list()[2].local().discriminator, numbers[0]);
    assert_eq!(judge(&sessions, packet(numbers[0]), from(2)), Ok(2));
    assert_eq!(judge(&sessions, packet(0), from(9)), Ok(2));
    assert_eq!(judge(&sessions, packet(0), from(2)), Err(Refused::NoSession(0)));
    assert_eq!(judge(&sessions, packet(numbers[1]), from(3)), Ok(0));
}

#[test]
fn without_a_socket_nothing_is_heard() {
    let mut sessions = sessions(vec![instance("A", 2)]);
    let mut actions = Actions::new();
    sessions.opened(NOW, 0, false, false, &mut actions);
    assert_eq!(sessions.list()[0].local().state, State::AdminDown);
    sessions.heard(NOW, 0, &packet(0), &mut actions);
    assert_eq!(sessions.list()[0].local().state, State::AdminDown);
    actions.clear();
    sessions.expire(NOW + Duration::from_secs(60), false, &mut actions);
    assert_eq!(actions, [(0, Action::Open)]);
}

#[test]
fn discriminators_are_nobody_elses() {
    let many = (0..200).map(|n| instance(&format!("B{n}"), n)).collect();
    let sessions = sessions(many);
    let numbers = sessions.list().iter().map(|session| session.local().discriminator);
    let numbers: std::collections::HashSet<u32> = numbers.collect();
    assert_eq!(numbers.len(), 200);
    assert!(!numbers.contains(&0));
}

proptest! {
    /// Any bytes from anywhere: refused, or for a session that exists.
    #[test]
    fn whatever_comes_is_judged(
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        last in 1u8..6,
        ttl in any::<Option<u8>>(),
    ) {
        let mut sessions = sessions(vec![instance("A", 2), instance("B", 3)]);
        let arrival = Arrival { ttl, ..from(last) };
        let mut actions = Actions::new();
        match sessions.judge(&bytes, bytes.len(), &arrival) {
            Ok((place, packet)) => {
                prop_assert!(place < 2);
                sessions.opened(NOW, place, true, false, &mut actions);
                sessions.heard(NOW, place, &packet, &mut actions);
            }
            Err(refused) => prop_assert!(!refused.from(arrival.source).to_string().is_empty()),
        }
    }
}
