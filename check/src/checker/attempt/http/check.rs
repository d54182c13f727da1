//! `HTTP_GET` and `SSL_GET`: what the configuration asks of a reply.

use std::collections::HashMap;

use socket2::Socket;

use super::super::Outcome;
use super::super::regex::{Expressions, Search};
use super::super::stream::conversation::{Answer, Conversation, Dialogue, Fault, Link};
use super::super::stream::words;
use super::super::tls;
use super::{Exchange, Reply, host_of, request};
use crate::checker::{Checker, CheckerId};
use crate::settings::{Connection, HttpSettings, TlsSettings, Url};

/// URLs whose oddities are remembered, so as to be logged once.
const ODDITIES: usize = 4096;

/// What the checks of all URLs share.
#[derive(Default)]
pub(crate) struct Web {
    /// As the `SSL` block says; without one it is made when it is needed.
    tls: Option<tls::Context>,
    expressions: Expressions,
    /// Room for the host of a request.
    host: String,
    /// What was logged last about this URL of this checker.
    logged: HashMap<(CheckerId, u16, Oddity), String>,
}

impl Web {
    /// Presents to servers what the `SSL` block says from now on; without one, nothing. What it takes
    /// to begin with TLS is done here, so that no check waits for it.
    ///
    /// # Errors
    /// A file cannot be used, and what was presented before still is.
    pub(crate) fn present(&mut self, settings: Option<&TlsSettings>) -> Result<(), String> {
        match (tls::Context::new(settings), settings) {
            (Ok(context), _) => self.tls = Some(context),
            (Err(error), Some(_)) => return Err(error),
            // Each check will say so.
            (Err(_), None) => self.tls = None,
        }
        Ok(())
    }

    /// The conversation about the checker's next URL, over a connection that is there.
    ///
    /// # Errors
    /// No such conversation can be held; says why.
    pub(crate) fn begin(
        &mut self,
        checker: &Checker,
        http: &HttpSettings,
        connection: &Connection,
        socket: Socket,
    ) -> Result<Conversation, String> {
        let url = url(checker, http).ok_or("HTTP_GET without url")?;
        let host = match &url.host {
            Some(host) => host,
            None => {
                self.host.clear();
                host_of(&mut self.host, connection.target);
                self.host.as_str()
            }
        };
        let expression = url.regex.as_deref().and_then(|regex| self.expressions.get(regex));
        let search = expression.map(Search::new);
        let request = request(http.protocol, &url.path, host);
        let exchange = Exchange::new(request, url.digest.is_some(), search);
        let link = match http.tls {
            false => Link::Plain(socket),
            true => {
                let context = match &mut self.tls {
                    Some(context) => context,
                    none => none.insert(tls::Context::new(None)?),
                };
                let name = url.sni.as_deref().filter(|_| http.sni);
                Link::Tls(context.session(socket, name, url.tls_compliant)?)
            }
        };
        Ok(Conversation::new(link, Dialogue::Http(Box::new(exchange))))
    }

    /// What a complete reply says about the server.
    pub(crate) fn judge(
        &mut self,
        id: CheckerId,
        checker: &Checker,
        http: &HttpSettings,
        exchange: &mut Exchange,
    ) -> Outcome {
        let Some(url) = url(checker, http) else { return Outcome::Success };
        let reply = exchange.reply();
        self.log_length(id, checker, url, &reply);
        let recovering = !checker.verdict.up || !checker.verdict.has_run;
        let passed = |what: &str| {
            if recovering {
                log::info!("{what} success to {} url({}).", checker.server, url.path);
            }
        };
        match judge(url, &reply, passed) {
            Err(answer) => Outcome::Failure(words::failure(checker, Fault::Answer(answer))),
            Ok(()) if usize::from(checker.verdict.url) + 1 < http.urls.len() => Outcome::NextUrl,
            Ok(()) => Outcome::Success,
        }
    }

    /// Says, once, what is odd about a connection.
    pub(crate) fn odd(&mut self, id: CheckerId, checker: &Checker, oddity: Option<&str>) {
        if let Some(oddity) = oddity {
            let line = format!("SSL error '{oddity}'");
            self.log_once((id, checker.verdict.url, Oddity::Close), line);
        }
    }

    /// Says, once, that the body is not as long as it was said to be.
    fn log_length(&mut self, id: CheckerId, checker: &Checker, url: &Url, reply: &Reply) {
        let Some(length) = reply.length.filter(|&length| length != reply.received) else {
            return;
        };
        let Checker { server, service, .. } = checker;
        let (host, path) = (url.host.as_deref().unwrap_or_default(), &url.path);
        let line = format!(
            "http_check for RS {server} VS {service} url {host}{path}: content_length ({length}) \
             does not match received bytes ({})",
            reply.received
        );
        self.log_once((id, checker.verdict.url, Oddity::Length), line);
    }

    /// Logs a line unless it was the last of its kind about this URL.
    fn log_once(&mut self, key: (CheckerId, u16, Oddity), line: String) {
        if self.logged.get(&key) == Some(&line) {
            return;
        }
        if self.logged.len() >= ODDITIES {
            self.logged.clear();
        }
        log::info!("{line}");
        self.logged.insert(key, line);
    }
}

/// What is said once and not again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Oddity {
    Length,
    Close,
}

fn url<'a>(checker: &Checker, http: &'a HttpSettings) -> Option<&'a Url> {
    http.urls.get(usize::from(checker.verdict.url))
}

/// Judges a reply in the order in which it always was; `passed` is told of everything that is well.
fn judge(url: &Url, reply: &Reply, passed: impl Fn(&str)) -> Result<(), Answer> {
    let accepted = |code: u16| url.status.iter().any(|&(low, high)| (low..=high).contains(&code));
    if !reply.status.is_some_and(accepted) {
        return Err(Answer::Status);
    }
    passed("HTTP status code");
    if url.digest.is_some() {
        if url.digest != reply.digest {
            return Err(Answer::Digest);
        }
        passed("MD5 digest");
    }
    if let (Some(regex), Some(matched)) = (&url.regex, reply.matched) {
        if matched == regex.no_match {
            return Err(Answer::Regex);
        }
        passed("Regex match");
    }
    Ok(())
}
