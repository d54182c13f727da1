//! What the typed readers take and report.

use crate::testing::{checked, load};
use crate::{Class, Contents, Context, Line, Mode, Word, truth};

fn read<T>(text: &str, read: impl FnOnce(&Line, &mut Context<'_>) -> T) -> (T, Vec<Class>) {
    let loaded = load(text);
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let mut diagnostics = Vec::new();
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Start };
    let line = &loaded.lines[0].lines()[0];
    let value = read(line, &mut ctx);
    (value, diagnostics.iter().filter_map(|d| d.class).collect())
}

fn global<T>(text: &str, f: impl FnOnce(&Line, &mut Context<'_>) -> T) -> (T, Vec<Class>) {
    read(&format!("global_defs {{\n{text}\n}}"), f)
}

fn instance<T>(text: &str, f: impl FnOnce(&Line, &mut Context<'_>) -> T) -> (T, Vec<Class>) {
    read(&format!("instance a {{\n{text}\n}}"), f)
}

#[test]
fn booleans() {
    for (text, value) in [
        ("true", true),
        ("on", true),
        ("yes", true),
        ("false", false),
        ("off", false),
        ("no", false),
    ] {
        assert_eq!(truth(text), Some(value));
        assert_eq!(global(&format!("boolean {text}"), Line::boolean), (Some(value), vec![]));
    }
    assert_eq!(global("boolean", Line::boolean), (Some(true), vec![]));
    for text in ["True", "1", "\"\"", "enable"] {
        assert_eq!(global(&format!("boolean {text}"), Line::boolean), (None, vec![Class::General]));
    }
}

#[test]
fn words_and_their_limit() {
    let word = |line: &Line, ctx: &mut Context<'_>| line.word(ctx).map(|w: &Word| w.text.clone());
    assert_eq!(instance("interface eth0", word), (Some("eth0".into()), vec![]));
    assert_eq!(instance("interface abcdefghijklmno", word).1, []);
    assert_eq!(instance("interface abcdefghijklmnop", word), (None, vec![Class::General]));
}

#[test]
fn numbers_take_their_range_from_the_row() {
    assert_eq!(instance("priority 255", Line::int), (Some(255), vec![]));
    assert_eq!(instance("priority 256", Line::int), (None, vec![Class::InvalidNumber]));
    assert_eq!(instance("priority 100x", Line::int), (Some(100), vec![Class::InvalidNumber]));
    assert_eq!(instance("advert_int 0.5", Line::decimal), (Some(500_000), vec![]));
    assert_eq!(instance("advert_int 0.5s", Line::decimal), (None, vec![Class::InvalidNumber]));
}

#[test]
fn choices() {
    assert_eq!(instance("state BACKUP", Line::choice), (Some(1), vec![]));
    assert_eq!(instance("state backup", Line::choice), (None, vec![Class::General]));
}

#[test]
fn absent_arguments() {
    let loaded = load("instance a {\nnopreempt\n}");
    let line = &loaded.lines[0].lines()[0];
    let mut diagnostics = Vec::new();
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Start };
    assert!(line.word(&mut ctx).is_none());
    assert!(line.first().is_none());
    assert!(diagnostics.is_empty());
    let expected = load("instance a {\ninterface x\n}");
    let Contents::Lines(lines) = &expected.lines[0].body else { panic!("a block") };
    let bare = Line {
        keyword: lines[0].keyword,
        span: lines[0].span,
        words: Vec::new(),
        body: Contents::None,
    };
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Start };
    assert!(bare.word(&mut ctx).is_none());
    assert_eq!(diagnostics[0].class, Some(Class::General));
}

#[test]
fn checking_goes_through_blocks() {
    let text = "instance a {\nstate x\npriority 300\nadvert_int x\nnotify \"a 'b\"\n interface abcdefghijklmnop\n}\nlater 10\n";
    let mut classes = checked(text, Mode::Test);
    classes.sort_unstable();
    assert_eq!(classes, [10, 12, 12, 12, 13, 13]);
    assert_eq!(checked("instance a {\nstate MASTER\npriority 30\n}\nlater 9", Mode::Test), []);
}

#[test]
fn places_are_of_the_offending_word() {
    let loaded = load("instance a {\n  priority 300\n}");
    let line = &loaded.lines[0].lines()[0];
    let mut diagnostics = Vec::new();
    line.int(&mut Context { diagnostics: &mut diagnostics, mode: Mode::Test });
    let span = diagnostics[0].span.expect("a place");
    assert_eq!((span.line, span.column, span.len), (2, 11, 3));
}
