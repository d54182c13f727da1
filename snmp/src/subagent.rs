//! The connection to the master, on the scheduler: opened again when it is lost, never waited for.

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use scheduler::{Class, Ready, Scheduler, ThreadId, Time};
use socket2::{Socket, Type};

use crate::address::Address;
use crate::session::{Agent, News, Session, Trap};
use crate::value::Oid;

/// How long after a failure the next attempt is made, and how often the master is asked whether it is there.
pub const RETRY: Duration = Duration::from_secs(15);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes read at once.
const CHUNK: usize = 4096;
/// Chunks read before the loop looks at other work.
const CHUNKS: usize = 16;

/// The world of the callbacks: it has the objects, too.
pub trait HasSnmp: Agent + Sized + 'static {
    /// The subagent, if one is wanted.
    fn snmp(&mut self) -> &mut Option<Subagent>;

    /// Called before what the master asks is answered.
    fn asked(&mut self, _now: Time) {}
}

/// What is wanted of a subagent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Where the master listens.
    pub address: Address,
    /// What the master is told that we are.
    pub description: String,
    /// The names our objects begin with.
    pub subtrees: Vec<Oid>,
}

/// A subagent and its connection.
#[derive(Debug)]
pub struct Subagent {
    configuration: Configuration,
    connection: Option<Connection>,
    /// Of the next attempt or the next ping.
    timer: Option<ThreadId>,
    /// That it does not work was told.
    complained: bool,
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    session: Session,
    writing: bool,
}

/// Lets the subagent be what is wanted: a new one begins, one with other wishes begins anew, `None` ends it.
pub fn configure<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W, wanted: Option<Configuration>) {
    let running = w.snmp().as_ref().map(|subagent| &subagent.configuration);
    if running == wanted.as_ref() {
        return;
    }
    if let Some(mut old) = w.snmp().take() {
        if let Some(connection) = &mut old.connection {
            connection.session.close();
            // What does not go now need not: the end of the connection says the same.
            let _ = (&connection.socket).write(connection.session.output());
        }
        old.disconnect(s);
    }
    if let Some(configuration) = wanted {
        log::info!("Starting SNMP subagent");
        let subagent = Subagent { configuration, connection: None, timer: None, complained: false };
        *w.snmp() = Some(subagent);
        connect(s, w);
    }
}

/// Sends a notification. Without a connection it is given up.
pub fn notify<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W, trap: Trap) {
    let Some(connection) = w.snmp().as_mut().and_then(|subagent| subagent.connection.as_mut())
    else {
        return;
    };
    connection.session.notify(trap);
    flush(s, w);
}

impl Subagent {
    fn disconnect<W>(&mut self, s: &mut Scheduler<W>) {
        if let Some(timer) = self.timer.take() {
            s.cancel(timer);
        }
        if let Some(connection) = self.connection.take() {
            s.forget(connection.socket.as_raw_fd());
        }
    }
}

fn connect<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(subagent) = w.snmp() else { return };
    let Configuration { address, description, subtrees } = &subagent.configuration;
    let socket = match begin(address) {
        Ok(socket) => socket,
        Err(error) => return fail(s, w, &error),
    };
    let fd = socket.as_raw_fd();
    // Its first message can go as soon as the connection stands.
    let session = Session::new(description, subtrees.clone());
    subagent.connection = Some(Connection { socket, session, writing: true });
    if let Err(error) = s.add_write(Class::Background, fd, Some(CONNECT), 0, connected::<W>) {
        fail(s, w, &error);
    }
}

fn begin(address: &Address) -> io::Result<Socket> {
    let socket = Socket::new(address.domain(), Type::STREAM.nonblocking().cloexec(), None)?;
    match socket.connect(&address.socket_address()?) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
        Ok(()) => Ok(socket),
    }
}

fn connected<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(connection) = connection(w) else { return };
    connection.writing = false;
    let outcome = match ready.cause {
        scheduler::Cause::TimedOut => Err(io::ErrorKind::TimedOut.into()),
        _ => connection.socket.take_error().and_then(|error| error.map_or(Ok(()), Err)),
    };
    let fd = connection.socket.as_raw_fd();
    let outcome = outcome.and_then(|()| s.add_read(Class::Background, fd, None, 0, readable::<W>));
    if let Err(error) = outcome {
        return fail(s, w, &error);
    }
    let timer = s.add_timer_after(Class::Background, RETRY, 0, ping::<W>);
    if let Some(subagent) = w.snmp() {
        subagent.timer = Some(timer);
    }
    flush(s, w);
}

fn connection<W: HasSnmp>(w: &mut W) -> Option<&mut Connection> {
    w.snmp().as_mut()?.connection.as_mut()
}

fn readable<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    w.asked(ready.now);
    // The session asks the world for objects, so that it is taken out of it meanwhile.
    let Some(mut connection) = w.snmp().as_mut().and_then(|subagent| subagent.connection.take())
    else {
        return;
    };
    let fd = connection.socket.as_raw_fd();
    let outcome = read(&mut connection, w);
    let news = connection.session.news();
    if let Some(subagent) = w.snmp() {
        subagent.connection = Some(connection);
        news.into_iter().for_each(|news| subagent.tell(news));
    }
    match outcome {
        Ok(drained) => {
            if drained {
                s.drained(fd);
            }
            if let Err(error) = s.add_read(Class::Background, fd, None, 0, readable::<W>) {
                return fail(s, w, &error);
            }
            flush(s, w);
        }
        Err(error) => fail(s, w, &error),
    }
}

/// Whether all was read.
fn read(connection: &mut Connection, agent: &impl Agent) -> io::Result<bool> {
    let mut chunk = [0; CHUNK];
    for _ in 0..CHUNKS {
        match (&connection.socket).read(&mut chunk) {
            Ok(0) => return Err(io::Error::other("the master closed the connection")),
            Ok(count) => connection
                .session
                .received(&chunk[..count], agent)
                .map_err(|ended| io::Error::other(ended.to_string()))?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn flush<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(connection) = connection(w) else { return };
    if connection.writing {
        return;
    }
    while !connection.session.output().is_empty() {
        match (&connection.socket).write(connection.session.output()) {
            Ok(count) => connection.session.sent(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                connection.writing = true;
                let fd = connection.socket.as_raw_fd();
                if let Err(error) = s.add_write(Class::Background, fd, None, 0, writable::<W>) {
                    fail(s, w, &error);
                }
                return;
            }
            Err(error) => return fail(s, w, &error),
        }
    }
}

fn writable<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    if let Some(connection) = connection(w) {
        connection.writing = false;
    }
    flush(s, w);
}

fn ping<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let Some(subagent) = w.snmp() else { return };
    subagent.timer = None;
    let Some(connection) = &mut subagent.connection else { return };
    if let Err(ended) = connection.session.ping() {
        return fail(s, w, &ended);
    }
    subagent.timer = Some(s.add_timer_after(Class::Background, RETRY, 0, ping::<W>));
    flush(s, w);
}

/// Gives the connection up, says so once, and tries again later.
fn fail<W: HasSnmp>(s: &mut Scheduler<W>, w: &mut W, why: &dyn Display) {
    let Some(subagent) = w.snmp() else { return };
    if !std::mem::replace(&mut subagent.complained, true) {
        log::warn!(
            "AgentX: no session with the master at {}: {why}",
            subagent.configuration.address
        );
    }
    subagent.disconnect(s);
    subagent.timer = Some(s.add_timer_after(Class::Background, RETRY, 0, |s, w, _| {
        if let Some(subagent) = w.snmp() {
            subagent.timer = None;
        }
        connect(s, w);
    }));
}

impl Subagent {
    fn tell(&mut self, news: News) {
        match news {
            News::Connected => {
                self.complained = false;
                log::info!("AgentX subagent connected");
            }
            News::Refused(subtree, why) => {
                let dotted: Vec<String> = subtree.iter().map(u32::to_string).collect();
                log::warn!("AgentX: the master refuses {}: {why}", dotted.join("."));
            }
        }
    }
}
