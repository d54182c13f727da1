//! Which rows are mentioned.

use crate::testing::load;
use crate::{Class, Context, Mode, note_effects};

#[test]
fn once_for_each_keyword() {
    let loaded = load("later 1\nlater 2\nword a\n");
    let mut diagnostics = Vec::new();
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Start };
    note_effects(&loaded.lines, &loaded.sources, &mut ctx);
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].class, None);
    assert_eq!(diagnostics[0].message, "keyword `later` has no effect yet (main.conf line 1)");
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
