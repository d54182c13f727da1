//! A virtual server at run time: which of its real servers live, whether it has its quorum, and what
//! the kernel's table should hold because of that.
//!
//! No I/O and no clock. A change goes through one of the functions of [`transition`], which update
//! the state, ask the kernel for the difference (see [`table`]) and append what is to be told to a
//! list. `start`, reload and stop are in [`lifecycle`].

pub(crate) mod lifecycle;
pub(crate) mod quorum;
pub(crate) mod table;
pub(crate) mod transition;

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use ipvs::ServiceKey;
use notify::Script;

use crate::checker::CheckerId;
use crate::settings::{RealServer, SorryServer, VirtualServer};
use quorum::Quorum;

/// Something people or programs are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A log line.
    Line(String),
    /// A notify script, the object it belongs to and its keyword.
    Script(String, &'static str, Rc<Script>),
    /// A line for the FIFOs.
    Fifo(String),
    /// An SNMP notification, but for the router's id.
    Trap(snmp::Trap),
    /// A mail: subject and body.
    Mail(String, String),
}

/// A real server.
#[derive(Debug)]
pub(crate) struct Real {
    pub(crate) settings: RealServer,
    /// Its checkers, in the order of its settings.
    pub(crate) checkers: Vec<CheckerId>,
    /// How many of them are down.
    pub(crate) failed: u32,
    /// It may be given packets.
    pub(crate) alive: bool,
    /// It has been alive once.
    pub(crate) was_alive: bool,
    /// Its weight, with what checkers add to it.
    pub(crate) weight: u32,
    /// The weight before the last change, for the dump; 0 before the first.
    pub(crate) previous_weight: u32,
    /// What checkers add, as far as they add something.
    pub(crate) contributions: Vec<(CheckerId, i64)>,
    /// Its weight in the kernel's table, while it is in there.
    pub(crate) programmed: Option<u32>,
    /// It went through a reload.
    pub(crate) reloaded: bool,
}

impl Real {
    pub(crate) fn new(settings: RealServer) -> Real {
        Real {
            weight: settings.weight,
            previous_weight: 0,
            settings,
            checkers: Vec::new(),
            failed: 0,
            alive: false,
            was_alive: false,
            contributions: Vec::new(),
            programmed: None,
            reloaded: false,
        }
    }

    /// Its weight as configured and as its checkers have it.
    pub(crate) fn effective_weight(&self) -> u32 {
        quorum::effective(self.settings.weight, self.contributions.iter().map(|(_, add)| *add))
    }
}

/// A sorry server.
#[derive(Debug)]
pub(crate) struct Sorry {
    pub(crate) settings: SorryServer,
    /// The real server that is the same destination, if one is.
    pub(crate) twin: Option<usize>,
    /// As for real servers; `None` for one that has a twin.
    pub(crate) programmed: Option<u32>,
    /// It stands in for the real servers.
    pub(crate) serves: bool,
}

/// A virtual server.
#[derive(Debug)]
pub(crate) struct Service {
    /// As configured, except that its real servers are in `reals`.
    pub(crate) settings: VirtualServer,
    /// What the kernel knows it by: several for a group.
    pub(crate) keys: Vec<ServiceKey>,
    pub(crate) reals: Vec<Real>,
    pub(crate) sorry: Option<Sorry>,
    pub(crate) quorum_up: bool,
    /// Sum of the weights of the real servers that are alive.
    pub(crate) weight: u64,
    /// How many those are.
    pub(crate) alive: usize,
    /// Position from which the table may differ from what it should be.
    pub(crate) dirty: Option<usize>,
    /// The kernel refused something; it is asked again after a while.
    pub(crate) refused: bool,
    /// The kernel refused one of its services.
    pub(crate) absent: bool,
    /// The kernel refused a change of one of its services.
    pub(crate) outdated: bool,
    /// It went through a reload.
    pub(crate) reloaded: bool,
    /// What the kernel counted, if somebody wants to know.
    pub(crate) counters: Option<Box<Counters>>,
}

/// What the kernel counted of a virtual server.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) service: ipvs::Statistics,
    /// By address and port as configured.
    pub(crate) destinations: HashMap<(IpAddr, u16), Counted>,
}

/// What the kernel counted of a real server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// Open connections, those being closed, and templates of persistent ones.
    pub(crate) active: u32,
    pub(crate) inactive: u32,
    pub(crate) persistent: u32,
    pub(crate) statistics: ipvs::Statistics,
}

impl Service {
    pub(crate) fn quorum(&self) -> Quorum {
        Quorum { quorum: self.settings.quorum, hysteresis: self.settings.hysteresis }
    }

    /// The sorry server stands in for the real servers.
    pub(crate) fn is_sorry(&self) -> bool {
        self.sorry.is_some() && !self.quorum_up
    }

    /// Adds up the weights anew.
    pub(crate) fn weigh(&mut self) {
        let alive = self.reals.iter().filter(|real| real.alive);
        self.alive = alive.clone().count();
        self.weight = alive.map(|real| u64::from(real.weight)).sum();
    }
}
