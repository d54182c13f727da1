//! Local time with its zone, which no safe crate among ours offers.
#![allow(unsafe_code)]

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment as RFC 5322 section 3.3 writes it, in the zone of this host. The daemon never sets a
/// locale, so the names of days and months are English.
pub(super) fn date(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs());
    let seconds = libc::time_t::try_from(seconds).unwrap_or_default();
    let mut text = [0u8; 64];
    // SAFETY: `tm` is plain data for which all zeroes is a value; all pointers are valid for the
    // duration of the calls, which keep none; the buffer's true length is passed and the format
    // ends in NUL.
    let length = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut tm);
        let format = c"%a, %d %b %Y %H:%M:%S %z";
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), &raw const tm)
    };
    String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned()
}
