//! The rows: single lines of the top level, and `global_defs` of the daemon as a whole.

use std::path::PathBuf;
use std::time::Duration;

use config::{Args, Class, Context, Keyword, Line, Row, Table, check};
use notify::Script;

use super::{Draft, SCRIPT_TIMEOUT, kernel, umask};

type D = Row<Draft>;

const NAME: Args = Args::Free("NAME");
const SCRIPT_LIMIT: Args = Args::lenient(1, 1000);
const ONE_PROCESS: &str = "there is one process, which process_name names";
const PROCESS_NAME: Args = Args::Free("NAME, at most 15 bytes");

/// Single lines of the top level, and `global_defs` with the keywords of all crates.
pub static TOP: Table<Draft> = Table::new(&[
    D::new(
        Keyword::new("global_defs", Args::Flag, "what holds for all").block(&[
            &GLOBAL_DEFS,
            &kernel::KERNEL,
            &notify::GLOBALS,
            &check::GLOBAL,
            &bfd::GLOBAL,
        ]),
        global_defs,
    ),
    D::new(
        Keyword::new("net_namespace", NAME, "network namespace the daemon works in").expected(),
        |d, l, c| once(&mut d.globals.net_namespace, l, c),
    ),
    D::new(
        Keyword::new(
            "net_namespace_ipvs",
            Args::Free("[NAME]"),
            "network namespace IPVS is used in",
        ),
        |d, l, c| {
            let name = l.first().map_or("", |word| word.text.as_str());
            if d.globals.net_namespace_ipvs.is_some() {
                already(l, c);
            } else {
                d.globals.net_namespace_ipvs = Some(name.to_owned());
            }
        },
    ),
    D::new(
        Keyword::new(
            "namespace_with_ipsets",
            Args::Flag,
            "ipsets in a namespace on kernels before 3.13",
        )
        .never("nftables keeps its own sets"),
        check,
    ),
    D::new(
        Keyword::new("use_pid_dir", Args::Flag, "pid files go to /run/keepalived"),
        |d, _, _| {
            d.globals.use_pid_dir = true;
        },
    ),
    D::new(
        Keyword::new("instance", NAME, "name of this daemon among several on the host").expected(),
        |d, l, c| once(&mut d.globals.instance, l, c),
    ),
    D::new(
        Keyword::new(
            "child_wait_time",
            Args::int(0, u32::MAX as i64),
            "how long a stop may take before what is left is killed",
        )
        .required()
        .or("5")
        .unit("s"),
        |d, l, c| set(seconds(l, c), &mut d.globals.child_wait_time),
    ),
]);

/// `global_defs` of the daemon as a whole: names, scripts, files, scheduling.
pub static GLOBAL_DEFS: Table<Draft> = Table::new(&[
    D::new(
        Keyword::new("process_names", Args::Flag, "name each process after what it does")
            .never(ONE_PROCESS),
        check,
    ),
    D::new(
        Keyword::new("process_name", PROCESS_NAME, "name of the process")
            .required()
            .or("keepalived"),
        |d, l, c| set(process_name(l, c).map(Some), &mut d.globals.process_name),
    ),
    D::new(
        Keyword::new("vrrp_process_name", PROCESS_NAME, "name of the VRRP process")
            .required()
            .never(ONE_PROCESS),
        |d, l, c| set(process_name(l, c).map(Some), &mut d.globals.vrrp_process_name),
    ),
    D::new(
        Keyword::new("startup_script", Args::Command, "run before anything is started").expected(),
        |d, l, c| {
            if let Some(script) = script(d, d.globals.startup_script.is_some(), l, c) {
                d.globals.startup_script = Some((script, SCRIPT_TIMEOUT));
            }
        },
    ),
    D::new(
        Keyword::new("startup_script_timeout", SCRIPT_LIMIT, "its time limit")
            .expected()
            .or("10")
            .unit("s"),
        |d, l, c| d.startup_timeout = seconds(l, c).or(d.startup_timeout),
    ),
    D::new(
        Keyword::new("shutdown_script", Args::Command, "run when all is stopped").expected(),
        |d, l, c| {
            if let Some(script) = script(d, d.globals.shutdown_script.is_some(), l, c) {
                d.globals.shutdown_script = Some((script, SCRIPT_TIMEOUT));
            }
        },
    ),
    D::new(
        Keyword::new("shutdown_script_timeout", SCRIPT_LIMIT, "its time limit")
            .expected()
            .or("10")
            .unit("s"),
        |d, l, c| d.shutdown_timeout = seconds(l, c).or(d.shutdown_timeout),
    ),
    D::new(
        Keyword::new("umask", Args::Free("NUMBER | BIT [| BIT]…"), "mask for files made")
            .required()
            .or("0177"),
        set_umask,
    ),
    D::new(
        Keyword::new(
            "random_seed",
            Args::int(0, u32::MAX as i64),
            "seed of ${_RANDOM}; obeyed by the reader",
        )
        .required()
        .or("the time"),
        check,
    ),
    D::new(
        Keyword::new(
            "reload_check_config",
            Args::Free("[LOG_FILE]"),
            "reload only what passes a configuration test",
        ),
        |d, l, _| {
            let file = l.first().map_or("/dev/null", |word| word.text.as_str());
            d.globals.reload_check_config = Some(PathBuf::from(file));
        },
    ),
    D::new(
        Keyword::new("reload_time_file", Args::Free("PATH"), "file that says when to reload")
            .expected(),
        |d, l, c| {
            if let Some(path) = one_path(l, c) {
                if path.starts_with('/') {
                    d.globals.reload_time_file = Some(path.into());
                } else {
                    let message = format!("reload_time_file {path} must begin with / - ignoring");
                    c.report(Class::General, l.span, message);
                }
            }
        },
    ),
    D::new(
        Keyword::new("reload_repeat", Args::Flag, "keep the file after a reload at a time of day"),
        |d, _, _| d.globals.reload_repeat = true,
    ),
    D::new(
        Keyword::new("reload_file", Args::Free("[PATH]"), "file that announces a reload"),
        |d, l, _| {
            d.globals.reload_file = l.first().map(|word| PathBuf::from(&word.text));
            d.default_reload_file = l.first().is_none();
        },
    ),
    D::new(
        Keyword::new(
            "include_check",
            Args::Free("[[+|-]read|match|wildcard_match|brace_match…]"),
            "which problems of includes are errors; obeyed by the reader",
        ),
        check,
    ),
    D::new(
        Keyword::new(
            "config_save_dir",
            Args::Free("DIRECTORY"),
            "where copies of the configuration are kept",
        )
        .required()
        .not_yet(),
        |d, l, c| {
            set(l.word(c).map(|word| Some(word.text.clone())), &mut d.globals.config_save_dir);
        },
    ),
    D::new(
        Keyword::new(
            "tmp_config_directory",
            Args::Free("DIRECTORY"),
            "where processes share the configuration",
        )
        .expected()
        .never("there is one process, which shares the configuration with nobody"),
        |d, l, c| {
            once(&mut d.globals.tmp_config_directory, l, c);
        },
    ),
    D::new(
        Keyword::new(
            "data_use_instance",
            Args::Bool,
            "namespace and instance in the names of dump files",
        )
        .or("false"),
        |d, l, c| set(l.boolean(c), &mut d.globals.data_use_instance),
    ),
    D::new(
        Keyword::new("state_dump_file", Args::Free("PATH"), "names of the SIGUSR1 dumps"),
        |d, l, c| set(one_path(l, c).map(Some), &mut d.globals.state_dump_file),
    ),
    D::new(
        Keyword::new("stats_dump_file", Args::Free("PATH"), "name of the SIGUSR2 dump"),
        |d, l, c| set(one_path(l, c).map(Some), &mut d.globals.stats_dump_file),
    ),
    D::new(
        Keyword::new("json_dump_file", Args::Free("PATH"), "name of the JSON dump"),
        |d, l, c| set(one_path(l, c).map(Some), &mut d.globals.json_dump_file),
    ),
]);

fn global_defs(d: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    for inner in line.lines() {
        // In file order: a script without user takes the script_user that stands above it.
        let _ = GLOBAL_DEFS.apply(d, inner, ctx)
            || kernel::KERNEL.apply(d, inner, ctx)
            || notify::GLOBALS.apply(&mut d.notify, inner, ctx);
    }
}

/// Stores a value that was given and valid.
pub(super) fn set<T>(value: Option<T>, place: &mut T) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Reports a line whose keyword counts only once.
pub(super) fn already(line: &Line, ctx: &mut Context<'_>) {
    let text = line.first().map_or("", |word| word.text.as_str());
    let message = format!("Duplicate {} {text} - ignoring", line.name());
    ctx.report(Class::General, line.span, message);
}

fn once(place: &mut Option<String>, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    if place.is_some() {
        already(line, ctx);
    } else {
        *place = Some(word.text.clone());
    }
}

fn seconds(line: &Line, ctx: &mut Context<'_>) -> Option<Duration> {
    line.int(ctx).and_then(|s| u64::try_from(s).ok()).map(Duration::from_secs)
}

/// The kernel keeps 15 bytes; a longer name is cut where a character ends.
pub(super) fn process_name(line: &Line, ctx: &mut Context<'_>) -> Option<String> {
    let word = line.word(ctx)?;
    let mut name = word.text.clone();
    if name.len() > 15 {
        let message = format!("{} '{name}' is longer than 15 bytes - truncating", line.name());
        ctx.report(Class::General, word.span, message);
        let end = (0..=15).rev().find(|&end| name.is_char_boundary(end)).unwrap_or(0);
        name.truncate(end);
    }
    Some(name)
}

fn script(d: &Draft, taken: bool, line: &Line, ctx: &mut Context<'_>) -> Option<Script> {
    let command = line.command(ctx)?;
    if taken {
        already(line, ctx);
        return None;
    }
    let text = command.text.clone();
    match d.notify.scripts.script(command) {
        Ok(script) => Some(script),
        Err(error) => {
            let message = format!("{} {text}: {error} - ignoring", line.name());
            ctx.report(Class::General, line.span, message);
            None
        }
    }
}

fn set_umask(d: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    if line.word(ctx).is_none() {
        return;
    }
    let words: Vec<&str> = line.words.iter().map(|word| word.text.as_str()).collect();
    match umask::parse(&words) {
        Ok(mask) => d.globals.umask = Some(mask),
        Err(message) => ctx.report(Class::General, line.span, format!("{message}; ignored")),
    }
}

fn one_path(line: &Line, ctx: &mut Context<'_>) -> Option<String> {
    match line.words.as_slice() {
        [word] if !word.text.is_empty() => Some(word.text.clone()),
        _ => {
            let message = format!("{} takes one path; ignored", line.name());
            ctx.report(Class::General, line.span, message);
            None
        }
    }
}
