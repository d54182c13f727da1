//! From lines to the tree: braces open and close blocks, the first word of a line is looked up among
//! the keywords of its level (spec config-language §8, §9, §10.2).
//!
//! What a mistake does to the rest of the file is part of the language, because files with such
//! mistakes are in use: the body of an unknown block counts one level further out, a block without
//! `{` swallows what follows.

use std::borrow::Cow;

use crate::place::Place;
use crate::report::Report;
use crate::tokens::{self, Next, Segment, Token};
use crate::{
    Args, Body, Class, Contents, Grammar, Keyword, Line, Missing, Span, Word, command,
    did_you_mean, suggest, text,
};

/// "Did you mean" is looked up for this many unknown keywords; a file with more is not misspelt.
const MOST_SUGGESTIONS: usize = 100;

/// Deepest nesting of blocks; every grammar is far below it.
const DEEPEST: usize = 64;

/// The keywords known at a level.
#[derive(Clone)]
enum Level {
    Declared(&'static [&'static dyn Grammar]),
    /// Of a block that several grammars declare.
    Merged(Vec<&'static dyn Grammar>),
}

impl Level {
    fn grammars(&self) -> &[&'static dyn Grammar] {
        match self {
            Level::Declared(grammars) => grammars,
            Level::Merged(grammars) => grammars,
        }
    }

    fn find(&self, name: &str) -> Option<&'static Keyword> {
        self.grammars().iter().find_map(|grammar| grammar.find(name))
    }

    /// The level inside the block of `name`: what all grammars declaring it declare together.
    fn inside(&self, name: &str, first: &'static [&'static dyn Grammar]) -> Level {
        if self.grammars().len() == 1 {
            return Level::Declared(first);
        }
        let mut bodies =
            self.grammars().iter().filter_map(|g| g.find(name)).filter_map(|k| match k.body {
                Body::Block(grammars) => Some(grammars),
                _ => None,
            });
        match (bodies.next(), bodies.next()) {
            (_, None) => Level::Declared(first),
            (before, Some(second)) => {
                let all = before.into_iter().chain([second]).chain(bodies);
                Level::Merged(all.flatten().copied().collect())
            }
        }
    }
}

/// A block being read.
struct Open {
    line: Line,
    body: OpenBody,
}

enum OpenBody {
    /// The lines of the block are those from this index on, in [`Tree::lines`].
    Lines(usize, Level),
    Entries(Vec<Vec<Word>>),
    /// Not wanted; the number of braces open in it.
    Skipped(usize),
}

/// Keywords that the reader itself obeys, as found on a line.
pub(crate) enum Special {
    IncludeCheck(Vec<Word>),
    RandomSeed(Word),
}

/// What reading a line led to.
#[derive(Default)]
pub(crate) struct Outcome {
    pub special: Option<Special>,
    /// A mandatory argument is missing: nothing more is read.
    pub stop: bool,
}

/// The tree under construction.
pub(crate) struct Tree {
    /// The lines of the outermost level, and behind them those of each open block: one allocation
    /// grows, and every block gets one of the right size when it is complete.
    lines: Vec<Line>,
    level: Level,
    open: Vec<Open>,
    /// A block keyword whose `{` has not come yet.
    pending: Option<Open>,
    depth: usize,
    suggestions: usize,
    /// Room for the tokens of a line.
    tokens: Vec<Token>,
}

/// What is known of a line before it is taken apart.
pub(crate) struct Known {
    /// Its odd quote has been reported already.
    pub quotes_reported: bool,
    /// It has neither quotes nor braces.
    pub unstructured: bool,
}

impl Tree {
    pub fn new(grammars: &'static [&'static dyn Grammar]) -> Tree {
        Tree {
            lines: Vec::new(),
            level: Level::Declared(grammars),
            open: Vec::new(),
            pending: None,
            depth: 0,
            suggestions: MOST_SUGGESTIONS,
            tokens: Vec::new(),
        }
    }

    /// Takes one line.
    pub fn line(
        &mut self,
        line: &[u8],
        place: &Place,
        known: Known,
        report: &mut Report,
    ) -> Outcome {
        let mut at = At {
            line,
            place,
            plain: None,
            quotes_reported: known.quotes_reported,
            report,
            outcome: Outcome::default(),
            tokens: std::mem::take(&mut self.tokens),
        };
        if known.unstructured {
            self.text(0, line.len(), &mut at);
        } else {
            self.segments(&mut at);
        }
        self.tokens = at.tokens;
        at.outcome
    }

    fn segments(&mut self, at: &mut At<'_>) {
        tokens::segments(at.line, |segment| {
            match segment {
                Segment::Open(offset) => self.open_brace(offset, at),
                Segment::Close(offset) => self.close_brace(offset, at),
                Segment::Text(start, end) => self.text(start, end, at),
            }
            !at.outcome.stop
        });
    }

    fn open_brace(&mut self, offset: usize, at: &mut At<'_>) {
        self.depth += 1;
        if let Some(block) = self.pending.take() {
            self.push(block, at);
            return;
        }
        match self.open.last_mut().map(|open| &mut open.body) {
            Some(OpenBody::Entries(entries)) => {
                entries.push(vec![Word { text: "{".into(), span: at.span(offset, offset + 1) }]);
            }
            Some(OpenBody::Skipped(depth)) => *depth += 1,
            _ => {
                let help = "the lines that follow count for the enclosing level";
                at.report_with_help(
                    Class::UnexpectedOpen,
                    offset,
                    "Unexpected '{' - ignoring",
                    help,
                );
            }
        }
    }

    fn push(&mut self, block: Open, at: &mut At<'_>) {
        if self.open.len() < DEEPEST {
            self.open.push(block);
        } else {
            let message = format!("blocks are nested more than {DEEPEST} deep; ignored");
            at.report.report(Class::General, block.line.span, message);
            self.open.push(Open { body: OpenBody::Skipped(0), ..block });
        }
    }

    /// Reports the missing `{` of a block keyword and opens the block all the same.
    fn open_without_brace(&mut self, offset: usize, at: &mut At<'_>) {
        let Some(block) = self.pending.take() else { return };
        let name = block.line.keyword.name;
        match block.body {
            OpenBody::Entries(_) => {
                let message = format!("missing '{{' behind {name}");
                at.report.log(Some(block.line.span), message);
            }
            OpenBody::Lines(..) => {
                let message = format!("Missing '{{' behind {name}");
                let help = "this line is taken as the first of the block";
                at.report_with_help(Class::MissingOpen, offset, &message, help);
            }
            OpenBody::Skipped(_) => {}
        }
        self.push(block, at);
    }

    fn close_brace(&mut self, offset: usize, at: &mut At<'_>) {
        let extra = self.depth == 0;
        self.depth = self.depth.saturating_sub(1);
        if extra {
            at.report(Class::UnexpectedClose, offset, "Extra '}' found");
        }
        self.open_without_brace(offset, at);
        if let Some(Open { body: OpenBody::Skipped(depth), .. }) = self.open.last_mut()
            && *depth > 0
        {
            *depth -= 1;
            return;
        }
        match self.open.pop() {
            Some(block) => self.attach(block),
            None if extra => {}
            None => at.report(Class::UnknownKeyword, offset, "Unknown keyword '}'"),
        }
    }

    fn attach(&mut self, block: Open) {
        let Open { mut line, body } = block;
        line.body = match body {
            OpenBody::Lines(start, _) => Contents::Lines(self.lines.split_off(start)),
            OpenBody::Entries(entries) => Contents::Entries(entries),
            OpenBody::Skipped(_) => return,
        };
        self.lines.push(line);
    }

    fn text(&mut self, start: usize, end: usize, at: &mut At<'_>) {
        let Some(blanks) = at.line[start..end].iter().position(|b| !tokens::is_separator(*b))
        else {
            return;
        };
        let start = start + blanks;
        at.plain = text::unchanged(&at.line[start..end]).map(|text| (start, text));
        self.open_without_brace(start, at);
        match self.open.last_mut().map(|open| &mut open.body) {
            Some(OpenBody::Entries(entries)) => {
                let words = at.words(start, end);
                if !words.is_empty() {
                    entries.push(words);
                }
            }
            Some(OpenBody::Skipped(_)) => {}
            _ => self.keyword_line(start, end, at),
        }
    }

    fn level(&self) -> &Level {
        match self.open.last() {
            Some(Open { body: OpenBody::Lines(_, level), .. }) => level,
            _ => &self.level,
        }
    }

    fn keyword_line(&mut self, start: usize, end: usize, at: &mut At<'_>) {
        let token = match tokens::token(at.line, start, end) {
            Next::Token(token) => token,
            Next::Unmatched(offset) => return at.unmatched_quote(offset),
            Next::End => return,
        };
        let name = at.token_text(&token);
        let span = at.span(token.start, token.end);
        let Some(keyword) = self.level().find(&name) else {
            return self.unknown(&name, span, at);
        };
        // A command whose quote has no partner is there, if not to be used: nothing is missing.
        let (words, broken) = match keyword.args {
            Args::Command => at.command_words(token.resume(), end),
            _ => (at.words(token.resume(), end), false),
        };
        let rejected = words.is_empty() && (broken || at.missing_argument(keyword, span));
        if at.outcome.stop {
            return;
        }
        at.outcome.special = special(keyword, &words);
        let body = match keyword.body {
            Body::None => {
                if !rejected {
                    self.lines.push(Line { keyword, span, words, body: Contents::None });
                }
                return;
            }
            _ if rejected => OpenBody::Skipped(0),
            Body::Block(grammars) => {
                OpenBody::Lines(self.lines.len(), self.level().inside(&name, grammars))
            }
            Body::Values => {
                if let (Args::Flag, Some(word)) = (keyword.args, words.first()) {
                    let message = format!("{name} takes no parameters; ignored");
                    at.report.report(Class::General, word.span, message);
                }
                OpenBody::Entries(Vec::new())
            }
        };
        let line = Line { keyword, span, words, body: Contents::None };
        self.pending = Some(Open { line, body });
    }

    fn unknown(&mut self, name: &str, span: Span, at: &mut At<'_>) {
        let mut help = None;
        if self.suggestions > 0 {
            self.suggestions -= 1;
            let rows = self.level().grammars().iter().flat_map(|grammar| grammar.keywords());
            help = suggest(name, rows.map(|keyword| keyword.name)).map(did_you_mean);
        }
        let message = format!("Unknown keyword '{name}'");
        at.report.report_with_help(Class::UnknownKeyword, span, message, help);
    }

    /// The end of the text: blocks still open are closed, and reported unless reading was stopped.
    pub fn finish(mut self, stopped: bool, report: &mut Report) -> Vec<Line> {
        if let Some(block) = self.pending.take() {
            report.log(
                Some(block.line.span),
                format!("no block follows {}", block.line.keyword.name),
            );
            self.open.push(block);
        }
        if self.depth > 0 && !stopped {
            let message = format!("Missing '}}': {} open at the end", self.depth);
            match self.open.last() {
                Some(block) => {
                    let help = Some("this block is still open".to_owned());
                    let span = block.line.span;
                    report.report_with_help(Class::MissingClose, span, message, help);
                }
                None => report.report_general(Class::MissingClose, message),
            }
        }
        while let Some(block) = self.open.pop() {
            self.attach(block);
        }
        self.lines
    }
}

fn special(keyword: &Keyword, words: &[Word]) -> Option<Special> {
    match (keyword.name, words) {
        ("include_check", words) => Some(Special::IncludeCheck(words.to_vec())),
        ("random_seed", [seed, ..]) => Some(Special::RandomSeed(seed.clone())),
        _ => None,
    }
}

/// The line being taken apart, and where to report.
struct At<'a> {
    line: &'a [u8],
    place: &'a Place,
    /// The text being looked at and its offset, if it is just the bytes of the line.
    plain: Option<(usize, &'a str)>,
    quotes_reported: bool,
    report: &'a mut Report,
    outcome: Outcome,
    tokens: Vec<Token>,
}

impl<'a> At<'a> {
    fn span(&self, start: usize, end: usize) -> Span {
        self.place.span(start, end)
    }

    fn report(&mut self, class: Class, offset: usize, message: &str) {
        let span = self.span(offset, offset + 1);
        self.report.report(class, span, message);
    }

    fn report_with_help(&mut self, class: Class, offset: usize, message: &str, help: &str) {
        let span = self.span(offset, offset + 1);
        self.report.report_with_help(class, span, message, Some(help.to_owned()));
    }

    fn unmatched_quote(&mut self, offset: usize) {
        if !self.quotes_reported {
            self.quotes_reported = true;
            let rest = String::from_utf8_lossy(&self.line[offset..]).into_owned();
            self.report(Class::UnmatchedQuote, offset, &format!("Unmatched quote: '{rest}'"));
        }
    }

    /// Reports the absence of all arguments if the row minds; true when the keyword is to be ignored.
    fn missing_argument(&mut self, keyword: &Keyword, span: Span) -> bool {
        let name = keyword.name;
        match keyword.missing {
            Missing::Allowed => return false,
            Missing::Error => {
                self.report.report(
                    Class::General,
                    span,
                    format!("{name}: argument missing; ignored"),
                );
            }
            Missing::Fatal => {
                let message = format!("Keyword '{name}' is missing a required parameter");
                let help = Some("nothing behind this line has been read".to_owned());
                self.report.report_with_help(Class::MissingParameter, span, message, help);
                self.outcome.stop = true;
            }
        }
        true
    }

    /// The tokens from `from` to `end`.
    fn words(&mut self, from: usize, end: usize) -> Vec<Word> {
        self.tokens.clear();
        let mut at = from;
        loop {
            match tokens::token(self.line, at, end) {
                Next::Token(token) => {
                    at = token.resume();
                    self.tokens.push(token);
                }
                Next::Unmatched(offset) => {
                    self.unmatched_quote(offset);
                    break;
                }
                Next::End => break,
            }
        }
        let word = |token: &Token| Word {
            text: self.token_text(token).into_owned(),
            span: self.span(token.start, token.end),
        };
        self.tokens.iter().map(word).collect()
    }

    fn token_text(&self, token: &Token) -> Cow<'a, str> {
        let plain = self.plain.and_then(|(offset, text)| {
            text.get(token.start.checked_sub(offset)?..token.end.checked_sub(offset)?)
        });
        match plain {
            Some(text) => Cow::Borrowed(text),
            None => text::from_bytes(&self.line[token.start..token.end]),
        }
    }

    /// The words of a command keyword, which group by both kinds of quotes, and whether one was
    /// left open.
    fn command_words(&mut self, from: usize, end: usize) -> (Vec<Word>, bool) {
        let (pieces, error) = command::split_line(&self.line[from..end]);
        // Behind the command itself an unmatched quote has never been reported.
        if error.is_some() && pieces.is_empty() {
            let offset = self.line[from..end].iter().position(|b| !tokens::is_separator(*b));
            self.unmatched_quote(from + offset.unwrap_or(0));
        }
        let words = pieces
            .iter()
            .map(|piece| Word {
                text: text::from_bytes(&piece.text).into_owned(),
                span: self.span(from + piece.start, from + piece.end),
            })
            .collect();
        (words, error.is_some())
    }
}
