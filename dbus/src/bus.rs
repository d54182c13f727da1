//! The connection to the bus, on the scheduler: opened again when it is lost, never waited for.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::unistd::geteuid;
use scheduler::{Class, Ready, Scheduler, ThreadId};
use socket2::{Domain, Socket, Type};

use crate::address::Address;
use crate::object::Objects;
use crate::session::{Invoked, Name, News, Session, Signal};

/// How long after a failure the next attempt is made: one on a bus of this machine costs next to nothing.
pub const RETRY: Duration = Duration::from_secs(5);
/// How long the bus may take until a session is open.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes read before the loop looks at other work: a few calls, any of which may be about thousands of objects.
const CHUNK: usize = 512;
/// Signals sent before the loop looks at other work.
const SENT_AT_ONCE: usize = 256;
/// Most signals that wait for the bus; the oldest are given up for new ones.
const MAX_WAITING: usize = 16_384;
/// Where the machine's id is (machine-id(5)), and how long it is.
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
const MACHINE_ID_LEN: usize = 32;

/// The world of the callbacks: it has the objects, too.
pub trait HasDbus: Objects + Sized + 'static {
    /// The service, if one is wanted.
    fn dbus(&mut self) -> &mut Option<Bus>;

    /// Does what a method of an object is for. The caller was answered already.
    fn invoked(s: &mut Scheduler<Self>, w: &mut Self, what: Invoked);
}

/// What is wanted of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Where the bus listens.
    pub address: Address,
    /// The service's name on it.
    pub name: Name,
}

/// A service and its connection.
#[derive(Debug)]
pub struct Bus {
    configuration: Configuration,
    connection: Option<Connection>,
    /// Of the next attempt, or of the patience with this one.
    timer: Option<ThreadId>,
    /// That it does not work was told.
    complained: bool,
    waiting: VecDeque<Signal>,
    /// Signals that were given up and not told of.
    lost: u64,
    /// The event that sends what waits is armed.
    sending: bool,
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    session: Session,
    writing: bool,
}

/// Lets the service be what is wanted: a new one begins and tells `first`, one with other wishes tells `last` and begins anew,
/// `None` ends it.
pub fn configure<W: HasDbus>(
    s: &mut Scheduler<W>,
    w: &mut W,
    wanted: Option<Configuration>,
    first: Signal,
    last: Signal,
) {
    let running = w.dbus().as_ref().map(|bus| &bus.configuration);
    if running == wanted.as_ref() {
        return;
    }
    if w.dbus().is_some() {
        finish(s, w, last);
    }
    if let Some(mut old) = w.dbus().take() {
        old.disconnect(s);
        log::info!("Released DBus");
    }
    if let Some(configuration) = wanted {
        *w.dbus() = Some(Bus {
            configuration,
            connection: None,
            timer: None,
            complained: false,
            waiting: VecDeque::from([first]),
            lost: 0,
            sending: false,
        });
        connect(s, w);
    }
}

/// Sends a signal, soon. Without a connection it waits for one.
pub fn notify<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W, signal: Signal) {
    let Some(bus) = w.dbus() else { return };
    bus.queue(signal);
    // Those who tell may have more to tell, and more urgent work.
    if bus.connection.is_some() {
        flush_soon(s, bus);
    }
}

fn flush_soon<W: HasDbus>(s: &mut Scheduler<W>, bus: &mut Bus) {
    if !std::mem::replace(&mut bus.sending, true) {
        s.add_event(Class::Background, 0, |s, w: &mut W, _| {
            if let Some(bus) = w.dbus() {
                bus.sending = false;
            }
            flush(s, w);
        });
    }
}

/// Sends the last signal now, with all that waits, as far as the bus takes it at once.
pub fn finish<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W, last: Signal) {
    if let Some(bus) = w.dbus() {
        bus.queue(last);
        send(s, w, usize::MAX);
    }
}

impl Bus {
    fn queue(&mut self, signal: Signal) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(signal);
    }

    fn disconnect<W>(&mut self, s: &mut Scheduler<W>) {
        if let Some(timer) = self.timer.take() {
            s.cancel(timer);
        }
        if let Some(connection) = self.connection.take() {
            s.forget(connection.socket.as_raw_fd());
        }
    }

    fn tell(&mut self, news: News) {
        let name = self.configuration.name.as_str();
        match news {
            News::Acquired => {
                self.complained = false;
                log::info!("Acquired DBus bus {name}");
                if self.lost > 0 {
                    log::warn!("D-Bus: {} signals were given up meanwhile", self.lost);
                    self.lost = 0;
                }
            }
            News::Queued => {
                log::warn!("D-Bus: another process has the name {name}; waiting for it")
            }
            News::Lost => log::warn!("D-Bus: lost the name {name}; waiting for it"),
        }
    }
}

pub(crate) fn connect<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(bus) = w.dbus() else { return };
    let socket = match open(&bus.configuration.address) {
        Ok(socket) => socket,
        Err(error) => return fail(s, w, &error),
    };
    let fd = socket.as_raw_fd();
    let name = bus.configuration.name.clone();
    let session = Session::new(name, geteuid().as_raw(), machine_id());
    bus.connection = Some(Connection { socket, session, writing: false });
    bus.timer = Some(s.add_timer_after(Class::Background, PATIENCE, 0, patience_is_over::<W>));
    if let Err(error) = s.add_read(Class::Background, fd, None, 0, readable::<W>) {
        return fail(s, w, &error);
    }
    flush(s, w);
}

/// Of such a socket a connection stands at once, or not at all: one that cannot be taken now is refused.
fn open(address: &Address) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.connect(&address.socket_address()?)?;
    Ok(socket)
}

fn machine_id() -> Option<String> {
    let read = |path| std::fs::read_to_string(path).ok();
    let text = MACHINE_ID.into_iter().find_map(read)?;
    let id = text.trim_end();
    let valid = id.len() == MACHINE_ID_LEN && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    valid.then(|| id.to_owned())
}

fn connection<W: HasDbus>(w: &mut W) -> Option<&mut Connection> {
    w.dbus().as_mut()?.connection.as_mut()
}

fn patience_is_over<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let Some(bus) = w.dbus() else { return };
    bus.timer = None;
    if bus.connection.as_ref().is_some_and(|connection| !connection.session.is_open()) {
        fail(s, w, &"the bus does not answer");
    }
}

fn readable<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    // The session asks the world for objects, so that it is taken out of it meanwhile.
    let Some(mut connection) = w.dbus().as_mut().and_then(|bus| bus.connection.take()) else {
        return;
    };
    let fd = connection.socket.as_raw_fd();
    let outcome = read(&mut connection, w);
    let (news, invoked) = (connection.session.news(), connection.session.invoked());
    if let Some(bus) = w.dbus() {
        bus.connection = Some(connection);
        news.into_iter().for_each(|news| bus.tell(news));
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
    // The connection may be gone behind any of them.
    invoked.into_iter().for_each(|what| W::invoked(s, w, what));
}

/// Whether nothing was left to read.
fn read(connection: &mut Connection, objects: &impl Objects) -> io::Result<bool> {
    let mut chunk = [0; CHUNK];
    match (&connection.socket).read(&mut chunk) {
        Ok(0) => Err(io::Error::other("the bus closed the connection")),
        Ok(count) => {
            let received = connection.session.received(&chunk[..count], objects);
            received.map(|()| false).map_err(|ended| io::Error::other(ended.to_string()))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

fn flush<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W) {
    send(s, w, SENT_AT_ONCE);
}

/// Sends what waits, of signals at most `limit`.
fn send<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W, mut limit: usize) {
    let Some(bus) = w.dbus() else { return };
    let Some(connection) = &mut bus.connection else { return };
    if connection.writing {
        return;
    }
    loop {
        while limit > 0
            && connection.session.takes_signals()
            && let Some(signal) = bus.waiting.pop_front()
        {
            connection.session.emit(&signal);
            limit -= 1;
        }
        let output = connection.session.output();
        if output.is_empty() {
            if limit == 0 {
                flush_soon(s, bus);
            }
            return;
        }
        match (&connection.socket).write(output) {
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

fn writable<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    if let Some(connection) = connection(w) {
        connection.writing = false;
    }
    flush(s, w);
}

/// Gives the connection up, says so once, and tries again later.
fn fail<W: HasDbus>(s: &mut Scheduler<W>, w: &mut W, why: &dyn Display) {
    let Some(bus) = w.dbus() else { return };
    if !std::mem::replace(&mut bus.complained, true) {
        log::warn!("D-Bus: no service on the bus at {}: {why}", bus.configuration.address);
    }
    bus.disconnect(s);
    bus.timer = Some(s.add_timer_after(Class::Background, RETRY, 0, |s, w, _| {
        if let Some(bus) = w.dbus() {
            bus.timer = None;
        }
        connect(s, w);
    }));
}
