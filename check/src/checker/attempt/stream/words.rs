//! What is said about attempts over TCP that failed (spec checkers-behaviour §8).

use std::borrow::Cow;

use super::conversation::{Answer, Fault};
use crate::checker::Checker;
use crate::settings::{Endpoint, Kind};

/// The log line of an attempt of the checker that failed; empty where nothing is said.
pub(crate) fn failure(checker: &Checker, fault: Fault) -> Cow<'static, str> {
    let server = &checker.server;
    let target = checker.settings.connection.as_ref().map(|connection| connection.target);
    match (&checker.settings.kind, target, fault) {
        (Kind::Http(http), ..) => format!("{} server {server}.", web(fault, http.tls)).into(),
        (Kind::Smtp(_), Some(target), Fault::Unreachable) => {
            let (ip, endpoint) = (target.ip(), endpoint(server));
            format!("SMTP_CHECK Network unreachable for server {ip} - real server {endpoint}")
                .into()
        }
        (Kind::Smtp(_), Some(target), _) => {
            format!("SMTP_CHECK {} server {}", mail(fault), Endpoint(target)).into()
        }
        (_, _, Fault::Connect | Fault::Unreachable) => "".into(),
        (_, _, Fault::ConnectTimeout) => format!("TCP connection to {server} timeout.").into(),
        _ => format!("TCP connection to {server} failed.").into(),
    }
}

/// The name of a real server without its protocol: `[10.1.1.2]:80`.
fn endpoint(server: &str) -> String {
    match (server.split_once("]:"), server.rsplit_once(':')) {
        (Some((ip, _)), Some((_, port))) => format!("{ip}]:{port}"),
        _ => server.to_owned(),
    }
}

/// The part before `server R.`
pub(crate) fn web(fault: Fault, tls: bool) -> &'static str {
    match fault {
        Fault::Unreachable if tls => "SSL_CHECK - network unreachable",
        Fault::Unreachable => "HTTP_CHECK - network unreachable",
        Fault::Connect => "Error connecting",
        Fault::Refused => "Connection failed",
        Fault::ConnectTimeout => "Timeout connecting",
        Fault::Handshake => "SSL handshake/communication error connecting to",
        Fault::Send => "Cannot send get request to",
        Fault::SendTimeout | Fault::NoReply => "Timeout WEB read",
        Fault::ReceiveTimeout if tls => "Timeout SSL read",
        Fault::ReceiveTimeout => "Timeout HTTP read",
        Fault::Receive if tls => "SSL read error from",
        Fault::Receive => "Read error with",
        Fault::Overlong => "Reply too large or too slow from",
        // With its blank at the end.
        Fault::Answer(Answer::NoData) => "Read, no data received from ",
        Fault::Answer(Answer::Digest) => "MD5 digest error to",
        Fault::Answer(Answer::Regex) => "Regex match failed",
        Fault::Answer(_) => "HTTP status code error to",
    }
}

fn mail(fault: Fault) -> &'static str {
    match fault {
        Fault::Connect => "Error connecting to",
        Fault::Refused | Fault::Unreachable | Fault::Handshake => "Could not connect to",
        Fault::ConnectTimeout => "Connection timeout to",
        Fault::Send => "Write failure to",
        Fault::SendTimeout => "Write timeout to",
        Fault::NoReply | Fault::ReceiveTimeout => "Read timeout from",
        Fault::Receive | Fault::Overlong => "Read failure from",
        Fault::Answer(Answer::Hello) => "Bad HELO response from",
        Fault::Answer(_) => "Bad greeting banner from",
    }
}
