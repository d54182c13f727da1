//! The manual and the completions of shells, made from the tables that the command line and the configuration
//! are read by. They lie in `packaging/`; a test holds them against the tables, and `packaging/manual` writes them anew.
//! None of this is part of the daemon.

mod completion;
mod keywords;
mod options;

use std::fs;
use std::path::Path;

use crate::cli::tables::{GENHASH, KEEPALIVED};
use crate::cli::{VERSION_LINE, signal_number};
use crate::globals::ROOT;

/// Set to write the files anew instead of comparing them.
const REWRITE: &str = "REWRITE_MANUAL";

/// Lines of a page that stand for what is made from a table.
const OPTIONS: &str = ".\\\" OPTIONS\n";
const KEYWORDS: &str = ".\\\" KEYWORDS\n";

/// The arguments of `--signum`.
const SIGNALS: &[&str] = &["STOP", "RELOAD", "DATA", "STATS", "STATS_CLEAR", "JSON"];

/// Every file below `packaging/`, with its text.
fn files() -> Vec<(&'static str, String)> {
    let page = |written: &str, marker: &str, made: String| {
        let (before, after) = written.split_once(marker).unwrap();
        let text = format!("{before}{made}{after}");
        text.replace("RELEASE", VERSION_LINE.split(' ').nth(1).unwrap())
    };
    vec![
        (
            "man/keepalived.8",
            page(include_str!("manual/keepalived.8"), OPTIONS, options::list(KEEPALIVED)),
        ),
        ("man/genhash.1", page(include_str!("manual/genhash.1"), OPTIONS, options::list(GENHASH))),
        (
            "man/keepalived.conf.5",
            page(include_str!("manual/keepalived.conf.5"), KEYWORDS, keywords::sections(ROOT)),
        ),
        ("completions/keepalived.bash", completion::bash("keepalived", KEEPALIVED)),
        ("completions/genhash.bash", completion::bash("genhash", GENHASH)),
        ("completions/_keepalived", completion::zsh("keepalived", KEEPALIVED)),
        ("completions/_genhash", completion::zsh("genhash", GENHASH)),
        ("completions/keepalived.fish", completion::fish("keepalived", KEEPALIVED)),
        ("completions/genhash.fish", completion::fish("genhash", GENHASH)),
    ]
}

#[test]
fn the_manual_says_what_the_tables_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    for (name, text) in files() {
        let path = folder.join(name);
        if std::env::var_os(REWRITE).is_some() {
            fs::write(&path, text).unwrap();
            continue;
        }
        let same = fs::read_to_string(&path).is_ok_and(|written| written == text);
        assert!(same, "packaging/{name} is out of date; packaging/manual writes it anew");
    }
}

#[test]
fn every_keyword_is_in_the_manual() {
    let (_, page) = files().into_iter().find(|(name, _)| name.ends_with(".5")).unwrap();
    for line in include_str!("../tests/data/keywords.txt").lines().filter(|l| !l.starts_with('#')) {
        let keyword = line.rsplit(' ').next().unwrap().replace('-', "\\-");
        assert!(page.contains(&format!("\\fB{keyword}\\fR")), "{line}");
    }
}

#[test]
fn completed_signals_are_known() {
    assert!(SIGNALS.iter().all(|name| signal_number(name).is_some()));
}
