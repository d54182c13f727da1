//! Addresses and ports (spec config-language §11.4).

use super::*;
use crate::{Mode, Span};

fn read<T>(text: &str, read: impl FnOnce(&Word, &mut Context<'_>, &str) -> T) -> (T, Vec<Class>) {
    let word = Word { text: text.into(), span: Span { file: 0, line: 1, column: 0, len: 0 } };
    let mut diagnostics = Vec::new();
    let value = read(&word, &mut Context { diagnostics: &mut diagnostics, mode: Mode::Start }, "x");
    (value, diagnostics.iter().filter_map(|d| d.class).collect())
}

#[test]
fn single() {
    for text in ["10.0.0.1", "fe80::1", "::", "::ffff:10.0.0.1", "0.0.0.0"] {
        assert_eq!(read(text, ip), (Some(text.parse().unwrap()), vec![]));
    }
    for text in
        ["", "10.0.0", "10.0.0.256", "10.0.0.01", "host", "fe80::1%eth0", "1:2", "10.0.0.1 "]
    {
        assert_eq!(read(text, ip), (None, vec![Class::General]), "{text}");
    }
}

#[test]
fn cut() {
    for text in ["10.0.0.1/24", "10.0.0.1-20", "10.0.0.1"] {
        assert_eq!(read(text, ip_cut).0, Some("10.0.0.1".parse().unwrap()));
    }
    assert_eq!(read("/24", ip_cut), (None, vec![Class::General]));
}

#[test]
fn prefixes() {
    let v4 = |len| Some(("10.0.0.1".parse().unwrap(), len));
    assert_eq!(read("10.0.0.1", with_prefix).0, v4(None));
    assert_eq!(read("10.0.0.1/0", with_prefix).0, v4(Some(0)));
    assert_eq!(read("10.0.0.1/32", with_prefix).0, v4(Some(32)));
    assert_eq!(read("::1/128", with_prefix).0, Some(("::1".parse().unwrap(), Some(128))));
    for text in
        ["10.0.0.1/33", "::1/129", "10.0.0.1/", "10.0.0.1/+2", "10.0.0.1/x", "/8", "10.0.0.1/8/8"]
    {
        assert_eq!(read(text, with_prefix), (None, vec![Class::General]), "{text}");
    }
}

#[test]
fn ports() {
    assert_eq!(read("80", port), (Some(80), vec![]));
    assert_eq!(read("65535", port).0, Some(65535));
    for text in ["0", "65536", "http", "-1"] {
        assert_eq!(read(text, port), (None, vec![Class::InvalidNumber]));
    }
}
