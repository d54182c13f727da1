//! Attempts over TCP: connect, hold a dialogue, close.

/// An attempt in progress.
pub(crate) struct Stream {}
