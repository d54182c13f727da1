//! The C library's calls.
#![allow(unsafe_code)]

use std::ffi::CStr;

use crate::{Date, Zone};

/// A `tm` without a field set.
fn empty() -> libc::tm {
    // SAFETY: `tm` is plain data for which all zeroes is a value.
    unsafe { std::mem::zeroed() }
}

pub(crate) fn broken_down(seconds: i64, zone: Zone) -> Option<libc::tm> {
    let mut tm = empty();
    // SAFETY: both pointers are valid for the duration of the calls, which keep neither.
    let done = unsafe {
        match zone {
            Zone::Local => libc::localtime_r(&raw const seconds, &raw mut tm),
            Zone::Utc => libc::gmtime_r(&raw const seconds, &raw mut tm),
        }
    };
    (!done.is_null()).then_some(tm)
}

pub(crate) fn seconds(date: &Date, zone: Zone) -> Option<i64> {
    let mut tm = empty();
    tm.tm_year = date.year.checked_sub(1900)?;
    tm.tm_mon = i32::try_from(date.month).ok()?.checked_sub(1)?;
    tm.tm_mday = date.day.try_into().ok()?;
    tm.tm_hour = date.hour.try_into().ok()?;
    tm.tm_min = date.minute.try_into().ok()?;
    tm.tm_sec = date.second.try_into().ok()?;
    // Whether it is summer time is for the zone to say.
    tm.tm_isdst = -1;
    // SAFETY: the pointer is valid for the duration of the calls, which keep it not.
    let at = unsafe {
        match zone {
            Zone::Local => libc::mktime(&raw mut tm),
            Zone::Utc => libc::timegm(&raw mut tm),
        }
    };
    (at != -1).then_some(at)
}

pub(crate) fn text(tm: &libc::tm, format: &CStr) -> String {
    let mut text = [0u8; 128];
    // SAFETY: the buffer's true length is passed, the format ends in NUL, `tm` has valid fields.
    let len = unsafe { libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), tm) };
    String::from_utf8_lossy(text.get(..len).unwrap_or_default()).into_owned()
}
