//! Include directives and how severe their problems are (spec config-language §2.2, §2.4).

use crate::pattern::Matches;

/// Which include problems are errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks {
    /// A match cannot be read.
    pub read: bool,
    /// A literal file, or the directory of a wildcard, is missing.
    pub found: bool,
    /// A wildcard matches nothing.
    pub wildcard: bool,
    /// An alternative in braces is missing.
    pub brace: bool,
}

impl Checks {
    pub const ALL: Checks = Checks { read: true, found: true, wildcard: true, brace: true };

    fn or(self, other: Checks) -> Checks {
        Checks {
            read: self.read || other.read,
            found: self.found || other.found,
            wildcard: self.wildcard || other.wildcard,
            brace: self.brace || other.brace,
        }
    }

    fn set(&mut self, word: &str, value: bool) -> bool {
        match word {
            "read" => self.read = value,
            "match" => self.found = value,
            "wildcard_match" => self.wildcard = value,
            "brace_match" => self.brace = value,
            _ => return false,
        }
        true
    }

    /// Applies the words behind `include_check`; calls `error` with the index of each bad one.
    pub fn configure<'a>(
        &mut self,
        words: impl ExactSizeIterator<Item = &'a str>,
        mut error: impl FnMut(usize, String),
    ) {
        if words.len() == 0 {
            *self = Checks::ALL;
        }
        let mut cleared = false;
        for (index, word) in words.enumerate() {
            let (word, value) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
                (Some(word), _) => (word, true),
                (_, Some(word)) => (word, false),
                _ if cleared => {
                    error(index, format!("'{word}' needs + or - behind another check; ignored"));
                    continue;
                }
                _ => {
                    cleared = true;
                    *self = Checks::default();
                    self.read = self.set(word, true);
                    (word, true)
                }
            };
            if !self.set(word, value) {
                error(index, format!("'{word}' is no include check; ignored"));
            }
        }
    }
}

/// Recognises a directive: what it adds to the checks, and the offset of its pattern.
pub(crate) fn directive(line: &[u8]) -> Option<(Checks, usize)> {
    let rest = line.strip_prefix(b"include")?;
    let none = Checks::default();
    let (checks, word) = match rest.first()? {
        b' ' | b'\t' => (none, 0),
        b'r' => (Checks { read: true, ..none }, 1),
        b'm' => (Checks { read: true, found: true, ..none }, 1),
        b'w' => (Checks { brace: false, ..Checks::ALL }, 1),
        b'b' => (Checks { read: true, brace: true, ..none }, 1),
        b'a' => (Checks::ALL, 1),
        _ => return None,
    };
    let blanks = rest[word..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let start = b"include".len() + word + blanks;
    (blanks > 0 && start < line.len()).then_some((checks, start))
}

/// What is wrong with the matches of a pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Messages, each with whether it is an error.
    pub messages: Vec<(bool, String)>,
    /// Whether the matches are read.
    pub read: bool,
}

/// Judges `matches` under the checks of the directive and those in force.
pub(crate) fn judge(matches: &Matches, directive: Checks, in_force: Checks) -> Verdict {
    let checks = directive.or(in_force);
    let mut verdict = Verdict { read: true, ..Verdict::default() };
    if matches.too_many {
        verdict.messages.push((true, "pattern yields too many files; not read".to_owned()));
        verdict.read = false;
    }
    let missing_is_error = if matches.braces { checks.brace } else { checks.found };
    for name in &matches.missing {
        let name = String::from_utf8_lossy(name);
        verdict.messages.push((missing_is_error, format!("include file '{name}' is missing")));
    }
    if matches.braces && checks.brace && !matches.missing.is_empty() {
        verdict.read = false;
    }
    if checks.wildcard && matches.names.is_empty() {
        for pattern in &matches.empty {
            let pattern = String::from_utf8_lossy(pattern);
            verdict.messages.push((true, format!("no file matches '{pattern}'")));
        }
    }
    verdict
}

#[cfg(test)]
mod tests;
