//! An SNMP subagent: objects and notifications for the master agent of this machine, by AgentX (RFC 2741).
//!
//! [`Session`] is the protocol without I/O, [`table`] turns data into objects, and [`Subagent`] keeps a connection on the
//! scheduler. Nobody waits for the master: what it does not fetch is kept up to a limit, and what it never
//! answers ends the session; a new one is tried every [`RETRY`].
//!
//! No library is used for the messages: the one there is cannot carry bytes that are not text, and
//! addresses are such bytes.

mod address;
mod pdu;
mod session;
mod subagent;
pub mod table;
mod value;

pub use address::{Address, Unusable};
pub use pdu::Malformed;
pub use session::{Agent, Ended, News, Session, Trap};
pub use subagent::{Configuration, HasSnmp, RETRY, Subagent, configure, notify};
pub use table::Table;
pub use value::{Found, Oid, Value, VarBind};

#[cfg(test)]
mod tests;
