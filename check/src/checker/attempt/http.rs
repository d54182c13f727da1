//! The dialogue of `HTTP_GET`, `SSL_GET` and `genhash`: one request, then everything the server sends
//! until it closes (spec checkers-behaviour §8.2).
//!
//! The body is never kept: its digest and the search in it go on with every piece of it.

pub(crate) mod check;
mod reply;

use std::net::SocketAddr;

use md5::{Digest, Md5};

use super::regex::Search;
use super::stream::conversation::{Answer, Fault, Next};
use crate::digits;
use crate::settings::HttpProtocol;
use reply::Head;

/// Longest request; what is longer is cut.
const REQUEST: usize = 2047;
/// Longest header of a reply.
const HEAD: usize = 64 << 10;
/// Longest body.
const BODY: u64 = 256 << 20;
const END: &[u8] = b"\r\n\r\n";

/// The request for `path` of `host`.
pub(crate) fn request(protocol: HttpProtocol, path: &str, host: &str) -> Vec<u8> {
    let (version, connection) = match protocol {
        HttpProtocol::Http10 => ("1.0", ""),
        HttpProtocol::Http10Close => ("1.0", "Connection: close\r\n"),
        HttpProtocol::Http11 => ("1.1", "Connection: close\r\n"),
    };
    let parts = [
        "GET ",
        path,
        " HTTP/",
        version,
        "\r\nUser-Agent: KeepAliveClient\r\n",
        connection,
        "Host: ",
        host,
        "\r\n\r\n",
    ];
    let mut request = parts.concat().into_bytes();
    request.truncate(REQUEST);
    request
}

/// Adds what the host is called where nothing is configured: the target, always with its port.
pub(crate) fn host_of(room: &mut String, target: SocketAddr) {
    let (open, close) = if target.is_ipv6() { ("[", "]:") } else { ("", ":") };
    room.push_str(open);
    digits::address(room, target.ip());
    room.push_str(close);
    digits::decimal(room, target.port());
}

/// The status code of a complete reply, read as `HTTP_GET` reads it; `None` where it has none.
pub fn reply_status(reply: &[u8]) -> Option<u16> {
    let mut exchange = Exchange::new(Vec::new(), false, None);
    exchange.receive(reply);
    exchange.end().ok()?;
    exchange.reply().status
}

/// Where `what` begins.
fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// A dialogue in progress.
pub(crate) struct Exchange {
    /// What is still to be sent.
    request: Vec<u8>,
    /// The header so far.
    raw: Vec<u8>,
    head: Option<Head>,
    /// Bytes of the body so far.
    body: u64,
    digest: Option<Md5>,
    search: Option<Search>,
    /// What has come of the body since somebody last looked, if somebody does.
    shown: Option<Vec<u8>>,
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status code, if the first line has one.
    pub(crate) status: Option<u16>,
    /// `Content-Length`.
    pub(crate) length: Option<u64>,
    /// Bytes of the body.
    pub(crate) received: u64,
    /// MD5 of the body, or of as much of it as `Content-Length` says, if it was asked for.
    pub(crate) digest: Option<[u8; 16]>,
    /// Whether the expression matches, if there is one.
    pub(crate) matched: Option<bool>,
}

impl Exchange {
    /// Sends `request`; takes the MD5 of the body and searches it if told to.
    pub(crate) fn new(request: Vec<u8>, digest: bool, search: Option<Search>) -> Exchange {
        Exchange {
            request,
            raw: Vec::new(),
            head: None,
            body: 0,
            digest: digest.then(Md5::new),
            search,
            shown: None,
        }
    }

    /// Keeps what comes of the body for [`take_body`](Self::take_body).
    pub(crate) fn keep_body(&mut self) {
        self.shown = Some(Vec::new());
    }

    /// What has come of the body since the last call.
    pub(crate) fn take_body(&mut self) -> Vec<u8> {
        self.shown.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What is to be sent now.
    pub(crate) fn output(&self) -> &[u8] {
        &self.request
    }

    /// It was sent.
    pub(crate) fn sent(&mut self) {
        self.request.clear();
    }

    /// The header as it came, once it is complete.
    pub(crate) fn raw_head(&self) -> Option<&[u8]> {
        self.head.as_ref().map(|_| &*self.raw)
    }

    /// Takes what the server sent.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Next {
        if self.head.is_some() {
            return self.receive_body(bytes);
        }
        let before = self.raw.len();
        let room = HEAD.saturating_sub(before).min(bytes.len());
        self.raw.extend_from_slice(bytes.get(..room).unwrap_or_default());
        // The end may have begun in what came before.
        let from = before.saturating_sub(END.len() - 1);
        let Some(end) = find(self.raw.get(from..)?, END).map(|at| from + at + END.len()) else {
            return (self.raw.len() >= HEAD).then_some(Err(Fault::Overlong));
        };
        self.raw.truncate(end);
        self.head = Some(Head::read(&self.raw));
        self.receive_body(bytes.get(end - before..).unwrap_or_default())
    }

    fn receive_body(&mut self, bytes: &[u8]) -> Next {
        let Some(head) = &self.head else { return None };
        if let Some(digest) = &mut self.digest {
            let left = head.length.map_or(u64::MAX, |length| length.saturating_sub(self.body));
            let counted = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            digest.update(bytes.get(..counted).unwrap_or_default());
        }
        if let Some(search) = &mut self.search {
            search.feed(bytes);
        }
        if let Some(shown) = &mut self.shown {
            shown.extend_from_slice(bytes);
        }
        self.body = self.body.saturating_add(bytes.len() as u64);
        (self.body > BODY).then_some(Err(Fault::Overlong))
    }

    /// The server closed.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.head {
            Some(_) => Ok(()),
            None => Err(Fault::Answer(Answer::NoData)),
        }
    }

    /// What came, once the server has closed.
    pub(crate) fn reply(&mut self) -> Reply {
        let head = self.head.clone().unwrap_or_default();
        Reply {
            status: head.status,
            length: head.length,
            received: self.body,
            digest: self.digest.take().map(|digest| digest.finalize().into()),
            matched: self.search.as_mut().map(Search::finish),
        }
    }
}

#[cfg(test)]
mod tests;
