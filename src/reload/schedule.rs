//! `reload_time_file`: a file whose first line says when the configuration is to be read again.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use calendar::{Date, Zone};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use scheduler::{Class, Ready, Scheduler, ThreadId};

use crate::daemon::Daemon;

/// Longest first line that can be a time.
const LONGEST: usize = 20;

/// A clock that is set while the timer waits is noticed at most this late.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub at: i64,
    /// A time of day without a date.
    pub daily: bool,
}

/// The watch on the file.
pub struct Schedule {
    path: PathBuf,
    repeat: bool,
    inotify: Inotify,
    timer: Option<ThreadId>,
    moment: Option<Moment>,
}

impl Schedule {
    /// When a reload is due, in seconds since 1970.
    pub fn at(&self) -> Option<i64> {
        self.moment.map(|moment| moment.at)
    }
}

/// Watches `path` in place of what was watched before.
pub fn watch(
    scheduler: &mut Scheduler<Daemon>,
    daemon: &mut Daemon,
    path: Option<PathBuf>,
    repeat: bool,
) {
    if let Some(old) = daemon.schedule.take() {
        scheduler.forget(old.inotify.as_fd().as_raw_fd());
        if let Some(timer) = old.timer {
            scheduler.cancel(timer);
        }
    }
    let Some(path) = path else { return };
    match open(&path) {
        Ok(inotify) => {
            let fd = inotify.as_fd().as_raw_fd();
            daemon.schedule = Some(Schedule { path, repeat, inotify, timer: None, moment: None });
            let _ = scheduler.add_read(Class::Background, fd, None, 0, changed);
            arm(scheduler, daemon);
        }
        Err(e) => log::error!("Unable to watch {}: {e}", path.display()),
    }
}

fn open(path: &Path) -> std::io::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let events = AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_ONLYDIR;
    inotify.add_watch(directory, events)?;
    Ok(inotify)
}

fn changed(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, _: Ready) {
    let Some(schedule) = &daemon.schedule else { return };
    let mut ours = false;
    while let Ok(events) = schedule.inotify.read_events() {
        ours |= events.iter().any(|event| {
            event.name.as_deref().is_none_or(|name| Some(name) == schedule.path.file_name())
        });
    }
    let fd = schedule.inotify.as_fd().as_raw_fd();
    let _ = scheduler.add_read(Class::Background, fd, None, 0, changed);
    if ours {
        arm(scheduler, daemon);
    }
}

/// Reads the file and arms the timer by it.
fn arm(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    let Some(schedule) = &mut daemon.schedule else { return };
    if let Some(timer) = schedule.timer.take() {
        scheduler.cancel(timer);
    }
    let before = schedule.moment.take();
    let path = schedule.path.display();
    match read(&schedule.path) {
        Ok(None) if before.is_some() => log::info!("Scheduled reload cancelled"),
        Ok(None) => {}
        Ok(Some(line)) => match parse(&line, now()) {
            Ok(moment) => {
                schedule.moment = Some(moment);
                if before != Some(moment) {
                    let at = calendar::local(moment.at, c"%Y-%m-%d %H:%M:%S");
                    log::info!("Reload scheduled for {at}");
                }
                wait(scheduler, schedule);
            }
            Err(why) => log::warn!("{path}: {why} - no reload scheduled"),
        },
        Err(e) => log::warn!("Unable to read {path}: {e} - no reload scheduled"),
    }
}

/// The timer runs on the monotonic clock, the file speaks of the wall's: look again now and then.
fn wait(scheduler: &mut Scheduler<Daemon>, schedule: &mut Schedule) {
    let Some(moment) = schedule.moment else { return };
    let left = Duration::from_secs(u64::try_from(moment.at.saturating_sub(now())).unwrap_or(0));
    let timer = scheduler.add_timer_after(Class::Background, left.min(LOOK_AGAIN), 0, due);
    schedule.timer = Some(timer);
}

fn due(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, _: Ready) {
    let Some(schedule) = &mut daemon.schedule else { return };
    schedule.timer = None;
    let Some(moment) = schedule.moment else { return };
    if now() < moment.at {
        return wait(scheduler, schedule);
    }
    schedule.moment = None;
    if !(schedule.repeat && moment.daily)
        && let Err(e) = std::fs::remove_file(&schedule.path)
    {
        log::warn!("Unable to remove {}: {e}", schedule.path.display());
    }
    log::info!("Scheduled reload");
    super::request(scheduler, daemon);
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The first line; `None` when there is no file.
fn read(path: &Path) -> std::io::Result<Option<String>> {
    let opened =
        File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file = match opened {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(LONGEST as u64 + 2).read_to_string(&mut text)?;
    Ok(Some(text.lines().next().unwrap_or_default().to_string()))
}

/// Reads `HH:MM:SS`, `YY-MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, each with or without a `Z` for UTC.
fn parse(line: &str, now: i64) -> Result<Moment, String> {
    let wrong = || format!("'{line}' is not a time");
    let (text, zone) = match line.strip_suffix('Z') {
        Some(text) => (text, Zone::Utc),
        None => (line, Zone::Local),
    };
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (Some(date), time),
        None => (None, text),
    };
    let [hour, minute, second] = fields(time, ':', [2, 2, 2]).ok_or_else(wrong)?;
    let [year, month, day] = match date {
        Some(date) => match fields(date, '-', [4, 2, 2]) {
            Some(date) => date,
            None => {
                fields(date, '-', [2, 2, 2]).map(|[y, m, d]| [y + 2000, m, d]).ok_or_else(wrong)?
            }
        },
        None => {
            let today = Date::of(now, zone).ok_or_else(wrong)?;
            [today.year.cast_unsigned(), today.month, today.day]
        }
    };
    let daily = date.is_none();
    let date = Date { year: year.cast_signed(), month, day, hour, minute, second, weekday: 0 };
    let at = date.seconds(zone).ok_or_else(wrong)?;
    // A day or hour that does not exist comes out as another.
    if Date::of(at, zone).is_none_or(|same| Date { weekday: 0, ..same } != date) {
        return Err(wrong());
    }
    match (at > now, daily) {
        (true, _) => Ok(Moment { at, daily }),
        (false, true) => Date { day: day + 1, ..date }
            .seconds(zone)
            .map(|at| Moment { at, daily })
            .ok_or_else(wrong),
        (false, false) => Err(format!("'{line}' is in the past")),
    }
}

/// Numbers of exactly these widths.
fn fields(text: &str, separator: char, widths: [usize; 3]) -> Option<[u32; 3]> {
    let mut values = [0; 3];
    let mut parts = text.split(separator);
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 12:00:00 UTC.
    const NOON: i64 = 1_795_348_800;

    #[test]
    fn times_of_day_and_dates() {
        let at = |line: &str| parse(line, NOON).map(|m| (m.at - NOON, m.daily));
        assert_eq!(at("12:00:01Z"), Ok((1, true)));
        assert_eq!(at("12:00:00Z"), Ok((86_400, true)), "past: tomorrow");
        assert_eq!(at("2026-11-22 13:00:00Z"), Ok((3600, false)));
        assert_eq!(at("26-11-23 12:00:00Z"), Ok((86_400, false)));
        assert!(at("2026-11-22 11:00:00Z").is_err(), "past");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for line in [
            "",
            "Z",
            "1:00:00",
            "24:00:00Z",
            "12:60:00Z",
            "2026-02-30 00:00:00Z",
            "12:00:00 ",
            "2026-11-22T13:00:00Z",
            "12:00",
            "12:00:00ZZ",
            "-1:00:00",
            "1é:00:00",
            "26-13-01 00:00:00",
        ] {
            assert!(parse(line, NOON).is_err(), "{line}");
        }
    }
}
