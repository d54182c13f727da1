//! The part that runs in the guest: each test in a process and in namespaces of its own.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use super::record::{MAX_LOG, Record};
use super::{Test, image};

/// Argument: run what [`image::LIST`] says.
pub(super) const RUN_ALL: &str = "--run-in-guest";

/// Argument: run the test that is named next.
pub(super) const RUN_ONE: &str = "--run-one";

/// How long a test may take before it is killed.
const LIMIT: Duration = Duration::from_secs(400);

/// The serial port to the host.
const PORT: &str = "/dev/vport0p1";

/// Gives a test private copies of what tests leave traces in.
const PREPARE: &str = "mount -t tmpfs tmp /tmp && mount -t tmpfs run /run && mount -t sysfs sys /sys \
    && mkdir -p /run/netns /run/lock && ip link set lo up && exec \"$@\"";

/// Runs every test of the list, as many at a time as the list's first line says.
pub(super) fn run_all() -> ExitCode {
    match run_list() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guest: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_list() -> io::Result<()> {
    let mut port = File::options().write(true).open(PORT)?;
    let list = fs::read_to_string(image::LIST)?;
    let mut lines = list.lines();
    let at_once = lines.next().and_then(|line| line.parse().ok()).unwrap_or(1);
    let mut waiting = lines.filter_map(|line| line.split_once('\t')).fuse();
    let mut running: Vec<Running> = Vec::new();
    loop {
        while running.len() < at_once {
            let Some((name, command)) = waiting.next() else { break };
            running.push(Running::start(name, command)?);
        }
        if running.is_empty() {
            break;
        }
        let (ended, others): (Vec<_>, Vec<_>) =
            running.into_iter().map(Running::poll).partition(|r| r.passed.is_some());
        for test in ended {
            test.record().write(&mut port)?;
        }
        running = others;
        std::thread::sleep(Duration::from_millis(20));
    }
    Record::Ended.write(&mut port)
}

struct Running {
    name: String,
    log: String,
    child: Child,
    start: Instant,
    passed: Option<bool>,
}

impl Running {
    fn start(name: &str, command: &str) -> io::Result<Self> {
        let log = format!("/tmp/{}", name.replace('/', "_"));
        let out = File::create(&log)?;
        let child = Command::new("unshare")
            .args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", PREPARE, "sh"])
            .args(command.split(' '))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()?;
        Ok(Self { name: name.to_owned(), log, child, start: Instant::now(), passed: None })
    }

    fn poll(mut self) -> Self {
        self.passed = match self.child.try_wait() {
            Ok(Some(status)) => Some(status.success()),
            Ok(None) if self.start.elapsed() < LIMIT => None,
            _ => {
                let _ = self.child.kill();
                let _ = self.child.wait();
                Some(false)
            }
        };
        self
    }

    fn record(self) -> Record {
        let mut log = tail(Path::new(&self.log));
        let _ = fs::remove_file(&self.log);
        if self.start.elapsed() >= LIMIT {
            log += &format!("\nkilled after {} s\n", LIMIT.as_secs());
        }
        Record::Result { name: self.name, passed: self.passed == Some(true), log }
    }
}

/// The end of a test's output.
fn tail(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(MAX_LOG)..]).into_owned()
}

/// Runs one test in this process; a panic is its failure.
pub(super) fn run_one(tests: &[Test], name: &str) -> ExitCode {
    let Some(test) = tests.iter().find(|test| test.name == name) else {
        eprintln!("no test {name}");
        return ExitCode::FAILURE;
    };
    (test.body)();
    ExitCode::SUCCESS
}
