//! What the daemon as a whole acts on.

use std::path::PathBuf;
use std::time::Duration;

use config::{Args, Context, Grammar, Keyword, Line, Row, Table};
use notify::Script;

/// Settings of the daemon as a whole.
#[derive(Clone, Debug, Default)]
pub struct Globals {
    pub net_namespace: Option<String>,
    pub instance: Option<String>,
    pub use_pid_dir: bool,
    pub umask: Option<u32>,
    pub process_name: Option<String>,
    pub startup_script: Option<(Script, Duration)>,
    pub shutdown_script: Option<(Script, Duration)>,
    pub data_use_instance: bool,
    pub state_dump_file: Option<String>,
    pub reload_check_config: Option<PathBuf>,
    pub reload_file: Option<PathBuf>,
}

static DEFS: &[&dyn Grammar] =
    &[&vrrp::config::GLOBALS, &notify::GLOBALS, &check::GLOBAL, &bfd::GLOBAL];

static TOP: Table<Globals> = Table::new(&[
    Row { keyword: Keyword::new("global_defs", Args::Flag, "").block(DEFS), set: |_, _, _| {} },
    Row {
        keyword: Keyword::new("instance", Args::Word { max: 0 }, ""),
        set: |g, l, c| g.instance = l.word(c).map(|w| w.text.clone()),
    },
    Row {
        keyword: Keyword::new("net_namespace", Args::Word { max: 0 }, ""),
        set: |g, l, c| g.net_namespace = l.word(c).map(|w| w.text.clone()),
    },
]);

pub static ROOT: &[&dyn Grammar] = &[&TOP, &vrrp::config::ROOT, &check::ROOT, &bfd::ROOT];

pub fn read(lines: &[Line], ctx: &mut Context<'_>) -> (Globals, notify::Settings) {
    let mut globals = Globals::default();
    let mut notify = notify::Settings::default();
    for line in lines {
        TOP.apply(&mut globals, line, ctx);
        if line.name() == "global_defs" {
            for inner in line.lines() {
                notify::GLOBALS.apply(&mut notify, inner, ctx);
            }
        }
    }
    notify.finish(ctx);
    (globals, notify)
}
