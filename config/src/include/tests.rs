//! Include directives (spec config-language §2.2, §2.4).

use super::*;
use crate::files::{Kind, Memory};
use crate::testing::{ROOT, options, problems, shape};
use crate::{Fatal, Loaded, Mode, Options, Source, exit_status, read, render};

fn files() -> Memory {
    Memory::new()
        .file("/etc/d/b.conf", "word b\n")
        .file("/etc/d/a.conf", "word a\n")
        .file("/etc/d/.hidden.conf", "word hidden\n")
        .file("/etc/one two", "word blank\n")
        .file("/etc/e/sub", "include ../d/a.conf\ninclude deeper/x\n")
        .file("/etc/e/deeper/x", "word ${_PWD}")
        .entry("/etc/run", Kind::Executable, "word run\n")
        .entry("/etc/pipe", Kind::Irregular, "")
}

fn load(text: &str) -> Loaded {
    read(options(text, files()))
}

fn status(loaded: &Loaded, mode: Mode) -> i32 {
    match loaded.fatal {
        Some(fatal) => fatal.exit_status(mode),
        None => exit_status(&loaded.diagnostics),
    }
}

#[test]
fn severity_table() {
    let patterns = ["none", "d/*.none", "{d/a.conf,none}", "{none,nothing}", "d", "run"];
    let table = [
        ("include", [0, 0, 0, 0, 0, 0]),
        ("includer", [0, 0, 0, 0, 6, 6]),
        ("includem", [6, 0, 0, 0, 6, 6]),
        ("includew", [6, 6, 0, 0, 6, 6]),
        ("includeb", [0, 0, 6, 6, 6, 6]),
        ("includea", [6, 6, 6, 6, 6, 6]),
    ];
    let through_setting =
        ["+read -read", "read", "match", "match +wildcard_match", "brace_match", ""];
    for ((directive, expected), setting) in table.iter().zip(through_setting) {
        for (pattern, expected) in patterns.iter().zip(expected) {
            let loaded = load(&format!("{directive} {pattern}\n"));
            assert_eq!(status(&loaded, Mode::Test), *expected, "{directive} {pattern}");
            let loaded =
                load(&format!("global_defs {{\ninclude_check {setting}\n}}\ninclude {pattern}\n"));
            assert_eq!(status(&loaded, Mode::Test), *expected, "{setting}: {pattern}");
        }
    }
}

#[test]
fn wildcard_in_a_missing_directory_is_a_missing_match() {
    for (directive, expected) in
        [("include", 0), ("includer", 0), ("includem", 6), ("includew", 6), ("includeb", 0)]
    {
        let loaded = load(&format!("{directive} none/*\n"));
        assert_eq!(status(&loaded, Mode::Test), expected, "{directive}");
        assert_eq!(loaded.diagnostics.len(), 1);
    }
    assert_eq!(load("include d/*.none").diagnostics.len(), 0, "silent");
    assert_eq!(load("include none").diagnostics.len(), 1);
}

#[test]
fn missing_alternatives() {
    assert_eq!(shape(&load("include {d/a.conf,none}").lines), "word(a)");
    assert_eq!(shape(&load("includeb {d/a.conf,none}").lines), "");
}

#[test]
fn problems_on_reload_are_only_reported() {
    let mut options = options("includea none\nword a", files());
    options.mode = Mode::Reload;
    let loaded = read(options);
    assert_eq!(loaded.fatal, None);
    assert_eq!(problems(&loaded), [(1, 1)]);
    assert_eq!(shape(&loaded.lines), "word(a)");
}

#[test]
fn all_checks_from_the_command_line() {
    let mut options = options("include d/*.none\n", files());
    options.include_checks_all = true;
    assert_eq!(read(options).fatal, Some(Fatal::Include));
}

#[test]
fn order_and_names() {
    assert_eq!(shape(&load("include d/*.conf").lines), "word(a) word(b)");
    assert_eq!(shape(&load("include d/{b,a}.conf").lines), "word(b) word(a)");
    assert_eq!(shape(&load("include  one two  # comment").lines), "word(blank)");
    assert_eq!(shape(&load("include /etc/d/[^b].conf").lines), "word(a)");
    assert_eq!(problems(&load("include \"one two\"")), [(0, 1)]);
}

#[test]
fn relative_to_the_including_file() {
    let loaded = load("include e/sub\nword ${_PWD}\ninclude d/b.conf");
    assert_eq!(shape(&loaded.lines), "word(a) word(/etc/e/deeper) word(/etc) word(b)");
}

#[test]
fn inside_blocks_and_with_definitions() {
    let files = Memory::new().file("/etc/open", "list {\na\n").file("/etc/close", "b\n}\n");
    let loaded = read(options("$D=open\ninclude $D\nc\ninclude close\nword d", files));
    assert_eq!(problems(&loaded), []);
    assert_eq!(shape(&loaded.lines), "list[a;c;b] word(d)");
}

#[test]
fn what_is_no_directive() {
    for text in ["include", "includex d/a.conf", "included d/a.conf", "includerx y", "Include x"] {
        assert_eq!(problems(&load(text)), [(5, 1)], "{text}");
    }
    assert_eq!(shape(&load("word include d/a.conf").lines), "word(include|d/a.conf)");
}

#[test]
fn unusable_matches_are_skipped() {
    let files = files().entry("/etc/d/ax.conf", Kind::Irregular, "");
    let loaded = read(options("include d/*.conf", files));
    assert_eq!(problems(&loaded), [(0, 1)]);
    assert_eq!(shape(&loaded.lines), "word(a) word(b)");
}

#[test]
fn setting_ends_with_its_file() {
    let files = files().file("/etc/on", "global_defs {\ninclude_check\n}\ninclude d\n");
    let loaded = read(options("include on\ninclude none\n", files));
    assert_eq!(problems(&loaded), [(1, 4), (0, 2)]);
}

#[test]
fn setting_words() {
    let configured = |words: &[&str]| {
        let mut checks = Checks::default();
        let mut errors = Vec::new();
        checks.configure(words.iter().copied(), |index, _| errors.push(index));
        (checks, errors)
    };
    let none = Checks::default();
    let read = Checks { read: true, ..none };
    assert_eq!(configured(&[]), (Checks::ALL, vec![]));
    assert_eq!(configured(&["match"]), (Checks { found: true, ..read }, vec![]));
    assert_eq!(configured(&["match", "brace_match"]), (Checks { found: true, ..read }, vec![1]));
    assert_eq!(configured(&["+match"]), (Checks { found: true, ..none }, vec![]));
    assert_eq!(
        configured(&["read", "+brace_match", "-read"]),
        (Checks { brace: true, ..none }, vec![])
    );
    assert_eq!(configured(&["unknown"]), (none, vec![0]));
    assert_eq!(configured(&["+unknown", "read"]), (read, vec![0]));
}

#[test]
fn loops_end_with_a_clear_error() {
    let files = Memory::new().file("/etc/x", "word x\ninclude y\n").file("/etc/y", "include x\n");
    let loaded = read(options("include x\nword a", files));
    assert_eq!(shape(&loaded.lines), "word(x) word(a)");
    assert_eq!(problems(&loaded).len(), 1);
    assert!(loaded.diagnostics[0].message.contains("includes itself"));
}

#[test]
fn depth_is_bounded() {
    let mut files = Memory::new();
    for i in 0..100 {
        files = files.file(format!("/etc/{i}"), format!("include {}\nword {i}\n", i + 1));
    }
    let loaded = read(options("include 0", files));
    assert_eq!(problems(&loaded).len(), 1);
    assert_eq!(loaded.lines.len(), 63);
}

#[test]
fn file_names_in_messages() {
    let files = Memory::new().file("/etc/d/x", "\nbad x\n");
    let loaded = read(options("bad a\ninclude d/x\n", files));
    let lines: Vec<String> =
        loaded.diagnostics.iter().map(|d| render::one_line(d, &loaded.sources)).collect();
    assert_eq!(lines, ["(Line 1) Unknown keyword 'bad'", "(d/x: Line 2) Unknown keyword 'bad'"]);
}

#[test]
fn on_disk() {
    use std::os::unix::fs::PermissionsExt;
    let directory = std::env::temp_dir().join(format!("config-test-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("conf.d")).expect("temporary directory");
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).expect("temporary file");
        path
    };
    write("main.conf", "include conf.d/*.conf\nword ${_PWD}\n");
    write("conf.d/b.conf", "word b\n");
    write("conf.d/a.conf", "word a\n");
    let run = write("conf.d/c.conf", "word c\n");
    std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o744)).expect("mode");
    let mut options = Options::new(Source::FromFile("main.conf".into()), ROOT);
    options.directory.clone_from(&directory);
    let loaded = read(options);
    let real = directory.canonicalize().expect("exists");
    std::fs::remove_dir_all(&directory).expect("removable");
    assert_eq!(shape(&loaded.lines), format!("word(a) word(b) word({})", real.display()));
    assert_eq!(problems(&loaded), [(0, 1)]);
}
