//! `~SEQ` and `~LST`: one line for each value (spec config-language §7).

use std::rc::Rc;

/// The values still to come, and the variables they are given to.
#[derive(Debug)]
pub(crate) struct Sequence {
    values: Values,
    /// The line to process for each of them.
    pub text: Rc<[u8]>,
}

#[derive(Debug)]
enum Values {
    Numbers { variable: Box<[u8]>, next: Option<i64>, step: i64, end: i64, hex: bool },
    Lists { variables: Vec<Box<[u8]>>, sets: Vec<Vec<Box<[u8]>>>, next: usize },
}

/// How a line starting with `~` reads.
#[derive(Debug)]
pub(crate) enum Parsed {
    Sequence(Sequence),
    /// Something else that starts with `~`.
    Other,
    Error(String),
}

impl Iterator for Sequence {
    /// Variables and their values.
    type Item = Vec<(Box<[u8]>, Box<[u8]>)>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.values {
            Values::Numbers { variable, next, step, end, hex } => {
                let value = (*next)?;
                if (*step > 0 && value > *end) || (*step < 0 && value < *end) {
                    return None;
                }
                *next = value.checked_add(*step);
                let text = if *hex { format!("{value:x}") } else { value.to_string() };
                Some(vec![(variable.clone(), text.into_bytes().into())])
            }
            Values::Lists { variables, sets, next } => {
                let set = sets.get(*next)?;
                *next += 1;
                let value = |i| set.get(i).cloned().unwrap_or_default();
                Some(variables.iter().enumerate().map(|(i, v)| (v.clone(), value(i))).collect())
            }
        }
    }
}

/// Reads a line starting with `~`. `substitute` replaces the references in the numbers.
pub(crate) fn parse(line: &[u8], substitute: impl FnOnce(&[u8]) -> Vec<u8>) -> Parsed {
    let (list, rest) = if let Some(rest) = line.strip_prefix(b"~SEQ") {
        (false, rest)
    } else if let Some(rest) = line.strip_prefix(b"~LST") {
        (true, rest)
    } else {
        return Parsed::Other;
    };
    let (hex, rest) = match rest.strip_prefix(b"x") {
        Some(rest) if !list => (true, rest),
        _ => (false, rest),
    };
    let rest = rest.trim_ascii_start();
    let Some(rest) = rest.strip_prefix(b"(") else { return Parsed::Other };
    let shown = String::from_utf8_lossy(line);
    let Some(end) = rest.iter().position(|b| *b == b')') else {
        return Parsed::Error(format!("no ) in '{shown}'"));
    };
    let (inside, text) = (&rest[..end], rest[end + 1..].trim_ascii_start());
    let values = if list { lists(inside) } else { numbers(&substitute(inside), hex) };
    match values {
        Ok(values) => Parsed::Sequence(Sequence { values, text: text.into() }),
        Err(why) => Parsed::Error(format!("{why} in '{shown}'")),
    }
}

fn variable(text: &[u8]) -> Result<Box<[u8]>, String> {
    let text = text.trim_ascii();
    let named = text.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    if named {
        Ok(text.into())
    } else {
        Err(format!("'{}' is no name", String::from_utf8_lossy(text)))
    }
}

fn numbers(inside: &[u8], hex: bool) -> Result<Values, String> {
    let mut elements = inside.split(|b| *b == b',');
    let variable = variable(elements.next().unwrap_or_default())?;
    let numbers = elements.map(number).collect::<Result<Vec<i64>, String>>()?;
    let (start, step, end) = match numbers[..] {
        [end] => (if end >= 0 { 1 } else { -1 }, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if end < start { -1 } else { 1 }, end),
        [start, step, end] => (start, step, end),
        _ => return Err(format!("{} numbers instead of one to three", numbers.len())),
    };
    if step == 0 || (step > 0 && end < start) || (step < 0 && end > start) {
        return Err(format!("step {step} does not lead from {start} to {end}"));
    }
    if hex && (start < 0 || end < 0) {
        return Err("negative number in hexadecimal".to_owned());
    }
    Ok(Values::Numbers { variable, next: Some(start), step, end, hex })
}

/// An integer with the prefixes of C.
fn number(text: &[u8]) -> Result<i64, String> {
    let text = String::from_utf8_lossy(text.trim_ascii());
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    let plain = digits.starts_with(|c: char| c.is_ascii_alphanumeric());
    let value = i64::from_str_radix(digits, radix).ok().filter(|_| plain);
    value
        .map(|value| if negative { -value } else { value })
        .ok_or_else(|| format!("'{text}' is not a number"))
}

fn lists(inside: &[u8]) -> Result<Values, String> {
    let mut groups = groups(inside)?.into_iter();
    let variables = groups
        .next()
        .unwrap_or_default()
        .iter()
        .map(|name| variable(name))
        .collect::<Result<Vec<_>, String>>()?;
    let sets: Vec<Vec<Box<[u8]>>> = groups.collect();
    if sets.is_empty() || variables.is_empty() {
        return Err("no values".to_owned());
    }
    match sets.iter().find(|set| set.len() > variables.len()) {
        Some(set) => Err(format!("{} values for {} names", set.len(), variables.len())),
        None => Ok(Values::Lists { variables, sets, next: 0 }),
    }
}

/// Elements separated by commas, each one value or several in braces.
fn groups(inside: &[u8]) -> Result<Vec<Vec<Box<[u8]>>>, String> {
    let mut groups = Vec::new();
    let mut rest = inside.trim_ascii();
    loop {
        let group: Vec<Box<[u8]>>;
        if let Some(braced) = rest.strip_prefix(b"{") {
            let end = braced.iter().position(|b| *b == b'}').ok_or("no }")?;
            group = braced[..end].split(|b| *b == b',').map(value).collect::<Result<_, _>>()?;
            rest = braced[end + 1..].trim_ascii_start();
        } else {
            let end = rest.iter().position(|b| *b == b',').unwrap_or(rest.len());
            group = vec![value(&rest[..end])?];
            rest = &rest[end..];
        }
        groups.push(group);
        rest = match rest {
            [] => return Ok(groups),
            [b',', rest @ ..] => rest.trim_ascii_start(),
            _ => return Err("no comma between values".to_owned()),
        };
    }
}

fn value(text: &[u8]) -> Result<Box<[u8]>, String> {
    let text = text.trim_ascii();
    if text.iter().any(|b| b.is_ascii_whitespace() || matches!(b, b'}' | b'{')) {
        return Err(format!("'{}' is no value", String::from_utf8_lossy(text)));
    }
    Ok(text.into())
}
