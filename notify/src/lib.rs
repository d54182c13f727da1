//! Scripts and FIFOs that tell the world what happened.

mod script;
pub mod security;
mod spawn;
mod sys;

pub use script::Script;
pub use spawn::{signal_group, spawn};
