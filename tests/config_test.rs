//! `keepalived -t` on files as people write them, and on files with one defect each
//! (`tests/data/configs/README.md`).

#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an `.expect` file says.
struct Expected {
    /// Its own name without the ending.
    path: PathBuf,
    file: PathBuf,
    arguments: Vec<String>,
    status: i32,
    of_c_daemon: i32,
}

impl Expected {
    fn read(path: &Path) -> Expected {
        let text = fs::read_to_string(path).unwrap();
        let line = |keyword: &str| {
            text.lines().find_map(|line| line.strip_prefix(keyword)?.strip_prefix(' '))
        };
        let number = |keyword: &str| line(keyword).map(|number| number.parse().unwrap());
        let status = number("exit").unwrap_or_else(|| panic!("{}: no `exit`", path.display()));
        Expected {
            path: path.with_extension(""),
            file: match line("file") {
                Some(pattern) => path.with_file_name(pattern),
                None => path.with_extension("conf"),
            },
            arguments: line("args").unwrap_or("").split_whitespace().map(Into::into).collect(),
            status,
            of_c_daemon: number("debian").unwrap_or(status),
        }
    }
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configs").join(name)
}

fn with_extension(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension() == Some(OsStr::new(extension))).collect();
    paths.sort();
    paths
}

/// Runs `program` on everything in `name` and lists what came out otherwise than expected.
fn judge(program: &OsStr, name: &str, wanted: fn(&Expected) -> i32) -> Vec<String> {
    let mut wrong = Vec::new();
    for path in with_extension(&directory(name), "expect") {
        let expected = Expected::read(&path);
        let output = Command::new(program)
            .arg("-t")
            .args(&expected.arguments)
            .arg("-f")
            .arg(&expected.file)
            .output()
            .unwrap();
        let status = output.status.code();
        // A shell's way to say that a signal ended it.
        let status = status.or_else(|| {
            use std::os::unix::process::ExitStatusExt;
            output.status.signal().map(|signal| 128 + signal)
        });
        if status != Some(wanted(&expected)) {
            wrong.push(format!(
                "{}: exit status {status:?} instead of {}\n{}",
                expected.path.display(),
                wanted(&expected),
                String::from_utf8_lossy(&output.stderr)
            ));
        } else if status == Some(0) && !output.stdout.is_empty() {
            wrong.push(format!("{}: something on stdout", expected.path.display()));
        }
    }
    wrong
}

#[test]
fn samples() {
    let wrong = judge(OsStr::new(env!("CARGO_BIN_EXE_keepalived")), "samples", |e| e.status);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn defects() {
    let wrong = judge(OsStr::new(env!("CARGO_BIN_EXE_keepalived")), "defects", |e| e.status);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_has_an_expectation() {
    for name in ["samples", "defects"] {
        for path in with_extension(&directory(name), "conf") {
            let own = path.with_extension("expect").exists();
            assert!(own, "{} has no .expect", path.display());
        }
    }
}

/// The C daemon of version 2.2.7 as judge of the expectations themselves, where one is named.
#[test]
fn the_c_daemon_agrees() {
    let program = std::env::var_os("KEEPALIVED_C").unwrap_or("/usr/sbin/keepalived".into());
    let version = Command::new(&program).arg("-v").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    if !version.is_ok_and(|version| version.contains("v2.2.7")) {
        eprintln!("no keepalived 2.2.7 is installed: it was not asked");
        return;
    }
    let mut wrong = judge(&program, "samples", |e| e.of_c_daemon);
    wrong.extend(judge(&program, "defects", |e| e.of_c_daemon));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
