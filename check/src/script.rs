//! Scripts named in the configuration: who would run them, whether they are there, and whether
//! running them is safe.
//!
//! A script that cannot be found is not run, and that is no error of the configuration. One that is
//! there while `enable_script_security` is not set is one of class [`Class::Security`].

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use config::{Class, Command, Context, Line, Span, Word, text};
use nix::unistd;

/// Searched for commands without a slash when `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Default user of scripts, if it exists.
const DEFAULT_USER: &str = "keepalived_script";

/// A script that load balancing would run.
pub(crate) struct Script {
    program: String,
    user: Option<Word>,
    group: Option<Word>,
    span: Option<Span>,
    checker: bool,
}

impl Script {
    /// A notification script.
    pub(crate) fn notify(command: Command, span: Span) -> Script {
        Script { span: Some(span), ..Script::fifo(command) }
    }

    /// The script of a MISC_CHECK, which names its user separately.
    pub(crate) fn misc(command: Command, user: Option<(Word, Option<Word>)>, span: Span) -> Script {
        let (user, group) = user.map_or((None, None), |(user, group)| (Some(user), group));
        Script { user, group, checker: true, ..Script::notify(command, span) }
    }

    /// The script behind the FIFO.
    pub(crate) fn fifo(command: Command) -> Script {
        let program = command.argv.into_iter().next().unwrap_or_default();
        Script { program, user: command.user, group: command.group, span: None, checker: false }
    }
}

/// What `global_defs` says about scripts.
#[derive(Default)]
pub(crate) struct Security {
    enabled: bool,
    user: Option<String>,
    fifo: Option<Word>,
}

impl Security {
    /// Takes note of a line of `global_defs`.
    pub(crate) fn note(&mut self, line: &Line) {
        match line.name() {
            "enable_script_security" => self.enabled = true,
            "script_user" => self.user = line.first().map(|user| user.text.clone()),
            "lvs_notify_fifo_script" if self.fifo.is_none() => self.fifo = line.first().cloned(),
            _ => {}
        }
    }

    /// The script that reads the FIFO of load balancing.
    pub(crate) fn fifo_script(&self) -> Option<Script> {
        let text = self.fifo.as_ref()?.text.clone();
        let argv = config::command_arguments(&text).ok()?;
        Some(Script::fifo(Command { text, argv, user: None, group: None }))
    }
}

/// Who runs the scripts that name no user.
enum DefaultUser {
    Known,
    /// Reported with the keyword that names it.
    Unknown,
    /// None was named, and security forbids to run scripts as ourselves.
    Refused,
}

impl DefaultUser {
    fn of(security: &Security) -> DefaultUser {
        match &security.user {
            Some(user) if user_exists(user) => DefaultUser::Known,
            Some(_) => DefaultUser::Unknown,
            None if !security.enabled || user_exists(DEFAULT_USER) => DefaultUser::Known,
            None => DefaultUser::Refused,
        }
    }
}

/// Checks all scripts; names and files are looked up once each.
pub(crate) fn check(
    scripts: impl Iterator<Item = Script>,
    security: &Security,
    ctx: &mut Context<'_>,
) {
    let default = DefaultUser::of(security);
    let mut users: HashMap<(String, String), bool> = HashMap::new();
    let mut programs: HashMap<String, bool> = HashMap::new();
    let mut any = false;
    for script in scripts {
        let allowed = match &script.user {
            Some(user) => {
                let group = script.group.as_ref().map_or("", |group| &group.text);
                *users
                    .entry((user.text.clone(), group.to_owned()))
                    .or_insert_with(|| user_exists(&user.text) && group_exists(group))
            }
            None => matches!(default, DefaultUser::Known),
        };
        if !allowed {
            refuse(&script, &default, ctx);
            continue;
        }
        let Script { program, span, .. } = script;
        let found = match programs.get(&program) {
            Some(found) => *found,
            None => {
                let found = is_runnable(&program);
                if !found {
                    ctx.log(span, format!("script {program} not found or not executable; ignored"));
                }
                *programs.entry(program).or_insert(found)
            }
        };
        any |= found;
    }
    if any && !security.enabled {
        ctx.report_general(
            Class::Security,
            "SECURITY VIOLATION - check scripts are run, but enable_script_security is not set",
        );
    }
}

fn refuse(script: &Script, default: &DefaultUser, ctx: &mut Context<'_>) {
    let (counts, message) = match (&script.user, default) {
        (Some(user), _) => (
            script.checker,
            format!("script {}: unknown user or group, {}; ignored", script.program, user.text),
        ),
        (None, DefaultUser::Refused) => (
            true,
            format!("script {}: no script_user and no {DEFAULT_USER}; ignored", script.program),
        ),
        (None, _) => (false, format!("script {}: unknown script_user; ignored", script.program)),
    };
    match (counts, script.span) {
        (true, Some(span)) => ctx.report(Class::General, span, message),
        (true, None) => ctx.report_general(Class::General, message),
        (false, span) => ctx.log(span, message),
    }
}

fn user_exists(name: &str) -> bool {
    matches!(unistd::User::from_name(name), Ok(Some(_)))
}

/// A group may be written with a colon before it, which asks for supplementary groups.
fn group_exists(name: &str) -> bool {
    let name = name.strip_prefix(':').unwrap_or(name);
    name.is_empty() || matches!(unistd::Group::from_name(name), Ok(Some(_)))
}

fn is_runnable(program: &str) -> bool {
    let bytes = text::to_bytes(program);
    let program = Path::new(OsStr::from_bytes(&bytes));
    if bytes.contains(&b'/') {
        return is_executable(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    std::env::split_paths(&path).any(|directory| is_executable(&directory.join(program)))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
