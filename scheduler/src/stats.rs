//! What the scheduler counts about itself.

use std::time::Duration;

use crate::Class;

/// How many buckets [`Stats::lag`] has.
pub const LAG_BUCKETS: usize = 24;

/// Counters since the scheduler was made. All of them only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Passes of the loop.
    pub passes: u64,
    /// Callbacks run, by class.
    pub callbacks: [u64; 3],
    /// Worst lateness of a timer: from its deadline to the now of the pass that ran it.
    pub worst_lag: Duration,
    /// Lateness of timers: bucket 0 counts those below 1 us, bucket n those of 2^(n-1) us or more and
    /// below 2^n us, the last one everything above.
    pub lag: [u64; LAG_BUCKETS],
    /// Longest time from one look at the sockets to the next, time spent asleep in the poll not counted.
    pub longest_away: Duration,
    /// Events for a descriptor that was closed or forgotten, dropped.
    pub stale_events: u64,
    /// Calls of `epoll_wait`.
    pub polls: u64,
    /// Calls of `epoll_ctl`.
    pub controls: u64,
    /// Calls of `timerfd_settime`.
    pub timer_sets: u64,
}

impl Stats {
    /// Callbacks run in this class.
    pub fn callbacks_of(&self, class: Class) -> u64 {
        self.callbacks[class.index()]
    }

    pub(crate) fn count_lag(&mut self, lag: Duration) {
        self.worst_lag = self.worst_lag.max(lag);
        let micros = u64::try_from(lag.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.lag[bucket.min(LAG_BUCKETS - 1)] += 1;
    }
}
