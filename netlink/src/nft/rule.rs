//! The expressions of a rule. Register 1 holds what was loaded last unless another is named; a
//! register is 16 bytes, and from 8 on they are told as parts of four bytes.

use crate::codec::Writer;

use super::{named, number};

/// `NFT_PAYLOAD_*`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;

/// What is known of a packet besides its bytes (`NFT_META_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meta {
    /// Its mark.
    Mark = 3,
    /// Index of the interface that it came by.
    InputIndex = 4,
    /// Index of the interface that it leaves by.
    OutputIndex = 5,
    /// Name of the interface that it came by.
    InputName = 6,
    /// Name of the interface that it leaves by.
    OutputName = 7,
    /// Its transport protocol, one byte.
    Protocol = 16,
    /// Kind of the interface that it leaves by, as `ip -d link` names it, padded with NUL to 16 bytes.
    OutputKind = 27,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// `NF_DROP`.
    Drop,
    /// `NF_ACCEPT`: the chain has no objection.
    Accept,
    /// `NFT_GOTO`: another chain judges.
    Goto(&'a str),
    /// `NFT_RETURN`.
    Return,
}

/// A rule while it is written.
#[derive(Debug)]
pub struct Rule<'w>(&'w mut Writer);

impl<'w> Rule<'w> {
    pub(super) fn new(writer: &'w mut Writer) -> Rule<'w> {
        Rule(writer)
    }

    /// Any expression.
    fn expression(&mut self, name: &str, body: impl FnOnce(&mut Writer)) {
        self.0.nest(1, |w| named(w, name, body));
    }

    /// Loads a part of the network header.
    pub fn load_network(&mut self, register: u32, offset: u32, length: u32) {
        self.load(register, NETWORK_HEADER, offset, length);
    }

    /// Loads a part of the transport header.
    pub fn load_transport(&mut self, register: u32, offset: u32, length: u32) {
        self.load(register, TRANSPORT_HEADER, offset, length);
    }

    fn load(&mut self, register: u32, header: u32, offset: u32, length: u32) {
        self.expression("payload", |w| {
            number(w, 1, register);
            number(w, 2, header);
            number(w, 3, offset);
            number(w, 4, length);
        });
    }

    /// Loads what is known of the packet.
    pub fn load_meta(&mut self, register: u32, what: Meta) {
        self.expression("meta", |w| {
            number(w, 2, what as u32);
            number(w, 1, register);
        });
    }

    /// Sets the packet's mark to what register 1 holds.
    pub fn set_mark(&mut self) {
        self.expression("meta", |w| {
            number(w, 2, Meta::Mark as u32);
            number(w, 3, 1);
        });
    }

    /// Keeps the bits of register 1 that a mask has.
    pub fn mask(&mut self, mask: &[u8]) {
        self.expression("bitwise", |w| {
            number(w, 1, 1);
            number(w, 2, 1);
            // No header has a field of more than a few bytes.
            number(w, 3, mask.len() as u32);
            w.nest(4, |w| w.attribute(1, mask));
            w.nest(5, |w| w.attribute(1, &vec![0; mask.len()]));
        });
    }

    /// Goes on if register 1 has this value.
    pub fn equal(&mut self, value: &[u8]) {
        self.expression("cmp", |w| {
            number(w, 1, 1);
            number(w, 2, 0);
            w.nest(3, |w| w.attribute(1, value));
        });
    }

    /// Goes on if what register 1 and those after it hold is in a set.
    pub fn is_in(&mut self, set: &str) {
        self.expression("lookup", |w| {
            number(w, 2, 1);
            w.text(1, set);
        });
    }

    /// Puts what a map says of it into register 1, or ends.
    pub fn look_up(&mut self, map: &str) {
        self.look_up_at(1, map);
    }

    /// Puts what a map says of what a register holds into that register, or ends.
    pub fn look_up_at(&mut self, register: u32, map: &str) {
        self.expression("lookup", |w| {
            number(w, 2, register);
            number(w, 3, register);
            w.text(1, map);
        });
    }

    /// Sends a copy to the address in one register by the interface whose index is in the other.
    pub fn duplicate(&mut self, address: u32, interface: u32) {
        self.expression("dup", |w| {
            number(w, 1, address);
            number(w, 2, interface);
        });
    }

    /// Counts the packets that come this far.
    pub fn count(&mut self) {
        self.expression("counter", |_| {});
    }

    /// Ends the rule.
    pub fn verdict(&mut self, verdict: Verdict<'_>) {
        let code: i32 = match verdict {
            Verdict::Drop => 0,
            Verdict::Accept => 1,
            Verdict::Goto(_) => -4,
            Verdict::Return => -5,
        };
        self.expression("immediate", |w| {
            number(w, 1, 0);
            w.nest(2, |w| {
                w.nest(2, |w| {
                    w.attribute(1, &code.to_be_bytes());
                    if let Verdict::Goto(chain) = verdict {
                        w.text(2, chain);
                    }
                });
            });
        });
    }

    /// Gives what passes the address of the interface that it leaves by.
    pub fn masquerade(&mut self) {
        self.expression("masq", |_| {});
    }
}
