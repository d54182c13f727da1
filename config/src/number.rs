//! Reading numbers, by the rules of the language (spec config-language §11).
//!
//! Integers follow C's `strtol` in base 10, so that files written for the original keep their
//! meaning: leading blanks are skipped, an empty word is 0, and a number with something behind it
//! may pass with a warning where a keyword has always been lenient. Decimals are read exactly,
//! without going through a binary fraction.

use crate::{Class, Context, Mode, Word};

/// How a word reads as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// All of it, or nothing at all (an empty word is 0).
    Whole(i64),
    /// A number (0 when there is no digit) and something behind it.
    WithJunk(i64),
    /// More than 64 bits.
    TooBig,
}

fn read_int(text: &str) -> Reading {
    let bytes = text.as_bytes();
    let blanks = bytes.iter().take_while(|b| matches!(b, b' ' | b'\t' | 0x0a..=0x0d)).count();
    let (negative, start) = match bytes.get(blanks) {
        Some(b'-') => (true, blanks + 1),
        Some(b'+') => (false, blanks + 1),
        _ => (false, blanks),
    };
    let digits = bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut value: i64 = 0;
    for b in &bytes[start..start + digits] {
        let digit = i64::from(b - b'0');
        let next = value
            .checked_mul(10)
            .and_then(|v| if negative { v.checked_sub(digit) } else { v.checked_add(digit) });
        match next {
            Some(v) => value = v,
            None => return Reading::TooBig,
        }
    }
    match (digits, start + digits == bytes.len()) {
        (0, _) if !bytes.is_empty() => Reading::WithJunk(0),
        (_, true) => Reading::Whole(value),
        (_, false) => Reading::WithJunk(value),
    }
}

/// Reads `word` as an integer from `min` to `max`.
///
/// `what` names the value in messages. With `lenient`, a number followed by something else counts
/// with a warning, except in a configuration test. Whatever is odd is reported as
/// [`Class::InvalidNumber`]; `None` means the value must not be used.
pub fn int(
    word: &Word,
    min: i64,
    max: i64,
    lenient: bool,
    ctx: &mut Context<'_>,
    what: &str,
) -> Option<i64> {
    let text = &word.text;
    let (value, junk) = match read_int(text) {
        Reading::Whole(v) => (v, false),
        Reading::WithJunk(v) => (v, true),
        Reading::TooBig => {
            out_of_range(word, &format!("{min}"), &format!("{max}"), ctx, what);
            return None;
        }
    };
    if junk && !(lenient && ctx.mode != Mode::Test && (min..=max).contains(&value)) {
        let message = format!("{what}: '{text}' is not a number; ignored");
        ctx.report(Class::InvalidNumber, word.span, message);
        return None;
    }
    if junk {
        let message = format!("WARNING, {what}: '{text}' is not a number; {value} is used");
        ctx.report(Class::InvalidNumber, word.span, message);
        return Some(value);
    }
    // A sign is wrong where no negative number is possible, even in front of 0.
    let signed = min >= 0 && text.contains('-');
    if signed || !(min..=max).contains(&value) {
        out_of_range(word, &format!("{min}"), &format!("{max}"), ctx, what);
        return None;
    }
    Some(value)
}

/// Reads `word` as a decimal number, scaled by 10^`digits`; `min` and `max` are scaled too.
///
/// More than `digits` fractional digits are reported, and the value rounded half up on the first
/// digit too many is used. Anything else that is not a number is rejected.
pub fn decimal(
    word: &Word,
    digits: u8,
    min: u64,
    max: u64,
    ctx: &mut Context<'_>,
    what: &str,
) -> Option<u64> {
    let text = &word.text;
    let Some((value, excess)) = read_decimal(text, digits) else {
        let message = format!("{what}: '{text}' is not a decimal number; ignored");
        ctx.report(Class::InvalidNumber, word.span, message);
        return None;
    };
    let value = value.filter(|v| (min..=max).contains(v));
    let Some(value) = value else {
        out_of_range(word, &unscaled(min, digits), &unscaled(max, digits), ctx, what);
        return None;
    };
    if excess {
        let message = format!(
            "{what}: '{text}' has more than {digits} decimal places; {} is used",
            unscaled(value, digits)
        );
        ctx.report(Class::InvalidNumber, word.span, message);
    }
    Some(value)
}

/// The scaled value (`None`: beyond 64 bits) and whether digits were cut; `None` for what is not a
/// number.
fn read_decimal(text: &str, digits: u8) -> Option<(Option<u64>, bool)> {
    let text = text.trim_start_matches([' ', '\t']);
    let text = text.strip_prefix('+').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let numeric = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let kept = usize::from(digits);
    let padding = kept.saturating_sub(fraction.len());
    let taken = fraction.bytes().take(kept).chain(std::iter::repeat_n(b'0', padding));
    let value = whole.bytes().chain(taken).try_fold(0u64, |value, b| {
        value.checked_mul(10).and_then(|v| v.checked_add(u64::from(b - b'0')))
    });
    let round_up = fraction.as_bytes().get(kept).is_some_and(|b| *b >= b'5');
    Some((value.and_then(|v| v.checked_add(u64::from(round_up))), fraction.len() > kept))
}

/// `value` scaled back by 10^`digits`, for people: no zeros at the end.
pub fn unscaled(value: u64, digits: u8) -> String {
    let text = format!("{value:0width$}", width = usize::from(digits) + 1);
    let (whole, fraction) = text.split_at(text.len() - usize::from(digits));
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

fn out_of_range(word: &Word, min: &str, max: &str, ctx: &mut Context<'_>, what: &str) {
    let message = format!("{what}: '{}' must be in [{min}, {max}]; ignored", word.text);
    ctx.report(Class::InvalidNumber, word.span, message);
}

#[cfg(test)]
mod tests;
