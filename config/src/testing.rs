//! A small grammar and shortcuts for the tests of this crate.

use crate::files::Memory;
use crate::{
    Args, Contents, Context, Diagnostic, Grammar, Keyword, Line, Loaded, Mode, Options, Row,
    Source, Table, check, read,
};

const fn row(keyword: Keyword) -> Row<()> {
    Row { keyword, set: check::<()> }
}

static INNER: Table<()> = Table::new(&[
    row(Keyword::new("state", Args::Choice(&["MASTER", "BACKUP"]), "").required()),
    row(Keyword::new("priority", Args::lenient(1, 255), "").required()),
    row(Keyword::new("advert_int", Args::timer(10_000, 255_000_000), "").expected()),
    row(Keyword::new("notify", Args::Command, "").expected()),
    row(Keyword::new("interface", Args::Word { max: 15 }, "").expected()),
    row(Keyword::new("nopreempt", Args::Flag, "")),
    row(Keyword::new("addresses", Args::Flag, "").values()),
    row(Keyword::new("named", Args::Word { max: 8 }, "").expected().block(&[&LEAF])),
]);
static LEAF: Table<()> = Table::new(&[row(Keyword::new("leaf", Args::Free("words"), ""))]);
static OTHER_LEAF: Table<()> = Table::new(&[row(Keyword::new("other_leaf", Args::Flag, ""))]);
static FIRST: Table<()> = Table::new(&[
    row(Keyword::new("global_defs", Args::Flag, "").block(&[&GLOBAL])),
    row(Keyword::new("instance", Args::Word { max: 0 }, "").required().block(&[&INNER])),
    row(Keyword::new("shared", Args::Word { max: 0 }, "").block(&[&LEAF])),
    row(Keyword::new("word", Args::Free("words"), "")),
    row(Keyword::new("list", Args::Flag, "").values()),
    row(Keyword::new("named_list", Args::Word { max: 0 }, "").expected().values()),
    row(Keyword::new("later", Args::Int { min: 0, max: 9, lenient: false }, "").not_yet()),
    row(Keyword::new("never", Args::Flag, "").never("it is not needed")),
    row(Keyword::new("old", Args::Flag, "").alias("word", true)),
    row(Keyword::new("older", Args::Flag, "").alias("word", false)),
    row(Keyword::new("oldest", Args::Flag, "").alias("", false)),
]);
static GLOBAL: Table<()> = Table::new(&[
    row(Keyword::new("router_id", Args::Word { max: 0 }, "").required()),
    row(Keyword::new("include_check", Args::Free("checks"), "")),
    row(Keyword::new("random_seed", Args::int(0, 100), "")),
    row(Keyword::new("boolean", Args::Bool, "")),
]);
static SECOND: Table<()> = Table::new(&[
    row(Keyword::new("shared", Args::Word { max: 0 }, "").block(&[&OTHER_LEAF])),
    row(Keyword::new("second_only", Args::Flag, "")),
]);

/// The level tests read at.
pub static ROOT: &[&dyn Grammar] = &[&FIRST, &SECOND];

/// Options that read `text` as `/etc/main.conf` with `files` beside it, as a configuration test.
pub fn options(text: impl Into<Vec<u8>>, files: Memory) -> Options {
    let source = Source::FromMemory { name: "main.conf".into(), bytes: text.into() };
    let mut options = Options::new(source, ROOT);
    options.directory = "/etc".into();
    options.config_id = "node".into();
    options.mode = Mode::Test;
    options.files = Box::new(files);
    options
}

/// Reads `text` alone.
pub fn load(text: impl Into<Vec<u8>>) -> Loaded {
    read(options(text, Memory::new()))
}

/// The tree in one line: words in parentheses, blocks in braces, entries in brackets.
pub fn shape(lines: &[Line]) -> String {
    let shown: Vec<String> = lines.iter().map(shape_of).collect();
    shown.join(" ")
}

fn shape_of(line: &Line) -> String {
    let mut text = line.keyword.name.to_owned();
    if !line.words.is_empty() {
        let words: Vec<&str> = line.words.iter().map(|w| w.text.as_str()).collect();
        text += &format!("({})", words.join("|"));
    }
    match &line.body {
        Contents::None => {}
        Contents::Lines(lines) => text += &format!("{{{}}}", shape(lines)),
        Contents::Entries(entries) => {
            let shown = entries
                .iter()
                .map(|entry| entry.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join("|"));
            text += &format!("[{}]", shown.collect::<Vec<_>>().join(";"));
        }
    }
    text
}

/// Class numbers and lines of the diagnostics that have a class.
pub fn problems(loaded: &Loaded) -> Vec<(u8, u32)> {
    let line = |d: &Diagnostic| d.span.map_or(0, |span| span.line);
    loaded.diagnostics.iter().filter_map(|d| Some((d.class? as u8, line(d)))).collect()
}

/// Reads arguments of the lines with the handlers' checks; class numbers of what they report.
pub fn checked(text: &str, mode: Mode) -> Vec<u8> {
    let loaded = load(text);
    let mut diagnostics = loaded.diagnostics;
    let mut ctx = Context { diagnostics: &mut diagnostics, mode };
    for line in &loaded.lines {
        check(&mut (), line, &mut ctx);
    }
    diagnostics.iter().filter_map(|d| d.class).map(|class| class as u8).collect()
}
