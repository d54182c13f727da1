//! What checks over TCP say of servers that are well, and of servers that are odd in every way.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use testbed::{Host, Lan, wait_for};

use crate::{global, start};

/// How a server answers the request, or what else it is told; once for each that it is.
enum Way {
    /// It does not listen.
    Refuses,
    /// It closes without a word.
    Closes,
    /// It says these, each after it was told something, and closes.
    Says(&'static [&'static str]),
    /// The same, but that it resets the connection.
    Resets(&'static [&'static str]),
    /// The same, but that it does not close.
    Stays(&'static [&'static str]),
}

use Way::{Closes, Refuses, Resets, Says, Stays};

const HTTP: &str = "HTTP_GET";
const TLS: &str = "SSL_GET";
const MAIL: &str = "SMTP_CHECK";
const TCP: &str = "TCP_CHECK";
const PAGE: &str = "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello";
const URL: &str = "url {\n path /\n }";

/// The checks: their kind, their lines, and how the server is.
const CHECKS: &[(&str, &str, Way)] = &[
    (HTTP, URL, Says(&[PAGE])),
    (
        HTTP,
        "url {\n path /\n digest 5d41402abc4b2a76b9719d911017c592\n regex \"hel+o\"\n }",
        Says(&[PAGE]),
    ),
    (HTTP, "url {\n path /\n digest 5d41402abc4b2a76b9719d911017c593\n }", Says(&[PAGE])),
    (HTTP, "url {\n path /\n regex hallo\n }", Says(&[PAGE])),
    (HTTP, "url {\n path /\n regex hallo\n regex_no_match\n }", Says(&[PAGE])),
    (HTTP, "url {\n path /a\n }\n url {\n path /b\n status_code 404\n }", Says(&[PAGE])),
    (
        HTTP,
        "fast_recovery\n url {\n path /a\n }\n url {\n path /b\n status_code 200\n }",
        Says(&[PAGE]),
    ),
    (HTTP, URL, Says(&["HTTP/1.0 404 Not Found\r\n\r\n"])),
    (HTTP, URL, Says(&["HTTP/1.0 200\r\n\r\nhello"])),
    (HTTP, URL, Says(&["HTTP/1.0 200 OK\n\nhello"])),
    (HTTP, URL, Says(&["HTTP/1.0 200 OK\r\n"])),
    (HTTP, URL, Says(&["HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nhello"])),
    (HTTP, URL, Refuses),
    (HTTP, URL, Closes),
    (HTTP, URL, Resets(&[])),
    (HTTP, URL, Resets(&[PAGE])),
    (HTTP, URL, Stays(&[])),
    (HTTP, URL, Stays(&[PAGE])),
    (HTTP, "connect_ip 10.99.0.1\n url {\n path /\n }", Refuses),
    (TLS, URL, Says(&[PAGE])),
    (TLS, URL, Closes),
    (TLS, URL, Stays(&[])),
    (TLS, URL, Refuses),
    (MAIL, "", Says(&["220 me\r\n", "250 me\r\n", "221 bye\r\n"])),
    (MAIL, "", Says(&["220\n", "250\n", "\n"])),
    (MAIL, "", Says(&["220-me\r\n"])),
    (MAIL, "", Says(&["554 no\r\n"])),
    (MAIL, "", Says(&["220 me\r\n"])),
    (MAIL, "", Says(&["220 me\r\n", "550 no\r\n"])),
    (MAIL, "", Says(&["220 me\r\n", "250 me\r\n"])),
    (MAIL, "", Refuses),
    (MAIL, "", Closes),
    (MAIL, "", Stays(&[])),
    (MAIL, "", Stays(&["220 me\r\n"])),
    (MAIL, "", Stays(&["220 me\r\n", "250 me\r\n"])),
    (MAIL, "connect_ip 10.99.0.1", Refuses),
    (TCP, "", Stays(&[])),
    (TCP, "", Closes),
    (TCP, "", Refuses),
    (TCP, "connect_ip 10.99.0.1", Refuses),
];

/// The port of a server.
fn port(number: usize) -> usize {
    8000 + number
}

/// What a daemon says of each of them, sorted: how often depends on the moment.
pub fn odd_in_every_way(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let mut services = String::new();
    for (number, (kind, lines, way)) in CHECKS.iter().enumerate() {
        listen(&director, number, kind, way);
        services += &format!(
            "real_server 10.9.0.1 {} {{\n weight 1\n {kind} {{\n connect_timeout 2\n retry 1\n delay_before_retry 1\n \
             {lines}\n }}\n }}\n",
            port(number)
        );
    }
    let service = format!(
        "virtual_server 10.7.0.100 80 {{\n delay_loop 2\n lb_algo rr\n lb_kind NAT\n protocol TCP\n warmup 0\n{services}}}\n"
    );
    let daemon = start(&director, program, &(global("checker_log_all_failures") + &service));
    let names = || (0..CHECKS.len()).map(|number| format!("[10.9.0.1]:tcp:{}", port(number)));
    for name in names() {
        wait_for(&format!("{name} is judged"), || {
            let gone = format!("Removing service {name} ");
            let up = ["succeed on service.", "success."].map(|end| format!("{name} {end}"));
            daemon.logged(&gone) > 0 || up.iter().any(|up| daemon.logged(up) > 0)
        });
    }
    let log = daemon.stop();
    // These are of the version that is followed, the C daemon here may be older.
    let text = |line: &str| {
        let (_, text) = line.split_once(": ")?;
        let newer = text.contains(" success to ") && text.contains(" url(");
        (!newer).then(|| text.replace("SSL_CHECK on", "HTTP_CHECK on"))
    };
    let lines: BTreeSet<String> = log.lines().filter_map(text).collect();
    let mut seen = String::new();
    for ((kind, _, _), number) in CHECKS.iter().zip(0..) {
        let port = format!(":{}", port(number));
        seen += &format!("== {kind} {number}\n");
        for line in lines.iter().filter(|line| line.contains(&port)) {
            seen += &format!("{line}\n");
        }
    }
    seen
}

/// Serves until the whole machine ends.
fn listen(host: &Host, number: usize, kind: &str, way: &'static Way) {
    if matches!(way, Refuses) {
        return;
    }
    let speaks_first = kind == MAIL;
    let listener = host.inside(|| TcpListener::bind(("10.9.0.1", port(number) as u16))).unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let says = match way {
                Refuses | Closes => continue,
                Says(says) | Resets(says) | Stays(says) => says,
            };
            for (index, text) in says.iter().enumerate() {
                if index > 0 || !speaks_first {
                    let _ = stream.read(&mut [0; 2000]);
                }
                let _ = stream.write_all(text.as_bytes());
            }
            match way {
                // Unread bytes make it a reset, too.
                Says(_) => drain(&mut stream),
                Resets(_) => {
                    if says.is_empty() {
                        let _ = stream.read(&mut [0; 2000]);
                    }
                    let _ = nix::sys::socket::setsockopt(
                        &stream,
                        nix::sys::socket::sockopt::Linger,
                        &libc::linger { l_onoff: 1, l_linger: 0 },
                    );
                }
                _ => kept.push(stream),
            }
        }
    });
}

/// Reads what is there already.
fn drain(stream: &mut TcpStream) {
    let _ = stream.set_nonblocking(true);
    while stream.read(&mut [0; 2000]).is_ok_and(|count| count > 0) {}
}
