//! What is said about attempts over TCP that failed (spec checkers-behaviour §8).

use std::borrow::Cow;

use super::conversation::{Answer, Fault};
use crate::checker::Checker;
use crate::settings::{Endpoint, Kind};

/// The log line of an attempt of the checker that failed.
pub(crate) fn failure(checker: &Checker, fault: Fault) -> Cow<'static, str> {
    let server = &checker.server;
    match &checker.settings.kind {
        Kind::Http(http) => format!("{} server {server}.", web(fault, http.tls)).into(),
        Kind::Smtp(_) => {
            let Some(connection) = &checker.settings.connection else { return "".into() };
            let target = connection.target;
            let endpoint = Endpoint(target);
            match fault {
                Fault::Unreachable => format!(
                    "SMTP_CHECK Network unreachable for server {} - real server {endpoint}",
                    target.ip()
                ),
                fault => format!("SMTP_CHECK {} server {endpoint}", mail(fault)),
            }
            .into()
        }
        _ if fault == Fault::ConnectTimeout => {
            format!("TCP connection to {server} timeout.").into()
        }
        _ => format!("TCP connection to {server} failed.").into(),
    }
}

/// The part before `server R.`
pub(crate) fn web(fault: Fault, tls: bool) -> &'static str {
    match fault {
        Fault::Unreachable => "HTTP/SSL_CHECK - network unreachable",
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
        Fault::Connect | Fault::Unreachable => "Could not connect to",
        Fault::Refused | Fault::Handshake => "Error connecting to",
        Fault::ConnectTimeout => "Connection timeout to",
        Fault::Send => "Write failure to",
        Fault::SendTimeout => "Write timeout to",
        Fault::NoReply | Fault::ReceiveTimeout => "Read timeout from",
        Fault::Receive | Fault::Overlong => "Read failure from",
        Fault::Answer(Answer::Hello) => "Bad HELO response from",
        Fault::Answer(_) => "Bad greeting banner from",
    }
}
