//! `umask`: a number, or the names of its bits.

/// The mask that `words` stand for.
///
/// # Errors
/// What is wrong, as a sentence.
pub fn parse(words: &[&str]) -> Result<u32, String> {
    match words {
        [number] if number.starts_with(|c: char| c.is_ascii_digit()) => numeric(number),
        _ => names(&words.join(" ")),
    }
}

fn numeric(text: &str) -> Result<u32, String> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    let digits_only = digits.bytes().all(|b| b.is_ascii_hexdigit());
    match u32::from_str_radix(digits, radix) {
        Ok(mask) if digits_only && mask <= 0o777 => Ok(mask),
        _ => Err(format!("umask '{text}' is not a number from 0 to 0777")),
    }
}

fn names(text: &str) -> Result<u32, String> {
    let mut mask = 0;
    for name in text.split('|') {
        mask |= bit(name.trim()).ok_or_else(|| format!("umask '{}' is not a bit", name.trim()))?;
    }
    Ok(mask)
}

fn bit(name: &str) -> Option<u32> {
    let shift = |who: &str| match who {
        "USR" | "U" => Some(6),
        "GRP" | "G" => Some(3),
        "OTH" | "O" => Some(0),
        _ => None,
    };
    if let Some(who) = name.strip_prefix("IRWX") {
        return (who.len() == 1).then(|| shift(who)).flatten().map(|by| 0o7 << by);
    }
    let bits = match name.get(..2)? {
        "IR" => 4,
        "IW" => 2,
        "IX" => 1,
        _ => return None,
    };
    let who = name.get(2..)?;
    (who.len() == 3).then(|| shift(who)).flatten().map(|by| bits << by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_c_prefixes() {
        assert_eq!(parse(&["022"]), Ok(0o022));
        assert_eq!(parse(&["0x3f"]), Ok(0x3f));
        assert_eq!(parse(&["63"]), Ok(63));
        assert_eq!(parse(&["0"]), Ok(0));
        for wrong in ["01000", "09", "1x", "0x", "+1"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bits_are_joined() {
        assert_eq!(parse(&["IXUSR|IRWXG|IRWXO"]), Ok(0o177));
        assert_eq!(parse(&["IWGRP", "|", "IWOTH"]), Ok(0o022));
        for wrong in [&["IWGRP", "IWOTH"][..], &["IWGRP|"], &["irusr"], &["IRWXU", "é"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
