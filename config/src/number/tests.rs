//! Numbers against C's readers and exact arithmetic (spec config-language §11).

use proptest::prelude::*;

use super::*;
use crate::{Diagnostic, Span};

fn word(text: &str) -> Word {
    Word { text: text.into(), span: Span { file: 0, line: 1, column: 0, len: 0 } }
}

fn with<T>(mode: Mode, read: impl FnOnce(&mut Context<'_>) -> T) -> (T, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let value = read(&mut Context { diagnostics: &mut diagnostics, mode });
    assert!(diagnostics.iter().all(|d| d.class == Some(Class::InvalidNumber)));
    (value, diagnostics)
}

/// Value, and whether something was reported.
fn read_as(text: &str, min: i64, max: i64, lenient: bool, mode: Mode) -> (Option<i64>, bool) {
    let (value, said) = with(mode, |ctx| int(&word(text), min, max, lenient, ctx, "n"));
    (value, !said.is_empty())
}

fn scaled(text: &str, digits: u8, min: u64, max: u64) -> (Option<u64>, bool) {
    let (value, said) = with(Mode::Test, |ctx| decimal(&word(text), digits, min, max, ctx, "n"));
    (value, !said.is_empty())
}

#[test]
fn integer_table() {
    let rejected = (None, true);
    // Text; strict, lenient in a normal run, lenient in a configuration test.
    let table = [
        ("12", (Some(12), false), (Some(12), false), (Some(12), false)),
        ("+12", (Some(12), false), (Some(12), false), (Some(12), false)),
        (" 12", (Some(12), false), (Some(12), false), (Some(12), false)),
        ("012", (Some(12), false), (Some(12), false), (Some(12), false)),
        ("12abc", rejected, (Some(12), true), rejected),
        ("12 ", rejected, (Some(12), true), rejected),
        ("0x10", rejected, (Some(0), true), rejected),
        ("1.5", rejected, (Some(1), true), rejected),
        ("abc", rejected, (Some(0), true), rejected),
        ("", (Some(0), false), (Some(0), false), (Some(0), false)),
        ("256", rejected, rejected, rejected),
        ("99999999999999999999", rejected, rejected, rejected),
        ("-1", rejected, rejected, rejected),
        ("-0", rejected, rejected, rejected),
        ("300x", rejected, rejected, rejected),
    ];
    for (text, strict, normal, test) in table {
        assert_eq!(read_as(text, 0, 255, false, Mode::Start), strict, "{text:?} strict");
        assert_eq!(read_as(text, 0, 255, true, Mode::Start), normal, "{text:?} normal");
        assert_eq!(read_as(text, 0, 255, true, Mode::Reload), normal, "{text:?} reload");
        assert_eq!(read_as(text, 0, 255, true, Mode::Test), test, "{text:?} test");
    }
    assert_eq!(read_as("abc", 1, 255, true, Mode::Start), (None, true));
    assert_eq!(read_as("", 1, 255, false, Mode::Start), (None, true));
    assert_eq!(read_as("-5", -20, 19, false, Mode::Start), (Some(-5), false));
}

#[test]
fn decimal_table() {
    let table = [
        ("5", (Some(5_000_000), false)),
        (".5", (Some(500_000), false)),
        ("5.", (Some(5_000_000), false)),
        ("+5", (Some(5_000_000), false)),
        ("0.01", (Some(10_000), false)),
        ("1.0000005", (Some(1_000_001), true)),
        ("1.00000049", (Some(1_000_000), true)),
        ("0.9999999", (Some(1_000_000), true)),
        ("5s", (None, true)),
        ("0.5x", (None, true)),
        ("1e3", (None, true)),
        ("1.5.0", (None, true)),
        ("-5", (None, true)),
        ("-0", (None, true)),
        ("", (None, true)),
        (".", (None, true)),
        ("0.009999", (None, true)),
        ("256", (None, true)),
        ("99999999999999999999", (None, true)),
        ("18446744073709.551615", (None, true)),
    ];
    for (text, expected) in table {
        assert_eq!(scaled(text, 6, 10_000, 255_000_000), expected, "{text:?}");
    }
    assert_eq!(scaled("", 6, 0, 10), (Some(0), false));
    assert_eq!(scaled("18446744073709.551615", 6, 0, u64::MAX), (Some(u64::MAX), false));
    assert_eq!(scaled("18446744073709.5516155", 6, 0, u64::MAX), (None, true));
    assert_eq!(scaled("7.6", 0, 0, 10), (Some(8), true));
}

#[test]
fn unscaled_has_no_zeros_at_the_end() {
    let shown = [unscaled(0, 6), unscaled(10_000, 6), unscaled(255_000_000, 6), unscaled(7, 0)];
    assert_eq!(shown, ["0", "0.01", "255", "7"]);
}

proptest! {
    #[test]
    fn integers_are_what_parse_makes_of_them(n in any::<i64>()) {
        prop_assert_eq!(read_as(&n.to_string(), i64::MIN, i64::MAX, false, Mode::Test), (Some(n), false));
    }

    #[test]
    fn integers_agree_with_an_oracle(text in "[ +-]?[0-9]{0,20}[a-z]?", lenient: bool, test: bool) {
        let mode = if test { Mode::Test } else { Mode::Start };
        let (value, reported) = read_as(&text, -1000, 1000, lenient, mode);
        let trimmed = text.trim_start();
        let end = trimmed.char_indices().find(|(i, c)| !(c.is_ascii_digit() || (*i == 0 && "+-".contains(*c))));
        let prefix = &trimmed[..end.map_or(trimmed.len(), |(i, _)| i)];
        let signs_only = prefix.trim_start_matches(['+', '-']).is_empty();
        let number: i128 = if signs_only { 0 } else { prefix.parse().unwrap() };
        let whole = text.is_empty() || (prefix.len() == trimmed.len() && !signs_only);
        let fits = (-1000..=1000).contains(&number);
        let expected = (fits && (whole || (lenient && !test))).then_some(number as i64);
        prop_assert_eq!(value, expected);
        prop_assert_eq!(reported, !whole || !fits);
    }

    #[test]
    fn decimals_round_trip(value in any::<u64>(), digits in 0u8..=9) {
        prop_assert_eq!(scaled(&unscaled(value, digits), digits, 0, u64::MAX), (Some(value), false));
    }

    #[test]
    fn decimals_agree_with_an_oracle(whole in 0u64..1_000_000, fraction in "[0-9]{0,12}", digits in 0u8..=6) {
        let text = format!("{whole}.{fraction}");
        // In units of 10^-12, rounded half up on the first digit too many.
        let exact = u128::from(whole) * 10u128.pow(12) + format!("{fraction:0<12}").parse::<u128>().unwrap();
        let unit = 10u128.pow(12 - u32::from(digits));
        let expected = (exact / unit) + u128::from((exact % unit) * 2 >= unit && unit > 1);
        let excess = fraction.len() > usize::from(digits);
        prop_assert_eq!(scaled(&text, digits, 0, u64::MAX), (Some(expected as u64), excess));
    }

    #[test]
    fn nothing_panics(text in "\\PC*", digits in 0u8..30) {
        read_as(&text, i64::MIN, i64::MAX, true, Mode::Start);
        scaled(&text, digits, 0, u64::MAX);
    }
}
