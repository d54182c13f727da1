//! The arithmetic of weights and quorum (spec checkers-behaviour §4, §6).

/// Heaviest weight the kernel takes.
const WEIGHT_MAX: i64 = i32::MAX as i64;

/// What counts for a real server: its configured weight and what its checkers add, within what the
/// kernel takes.
pub(crate) fn effective(configured: u32, contributions: impl Iterator<Item = i64>) -> u32 {
    let sum = contributions.fold(i64::from(configured), i64::saturating_add);
    u32::try_from(sum.clamp(0, WEIGHT_MAX)).unwrap_or(0)
}

/// `quorum` and `hysteresis` of a virtual server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quorum {
    pub(crate) quorum: u32,
    pub(crate) hysteresis: u32,
}

impl Quorum {
    /// The weight that gains a quorum that is lost.
    pub(crate) fn gained_at(self) -> u64 {
        u64::from(self.quorum) + u64::from(self.hysteresis)
    }

    /// A quorum that is held is lost below this weight.
    pub(crate) fn lost_below(self) -> u64 {
        u64::from(self.quorum).saturating_sub(u64::from(self.hysteresis))
    }

    /// Whether the quorum is held with `weight` alive, given whether it was. Nothing alive is never a
    /// quorum, whatever was configured.
    pub(crate) fn judge(self, held: bool, weight: u64) -> bool {
        weight > 0 && weight >= if held { self.lost_below() } else { self.gained_at() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_stay_within_what_the_kernel_takes() {
        assert_eq!(effective(10, [5, -3].into_iter()), 12);
        assert_eq!(effective(1, [-5].into_iter()), 0);
        assert_eq!(effective(7, [i64::MAX, i64::MAX].into_iter()), 2_147_483_647);
        assert_eq!(effective(7, [i64::MIN, i64::MIN].into_iter()), 0);
    }

    #[test]
    fn between_the_thresholds_nothing_changes() {
        let q = Quorum { quorum: 5, hysteresis: 2 };
        let walk = [6, 7, 6, 3, 2, 3, 6, 7, 0];
        let mut held = false;
        let seen = walk.map(|weight| {
            held = q.judge(held, weight);
            held
        });
        assert_eq!(seen, [false, true, true, true, false, false, false, true, false]);
    }

    #[test]
    fn nothing_alive_is_no_quorum() {
        for hysteresis in [0, u32::MAX] {
            let q = Quorum { quorum: 0, hysteresis };
            assert!(!q.judge(true, 0) && !q.judge(false, 0));
        }
    }
}
