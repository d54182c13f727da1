//! BFD control packets.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bfd::InstanceSettings;
use bfd::packet::{LENGTH, Packet, State};
use bfd::session::{Action, Actions};
use bfd::table::{Arrival, Drops, Sessions};
use config::Random;

const NEIGHBOR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Datagrams of a length that their first byte tells; the second says how they come, and how much time passes
/// before. All are for one session, which must stay legal.
pub fn bfd(data: &[u8]) {
    let mut now = scheduler::Time::from_nanos(1);
    let mut actions = Actions::new();
    let mut drops = Drops::default();
    let mut sessions = Sessions::new(Random::seeded(1));
    sessions.adopt(now, vec![InstanceSettings::new("B", NEIGHBOR)], &mut actions);
    sessions.opened(now, 0, true, false, &mut actions);
    let mut told = false;
    let mut rest = data;
    while let Some((&[length, how], bytes)) = rest.split_first_chunk::<2>() {
        let (datagram, after) = bytes.split_at(usize::from(length).min(bytes.len()));
        rest = after;
        now += Duration::from_millis(u64::from(how >> 2));
        sessions.expire(now, how & 3 == 1, &mut actions);
        assert!(sessions.next_deadline() > now);
        let mut known = datagram.to_vec();
        // Nobody guesses a discriminator.
        if how & 1 != 0
            && let Some(number) = known.get_mut(8..12)
        {
            number.copy_from_slice(&sessions.list()[0].local().discriminator.to_be_bytes());
        }
        let arrival = Arrival {
            source: (NEIGHBOR, 50_000).into(),
            destination: None,
            ttl: Some(if how & 2 != 0 { 255 } else { 254 + (how & 1) }),
            multihop: false,
        };
        match sessions.judge(&known, known.len(), &arrival) {
            Ok((place, packet)) => {
                assert_eq!(Packet::parse(&packet.emit(), LENGTH), Ok(packet));
                sessions.heard(now, place, &packet, &mut actions);
            }
            Err(refused) => {
                assert!(!refused.from(arrival.source).to_string().is_empty());
                drops.count(refused);
            }
        }
        for (_, action) in actions.drain(..) {
            match action {
                Action::Tell(up) => told = up,
                Action::Send(packet) => assert!(!(packet.poll && packet.last)),
                Action::Say(note) => assert!(!note.of("B").to_string().is_empty()),
                Action::Open => panic!("the socket is open"),
            }
        }
        let session = &sessions.list()[0];
        assert_eq!(session.told(), told);
        assert!(told || session.local().state != State::Up);
    }
}
