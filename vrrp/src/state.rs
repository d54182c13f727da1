//! The states of a virtual router and of a sync group, and the reasons that hold one in FAULT.

use std::fmt;

/// State of an instance (RFC 9568 §6.4, with FAULT beside it) or of a sync group.
///
/// The discriminants are what scripts and dashboards read in the JSON dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum State {
    /// Not started yet.
    #[default]
    Init = 0,
    /// Listens, ready to take over.
    Backup = 1,
    /// Holds the addresses and sends adverts.
    Master = 2,
    /// Something it depends on is missing; it takes no part in elections.
    Fault = 3,
}

impl State {
    /// The word of notify scripts, FIFO lines and dumps.
    pub const fn word(self) -> &'static str {
        match self {
            State::Init => "INIT",
            State::Backup => "BACKUP",
            State::Master => "MASTER",
            State::Fault => "FAULT",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why an instance is in FAULT, beside its trackers: a set of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Faults(u8);

impl Faults {
    /// The instance's own interface is down or absent: its VMAC, if it has one.
    pub const LINK: Faults = Faults(1);
    /// No address to send from.
    pub const NO_SOURCE: Faults = Faults(2);
    /// The configuration cannot work.
    pub const CONFIG: Faults = Faults(4);

    /// No socket to send and receive adverts with.
    pub const SOCKET: Faults = Faults(8);

    /// A static address of the instance's `track_group` cannot be present.
    pub const STATIC: Faults = Faults(16);

    /// The interface below the instance's VMAC is down or absent.
    pub const BASE_LINK: Faults = Faults(32);

    /// No reason.
    pub const NONE: Faults = Faults(0);

    /// Whether there is no reason.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `reason` is in the set.
    pub const fn contains(self, reason: Faults) -> bool {
        self.0 & reason.0 != 0
    }

    /// Adds or removes `reason`; true when that changed the set.
    pub fn set(&mut self, reason: Faults, present: bool) -> bool {
        let before = self.0;
        if present {
            self.0 |= reason.0;
        } else {
            self.0 &= !reason.0;
        }
        self.0 != before
    }
}
