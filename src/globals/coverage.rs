//! Holds the keyword tables of all crates against the list of the language's keywords, and the list of
//! keywords without effect in `docs/compatibility.md` against the tables.

use std::collections::{BTreeMap, BTreeSet};

use config::{Body, Effect, Grammar, Keyword};

use super::ROOT;

const KEYWORDS: &str = include_str!("../../tests/data/keywords.txt");
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compatibility.md");
const BEGIN: &str = "<!-- keywords without effect: generated, begin -->\n";
const END: &str = "<!-- keywords without effect: generated, end -->\n";

/// Set to write the generated part of the document anew instead of comparing it.
const REWRITE: &str = "REWRITE_COMPATIBILITY";

/// All rows with their blocks, as in the list of keywords.
fn rows() -> Vec<(String, &'static Keyword)> {
    let mut rows = Vec::new();
    walk(".", ROOT, &mut rows);
    rows
}

fn walk(block: &str, level: &[&'static dyn Grammar], rows: &mut Vec<(String, &'static Keyword)>) {
    for keyword in level.iter().flat_map(|grammar| grammar.keywords()) {
        rows.push((block.to_owned(), keyword));
        if let Body::Block(inner) = keyword.body {
            let inside = match block {
                "." => keyword.name.to_owned(),
                block => format!("{block}/{}", keyword.name),
            };
            walk(&inside, inner, rows);
        }
    }
}

#[test]
fn every_keyword_has_a_row() {
    let known: BTreeSet<String> =
        rows().iter().map(|(block, keyword)| format!("{block} {}", keyword.name)).collect();
    let missing: Vec<&str> =
        KEYWORDS.lines().filter(|line| !line.starts_with('#') && !known.contains(*line)).collect();
    assert!(missing.is_empty(), "keywords without a row:\n{}", missing.join("\n"));
}

#[test]
fn every_row_is_a_listed_keyword() {
    let listed: BTreeSet<&str> = KEYWORDS.lines().collect();
    let unlisted: BTreeSet<String> = rows()
        .iter()
        .map(|(block, keyword)| format!("{block} {}", keyword.name))
        // The deprecated block of SMTP_CHECK repeats what stands outside of it.
        .filter(|line| !line.contains("/SMTP_CHECK/host ") && !listed.contains(line.as_str()))
        .collect();
    let unlisted: Vec<String> = unlisted.into_iter().collect();
    assert!(unlisted.is_empty(), "rows that are no keyword:\n{}", unlisted.join("\n"));
}

#[test]
fn every_row_says_what_it_is_for() {
    for (block, keyword) in rows() {
        let named = !keyword.doc.is_empty() || block.starts_with("virtual_server");
        assert!(named, "{block} {} has no description", keyword.name);
    }
}

/// The keywords without effect by block; a block without effect stands for all in it.
fn without_effect() -> String {
    let mut blocks: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut silent: BTreeSet<String> = BTreeSet::new();
    for (block, keyword) in rows() {
        if keyword.effect == Effect::NotYet {
            silent.insert(match block.as_str() {
                "." => keyword.name.to_owned(),
                block => format!("{block}/{}", keyword.name),
            });
            blocks.entry(block).or_default().insert(keyword.name);
        }
    }
    let inside_silent = |block: &str| {
        silent.iter().any(|path| block == path || block.starts_with(&format!("{path}/")))
    };
    let mut text = String::new();
    for (block, names) in blocks.iter().filter(|(block, _)| !inside_silent(block)) {
        let place = match block.as_str() {
            "." => "top level".to_owned(),
            block => format!("`{block}`"),
        };
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        text += &format!("- {place}: {}\n", names.join(", "));
    }
    text
}

#[test]
fn the_document_lists_the_keywords_without_effect() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (head, rest) = document.split_once(BEGIN).unwrap();
    let (listed, tail) = rest.split_once(END).unwrap();
    let fresh = without_effect();
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(DOCUMENT, format!("{head}{BEGIN}{fresh}{END}{tail}")).unwrap();
        return;
    }
    assert!(
        listed == fresh,
        "docs/compatibility.md is out of date; run the test with {REWRITE}=1, or put this in:\n{fresh}"
    );
}

/// A keyword without effect for good is a deliberate difference.
#[test]
fn the_document_says_why_a_keyword_has_no_effect() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    for (block, keyword) in rows() {
        if let Effect::Never(_) = keyword.effect {
            let row = document.lines().find(|line| {
                let cell = line.split('|').nth(1).unwrap_or_default();
                cell.contains(&format!("`{}`", keyword.name))
            });
            assert!(row.is_some(), "{block} {}: no row in docs/compatibility.md", keyword.name);
        }
    }
}
