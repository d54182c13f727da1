//! From the command line to the loop, in the C daemon's order.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use nix::unistd::getpid;
use notify::Notifier;
use scheduler::{Class, Scheduler};

use crate::cli::{Options, VERSION_LINE};
use crate::configuration::{self, Configuration};
use crate::daemon::{self, Daemon, Phase};
use crate::daemonise::{Side, daemonise};
use crate::globals::Scheduling;
use crate::logging::{self, Idents, Sinks, Style};
use crate::namespace::{self, Namespace};
use crate::pidfile::{self, PidFiles};
use crate::process::{self, CoreDumps, Raising};
use crate::reload::Reload;
use crate::systemd::Systemd;
use crate::{scripts, signals};

/// How the daemon stands to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    /// It forks.
    Background,
    /// `-n`.
    Foreground,
    /// `-D` in a terminal: somebody watches.
    Watched,
}

impl Front {
    fn of(options: &Options) -> Front {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        match (options.detail > 0 && terminal, options.dont_fork) {
            (true, _) => Front::Watched,
            (false, true) => Front::Foreground,
            (false, false) => Front::Background,
        }
    }
}

/// Runs the daemon; its exit status.
pub fn run(options: Options, argv: &[OsString]) -> i32 {
    signals::block();
    notify::remember_limits();
    process::set_umask(options.umask.unwrap_or(process::DEFAULT_UMASK));
    let front = Front::of(&options);
    start_logging(&options, front);
    log_start(argv);
    process::raise_open_files();
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let configuration = match configuration::load(&options, &directory) {
        Ok(configuration) => configuration,
        Err(status) => return status,
    };
    match Prepared::new(options, directory, configuration) {
        Ok(prepared) => prepared.run(front),
        Err(status) => status,
    }
}

fn start_logging(options: &Options, front: Front) {
    let console = match front {
        Front::Watched => Some(Style::Colour),
        Front::Foreground => options.log_console.then_some(Style::Plain),
        // Standard error is the null device soon.
        Front::Background => None,
    };
    let file = options.log_file.as_ref().map(|file| logging::default_file(file.as_deref()));
    let syslog = (!options.no_syslog).then_some(options.facility);
    logging::start(&Sinks { syslog, console, file }, options.detail);
}

fn log_start(argv: &[OsString]) {
    log::info!("Starting {VERSION_LINE}");
    if let Ok(kernel) = nix::sys::utsname::uname() {
        log::info!(
            "Running on {} {} {}",
            kernel.sysname().to_string_lossy(),
            kernel.release().to_string_lossy(),
            kernel.version().to_string_lossy()
        );
    }
    for line in command_line(argv) {
        log::info!("{line}");
    }
}

/// The words in quotes, in lines of about a hundred characters.
fn command_line(argv: &[OsString]) -> Vec<String> {
    let mut lines = vec![String::from("Command line:")];
    for word in argv {
        let word = format!(" '{}'", word.to_string_lossy());
        match lines.last_mut() {
            Some(line) if line.len() + word.len() <= 100 || line.ends_with(':') => {
                line.push_str(&word);
            }
            _ => lines.push(format!("             {word}")),
        }
    }
    lines
}

/// Everything that is settled before the fork.
struct Prepared {
    options: Options,
    directory: PathBuf,
    configuration: Configuration,
    systemd: Systemd,
    core_dumps: CoreDumps,
    namespace: Option<Namespace>,
    pid_directory: bool,
    pid_files: PidFiles,
}

impl Prepared {
    fn new(
        options: Options,
        directory: PathBuf,
        configuration: Configuration,
    ) -> Result<Prepared, i32> {
        let globals = &configuration.globals;
        logging::set_idents(Idents {
            namespace: globals.net_namespace.clone(),
            instance: globals.instance.clone(),
        });
        if let (Some(mask), None) = (globals.umask, options.umask) {
            process::set_umask(mask);
        }
        if let Some(name) = &globals.process_name {
            process::set_name(name);
        }
        let mut core_dumps = CoreDumps::default();
        if options.core_dump {
            core_dumps = CoreDumps::enable(options.core_pattern.as_deref());
        }
        // The process has been in it since the configuration was read.
        let namespace = globals.net_namespace.as_deref().map(Namespace::settle);
        let globals = &configuration.globals;
        let pid_directory =
            globals.use_pid_dir || namespace.is_some() || globals.instance.is_some();
        if pid_directory && let Err(e) = namespace::make_pid_directory() {
            log::error!("Unable to create {}: {e}", pidfile::RUN_KEEPALIVED);
        }
        let instance = globals.instance.as_deref();
        let mut pid_files = PidFiles::new(&options, &directory, pid_directory, instance);
        if pid_files.lock().is_err() {
            log::info!("daemon is already running");
            return Err(0);
        }
        let systemd = Systemd::find();
        Ok(Prepared {
            options,
            directory,
            configuration,
            systemd,
            core_dumps,
            namespace,
            pid_directory,
            pid_files,
        })
    }

    fn run(mut self, front: Front) -> i32 {
        let mut pid = getpid();
        if front == Front::Background {
            match daemonise() {
                // The launcher writes the files before it exits, so that who waits for it finds
                // them.
                Ok(Side::Launcher(child)) => pid = child,
                Ok(Side::Daemon) => return self.run_loop(),
                Err(e) => {
                    log::error!("Unable to go into the background: {e}");
                    return 1;
                }
            }
        }
        self.pid_files.follow(self.configuration.runs(&self.options.subsystems), pid);
        if front == Front::Background { 0 } else { self.run_loop() }
    }

    fn run_loop(self) -> i32 {
        let runs = self.configuration.runs(&self.options.subsystems);
        let scheduling = self.configuration.scheduling(runs);
        notify::keep_symlinks(self.configuration.notify.use_symlink_paths);
        process::schedule(&scheduling, &Scheduling::default());
        if scheduling.max_auto_priority == 0 {
            log::debug!("max_auto_priority is not set: lateness does not raise the priority");
        }
        let mut scheduler = match Scheduler::new() {
            Ok(scheduler) => scheduler,
            Err(e) => {
                log::error!("Unable to make the scheduler: {e}");
                return 1;
            }
        };
        let mut daemon = Daemon {
            options: self.options,
            directory: self.directory,
            configuration: self.configuration,
            phase: Phase::Starting,
            systemd: self.systemd,
            reload: Reload::default(),
            schedule: None,
            vrrp: None,
            check: None,
            subagent: None,
            bus: None,
            bfd: None,
            clock: vrrp::dump::Clock::read(scheduler.now()),
            status: 0,
            notifier: Notifier::new(),
            script: None,
            pid_directory: self.pid_directory,
            pid_files: self.pid_files,
            core_dumps: self.core_dumps,
            raising: Raising::default(),
            namespace: self.namespace,
        };
        if let Err(e) = signals::watch(&mut scheduler, daemon.options.ignore_sigint) {
            log::error!("Unable to wait for signals: {e}");
            return 1;
        }
        scheduler.add_event(Class::Background, 0, daemon::watch_console);
        scheduler.add_event(Class::Background, 0, daemon::feed_watchdog);
        scheduler.add_event(Class::Background, 0, daemon::watch_lateness);
        scheduler.add_event(Class::Background, 0, |scheduler, daemon, _| {
            let script = daemon.configuration.globals.startup_script.clone();
            scripts::run(scheduler, daemon, "startup script", script, Daemon::activate);
        });
        let ended = scheduler.run(&mut daemon);
        let status = daemon.status;
        daemon::leave(daemon);
        match ended {
            Ok(()) => status,
            Err(e) => {
                log::error!("Unable to wait for events: {e}");
                70
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_command_lines_are_wrapped() {
        let argv: Vec<OsString> = (0..30).map(|n| format!("word{n}").into()).collect();
        let lines = command_line(&argv);
        assert!(lines.len() > 2);
        assert!(lines[0].starts_with("Command line: 'word0' 'word1'"));
        assert!(lines.iter().all(|line| line.len() <= 100));
        assert_eq!(command_line(&["x".repeat(200).into()]).len(), 1);
    }
}
