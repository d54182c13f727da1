//! Health checkers and virtual servers.
//!
//! [`Draft`] makes [`settings`] of the keywords of the LVS side of the configuration, with every check
//! on them that needs no kernel. [`Check`] is load balancing at run time: [`start`] begins with settings,
//! [`reload`] follows others, [`stop`] ends it; the world the scheduler runs on implements [`HasCheck`].

mod checker;
mod completion;
mod digits;
mod draft;
pub mod dump;
mod genhash;
mod keywords;
pub mod mib;
pub mod replies;
mod runtime;
mod script;
mod service;
pub mod settings;
mod settle;
mod validation;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use checker::CheckerId;
pub use checker::attempt::http::reply_status;
pub use checker::schedule::answered;
pub use checker::sessions::session_changed;
pub use completion::Completion;
pub use draft::Draft;
pub use genhash::{Page, genhash};
pub use keywords::{
    FlushOnStop, GLOBAL, Globals, LvsTimeouts, REGEX_OPTIONS, ROOT, SyncDaemon, dns_type_name,
};
pub use runtime::{
    Check, Followed, HasCheck, count, end_scripts, follow_instance, reload, start, stop,
};
pub use settings::Settings;
