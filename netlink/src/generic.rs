//! Generic netlink: families with names instead of numbers.

use std::io;

use nix::errno::Errno;

use crate::codec::{Attributes, TooLong, Writer};
use crate::exchange::Exchange;

/// `struct genlmsghdr` in bytes.
pub const HEADER: usize = 4;

/// Message type and name of the family that knows the others (`GENL_ID_CTRL`).
const CONTROLLER: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const CONTROLLER_VERSION: u8 = 1;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// A family of generic netlink, found by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    id: u16,
    version: u8,
}

impl Family {
    /// A family whose number is known.
    pub const fn new(id: u16, version: u8) -> Family {
        Family { id, version }
    }

    /// Looks a family up; its requests will say `version`.
    ///
    /// # Errors
    /// `NotFound` when the kernel does not have it (its module may not be loaded); what the kernel
    /// answers otherwise; `TimedOut` when it does not.
    pub fn find(exchange: &mut Exchange, name: &str, version: u8) -> io::Result<Family> {
        let controller = Family::new(CONTROLLER, CONTROLLER_VERSION);
        let mut id = None;
        exchange.ask(
            |w, seq| {
                let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
                controller.message(w, GET_FAMILY, flags, seq, |w| w.text(FAMILY_NAME, name))
            },
            |message| {
                let found = Attributes::after(message.payload, HEADER).find_kind(FAMILY_ID);
                id = id.or(found.and_then(|attribute| attribute.u16()));
            },
        )?;
        let id = id.ok_or_else(|| io::Error::from(Errno::ENOENT))?;
        Ok(Family { id, version })
    }

    /// Appends a request whose attributes `body` writes.
    ///
    /// # Errors
    /// [`TooLong`] when a length does not fit its field; nothing is appended then.
    pub fn message(
        self,
        writer: &mut Writer,
        command: u8,
        flags: u16,
        seq: u32,
        body: impl FnOnce(&mut Writer),
    ) -> Result<(), TooLong> {
        writer.message(self.id, flags, seq, |w| {
            w.raw(&[command, self.version, 0, 0]);
            body(w);
        })
    }
}
