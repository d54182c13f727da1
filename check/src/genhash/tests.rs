use std::io::Read;
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use super::*;

/// Serves one connection; gives back the request.
fn server(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1000];
        let length = stream.read(&mut request).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    (address, thread::spawn(serve))
}

fn page(target: SocketAddr) -> Page {
    Page {
        target,
        path: "/a".into(),
        host: None,
        tls: false,
        sni: false,
        mark: 0,
        protocol: HttpProtocol::Http10,
        timeout: Duration::from_secs(60),
        verbose: false,
    }
}

fn run(page: &Page) -> (String, String) {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    genhash(page, &mut out, &mut errors).unwrap();
    (String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap())
}

#[test]
fn the_digest_is_printed_whatever_the_status() {
    let (address, server) = server("HTTP/1.0 404 No\r\n\r\nabc");
    assert_eq!(run(&page(address)).0, "900150983cd24fb0d6963f7d28e17f72\n");
    let request =
        format!("GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: {address}\r\n\r\n");
    assert_eq!(server.join().unwrap(), request);
}

#[test]
fn why_there_is_none_is_printed() {
    let (address, _server) = server("HTTP/1.0 200 OK\r\n");
    let none = "no data received from remote webserver\n";
    assert_eq!(run(&page(address)), (String::new(), none.into()));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(run(&page(free)).0, "Connection failed\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut page = page(silent.local_addr().unwrap());
    page.timeout = Duration::from_millis(10);
    assert_eq!(run(&page).0, "Timeout WEB read\n");
}

/// The frames of the C program.
#[test]
fn everything_is_shown_on_request() {
    let (address, _server) = server("HTTP/1.0 200 OK\r\nServer: x\r\n\r\nabc\n<p>hello</p>\n");
    let mut page = page(address);
    page.verbose = true;
    let expected = "\
-----------------------[    HTTP Header Buffer    ]-----------------------
0000  48 54 54 50 2f 31 2e 30 - 20 32 30 30 20 4f 4b 0d   HTTP/1.0 200 OK.
0016  0a 53 65 72 76 65 72 3a - 20 78 0d 0a 0d 0a         .Server: x....  
-----------------------[ HTTP Header Ascii Buffer ]-----------------------
HTTP/1.0 200 OK\r
Server: x\r
\r

-----------------------[        HTML Buffer        ]-----------------------
0000  61 62 63 0a 3c 70 3e 68 - 65 6c 6c 6f 3c 2f 70 3e   abc.<p>hello</p>
0016  0a                      -                           .               

-----------------------[    HTML hash resulting    ]-----------------------
0000  1e 0b 5e f1 34 6b 36 78 - da 02 de c1 2d 05 13 ac   ..^.4k6x....-...
-----------------------[ HTML hash final resulting ]-----------------------
1e0b5ef1346b3678da02dec12d0513ac

Global response time for [/a] = ";
    let out = run(&page).0;
    assert!(out.starts_with(expected), "{out}");
    assert!(out.ends_with(" usecs\n"));
}
