//! The `regex` keywords of a `url` block.
//!
//! What is wrong here has never been an error of the configuration: it is logged, and the test of a
//! configuration passes.

use config::{Args, Context, Keyword, Line, Row, Table, Word, unescaped};

use crate::settings::RegexSettings;

/// Options of the expression; others are ignored without a word, as they always were.
pub const OPTIONS: &[&str] = &[
    "allow_empty_class",
    "alt_bsux",
    "auto_callout",
    "caseless",
    "dollar_endonly",
    "dotall",
    "dupnames",
    "extended",
    "firstline",
    "match_unset_backref",
    "multiline",
    "never_ucp",
    "never_utf",
    "no_auto_capture",
    "no_auto_possess",
    "no_dotstar_anchor",
    "no_start_optimize",
    "ucp",
    "ungreedy",
    "utf",
    "never_backslash_c",
    "alt_circumflex",
    "alt_verbnames",
    "use_offset_limit",
];

/// What was given.
#[derive(Default)]
pub(super) struct Regex {
    pattern: Option<String>,
    parameters: bool,
    no_match: bool,
    /// One bit for each of [`OPTIONS`].
    options: u32,
    min_offset: usize,
    max_offset: Option<usize>,
    stack: Option<(usize, usize)>,
}

/// Keywords about the expression that a body must match.
pub(super) static REGEX: Table<Regex> = Table::new(&[
    Row::new(
        // Quotes and escapes are those of commands: a `\` for the expression is written twice.
        Keyword::new("regex", Args::Command, "Expression the body must match"),
        pattern,
    ),
    Row::new(
        Keyword::new("regex_no_match", Args::Flag, "The body must not match"),
        |regex, _, _| {
            regex.parameters = true;
            regex.no_match = true;
        },
    ),
    Row::new(
        Keyword::new("regex_options", Args::Choice(OPTIONS), "Options of the expression"),
        |regex, line, _| {
            regex.parameters = true;
            let known = |word: &Word| OPTIONS.iter().position(|option| *option == word.text);
            let given = line.words.iter().filter_map(known);
            regex.options = given.fold(regex.options, |bits, index| bits | 1 << index);
        },
    ),
    Row::new(
        Keyword::new("regex_min_offset", Args::Free("OFFSET"), "First offset of a match")
            .unit("bytes")
            .or("0"),
        |regex, line, ctx| regex.min_offset = regex.number(line, 0, ctx).unwrap_or(0),
    ),
    Row::new(
        Keyword::new("regex_max_offset", Args::Free("OFFSET"), "Last offset a match may begin at")
            .unit("bytes"),
        |regex, line, ctx| regex.max_offset = regex.number(line, 0, ctx),
    ),
    Row::new(
        Keyword::new("regex_stack", Args::Free("START MAX"), "Memory for matching").unit("bytes"),
        |regex, line, ctx| {
            let start = regex.number(line, 0, ctx);
            let max = regex.number(line, 1, ctx);
            let given = start.zip(max);
            if given.is_some_and(|(start, max)| start > max) {
                ctx.log(Some(line.span), "regex_stack: start exceeds maximum; ignored");
            } else {
                regex.stack = given.or(regex.stack);
            }
        },
    ),
]);

fn pattern(regex: &mut Regex, line: &Line, ctx: &mut Context<'_>) {
    let pattern = match line.words.as_slice() {
        [word] => unescaped(&word.text).map_err(|error| error.to_string()),
        _ => Err("exactly one pattern expected".to_owned()),
    };
    match pattern {
        Ok(pattern) => regex.pattern = Some(pattern),
        Err(problem) => ctx.log(Some(line.span), format!("regex: {problem}; ignored")),
    }
}

impl Regex {
    fn number(&mut self, line: &Line, which: usize, ctx: &mut Context<'_>) -> Option<usize> {
        self.parameters = true;
        let word: Option<&Word> = line.words.get(which);
        let number = word.and_then(|word| word.text.parse::<u32>().ok());
        if number.is_none() {
            let given = word.map_or("nothing", |word| &word.text);
            let message = format!("{}: number expected, found {given}; ignored", line.name());
            ctx.log(Some(line.span), message);
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// Checks the whole once the `url` block is read.
    pub(super) fn finish(mut self, line: &Line, ctx: &mut Context<'_>) -> Option<RegexSettings> {
        if self.parameters && self.pattern.is_none() {
            ctx.log(Some(line.span), "url: parameters of a regex without regex; ignored");
        }
        if self.max_offset.is_some_and(|max| self.min_offset > max) {
            let message = "url: regex_min_offset exceeds regex_max_offset; both ignored";
            ctx.log(Some(line.span), message);
            (self.min_offset, self.max_offset) = (0, None);
        }
        let given = |(index, option): (usize, &&'static str)| {
            (self.options & (1 << index) != 0).then_some(*option)
        };
        Some(RegexSettings {
            pattern: self.pattern?,
            options: OPTIONS.iter().enumerate().filter_map(given).collect(),
            no_match: self.no_match,
            min_offset: self.min_offset,
            max_offset: self.max_offset,
            stack: self.stack,
        })
    }
}
