//! The `regex` keywords of a `url` block.
//!
//! What is wrong here has never been an error of the configuration: it is logged, and the test of a
//! configuration passes.

use config::{Args, Context, Keyword, Line, Row, Table, Word};

/// Options of the expression; others are ignored without a word, as they always were.
const OPTIONS: &str = "allow_empty_class | alt_bsux | auto_callout | caseless | dollar_endonly | \
    dotall | dupnames | extended | firstline | match_unset_backref | multiline | never_ucp | \
    never_utf | no_auto_capture | no_auto_possess | no_dotstar_anchor | no_start_optimize | ucp | \
    ungreedy | utf | never_backslash_c | alt_circumflex | alt_verbnames | use_offset_limit …";

/// What the checks need to remember.
#[derive(Default)]
pub(super) struct Regex {
    pattern: bool,
    parameters: bool,
    min_offset: u64,
    max_offset: Option<u64>,
}

/// Keywords about the expression that a body must match.
pub(super) static REGEX: Table<Regex> = Table::new(&[
    Row::new(
        Keyword::new("regex", Args::Free("PATTERN"), "Expression the body must match"),
        |regex, line, ctx| {
            if line.words.len() == 1 {
                regex.pattern = true;
            } else {
                ctx.log(Some(line.span), "regex: exactly one pattern expected; ignored");
            }
        },
    ),
    Row::new(
        Keyword::new("regex_no_match", Args::Flag, "The body must not match"),
        |regex, _, _| regex.parameters = true,
    ),
    Row::new(
        Keyword::new("regex_options", Args::Free(OPTIONS), "Options of the expression"),
        |regex, _, _| regex.parameters = true,
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
            if start.zip(max).is_some_and(|(start, max)| start > max) {
                ctx.log(Some(line.span), "regex_stack: start exceeds maximum; ignored");
            }
        },
    ),
]);

impl Regex {
    fn number(&mut self, line: &Line, which: usize, ctx: &mut Context<'_>) -> Option<u64> {
        self.parameters = true;
        let word: Option<&Word> = line.words.get(which);
        let number = word.and_then(|word| word.text.parse::<u32>().ok());
        if number.is_none() {
            let given = word.map_or("nothing", |word| &word.text);
            let message = format!("{}: number expected, found {given}; ignored", line.name());
            ctx.log(Some(line.span), message);
        }
        number.map(u64::from)
    }

    /// Checks the whole once the `url` block is read.
    pub(super) fn finish(&self, line: &Line, ctx: &mut Context<'_>) {
        if self.parameters && !self.pattern {
            ctx.log(Some(line.span), "url: parameters of a regex without regex; ignored");
        }
        if self.max_offset.is_some_and(|max| self.min_offset > max) {
            let message = "url: regex_min_offset exceeds regex_max_offset; both ignored";
            ctx.log(Some(line.span), message);
        }
    }
}
