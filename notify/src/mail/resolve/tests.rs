use proptest::prelude::*;
use simple_dns::ResourceRecord;
use simple_dns::rdata::{A, AAAA};

use super::*;

fn resolver(text: &str) -> Resolver {
    Resolver::parse(text)
}

#[test]
fn resolv_conf_is_read_as_the_c_library_does() {
    let r = resolver(
        "# c\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver x\nnameserver 192.0.2.2\n\
         nameserver 192.0.2.3\ndomain old.example\nsearch a.example b.example\n\
         options ndots:2 timeout:3 attempts:99 rotate\n",
    );
    let servers: Vec<String> = r.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"]);
    assert_eq!((r.ndots, r.timeout, r.attempts), (2, Duration::from_secs(3), 5));
    assert_eq!(r.names("mail"), ["mail.a.example", "mail.b.example", "mail"]);
    assert_eq!(r.names("m.a.org"), ["m.a.org", "m.a.org.a.example", "m.a.org.b.example"]);
    assert_eq!(r.names("m.a.org."), ["m.a.org"]);
    assert_eq!(resolver("").servers, ["127.0.0.1:53".parse().unwrap()]);
}

#[test]
fn hosts_are_found_by_every_name_of_theirs() {
    let text = "::1 localhost\n127.0.0.1 localhost # mail\n2001:db8::5 mail\n192.0.2.5\tmail.x Mail\nx mail\n";
    let of = |host| in_hosts(text, host).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(of("mail"), ["192.0.2.5", "2001:db8::5"]);
    assert_eq!(of("mail.x."), ["192.0.2.5"]);
    assert_eq!(of("192.0.2.5"), [""; 0]);
}

/// The server's answer to `lookup`'s last question.
fn answer(query: &[u8], rcode: RCODE, ips: &[&str]) -> Vec<u8> {
    let query = Packet::parse(query).unwrap();
    let mut packet = query.clone().into_reply();
    *packet.rcode_mut() = rcode;
    for ip in ips {
        let data = match ip.parse::<IpAddr>().unwrap() {
            IpAddr::V4(ip) => RData::A(A { address: ip.into() }),
            IpAddr::V6(ip) => RData::AAAA(AAAA { address: ip.into() }),
        };
        let name = query.questions[0].qname.clone();
        packet.answers.push(ResourceRecord::new(name, CLASS::IN, 60, data));
    }
    packet.build_bytes_vec().unwrap()
}

fn question(bytes: &[u8]) -> String {
    let packet = Packet::parse(bytes).unwrap();
    let q = &packet.questions[0];
    format!("{} {:?}", q.qname, q.qtype)
}

#[test]
fn both_kinds_of_addresses_are_asked_for_in_each_domain() {
    let mut lookup = Lookup::new("mail", resolver("nameserver 192.0.2.1\nsearch x.example"));
    let (_, query) = lookup.query().unwrap();
    assert_eq!(question(&query), "mail.x.example TYPE(A)");
    assert_eq!(lookup.answered(&answer(&query, RCODE::NameError, &[])), Progress::Ask);
    let (_, query) = lookup.query().unwrap();
    assert_eq!(question(&query), "mail TYPE(A)");
    let reply = answer(&query, RCODE::NoError, &["192.0.2.7", "192.0.2.8"]);
    assert_eq!(lookup.answered(&reply), Progress::Ask);
    let (_, query) = lookup.query().unwrap();
    assert_eq!(question(&query), "mail TYPE(AAAA)");
    let reply = answer(&query, RCODE::NoError, &["2001:db8::7"]);
    let all = ["192.0.2.7", "192.0.2.8", "2001:db8::7"].map(|ip| ip.parse().unwrap());
    assert_eq!(lookup.answered(&reply), Progress::Done(all.to_vec()));
}

#[test]
fn silence_and_refusals_lead_to_the_next_server() {
    let text = "nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions attempts:2";
    let mut lookup = Lookup::new("mail", resolver(text));
    let mut asked = Vec::new();
    let end = loop {
        let (server, query) = lookup.query().unwrap();
        asked.push(server.ip().to_string());
        let progress = match asked.len() {
            2 => lookup.answered(&answer(&query, RCODE::ServerFailure, &[])),
            _ => lookup.unanswered(),
        };
        if let Progress::Done(ips) = progress {
            break ips;
        }
    };
    assert_eq!(asked, ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2"]);
    assert!(end.is_empty());
}

#[test]
fn an_answer_to_another_question_is_not_used() {
    let mut lookup = Lookup::new("mail", resolver("nameserver 192.0.2.1"));
    let (_, query) = lookup.query().unwrap();
    let mut wrong = answer(&query, RCODE::NoError, &["192.0.2.66"]);
    wrong[0] ^= 1;
    assert_eq!(lookup.answered(&wrong), Progress::Wait);
    assert_eq!(lookup.answered(&query), Progress::Wait, "our own question");
}

/// An answer by hand, for the A question that `query` is.
fn answer_by(query: &[u8], change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
    let query = Packet::parse(query).unwrap();
    let mut packet = query.clone().into_reply();
    change(&mut packet);
    packet.build_bytes_vec().unwrap()
}

fn record<'a>(owner: &'a str, data: RData<'a>) -> ResourceRecord<'a> {
    ResourceRecord::new(Name::new(owner).unwrap(), CLASS::IN, 60, data)
}

fn address(text: &str) -> RData<'static> {
    RData::A(A { address: text.parse::<Ipv4Addr>().unwrap().into() })
}

fn alias(text: &str) -> RData<'_> {
    RData::CNAME(Name::new(text).unwrap().into())
}

#[test]
fn an_answer_that_repeats_another_question_was_used() {
    let mut lookup = Lookup::new("mail.example", resolver("nameserver 192.0.2.1"));
    let (_, query) = lookup.query().unwrap();
    let changes: [fn(&mut Packet<'_>); 4] = [
        |p| p.questions[0].qname = Name::new("evil.example").unwrap(),
        |p| p.questions[0].qtype = TYPE::AAAA.into(),
        |p| p.questions.clear(),
        |p| p.questions.push(p.questions[0].clone()),
    ];
    for change in changes {
        let wrong = answer_by(&query, |packet| {
            change(packet);
            packet.answers.push(record("mail.example", address("192.0.2.66")));
        });
        assert_eq!(lookup.answered(&wrong), Progress::Wait);
    }
    // The case of letters says nothing.
    let right = answer_by(&query, |packet| {
        packet.questions[0].qname = Name::new("MAIL.Example").unwrap();
        packet.answers.push(record("Mail.example", address("192.0.2.7")));
    });
    assert_eq!(lookup.answered(&right), Progress::Ask);
    assert_eq!(lookup.found, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_server_that_refuses_need_not_repeat_the_question() {
    let mut lookup = Lookup::new("mail", resolver("nameserver 192.0.2.1\noptions attempts:1"));
    let (_, query) = lookup.query().unwrap();
    let refusal = answer_by(&query, |packet| {
        packet.questions.clear();
        *packet.rcode_mut() = RCODE::FormatError;
    });
    assert_eq!(lookup.answered(&refusal), Progress::Done(vec![]));
}

#[test]
fn aliases_are_followed_and_other_names_left_aside() {
    let mut lookup = Lookup::new("mail.example", resolver("nameserver 192.0.2.1"));
    let (_, query) = lookup.query().unwrap();
    let reply = answer_by(&query, |packet| {
        packet.answers = vec![
            record("other.example", address("192.0.2.66")),
            record("mail.example", alias("mx.example")),
            record("mx.example", alias("a.example")),
            record("a.example", address("192.0.2.7")),
            record("mail.example", address("192.0.2.67")),
        ];
    });
    assert_eq!(lookup.answered(&reply), Progress::Ask);
    assert_eq!(lookup.found, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
}

#[test]
fn what_is_no_name_is_not_asked_for() {
    for host in ["a..b", &"x".repeat(64)] {
        let mut lookup = Lookup::new(host, resolver("nameserver 192.0.2.1\noptions attempts:1"));
        assert_eq!(lookup.query(), None, "{host}");
        assert_eq!(lookup.unanswered(), Progress::Done(vec![]));
    }
}

proptest! {
    #[test]
    fn no_datagram_does_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        records in 0u8..10,
    ) {
        let mut lookup = Lookup::new("mail", resolver("nameserver 192.0.2.1"));
        let (_, query) = lookup.query().unwrap();
        lookup.answered(&bytes);
        // Behind the question, so that the rest is looked at.
        let mut close = query;
        close[2] |= 0x80;
        close[7] = records;
        close.extend(&bytes);
        lookup.answered(&close);
    }

    #[test]
    fn no_file_does_harm(text in "(nameserver|search|options|[ -~]|\n){0,40}") {
        let _ = resolver(&text).names("a.b");
        in_hosts(&text, "a");
    }
}
