//! Completion of the options by bash, zsh and fish.

use std::fmt::Write;

use super::SIGNALS;
use crate::cli::tables::{Opt, Value};

/// What an option's argument may be.
enum Choice {
    Files,
    Words(&'static [&'static str]),
    Anything,
}

const FACILITIES: &[&str] = &[
    "daemon", "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

fn choice(row: &Opt) -> Option<Choice> {
    let (Value::Needed(name) | Value::Maybe(name)) = row.value else { return None };
    Some(match (name, row.long) {
        ("FILE", _) => Choice::Files,
        ("FACILITY", _) => Choice::Words(FACILITIES),
        (_, "signum") => Choice::Words(SIGNALS),
        (_, "protocol") => Choice::Words(&["1.0", "1.1", "1.0c"]),
        _ => Choice::Anything,
    })
}

fn letter(row: &Opt) -> Option<String> {
    row.short.map(|letter| format!("-{}", char::from(letter)))
}

/// The description on one line.
fn doc(row: &Opt) -> String {
    row.doc.replace('\n', " ")
}

pub(super) fn bash(program: &str, table: &[Opt]) -> String {
    let mut cases = String::new();
    let mut words = Vec::new();
    for row in table {
        let long = format!("--{}", row.long);
        let takes = if matches!(row.value, Value::None) { "" } else { "=" };
        words.extend(letter(row));
        words.push(format!("{long}{takes}"));
        let Some(choice) = choice(row) else { continue };
        // An optional argument is part of its word, so the next word is none.
        let letter = letter(row).filter(|_| matches!(row.value, Value::Needed(_)));
        let names: Vec<String> = letter.into_iter().chain([long]).collect();
        let reply = match choice {
            Choice::Files => "_filedir".to_owned(),
            Choice::Words(words) => {
                format!("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", words.join(" "))
            }
            Choice::Anything => ":".to_owned(),
        };
        let _ = writeln!(cases, "        {}) {reply}; return ;;", names.join("|"));
    }
    format!(
        "# bash completion for {program}\n\
         _{program}() {{\n    \
             local cur prev words cword split\n    \
             _init_completion -s || return\n    \
             case $prev in\n{cases}    \
             esac\n    \
             $split && return\n    \
             COMPREPLY=($(compgen -W '{}' -- \"$cur\"))\n    \
             [[ ${{COMPREPLY-}} == *= ]] && compopt -o nospace\n    \
             return 0\n\
         }} &&\n    complete -F _{program} {program}\n",
        words.join(" ")
    )
}

pub(super) fn zsh(program: &str, table: &[Opt]) -> String {
    let mut lines = Vec::new();
    for row in table {
        let text = doc(row).replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]");
        let (short, long, argument) = match row.value {
            Value::None => ("", "", String::new()),
            Value::Needed(name) => ("+", "=", format!(":{name}:{}", action(row))),
            Value::Maybe(name) => ("-", "=-", format!("::{name}:{}", action(row))),
        };
        let spec = format!("[{text}]{argument}'");
        lines.push(match letter(row) {
            Some(letter) => format!("    '*'{{{letter}{short},--{}{long}}}'{spec}", row.long),
            None => format!("    '*--{}{long}{spec}", row.long),
        });
    }
    format!("#compdef {program}\n_arguments -s -S \\\n{}\n", lines.join(" \\\n"))
}

fn action(row: &Opt) -> String {
    match choice(row) {
        Some(Choice::Files) => "_files".to_owned(),
        Some(Choice::Words(words)) => format!("({})", words.join(" ")),
        Some(Choice::Anything) | None => " ".to_owned(),
    }
}

pub(super) fn fish(program: &str, table: &[Opt]) -> String {
    let mut text = format!("# fish completion for {program}\ncomplete -c {program} -f\n");
    for row in table {
        let short = row.short.map(|c| format!(" -s {}", char::from(c))).unwrap_or_default();
        let argument = match choice(row) {
            None => String::new(),
            Some(Choice::Files) => " -r -F".to_owned(),
            Some(Choice::Words(words)) => format!(" -x -a '{}'", words.join(" ")),
            Some(Choice::Anything) => " -x".to_owned(),
        };
        let doc = doc(row).replace('\\', "\\\\").replace('\'', "\\'");
        let _ = writeln!(text, "complete -c {program}{short} -l {}{argument} -d '{doc}'", row.long);
    }
    text
}
