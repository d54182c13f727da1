//! The options of a page: one paragraph each.

use roff::{Inline, Roff, bold, italic, roman};

use crate::cli::tables::{Opt, Value};

/// All of a table, in its order.
pub(super) fn list(table: &[Opt]) -> String {
    let mut page = Roff::new();
    for row in table {
        page.control("TP", []);
        page.text(names(row));
        page.text([roman(sentence(row.doc))]);
    }
    page.to_roff()
}

fn names(row: &Opt) -> Vec<Inline> {
    let mut names = Vec::new();
    if let Some(letter) = row.short {
        names.push(bold(format!("-{}", char::from(letter))));
        match row.value {
            Value::Needed(value) => names.extend([roman(" "), italic(value)]),
            Value::Maybe(value) => names.extend([roman("["), italic(value), roman("]")]),
            Value::None => {}
        }
        names.push(roman(", "));
    }
    names.push(bold(format!("--{}", row.long)));
    match row.value {
        Value::Needed(value) => names.extend([roman("="), italic(value)]),
        Value::Maybe(value) => names.extend([roman("[="), italic(value), roman("]")]),
        Value::None => {}
    }
    names
}

/// A description from a table as a sentence of prose.
pub(super) fn sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    // A name keeps its spelling.
    let named = text.split(' ').next().is_some_and(|word| word.contains(['_', '.', '-', '/']));
    let text = if named { text.clone() } else { first + chars.as_str() };
    if text.is_empty() || text.ends_with('.') { text } else { text + "." }
}
