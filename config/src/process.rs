//! Values that several parts of the daemon have each, under keywords of the same ending.

use std::time::Duration;

use crate::arguments::check;
use crate::{Context, Line};

/// How a process is scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduling {
    /// `*_priority`: nice value, -20 to 19.
    pub nice: i8,
    /// `*_no_swap`.
    pub no_swap: bool,
    /// `*_rt_priority`: SCHED_RR priority, 1 to 99; 0: off.
    pub realtime: u8,
    /// `*_rlimit_rttime`, when realtime.
    pub rttime: Duration,
    /// `*_cpu_affinity`; empty: any.
    pub processors: Vec<usize>,
}

impl Default for Scheduling {
    fn default() -> Self {
        Scheduling {
            nice: 0,
            no_swap: false,
            realtime: 0,
            rttime: Duration::from_millis(10),
            processors: Vec::new(),
        }
    }
}

impl Scheduling {
    /// Takes a line whose keyword ends as one of the fields is described.
    pub fn take(&mut self, line: &Line, ctx: &mut Context<'_>) {
        let ending = line.name().split_once('_').map_or("", |(_, ending)| ending);
        match ending {
            "priority" => {
                self.nice = line.int(ctx).and_then(|n| i8::try_from(n).ok()).unwrap_or(self.nice);
            }
            "no_swap" => self.no_swap = true,
            "rt_priority" => {
                let given = line.int(ctx).and_then(|n| u8::try_from(n).ok());
                self.realtime = given.unwrap_or(self.realtime);
            }
            "rlimit_rttime" | "rlimit_rtime" => {
                let given = line.int(ctx).and_then(|n| u64::try_from(n).ok());
                self.rttime = given.map_or(self.rttime, Duration::from_micros);
            }
            "cpu_affinity" => self.processors = line.processors(ctx).unwrap_or_default(),
            _ => check(self, line, ctx),
        }
    }
}

/// The receive buffer of a netlink socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiveBuffer {
    /// `*_rcv_bufs`; 0: not given.
    pub bytes: u32,
    /// `*_rcv_bufs_force`.
    pub force: bool,
}

impl ReceiveBuffer {
    /// Takes a line of either keyword.
    pub fn take(&mut self, line: &Line, ctx: &mut Context<'_>) {
        if line.name().ends_with("_force") {
            self.force = line.boolean(ctx).unwrap_or(self.force);
        } else {
            let given = line.int(ctx).and_then(|n| u32::try_from(n).ok());
            self.bytes = given.unwrap_or(self.bytes);
        }
    }
}
