//! Moments as people write them, in the zone of this host, of which no safe crate among ours knows.
//!
//! ```
//! use calendar::{Date, Zone};
//!
//! let date = Date::of(1_795_319_029, Zone::Utc).unwrap();
//! assert_eq!((date.year, date.month, date.day), (2026, 11, 22));
//! assert_eq!(date.seconds(Zone::Utc), Some(1_795_319_029));
//! ```

mod sys;

use std::ffi::CStr;

/// Whose calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// That of this host, by `TZ` or `/etc/localtime`.
    Local,
    /// Coordinated universal time.
    Utc,
}

/// A second on the calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Date {
    /// Counted from the birth of Christ.
    pub year: i32,
    /// 1-12.
    pub month: u32,
    /// 1-31.
    pub day: u32,
    /// 0-23.
    pub hour: u32,
    /// 0-59.
    pub minute: u32,
    /// 0-60.
    pub second: u32,
    /// 0 is Sunday. [`Date::seconds`] does not look at it.
    pub weekday: u32,
}

impl Date {
    /// The date `seconds` after the beginning of 1970 (UTC); `None` when its year does not fit.
    pub fn of(seconds: i64, zone: Zone) -> Option<Date> {
        let tm = sys::broken_down(seconds, zone)?;
        Some(Date {
            year: tm.tm_year.checked_add(1900)?,
            month: tm.tm_mon.cast_unsigned() + 1,
            day: tm.tm_mday.cast_unsigned(),
            hour: tm.tm_hour.cast_unsigned(),
            minute: tm.tm_min.cast_unsigned(),
            second: tm.tm_sec.cast_unsigned(),
            weekday: tm.tm_wday.cast_unsigned(),
        })
    }

    /// The reverse of [`Date::of`]. A day or hour that does not exist means another one: the 30th
    /// of February is the 2nd of March. `None` when the result does not fit.
    pub fn seconds(&self, zone: Zone) -> Option<i64> {
        sys::seconds(self, zone)
    }
}

/// The moment `seconds` after the beginning of 1970 (UTC) in local time, by a format of
/// `strftime(3)`. The daemon never sets a locale, so the names of days and months are English.
/// Empty when it does not fit 128 bytes, or its year does not.
pub fn local(seconds: i64, format: &CStr) -> String {
    sys::broken_down(seconds, Zone::Local).map_or_else(String::new, |tm| sys::text(&tm, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Sunday.
    const SECONDS: i64 = 1_795_319_029;

    #[test]
    fn dates_of_utc() {
        let date = Date::of(SECONDS, Zone::Utc).unwrap();
        let expected =
            Date { year: 2026, month: 11, day: 22, hour: 3, minute: 43, second: 49, weekday: 0 };
        assert_eq!(date, expected);
        assert_eq!(date.seconds(Zone::Utc), Some(SECONDS));
        let overflowing = Date { month: 10, day: 53, ..date };
        assert_eq!(overflowing.seconds(Zone::Utc), Some(SECONDS));
    }

    #[test]
    fn local_time_is_at_most_a_day_from_utc() {
        let date = Date::of(SECONDS, Zone::Local).unwrap();
        assert!(date.day.abs_diff(22) <= 1 && date.year == 2026, "{date:?}");
        assert_eq!(date.seconds(Zone::Local), Some(SECONDS));
    }

    #[test]
    fn the_text_says_what_the_date_says() {
        let date = Date::of(SECONDS, Zone::Local).unwrap();
        let Date { month, day, hour, minute, .. } = date;
        let text = local(SECONDS, c"%Y-%m-%d %H:%M");
        assert_eq!(text, format!("2026-{month:02}-{day:02} {hour:02}:{minute:02}"));
    }

    #[test]
    fn years_without_a_number_have_no_date() {
        assert_eq!(Date::of(i64::MAX, Zone::Utc), None);
        assert_eq!(local(i64::MAX, c"%c"), "");
        let never = Date { year: i32::MIN, month: 0, ..Date::default() };
        assert_eq!(never.seconds(Zone::Utc), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_none() {
        let format = std::ffi::CString::new("%Y".repeat(40)).unwrap();
        assert_eq!(local(SECONDS, &format), "");
    }
}
