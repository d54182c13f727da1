//! A service on D-Bus: objects with methods and properties that other programs see, and signals for them (the
//! [specification](https://dbus.freedesktop.org/doc/dbus-specification.html)).
//!
//! [`Session`] is the protocol without I/O, [`object`] says what objects are, and [`Bus`] keeps a connection on the scheduler.
//! Nobody waits for the bus: what it does not take is kept up to a limit, and when it goes away the connection is tried
//! again every [`RETRY`]. Signals from meanwhile are sent then.
//!
//! No library is used for the messages: those there are wait when they connect, or bring a runtime.

mod address;
mod bus;
mod message;
pub mod object;
mod session;
mod wire;

pub use address::{Address, Unusable};
pub use bus::{Bus, Configuration, HasDbus, RETRY, configure, finish, notify};
pub use object::{Interface, Objects, Value};
pub use session::{Ended, Invoked, Name, News, Session, Signal};
pub use wire::Malformed;

#[cfg(test)]
mod tests;
