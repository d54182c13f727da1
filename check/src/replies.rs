//! Replies of servers, judged without a connection: what the fuzz targets call.

use crate::checker::attempt::http::{self, Exchange};
use crate::checker::attempt::regex::{Expressions, Search};
use crate::checker::attempt::smtp::Smtp;
use crate::checker::attempt::{self, Outcome};
use crate::checker::files::RANGE;
use crate::settings::{RegexSettings, UdpSettings};

/// What an `HTTP_GET` makes of a connection over which `bytes` come in pieces of `piece` bytes until it
/// ends, in words; the body is digested and, if there is an expression, searched.
pub fn http(bytes: &[u8], piece: usize, regex: Option<&RegexSettings>) -> String {
    let expression = regex.and_then(|regex| Expressions::default().get(regex));
    let request = http::request(Default::default(), "/", "host");
    let mut exchange = Exchange::new(request, true, expression.map(Search::new));
    exchange.sent();
    let early = bytes.chunks(piece.max(1)).find_map(|piece| exchange.receive(piece));
    match early.unwrap_or_else(|| exchange.end()) {
        Ok(()) => format!("{:?}", exchange.reply()),
        Err(fault) => format!("{fault:?}"),
    }
}

/// What an `SMTP_CHECK` makes of a server that says `bytes`, in pieces of `piece` bytes, in words.
pub fn smtp(bytes: &[u8], piece: usize) -> String {
    let mut smtp = Smtp::new("name");
    let judge = |piece| {
        let next = smtp.receive(piece);
        smtp.sent();
        next
    };
    format!("{:?}", bytes.chunks(piece.max(1)).find_map(judge))
}

/// Whether a `DNS_CHECK` is content with a datagram that comes for its question `id`; `None`: it waits
/// for another.
pub fn dns(datagram: &[u8], id: u16) -> Option<bool> {
    attempt::dns::judge(datagram, id, "server").map(|outcome| outcome == Outcome::Success)
}

/// Whether a `UDP_CHECK` is content with a datagram.
pub fn udp(datagram: &[u8], settings: &UdpSettings) -> bool {
    attempt::udp::judge(settings, datagram, datagram.len(), "server") == Outcome::Success
}

/// Whether a `PING_CHECK` is content with a message that comes for its request `sequence`.
pub fn ping(message: &[u8], v6: bool, sequence: u16) -> bool {
    let failure = || Outcome::Failure("".into());
    attempt::ping::judge(message, v6, sequence, failure) == Outcome::Success
}

/// The number a `FILE_CHECK` finds in the text of its file.
///
/// # Errors
/// The text of a number that does not count.
pub fn number(text: &[u8]) -> Result<i64, String> {
    trackfile::number_in(text, RANGE)
}
