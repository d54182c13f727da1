use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::*;
use crate::settings::{CheckerSettings, HttpSettings, Url};
use crate::testing::{World, connection, run_once, settings};

/// Serves every connection by `serve`, one after the other.
fn server(serve: impl Fn(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(&mut stream.unwrap());
        }
    });
    address
}

/// Reads until the request is complete.
fn request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    request
}

/// A web server that answers everything alike.
fn web(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    server(move |stream| {
        request(stream);
        let _ = stream.write_all(&answer);
    })
}

fn url(path: &str) -> Url {
    Url {
        path: path.into(),
        host: None,
        sni: None,
        status: vec![(200, 299)],
        digest: None,
        regex: None,
        tls_compliant: false,
    }
}

fn http(urls: Vec<Url>) -> Kind {
    Kind::Http(Box::new(HttpSettings {
        tls: false,
        protocol: Default::default(),
        host: None,
        sni: false,
        sni_name: None,
        fast_recovery: false,
        urls,
    }))
}

/// The real thing, once: what came of it, as the checker sees it.
fn attempt(kind: Kind, target: SocketAddr, timeout: Duration) -> (bool, World, CheckerId) {
    let mut s = Scheduler::new().unwrap();
    let mut w = World::default();
    let mut connection = connection(target);
    connection.timeout = timeout;
    let id = w.add(CheckerSettings { connection: Some(connection), ..settings(kind) });
    let before = s.len();
    run_once(&mut s, &mut w, id);
    let up = w.checker(id).verdict.up;
    assert_eq!(s.len(), before + 1, "nothing waits but the next run");
    (up, w, id)
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn connecting_is_enough_for_tcp_check() {
    assert!(attempt(Kind::Tcp, server(|_| ()), LONG).0);
}

#[test]
fn a_closed_port_fails() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for kind in [Kind::Tcp, http(vec![url("/")]), Kind::Smtp("me".into())] {
        let (up, mut w, id) = attempt(kind, free, LONG);
        assert!(!up);
        assert_eq!(w.checker(id).verdict.last_error, libc::ECONNREFUSED);
    }
}

#[test]
fn a_page_is_fetched() {
    let address = web("HTTP/1.0 200 OK\r\n\r\nhello");
    assert!(attempt(http(vec![url("/")]), address, LONG).0);
    assert!(!attempt(http(vec![url("/")]), web("HTTP/1.0 404 No\r\n\r\n"), LONG).0);
}

#[test]
fn a_silent_server_fails() {
    let address = server(|stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert!(!attempt(http(vec![url("/")]), address, SHORT).0);
    assert!(!attempt(Kind::Smtp("me".into()), address, SHORT).0);
}
