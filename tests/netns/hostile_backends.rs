//! Real servers that lie, babble and stall: each is found down with one clear line, none costs more than a
//! bounded piece of memory, and none keeps the daemon from stopping.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::SockRef;
use testbed::web::Background;
use testbed::{Daemon, Host, Lan, wait_for};

use crate::checking::{Case, check, down, judge, ready_to_check, real, reals, service, up};

/// How much the daemon may grow over what it has after the start, at most at any moment.
const GROWTH: u64 = 16 << 20;

/// How one connection is treated.
type Manner = fn(&mut TcpStream) -> io::Result<()>;

/// A server and what its checker makes of it.
struct Server<M> {
    manner: M,
    keyword: &'static str,
    /// Whether it answers at all, well or not.
    answers: bool,
    up: bool,
    /// What the log says; `@` stands for the real server, `PORT` for the port that was asked.
    line: &'static str,
}

/// One whose answer is good enough.
fn passes<M>(keyword: &'static str, line: &'static str, manner: M) -> Server<M> {
    Server { manner, keyword, answers: true, up: true, line }
}

/// One whose answer is not.
fn fails<M>(keyword: &'static str, line: &'static str, manner: M) -> Server<M> {
    Server { manner, keyword, answers: true, up: false, line }
}

/// One that never comes to an end.
fn stalls<M>(keyword: &'static str, line: &'static str, manner: M) -> Server<M> {
    Server { manner, keyword, answers: false, up: false, line }
}

/// The cases for servers on ports from 8001 on. An attempt as a whole may take ten times `connect_timeout`.
fn cases<M>(servers: &[Server<M>]) -> Vec<Case> {
    (8001..)
        .zip(servers)
        .map(|(port, server)| {
            let Server { keyword, line, .. } = server;
            let url = if keyword.ends_with("GET") { "url {\n path /\n }" } else { "" };
            // Who answers may be slow on a busy machine.
            let patience = if server.answers { 5.0 } else { 0.3 };
            let checker = format!(
                "{keyword} {{\n connect_port {port}\n connect_timeout {patience}\n retry 0\n \
                 log_all_failures\n {url}\n }}"
            );
            let line = line.replace("PORT", &i32::to_string(&port));
            if server.up { up(checker, &line) } else { down(checker, &line) }
        })
        .collect()
}

/// Runs the checks, each once, with a bound on what they may cost.
#[track_caller]
fn withstand(host: &Host, cases: &[Case]) {
    let idle = check(host, &service("", &real(0, "")));
    let before = peak(&idle);
    idle.stop();
    let daemon = judge(host, "", "delay_loop 60", cases);
    let grown = peak(&daemon).saturating_sub(before);
    assert!(grown <= GROWTH, "grown by {grown} bytes");
    daemon.stop();
}

/// The most memory that a daemon has ever had, in bytes.
fn peak(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() << 10
}

/// Serves in a host until dropped, each connection in the server's manner.
fn serve(host: &Host, servers: &[Server<Manner>]) -> Vec<Background> {
    let threads = (8001..).zip(servers).map(|(port, server)| {
        let listener = host.inside(|| TcpListener::bind(("10.9.0.2", port))).unwrap();
        listener.set_nonblocking(true).unwrap();
        let manner = server.manner;
        Background::start(host, move || {
            if let Ok((mut stream, _)) = listener.accept() {
                stream.set_nonblocking(false).unwrap();
                // It ends with an error when the client has had enough.
                let _ = manner(&mut stream);
            }
        })
    });
    threads.collect()
}

/// Says this first.
fn first<'a>(stream: &'a mut TcpStream, what: &[u8]) -> io::Result<&'a mut TcpStream> {
    stream.write_all(what)?;
    Ok(stream)
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

const TOO_MUCH: &str = "Reply too large or too slow from server @.";
const NO_DATA: &str = "Read, no data received from  server @.";
const STATUS: &str = "HTTP status code error to server @.";
const HANDSHAKE: &str = "SSL handshake/communication error connecting to server @.";

#[rustfmt::skip]
fn web_servers() -> Vec<Server<Manner>> {
    const GET: &str = "HTTP_GET";
    const LINE: &[u8] = b"HTTP/1.0 200 OK\r\n";
    vec![
        stalls(GET, TOO_MUCH, |s| babble(first(s, LINE)?, b"X-More: and more\r\n")),
        stalls(GET, TOO_MUCH, |s| babble(first(s, OK)?, b"x")),
        stalls(GET, TOO_MUCH, |s| trickle(first(s, LINE)?, b'x')),
        stalls(GET, TOO_MUCH, |s| trickle(first(s, OK)?, b'x')),
        stalls(GET, "Timeout WEB read server @.", wait_close),
        stalls(GET, "Timeout HTTP read server @.", |s| wait_close(first(s, OK)?)),
        fails(GET, "server @.", reset),
        fails(GET, "Read error with server @.", |s| { hear(s)?; reset(first(s, OK)?) }),
        fails(GET, NO_DATA, |s| say(s, b"")),
        fails(GET, NO_DATA, |s| say(s, b"HTTP/1.0 200 OK\r\nServer: x\r\n")),
        fails(GET, STATUS, |s| say(s, b"\0\xff\0\xff\r\n\r\n")),
        fails(GET, STATUS, |s| say(s, b"HTTP/1.1 999999999999999999999 OK\r\n\r\n")),
        fails(GET, STATUS, |s| say(s, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")),
        passes(GET, "", |s| say(s, b"HTTP/1.0 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n")),
        passes(GET, "", |s| say(s, b"HTTP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n")),
    ]
}

#[rustfmt::skip]
fn other_servers() -> Vec<Server<Manner>> {
    const GREETING: &str = "SMTP_CHECK Bad greeting banner from server [10.9.0.2]:PORT";
    const FAILURE: &str = "SMTP_CHECK Read failure from server [10.9.0.2]:PORT";
    vec![
        fails("SSL_GET", HANDSHAKE, |s| say(s, OK)),
        fails("SSL_GET", HANDSHAKE, |s| { hear(s)?; babble(s, b"\x16\x03\x03\x40\x00\x02\xff\xff\xff") }),
        stalls("SSL_GET", "Timeout connecting server @.", wait_close),
        fails("SSL_GET", HANDSHAKE, |s| trickle(s, 0x16)),
        fails("SSL_GET", "server @.", reset),
        fails("SMTP_CHECK", FAILURE, |s| babble(first(s, b"220 ")?, b"x")),
        stalls("SMTP_CHECK", FAILURE, |s| trickle(first(s, b"220 ")?, b'x')),
        fails("SMTP_CHECK", GREETING, |s| babble(s, b"220-more\r\n")),
        stalls("SMTP_CHECK", "SMTP_CHECK Read timeout from server [10.9.0.2]:PORT", |s| {
            wait_close(first(s, b"220 x\r\n")?)
        }),
        fails("SMTP_CHECK", "server [10.9.0.2]:PORT", reset),
        passes("TCP_CHECK", "TCP connection to @ success.", |s| babble(s, b"x")),
    ]
}

#[test]
fn servers_over_tcp_that_misbehave() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let servers: Vec<_> = web_servers().into_iter().chain(other_servers()).collect();
    let _threads = serve(&b, &servers);
    withstand(&a, &cases(&servers));
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

#[rustfmt::skip]
fn datagram_servers() -> Vec<Server<Reply>> {
    const DNS: &str = "DNS_CHECK";
    const LATE: &str = "DNS_CHECK (@) read timeout from socket";
    vec![
        stalls(DNS, LATE, |s, _, from| s.send_to(b"", from).map(drop)),
        stalls(DNS, LATE, |s, query, from| s.send_to(&query[..2], from).map(drop)),
        stalls(DNS, LATE, |s, query, from| s.send_to(query, from).map(drop)),
        stalls(DNS, LATE, |s, query, from| flood(s, &answer(query, 0), from, 1)),
        stalls(DNS, LATE, |s, _, from| flood(s, &[0xff; 1400], from, 1)),
        fails(DNS, "(rcode = 15)", |s, query, from| s.send_to(&answer(query, 15), from).map(drop)),
        // Another's answers do not hide the right one.
        passes(DNS, "", |s, query, from| {
            flood(s, &answer(query, 3), from, 1)?;
            s.send_to(&answer(query, 0), from).map(drop)
        }),
        passes(DNS, "", |s, query, from| {
            let mut long = answer(query, 0);
            long.resize(60000, 0xff);
            s.send_to(&long, from).map(drop)
        }),
        passes("UDP_CHECK", "UDP connection to @ success.", |s, _, from| {
            flood(s, &[0; 60000], from, 0)
        }),
    ]
}

#[test]
fn servers_over_udp_that_misbehave() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let servers = datagram_servers();
    let threads = (8001..).zip(&servers).map(|(port, server)| {
        let reply = server.manner;
        let socket = b.inside(|| UdpSocket::bind(("10.9.0.2", port))).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Background::start(&b, move || {
            let mut query = [0; 512];
            if let Ok((length, from)) = socket.recv_from(&mut query) {
                let _ = reply(&socket, &query[..length], from);
            }
        })
    });
    let _threads: Vec<Background> = threads.collect();
    withstand(&a, &cases(&servers));
}

/// Many copies of a datagram whose first byte is off by so much.
fn flood(socket: &UdpSocket, what: &[u8], to: SocketAddr, off: u8) -> io::Result<()> {
    let mut wrong = what.to_vec();
    wrong[0] = wrong[0].wrapping_add(off);
    (0..100).try_for_each(|_| socket.send_to(&wrong, to).map(drop))
}

/// Checks that would wait for minutes delay neither a reload that drops them nor the end.
#[test]
fn nothing_that_stalls_delays_a_reload_or_the_end() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let servers: Vec<Server<Manner>> = ["HTTP_GET", "SSL_GET", "SMTP_CHECK", "HTTP_GET"]
        .into_iter()
        .zip([wait_close, wait_close, wait_close, |s| trickle(first(s, OK)?, b'x')] as [Manner; 4])
        .map(|(keyword, manner)| stalls(keyword, "", manner))
        .collect();
    let _threads = serve(&b, &servers);
    let silent = ["TCP_CHECK", "PING_CHECK", "DNS_CHECK", "UDP_CHECK"].map(|keyword| {
        down(format!("{keyword} {{\n connect_ip 10.9.0.33\n connect_timeout 0.3\n }}"), "")
    });
    let cases: Vec<Case> = cases(&servers).into_iter().chain(silent).collect();
    let all = service("delay_loop 60", &reals(&cases).replace("timeout 0.3", "timeout 300"));
    let other = service("delay_loop 60", &real(99, ""));
    // In the kernel's table 01 is an established connection.
    let connections = || {
        let table = b.inside(|| fs::read_to_string("/proc/thread-self/net/tcp")).unwrap();
        table.lines().filter(|line| line.split_whitespace().nth(3) == Some("01")).count()
    };
    let daemon = check(&a, &all);
    wait_for("all checks wait", || connections() == servers.len());
    daemon.reload(&other);
    daemon.wait_logged("Reload complete", 1);
    wait_for("the checks are gone", || connections() == 0);
    daemon.reload(&all);
    daemon.wait_logged("Reload complete", 2);
    wait_for("all checks wait again", || connections() == servers.len());
    daemon.stop();
}
