//! The numbers behind `${_RANDOM}` and random delays: no more is asked of them than to differ between
//! directors.

use std::hash::{BuildHasher, RandomState};

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence that differs from run to run.
    #[allow(clippy::new_without_default)] // No two are equal.
    pub fn new() -> Random {
        Random(RandomState::new().hash_one(std::process::id()))
    }

    /// The sequence of `seed`.
    pub fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    /// A number from `min` to `max`; `min` when that is no range.
    pub fn between(&mut self, min: u64, max: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        match max.checked_sub(min).map(|width| width.checked_add(1)) {
            Some(Some(width)) => min + bits % width,
            Some(None) => bits,
            None => min,
        }
    }
}
