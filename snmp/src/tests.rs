//! The session against a master that is a few lines of test, and bytes that no master would send.

use proptest::prelude::*;

use crate::session::{Agent, Ended, News, Session, Trap};
use crate::value::{Found, Oid, Value, VarBind};

/// Objects 1.9.1 to 1.9.5.
struct Five;

impl Agent for Five {
    fn get(&self, name: &[u32]) -> Found {
        match name {
            [1, 9, n @ 1..=5] => Found::Value(Value::Gauge32(*n)),
            _ => Found::NoSuchObject,
        }
    }

    fn next(&self, start: &[u32], inclusive: bool) -> Option<VarBind> {
        (1..=5).map(|n| vec![1, 9, n]).find_map(|name| {
            let found = *name > *start || inclusive && *name == *start;
            found.then(|| VarBind::new(name.clone(), Value::Gauge32(name[2])))
        })
    }
}

/// What the master sends. With `little`, in the other byte order.
struct Master {
    little: bool,
    session: u32,
}

impl Master {
    fn long(&self, value: u32) -> [u8; 4] {
        if self.little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn short(&self, value: u16) -> [u8; 2] {
        if self.little { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    fn message(&self, kind: u8, packet: u32, payload: &[u8]) -> Vec<u8> {
        let flags = if self.little { 0 } else { 0x10 };
        let mut bytes = vec![1, kind, flags, 0];
        for field in [self.session, 77, packet, payload.len() as u32] {
            bytes.extend(self.long(field));
        }
        bytes.extend(payload);
        bytes
    }

    fn response(&self, packet: u32, status: u16) -> Vec<u8> {
        let payload = [&self.long(9)[..], &self.short(status), &self.short(0)].concat();
        self.message(18, packet, &payload)
    }

    fn oid(&self, oid: &[u32], include: u8) -> Vec<u8> {
        // As net-snmp does, the usual beginning is one byte.
        let (prefix, rest) = match oid {
            [1, 3, 6, 1, prefix @ 1..=255, rest @ ..] => (*prefix as u8, rest),
            _ => (0, oid),
        };
        let mut bytes = vec![rest.len() as u8, prefix, include, 0];
        rest.iter().for_each(|part| bytes.extend(self.long(*part)));
        bytes
    }

    fn range(&self, start: &[u32], include: u8, end: &[u32]) -> Vec<u8> {
        [self.oid(start, include), self.oid(end, 0)].concat()
    }
}

/// Type, packet number and payload of each message in what a session sends.
fn sent(session: &mut Session) -> Vec<(u8, u32, Vec<u8>)> {
    let bytes = session.output().to_vec();
    session.sent(bytes.len());
    let mut rest = &bytes[..];
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let field = |at: usize| u32::from_be_bytes(rest[at..at + 4].try_into().unwrap());
        let length = field(16) as usize;
        assert_eq!((rest[0], rest[2]), (1, 0x10));
        assert_eq!(length % 4, 0);
        messages.push((rest[1], field(12), rest[20..20 + length].to_vec()));
        rest = &rest[20 + length..];
    }
    messages
}

fn opened(master: &Master, subtrees: Vec<Oid>) -> Session {
    let mut session = Session::new("Test", subtrees);
    let open = sent(&mut session);
    let [(1, packet, payload)] = &open[..] else { panic!("{open:?}") };
    assert_eq!(*payload, b"\0\0\0\0\0\0\0\0\0\0\0\x04Test");
    session.received(&master.response(*packet, 0), &Five).unwrap();
    session
}

#[test]
fn a_session_registers_and_answers_in_either_byte_order() {
    for little in [false, true] {
        let master = Master { little, session: 0x0102_0304 };
        let mut session = opened(&master, vec![vec![1, 9], vec![1, 8]]);
        let register = sent(&mut session);
        let [(3, first, payload), (3, second, _)] = &register[..] else { panic!("{register:?}") };
        assert_eq!(*payload, b"\0\x7f\0\0\x02\0\0\0\0\0\0\x01\0\0\0\x09");
        session.received(&master.response(*first, 0), &Five).unwrap();
        session.received(&master.response(*second, 263), &Five).unwrap();
        let news = session.news();
        assert_eq!(news, [News::Connected, News::Refused(vec![1, 8], "duplicateRegistration")]);

        // Get one that is there and one that is not.
        let get = [master.range(&[1, 9, 3], 0, &[]), master.range(&[1, 9, 6], 0, &[])].concat();
        session.received(&master.message(5, 500, &get), &Five).unwrap();
        let answer = sent(&mut session);
        let [(18, 500, payload)] = &answer[..] else { panic!("{answer:?}") };
        let found = b"\0\x42\0\0\x03\0\0\0\0\0\0\x01\0\0\0\x09\0\0\0\x03\0\0\0\x03";
        let missing = b"\0\x80\0\0\x03\0\0\0\0\0\0\x01\0\0\0\x09\0\0\0\x06";
        assert_eq!(payload[..8], [0; 8]);
        assert_eq!(payload[8..], [&found[..], missing].concat());
    }
}

/// The last parts of the names in an answer; 0 for the end of the view.
fn names(session: &mut Session) -> Vec<u8> {
    let answer = sent(session);
    let [(18, _, payload)] = &answer[..] else { panic!("{answer:?}") };
    let mut rest = &payload[8..];
    let mut names = Vec::new();
    while !rest.is_empty() {
        let parts = usize::from(rest[4]);
        let end = rest[1] == 130;
        names.push(if end { 0 } else { rest[8 + 4 * parts - 1] });
        rest = &rest[8 + 4 * parts + if end { 0 } else { 4 }..];
    }
    names
}

#[test]
fn what_follows_is_told_up_to_the_end_of_a_range() {
    let master = Master { little: false, session: 1 };
    let mut session = opened(&master, vec![]);
    let ranges = [
        master.range(&[1, 9], 0, &[1, 10]),
        master.range(&[1, 9, 2], 0, &[1, 10]),
        master.range(&[1, 9, 2], 1, &[1, 10]),
        master.range(&[1, 9, 2], 0, &[1, 9, 3]),
        master.range(&[1, 9, 5], 0, &[]),
    ];
    session.received(&master.message(6, 1, &ranges.concat()), &Five).unwrap();
    assert_eq!(names(&mut session), [1, 3, 2, 0, 0]);

    // Once the first, three times the others, turn by turn, and no longer than there is anything.
    let bulk = |once: u16, times: u16| {
        let ranges = [master.range(&[1, 9], 0, &[]), master.range(&[1, 9, 3], 0, &[])].concat();
        [&master.short(once)[..], &master.short(times), &ranges].concat()
    };
    session.received(&master.message(7, 2, &bulk(1, 3)), &Five).unwrap();
    assert_eq!(names(&mut session), [1, 4, 5, 0]);
    session.received(&master.message(7, 3, &bulk(0, 2)), &Five).unwrap();
    assert_eq!(names(&mut session), [1, 4, 2, 5]);
    session.received(&master.message(7, 3, &bulk(9, u16::MAX)), &Five).unwrap();
    assert_eq!(names(&mut session), [1, 4]);
}

#[test]
fn nothing_can_be_set() {
    let master = Master { little: false, session: 1 };
    let mut session = opened(&master, vec![]);
    for (kind, status) in [(8, Some(17)), (9, Some(14)), (10, Some(5)), (11, None), (99, Some(268))]
    {
        session.received(&master.message(kind, 1, &[]), &Five).unwrap();
        let answer = sent(&mut session);
        match status {
            Some(status) => {
                let [(18, 1, payload)] = &answer[..] else { panic!("{answer:?}") };
                assert_eq!(*payload, [0, 0, 0, 0, (status >> 8) as u8, status as u8, 0, 1]);
            }
            None => assert_eq!(answer, []),
        }
    }
    // In a context of its own.
    let mut request = master.message(5, 1, &[0, 0, 0, 1, b'x', 0, 0, 0]);
    request[2] |= 8;
    session.received(&request, &Five).unwrap();
    assert_eq!(sent(&mut session)[0].2[4..6], [1, 6]);
}

#[test]
fn notifications_wait_for_the_session() {
    let master = Master { little: false, session: 1 };
    let mut session = Session::new("Test", vec![]);
    let trap = |n| Trap { name: vec![1, 9, 0, n], binds: vec![] };
    (0..2000).for_each(|n| session.notify(trap(n)));
    let packet = sent(&mut session)[0].1;
    session.received(&master.response(packet, 0), &Five).unwrap();
    session.notify(trap(7));
    let notified = sent(&mut session);
    assert_eq!(notified.len(), 1001);
    assert!(notified.iter().all(|(kind, ..)| *kind == 12));
    let (.., payload) = &notified[1000];
    let name = b"\0\x06\0\0\x0b\0\0\0\0\0\0\x01\0\0\0\x03\0\0\0\x06\0\0\0\x01\0\0\0\x06\0\0\0\x03\0\0\0\x01\
                 \0\0\0\x01\0\0\0\x04\0\0\0\x01\0\0\0\0";
    let value = b"\x04\0\0\0\0\0\0\x01\0\0\0\x09\0\0\0\0\0\0\0\x07";
    assert_eq!(*payload, [&name[..], value].concat());

    // Nobody reads: the rest is given up.
    (0..100_000).for_each(|n| session.notify(trap(n)));
    assert!(session.output().len() < 1_100_000);
}

#[test]
fn a_master_that_refuses_closes_or_is_silent_ends_the_session() {
    let master = Master { little: false, session: 1 };
    let mut session = Session::new("Test", vec![]);
    let packet = sent(&mut session)[0].1;
    let refused = session.received(&master.response(packet, 256), &Five);
    assert_eq!(refused, Err(Ended::NotOpened("openFailed")));

    let mut session = opened(&master, vec![]);
    assert_eq!(session.received(&master.message(2, 1, &[1, 0, 0, 0]), &Five), Err(Ended::Closed));

    let mut session = opened(&master, vec![]);
    session.ping().unwrap();
    let [(13, packet, _)] = sent(&mut session)[..] else { panic!("a ping") };
    session.received(&master.response(packet, 0), &Five).unwrap();
    session.ping().unwrap();
    assert_eq!(session.ping(), Err(Ended::Silent));

    let mut session = opened(&master, vec![]);
    session.close();
    let [(2, _, payload)] = &sent(&mut session)[..] else { panic!("a close") };
    assert_eq!(*payload, [5, 0, 0, 0]);
}

#[test]
fn messages_come_in_pieces_and_several_at_once() {
    let master = Master { little: false, session: 1 };
    let mut session = opened(&master, vec![]);
    let get = master.message(5, 1, &master.range(&[1, 9, 1], 0, &[]));
    for byte in &get[..get.len() - 1] {
        session.received(&[*byte], &Five).unwrap();
        assert_eq!(sent(&mut session), []);
    }
    session.received(&[&get[get.len() - 1..], &get, &get].concat(), &Five).unwrap();
    assert_eq!(sent(&mut session).len(), 3);
}

#[test]
fn what_is_no_message_ends_the_session() {
    let master = Master { little: false, session: 1 };
    let mut huge = master.message(5, 1, &[]);
    huge[16] = 1;
    let mut version = master.message(5, 1, &[]);
    version[0] = 2;
    let long = master.message(5, 1, &[200, 0, 0, 0]);
    let short = master.message(5, 1, &[2, 0, 0, 0, 0, 0, 0, 1]);
    for (bytes, text) in [
        (huge, "the master sent a message that is too long"),
        (version, "the master sent a message of an unknown version"),
        (long, "the master sent an object identifier that is too long"),
        (short, "the master sent a message that is cut short"),
    ] {
        let mut session = opened(&master, vec![]);
        assert_eq!(session.received(&bytes, &Five).unwrap_err().to_string(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_survived(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
        kind in 0..20u8, flags in any::<u8>(), payload in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let master = Master { little: false, session: 1 };
        let mut session = opened(&master, vec![vec![1, 9]]);
        let mut message = master.message(kind, 3, &payload);
        message[2] = flags & 0x1f;
        let _ = session.received(&message, &Five);
        for piece in pieces {
            if session.received(&piece, &Five).is_err() {
                break;
            }
        }
    }
}
