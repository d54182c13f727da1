//! What is said about a conversation that failed (spec checkers-behaviour §8).

use std::borrow::Cow;

use super::conversation::{Reason, Why};
use crate::settings::{CheckerSettings, Kind};

/// The line about a checker of the real server `server`.
pub(super) fn failure(settings: &CheckerSettings, server: &str, why: Why) -> Cow<'static, str> {
    match &settings.kind {
        Kind::Http(http) => format!("{} server {server}.", web(why, http.tls)).into(),
        Kind::Smtp(_) => {
            let Some(target) = settings.connection.as_ref().map(|c| c.target) else {
                return smtp(why).into();
            };
            let endpoint = format!("[{}]:{}", target.ip(), target.port());
            match why {
                Why::Unreachable => {
                    format!(
                        "Network unreachable for server {} - real server {endpoint}",
                        target.ip()
                    )
                }
                why => format!("{} server {endpoint}", smtp(why)),
            }
            .into()
        }
        _ if why == Why::ConnectTimeout => format!("TCP connection to {server} timeout.").into(),
        _ => format!("TCP connection to {server} failed.").into(),
    }
}

/// What `HTTP_GET`, `SSL_GET` and `genhash` say.
pub(crate) fn web(why: Why, tls: bool) -> Reason {
    match why {
        Why::Unreachable => "HTTP/SSL_CHECK - network unreachable",
        Why::ConnectAtOnce => "Error connecting",
        Why::Connect => "Connection failed",
        Why::ConnectTimeout => "Timeout connecting",
        Why::Handshake => "SSL handshake/communication error connecting to",
        Why::Write => "Cannot send get request to",
        Why::WriteTimeout => "Timeout WEB write",
        Why::Read if tls => "SSL read error from",
        Why::Read => "Read error with",
        Why::NoAnswer => "Timeout WEB read",
        Why::ReadTimeout if tls => "Timeout SSL read",
        Why::ReadTimeout => "Timeout HTTP read",
        Why::Endless => "Endless reply from",
        Why::Answer(reason) => reason,
    }
}

fn smtp(why: Why) -> Reason {
    match why {
        Why::Unreachable => "Network unreachable for",
        Why::ConnectAtOnce => "Error connecting to",
        Why::Connect | Why::Handshake => "Could not connect to",
        Why::ConnectTimeout => "Connection timeout to",
        Why::Write => "Write failure to",
        Why::WriteTimeout => "Write timeout to",
        Why::Read => "Read failure from",
        Why::NoAnswer | Why::ReadTimeout => "Read timeout from",
        Why::Endless => "Endless reply from",
        Why::Answer(reason) => reason,
    }
}
