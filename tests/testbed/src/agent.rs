//! Net-snmp's agent as the master of a daemon's subagent, its tools asking, and its daemon that writes down notifications.

use std::path::{Path, PathBuf};

use crate::{Host, Service, wait_for};

/// What it needs of the machine.
pub const PROGRAMS: [&str; 3] = ["/usr/sbin/snmpd", "/usr/sbin/snmptrapd", "snmpwalk"];

/// Everything that is KEEPALIVED-MIB's.
pub const KEEPALIVED: &str = ".1.3.6.1.4.1.9586.100.5";

/// Starts the agent of a host; it listens when this returns.
#[track_caller]
pub fn master(host: &Host) -> Service {
    let configuration = format!(
        "agentAddress udp:127.0.0.1:161\nrwcommunity public\nmaster agentx\nagentXSocket {}\n\
         trap2sink 127.0.0.1:162 public\n",
        socket(host)
    );
    let _ = std::fs::remove_file(host.file("master"));
    let service = start(host, "/usr/sbin/snmpd", "snmpd", &configuration, &["-Lf", "/dev/null"]);
    wait_for("the master listens", || host.file("master").exists());
    service
}

/// Where it listens for subagents.
pub fn socket(host: &Host) -> String {
    format!("unix:{}", host.file("master").display())
}

/// What there is below a name, or at it.
#[track_caller]
pub fn walk(host: &Host, name: &str) -> String {
    host.run(&format!("snmpwalk -m: -On -v2c -c public -r 20 -t 1 127.0.0.1 {name}"))
}

/// Notifications of a host's agent.
pub struct Notifications {
    file: PathBuf,
    _listener: Service,
}

impl Notifications {
    /// To be called before [`master`].
    #[track_caller]
    pub fn listen(host: &Host) -> Self {
        let file = host.file("notifications");
        let _listener = start(
            host,
            "/usr/sbin/snmptrapd",
            "snmptrapd",
            "disableAuthorization yes\n",
            &["-On", "-Lf", &file.display().to_string(), "127.0.0.1:162"],
        );
        Self { file, _listener }
    }

    /// Those whose name begins so, what comes after that of each, in the order in which they came.
    pub fn told(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let about = |line: &str| Some(line.split_once(&format!("OID: {name}"))?.1.to_owned());
        text.lines().filter_map(about).collect()
    }
}

/// One of net-snmp's daemons: nothing is read from the machine's own configuration, and nothing kept.
#[track_caller]
fn start(
    host: &Host,
    program: &str,
    name: &str,
    configuration: &str,
    arguments: &[&str],
) -> Service {
    let file = host.file(&format!("{name}.conf"));
    std::fs::write(&file, configuration).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let (state, file) = (host.file("net-snmp").display().to_string(), file.display().to_string());
    let environment = [
        format!("SNMP_PERSISTENT_DIR={state}"),
        format!("SNMPCONFPATH={state}"),
        "MIBS=".to_owned(),
    ];
    let mut all: Vec<&str> = environment.iter().map(String::as_str).collect();
    all.extend([program, "-f", "-C", "-c", &file]);
    all.extend(arguments);
    Service::start(host, Path::new("env"), &all)
}
