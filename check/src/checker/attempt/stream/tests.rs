use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::*;
use crate::checker::schedule;
use crate::settings::{Connection, HttpSettings, Origin, Url};
use crate::testing::{self, World, run_once, run_until};

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
    Kind::Http(Rc::new(HttpSettings {
        tls: false,
        protocol: Default::default(),
        host: None,
        sni: false,
        sni_name: None,
        fast_recovery: false,
        urls,
    }))
}

/// The real thing, once.
struct Attempted {
    s: Scheduler<World>,
    w: World,
    id: CheckerId,
}

impl Attempted {
    fn new(kind: Kind, target: SocketAddr, timeout: Duration) -> Attempted {
        let connection = Connection { timeout, ..testing::connection(target) };
        let mut settings = testing::settings(kind);
        settings.connection = Some(connection);
        let mut w = World::default();
        let id = w.add(settings);
        let mut attempted = Attempted { s: Scheduler::new().unwrap(), w, id };
        attempted.again();
        attempted
    }

    fn again(&mut self) {
        run_once(&mut self.s, &mut self.w, self.id);
        assert!(self.w.checker(self.id).attempt.is_none());
        assert_eq!(self.s.len(), 1, "nothing waits but the next run");
    }

    fn up(&mut self) -> bool {
        self.w.checker(self.id).verdict.up
    }
}

fn up(kind: Kind, target: SocketAddr) -> bool {
    Attempted::new(kind, target, LONG).up()
}

fn smtp() -> Kind {
    Kind::Smtp("me".into())
}

fn page() -> Kind {
    http(vec![url("/")])
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);
const OK: &str = "HTTP/1.0 200 OK\r\n\r\n";

#[test]
fn connecting_is_enough_for_tcp_check() {
    assert!(up(Kind::Tcp, server(|_| ())));
}

#[test]
fn a_closed_port_fails() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for kind in [Kind::Tcp, page(), smtp()] {
        let mut attempted = Attempted::new(kind, free, LONG);
        assert!(!attempted.up());
        let verdict = &attempted.w.checker(attempted.id).verdict;
        assert_eq!(verdict.last_error, libc::ECONNREFUSED);
    }
}

#[test]
fn a_target_without_port_fails() {
    assert!(!up(Kind::Tcp, ([127, 0, 0, 1], 0).into()));
}

#[test]
fn what_the_local_side_lacks_is_no_failure() {
    let mut settings = testing::settings(page());
    let interface = Some("no-such-device".into());
    let target = web(OK);
    let origin = Origin { interface, ..Origin::default() }.given();
    settings.connection = Some(Connection { origin, ..testing::connection(target) });
    let mut w = World::default();
    let id = w.add(settings);
    run_once(&mut Scheduler::new().unwrap(), &mut w, id);
    let verdict = &w.checker(id).verdict;
    assert!(verdict.up && !verdict.has_run);
}

#[test]
fn a_page_is_fetched() {
    assert!(up(page(), web(format!("{OK}hello"))));
    assert!(!up(page(), web("HTTP/1.0 404 No\r\n\r\n")));
    assert!(!up(page(), web("")));
    let body = "x".repeat(3_000_000);
    assert!(up(page(), web(format!("{OK}{body}"))));
}

#[test]
fn one_byte_at_a_time_is_read_as_well() {
    let address = server(|stream| {
        request(stream);
        stream.set_nodelay(true).unwrap();
        for byte in OK.bytes() {
            let _ = stream.write_all(&[byte]);
        }
    });
    assert!(up(page(), address));
}

#[test]
fn the_digest_is_compared() {
    let digest = |hex: u128| http(vec![Url { digest: Some(hex.to_be_bytes()), ..url("/") }]);
    let address = web(format!("{OK}abc"));
    assert!(up(digest(0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72), address));
    assert!(!up(digest(1), address));
}

#[cfg(feature = "regex")]
#[test]
fn the_expression_is_looked_for() {
    let regex = |pattern: &str, no_match| {
        let regex = crate::settings::RegexSettings {
            pattern: pattern.into(),
            options: Vec::new(),
            no_match,
            min_offset: 0,
            max_offset: None,
            stack: None,
        };
        http(vec![Url { regex: Some(Rc::new(regex)), ..url("/") }])
    };
    let address = web(format!("{OK}hello"));
    assert!(up(regex("^hello$", false), address));
    assert!(!up(regex("^hello$", true), address));
    assert!(!up(regex("HTTP", false), address), "the header is not searched");
    assert!(up(regex("HTTP", true), address));
    assert!(up(regex("(", false), address), "what is no expression is no condition");
}

#[test]
fn urls_are_asked_for_one_after_the_other() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let address = server(move |stream| {
        let request = String::from_utf8(request(stream)).unwrap();
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let answer = if path == "/bad" { "HTTP/1.0 500 No\r\n\r\n" } else { OK };
        noted.lock().unwrap().push(path);
        let _ = stream.write_all(answer.as_bytes());
    });
    let mut attempted = Attempted::new(http(vec![url("/a"), url("/b")]), address, LONG);
    assert!(!attempted.w.checker(attempted.id).verdict.has_run);
    attempted.again();
    assert!(attempted.w.checker(attempted.id).verdict.has_run && attempted.up());
    attempted.again();
    assert_eq!(*asked.lock().unwrap(), ["/a", "/b", "/a"]);
    let mut attempted = Attempted::new(http(vec![url("/bad"), url("/b")]), address, LONG);
    attempted.again();
    assert_eq!(asked.lock().unwrap()[3..], ["/bad", "/bad"], "a failure begins anew");
}

#[test]
fn a_silent_server_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for kind in [page(), smtp()] {
        assert!(!Attempted::new(kind, listener.local_addr().unwrap(), SHORT).up());
    }
}

#[test]
fn a_server_that_never_ends_fails() {
    for part in ["A: b\r\n", "\r\n\r\n", "220 a"] {
        let address = server(move |stream| while stream.write_all(part.as_bytes()).is_ok() {});
        assert!(!Attempted::new(page(), address, SHORT).up());
        assert!(!Attempted::new(smtp(), address, SHORT).up());
    }
}

#[test]
fn a_byte_now_and_then_keeps_nothing_alive() {
    // So slow that no single wait is too long, and that the limit of the whole is met first.
    let address = server(|stream| {
        while stream.write_all(b"x").is_ok() {
            thread::sleep(SHORT / 10);
        }
    });
    assert!(!Attempted::new(page(), address, SHORT).up());
    assert!(!Attempted::new(smtp(), address, SHORT).up());
}

#[test]
fn a_server_that_hangs_up_fails() {
    let address = server(|_| ());
    assert!(!up(page(), address));
    assert!(!up(smtp(), address));
    let reset = server(|stream| {
        request(stream);
        let _ = stream.write_all(OK.as_bytes());
        let socket = Socket::from(stream.try_clone().unwrap());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
    let _ = Attempted::new(page(), reset, LONG);
}

#[test]
fn a_mail_server_is_talked_to() {
    let talk = |greeting: &'static str| {
        server(move |stream| {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _ = stream.write_all(greeting.as_bytes());
            for answer in ["250 me\r\n", "221 bye\r\n"] {
                let _ = lines.next();
                let _ = stream.write_all(answer.as_bytes());
            }
        })
    };
    assert!(up(smtp(), talk("220 me ESMTP\r\n")));
    assert!(!up(smtp(), talk("220-me ESMTP\r\n")));
}

#[test]
fn abandoned_attempts_leave_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut s = Scheduler::new().unwrap();
    let mut w = World::default();
    let mut settings = testing::settings(page());
    settings.connection = Some(testing::connection(listener.local_addr().unwrap()));
    let id = w.add(settings);
    schedule::start(&mut s, &mut w, id, Duration::ZERO);
    run_until(&mut s, &mut w, |w| w.checker(id).attempt.is_some());
    let (mut stream, _) = listener.accept().unwrap();
    run_until(&mut s, &mut w, |w| match w.checker(id).attempt.as_deref() {
        Some(Attempt::Stream(stream)) => matches!(stream.phase, Phase::Talking(_)),
        _ => false,
    });
    schedule::stop(&mut s, &mut w, id);
    assert!(s.is_empty());
    assert!(request(&mut stream).starts_with(b"GET"));
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::mpsc;

    use openssl::ssl::{ErrorCode, NameType, SslAcceptor, SslMethod, SslStream};

    use super::*;
    use crate::checker::attempt::tls::tests::identity;

    /// A web server with TLS; what it does after the answer is left to `leave`.
    fn secure(leave: impl Fn(&mut SslStream<TcpStream>) + Send + 'static) -> SocketAddr {
        let (key, certificate) = identity();
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
        builder.set_private_key(&key).unwrap();
        builder.set_certificate(&certificate).unwrap();
        let acceptor = builder.build();
        server(move |stream| {
            let Ok(mut stream) = acceptor.accept(stream.try_clone().unwrap()) else { return };
            let mut request = [0; 1000];
            let _ = stream.read(&mut request);
            let name = stream.ssl().servername(NameType::HOST_NAME).unwrap_or("none");
            let _ = stream.write_all(format!("{OK}{name}").as_bytes());
            leave(&mut stream);
        })
    }

    fn secure_page(sni: Option<&str>, digest: Option<[u8; 16]>, tls_compliant: bool) -> Kind {
        let sni = sni.map(Rc::from);
        let mut kind = http(vec![Url { sni, digest, tls_compliant, ..url("/") }]);
        if let Kind::Http(http) = &mut kind {
            let http = Rc::make_mut(http);
            http.tls = true;
            http.sni = true;
        }
        kind
    }

    fn md5(text: &str) -> Option<[u8; 16]> {
        use md5::{Digest, Md5};
        Some(Md5::digest(text).into())
    }

    #[test]
    fn a_page_is_fetched_by_tls_and_no_certificate_is_looked_at() {
        let polite = secure(|stream| {
            let _ = stream.shutdown();
        });
        assert!(up(secure_page(None, md5("none"), false), polite));
        assert!(up(secure_page(Some("a.example"), md5("a.example"), false), polite));
        assert!(!up(secure_page(None, md5("other"), false), polite));
    }

    #[test]
    fn an_end_without_leave_is_accepted() {
        let rude = secure(|_| ());
        assert!(up(secure_page(None, md5("none"), false), rude));
    }

    #[test]
    fn leave_is_taken_only_by_the_compliant() {
        let (tell, told) = mpsc::channel();
        let address = secure(move |stream| {
            let _ = stream.shutdown();
            // Reads 0 after a close_notify, and fails without one.
            let left = stream.ssl_read(&mut [0]);
            let polite = left.is_err_and(|error| error.code() == ErrorCode::ZERO_RETURN);
            let _ = tell.send(polite);
        });
        for compliant in [true, false] {
            assert!(up(secure_page(None, None, compliant), address));
            assert_eq!(told.recv().unwrap(), compliant);
        }
    }

    #[test]
    fn what_is_no_tls_fails() {
        let plain = server(|stream| drop(stream.write_all(OK.as_bytes())));
        assert!(!up(secure_page(None, None, false), plain));
        assert!(!up(secure_page(None, None, false), server(|_| ())));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        assert!(!Attempted::new(secure_page(None, None, false), target, SHORT).up());
    }
}
