//! From the monotonic clock of the protocol to the wall clock that people read.

use std::time::{Duration, SystemTime};

use scheduler::Time;

/// How far the two clocks may drift apart before the relation is taken anew.
const DRIFT: Duration = Duration::from_millis(100);

/// The relation of the monotonic clock to the wall clock.
///
/// Keep one for the daemon's life and [`Clock::follow`] it before each dump: a moment in the past is
/// then printed as the same wall-clock time in every dump, which those who compare dumps rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Nanoseconds since 1970 at the monotonic clock's zero.
    zero: i128,
}

impl Clock {
    /// The relation when the monotonic clock shows `monotonic` and the wall clock `wall` (since 1970).
    pub const fn new(monotonic: Time, wall: Duration) -> Self {
        Clock { zero: wall.as_nanos() as i128 - monotonic.as_nanos() as i128 }
    }

    /// The relation now; `monotonic` is the scheduler's clock.
    pub fn read(monotonic: Time) -> Self {
        Clock::new(monotonic, wall())
    }

    /// Takes over a wall clock that was set; corrections too small to notice are passed over.
    pub fn follow(&mut self, monotonic: Time) {
        let read = Clock::read(monotonic);
        if self.zero.abs_diff(read.zero) > DRIFT.as_nanos() {
            *self = read;
        }
    }

    /// Seconds since 1970 and microseconds; zero for a moment that never was.
    pub(super) fn wall(&self, at: Time) -> (i64, u32) {
        if at == Time::ZERO {
            return (0, 0);
        }
        let micros = (self.zero + i128::from(at.as_nanos())) / 1000;
        let seconds = i64::try_from(micros / 1_000_000).unwrap_or(0);
        (seconds.max(0), (micros % 1_000_000).unsigned_abs() as u32)
    }
}

fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_map_to_the_wall_clock() {
        let clock = Clock::new(Time::from_nanos(5_000_000_000), Duration::from_secs(1_000_000));
        assert_eq!(clock.wall(Time::from_nanos(5_000_000_000)), (1_000_000, 0));
        assert_eq!(clock.wall(Time::from_nanos(4_999_999_000)), (999_999, 999_999));
        assert_eq!(clock.wall(Time::ZERO), (0, 0));
    }

    #[test]
    fn only_a_clock_that_was_set_is_followed() {
        let monotonic = Time::from_nanos(1_000_000_000);
        let mut near = Clock { zero: Clock::read(monotonic).zero + 50_000_000 };
        let before = near;
        near.follow(monotonic);
        assert_eq!(near, before);
        let mut far = Clock { zero: 0 };
        far.follow(monotonic);
        assert!(far.zero > 0);
    }
}
