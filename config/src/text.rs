//! Bytes of configuration files as `String`, without loss.
//!
//! Files are bytes. A run that is not UTF-8 is kept as one private-use character (U+F780 to U+F7FF)
//! per byte, so that every word is a `String` and the bytes can be had back, for a path for instance.
//! The same characters in a file are valid UTF-8; they are taken as three such bytes each, which
//! makes the mapping one to one.

use std::borrow::Cow;

const BASE: u32 = 0xf700;

fn escaped(byte: u8) -> char {
    char::from_u32(BASE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn unescaped(c: char) -> Option<u8> {
    let low = u8::try_from(u32::from(c).checked_sub(BASE)?).ok()?;
    (low >= 0x80).then_some(low)
}

/// The text of `bytes`.
pub fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match unchanged(bytes) {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(escape_all(bytes)),
    }
}

/// The text of `bytes`, if it is just these bytes; so is then the text of each part.
pub(crate) fn unchanged(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (text.is_ascii() || !text.chars().any(|c| unescaped(c).is_some())).then_some(text)
}

fn escape_all(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if unescaped(c).is_some() {
                text.extend(c.encode_utf8(&mut [0; 4]).bytes().map(escaped));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().map(|b| escaped(*b)));
    }
    text
}

/// The bytes that `text` was made from.
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if text.is_ascii() || !text.chars().any(|c| unescaped(c).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match unescaped(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}
