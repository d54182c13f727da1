//! Health checkers and virtual servers.
//!
//! So far: the keywords of the LVS side of the configuration, and every check on them that needs no
//! kernel. Nothing acts on the values yet.

#[allow(dead_code)]
mod checker;
mod draft;
mod genhash;
mod keywords;
#[allow(dead_code)]
mod runtime;
mod script;
pub mod settings;
mod validation;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use draft::Draft;
pub use genhash::{Page, genhash};
pub use keywords::{FlushOnStop, GLOBAL, Globals, LvsTimeouts, ROOT, SyncDaemon};
