//! Health checkers and virtual servers.
//!
//! So far: the keywords of the LVS side of the configuration, and every check on them that needs no
//! kernel. Nothing acts on the values yet.

mod draft;
mod keywords;
mod script;
mod validation;

#[cfg(test)]
mod tests;

pub use draft::Draft;
pub use keywords::{FlushOnStop, GLOBAL, Globals, LvsTimeouts, ROOT, SyncDaemon};
