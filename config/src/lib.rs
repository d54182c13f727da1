//! The language of keepalived.conf: text to a tree of blocks with spans, and diagnostics.
//!
//! A crate that acts on keywords declares them in [`Table`]s. [`Reader`] reads files against the
//! tables of all crates, at once ([`read`]) or in slices between adverts ([`Reader::step`]), and
//! yields [`Loaded`]: lines, sources, diagnostics, and whether the configuration must not be used.
//! Each crate then applies its tables to the lines; handlers read arguments through the typed
//! readers of [`Line`] and of [`number`] and [`address`], which report what is wrong to a
//! [`Context`]. [`render`] turns diagnostics into text, [`exit_status`] into the status of a
//! configuration test.
//!
//! Nothing in a file makes the reader panic, and whatever a file can make grow (includes, generated
//! lines, substitutions, diagnostics) has a limit.
pub mod address;
mod arguments;
mod command;
mod definitions;
mod diagnostic;
mod dispatch;
mod effects;
pub mod files;
mod include;
mod keyword;
pub mod number;
mod pattern;
mod place;
mod process;
mod processors;
mod random;
mod reader;
pub mod render;
mod report;
mod sequence;
mod sources;
mod strip;
mod suggest;
#[cfg(test)]
mod testing;
pub mod text;
mod tokens;
mod tree;

pub use arguments::{check, did_you_mean, truth};
pub use command::{Command, SplitError, arguments as command_arguments, unescaped};
pub use diagnostic::{Class, Diagnostic, exit_status};
pub use effects::{Effects, note_effects};
pub use keyword::{Args, Body, Effect, Grammar, Handler, Keyword, Missing, Row, Table};
pub use process::{ReceiveBuffer, Scheduling};
pub use random::Random;
pub use reader::{Fatal, Loaded, Options, Progress, Reader, Source, default_config_id, read};
pub use sources::{SourceFile, Sources};
pub use suggest::suggest;
pub use tree::{Contents, Context, Line, Mode, Word};

/// A place in the configuration: a run of bytes on one physical line of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Index into the list of files read, in order of opening.
    pub file: u32,
    /// Physical line, from 1.
    pub line: u32,
    /// Byte column of the first byte on that line, from 0.
    pub column: u16,
    /// Length in bytes; 0 when only the line is known.
    pub len: u16,
}
