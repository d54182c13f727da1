use proptest::prelude::*;

use super::*;

/// What comes of a connection over which `bytes` came in pieces of this length.
fn fetch(bytes: &[u8], piece: usize) -> Result<Reply, Fault> {
    let mut exchange = Exchange::new(Vec::new(), true, None);
    for piece in bytes.chunks(piece.max(1)) {
        if let Some(result) = exchange.receive(piece) {
            return result.map(|()| exchange.reply());
        }
    }
    exchange.end().map(|()| exchange.reply())
}

fn reply(text: &str) -> Reply {
    fetch(text.as_bytes(), 100_000).unwrap()
}

fn md5(text: &[u8]) -> Option<[u8; 16]> {
    Some(Md5::digest(text).into())
}

fn status(line: &str) -> Option<u16> {
    reply(&format!("{line}\r\nServer: a b\r\n\r\n")).status
}

#[test]
fn the_request_is_what_servers_have_always_seen() {
    let text = |protocol| String::from_utf8(request(protocol, "/a b?c", "h:80")).unwrap();
    assert_eq!(
        text(HttpProtocol::Http10),
        "GET /a b?c HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: h:80\r\n\r\n"
    );
    assert_eq!(
        text(HttpProtocol::Http10Close),
        "GET /a b?c HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: h:80\r\n\r\n"
    );
    assert_eq!(
        text(HttpProtocol::Http11),
        "GET /a b?c HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: h:80\r\n\r\n"
    );
    assert_eq!(request(HttpProtocol::Http10, &"/".repeat(3000), "h").len(), 2047);
}

#[test]
fn the_status_code_is_the_three_digits_between_the_first_two_blanks() {
    assert_eq!(status("HTTP/1.1 200 OK"), Some(200));
    assert_eq!(status("HTTP/1.0 599 "), Some(599));
    assert_eq!(status("ICY 200 OK"), Some(200));
    assert_eq!(status("HTTP/2 099 x"), Some(99));
    for none in [
        "HTTP/1.0 200",
        "HTTP/1.0  200 OK",
        "HTTP/1.0 2000 OK",
        "HTTP/1.0 20 OK",
        "HTTP/1.0 2x0 OK",
        "HTTP/1.0 +20 OK",
        "HTTP/1.0\t200 OK",
        "",
        " ",
        "200",
        "HTTP/1.0 200\tOK",
    ] {
        assert_eq!(status(none), None, "{none:?}");
    }
}

#[test]
fn the_body_is_digested_as_far_as_its_length_is_given() {
    let of = |head: &str| reply(&format!("HTTP/1.0 200 OK\r\n{head}\r\n\r\nabc"));
    for (head, length, digested) in [
        ("A: b", None, "abc"),
        ("Content-Length: 2", Some(2), "ab"),
        ("Content-Length:2", Some(2), "ab"),
        ("Content-Length: 9", Some(9), "abc"),
        ("Content-Length: 0", Some(0), ""),
        ("Content-Length: x", None, "abc"),
        ("content-length: 2", None, "abc"),
        // It is only looked for, so it is found in other names too.
        ("X-Content-Length: 2", Some(2), "ab"),
        ("Content-Length: 99999999999999999999", None, "abc"),
        ("Content-Length: 1\r\nContent-Length: 2", Some(1), "a"),
    ] {
        let reply = of(head);
        assert_eq!(reply.length, length, "{head}");
        assert_eq!(reply.digest, md5(digested.as_bytes()), "{head}");
        assert_eq!(reply.received, 3);
    }
}

#[test]
fn without_the_end_of_a_header_there_is_no_data() {
    let no_data = Err(Fault::Answer(Answer::NoData));
    for text in ["", "HTTP/1.0 200 OK\r\n", "HTTP/1.0 200 OK\n\nabc", "HTTP/1.0 200 OK\r\n\r"] {
        assert_eq!(fetch(text.as_bytes(), 1), no_data);
    }
    assert!(fetch(b"\r\n\r\n", 1).is_ok());
}

#[test]
fn endless_headers_and_bodies_end() {
    let mut exchange = Exchange::new(Vec::new(), false, None);
    let mut fed = 0;
    while exchange.receive(b"A: b\r\n").is_none() {
        fed += 6;
        assert!(fed <= HEAD);
    }
    assert_eq!(exchange.receive(b"A: b\r\n"), Some(Err(Fault::Overlong)));
    assert!(exchange.raw.len() <= HEAD);

    let mut exchange = Exchange::new(Vec::new(), false, None);
    assert_eq!(exchange.receive(b"HTTP/1.0 200 OK\r\n\r\n"), None);
    exchange.body = BODY - 3;
    assert_eq!(exchange.receive(b"abc"), None);
    assert_eq!(exchange.receive(b"d"), Some(Err(Fault::Overlong)));
}

/// Something like a reply, and often enough one.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        &b"HTTP/1.0 200 OK"[..],
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b"Content-Length: 3",
        b" ",
        b"Content-Length:",
        b"HTTP/1.1 ",
        b"404",
        b"abc",
        b"\0\xff",
        b":",
        b"\t",
    ]);
    prop_oneof![
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat()),
        prop::collection::vec(any::<u8>(), 0..100),
    ]
}

proptest! {
    #[test]
    fn the_cut_does_not_matter(bytes in anything(), piece in 1usize..20) {
        prop_assert_eq!(fetch(&bytes, piece), fetch(&bytes, 100_000));
    }

    /// Where a parser of HTTP has an opinion, it is the same but for what is meant to differ.
    #[test]
    fn a_parser_of_http_reads_the_same(
        code in 100u16..1000,
        reason in "[A-Za-z ]{0,10}",
        names in prop::collection::vec("[A-Za-z-]{1,10}", 0..5),
        values in prop::collection::vec("[ -~]{0,20}", 5),
        length in prop::option::of(0u64..1_000_000),
    ) {
        let mut text = format!("HTTP/1.1 {code} {reason}\r\n");
        for (name, value) in names.iter().zip(&values) {
            text += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = length {
            text += &format!("Content-Length: {length}\r\n");
        }
        text += "\r\n";
        prop_assume!(text.matches("Content-Length:").count() <= 1);
        let mut headers = [httparse::EMPTY_HEADER; 8];
        let mut theirs = httparse::Response::new(&mut headers);
        if let Ok(httparse::Status::Complete(end)) = theirs.parse(text.as_bytes()) {
            let ours = reply(&text);
            prop_assert_eq!(end, text.len());
            prop_assert_eq!(theirs.code, ours.status);
            let header = theirs.headers.iter().find(|header| header.name == "Content-Length");
            let theirs = header.map(|header| std::str::from_utf8(header.value).unwrap());
            let ours = ours.length.map(|length| length.to_string());
            prop_assert_eq!(theirs, ours.as_deref());
        }
    }
}
