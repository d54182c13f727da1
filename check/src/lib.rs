//! Health checkers and virtual servers.
//!
//! [`Draft`] makes [`settings`] of the keywords of the LVS side of the configuration, with every check
//! on them that needs no kernel.

#[allow(dead_code)]
mod checker;
mod draft;
mod keywords;
#[allow(dead_code)]
mod runtime;
mod script;
pub mod settings;
mod settle;
mod validation;

#[cfg(test)]
mod tests;

pub use draft::Draft;
pub use keywords::{
    FlushOnStop, GLOBAL, Globals, LvsTimeouts, REGEX_OPTIONS, ROOT, SyncDaemon, dns_type_name,
};
pub use settings::Settings;
