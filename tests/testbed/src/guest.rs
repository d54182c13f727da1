//! A virtual machine for what the kernel of the machine that tests may lack: IPVS, VLANs, VRFs, AH.
//!
//! One boot runs many tests. The test executable is its own guest: it packs itself, the daemons, the tools and
//! a Debian kernel's modules into an initramfs, boots that under qemu's emulation (never the host's own
//! virtualisation, which build machines seldom offer), and is started again inside, where the rest of this
//! crate works as anywhere else. Each test is a process in namespaces of its own (network, mounts, pids), with
//! its own `/tmp` and `/run`; what it prints comes back with its result.
//!
//! Promises: a test that hangs is killed inside, a guest that says nothing is killed outside, and either is
//! reported as a failure by name; qemu ends with the test run, however that ends.

mod archive;
mod arguments;
mod image;
mod inside;
mod machine;
mod record;
mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use arguments::Arguments;
use machine::Machine;
use record::Record;
use report::Report;

/// Where the daemon under test lies inside.
pub const OURS: &str = "/ours/keepalived";

/// How long the guest may say nothing before it is killed. Longer than a single test may take.
const SILENCE: Duration = Duration::from_secs(450);

/// Names further executables of the standard test harness, separated by colons, whose tests run in the
/// guest too.
const FURTHER: &str = "KEEPALIVED_GUEST_TESTS";

/// One test, by the name it is reported under. It fails by panicking.
pub struct Test {
    /// The name.
    pub name: &'static str,
    /// What is done inside.
    pub body: fn(),
}

/// What is tested, and with what.
pub struct Suite<'a> {
    /// All tests of this executable.
    pub tests: &'a [Test],
    /// The daemon under test, on the host.
    pub program: PathBuf,
    /// The folder a Debian kernel package was unpacked into, with `modules.dep` made.
    pub kernel: PathBuf,
}

/// The `main` of a test executable without the standard harness: understands that harness's usual
/// arguments, and prints what it would.
pub fn main(suite: &Suite) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [inside::RUN_ALL] => return inside::run_all(),
        [inside::RUN_ONE, name] => return inside::run_one(suite.tests, name),
        _ => {}
    }
    let arguments = match Arguments::read(&words) {
        Ok(arguments) => arguments,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let jobs = jobs(suite);
    let (chosen, others): (Vec<_>, Vec<_>) =
        jobs.iter().partition(|job| arguments.chooses(&job.name));
    if arguments.list {
        chosen.iter().for_each(|job| println!("{}: test", job.name));
        return ExitCode::SUCCESS;
    }
    let names = chosen.iter().map(|job| job.name.as_str()).collect();
    let mut report = Report::new(names, others.len(), arguments.show_output);
    if !chosen.is_empty() {
        match missing(suite) {
            Some(reason) => report.cannot_run(&reason),
            None => run(suite, &chosen, arguments.at_once, &mut report),
        }
    }
    report.finish()
}

/// A test, and the command line that runs it inside.
struct Job {
    name: String,
    command: String,
    /// An executable it needs that is not this one: on the host, and inside.
    executable: Option<(PathBuf, String)>,
}

fn jobs(suite: &Suite) -> Vec<Job> {
    let own = suite.tests.iter().map(|test| Job {
        name: test.name.to_owned(),
        command: format!("{} {} {}", image::SELF, inside::RUN_ONE, test.name),
        executable: None,
    });
    let further = std::env::var_os(FURTHER).unwrap_or_default();
    let further = std::env::split_paths(&further).filter(|path| !path.as_os_str().is_empty());
    own.chain(further.enumerate().flat_map(|(n, path)| jobs_of(&path, n))).collect()
}

/// The tests of an executable of the standard harness.
fn jobs_of(path: &Path, number: usize) -> Vec<Job> {
    let listing = Command::new(path).args(["--list", "--format", "terse"]).output();
    let listing = listing.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    // Cargo adds a hash to the name.
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let stem = stem.rsplit_once('-').map_or(stem.as_str(), |(name, _)| name);
    let inside = format!("/further/{number}");
    let names = listing.lines().filter_map(|line| line.strip_suffix(": test"));
    names
        .map(|name| Job {
            name: format!("{stem}::{name}"),
            command: format!("{inside} --exact {name} --nocapture"),
            executable: Some((path.to_owned(), inside.clone())),
        })
        .collect()
}

/// What is missing, in one sentence.
fn missing(suite: &Suite) -> Option<String> {
    let absent =
        crate::need::absent(image::PROGRAMS.iter().chain(&[machine::QEMU, "ldd"]).copied());
    if !absent.is_empty() {
        return Some(format!("not installed: {}", absent.join(", ")));
    }
    let none = image::vmlinuz(&suite.kernel).is_none();
    none.then(|| format!("no kernel in {} (`tests/run vm` puts one there)", suite.kernel.display()))
}

/// Boots, and hands every result to the report as it comes.
fn run(suite: &Suite, jobs: &[&Job], at_once: usize, report: &mut Report) {
    crate::stop_on_interrupt();
    let mut machine = Machine::boot(suite, jobs, at_once);
    let mut heard = Instant::now();
    let end = loop {
        if crate::interrupt::raised() {
            break "interrupted".to_owned();
        }
        match machine.records().recv_timeout(Duration::from_millis(100)) {
            Ok(Record::Result { name, passed, log }) => report.result(&name, passed, &log),
            Ok(Record::Ended) => break "the guest did not run it".to_owned(),
            Err(RecvTimeoutError::Timeout) if heard.elapsed() < SILENCE => continue,
            Err(RecvTimeoutError::Timeout) => {
                break format!("the guest said nothing for {} s and was killed", SILENCE.as_secs());
            }
            Err(RecvTimeoutError::Disconnected) => break "the guest died".to_owned(),
        }
        heard = Instant::now();
    };
    report.lost(&end, &machine.console());
}
