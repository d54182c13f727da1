//! What the outcomes of attempts make of a checker (spec checkers-behaviour §2, §3.2).
//!
//! | checker | failures until it is down | before its first result | while down |
//! |---|---|---|---|
//! | TCP, UDP, PING, DNS, HTTP, MISC | `retry` + 1 | one | each by itself |
//! | SMTP | `retry` + 1 | `retry` + 1 | `retry` + 1 in every cycle |
//! | FILE, BFD | one | one | one |
//!
//! One success brings every checker up. An outcome that settles the matter is *definitive*. It is
//! only proposed here: [`Verdict::settle`] makes it the state, once the kernel has taken it.

mod pairing;
mod words;

use std::borrow::Cow;
use std::time::Duration;

use scheduler::Exit;

use super::attempt::Outcome;
use crate::settings::{CheckerSettings, FileSettings, Kind};

/// The weight that is nearest to "down" without being it.
const CONTRIBUTION_MAX: i64 = 2_147_483_647;

/// The state of a checker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Up; initially so unless alpha.
    pub(crate) up: bool,
    /// A definitive result was reached once.
    pub(crate) has_run: bool,
    /// Failed attempts in a row that are not settled yet; at most `retry`.
    pub(crate) failed: u32,
    /// What it adds to the weight of its real server.
    pub(crate) contribution: i64,
    /// The URL that the next attempt of an `HTTP_GET` asks for: after a failure the same one, until
    /// it is good; then all of them, from the first.
    pub(crate) url: u16,
    /// That URL failed last.
    pub(crate) url_failed: bool,
    /// Error number of the last system call that failed, for the dump; attempts set it.
    pub(crate) last_error: i32,
    /// How the last run of a `MISC_CHECK` ended, for the dump.
    pub(crate) last_exit: Option<Exit>,
    /// The last exit that was a success, which makes the weight.
    pub(crate) chosen: Option<Exit>,
}

/// Whose outcome is judged.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) settings: &'a CheckerSettings,
    /// Name of the real server.
    pub(crate) server: &'a str,
    /// Name of the virtual server.
    pub(crate) service: &'a str,
    /// Configured weight of the real server.
    pub(crate) weight: u32,
}

/// What an outcome means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The matter is settled.
    pub(crate) definitive: Option<Definitive>,
    /// What the checker adds to the weight from now on, if that changes.
    pub(crate) contribution: Option<i64>,
    /// When the next attempt is due.
    pub(crate) next: Next,
    /// Log lines, in this order.
    pub(crate) lines: [Option<Cow<'static, str>>; 2],
}

/// A definitive result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definitive {
    /// What was found.
    pub(crate) up: bool,
    /// It is a change or the first one, and the real server has to hear of it.
    pub(crate) news: bool,
    /// Body of the mail about it, without the arrows.
    pub(crate) mail: Option<Cow<'static, str>>,
}

/// When the next attempt is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// So long after the end of this one.
    AfterEnd(Duration),
    /// So long after this one was planned to start, but not before its end.
    AfterStart(Duration),
    /// When something happens.
    Never,
}

/// What one attempt says about the server.
enum Finding {
    Good,
    Bad,
    /// It is good so far, or nothing is known.
    Open,
}

impl Verdict {
    /// Before the first run.
    pub(crate) fn new(settings: &CheckerSettings) -> Verdict {
        let alpha = settings.schedule.alpha && !matches!(settings.kind, Kind::File(_));
        Verdict { up: !alpha, ..Verdict::default() }
    }

    /// Takes the outcome of an attempt. `up` and `has_run` do not change before
    /// [`settle`](Self::settle).
    pub(crate) fn ended(&mut self, of: Subject<'_>, outcome: Outcome) -> Judgement {
        let contribution = self.weigh(of, &outcome);
        match finding(of, &outcome) {
            Finding::Good => self.succeeded(of, contribution),
            Finding::Bad => self.failed(of, contribution, outcome),
            Finding::Open => match outcome {
                Outcome::NextUrl => self.next_url(of),
                Outcome::NotMade(text) => open(of.settings.schedule.delay_loop, Some(text)),
                _ => open(of.settings.schedule.delay_loop, None),
            },
        }
    }

    /// The definitive result has become the state.
    pub(crate) fn settle(&mut self, up: bool) {
        self.up = up;
        self.has_run = true;
        self.failed = 0;
    }

    fn succeeded(&mut self, of: Subject<'_>, contribution: Option<i64>) -> Judgement {
        if self.url_failed && self.url > 0 {
            return self.next_url(of);
        }
        self.failed = 0;
        self.url = 0;
        self.url_failed = false;
        let news = !self.up || !self.has_run;
        let mailed = !self.up || matches!(of.settings.kind, Kind::Misc(_));
        let definitive = Definitive {
            up: true,
            news,
            mail: if news && mailed { words::good_mail(of.settings) } else { None },
        };
        let line = if news { words::came_up(of, self) } else { None };
        Judgement {
            definitive: Some(definitive),
            contribution,
            next: next(of.settings, of.settings.schedule.delay_loop),
            lines: [line, None],
        }
    }

    fn failed(
        &mut self,
        of: Subject<'_>,
        contribution: Option<i64>,
        outcome: Outcome,
    ) -> Judgement {
        let schedule = of.settings.schedule;
        let limit = self.retries_before_down(of.settings);
        let definitive = self.failed >= limit;
        let attempt = words::Failed {
            retries: self.failed,
            definitive,
            matters: self.up || !self.has_run,
            outcome,
        };
        self.url_failed = true;
        let lines = words::went_wrong(of, self, &attempt);
        if !definitive {
            self.failed += 1;
            let next = next(of.settings, schedule.delay_before_retry);
            return Judgement { definitive: None, contribution: None, next, lines };
        }
        // HTTP does not tell that a server that has to come up first has not.
        let quiet = !self.up && matches!(of.settings.kind, Kind::Http(_));
        let news = attempt.matters && !quiet;
        let mail = if news { words::bad_mail(of.settings, attempt.outcome) } else { None };
        let delay = match of.settings.kind {
            Kind::Http(_) => schedule.delay_loop.max(schedule.delay_before_retry),
            _ => schedule.delay_loop,
        };
        Judgement {
            definitive: Some(Definitive { up: false, news, mail }),
            contribution,
            next: next(of.settings, delay),
            lines,
        }
    }

    /// Failures in a row that are not yet definitive.
    fn retries_before_down(&self, settings: &CheckerSettings) -> u32 {
        match settings.kind {
            Kind::Smtp(_) => settings.schedule.retry,
            Kind::File(_) | Kind::Bfd(_) => 0,
            _ if self.up && self.has_run => settings.schedule.retry,
            _ => 0,
        }
    }

    /// A URL is good, and others are to be asked for.
    fn next_url(&mut self, of: Subject<'_>) -> Judgement {
        let delay_loop = of.settings.schedule.delay_loop;
        let Kind::Http(http) = &of.settings.kind else { return open(delay_loop, None) };
        if self.url_failed {
            self.failed = 0;
            self.url_failed = false;
            self.url = 0;
        } else {
            self.url = self.url.saturating_add(1);
        }
        let recovering = !self.up || !self.has_run;
        open(if http.fast_recovery && recovering { Duration::ZERO } else { delay_loop }, None)
    }

    /// What the checker adds after `outcome`, if that differs from what it adds now. The weight of
    /// a script is given up whenever the script fails for good; the original forgets to when the
    /// script ran out of time or was killed, and the weight drifts.
    fn weigh(&mut self, of: Subject<'_>, outcome: &Outcome) -> Option<i64> {
        let adds = match (&of.settings.kind, outcome) {
            (Kind::Misc(_), Outcome::Exited { exit, .. }) => {
                self.last_exit = Some(*exit);
                match finding(of, outcome) {
                    Finding::Good => {
                        self.chosen = Some(*exit);
                        of.dynamic_weight(*exit)
                    }
                    _ => 0,
                }
            }
            (Kind::Misc(_), Outcome::Failure(_)) => 0,
            (Kind::File(file), Outcome::Number(number)) => match finding(of, outcome) {
                Finding::Good => file_weight(file, *number),
                _ => return None,
            },
            _ => return None,
        };
        (adds != self.contribution).then_some(adds)
    }
}

impl Subject<'_> {
    /// What a script that ended so adds to the configured weight: `misc_dynamic` makes 2 to 255 the
    /// weights 0 to 253.
    fn dynamic_weight(self, exit: Exit) -> i64 {
        match (&self.settings.kind, exit) {
            (Kind::Misc(misc), Exit::Code(code)) if misc.dynamic && code >= 2 => {
                i64::from(code) - 2 - i64::from(self.weight)
            }
            _ => 0,
        }
    }
}

/// The judgement of an attempt that says nothing for good.
fn open(delay: Duration, line: Option<Cow<'static, str>>) -> Judgement {
    let next = Next::AfterEnd(delay);
    Judgement { definitive: None, contribution: None, next, lines: [line, None] }
}

/// What one attempt says about the server.
fn finding(of: Subject<'_>, outcome: &Outcome) -> Finding {
    let good = match outcome {
        Outcome::Success => true,
        Outcome::Failure(_) => false,
        Outcome::NextUrl | Outcome::NotMade(_) => return Finding::Open,
        Outcome::Exited { timed_out: true, .. } => false,
        Outcome::Exited { exit: Exit::Code(0), .. } => true,
        Outcome::Exited { exit: Exit::Code(2..), .. } => {
            matches!(&of.settings.kind, Kind::Misc(misc) if misc.dynamic)
        }
        Outcome::Exited { .. } => false,
        Outcome::Number(number) => match &of.settings.kind {
            Kind::File(file) if file.weight == 0 => (*number == 0) != file.reverse,
            Kind::File(file) => product(file, *number) >= -CONTRIBUTION_MAX,
            _ => return Finding::Open,
        },
    };
    if good { Finding::Good } else { Finding::Bad }
}

/// What a file's number is worth.
fn product(file: &FileSettings, number: i64) -> i64 {
    let product = number.saturating_mul(i64::from(file.weight));
    if file.reverse { product.saturating_neg() } else { product }
}

fn file_weight(file: &FileSettings, number: i64) -> i64 {
    product(file, number).clamp(-CONTRIBUTION_MAX, CONTRIBUTION_MAX)
}

/// The rhythm of a `MISC_CHECK` does not depend on how long its script takes.
fn next(settings: &CheckerSettings, delay: Duration) -> Next {
    match settings.kind {
        Kind::Misc(_) => Next::AfterStart(delay),
        Kind::File(_) | Kind::Bfd(_) => Next::Never,
        _ => Next::AfterEnd(delay),
    }
}

#[cfg(test)]
mod tests;
