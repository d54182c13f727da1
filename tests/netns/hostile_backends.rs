//! Real servers that lie, babble and stall: each is found down with one clear line, none costs more than a
//! bounded piece of memory, and none keeps the daemon from stopping.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use socket2::SockRef;
use testbed::web::Background;
use testbed::{Daemon, Host, Lan, wait_for};

use crate::checking::{check, down, judge, ready_to_check, real, service, up};

/// How much the daemon may grow over what it has after the start, at most at any moment.
const GROWTH: u64 = 16 << 20;

/// How one connection is treated.
type Manner = fn(&mut TcpStream) -> io::Result<()>;

/// Servers in a host, one for each manner, on ports from 8001 on.
struct Crowd {
    served: Vec<Arc<AtomicUsize>>,
    _threads: Vec<Background>,
}

impl Crowd {
    fn start(host: &Host, manners: &[Manner]) -> Self {
        let mut crowd = Self { served: Vec::new(), _threads: Vec::new() };
        for (port, manner) in (8001..).zip(manners.iter().copied()) {
            let listener = host.inside(|| TcpListener::bind(("10.9.0.2", port))).unwrap();
            listener.set_nonblocking(true).unwrap();
            let served = Arc::new(AtomicUsize::new(0));
            crowd.served.push(Arc::clone(&served));
            crowd._threads.push(Background::start(host, move || {
                if let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nonblocking(false).unwrap();
                    // Until the client has had enough.
                    let _ = manner(&mut stream);
                    served.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        crowd
    }

    /// Waits until each has been asked so often.
    #[track_caller]
    fn wait_served(&self, times: usize) {
        wait_for("every server is asked again", || {
            self.served.iter().all(|served| served.load(Ordering::SeqCst) >= times)
        });
    }
}

/// Reads what there is of a request.
fn hear(stream: &mut TcpStream) -> io::Result<()> {
    stream.read(&mut [0; 1024]).map(drop)
}

/// Reads until the client closes.
fn wait_close(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 1024])? > 0 {}
    Ok(())
}

/// The same again and again.
fn babble(stream: &mut TcpStream, what: &[u8]) -> io::Result<()> {
    let piece = what.repeat(16384 / what.len());
    loop {
        stream.write_all(&piece)?;
    }
}

/// A byte now and then, sooner than any single wait ends.
fn trickle(stream: &mut TcpStream, what: u8) -> io::Result<()> {
    loop {
        stream.write_all(&[what])?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Ends the connection by a reset.
fn reset(stream: &mut TcpStream) -> io::Result<()> {
    SockRef::from(&*stream).set_linger(Some(Duration::ZERO))
}

/// Whoever asks is answered so, and the connection closed.
fn say(stream: &mut TcpStream, what: &[u8]) -> io::Result<()> {
    hear(stream)?;
    stream.write_all(what)?;
    stream.shutdown(Shutdown::Write)?;
    wait_close(stream)
}

const OK: &[u8] = b"HTTP/1.0 200 OK\r\n\r\n";

/// A checker of a port, with short patience; an attempt as a whole may take ten times as long.
fn of(keyword: &str, port: usize) -> String {
    let url = if keyword.ends_with("GET") { "url {\n path /\n }" } else { "" };
    format!(
        "{keyword} {{\n connect_port {port}\n connect_timeout 0.3\n retry 0\n delay_before_retry 0.2\n \
         log_all_failures\n {url}\n }}"
    )
}

/// The largest size that a daemon's memory has had, in bytes.
fn peak(daemon: &Daemon) -> u64 {
    memory(daemon, "VmHWM:")
}

fn memory(daemon: &Daemon, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
}

const TOO_MUCH: &str = "Reply too large or too slow from server @.";
const STATUS: &str = "HTTP status code error to server @.";
const HANDSHAKE: &str = "SSL handshake/communication error connecting to server @.";

#[test]
fn servers_over_tcp_that_misbehave() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let endpoint = |port: u16| format!("server [10.9.0.2]:{port}");
    let cast: Vec<(Manner, &str, bool, String)> = vec![
        (
            |s| {
                s.write_all(OK.split_at(17).0)?;
                babble(s, b"X-More: and more\r\n")
            },
            "HTTP_GET",
            false,
            TOO_MUCH.into(),
        ),
        (
            |s| {
                s.write_all(OK)?;
                babble(s, b"x")
            },
            "HTTP_GET",
            false,
            TOO_MUCH.into(),
        ),
        (
            |s| {
                s.write_all(OK.split_at(17).0)?;
                trickle(s, b'x')
            },
            "HTTP_GET",
            false,
            TOO_MUCH.into(),
        ),
        (
            |s| {
                s.write_all(OK)?;
                trickle(s, b'x')
            },
            "HTTP_GET",
            false,
            TOO_MUCH.into(),
        ),
        (wait_close, "HTTP_GET", false, "Timeout WEB read server @.".into()),
        (
            |s| {
                s.write_all(OK)?;
                wait_close(s)
            },
            "HTTP_GET",
            false,
            "Timeout HTTP read server @.".into(),
        ),
        (reset, "HTTP_GET", false, "server @.".into()),
        (
            |s| {
                hear(s)?;
                s.write_all(OK)?;
                reset(s)
            },
            "HTTP_GET",
            false,
            "Read error with server @.".into(),
        ),
        (|s| say(s, b""), "HTTP_GET", false, "Read, no data received from  server @.".into()),
        (
            |s| say(s, b"HTTP/1.0 200 OK\r\nServer: x\r\n"),
            "HTTP_GET",
            false,
            "Read, no data received from  server @.".into(),
        ),
        (|s| say(s, b"\0\xff\0\xff\r\n\r\n"), "HTTP_GET", false, STATUS.into()),
        (
            |s| say(s, b"HTTP/1.1 999999999999999999999 OK\r\n\r\n"),
            "HTTP_GET",
            false,
            STATUS.into(),
        ),
        (
            |s| say(s, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
            "HTTP_GET",
            false,
            STATUS.into(),
        ),
        (
            |s| say(s, b"HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
            "HTTP_GET",
            true,
            "".into(),
        ),
        (|s| say(s, b"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n"), "HTTP_GET", true, "".into()),
        (|s| say(s, b"HTTP/1.0 200 OK\r\n\r\n"), "SSL_GET", false, HANDSHAKE.into()),
        (
            |s| {
                hear(s)?;
                babble(s, b"\x16\x03\x03\x40\x00\x02\xff\xff\xff")
            },
            "SSL_GET",
            false,
            HANDSHAKE.into(),
        ),
        (wait_close, "SSL_GET", false, "server @.".into()),
        (|s| trickle(s, 0x16), "SSL_GET", false, "server @.".into()),
        (reset, "SSL_GET", false, "server @.".into()),
        (
            |s| {
                s.write_all(b"220 ")?;
                babble(s, b"x")
            },
            "SMTP_CHECK",
            false,
            endpoint(8021),
        ),
        (
            |s| {
                s.write_all(b"220 ")?;
                trickle(s, b'x')
            },
            "SMTP_CHECK",
            false,
            endpoint(8022),
        ),
        (
            |s| babble(s, b"220-more\r\n"),
            "SMTP_CHECK",
            false,
            format!("SMTP_CHECK Bad greeting banner from {}", endpoint(8023)),
        ),
        (
            |s| {
                s.write_all(b"220 x\r\n")?;
                hear(s)?;
                say(s, b"250 x\r\n")
            },
            "SMTP_CHECK",
            false,
            endpoint(8024),
        ),
        (reset, "SMTP_CHECK", false, endpoint(8025)),
        (|s| babble(s, b"x"), "TCP_CHECK", true, "TCP connection to @ success.".into()),
    ];
    let manners: Vec<Manner> = cast.iter().map(|(manner, ..)| *manner).collect();
    let crowd = Crowd::start(&b, &manners);
    let cases: Vec<_> = cast
        .iter()
        .enumerate()
        .map(|(number, (_, keyword, good, line))| {
            let checker = of(keyword, 8001 + number);
            if *good { up(checker, line) } else { down(checker, line) }
        })
        .collect();
    let before = peak_of_an_idle_one(&a);
    let daemon = judge(&a, "", "delay_loop 0.3", &cases);
    crowd.wait_served(2);
    let grown = peak(&daemon).saturating_sub(before);
    assert!(grown <= GROWTH, "grown by {grown} bytes");
    daemon.stop();
}

/// What the same daemon needs that has one server and nothing to do.
fn peak_of_an_idle_one(host: &Host) -> u64 {
    let daemon = check(host, &service("", &real(0, "")));
    let peak = peak(&daemon);
    daemon.stop();
    peak
}

/// How one datagram is answered.
type Reply = fn(&UdpSocket, &[u8], SocketAddr) -> io::Result<()>;

/// The query made into an answer of this code.
fn answer(query: &[u8], code: u8) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2] |= 0x80;
    answer[3] = code;
    answer
}

#[test]
fn servers_over_udp_that_misbehave() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    const LATE: &str = "DNS_CHECK (@) read timeout from socket";
    let cast: [(Reply, &str, bool, &str); 9] = [
        (|s, _, from| s.send_to(b"", from).map(drop), "DNS_CHECK", false, LATE),
        (|s, query, from| s.send_to(&query[..2], from).map(drop), "DNS_CHECK", false, LATE),
        (|s, query, from| s.send_to(query, from).map(drop), "DNS_CHECK", false, LATE),
        (|s, query, from| flood(s, &answer(query, 0), from, 1), "DNS_CHECK", false, LATE),
        (|s, _, from| flood(s, &[0xff; 1400], from, 1), "DNS_CHECK", false, LATE),
        // One of another's answers does not hide the right one.
        (
            |s, query, from| {
                flood(s, &answer(query, 3), from, 1)?;
                s.send_to(&answer(query, 0), from).map(drop)
            },
            "DNS_CHECK",
            true,
            "",
        ),
        (
            |s, query, from| {
                let mut long = answer(query, 0);
                long.resize(60000, 0xff);
                s.send_to(&long, from).map(drop)
            },
            "DNS_CHECK",
            true,
            "",
        ),
        (
            |s, query, from| s.send_to(&answer(query, 15), from).map(drop),
            "DNS_CHECK",
            false,
            "(rcode = 15)",
        ),
        (
            |s, _, from| flood(s, &[0; 60000], from, 0),
            "UDP_CHECK",
            true,
            "UDP connection to @ success.",
        ),
    ];
    let mut threads = Vec::new();
    for (port, (reply, ..)) in (8001..).zip(&cast) {
        let reply = *reply;
        let socket = b.inside(|| UdpSocket::bind(("10.9.0.2", port))).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        threads.push(Background::start(&b, move || {
            let mut query = [0; 512];
            if let Ok((length, from)) = socket.recv_from(&mut query) {
                let _ = reply(&socket, &query[..length], from);
            }
        }));
    }
    let cases: Vec<_> = cast
        .iter()
        .enumerate()
        .map(|(number, (_, keyword, good, line))| {
            let checker = of(keyword, 8001 + number);
            if *good { up(checker, line) } else { down(checker, line) }
        })
        .collect();
    let before = peak_of_an_idle_one(&a);
    let daemon = judge(&a, "", "delay_loop 0.3", &cases);
    let grown = peak(&daemon).saturating_sub(before);
    assert!(grown <= GROWTH, "grown by {grown} bytes");
    daemon.stop();
}

/// Many copies of a datagram whose first byte is off by so much.
fn flood(socket: &UdpSocket, what: &[u8], to: SocketAddr, off: u8) -> io::Result<()> {
    let mut wrong = what.to_vec();
    wrong[0] = wrong[0].wrapping_add(off);
    (0..100).try_for_each(|_| socket.send_to(&wrong, to).map(drop))
}
