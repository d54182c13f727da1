//! `genhash`: fetches a page as `HTTP_GET` and `SSL_GET` do and prints the digest to configure
//! (spec checkers-behaviour §14).

mod frames;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use scheduler::{Cause, Class, Ready, Scheduler};
use socket2::Type;

use crate::checker::attempt::http::{self, Exchange, Reply};
use crate::checker::attempt::stream::conversation::{
    Answer, Conversation, Dialogue, Direction, Fault, Link, Progress,
};
use crate::checker::attempt::stream::words;
use crate::checker::attempt::{socket, tls};
use crate::settings::{Connection, HttpProtocol, Origin};
use frames::Frames;

/// Bytes read at once. Dumps show what was read together.
const BUFFER: usize = 1024;

/// What to fetch.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where from.
    pub target: SocketAddr,
    /// Path, sent as it is.
    pub path: String,
    /// Host header; the target if it is not given.
    pub host: Option<String>,
    /// By TLS.
    pub tls: bool,
    /// The host is sent as SNI, too.
    pub sni: bool,
    /// SO_MARK; 0: none.
    pub mark: u32,
    /// Protocol.
    pub protocol: HttpProtocol,
    /// Of each step.
    pub timeout: Duration,
    /// Everything is shown.
    pub verbose: bool,
}

/// Fetches the page and prints its digest to `out`, or why there is none.
///
/// # Errors
/// What is to be printed cannot be.
pub fn genhash(page: &Page, out: &mut dyn Write, errors: &mut dyn Write) -> io::Result<()> {
    let begun = Instant::now();
    let mut frames = Frames::new(out, page.verbose);
    match fetch(page, &mut frames)? {
        Ok(reply) => {
            let digest = reply.digest.unwrap_or_default();
            let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            frames.digest(&digest, &text)?;
        }
        Err(Fault::Answer(Answer::NoData)) => {
            writeln!(errors, "no data received from remote webserver")?;
        }
        Err(fault) => frames.line(words::web(fault, page.tls))?,
    }
    if page.verbose {
        let path = &page.path;
        let took = begun.elapsed().as_micros();
        frames.line(&format!("\nGlobal response time for [{path}] = {took} usecs"))?;
    }
    Ok(())
}

fn fetch(page: &Page, frames: &mut Frames<'_>) -> io::Result<Result<Reply, Fault>> {
    let mut s = Scheduler::new()?;
    let mut conversation = match connect(&mut s, page)? {
        Ok(conversation) => conversation,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut buffer = [0; BUFFER];
    loop {
        let progress = conversation.advance(&mut buffer);
        let Dialogue::Http(exchange) = conversation.dialogue() else {
            return Ok(Err(Fault::Receive));
        };
        frames.show(exchange)?;
        let direction = match progress {
            Progress::Over(Err(fault)) => return Ok(Err(fault)),
            Progress::Over(Ok(())) => {
                let reply = exchange.reply();
                conversation.close();
                return Ok(Ok(reply));
            }
            Progress::Wait(direction) => direction,
            Progress::More => Direction::Read,
        };
        if !wait(&mut s, conversation.fd(), direction, page.timeout)? {
            return Ok(Err(conversation.timeout()));
        }
    }
}

/// The conversation, with nothing said yet.
fn connect(s: &mut Waiting, page: &Page) -> io::Result<Result<Conversation, Fault>> {
    let (target, mark, timeout) = (page.target, page.mark, page.timeout);
    let origin = Origin { mark, ..Origin::default() }.given();
    let connection = Connection { target, origin, timeout };
    let Ok(socket) = socket::open(&connection, Type::STREAM, None) else {
        return Ok(Err(Fault::Refused));
    };
    match socket.connect(&target.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            let fd = socket.as_raw_fd();
            if !wait(s, fd, Direction::Write, timeout)? {
                return Ok(Err(Fault::ConnectTimeout));
            }
            if socket.take_error()?.is_some() {
                return Ok(Err(Fault::Refused));
            }
        }
        Err(_) => return Ok(Err(Fault::Connect)),
    }
    let host = page.host.clone().unwrap_or_else(|| {
        let mut host = String::new();
        http::host_of(&mut host, target);
        host
    });
    let request = http::request(page.protocol, &page.path, &host);
    let mut exchange = Exchange::new(request, true, None);
    if page.verbose {
        exchange.keep_body();
    }
    let link = if page.tls {
        let name = page.host.as_deref().filter(|_| page.sni);
        let session = tls::Context::new(None)
            .and_then(|context| context.session(socket, name, false))
            .map_err(io::Error::other)?;
        Link::Tls(session)
    } else {
        Link::Plain(socket)
    };
    Ok(Ok(Conversation::new(link, Dialogue::Http(Box::new(exchange)))))
}

/// Whether the descriptor is ready in time.
fn wait(s: &mut Waiting, fd: RawFd, direction: Direction, timeout: Duration) -> io::Result<bool> {
    let mut cause = None;
    match direction {
        Direction::Read => s.add_read(Class::Checker, fd, Some(timeout), 0, woken)?,
        Direction::Write => s.add_write(Class::Checker, fd, Some(timeout), 0, woken)?,
    };
    while cause.is_none() {
        s.turn(&mut cause, None)?;
    }
    Ok(cause != Some(Cause::TimedOut))
}

/// Notes why a thread runs.
type Waiting = Scheduler<Option<Cause>>;

fn woken(_: &mut Waiting, cause: &mut Option<Cause>, ready: Ready) {
    *cause = Some(ready.cause);
}

#[cfg(test)]
mod tests;
