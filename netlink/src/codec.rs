//! The netlink byte format: a writer that nests by closure, and two readers that cannot fail.
//!
//! The readers promise: no input panics, an unknown attribute is stepped over, an attribute of an
//! odd size is only as unreadable as the one question asked of it, and a damaged tail ends the
//! iteration without taking back what came before it. Numbers are in the machine's byte order, as
//! the kernel sends them.

mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::{Attribute, Attributes, Message, Messages};
pub(crate) use reader::{u16_at, u32_at};
pub use writer::{TooLong, Writer};

/// `struct nlmsghdr` in bytes.
pub const MESSAGE_HEADER: usize = 16;
/// `struct nlattr` in bytes.
pub const ATTRIBUTE_HEADER: usize = 4;

/// Netlink pads messages and attributes to four bytes.
const fn aligned(len: usize) -> usize {
    len.saturating_add(3) & !3
}
