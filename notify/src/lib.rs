//! Scripts and FIFOs that tell the world what happened.

mod config;
mod identity;
mod script;
pub mod security;
mod spawn;
mod sys;

pub use config::{FifoSettings, GLOBALS, Settings};
pub use identity::{Accounts, DEFAULT_USER, Identity, IdentityError, ScriptDefaults};
pub use script::Script;
pub use spawn::{signal_group, spawn};
