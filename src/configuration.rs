//! From the configuration's text to what each part of the daemon acts on.
//!
//! Start, reload and configuration test read in the same way; they differ in what becomes of the
//! result.

mod building;
mod reading;

use std::ffi::OsStr;
use std::path::Path;

use config::{Class, Diagnostic, Fatal, Mode, Sources, render};
pub use reading::{Reading, Step};
use vrrp::config::Refused;

use crate::cli::{Options, Subsystems};
use crate::globals::{Globals, Scheduling};

/// Parts of the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// VRRP.
    pub vrrp: bool,
    /// Health checkers and IPVS.
    pub check: bool,
    /// BFD.
    pub bfd: bool,
}

impl Parts {
    /// Whether there is one.
    pub fn any(self) -> bool {
        self.vrrp || self.check || self.bfd
    }
}

/// A configuration that can be used.
pub struct Configuration {
    /// What the daemon as a whole acts on.
    pub globals: Globals,
    /// What VRRP acts on, until VRRP has taken it.
    pub vrrp: Option<vrrp::config::Settings>,
    /// The part of it that dumps show.
    pub vrrp_globals: vrrp::config::Globals,
    /// Scripts, FIFOs, mail.
    pub notify: notify::Settings,
    /// What `global_defs` says of health checkers and virtual servers; dumps show it.
    pub check: check::Globals,
    /// What load balancing acts on, until it has taken it.
    pub lvs: Option<check::Settings>,
    /// What is said of BFD; dumps show it.
    pub bfd: bfd::Globals,
    /// The BFD sessions, until BFD has taken them.
    pub sessions: Option<bfd::Settings>,
    /// Parts that it says something for.
    pub present: Parts,
    /// Whether the text closes every block that it opens.
    pub whole: bool,
}

impl Configuration {
    /// The parts that run: enabled, and with configuration unless `--all`.
    pub fn runs(&self, subsystems: &Subsystems) -> Parts {
        let present = |present| present || subsystems.even_empty;
        Parts {
            vrrp: subsystems.vrrp && present(self.present.vrrp),
            check: subsystems.check && present(self.present.check),
            bfd: subsystems.bfd && present(self.present.bfd),
        }
    }
}

impl Configuration {
    /// How the one process is scheduled: each of the parts that run gets at least what it asks for. Where that is not
    /// possible, VRRP's word counts, then that of BFD.
    pub fn scheduling(&self, runs: Parts) -> Scheduling {
        let own = &self.globals.scheduling;
        let vrrp = config::Scheduling {
            nice: own.nice,
            no_swap: own.no_swap,
            realtime: own.realtime,
            rttime: own.rttime,
            processors: own.processors.clone(),
        };
        let (bfd, check) = (&self.bfd.scheduling, &self.check.scheduling);
        let parts = [(runs.vrrp, &vrrp), (runs.bfd, bfd), (runs.check, check)];
        let mut asked = parts.iter().filter(|(runs, _)| *runs).map(|(_, part)| *part);
        let mut wanted = asked.next().unwrap_or(&vrrp).clone();
        for part in asked {
            if part.realtime > wanted.realtime {
                (wanted.realtime, wanted.rttime) = (part.realtime, part.rttime);
            }
            wanted.nice = wanted.nice.min(part.nice);
            wanted.no_swap |= part.no_swap;
            if wanted.processors.is_empty() {
                wanted.processors.clone_from(&part.processors);
            }
        }
        Scheduling {
            nice: wanted.nice,
            no_swap: wanted.no_swap,
            realtime: wanted.realtime,
            rttime: wanted.rttime,
            processors: wanted.processors,
            ..own.clone()
        }
    }
}

/// Why a configuration cannot be used.
pub enum Unusable {
    /// The reader gave up.
    Reader(Fatal),
    /// VRRP could not run with it.
    Vrrp(Refused),
    /// The network namespace that it is for cannot be joined.
    Namespace,
}

/// Keywords of which a running daemon keeps the first value, and their values.
type Fixed<'a> = [(&'static str, &'a Option<String>); 2];

impl Configuration {
    fn fixed(&self) -> Fixed<'_> {
        [("net_namespace", &self.globals.net_namespace), ("instance", &self.globals.instance)]
    }

    /// A keyword that keeps `new` from taking this one's place.
    pub fn unchangeable(&self, new: &Configuration) -> Option<&'static str> {
        let changed = self.fixed().into_iter().zip(new.fixed()).find(|(old, new)| old.1 != new.1);
        if let Some(((keyword, _), _)) = changed {
            return Some(keyword);
        }
        // The kernel's table stays where it is.
        let table = |c: &Configuration| c.globals.net_namespace_ipvs.clone();
        if table(self) != table(new) {
            return Some("net_namespace_ipvs");
        }
        let igmp = |c: &Configuration| c.vrrp_globals.disable_local_igmp;
        (igmp(self) != igmp(new)).then_some("disable_local_igmp")
    }

    /// What the names of dumps have in them with `data_use_instance`.
    pub fn data_instance(&self) -> Vec<&str> {
        if !self.globals.data_use_instance {
            return Vec::new();
        }
        self.fixed().into_iter().filter_map(|(_, value)| value.as_deref()).collect()
    }
}

impl Unusable {
    /// The status a start ends with.
    fn start_status(&self) -> i32 {
        match self {
            Unusable::Reader(fatal) => fatal.exit_status(Mode::Start),
            Unusable::Vrrp(_) => Refused::EXIT_STATUS,
            Unusable::Namespace => 0,
        }
    }
}

/// What reading ended in.
pub struct Read {
    /// The configuration, or why there is none.
    pub outcome: Result<Configuration, Unusable>,
    /// Everything reported.
    pub diagnostics: Vec<Diagnostic>,
    /// The files.
    pub sources: Sources,
}

impl Read {
    /// Status of a configuration test that read this.
    pub fn test_status(&self) -> i32 {
        match &self.outcome {
            Err(Unusable::Reader(fatal)) => fatal.exit_status(Mode::Test),
            Err(Unusable::Namespace) => Class::Fatal.exit_status(),
            // What VRRP refuses was reported with its class.
            Err(Unusable::Vrrp(_)) | Ok(_) => config::exit_status(&self.diagnostics),
        }
    }

    /// Logs everything reported.
    pub fn log(&self) {
        for diagnostic in &self.diagnostics {
            log::info!("{}", render::one_line(diagnostic, &self.sources));
        }
    }
}

/// The main file when none is named.
const DEFAULT_FILE: &str = "/etc/keepalived/keepalived.conf";

/// The name of the main file, or a pattern.
pub fn main_file(options: &Options) -> &Path {
    Path::new(options.config_file.as_deref().unwrap_or(OsStr::new(DEFAULT_FILE)))
}

/// Reads at once.
pub fn read(options: &Options, directory: &Path, mode: Mode) -> Read {
    let mut reading = Reading::open(options, directory, mode, None);
    loop {
        match reading.step() {
            Step::More(rest) => reading = rest,
            Step::Done(read) => return *read,
        }
    }
}

/// Reads for a start and logs what is wrong; the exit status when the daemon cannot run with it.
pub fn load(options: &Options, directory: &Path) -> Result<Configuration, i32> {
    let read = read(options, directory, Mode::Start);
    log::info!("Configuration file {}", main_file(options).display());
    read.log();
    read.outcome.map_err(|unusable| unusable.start_status())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{self, Action};

    fn configuration(name: &str, text: &str) -> Configuration {
        let file = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let argv = ["keepalived".into(), "-f".into(), file.clone().into_os_string()];
        let Action::Run(options) = cli::read(&argv).action else { panic!("it runs") };
        let read = read(&options, Path::new("/"), Mode::Test);
        std::fs::remove_file(&file).unwrap();
        read.outcome.unwrap_or_else(|_| panic!("it can be used"))
    }

    #[test]
    fn the_one_process_gives_each_part_what_it_asks_for() {
        let text = "global_defs {
            vrrp_priority 5\nvrrp_rt_priority 10\nvrrp_rlimit_rttime 300
            bfd_rt_priority 20\nbfd_rlimit_rttime 500\nbfd_cpu_affinity 0
            checker_priority -3\nchecker_no_swap\nchecker_cpu_affinity 1\nchecker_rt_priority 7
        }";
        let configuration = configuration("scheduling", text);
        let of = |vrrp, bfd, check| {
            let s = configuration.scheduling(Parts { vrrp, check, bfd });
            (s.nice, s.realtime, s.rttime.as_micros(), s.no_swap, s.processors)
        };
        assert_eq!(of(true, false, false), (5, 10, 300, false, vec![]));
        assert_eq!(of(true, true, false), (0, 20, 500, false, vec![0]));
        assert_eq!(of(true, true, true), (-3, 20, 500, true, vec![0]));
        assert_eq!(of(true, false, true), (-3, 10, 300, true, vec![1]));
        assert_eq!(of(false, false, true), (-3, 7, 10_000, true, vec![1]));
        assert_eq!(of(false, false, false), (5, 10, 300, false, vec![]));
    }

    #[test]
    fn a_reload_does_not_move_the_table_to_another_namespace() {
        let [none, system, blue] = ["", "net_namespace_ipvs", "net_namespace_ipvs blue"]
            .map(|text| configuration("unchangeable", text));
        assert_eq!(blue.unchangeable(&blue), None);
        for (old, new) in [(&none, &blue), (&blue, &none), (&none, &system), (&blue, &system)] {
            assert_eq!(old.unchangeable(new), Some("net_namespace_ipvs"));
        }
    }
}
