//! `$NAME=VALUE` and what becomes of `$NAME` and `${NAME}` (spec config-language §6).
//!
//! Values are kept unexpanded; a replaced text is scanned again in place, so it may contain further
//! references. A name that comes up again inside its own replacement is reported and left alone.
//! The length of a line bounds everything here.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use crate::random::Random;

/// Longest line, before and after substitution.
pub(crate) const LONGEST: usize = 1023;

/// Most replacements on one line; each may be empty, so the length alone does not bound their number.
const MOST_REPLACEMENTS: usize = 4096;

/// Lines of a multi-line definition.
pub(crate) type Lines = Rc<[Box<[u8]>]>;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Single(Rc<[u8]>),
    Multi(Lines),
}

/// All names defined so far.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    names: HashMap<Box<[u8]>, Value>,
}

impl Definitions {
    pub fn set(&mut self, name: &[u8], value: Value) {
        self.names.insert(name.into(), value);
    }

    pub fn get(&self, name: &[u8]) -> Option<&Value> {
        self.names.get(name)
    }
}

/// What the predefined names say.
pub(crate) struct Surroundings<'a> {
    /// Directory of the file being read.
    pub directory: &'a Path,
    pub config_id: &'a [u8],
    pub random: &'a mut Random,
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn name_length(text: &[u8]) -> usize {
    match text.first() {
        Some(first) if is_name_start(*first) => text.iter().take_while(|b| is_name(**b)).count(),
        _ => 0,
    }
}

/// Splits a definition line into name and value; `None` when it is none.
pub(crate) fn definition(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.strip_prefix(b"$")?;
    let (name, rest) = rest.split_at(name_length(rest));
    let value = rest.strip_prefix(b"=").filter(|_| !name.is_empty())?;
    let blanks = value.iter().take_while(|b| is_blank(**b)).count();
    Some((name, &value[blanks..]))
}

/// A reference at the start of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    pub name: &'a [u8],
    /// Text between the name and the closing brace.
    args: &'a [u8],
    /// Bytes from the `$` on.
    pub len: usize,
}

/// The reference that `text`, which begins with `$`, begins with.
pub(crate) fn reference(text: &[u8]) -> Option<Reference<'_>> {
    let rest = text.strip_prefix(b"$")?;
    let Some(braced) = rest.strip_prefix(b"{") else {
        let len = name_length(rest);
        let ends = matches!(rest.get(len), None | Some(b' ' | b'\t' | b',' | b')'));
        return (len > 0 && ends).then(|| Reference {
            name: &rest[..len],
            args: &[],
            len: len + 1,
        });
    };
    let len = name_length(braced);
    if len == 0 {
        return None;
    }
    let args = braced[len..].iter().take_while(|b| is_name(**b) || is_blank(**b)).count();
    let closed = braced.get(len + args) == Some(&b'}');
    let args_text = &braced[len..len + args];
    let tight = args_text.last().is_none_or(|b| !is_blank(*b));
    (closed && tight).then(|| Reference {
        name: &braced[..len],
        args: args_text,
        len: len + args + 3,
    })
}

impl Reference<'_> {
    fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.args.split(|b| is_blank(*b)).filter(|word| !word.is_empty())
    }
}

/// A line after substitution.
#[derive(Debug, Default)]
pub(crate) struct Substituted {
    pub text: Vec<u8>,
    /// Offsets of `#` and `!` that stand for themselves.
    pub literal: Vec<usize>,
    /// Bytes at the start that were not touched.
    pub before: usize,
    /// Offset from which the text is the end of the original again.
    pub behind: usize,
    /// Lines that follow this one, outermost definition first.
    pub following: Vec<(Box<[u8]>, Lines)>,
    /// The line must not be used.
    pub refused: bool,
    /// What went wrong: general errors.
    pub errors: Vec<String>,
    /// Remarks for the log.
    pub remarks: Vec<String>,
}

/// What a reference is replaced by.
enum Replacement {
    Text(Vec<u8>),
    /// A character that starts no comment.
    Literal(u8),
    Lines(Lines),
    None,
    Error(String),
    /// An error, and a value that is used all the same.
    Doubtful(Vec<u8>, String),
}

/// Replaces the references in `line`; `None` when nothing was replaced and nothing is to be said.
pub(crate) fn substitute(
    line: &[u8],
    definitions: &Definitions,
    surroundings: &mut Surroundings<'_>,
) -> Option<Substituted> {
    let mut work = Work {
        result: Substituted { before: line.len(), ..Substituted::default() },
        done: line.iter().map(|b| u16::from(*b)).collect(),
        rest: Vec::new(),
        original_tail: line.len(),
        active: Vec::new(),
        replacements: 0,
    };
    // A `$` may come to stand in front of a name only by the replacement behind it.
    loop {
        let before = work.replacements;
        work.pass(definitions, surroundings);
        if work.replacements == before || !work.result.errors.is_empty() {
            break;
        }
    }
    let Work { mut result, done, original_tail, replacements, .. } = work;
    if replacements == 0 && result.errors.is_empty() && result.remarks.is_empty() {
        return None;
    }
    let literals = done.iter().enumerate().filter(|(_, unit)| **unit & LITERAL != 0);
    result.literal = literals.map(|(at, _)| at).collect();
    result.text = done.iter().map(|unit| unit.to_le_bytes()[0]).collect();
    result.behind = result.text.len().saturating_sub(original_tail);
    Some(result)
}

/// Marks a byte that is no comment start whatever it is.
const LITERAL: u16 = 0x100;

struct Work {
    result: Substituted,
    /// What has been scanned.
    done: Vec<u16>,
    /// What is still to be scanned, last byte first, so that replacing is cheap.
    rest: Vec<u16>,
    /// How many bytes behind the last replacement are the original's.
    original_tail: usize,
    /// Names being replaced, each with the length of what stood behind it.
    active: Vec<(Box<[u8]>, usize)>,
    replacements: usize,
}

impl Work {
    fn pass(&mut self, definitions: &Definitions, surroundings: &mut Surroundings<'_>) {
        self.active.clear();
        self.rest = std::mem::take(&mut self.done);
        self.rest.reverse();
        while let Some(unit) = self.rest.last().copied() {
            if unit != u16::from(b'$') || !self.replace(definitions, surroundings) {
                self.rest.pop();
                self.done.push(unit);
            }
        }
    }

    /// Replaces the reference that is next, if there is one.
    fn replace(&mut self, definitions: &Definitions, surroundings: &mut Surroundings<'_>) -> bool {
        let upcoming: Vec<u8> = self.rest.iter().rev().map(|unit| unit.to_le_bytes()[0]).collect();
        let Some(reference) = reference(&upcoming) else { return false };
        let behind = self.rest.len() - reference.len;
        while self.active.last().is_some_and(|(_, tail)| *tail >= self.rest.len()) {
            self.active.pop();
        }
        if self.replacements >= MOST_REPLACEMENTS {
            self.result.refused = true;
            let message = format!("more than {MOST_REPLACEMENTS} substitutions; line ignored");
            return self.give_up(message);
        }
        if self.active.iter().any(|(name, _)| **name == *reference.name) {
            let name = String::from_utf8_lossy(reference.name);
            return self.give_up(format!("definition of ${name} refers to itself"));
        }
        let replacement = match definitions.get(reference.name) {
            Some(_) if !reference.args.is_empty() => Replacement::None,
            Some(Value::Single(value)) => Replacement::Text(value.to_vec()),
            Some(Value::Multi(lines)) if behind == 0 => Replacement::Lines(Rc::clone(lines)),
            Some(Value::Multi(_)) => Replacement::None,
            None => predefined(&reference, surroundings),
        };
        self.put(&reference, replacement, behind)
    }

    fn put(&mut self, reference: &Reference<'_>, replacement: Replacement, behind: usize) -> bool {
        let text = match replacement {
            Replacement::None => return false,
            Replacement::Error(message) => {
                self.result.errors.push(message);
                return false;
            }
            Replacement::Literal(byte) => {
                self.replaced(behind);
                self.done.push(LITERAL | u16::from(byte));
                return true;
            }
            Replacement::Lines(lines) => {
                let first = lines.first().map(|line| line.to_vec()).unwrap_or_default();
                if lines.len() > 1 {
                    self.result.following.push((reference.name.into(), lines));
                }
                first
            }
            Replacement::Text(text) => text,
            Replacement::Doubtful(text, message) => {
                self.result.errors.push(message);
                text
            }
        };
        if self.done.len() + text.len() + behind > LONGEST {
            let name = String::from_utf8_lossy(reference.name);
            let message = format!("line with ${name} replaced is longer than {LONGEST} bytes");
            self.result.remarks.push(message);
            self.keep_rest();
            return true;
        }
        self.replaced(behind);
        self.active.push((reference.name.into(), behind));
        self.rest.extend(text.iter().rev().map(|b| u16::from(*b)));
        true
    }

    fn replaced(&mut self, behind: usize) {
        self.replacements += 1;
        self.result.before = self.result.before.min(self.done.len());
        self.original_tail = self.original_tail.min(behind);
        self.rest.truncate(behind);
    }

    /// Reports and leaves the rest of the line as it is.
    fn give_up(&mut self, message: String) -> bool {
        self.result.errors.push(message);
        self.keep_rest();
        true
    }

    fn keep_rest(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        self.done.extend(rest.iter().rev());
    }
}

fn predefined(reference: &Reference<'_>, surroundings: &mut Surroundings<'_>) -> Replacement {
    let text = match reference.name {
        b"_PWD" | b"_INSTANCE" | b"_HASH" | b"_BANG" if !reference.args.is_empty() => {
            return wrong_arguments(reference);
        }
        b"_HASH" => return Replacement::Literal(b'#'),
        b"_BANG" => return Replacement::Literal(b'!'),
        b"_PWD" => {
            use std::os::unix::ffi::OsStrExt;
            surroundings.directory.as_os_str().as_bytes().to_vec()
        }
        b"_INSTANCE" => surroundings.config_id.to_vec(),
        b"_RANDOM" => return random(reference, surroundings.random),
        b"_ENV" => return environment(reference),
        _ => return Replacement::None,
    };
    Replacement::Text(text)
}

fn wrong_arguments(reference: &Reference<'_>) -> Replacement {
    let name = String::from_utf8_lossy(reference.name);
    let args = String::from_utf8_lossy(reference.args);
    Replacement::Error(format!("wrong arguments of ${{{name}}}: '{}'", args.trim()))
}

fn random(reference: &Reference<'_>, random: &mut Random) -> Replacement {
    let mut bounds = [0u64, 32767];
    let count = reference.words().count();
    if count > bounds.len() {
        return wrong_arguments(reference);
    }
    for (bound, word) in bounds.iter_mut().zip(reference.words()) {
        let number = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
        let Some(number) = number else { return wrong_arguments(reference) };
        *bound = number;
    }
    let [min, max] = bounds;
    if min > max {
        let message = format!("${{_RANDOM}}: minimum {min} is above maximum {max}; {min} is used");
        return Replacement::Doubtful(min.to_string().into_bytes(), message);
    }
    Replacement::Text(random.between(min, max).to_string().into_bytes())
}

fn environment(reference: &Reference<'_>) -> Replacement {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut words = reference.words();
    let (Some(name), None) = (words.next(), words.next()) else {
        return wrong_arguments(reference);
    };
    let value = std::env::var_os(std::ffi::OsStr::from_bytes(name)).unwrap_or_default();
    // What no line of a file can contain must not come in this way.
    let value = value.into_vec().into_iter().filter(|b| !matches!(b, 0 | b'\n' | b'\r'));
    Replacement::Text(value.collect())
}
