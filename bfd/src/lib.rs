//! Bidirectional forwarding detection: asynchronous mode over one hop or several (RFC 5880 to 5883).
//!
//! * [`packet`] reads and writes control packets.
//! * [`session`] is the state machine of one session, [`table`] holds all of them; neither opens a socket nor
//!   reads a clock.
//! * [`runtime`] gives them sockets, one timer and a log, and tells whoever follows a session what
//!   became of it. Who that is, it does not know.

mod draft;
pub mod dump;
mod keywords;
mod numbers;
pub mod packet;
pub mod runtime;
pub mod session;
mod settings;
pub mod table;

#[cfg(test)]
mod tests;

pub use draft::Draft;
pub use keywords::{GLOBAL, Globals, ROOT};
pub use settings::{InstanceSettings, Settings};
