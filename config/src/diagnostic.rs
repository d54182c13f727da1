//! Problems found in a configuration: their class, their place, and what the exit status of a
//! configuration test makes of them.

use crate::Span;

/// Class of a reported problem. The numbers are the reference's: for the exit status of a
/// configuration test the *highest number* seen wins, which is not an order of severity
/// (spec config-language §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Said in a configuration test too, without counting: include problems that nobody asked to
    /// have checked.
    Note = 0,
    /// The main file is absent or unreadable.
    FileNotFound = 1,
    /// An interface does not exist (the summary made after parsing).
    BadInterface = 2,
    /// A static address without an interface and the like.
    Fatal = 3,
    /// The name of the main file matched several files.
    MultipleFiles = 4,
    /// A keyword nobody knows.
    UnknownKeyword = 5,
    /// A `{` that no keyword announced.
    UnexpectedOpen = 6,
    /// A block keyword without `{`.
    MissingOpen = 7,
    /// A `}` without a block.
    UnexpectedClose = 8,
    /// The text ended inside a block.
    MissingClose = 9,
    /// An odd number of `"`.
    UnmatchedQuote = 10,
    /// A mandatory argument is absent; the reader stops at once.
    MissingParameter = 11,
    /// Something that is not a number, or not in range.
    InvalidNumber = 12,
    /// Almost everything else.
    General = 13,
    /// A warning that counts for the configuration test.
    Warning = 14,
    /// A deprecated keyword that counts for the configuration test.
    Deprecated = 15,
    /// Insecure scripts or key files.
    Security = 16,
}

impl Class {
    /// Exit status of a configuration test whose highest class is this one (spec §12).
    pub const fn exit_status(self) -> i32 {
        match self {
            Class::Note => 0,
            Class::FileNotFound | Class::BadInterface | Class::Fatal => 4,
            Class::MissingParameter => 2,
            Class::Security => 6,
            _ => 5,
        }
    }
}

/// One problem, or one remark without a class (it is logged and does not touch the exit status).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `None`: a plain log line, suppressed in a configuration test.
    pub class: Option<Class>,
    /// Where; `None` for checks made after reading that no place stands for.
    pub span: Option<Span>,
    /// The one line that tools read, without its `(FILE: Line N) ` prefix.
    pub message: String,
    /// A sentence under the caret: what the daemon does about it, or "did you mean `x`?".
    pub help: Option<String>,
}

/// Exit status of a configuration test that found `diagnostics`: the highest class decides, except
/// that an absent mandatory argument, which ends the test at once, decides alone.
pub fn exit_status(diagnostics: &[Diagnostic]) -> i32 {
    let classes = || diagnostics.iter().filter_map(|d| d.class);
    if classes().any(|class| class == Class::MissingParameter) {
        return Class::MissingParameter.exit_status();
    }
    classes().max().map_or(0, Class::exit_status)
}
