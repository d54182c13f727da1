//! Replies of mail servers and name servers, and the files about names, judged without a socket: what
//! the fuzz targets call.

use std::net::{IpAddr, SocketAddr};

use lettre::transport::smtp::authentication::Credentials;

use crate::config::Encryption;
use crate::mail::dialogue::{Dialogue, Plan, Step};
use crate::mail::resolve::{Lookup, Progress, Resolver, in_hosts};

/// Up to the TLS handshake.
const UNTIL_SECURE: [&str; 3] = ["220 hi\r\n", "250-hi\r\n250 STARTTLS\r\n", "220 go\r\n"];

/// All that is said to a mail server that says `bytes`, in pieces of `piece` bytes, until it closes the
/// connection; and how that ends, in words. With `encryption` the connection is in the clear and ends
/// at the handshake; with `secured` the bytes come behind it, and a password is given.
pub fn mail(
    bytes: &[u8],
    piece: usize,
    encryption: Option<Encryption>,
    secured: bool,
) -> (Vec<u8>, String) {
    let mut said = Vec::new();
    let mut dialogue = Dialogue::new(plan(encryption, secured));
    if secured {
        for reply in UNTIL_SECURE {
            let _ = dialogue.received(reply.as_bytes());
        }
        dialogue.secured();
    }
    let mut pieces = bytes.chunks(piece.max(1));
    let step = loop {
        said.extend_from_slice(dialogue.output());
        dialogue.sent(dialogue.output().len());
        let step = match pieces.next() {
            Some(piece) => dialogue.received(piece),
            None => dialogue.closed(),
        };
        if step != Step::Receive {
            break step;
        }
    };
    said.extend_from_slice(dialogue.output());
    (said, format!("{step:?} {:?}", dialogue.outcome()))
}

fn plan(encryption: Option<Encryption>, secured: bool) -> Plan {
    Plan {
        helo: "director".into(),
        from: "ka@example.org".into(),
        to: ["a@example.org", "root", "b@example.org"].map(str::to_owned).to_vec(),
        message: b"Subject: s\r\n\r\nb\r\n.\r\n".to_vec(),
        encryption: if secured { Some(Encryption::Required) } else { encryption },
        credentials: secured.then(|| Credentials::new("user".into(), "secret".into())),
    }
}

/// The addresses of `host` when name servers answer with these datagrams, one after the other, and then
/// no more; the number of each answer is exchanged for that of the question. Also how many questions
/// there were.
pub fn lookup<'a>(
    resolv_conf: &str,
    host: &str,
    mut answers: impl Iterator<Item = &'a [u8]>,
) -> (Vec<IpAddr>, usize) {
    let mut lookup = Lookup::new(host, Resolver::parse(resolv_conf));
    let mut questions = 0;
    let mut question = Vec::new();
    let mut progress = Progress::Ask;
    loop {
        progress = match progress {
            Progress::Done(addresses) => return (addresses, questions),
            Progress::Ask => {
                questions += 1;
                match lookup.query() {
                    Some((_, bytes)) => {
                        question = bytes;
                        Progress::Wait
                    }
                    None => lookup.unanswered(),
                }
            }
            Progress::Wait => match answers.next() {
                Some(answer) => lookup.answered(&with_number_of(&question, answer)),
                None => lookup.unanswered(),
            },
        };
    }
}

fn with_number_of(question: &[u8], answer: &[u8]) -> Vec<u8> {
    let number = question.iter().take(2);
    number.chain(answer.iter().skip(2)).copied().collect()
}

/// The name servers that a text in the place of `/etc/resolv.conf` names, and the names to ask them for
/// when the address of `host` is wanted.
pub fn resolver(text: &str, host: &str) -> (Vec<SocketAddr>, Vec<String>) {
    let resolver = Resolver::parse(text);
    let names = resolver.names(host);
    (resolver.servers, names)
}

/// The addresses of `host` by a text in the place of `/etc/hosts`.
pub fn hosts(text: &str, host: &str) -> Vec<IpAddr> {
    in_hosts(text, host)
}
