//! Which rows are mentioned.

use crate::testing::load;
use crate::{Class, Context, Mode, note_effects};

#[test]
fn once_for_each_keyword() {
    let loaded = load("later 1\nlater 2\nword a\nnever\nnever\n");
    let mut diagnostics = Vec::new();
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Start };
    note_effects(&loaded.lines, &loaded.sources, &mut ctx);
    assert!(diagnostics.iter().all(|d| d.class.is_none()));
    let messages: Vec<&str> = diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "keyword `later` has no effect yet (main.conf line 1)",
            "keyword `never` has no effect: it is not needed (main.conf line 4)",
        ]
    );
}

#[test]
fn old_spellings() {
    let loaded = load("old\nolder\noldest\n");
    let mut diagnostics = Vec::new();
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Start };
    note_effects(&loaded.lines, &loaded.sources, &mut ctx);
    let classes: Vec<_> = diagnostics.iter().map(|d| d.class).collect();
    assert_eq!(classes, [Some(Class::Deprecated), None]);
}
