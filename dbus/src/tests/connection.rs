//! The connection, on a scheduler and a socket whose other end is the test.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use scheduler::Scheduler;

use super::{House, call, from_bus, message, peer};
use crate::bus::{self, Bus, Configuration, HasDbus};
use crate::object::{Interface, Objects, Value};
use crate::session::{Invoked, Signal};

#[derive(Default)]
struct World {
    bus: Option<Bus>,
    invoked: Vec<Invoked>,
}

impl Objects for World {
    fn interface(&self, path: &str) -> Option<&'static Interface> {
        House.interface(path)
    }

    fn property(&self, path: &str, name: &str) -> Option<Value> {
        House.property(path, name)
    }

    fn below(&self, path: &str) -> Vec<String> {
        House.below(path)
    }
}

impl HasDbus for World {
    fn dbus(&mut self) -> &mut Option<Bus> {
        &mut self.bus
    }

    fn invoked(s: &mut Scheduler<Self>, w: &mut Self, what: Invoked) {
        // What is done may end the service.
        if what.path == "/a/door" && w.invoked.len() == 1 {
            bus::configure(s, w, None, signal(0), signal(99));
        }
        w.invoked.push(what);
    }
}

fn signal(number: u32) -> Signal {
    let arguments = vec![Value::U32(number)];
    Signal { path: "/a/door".into(), interface: "a.b.Door", member: "Opened", arguments }
}

/// The daemon, and where it looks for a bus.
struct Scene {
    scheduler: Scheduler<World>,
    world: World,
    path: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ka-dbus-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Scene { scheduler: Scheduler::new().unwrap(), world: World::default(), path }
    }

    fn listen(&self) -> UnixListener {
        UnixListener::bind(&self.path).unwrap()
    }

    fn begin(&mut self) {
        let address = format!("unix:path={}", self.path.display()).parse().unwrap();
        let wanted = Configuration { address, name: "a.b".parse().unwrap() };
        let (s, w) = (&mut self.scheduler, &mut self.world);
        bus::configure(s, w, Some(wanted), signal(1), signal(99));
    }

    fn notify(&mut self, number: u32) {
        bus::notify(&mut self.scheduler, &mut self.world, signal(number));
    }

    /// Lets the daemon run until nothing is left to do.
    fn run(&mut self) {
        while self.scheduler.turn(&mut self.world, Some(Duration::from_millis(20))).unwrap() {}
    }

    /// All that comes until nothing more does, at least `enough` bytes.
    fn read(&mut self, from: &mut UnixStream, enough: usize) -> Vec<u8> {
        from.set_nonblocking(true).unwrap();
        let mut all = Vec::new();
        let mut buffer = [0; 65536];
        for _ in 0..1000 {
            self.run();
            let before = all.len();
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                all.extend(&buffer[..count]);
            }
            if all.len() == before && before >= enough {
                return all;
            }
        }
        panic!("{} of {enough} bytes", all.len());
    }

    /// Plays the bus up to where the name is given.
    fn welcome(&mut self, listener: &UnixListener) -> UnixStream {
        self.run();
        let (mut peer_socket, _) = listener.accept().unwrap();
        self.read(&mut peer_socket, b"\0AUTH EXTERNAL 30\r\n".len());
        peer_socket.write_all(b"OK 12\r\n").unwrap();
        self.read(&mut peer_socket, b"BEGIN\r\n".len() + 100);
        let named = from_bus(2, &[(5, "1")], "s", peer(false).string(":1.7"));
        peer_socket.write_all(&named).unwrap();
        self.read(&mut peer_socket, 100);
        let given = from_bus(2, &[(5, "2")], "u", peer(false).u32(1));
        peer_socket.write_all(&given).unwrap();
        peer_socket
    }

    /// The numbers of so many signals.
    fn signals(&mut self, from: &mut UnixStream, count: usize) -> Vec<u32> {
        let length = 16 + 64 + 4;
        let bytes = self.read(from, count * length);
        let numbers = bytes.chunks(length).map(|bytes| {
            let message = message::parse(bytes).unwrap();
            assert_eq!(message.member, "Opened");
            let mut body = message.body;
            body.u32().unwrap()
        });
        numbers.collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn signals_wait_for_the_bus_and_for_its_return() {
    let mut scene = Scene::new("wait");
    scene.begin();
    scene.notify(2);
    scene.run();

    // The retry, without its time.
    let listener = scene.listen();
    bus::connect(&mut scene.scheduler, &mut scene.world);
    scene.notify(3);
    let mut first = scene.welcome(&listener);
    assert_eq!(scene.signals(&mut first, 3), [1, 2, 3]);
    scene.notify(4);
    assert_eq!(scene.signals(&mut first, 1), [4]);

    drop(first);
    scene.run();
    scene.notify(5);
    bus::connect(&mut scene.scheduler, &mut scene.world);
    let mut second = scene.welcome(&listener);
    assert_eq!(scene.signals(&mut second, 1), [5]);
    bus::finish(&mut scene.scheduler, &mut scene.world, signal(6));
    assert_eq!(scene.signals(&mut second, 1), [6]);
}

/// A bus that reads nothing costs memory up to a limit, and the newest signals come.
#[test]
fn signals_that_nobody_reads_are_bounded() {
    let mut scene = Scene::new("bound");
    let listener = scene.listen();
    scene.begin();
    let mut socket = scene.welcome(&listener);
    assert_eq!(scene.signals(&mut socket, 1), [1]);
    for number in 0..40_000 {
        scene.notify(number);
        if number % 1000 == 0 {
            scene.run();
        }
    }
    let last = scene.signals(&mut socket, 16_384);
    assert_eq!(last.last(), Some(&39_999));
    assert!(last.len() < 30_000 && last.is_sorted());
}

#[test]
fn methods_may_end_the_service() {
    let mut scene = Scene::new("end");
    let listener = scene.listen();
    scene.begin();
    let mut socket = scene.welcome(&listener);
    scene.signals(&mut socket, 1);
    let open = call(false, "/a/door", "a.b.Door", "Open", &[]);
    socket.write_all(&[&open[..], &open, &open].concat()).unwrap();
    scene.run();
    assert_eq!(scene.world.invoked.len(), 3);
    assert!(scene.world.bus.is_none());
    // Three answers, the last signal, and the end.
    socket.set_nonblocking(false).unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    let mut members = Vec::new();
    while !rest.is_empty() {
        let length = message::length(&rest).unwrap().unwrap();
        members.push(message::parse(&rest[..length]).unwrap().member.to_owned());
        rest.drain(..length);
    }
    assert_eq!(members, ["", "", "", "Opened"]);
}

#[test]
fn what_is_no_message_ends_the_connection_and_nothing_else() {
    let mut scene = Scene::new("hostile");
    let listener = scene.listen();
    scene.begin();
    let mut socket = scene.welcome(&listener);
    scene.signals(&mut socket, 1);
    socket.write_all(&message(false, 0, 0, &[], &[])).unwrap();
    scene.run();
    let mut rest = Vec::new();
    socket.set_nonblocking(false).unwrap();
    socket.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() && scene.world.bus.is_some());
}
