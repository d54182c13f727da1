//! Two directors, one address: the election, a crash, the takeover and the return, with the real daemon and
//! `keepalived.conf.sample` as it stands, on a private network made of namespaces.
//!
//! `cargo run --release --example failover`, as root. Everything is removed at the end, on Ctrl-C and on
//! failure. `KEEPALIVED_UNDER_TEST=/path` shows another binary.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use testbed::web::{Background, Service};
use testbed::{Daemon, Host, Lan, wait_for};

/// What the sample says: the address, its network, and when a backup of priority 100 must have taken over
/// (three intervals of one second, and the skew).
const ADDRESS: &str = "192.0.2.100";
const NETWORK: &str = "192.0.2";
const BOUND: Duration = Duration::from_millis(3_000 + (256 - 100) * 1_000 / 256);

fn main() -> ExitCode {
    testbed::show("failover", env!("CARGO_MANIFEST_DIR"), show)
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

/// A client that asks at the virtual address over and over, and passes on each answer with its time.
struct Client {
    answers: Receiver<(Instant, String)>,
    _thread: Background,
}

impl Client {
    fn start(host: &Host) -> Self {
        let (sender, answers): (Sender<_>, _) = channel();
        let thread = Background::start(host, move || {
            if let Ok(answer) = testbed::web::ask(ADDRESS) {
                let _ = sender.send((Instant::now(), answer));
            }
        });
        Self { answers, _thread: thread }
    }
}
