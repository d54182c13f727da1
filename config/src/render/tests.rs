//! How diagnostics look.

use super::*;
use crate::files::Memory;
use crate::testing::{load, options};
use crate::{exit_status, read};

#[test]
fn caret_under_the_word() {
    let loaded = load("word a\n  wrod\tb # c\n");
    let text = caret(&loaded.diagnostics[0], &loaded.sources, false);
    let expected = "\
error: Unknown keyword 'wrod'
 --> main.conf:2:3
  |
2 |   wrod b # c
  |   ^^^^
  |
  = help: did you mean `word`?";
    assert_eq!(text, expected);
    assert_eq!(
        one_line(&loaded.diagnostics[0], &loaded.sources),
        "(Line 2) Unknown keyword 'wrod'"
    );
    assert!(caret(&loaded.diagnostics[0], &loaded.sources, true).contains("\u{1b}["));
}

#[test]
fn whole_line_when_only_that_is_known() {
    let loaded = load(format!("$A=b\n  bad{} $A\n", "x".repeat(0)).into_bytes());
    let shown = caret(&loaded.diagnostics[0], &loaded.sources, false);
    assert!(shown.contains("  ^^^"), "{shown}");
    let loaded = load(format!("{}\n", "x".repeat(2000)));
    assert!(caret(&loaded.diagnostics[0], &loaded.sources, false).contains("too long"));
}

#[test]
fn strange_bytes_do_not_reach_the_terminal() {
    let loaded = load(b"  b\xffad\x1b[2J x\n".to_vec());
    for diagnostic in &loaded.diagnostics {
        let shown = caret(diagnostic, &loaded.sources, false);
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert!(!one_line(diagnostic, &loaded.sources).contains('\u{1b}'));
    }
}

#[test]
fn without_a_place() {
    let diagnostic =
        Diagnostic { class: Some(Class::Fatal), span: None, message: "x".into(), help: None };
    let sources = Sources::default();
    assert_eq!(one_line(&diagnostic, &sources), "x");
    assert_eq!(caret(&diagnostic, &sources, false), "error: x");
}

#[test]
fn prefixes() {
    let files = Memory::new().file("/etc/inc", "bad\n");
    let loaded = read(options("include inc\nbad\n", files));
    let lines: Vec<String> =
        loaded.diagnostics.iter().map(|d| one_line(d, &loaded.sources)).collect();
    assert_eq!(lines, ["(inc: Line 1) Unknown keyword 'bad'", "(Line 2) Unknown keyword 'bad'"]);
}

#[test]
fn exit_status_table() {
    let status = |classes: &[Option<Class>]| {
        let diagnostics: Vec<Diagnostic> = classes
            .iter()
            .map(|class| Diagnostic {
                class: *class,
                span: None,
                message: String::new(),
                help: None,
            })
            .collect();
        exit_status(&diagnostics)
    };
    let table = [
        (Class::Note, 0),
        (Class::FileNotFound, 4),
        (Class::BadInterface, 4),
        (Class::Fatal, 4),
        (Class::MultipleFiles, 5),
        (Class::UnknownKeyword, 5),
        (Class::UnexpectedOpen, 5),
        (Class::MissingOpen, 5),
        (Class::UnexpectedClose, 5),
        (Class::MissingClose, 5),
        (Class::UnmatchedQuote, 5),
        (Class::MissingParameter, 2),
        (Class::InvalidNumber, 5),
        (Class::General, 5),
        (Class::Warning, 5),
        (Class::Deprecated, 5),
        (Class::Security, 6),
    ];
    for (number, (class, expected)) in table.into_iter().enumerate() {
        assert_eq!(class as usize, number);
        assert_eq!(status(&[Some(class), None]), expected);
    }
    assert_eq!(status(&[]), 0);
    assert_eq!(status(&[None]), 0);
    assert_eq!(status(&[Some(Class::Fatal), Some(Class::General)]), 5);
    assert_eq!(status(&[Some(Class::Fatal), Some(Class::Security)]), 6);
}
