use std::net::{SocketAddr, TcpListener};

use scheduler::Scheduler;

use super::*;
use crate::settings::Connection;
use crate::testing::{World, connection, run_once, settings};

/// What a checker of `kind` finds at `target`, and its number of the error.
fn attempt(kind: Kind, target: SocketAddr, timeout: Duration) -> (bool, i32) {
    let (mut s, mut w) = (Scheduler::new().unwrap(), World::default());
    let connection = Connection { timeout, ..connection(target) };
    let id = w.add(CheckerSettings { connection: Some(connection), ..settings(kind) });
    run_once(&mut s, &mut w, id);
    let checker = w.checker(id);
    assert!(checker.attempt.is_none());
    (checker.verdict.up, checker.verdict.last_error)
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn who_accepts_is_up_and_who_refuses_is_down() {
    for local in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(local).unwrap();
        let target = listener.local_addr().unwrap();
        assert_eq!(attempt(Kind::Tcp, target, LONG), (true, 0));
        drop(listener);
        assert_eq!(attempt(Kind::Tcp, target, LONG), (false, libc::ECONNREFUSED));
    }
}

#[test]
fn a_checker_without_a_port_fails() {
    let (up, _) = attempt(Kind::Tcp, "127.0.0.1:0".parse().unwrap(), LONG);
    assert!(!up);
}

#[test]
fn who_does_not_even_refuse_is_down() {
    use socket2::{Domain, Socket};
    // One connection in the queue of a listener that accepts none: the next gets no answer.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let target = listener.local_addr().unwrap().as_socket().unwrap();
    let _first = std::net::TcpStream::connect(target).unwrap();
    let short = Duration::from_millis(50);
    assert_eq!(attempt(Kind::Tcp, target, short), (false, libc::ETIMEDOUT));
}
