//! Bidirectional forwarding detection.
//!
//! So far: the keywords of `bfd_instance` and every check on them. No session runs yet.

mod draft;
mod keywords;

#[cfg(test)]
mod tests;

pub use draft::Draft;
pub use keywords::{GLOBAL, Globals, ROOT};
