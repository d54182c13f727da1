//! File name patterns: braces, then what POSIX `glob()` knows (spec config-language §2).
//!
//! Our own rather than the C library's because the files may be in memory, names are bytes, and the
//! severity of "nothing matches" depends on what exactly is missing, which `glob()` does not tell.

use std::path::Path;

use crate::files::{Files, Kind, path_of};

/// Most alternatives of one pattern, and most names it may yield.
const MOST: usize = 65_536;

/// What a pattern led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Matches {
    /// Names in the order to read them.
    pub names: Vec<Vec<u8>>,
    /// Alternatives of which a file or directory is missing.
    pub missing: Vec<Vec<u8>>,
    /// Alternatives whose directory exists and has nothing that matches.
    pub empty: Vec<Vec<u8>>,
    /// The pattern had an unescaped `{`.
    pub braces: bool,
    /// The pattern was cut because it yields too much.
    pub too_many: bool,
}

/// All files that `pattern`, relative to `directory`, stands for.
pub(crate) fn expand(files: &dyn Files, directory: &Path, pattern: &[u8]) -> Matches {
    let mut matches = Matches { braces: has_unescaped(pattern, b"{"), ..Matches::default() };
    let alternatives = match braces(pattern) {
        Some(alternatives) => alternatives,
        None => {
            matches.too_many = true;
            return matches;
        }
    };
    for alternative in alternatives {
        if !has_unescaped(&alternative, b"*?[") {
            let name = unescape(&alternative);
            match files.kind(&path_of(directory, &name)) {
                Kind::Missing => matches.missing.push(name),
                _ => matches.names.push(name),
            }
            continue;
        }
        let found = glob(files, directory, &alternative);
        if found.is_empty() {
            let literal = literal_directory(&alternative);
            let exists = literal.is_empty()
                || files.kind(&path_of(directory, &unescape(literal))) != Kind::Missing;
            let list = if exists { &mut matches.empty } else { &mut matches.missing };
            list.push(alternative);
        } else if matches.names.len() + found.len() > MOST {
            matches.too_many = true;
            return matches;
        } else {
            matches.names.extend(found);
        }
    }
    matches
}

fn has_unescaped(pattern: &[u8], wanted: &[u8]) -> bool {
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            byte if wanted.contains(byte) => return true,
            _ => {}
        }
    }
    false
}

fn unescape(pattern: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(pattern.len());
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            byte => plain.push(*byte),
        }
    }
    plain
}

/// The directory in front of the first component with a wildcard.
fn literal_directory(pattern: &[u8]) -> &[u8] {
    let mut end = 0;
    for (at, byte) in pattern.iter().enumerate() {
        if *byte == b'/' {
            if has_unescaped(&pattern[end..at], b"*?[") {
                break;
            }
            end = at.max(1);
        }
    }
    &pattern[..end]
}

/// Brace expansion, left to right; `None` when it yields too much. Braces without a partner, and
/// `{}`, stand for themselves.
fn braces(pattern: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut done = Vec::new();
    // Last first; of each, the part up to the offset has no more braces to expand.
    let mut todo = vec![(pattern.to_vec(), 0)];
    while let Some((pattern, from)) = todo.pop() {
        let Some((open, commas, close)) = first_group(&pattern, from) else {
            done.push(pattern);
            continue;
        };
        if done.len() + todo.len() + commas.len() >= MOST {
            return None;
        }
        let starts = std::iter::once(open).chain(commas.iter().copied());
        let ends = commas.iter().copied().chain(std::iter::once(close));
        let parts: Vec<(usize, usize)> = starts.zip(ends).collect();
        for (start, end) in parts.into_iter().rev() {
            let alternative =
                [&pattern[..open], &pattern[start + 1..end], &pattern[close + 1..]].concat();
            todo.push((alternative, open));
        }
    }
    Some(done)
}

/// The first `{…}` at or behind `from`: offsets of `{`, of its commas, of `}`.
fn first_group(pattern: &[u8], from: usize) -> Option<(usize, Vec<usize>, usize)> {
    let mut stack: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut found: Option<(usize, Vec<usize>, usize)> = None;
    let mut at = from;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => at += 1,
            b'{' if pattern.get(at + 1) == Some(&b'}') => at += 1,
            b'{' => stack.push((at, Vec::new())),
            b',' => {
                if let Some((_, commas)) = stack.last_mut() {
                    commas.push(at);
                }
            }
            b'}' => {
                if let Some((open, commas)) = stack.pop() {
                    // An outer group replaces the inner one found before it.
                    found = Some(match found {
                        Some(earlier) if earlier.0 < open => earlier,
                        _ => (open, commas, at),
                    });
                    if stack.is_empty() {
                        return found;
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Names matching a pattern without braces, in byte order.
fn glob(files: &dyn Files, directory: &Path, pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![Vec::new()];
    let mut components = pattern.split(|b| *b == b'/').peekable();
    let mut first = true;
    while let Some(component) = components.next() {
        let last = components.peek().is_none();
        let mut next: Vec<Vec<u8>> = Vec::new();
        for prefix in &found {
            let mut prefix = prefix.clone();
            if !first {
                prefix.push(b'/');
            }
            if has_unescaped(component, b"*?[") {
                let names = files.list(&path_of(directory, &prefix)).unwrap_or_default();
                let fit = names.into_iter().filter(|name| matches(component, name));
                next.extend(fit.map(|name| [prefix.as_slice(), &name].concat()));
            } else {
                prefix.extend(unescape(component));
                if !last || files.kind(&path_of(directory, &prefix)) != Kind::Missing {
                    next.push(prefix);
                }
            }
            if next.len() > MOST {
                break;
            }
        }
        found = next;
        first = false;
    }
    found.sort_unstable();
    found
}

/// Whether a file name fits one component of a pattern.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    // Where to go back to: the last `*`, and how much of the name it has taken.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            None if n == name.len() => return true,
            None => None,
            Some(_) => name.get(n).and_then(|byte| one(&pattern[p..], *byte)),
        };
        if let Some(taken) = step {
            p += taken;
            n += 1;
            continue;
        }
        match retry {
            Some((start, taken)) if taken < name.len() => {
                retry = Some((start, taken + 1));
                (p, n) = (start, taken + 1);
            }
            _ => return false,
        }
    }
}

/// How much of the pattern matches `byte`.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', set @ ..] => match class(set, byte) {
            Some((true, len)) => Some(len + 1),
            Some((false, _)) => None,
            None => (byte == b'[').then_some(1),
        },
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

/// Whether `byte` is in a `[…]` and how long that is; `None` when it has no end.
fn class(set: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(set.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let mut at = start;
    let mut inside = false;
    loop {
        let mut low = *set.get(at)?;
        if low == b']' && at > start {
            return Some((inside != negated, at + 1));
        }
        if low == b'\\' {
            at += 1;
            low = *set.get(at)?;
        }
        at += 1;
        let high = match (set.get(at), set.get(at + 1)) {
            (Some(b'-'), Some(high)) if *high != b']' => {
                at += 2;
                *high
            }
            _ => low,
        };
        inside |= (low..=high).contains(&byte);
    }
}

#[cfg(test)]
mod tests;
