//! Scripts and FIFOs that tell the world what happened.

mod script;

pub use script::Script;
