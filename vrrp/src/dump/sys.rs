//! Local time, which no safe crate among ours offers.
#![allow(unsafe_code)]

/// A moment on the calendar of the system's time zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Local {
    /// 0 is Sunday.
    pub weekday: usize,
    /// 0 is January.
    pub month: usize,
    /// 1-31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub year: i64,
}

/// `seconds` since 1970 in local time; all zero when the year does not fit an `int`.
pub(super) fn local(seconds: i64) -> Local {
    // SAFETY: `tm` is plain data for which all zeroes is a value; both pointers are valid for the
    // duration of the call, and `localtime_r` keeps none of them.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&raw const seconds, &raw mut tm).is_null() {
            return Local::default();
        }
        tm
    };
    local_of(&tm)
}

fn local_of(tm: &libc::tm) -> Local {
    Local {
        weekday: tm.tm_wday as usize,
        month: tm.tm_mon as usize,
        day: tm.tm_mday as u32,
        hour: tm.tm_hour as u32,
        minute: tm.tm_min as u32,
        second: tm.tm_sec as u32,
        year: i64::from(tm.tm_year) + 1900,
    }
}

/// The same on the calendar of UTC, so that tests read the same everywhere.
#[cfg(test)]
pub(super) fn utc(seconds: i64) -> Local {
    // SAFETY: as above.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::gmtime_r(&raw const seconds, &raw mut tm);
        tm
    };
    local_of(&tm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_is_at_most_a_day_from_utc() {
        let (here, there) = (local(1_795_319_029), utc(1_795_319_029));
        assert_eq!((there.weekday, there.month, there.day, there.year), (0, 10, 22, 2026));
        assert_eq!((there.hour, there.minute, there.second), (3, 43, 49));
        assert!(here.day.abs_diff(there.day) <= 1 && here.year == there.year);
    }
}
