//! The sender on a real scheduler, against servers in other threads on the loopback interface.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use config::Context;
use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, ResourceRecord};

use super::resolve::Resolver;
use super::*;
use crate::config::Encryption;
use crate::notifier::{Notifier, drain};

struct World(Notifier);

impl HasNotify for World {
    fn notify(&mut self) -> &mut Notifier {
        &mut self.0
    }
}

/// How long a hang lasts before it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

fn settings(server: &str, port: u16) -> Settings {
    let mail = Mail {
        server: Some((server.into(), port)),
        helo: Some("director".into()),
        from: Some("ka@example.org".into()),
        to: vec!["a@example.org".into()],
        ..Mail::default()
    };
    Settings { mail, ..Settings::default() }
}

fn told() -> Alert {
    Alert { subject: "Virtualserver X - UP".into(), body: "Gained quorum 1+0=1 <= 1".into() }
}

/// Queues one mail and runs until the notifier has nothing left to do; returns the world.
fn send(settings: &Settings, resolver: fn() -> Resolver) -> World {
    let (mut s, mut w) = (Scheduler::new().unwrap(), World(Notifier::new()));
    w.0.mail.resolver = resolver;
    configure_mail(&mut s, &mut w, settings, "R1");
    finish(s, w)
}

fn finish(mut s: Scheduler<World>, mut w: World) -> World {
    alert(&mut s, &mut w, told());
    drain(&mut s, &mut w, PATIENCE);
    s.run(&mut w).unwrap();
    assert!(w.0.mail.is_idle());
    w
}

/// The usual answer to a line.
fn reply(line: &str, offers: &str) -> String {
    match line.split(' ').next().unwrap_or_default() {
        "RCPT" if line.contains("later") => "450 later\r\n".into(),
        "EHLO" => format!("250-mail\r\n{offers}250 HELP\r\n"),
        "AUTH" => "235 welcome\r\n".into(),
        "DATA" => "354 go\r\n".into(),
        "STARTTLS" => "220 go\r\n".into(),
        _ => "250 ok\r\n".into(),
    }
}

/// Serves until the client has said `last`; returns the lines heard.
fn serve(stream: impl Read + Write, greet: bool, offers: &str, last: &str) -> Vec<String> {
    let mut stream = BufReader::new(stream);
    let (mut heard, mut data) = (Vec::new(), false);
    if greet {
        stream.get_mut().write_all(b"220 mail\r\n").unwrap();
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return heard;
        }
        let line = line.trim_end().to_owned();
        heard.push(line.clone());
        if !data || line == "." {
            data = line == "DATA";
            let _ = stream.get_mut().write_all(reply(&line, offers).as_bytes());
        }
        if line == last {
            return heard;
        }
    }
}

/// A server for one connection: its address, and the lines that it will have heard.
fn server(address: &str) -> (SocketAddr, Receiver<Vec<String>>) {
    let listener = TcpListener::bind(address).unwrap();
    let at = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        sender.send(serve(stream, true, "", "QUIT")).unwrap();
    });
    (at, receiver)
}

fn heard(receiver: &Receiver<Vec<String>>) -> Vec<String> {
    receiver.recv_timeout(PATIENCE).unwrap()
}

fn no_resolver() -> Resolver {
    panic!("nobody is to be asked")
}

#[test]
fn a_mail_is_handed_over() {
    let (at, receiver) = server("127.0.0.1:0");
    let w = send(&settings("127.0.0.1", at.port()), no_resolver);
    let lines = heard(&receiver);
    assert_eq!(lines[..2], ["HELO director", "MAIL FROM:<ka@example.org>"]);
    assert!(lines.contains(&"Subject: [R1] Virtualserver X - UP".to_owned()), "{lines:?}");
    assert!(lines.contains(&"=> Gained quorum 1+0=1 <= 1 <=".to_owned()), "{lines:?}");
    assert_eq!(w.0.lost_alerts(), 0);
}

#[test]
fn a_name_is_looked_up_and_its_addresses_are_tried_in_turn() {
    use std::sync::OnceLock;
    static DNS: OnceLock<SocketAddr> = OnceLock::new();
    fn resolver() -> Resolver {
        let mut resolver = Resolver::parse("search example.org\noptions timeout:5");
        resolver.servers = DNS.get().copied().into_iter().collect();
        resolver
    }
    let (at, receiver) = server("127.0.0.2:0");
    let dns = UdpSocket::bind("127.0.0.1:0").unwrap();
    DNS.set(dns.local_addr().unwrap()).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = dns.recv_from(&mut buffer) {
            let query = Packet::parse(&buffer[..length]).unwrap();
            let mut answer = query.clone().into_reply();
            let question = &query.questions[0];
            let wanted = question.qname.to_string() == "mail.example.org";
            if wanted && question.qtype == simple_dns::TYPE::A.into() {
                // Nothing listens on the first.
                for address in [0x7f00_0001, 0x7f00_0002] {
                    let data = RData::A(A { address });
                    let name = question.qname.clone();
                    answer.answers.push(ResourceRecord::new(name, CLASS::IN, 60, data));
                }
            }
            dns.send_to(b"no answer of ours", from).unwrap();
            dns.send_to(&answer.build_bytes_vec().unwrap(), from).unwrap();
        }
    });
    let w = send(&settings("mail", at.port()), resolver);
    assert_eq!(heard(&receiver).last().unwrap(), "QUIT");
    assert_eq!(w.0.lost_alerts(), 0);
}

#[test]
fn at_the_end_a_recipient_refused_for_now_was_tried_again_without_a_pause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings("127.0.0.1", listener.local_addr().unwrap().port());
    settings.mail.to.push("later@example.org".into());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            sender.send(serve(stream, true, "", "QUIT")).unwrap();
        }
    });
    let w = send(&settings, no_resolver);
    assert_eq!(heard(&receiver).last().unwrap(), "QUIT");
    assert!(receiver.try_recv().is_err(), "one try only");
    assert_eq!(w.0.lost_alerts(), 1);
}

#[test]
fn a_mail_for_a_server_that_is_not_there_is_counted_as_lost() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let w = send(&settings("127.0.0.1", port), no_resolver);
    assert_eq!(w.0.lost_alerts(), 1);
}

#[test]
fn under_a_virtual_clock_and_without_recipients_nothing_is_queued() {
    let everything = settings("127.0.0.1", 25);
    let mut nobody = everything.clone();
    nobody.mail.to.clear();
    for (mut s, settings) in [
        (Scheduler::simulated(scheduler::Time::ZERO), everything),
        (Scheduler::new().unwrap(), nobody),
    ] {
        let mut w = World(Notifier::new());
        configure_mail(&mut s, &mut w, &settings, "R1");
        alert(&mut s, &mut w, told());
        assert!(w.0.mail.is_idle());
    }
}

#[test]
fn a_password_makes_tls_required() {
    let credentials = |n: &mut Settings| {
        let secret = ("u".to_owned(), "p".to_owned()).into();
        n.mail.credentials = Some(secret);
    };
    for (given, wanted) in [
        (None, Encryption::Required),
        (Some(Encryption::Offered), Encryption::Required),
        (Some(Encryption::Verified), Encryption::Verified),
    ] {
        let mut n = Settings::default();
        credentials(&mut n);
        n.mail.encryption = given;
        let mut diagnostics = Vec::new();
        n.finish(&mut Context { diagnostics: &mut diagnostics, mode: config::Mode::Start });
        assert_eq!(n.mail.encryption, Some(wanted));
    }
}

#[cfg(feature = "tls")]
mod tls {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;
    use openssl::ssl::{SslAcceptor, SslMethod};
    use openssl::x509::extension::SubjectAlternativeName;
    use openssl::x509::{X509, X509Name};

    use super::*;

    /// A certificate of its own authority, for a name.
    fn certificate(key: &PKey<Private>, name: &str) -> X509 {
        let mut subject = X509Name::builder().unwrap();
        subject.append_entry_by_nid(Nid::COMMONNAME, "mail").unwrap();
        let subject = subject.build();
        let mut certificate = X509::builder().unwrap();
        certificate.set_version(2).unwrap();
        certificate.set_subject_name(&subject).unwrap();
        certificate.set_issuer_name(&subject).unwrap();
        certificate.set_pubkey(key).unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(9).unwrap()).unwrap();
        let context = certificate.x509v3_context(None, None);
        let names =
            SubjectAlternativeName::new().dns(name).ip("127.0.0.9").build(&context).unwrap();
        certificate.append_extension(names).unwrap();
        certificate.sign(key, MessageDigest::sha256()).unwrap();
        certificate.build()
    }

    /// What a server hears in the clear, and under TLS.
    fn server(name: &str) -> (u16, Receiver<Vec<String>>, X509) {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let certificate = certificate(&key, name);
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        builder.set_private_key(&key).unwrap();
        builder.set_certificate(&certificate).unwrap();
        let acceptor = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let clear = serve(&stream, true, "250-STARTTLS\r\n", "STARTTLS");
            sender.send(clear).unwrap();
            if let Ok(stream) = acceptor.accept(stream) {
                sender.send(serve(stream, false, "250-AUTH PLAIN\r\n", "QUIT")).unwrap();
            }
        });
        (port, receiver, certificate)
    }

    fn secret(port: u16, encryption: Encryption) -> Settings {
        let mut settings = settings("127.0.0.1", port);
        settings.mail.encryption = Some(encryption);
        settings.mail.credentials = Some(("user".to_owned(), "pass".to_owned()).into());
        settings
    }

    #[test]
    fn a_mail_and_a_password_go_under_tls() {
        let (port, receiver, _) = server("localhost");
        let w = send(&secret(port, Encryption::Required), no_resolver);
        assert_eq!(heard(&receiver), ["EHLO director", "STARTTLS"]);
        let lines = heard(&receiver);
        assert_eq!(lines[..2], ["EHLO director", "AUTH PLAIN AHVzZXIAcGFzcw=="]);
        assert_eq!(lines.last().unwrap(), "QUIT");
        assert_eq!(w.0.lost_alerts(), 0);
    }

    #[test]
    fn a_certificate_that_nobody_vouches_for_gets_neither() {
        let (port, receiver, _) = server("localhost");
        let w = send(&secret(port, Encryption::Verified), no_resolver);
        assert_eq!(heard(&receiver), ["EHLO director", "STARTTLS"]);
        assert!(receiver.recv_timeout(PATIENCE).is_err(), "nothing was said");
        assert_eq!(w.0.lost_alerts(), 1);
    }

    #[test]
    fn a_certificate_must_be_the_servers_own() {
        for (name, valid) in [("localhost", true), ("elsewhere", false)] {
            let (port, receiver, certificate) = server(name);
            let (mut s, mut w) = (Scheduler::new().unwrap(), World(Notifier::new()));
            let mut settings = secret(port, Encryption::Verified);
            settings.mail.server = Some(("localhost".into(), port));
            configure_mail(&mut s, &mut w, &settings, "R1");
            w.0.mail.sending = Some(Rc::new(Sending {
                mail: settings.mail.clone(),
                from: "ka@example.org".into(),
                router_id: "R1".into(),
                tls: Some(Tls::trusting(certificate)),
            }));
            let w = finish(s, w);
            assert_eq!(heard(&receiver), ["EHLO director", "STARTTLS"]);
            assert_eq!(receiver.recv_timeout(PATIENCE).is_ok(), valid, "{name}");
            assert_eq!(w.0.lost_alerts(), u64::from(!valid), "{name}");
        }
    }
}
