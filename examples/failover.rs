//! Two directors, one address: the election, a crash, the takeover and the return, with the real daemon and
//! `keepalived.conf.sample` as it stands, on a private network made of namespaces.
//!
//! `cargo run --release --example failover`, as root. Everything is removed at the end, on Ctrl-C and on
//! failure. `KEEPALIVED_UNDER_TEST=/path` shows another binary.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use testbed::{Daemon, Host, Lan, wait_for};

/// What the sample says: the address, its network, and when a backup of priority 100 must have taken over
/// (three intervals of one second, and the skew).
const ADDRESS: &str = "192.0.2.100";
const NETWORK: &str = "192.0.2";
const BOUND: Duration = Duration::from_millis(3_000 + (256 - 100) * 1_000 / 256);

fn main() -> ExitCode {
    if let Some(reason) = testbed::missing(&[]) {
        eprintln!("failover: this cannot run here: {reason}.");
        return ExitCode::FAILURE;
    }
    testbed::stop_on_interrupt();
    // A failure is one sentence for the person watching; unwinding then takes the network down.
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        eprintln!("failover: {}", message.unwrap_or("something broke"));
    }));
    match std::panic::catch_unwind(|| show(&build())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Builds the daemon, with the profile this example was built with, and returns its path.
fn build() -> PathBuf {
    if let Some(program) = std::env::var_os("KEEPALIVED_UNDER_TEST") {
        return program.into();
    }
    println!("Building the daemon.");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--bin", "keepalived"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    assert!(cargo.status().is_ok_and(|status| status.success()), "the daemon could not be built");
    // target/release/examples/failover -> target/release/keepalived
    let example = std::env::current_exe().unwrap_or_default();
    example.ancestors().nth(2).unwrap_or(Path::new(".")).join("keepalived")
}

/// The whole story.
fn show(program: &Path) {
    let lan = Lan::without_capture(NETWORK);
    let [first, second] = ["director1", "director2"];
    let client = lan.host("client", 9);
    let mut story = Story {
        start: Instant::now(),
        directors: vec![
            Director::new(lan.host(first, 1), program),
            Director::new(lan.host(second, 2), program),
        ],
        client: Client::start(&client),
    };
    story.tell("network", "two directors and a client, in namespaces on a bridge of their own");
    story.start(0);
    story.start(1);
    story.until_answered_by(first);

    story.let_client_ask(300);
    story.tell("you", &format!("crash {first}: SIGKILL to keepalived, service gone"));
    let crash = Instant::now();
    story.directors[0].crash();
    let recovery = story.until_answered_by(second) - crash;

    story.tell("you", &format!("start {first} again"));
    story.start(0);
    story.until_answered_by(first);

    story.tell("you", "stop both");
    for director in &mut story.directors {
        director.stop();
    }
    story.report();
    for director in &story.directors {
        assert!(!director.host.holds(ADDRESS), "{} still holds {ADDRESS}", director.host.name());
    }
    story.tell("network", &format!("nobody holds {ADDRESS}; taking everything down"));
    drop(story);
    drop(client);
    drop(lan);

    println!();
    println!("Recovery after the crash, as the client saw it: {:.3} s", recovery.as_secs_f64());
    println!("The protocol's bound, 3 x interval + skew:      {:.3} s", BOUND.as_secs_f64());
}

/// What happens, told line by line to the person watching.
struct Story {
    start: Instant,
    client: Client,
    directors: Vec<Director>,
}

impl Story {
    fn tell(&self, who: &str, what: &str) {
        println!("{:7.3} s  {who:<10} {what}", self.start.elapsed().as_secs_f64());
    }

    /// Starts a director's service and daemon.
    fn start(&mut self, which: usize) {
        let director = &mut self.directors[which];
        director.start();
        let name = director.host.name().to_owned();
        self.tell(&name, &format!("keepalived -f keepalived.conf.sample -i {name}"));
    }

    /// Tells what the directors have logged about their states since the last time.
    fn report(&mut self) {
        for which in 0..self.directors.len() {
            let lines = self.directors[which].news();
            for line in lines {
                self.tell(self.directors[which].host.name(), &line);
            }
        }
    }

    /// Waits until the client is served by `name` at the virtual address; returns when it was.
    fn until_answered_by(&mut self, name: &str) -> Instant {
        // What was answered before this question is no answer to it.
        while self.client.answers.try_recv().is_ok() {}
        let mut answered = None;
        let mut told = String::new();
        wait_for(&format!("{name} answers at {ADDRESS}"), || {
            self.report();
            while let Ok((at, answer)) = self.client.answers.try_recv() {
                if answer == name {
                    answered = Some(at);
                    break;
                }
                if told != answer {
                    self.tell("client", &format!("http://{ADDRESS}/ still says {answer:?}"));
                    told = answer;
                }
            }
            answered.is_some()
        });
        self.report();
        self.tell("client", &format!("http://{ADDRESS}/ says {name:?}"));
        answered.unwrap_or_else(Instant::now)
    }

    /// Lets things be while the client asks so many times.
    fn let_client_ask(&mut self, times: usize) {
        let mut asked = 0;
        wait_for(&format!("{times} answers at {ADDRESS}"), || {
            self.report();
            asked += self.client.answers.try_iter().count();
            asked >= times
        });
        self.tell("client", &format!("was answered {asked} times"));
    }
}

/// A machine with a keepalived and a service.
struct Director {
    daemon: Option<Daemon>,
    service: Option<Service>,
    host: Host,
    program: PathBuf,
    told: usize,
}

impl Director {
    fn new(host: Host, program: &Path) -> Self {
        Self { daemon: None, service: None, host, program: program.to_owned(), told: 0 }
    }

    fn start(&mut self) {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("keepalived.conf.sample");
        self.told = 0;
        self.service = Some(Service::start(&self.host));
        let identity = ["-i", self.host.name()];
        self.daemon = Some(Daemon::start_with(&self.host, &self.program, &sample, &identity));
    }

    fn crash(&mut self) {
        self.service = None;
        if let Some(daemon) = self.daemon.take() {
            daemon.crash();
        }
    }

    fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop();
        }
        self.service = None;
    }

    /// The lines about state changes logged since the last call, without their dates.
    fn news(&mut self) -> Vec<String> {
        const NEWS: [&str; 4] =
            ["Entering", "advertisement timeout", "lower priority", "higher priority"];
        let Some(daemon) = &self.daemon else { return Vec::new() };
        let log = daemon.log();
        let fresh = log.get(self.told..).unwrap_or_default();
        let fresh = &fresh[..fresh.rfind('\n').map_or(0, |end| end + 1)];
        self.told += fresh.len();
        let lines = fresh.lines().filter(|line| NEWS.iter().any(|text| line.contains(text)));
        lines.map(|line| line.split_once(": ").map_or(line, |(_, text)| text).to_owned()).collect()
    }
}

/// A service on port 80 of a host that answers every request with the host's name.
struct Service {
    _thread: Background,
}

impl Service {
    fn start(host: &Host) -> Self {
        let listener = host.inside(|| TcpListener::bind(("0.0.0.0", 80)));
        let listener = listener.unwrap_or_else(|e| panic!("port 80 in {}: {e}", host.name()));
        if let Err(error) = listener.set_nonblocking(true) {
            panic!("port 80 in {}: {error}", host.name());
        }
        let name = host.name().to_owned();
        let thread = Background::start(host, move || {
            if let Ok((stream, _)) = listener.accept() {
                // A client that does not read its answer is no concern of ours.
                let _ = answer(stream, &name);
            }
        });
        Self { _thread: thread }
    }
}

fn answer(mut stream: TcpStream, name: &str) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut request = [0; 256];
    let _ = stream.read(&mut request)?;
    write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len())
}

/// A client that asks at the virtual address over and over, and passes on each answer with its time.
struct Client {
    answers: Receiver<(Instant, String)>,
    _thread: Background,
}

impl Client {
    fn start(host: &Host) -> Self {
        let (sender, answers): (Sender<_>, _) = channel();
        let thread = Background::start(host, move || {
            if let Ok(answer) = ask() {
                let _ = sender.send((Instant::now(), answer));
            }
        });
        Self { answers, _thread: thread }
    }
}

/// One request to the virtual address.
fn ask() -> io::Result<String> {
    let address: SocketAddr = format!("{ADDRESS}:80").parse().map_err(io::Error::other)?;
    let patience = Duration::from_millis(50);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let body = reply.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.filter(|name| !name.is_empty()).ok_or_else(|| io::Error::other("no answer"))
}

/// A thread in a host that does one thing over and over until it is dropped.
struct Background {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    fn start(host: &Host, mut step: impl FnMut() + Send + 'static) -> Self {
        let network = host.network();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            network.enter();
            while !stopped.load(Ordering::Relaxed) {
                step();
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
