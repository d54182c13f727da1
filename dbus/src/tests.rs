//! The session against a bus that is a few lines of test, and bytes that no bus would send.

use proptest::prelude::*;

use crate::message::{self, Kind, Message};
use crate::object::{Interface, Objects, Value};
use crate::session::{Ended, Invoked, Name, News, Session, Signal};

static DOOR: Interface = Interface {
    name: "a.b.Door",
    methods: &["Open"],
    signals: &[("Opened", &[("by", "u")])],
    properties: &[("Name", "s"), ("State", "(us)")],
};

/// One object, `/a/door`.
struct House;

impl Objects for House {
    fn interface(&self, path: &str) -> Option<&'static Interface> {
        (path == "/a/door").then_some(&DOOR)
    }

    fn property(&self, _: &str, name: &str) -> Option<Value> {
        match name {
            "Name" => Some(Value::Text("front\0door".into())),
            "State" => Some(Value::Struct(vec![Value::U32(7), Value::Text("shut".into())])),
            _ => None,
        }
    }

    fn below(&self, path: &str) -> Vec<String> {
        if path == "/a" { vec!["door".into()] } else { Vec::new() }
    }
}

/// Writes what others send, in either byte order.
struct Peer {
    big_endian: bool,
    bytes: Vec<u8>,
}

impl Peer {
    fn u32(&mut self, value: u32) -> &mut Self {
        self.pad(4);
        let bytes = if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.extend(bytes);
        self
    }

    fn pad(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn string(&mut self, text: &str) -> &mut Self {
        self.u32(text.len() as u32).bytes.extend(text.as_bytes());
        self.bytes.push(0);
        self
    }

    fn signature(&mut self, text: &str) -> &mut Self {
        self.bytes.push(text.len() as u8);
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
        self
    }
}

fn peer(big_endian: bool) -> Peer {
    Peer { big_endian, bytes: Vec::new() }
}

/// Fields of a header: number and text; a reply's number comes as text, too.
fn message(big_endian: bool, kind: u8, flags: u8, fields: &[(u8, &str)], body: &[u8]) -> Vec<u8> {
    let mut list = peer(big_endian);
    for (code, text) in fields {
        list.pad(8);
        list.bytes.push(*code);
        match code {
            1 => list.signature("o").string(text),
            5 => list.signature("u").u32(text.parse().unwrap()),
            8 => list.signature("g").signature(text),
            _ => list.signature("s").string(text),
        };
    }
    let mut out = peer(big_endian);
    out.bytes.extend([if big_endian { b'B' } else { b'l' }, kind, flags, 1]);
    out.u32(body.len() as u32).u32(900).u32(list.bytes.len() as u32);
    out.bytes.extend(list.bytes);
    out.pad(8);
    out.bytes.extend(body);
    out.bytes
}

const GET: &str = "org.freedesktop.DBus.Properties";

/// A call of somebody's.
fn call(big_endian: bool, path: &str, interface: &str, member: &str, texts: &[&str]) -> Vec<u8> {
    let mut body = peer(big_endian);
    for text in texts {
        body.string(text);
    }
    let signature = "s".repeat(texts.len());
    let mut fields = vec![(7, ":1.9"), (1, path), (3, member)];
    if !interface.is_empty() {
        fields.push((2, interface));
    }
    if !texts.is_empty() {
        fields.push((8, &signature));
    }
    message(big_endian, 1, 0, &fields, &body.bytes)
}

/// A message of the bus with one argument.
fn from_bus(kind: u8, fields: &[(u8, &str)], signature: &str, body: &mut Peer) -> Vec<u8> {
    let fields: Vec<(u8, &str)> =
        [(7, "org.freedesktop.DBus"), (8, signature)].iter().chain(fields).copied().collect();
    message(false, kind, 0, &fields, &body.bytes)
}

fn name_signal(member: &str, name: &str) -> Vec<u8> {
    let fields = [(1, "/org/freedesktop/DBus"), (2, "org.freedesktop.DBus"), (3, member)];
    from_bus(4, &fields, "s", peer(false).string(name))
}

/// All that waits to be sent, as messages.
fn sent(session: &mut Session) -> Vec<Vec<u8>> {
    let bytes = session.output().to_vec();
    session.sent(bytes.len());
    let mut rest = &bytes[..];
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let length = message::length(rest).unwrap().unwrap();
        messages.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    messages
}

fn begun() -> Session {
    let name: Name = "a.b".parse().unwrap();
    let mut session = Session::new(name, 0, Some("0123".into()));
    assert_eq!(session.output(), b"\0AUTH EXTERNAL 30\r\n");
    session.sent(session.output().len());
    session
}

/// The session up to where it has asked for its name.
fn naming() -> Session {
    let mut session = begun();
    session.received(b"OK 1234\r\n", &House).unwrap();
    assert!(session.output().starts_with(b"BEGIN\r\nl\x01"));
    session.sent(7);
    let hello = sent(&mut session);
    let [hello] = &hello[..] else { panic!("{hello:?}") };
    let hello = message::parse(hello).unwrap();
    assert_eq!((hello.kind, hello.serial, hello.member), (Kind::Call, 1, "Hello"));
    let named = from_bus(2, &[(5, "1")], "s", peer(false).string(":1.7"));
    session.received(&named, &House).unwrap();
    let request = sent(&mut session);
    let [request] = &request[..] else { panic!("{request:?}") };
    let request = message::parse(request).unwrap();
    assert_eq!((request.serial, request.member, request.signature), (2, "RequestName", "su"));
    let mut body = request.body;
    assert_eq!((body.string(), body.u32()), (Ok("a.b"), Ok(0)));
    session
}

fn request_answered(code: u32) -> Vec<u8> {
    from_bus(2, &[(5, "2")], "u", peer(false).u32(code))
}

fn named() -> Session {
    let mut session = naming();
    session.received(&request_answered(1), &House).unwrap();
    assert_eq!(session.news(), [News::Acquired]);
    session
}

/// The answer to one call.
fn answer(session: &mut Session, call: &[u8]) -> Vec<u8> {
    session.received(call, &House).unwrap();
    let mut answers = sent(session);
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// The name of the error, or the signature of the values that a call was answered with.
fn outcome<'a>(message: &Message<'a>) -> &'a str {
    assert_eq!((message.reply_serial, message.sender), (900, ""));
    match message.kind {
        Kind::Error => message.error_name.rsplit('.').next().unwrap(),
        kind => {
            assert_eq!(kind, Kind::Return);
            message.signature
        }
    }
}

/// The bytes as the specification has them, and not only as the reader here would take them.
#[test]
fn a_signal_is_on_the_wire_as_specified() {
    let mut session = named();
    let signal = Signal {
        path: "/a/door".into(),
        interface: "a.b.Door",
        member: "Opened",
        arguments: vec![Value::U32(5)],
    };
    session.emit(&signal);
    let wanted = b"l\x04\0\x01\x04\0\0\0\x03\0\0\0\x3f\0\0\0\
        \x01\x01o\0\x07\0\0\0/a/door\0\
        \x02\x01s\0\x08\0\0\0a.b.Door\0\0\0\0\0\0\0\0\
        \x03\x01s\0\x06\0\0\0Opened\0\0\
        \x08\x01g\0\x01u\0\0\
        \x05\0\0\0";
    assert_eq!(session.output().escape_ascii().to_string(), wanted.escape_ascii().to_string());
}

#[test]
fn the_name_may_have_to_be_waited_for() {
    let mut session = naming();
    assert!(!session.is_open());
    session.received(&request_answered(2), &House).unwrap();
    assert!(session.is_open() && !session.takes_signals());
    session.received(&name_signal("NameAcquired", ":1.7"), &House).unwrap();
    assert!(!session.takes_signals());
    session.received(&name_signal("NameAcquired", "a.b"), &House).unwrap();
    assert!(session.takes_signals());
    session.received(&name_signal("NameLost", "a.b"), &House).unwrap();
    assert!(session.is_open() && !session.takes_signals());
    assert_eq!(session.news(), [News::Queued, News::Acquired, News::Lost]);
}

#[test]
fn what_the_bus_refuses_ends_the_session() {
    let mut session = begun();
    assert_eq!(session.received(b"REJECTED EXTERNAL\r\n", &House), Err(Ended::Rejected));
    let mut session = naming();
    let words = "not yours";
    let fields = [(5, "2"), (4, "org.freedesktop.DBus.Error.AccessDenied")];
    let refused = from_bus(3, &fields, "s", peer(false).string(words));
    assert_eq!(session.received(&refused, &House), Err(Ended::Refused(words.into())));
}

/// What others answer to what was asked of the bus does not count.
#[test]
fn only_the_bus_gives_names() {
    let mut session = naming();
    let fields = [(7, ":1.9"), (5, "2"), (8, "u")];
    session.received(&message(false, 2, 0, &fields, &[1, 0, 0, 0]), &House).unwrap();
    let fields = [(7, ":1.9"), (5, "2"), (4, "a.b.Error")];
    session.received(&message(false, 3, 0, &fields, &[]), &House).unwrap();
    assert!(!session.is_open() && session.news().is_empty());
}

#[test]
fn calls_are_answered_in_either_byte_order() {
    for big in [false, true] {
        let mut session = named();
        let mut ask = |path: &str, interface: &str, member: &str, texts: &[&str]| {
            let reply = answer(&mut session, &call(big, path, interface, member, texts));
            let invoked = session.invoked();
            (outcome(&message::parse(&reply).unwrap()).to_owned(), invoked)
        };
        let open = || vec![Invoked { path: "/a/door".into(), member: "Open" }];
        for (path, interface, member, texts, wanted, invoked) in [
            ("/a/door", "a.b.Door", "Open", &[][..], "", open()),
            ("/a/door", "", "Open", &[], "", open()),
            ("/a/door", "a.b.Door", "Open", &["x"], "InvalidArgs", vec![]),
            ("/a/door", "a.b.Door", "Close", &[], "UnknownMethod", vec![]),
            ("/a/door", "a.b.Window", "Open", &[], "UnknownMethod", vec![]),
            ("/a", "a.b.Door", "Open", &[], "UnknownMethod", vec![]),
            ("/a/door", GET, "Get", &["a.b.Door", "Name"], "v", vec![]),
            ("/a/door", GET, "Get", &["", "State"], "v", vec![]),
            ("/a/door", GET, "Get", &["a.b.Window", "Name"], "InvalidArgs", vec![]),
            ("/a/door", GET, "Get", &["a.b.Door", "Colour"], "InvalidArgs", vec![]),
            ("/a/door", GET, "Get", &["a.b.Door"], "InvalidArgs", vec![]),
            ("/a", GET, "Get", &["a.b.Door", "Name"], "UnknownMethod", vec![]),
            ("/a/door", GET, "GetAll", &["a.b.Door"], "a{sv}", vec![]),
            ("/a/door", GET, "GetAll", &["a.b.Window"], "InvalidArgs", vec![]),
            ("/a/door", GET, "Set", &["a.b.Door", "Name"], "InvalidArgs", vec![]),
            ("/", "org.freedesktop.DBus.Peer", "Ping", &[], "", vec![]),
            ("/", "org.freedesktop.DBus.Peer", "GetMachineId", &[], "s", vec![]),
            ("/", "org.freedesktop.DBus.Introspectable", "Introspect", &[], "s", vec![]),
        ] {
            let found = ask(path, interface, member, texts);
            assert_eq!(
                found,
                (wanted.to_owned(), invoked),
                "{path} {interface} {member} {texts:?}"
            );
        }
    }
}

#[test]
fn properties_have_values() {
    let mut session = named();
    let reply = answer(&mut session, &call(false, "/a/door", GET, "Get", &["a.b.Door", "State"]));
    let mut body = message::parse(&reply).unwrap().body;
    assert_eq!(body.signature(), Ok("(us)"));
    body.align(8).unwrap();
    assert_eq!((body.u32(), body.string()), (Ok(7), Ok("shut")));

    let reply = answer(&mut session, &call(false, "/a/door", GET, "GetAll", &["a.b.Door"]));
    let mut body = message::parse(&reply).unwrap().body;
    let length = body.u32().unwrap() as usize;
    body.align(8).unwrap();
    assert_eq!(body.at() + length, reply.len());
    assert_eq!(
        (body.string(), body.signature(), body.string()),
        (Ok("Name"), Ok("s"), Ok("front"))
    );
    body.align(8).unwrap();
    assert_eq!((body.string(), body.signature()), (Ok("State"), Ok("(us)")));
}

#[test]
fn objects_describe_themselves() {
    let mut session = named();
    let mut describe = |path| {
        let introspect = ("org.freedesktop.DBus.Introspectable", "Introspect");
        let reply = answer(&mut session, &call(false, path, introspect.0, introspect.1, &[]));
        let mut body = message::parse(&reply).unwrap().body;
        body.string().unwrap().to_owned()
    };
    assert!(describe("/a").contains("<node>\n  <node name=\"door\"/>\n</node>\n"));
    assert!(describe("/b").ends_with("<node>\n</node>\n"));
    let door = describe("/a/door");
    for part in [
        "<interface name=\"a.b.Door\">\n    <method name=\"Open\"/>\n",
        "<signal name=\"Opened\">\n      <arg type=\"u\" name=\"by\"/>\n    </signal>\n",
        "<property type=\"(us)\" name=\"State\" access=\"read\"/>\n",
        "<interface name=\"org.freedesktop.DBus.Properties\">",
    ] {
        assert!(door.contains(part), "{door}");
    }
}

#[test]
fn who_wants_no_answer_gets_none() {
    let mut session = named();
    let fields = [(7, ":1.9"), (1, "/a/door"), (3, "Open"), (2, "a.b.Door")];
    session.received(&message(false, 1, 1, &fields, &[]), &House).unwrap();
    assert_eq!(sent(&mut session), Vec::<Vec<u8>>::new());
    assert_eq!(session.invoked().len(), 1);
}

#[test]
fn messages_come_in_pieces_and_several_at_once() {
    let mut session = named();
    let get = call(true, "/a/door", GET, "GetAll", &["a.b.Door"]);
    for byte in &get[..get.len() - 1] {
        session.received(&[*byte], &House).unwrap();
        assert!(session.output().is_empty());
    }
    session.received(&[&get[get.len() - 1..], &get, &get].concat(), &House).unwrap();
    assert_eq!(sent(&mut session).len(), 3);
}

/// Anybody may send long messages; they are read over, however they come.
#[test]
fn long_messages_are_read_over() {
    let get = call(false, "/a/door", GET, "GetAll", &["a.b.Door"]);
    let long = call(false, "/a/door", GET, "GetAll", &[&"x".repeat(70_000)]);
    for piece in [1000, 200_000] {
        let mut session = named();
        let all = [&long[..], &get, &long, &get].concat();
        for piece in all.chunks(piece) {
            session.received(piece, &House).unwrap();
        }
        assert_eq!(sent(&mut session).len(), 2);
    }
}

/// Nobody reads the answers.
#[test]
fn what_waits_is_bounded() {
    let mut session = named();
    let introspect =
        call(false, "/a/door", "org.freedesktop.DBus.Introspectable", "Introspect", &[]);
    for _ in 0..2000 {
        session.received(&introspect, &House).unwrap();
    }
    let waiting = session.output().len();
    assert!((1024 * 1024..1024 * 1024 + 10_000).contains(&waiting), "{waiting}");
    assert!(!session.takes_signals());
}

/// A header may have fields that nobody here has heard of.
#[test]
fn unknown_fields_of_any_type_are_read_over() {
    // A variant each: its signature, and values behind the byte that says which field it is.
    let cases: [&[u8]; 8] = [
        b"\x01y\0\x05",
        b"\x01s\0\x02\0\0\0ab\0",
        b"\x02ai\0\0\0\0\x08\0\0\0\x01\0\0\0\x02\0\0\0",
        b"\x05(yay)\0\x09\0\0\0\x02\0\0\0xy",
        b"\x05a{sv}\0\0\0\0\0\0\0\0\0",
        b"\x01v\0\x01v\0\x01g\0\x02ss\0",
        b"\x01d\0\0\0\0\0\x01\x02\x03\x04\x05\x06\x07\x08",
        b"\x02at\0\0\0\0\0\0\0\0\0\0\0\0",
    ];
    for case in cases {
        let mut ping = message(false, 1, 0, &[(7, ":1.9"), (1, "/a"), (3, "Ping")], &[]);
        // Behind the other fields, which end at a multiple of 8.
        let begin = ping.len();
        ping.push(200);
        ping.extend(case);
        let fields = u32::try_from(ping.len() - 16).unwrap();
        ping[12..16].copy_from_slice(&fields.to_le_bytes());
        ping.resize(ping.len().next_multiple_of(8), 0);
        assert_eq!(begin % 8, 0);
        let mut session = named();
        let outcome = session.received(&ping, &House);
        assert_eq!((outcome, sent(&mut session).len()), (Ok(()), 1), "{}", case.escape_ascii());
    }
}

#[test]
fn what_is_no_message_ends_the_session() {
    let good = call(false, "/a/door", GET, "Get", &["a.b.Door", "State"]);
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    let deep = {
        let mut bytes = message(false, 1, 0, &[(1, "/a")], &[]);
        bytes.push(200);
        bytes.extend(b"\x01v\0".repeat(10_000));
        let fields = u32::try_from(bytes.len() - 16).unwrap();
        bytes[12..16].copy_from_slice(&fields.to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    for (bytes, text) in [
        (changed(0, b"x"), "a message in no byte order"),
        (changed(1, b"\0"), "a message of no kind"),
        (changed(3, b"\x02"), "a message of an unknown version"),
        (changed(4, &[0xff; 4]), "a message that is too long"),
        (changed(8, &[0; 4]), "a message without a number"),
        (changed(12, &[0xff; 4]), "a message that is too long"),
        (changed(18, b"q"), "a header with a field of another type"),
        (changed(28, b"x"), "a string that does not end where it should"),
        (changed(24, b"\xff"), "a string that is not UTF-8"),
        (deep, "values that are nested too deeply"),
    ] {
        let mut session = named();
        let ended = session.received(&bytes, &House).unwrap_err().to_string();
        assert_eq!(ended, format!("the bus sent {text}"));
    }
    let mut session = begun();
    let ended = session.received(&[b'O'; 2000], &House).unwrap_err().to_string();
    assert_eq!(ended, "the bus sent a line that is too long");
}

#[test]
fn names_are_names() {
    for name in ["org.keepalived.Vrrp1", "a.b", "_a.-b"] {
        assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
    }
    let long = format!("a.{}", "b".repeat(254));
    for name in ["", "a", "a.", ".a", "a..b", "a.1b", "a.b c", "a.ü", ":1.2", &long] {
        assert!(name.parse::<Name>().is_err(), "{name}");
    }
}

mod connection;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_survived(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
    ) {
        for mut session in [begun(), naming(), named()] {
            for piece in &pieces {
                if session.received(piece, &House).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn messages_with_faults_are_survived(
        big in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = call(big, "/a/door", GET, "Get", &["a.b.Door", "State"]);
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        let mut session = named();
        let (first, second) = bytes.split_at(cut.index(bytes.len()));
        if session.received(first, &House).is_ok() {
            let _ = session.received(second, &House);
        }
    }
}
