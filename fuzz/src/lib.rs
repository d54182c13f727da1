//! What the fuzz targets do with their input: parse it in every way there is, and check what must
//! hold of the outcome. Nothing here opens a socket or reads a file of the machine's configuration.
//!
//! `tests/corpus_test.rs` runs the same functions over the corpus and over random inputs, so that
//! an ordinary test run covers them without a fuzzer.

mod bfd;
mod configuration;
mod datagrams;
mod dbus;
mod ipvs;
mod mail;
mod netlink;
mod packet;
mod replies;

pub use self::bfd::bfd;
pub use self::configuration::configuration;
pub use self::datagrams::{datagram, number};
pub use self::dbus::dbus;
pub use self::ipvs::ipvs;
pub use self::mail::{answers, mail, names};
pub use self::netlink::netlink;
pub use self::packet::packet;
pub use self::replies::{http, smtp};
