//! What a bus sends to a service.

use dbus::{Ended, Interface, Objects, Session, Value};

static DOOR: Interface = Interface {
    name: "a.b.Door",
    methods: &["Open"],
    signals: &[],
    properties: &[("Name", "s"), ("State", "(us)")],
};

struct House;

impl Objects for House {
    fn interface(&self, path: &str) -> Option<&'static Interface> {
        (path == "/a/door").then_some(&DOOR)
    }

    fn property(&self, _: &str, name: &str) -> Option<Value> {
        let name = Value::Text(name.to_owned());
        Some(Value::Struct(vec![Value::U32(7), name]))
    }

    fn below(&self, path: &str) -> Vec<String> {
        if path == "/a" { vec!["door".to_owned()] } else { Vec::new() }
    }
}

/// All of a session's input. How it is cut up must not matter.
pub fn dbus(data: &[u8]) {
    let whole = session(data, data.len());
    for piece in [1, 7] {
        assert!(session(data, piece) == whole);
    }
}

/// What was sent, what was called, and how it ended.
fn session(data: &[u8], piece: usize) -> (Vec<u8>, usize, Result<(), Ended>) {
    let Ok(name) = "a.b".parse() else { unreachable!("it is a name") };
    let mut session = Session::new(name, 0, None);
    let ended = data.chunks(piece.max(1)).try_for_each(|piece| session.received(piece, &House));
    (session.output().to_vec(), session.invoked().len(), ended)
}
