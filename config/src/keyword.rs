//! One keyword, one row.
//!
//! A crate that acts on keywords declares them in a [`Table`] over the type its handlers fill. The reader needs only
//! the [`Keyword`] part (does it open a block, is an argument mandatory); the owner later walks the
//! tree and lets its table apply each [`Line`]. Range checks, "did you mean", the list of keywords
//! without effect and the manual read the same rows.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

use crate::{Context, Line};

/// What a keyword's arguments look like. Ranges are inclusive.
#[derive(Clone, Copy, Debug)]
pub enum Args {
    /// None; extra words are ignored.
    Flag,
    /// Optional `true|on|yes` / `false|off|no`; absent means true.
    Bool,
    /// One word, at most `max` bytes (0: no limit).
    Word {
        /// Longest accepted length in bytes; 0 means no limit.
        max: usize,
    },
    /// A base-10 integer.
    Int {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
        /// Accept a number followed by junk with a warning, outside a configuration test (spec §11.2).
        lenient: bool,
    },
    /// A decimal of at most `digits` fractional digits, scaled by 10^`digits` (spec §11.3).
    Decimal {
        /// Fractional digits kept.
        digits: u8,
        /// Smallest value, scaled.
        min: u64,
        /// Largest value, scaled.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A command with optional user and group, split by the rules of spec §10.
    Command,
    /// Checked by the handler; the text is the grammar shown to people.
    Free(&'static str),
}

/// What happens when a mandatory argument is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The reader stops: configuration tests and starts exit with status 2.
    Fatal,
    /// A general error; the keyword is ignored.
    Error,
    /// Allowed.
    Allowed,
}

/// What follows the keyword's line.
#[derive(Clone, Copy)]
pub enum Body {
    /// Nothing.
    None,
    /// `{ … }` of keywords from these grammars.
    Block(&'static [&'static dyn Grammar]),
    /// `{ … }` of which every line is an entry of words (spec §9.3).
    Values,
}

/// Whether the daemon acts on a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what the manual says.
    Full,
    /// Read and checked, but without effect yet; said once in the log and listed in
    /// `docs/compatibility.md`.
    NotYet,
    /// Read and checked, and without effect for good; the text says why. Said once in the log; a row of
    /// `docs/compatibility.md` tells more.
    Never(&'static str),
    /// An old spelling of another keyword; the text names the new one. `counts` is whether it is an
    /// error of class [`crate::Class::Deprecated`] (else a plain log line, empty text: silent).
    Alias {
        /// The keyword to use instead.
        of: &'static str,
        /// Whether the configuration test counts it.
        counts: bool,
    },
}

/// The part of a row that does not depend on who acts on it.
pub struct Keyword {
    /// As written, case-sensitive.
    pub name: &'static str,
    /// Argument grammar and range.
    pub args: Args,
    /// What an absent argument does.
    pub missing: Missing,
    /// What follows the line.
    pub body: Body,
    /// Whether it is acted on.
    pub effect: Effect,
    /// Default in the words of the manual; empty when there is none.
    pub default: &'static str,
    /// Unit of the argument ("s", "µs", "bytes"); empty when it has none.
    pub unit: &'static str,
    /// One line for people.
    pub doc: &'static str,
}

impl Keyword {
    /// A row with every optional part at its usual value; fill the rest with struct update syntax.
    pub const BASE: Keyword = Keyword {
        name: "",
        args: Args::Flag,
        missing: Missing::Allowed,
        body: Body::None,
        effect: Effect::Full,
        default: "",
        unit: "",
        doc: "",
    };

    /// A row of full effect without a block, whose argument may be absent; the functions below change that.
    pub const fn new(name: &'static str, args: Args, doc: &'static str) -> Keyword {
        Keyword { name, args, doc, ..Keyword::BASE }
    }

    /// The reader stops when the argument is absent.
    pub const fn required(mut self) -> Keyword {
        self.missing = Missing::Fatal;
        self
    }

    /// An absent argument is a general error.
    pub const fn expected(mut self) -> Keyword {
        self.missing = Missing::Error;
        self
    }

    /// A block of keywords follows.
    pub const fn block(mut self, grammars: &'static [&'static dyn Grammar]) -> Keyword {
        self.body = Body::Block(grammars);
        self
    }

    /// A block of entries follows.
    pub const fn values(mut self) -> Keyword {
        self.body = Body::Values;
        self
    }

    /// Read and checked, but without effect yet.
    pub const fn not_yet(mut self) -> Keyword {
        self.effect = Effect::NotYet;
        self
    }

    /// Read and checked, but without effect for good, because of `why`.
    pub const fn never(mut self, why: &'static str) -> Keyword {
        self.effect = Effect::Never(why);
        self
    }

    /// An old spelling of `of`.
    pub const fn alias(mut self, of: &'static str, counts: bool) -> Keyword {
        self.effect = Effect::Alias { of, counts };
        self
    }

    /// The default, in the words of the manual.
    pub const fn or(mut self, default: &'static str) -> Keyword {
        self.default = default;
        self
    }

    /// The unit of the argument.
    pub const fn unit(mut self, unit: &'static str) -> Keyword {
        self.unit = unit;
        self
    }
}

impl Args {
    /// An integer by the strict reader.
    pub const fn int(min: i64, max: i64) -> Args {
        Args::Int { min, max, lenient: false }
    }

    /// An integer by the lenient reader.
    pub const fn lenient(min: i64, max: i64) -> Args {
        Args::Int { min, max, lenient: true }
    }

    /// A time in seconds with six decimals, its limits in microseconds.
    pub const fn timer(min: u64, max: u64) -> Args {
        Args::Decimal { digits: 6, min, max }
    }
}

/// A set of keywords valid at one level.
pub trait Grammar: Sync {
    /// The row of `name`.
    fn find(&self, name: &str) -> Option<&'static Keyword>;
    /// All rows, in order of declaration.
    fn keywords(&self) -> Vec<&'static Keyword>;
}

/// What a handler does with a line: it reads the arguments through `line`'s typed readers, which
/// report what is wrong, and stores them in `T`.
pub type Handler<T> = fn(&mut T, &Line, &mut Context<'_>);

/// A keyword and its handler.
pub struct Row<T: 'static> {
    /// The declared part.
    pub keyword: Keyword,
    /// Called for each line of that keyword, in file order.
    pub set: Handler<T>,
}

impl<T: 'static> Row<T> {
    /// A row.
    pub const fn new(keyword: Keyword, set: Handler<T>) -> Self {
        Row { keyword, set }
    }
}

/// The keywords of one level that one crate acts on.
pub struct Table<T: 'static> {
    rows: &'static [Row<T>],
    index: OnceLock<HashMap<&'static str, usize, BuildHasherDefault<Fast>>>,
}

/// A hash for a fixed set of names that nobody can choose: FNV-1a over words of eight bytes.
#[derive(Default)]
struct Fast(u64);

impl Fast {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 ^= self.0 >> 29;
    }
}

impl Hasher for Fast {
    fn write(&mut self, mut bytes: &[u8]) {
        while let Some((word, rest)) = bytes.split_first_chunk() {
            self.mix(u64::from_le_bytes(*word));
            bytes = rest;
        }
        self.mix(bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }

    /// The mark behind a string, which tells nothing where the key is a single one.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        // The map looks at the uppermost bits, which short names would leave alike.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl<T: 'static> Table<T> {
    /// A table over `rows`; names must be distinct.
    pub const fn new(rows: &'static [Row<T>]) -> Self {
        Table { rows, index: OnceLock::new() }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.index
            .get_or_init(|| {
                self.rows.iter().enumerate().map(|(i, r)| (r.keyword.name, i)).collect()
            })
            .get(name)
            .copied()
    }

    /// Where `keyword` is, if it is of this very table: its address tells.
    fn own(&self, keyword: &'static Keyword) -> Option<usize> {
        let address = |keyword| std::ptr::from_ref::<Keyword>(keyword).addr();
        let first = address(&self.rows.first()?.keyword);
        let index = address(keyword).checked_sub(first)? / size_of::<Row<T>>();
        std::ptr::eq(&self.rows.get(index)?.keyword, keyword).then_some(index)
    }

    /// Runs the handler of `line`'s keyword on `target`; false when the keyword is not in this table.
    pub fn apply(&self, target: &mut T, line: &Line, ctx: &mut Context<'_>) -> bool {
        // Of a block that several tables declare, a line may carry another one's row.
        match self.own(line.keyword).or_else(|| self.position(line.keyword.name)) {
            Some(i) => {
                (self.rows[i].set)(target, line, ctx);
                true
            }
            None => false,
        }
    }
}

impl<T: 'static> Grammar for Table<T> {
    fn find(&self, name: &str) -> Option<&'static Keyword> {
        self.position(name).map(|i| &self.rows[i].keyword)
    }

    fn keywords(&self) -> Vec<&'static Keyword> {
        self.rows.iter().map(|r| &r.keyword).collect()
    }
}
