//! The stages a line passes, from the file to the tree (spec config-language §1).

use std::borrow::Cow;
use std::path::Path;
use std::rc::Rc;

use super::{Collecting, Frame, MOST_FRAMES, Origin, Reader};
use crate::definitions::{self, Lines, Substituted, Surroundings, Value};
use crate::dispatch::{Known, Special};
use crate::include;
use crate::pattern;
use crate::place::Place;
use crate::random::Random;
use crate::sequence::{self, Parsed};
use crate::strip::{Stripped, conditional, strip};
use crate::{Class, Fatal, Mode, Span};

/// What one look at the bytes of a line tells.
pub(super) struct Scan {
    /// Bytes in front of the newline, or all.
    pub length: usize,
    /// There are at least so many blanks at the start.
    indent: usize,
    /// There is a byte 0.
    pub nul: bool,
    /// There is something for the first pass to look at.
    pub special: bool,
    /// There is a `$`.
    pub reference: bool,
    /// There is a quote or a brace.
    pub structured: bool,
}

const NEWLINE: u8 = 1;
const NUL: u8 = 2;
const SPECIAL: u8 = 4;
const REFERENCE: u8 = 8;
const STRUCTURE: u8 = 16;

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    kinds[b'\n' as usize] = NEWLINE;
    kinds[0] = NUL;
    kinds[b'#' as usize] = SPECIAL;
    kinds[b'!' as usize] = SPECIAL;
    kinds[b'"' as usize] = SPECIAL | STRUCTURE;
    kinds[b'\\' as usize] = SPECIAL;
    kinds[b'$' as usize] = REFERENCE;
    kinds[b'{' as usize] = STRUCTURE;
    kinds[b'}' as usize] = STRUCTURE;
    kinds
}

static KINDS: [u8; 256] = kinds();

pub(super) fn scan(bytes: &[u8]) -> Scan {
    let mut indent = 0;
    while bytes[indent..].starts_with(b"    ") {
        indent += 4;
    }
    let mut seen = 0;
    let rest = bytes[indent..].iter().position(|byte| {
        let kind = KINDS[usize::from(*byte)];
        seen |= kind;
        kind == NEWLINE
    });
    Scan {
        length: rest.map_or(bytes.len(), |rest| indent + rest),
        indent,
        nul: seen & NUL != 0,
        special: seen & SPECIAL != 0,
        reference: seen & REFERENCE != 0,
        structured: seen & STRUCTURE != 0,
    }
}

/// Where a line comes from decides what may still be done to it.
#[derive(Clone, Copy, Default)]
struct Done {
    /// Its odd quote has been reported.
    quotes: bool,
    /// Its comment ends in a `\` that continues a definition.
    continued: bool,
    /// Its `@ID` has been removed.
    condition: bool,
    /// Its references have been replaced, or there is none.
    substitution: bool,
    /// It is known to have neither quotes nor braces.
    unstructured: bool,
}

/// Most replacements of a leading reference by a sequence.
const MOST_REWRITES: usize = 8;

impl Reader {
    /// Comments, quotes, and the lines of multi-line definitions (spec §4, §6.3).
    pub(super) fn physical_line(&mut self, line: &[u8], place: Place, scan: &Scan) {
        let stripped = if scan.special {
            strip(line, &[])
        } else {
            let text = line.trim_ascii_end();
            let known = scan.indent.min(text.len());
            let more = text[known..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
            let indent = known + more;
            Stripped::plain(&text[indent..], indent)
        };
        if stripped.unterminated {
            self.report.report(Class::General, place.whole, "Unterminated quote");
        }
        let mut place = place.skip(stripped.indent);
        if let Some((first, last, count)) = stripped.dropped {
            place = place.changed(first, last, isize::try_from(count).unwrap_or(0));
        }
        let text = &stripped.text;
        if self.collecting.is_some() {
            return self.collect(text, stripped.comment_continues, line.is_empty());
        }
        let done = Done {
            quotes: stripped.unterminated,
            continued: stripped.comment_continues,
            condition: false,
            substitution: !scan.reference,
            unstructured: !scan.structured,
        };
        self.stage(text, place, done);
    }

    /// A line that definitions or sequences yield; it has passed the first stage before.
    pub(super) fn logical_line(&mut self, text: &[u8], place: Place) {
        if self.collecting.is_some() {
            return self.collect(text, false, text.is_empty());
        }
        self.stage(text, place, Done::default());
    }

    fn collect(&mut self, text: &[u8], comment_continues: bool, empty: bool) {
        let Some(collecting) = &mut self.collecting else { return };
        let (line, continued) = match text.strip_suffix(b"\\") {
            Some(line) => (line.trim_ascii_end(), true),
            None => (text, comment_continues),
        };
        if !line.is_empty() {
            collecting.lines.push(line.into());
        }
        // A line of blanks or with a comment only is as if it were not there.
        if !continued && (empty || !line.is_empty()) {
            self.end_definition();
        }
    }

    /// Completes a multi-line definition.
    pub(super) fn end_definition(&mut self) {
        if let Some(Collecting { name, lines }) = self.collecting.take() {
            // What turns out to be one line may stand anywhere.
            let value = match lines.as_slice() {
                [] => Value::Single([].into()),
                [line] => Value::Single(Rc::from(&**line)),
                _ => Value::Multi(lines.into()),
            };
            self.definitions.set(&name, value);
        }
    }

    /// Conditions, definitions, sequences, substitution, in that order; then the line itself.
    fn stage(&mut self, text: &[u8], place: Place, mut done: Done) {
        let (mut text, mut place) = (text, place);
        if !done.condition
            && let Some((kept, len)) = conditional(text, self.config_id.as_bytes())
        {
            if !kept {
                return;
            }
            done.condition = true;
            (text, place) = (&text[len..], place.skip(len));
        }
        match text.first() {
            None => {}
            Some(b'$') if self.define(text, done.continued) => {}
            Some(b'$') if self.whole_reference(text, place.whole) => {}
            Some(b'~') if self.sequence(text, place) => {}
            Some(b'~') => self.dispatch(text, &place, done),
            Some(_) if !done.substitution && text.contains(&b'$') => {
                self.substituted(text, place, done);
            }
            Some(_) => self.dispatch(text, &place, done),
        }
    }

    /// Takes a definition line; false when it is none.
    fn define(&mut self, text: &[u8], comment_continues: bool) -> bool {
        let Some((name, value)) = definitions::definition(text) else { return false };
        let first = match value.strip_suffix(b"\\") {
            Some(first) => Some(first.trim_ascii_end()),
            None => comment_continues.then_some(value),
        };
        if let Some(first) = first {
            let lines = if first.is_empty() { Vec::new() } else { vec![first.into()] };
            self.collecting = Some(Collecting { name: name.into(), lines });
        } else {
            self.definitions.set(name, Value::Single(value.into()));
        }
        true
    }

    /// Takes a line that is nothing but a reference to several lines, so that the first of them,
    /// too, may be a definition, a sequence or a condition.
    fn whole_reference(&mut self, text: &[u8], whole: Span) -> bool {
        let Some(reference) = definitions::reference(text) else { return false };
        match self.definitions.get(reference.name) {
            Some(Value::Multi(lines)) if reference.len == text.len() => {
                let lines = Rc::clone(lines);
                self.push_lines(reference.name.into(), lines, 0, whole);
                true
            }
            _ => false,
        }
    }

    fn push_lines(&mut self, name: Box<[u8]>, lines: Lines, next: usize, whole: Span) {
        let again = |frame: &Frame| matches!(frame, Frame::Generated { name: n, .. } if *n == name);
        if self.frames.iter().any(again) {
            let name = String::from_utf8_lossy(&name);
            let message = format!("definition of ${name} refers to itself; ignored");
            return self.report.report(Class::General, whole, message);
        }
        self.push_frame(Frame::Generated { name, lines, next, whole }, whole);
    }

    fn push_frame(&mut self, frame: Frame, whole: Span) {
        if self.frames.len() < MOST_FRAMES {
            self.frames.push(frame);
        } else {
            let message = "includes, definitions and sequences are nested too deep; ignored";
            self.report.report(Class::General, whole, message);
        }
    }

    /// Takes a `~SEQ` or `~LST` line; false when it is none.
    fn sequence(&mut self, text: &[u8], place: Place) -> bool {
        let mut errors = Vec::new();
        let parsed = sequence::parse(text, |numbers| match self.replace(numbers) {
            Some(result) if result.following.is_empty() => {
                errors = result.errors;
                result.text
            }
            _ => numbers.to_vec(),
        });
        for message in errors {
            self.report.report(Class::General, place.whole, message);
        }
        match parsed {
            Parsed::Other => return false,
            Parsed::Error(message) => self.report.report(Class::General, place.whole, message),
            Parsed::Sequence(sequence) => {
                self.push_frame(Frame::Sequence { sequence, whole: place.whole }, place.whole);
            }
        }
        true
    }

    fn replace(&mut self, text: &[u8]) -> Option<Substituted> {
        let directory = self.frames.iter().rev().find_map(|frame| match frame {
            Frame::File(file) => Some(Rc::clone(&file.directory)),
            _ => None,
        });
        let mut surroundings = Surroundings {
            directory: directory.as_deref().unwrap_or(Path::new("/")),
            config_id: self.config_id.as_bytes(),
            random: &mut self.random,
        };
        definitions::substitute(text, &self.definitions, &mut surroundings)
    }

    /// Puts the value in place of a leading reference when it is a sequence: its own references are
    /// for the lines it yields.
    fn leading_sequence(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut text = Cow::Borrowed(text);
        for _ in 0..MOST_REWRITES {
            let reference = definitions::reference(&text)?;
            let Value::Single(value) = self.definitions.get(reference.name)? else { return None };
            let rewritten = [value, &text[reference.len..]].concat();
            if rewritten.starts_with(b"~SEQ") || rewritten.starts_with(b"~LST") {
                return Some(rewritten);
            }
            text = Cow::Owned(rewritten);
        }
        None
    }

    /// Replaces the references of a line, and looks at the result again (spec §6.4).
    fn substituted(&mut self, text: &[u8], place: Place, mut done: Done) {
        done.substitution = true;
        done.unstructured = false;
        if let Some(rewritten) = self.leading_sequence(text) {
            let place = Place::generated(place.whole);
            if self.sequence(&rewritten, place) {
                return;
            }
        }
        let Some(result) = self.replace(text) else { return self.dispatch(text, &place, done) };
        for message in &result.errors {
            self.report.report(Class::General, place.whole, message.clone());
        }
        for message in &result.remarks {
            self.report.log(Some(place.whole), message.clone());
        }
        if result.refused {
            return;
        }
        let shift = difference(text.len(), result.text.len());
        let place = place.changed(result.before, result.behind, shift);
        for (name, lines) in result.following {
            self.push_lines(name, lines, 1, place.whole);
        }
        let stripped = strip(&result.text, &result.literal);
        if stripped.unterminated && !done.quotes {
            done.quotes = true;
            self.report.report(Class::General, place.whole, "Unterminated quote");
        }
        let mut place = place.skip(stripped.indent);
        if let Some((first, last, count)) = stripped.dropped {
            place = place.changed(first, last, difference(count, 0));
        }
        self.stage(&stripped.text, place, done);
    }

    /// Includes, else a line of the tree.
    fn dispatch(&mut self, text: &[u8], place: &Place, done: Done) {
        if text.starts_with(b"include")
            && let Some((checks, start)) = include::directive(text)
        {
            return self.include(&text[start..], checks, place.span(start, text.len()));
        }
        let known = Known { quotes_reported: done.quotes, unstructured: done.unstructured };
        let outcome = self.tree.line(text, place, known, &mut self.report);
        if outcome.stop {
            self.fatal = Some(Fatal::MissingParameter);
        }
        match outcome.special {
            Some(Special::IncludeCheck(words)) => {
                let report = &mut self.report;
                let texts = words.iter().map(|word| word.text.as_str());
                self.checks.configure(texts, |index, message| {
                    let message = format!("include_check: {message}");
                    report.report(Class::General, words[index].span, message);
                });
            }
            Some(Special::RandomSeed(word)) => {
                if let Ok(seed) = word.text.parse() {
                    self.random = Random::seeded(seed);
                }
            }
            None => {}
        }
    }

    fn include(&mut self, pattern: &[u8], directive: include::Checks, span: Span) {
        let pattern = pattern.trim_ascii();
        let directory = self.frames.iter().rev().find_map(|frame| match frame {
            Frame::File(file) => Some(Rc::clone(&file.directory)),
            _ => None,
        });
        let Some(directory) = directory else { return };
        let matches = pattern::expand(&*self.files, &directory, pattern);
        let verdict = include::judge(&matches, directive, self.checks);
        for (strict, message) in verdict.messages {
            self.include_problem(strict, span, message);
        }
        if verdict.read && !matches.names.is_empty() {
            let strict = directive.read || self.checks.read;
            let origin = Origin::Include { span, strict };
            let names = matches.names.into_iter();
            self.push_frame(Frame::Queue { names, directory, origin }, span);
        }
    }

    /// Reports an include problem: an error that forbids starting, or a mere message.
    pub(super) fn include_problem(&mut self, strict: bool, span: Span, message: String) {
        if strict {
            self.report.report(Class::FileNotFound, span, message);
            if self.mode != Mode::Reload && self.fatal.is_none() {
                self.fatal = Some(Fatal::Include);
            }
        } else {
            self.report.report(Class::Note, span, message);
        }
    }
}

fn difference(before: usize, after: usize) -> isize {
    let signed = |n| isize::try_from(n).unwrap_or(isize::MAX);
    signed(before).saturating_sub(signed(after))
}
