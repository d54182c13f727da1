//! Running the system's tools, and following a process tree by pid.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// Runs a command line, split at blanks, and returns what it printed.
///
/// # Panics
/// When the program is missing or fails.
#[track_caller]
pub fn run(command_line: &str) -> String {
    try_run(command_line).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs `ip` once for several command lines, in a namespace: starting it is what costs.
#[track_caller]
pub(crate) fn run_ip(namespace: &str, commands: &[&str]) {
    let commands = commands.join("\n");
    let command_line = format!("ip -n {namespace} -batch -");
    try_run_with(&command_line, &commands).unwrap_or_else(|error| panic!("{error}\n{commands}"));
}

/// As [`run`], with the failure as text.
pub(crate) fn try_run(command_line: &str) -> Result<String, String> {
    try_run_with(command_line, "")
}

fn try_run_with(command_line: &str, input: &str) -> Result<String, String> {
    let mut words = command_line.split_whitespace();
    let program = words.next().unwrap_or_default();
    let unable = |error: io::Error| format!("{program} cannot be run: {error}");
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(unable)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read has its reasons; its status tells.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(unable)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{command_line}` failed: {}", stderr.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command in `namespace` that dies with the thread that starts it, so that a killed test run
/// leaves no process behind, and that a Ctrl-C in the terminal does not reach.
pub(crate) fn in_namespace(namespace: &str, program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "ip", "netns", "exec", namespace]).arg(program);
    command.stdin(Stdio::null()).process_group(0);
    command
}

/// The children of a process, and their children.
pub(crate) fn descendants(pid: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children: Vec<i32> = tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.into_iter().flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

/// SIGKILLs a child and everything below it at once: the parent is stopped first, so that it
/// neither respawns a child nor hands it a SIGTERM by dying before it.
pub(crate) fn kill_tree(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        kill_tree_of(child.id().cast_signed());
        let _ = child.wait();
    }
}

/// As [`kill_tree`], for a process that is perhaps not our child.
pub(crate) fn kill_tree_of(pid: i32) {
    // Orphans come to us, to be reaped here: not every init reaps at once, and a daemon that is started
    // again takes the pid of a zombie for one that runs.
    let _ = set_child_subreaper(true);
    let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
    let below = descendants(pid);
    for descendant in &below {
        let _ = kill(Pid::from_raw(*descendant), Signal::SIGKILL);
    }
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    while !ended(pid) {
        std::thread::sleep(Duration::from_millis(1));
    }
    for descendant in below {
        let _ = waitpid(Pid::from_raw(descendant), None);
    }
}

/// Whether a process is gone, or only waits to be reaped: either way it holds no lock and no socket.
pub(crate) fn ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

/// An address that no test uses.
const PROBE: &str = "127.77.0.1";

/// `ip monitor` running in a namespace: every change the kernel reports there, as text.
pub struct Monitor {
    child: Child,
    file: PathBuf,
}

impl Monitor {
    pub(crate) fn start(namespace: &str, directory: &Path) -> Self {
        let file = directory.join("ip-monitor");
        let out = fs::File::create(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let child = in_namespace(namespace, Path::new("ip"))
            .args(["-o", "monitor", "address", "link", "route"])
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("ip monitor: {e}"));
        let monitor = Self { child, file };
        // It does not say when it listens: it does when it has seen this address come and go.
        crate::wait_for("ip monitor listens", || {
            for step in ["add", "del"] {
                run(&format!("ip -n {namespace} address {step} {PROBE}/32 dev lo"));
            }
            monitor.text().contains(PROBE)
        });
        monitor
    }

    /// The lines so far, one change each.
    pub fn lines(&self) -> Vec<String> {
        let text = self.text();
        text.lines().filter(|line| !line.contains(PROBE)).map(str::to_owned).collect()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap_or_default()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        kill_tree(&mut self.child);
    }
}

/// A program that runs in a host, until it is dropped.
pub struct Service(Child);

impl Service {
    /// Starts it.
    #[track_caller]
    pub fn start(host: &crate::Host, program: &Path, arguments: &[&str]) -> Self {
        let mut command = in_namespace(host.namespace(), program);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|e| panic!("{}: {e}", program.display())))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        kill_tree(&mut self.0);
    }
}
