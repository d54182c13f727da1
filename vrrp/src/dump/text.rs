//! A string that grows line by line; the lines of thousands of instances are printed while adverts
//! wait, so numbers and times take no detour over the formatting machinery.

use std::fmt::{Display, Write};
use std::time::Duration;

use calendar::{Date, Zone};
use scheduler::Time;

use super::clock::Clock;

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds whose local time is remembered; the moments in a dump lie close together.
const REMEMBERED: usize = 16;

pub(super) struct Text {
    out: String,
    clock: Clock,
    zone: Zone,
    seconds: [Option<(i64, Date)>; REMEMBERED],
}

impl Text {
    pub fn new(clock: Clock, capacity: usize) -> Self {
        let out = String::with_capacity(capacity);
        Text { out, clock, zone: Zone::Local, seconds: [None; REMEMBERED] }
    }

    /// For tests, which are not to depend on where they run.
    #[cfg(test)]
    pub fn in_utc(clock: Clock) -> Self {
        Text { zone: Zone::Utc, ..Text::new(clock, 0) }
    }

    pub fn finish(self) -> String {
        self.out
    }

    /// Where functions shared with the JSON write.
    pub fn raw(&mut self) -> &mut String {
        &mut self.out
    }

    /// Begins a section.
    pub fn title(&mut self, title: &str) {
        for part in ["------< ", title, " >------\n"] {
            self.out.push_str(part);
        }
    }

    /// Adds `text` as it is.
    pub fn put(&mut self, text: &str) -> &mut Self {
        self.out.push_str(text);
        self
    }

    /// Adds anything that prints itself.
    pub fn show(&mut self, value: impl Display) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{value}");
        self
    }

    /// Adds a number.
    pub fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        number(&mut self.out, value.into());
        self
    }

    /// Ends the line.
    pub fn end(&mut self) {
        self.out.push('\n');
    }

    /// A line of `key` and a word; like those that follow, the key ends in what parts it from the value.
    pub fn word(&mut self, key: &str, value: &str) {
        self.put(key).put(value).end();
    }

    pub fn number(&mut self, key: &str, value: impl Into<i64>) {
        self.put(key).int(value).end();
    }

    pub fn address(&mut self, key: &str, value: Option<std::net::IpAddr>) {
        self.put(key);
        match value {
            Some(address) => self.show(address),
            None => self.put("(none)"),
        };
        self.end();
    }

    pub fn boolean(&mut self, key: &str, value: bool) {
        self.word(key, if value { "true" } else { "false" });
    }

    pub fn enabled(&mut self, key: &str, value: bool) {
        self.word(key, if value { "enabled" } else { "disabled" });
    }

    pub fn yes_no(&mut self, key: &str, value: bool) {
        self.word(key, if value { "yes" } else { "no" });
    }

    /// Seconds and microseconds of the wall clock.
    pub fn stamp(&mut self, at: Time) -> &mut Self {
        stamp(&mut self.out, self.clock.wall(at));
        self
    }

    /// A line of `key`, [`Text::stamp`] and local time in parentheses.
    pub fn time(&mut self, key: &str, at: Time) {
        let (seconds, micros) = self.clock.wall(at);
        let date = self.date(seconds);
        self.put(key);
        stamp(&mut self.out, (seconds, micros));
        let weekday = WEEKDAYS.get(date.weekday as usize).copied().unwrap_or("???");
        let month = MONTHS.get(date.month.wrapping_sub(1) as usize).copied().unwrap_or("???");
        self.put(" (").put(weekday).put(" ").put(month);
        self.put(if date.day < 10 { "  " } else { " " }).int(date.day).put(" ");
        digits(&mut self.out, date.hour, 2);
        self.out.push(':');
        digits(&mut self.out, date.minute, 2);
        self.out.push(':');
        digits(&mut self.out, date.second, 2);
        self.out.push('.');
        digits(&mut self.out, micros, 6);
        self.put(" ").int(date.year).put(")\n");
    }

    fn date(&mut self, seconds: i64) -> Date {
        let slot = &mut self.seconds[seconds.rem_euclid(REMEMBERED as i64) as usize];
        match slot {
            Some((known, date)) if *known == seconds => *date,
            _ => slot.insert((seconds, Date::of(seconds, self.zone).unwrap_or_default())).1,
        }
    }
}

/// `value` in decimal.
pub(super) fn number(out: &mut String, value: i64) {
    let mut buffer = [0u8; 20];
    let mut rest = value.unsigned_abs();
    let mut at = buffer.len();
    for slot in buffer.iter_mut().rev() {
        *slot = b'0' + (rest % 10) as u8;
        rest /= 10;
        at -= 1;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push('-');
    }
    out.push_str(std::str::from_utf8(&buffer[at..]).unwrap_or_default());
}

/// `value` with leading zeroes.
fn digits(out: &mut String, value: u32, width: u32) {
    for place in (0..width).rev() {
        let digit = value / 10u32.pow(place) % 10;
        out.push(char::from(b'0' + digit as u8));
    }
}

/// `SEC.USEC`.
pub(super) fn stamp(out: &mut String, (seconds, micros): (i64, u32)) {
    number(out, seconds);
    out.push('.');
    digits(out, micros, 6);
}

/// Whole numbers as they are; what exceeds 63 bits is no number anybody can use.
pub(super) fn signed(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// Seconds as C's `%g` prints them: six significant digits, no trailing zeroes.
pub(super) fn general(out: &mut String, duration: Duration) {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() == 0 && seconds < 1_000_000 {
        return number(out, signed(seconds));
    }
    let text = format!("{:.5e}", duration.as_secs_f64());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let places = (5 - exponent).unsigned_abs() as usize;
        out.push_str(strip(&format!("{:.places$}", duration.as_secs_f64())));
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{}e{sign}{:02}", strip(mantissa), exponent.abs());
    }
}

fn strip(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        for n in [0, 7, 10, -1, 4_294_967_295, i64::MAX, i64::MIN] {
            let mut out = String::new();
            number(&mut out, n);
            assert_eq!(out, n.to_string());
        }
    }

    #[test]
    fn seconds_are_printed_as_by_percent_g() {
        let rows = [
            (0, "0"),
            (5_000_000, "5"),
            (250_000, "0.25"),
            (2_500_000, "2.5"),
            (10_000, "0.01"),
            (1, "1e-06"),
            (123, "0.000123"),
            (40_950_000, "40.95"),
            (1_234_567_890, "1234.57"),
            (1_000_000_000_000, "1e+06"),
            (999_999_500_000, "1e+06"),
        ];
        for (micros, expected) in rows {
            let mut out = String::new();
            general(&mut out, Duration::from_micros(micros));
            assert_eq!(out, expected);
        }
    }
}
