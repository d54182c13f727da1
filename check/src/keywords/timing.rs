//! Keywords about time that virtual servers, real servers and checkers share: each is the default of
//! those inside it, wherever it stands in its block.

use std::time::Duration;

use config::{Args, Context, Keyword, Line, Row};

use super::number;

/// Seconds with six decimals, zero allowed.
const TIMER: Args = Args::timer(0, u64::MAX - 1);
/// Seconds with six decimals, above zero.
const POSITIVE_TIMER: Args = Args::timer(1, u64::MAX - 1);
/// Seconds that fit 32 bits of microseconds, above zero.
const TIMEOUT: Args = Args::timer(1, u32::MAX as u64);

/// What was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) delay_loop: Option<Duration>,
    pub(crate) retry: Option<u32>,
    pub(crate) delay_before_retry: Option<Duration>,
    pub(crate) warmup: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) alpha: Option<bool>,
}

impl Timing {
    /// What was given here, else outside.
    pub(crate) fn or(&self, outside: &Timing) -> Timing {
        Timing {
            delay_loop: self.delay_loop.or(outside.delay_loop),
            retry: self.retry.or(outside.retry),
            delay_before_retry: self.delay_before_retry.or(outside.delay_before_retry),
            warmup: self.warmup.or(outside.warmup),
            connect_timeout: self.connect_timeout.or(outside.connect_timeout),
            alpha: self.alpha.or(outside.alpha),
        }
    }
}

/// A block that has these keywords.
pub(super) trait Timed {
    /// What it was given.
    fn timing(&mut self) -> &mut Timing;
}

/// `retry`, strict and at least 1.
pub(super) const RETRY: Keyword =
    Keyword::new("retry", Args::int(1, u32::MAX as i64), "Further attempts before failing")
        .required();
/// `retry` of checkers.
pub(super) const LENIENT_RETRY: Keyword =
    Keyword { args: Args::lenient(0, u32::MAX as i64), ..RETRY };
pub(super) const DELAY_BEFORE_RETRY: Keyword =
    Keyword::new("delay_before_retry", TIMER, "Time before a further attempt").required().unit("s");
pub(super) const WARMUP: Keyword =
    Keyword::new("warmup", TIMER, "Longest random delay of the first check").required().unit("s");
pub(super) const DELAY_LOOP: Keyword =
    Keyword::new("delay_loop", POSITIVE_TIMER, "Time between two checks").required().unit("s");
pub(super) const CONNECT_TIMEOUT: Keyword =
    Keyword::new("connect_timeout", TIMEOUT, "Time limit of each step of a check")
        .required()
        .unit("s");

/// A row of one of the durations.
pub(super) const fn duration<T: Timed>(keyword: Keyword) -> Row<T> {
    Row::new(keyword, time)
}

/// Handles any of the durations.
pub(super) fn time<T: Timed>(block: &mut T, line: &Line, ctx: &mut Context<'_>) {
    let timing = block.timing();
    let place = match line.name() {
        "delay_loop" => &mut timing.delay_loop,
        "delay_before_retry" => &mut timing.delay_before_retry,
        "warmup" => &mut timing.warmup,
        _ => &mut timing.connect_timeout,
    };
    *place = line.decimal(ctx).map(Duration::from_micros).or(*place);
}

/// A row of `retry`.
pub(super) const fn retries<T: Timed>(keyword: Keyword) -> Row<T> {
    Row::new(keyword, retry)
}

/// Handles `retry` and its old spelling.
pub(super) fn retry<T: Timed>(block: &mut T, line: &Line, ctx: &mut Context<'_>) {
    let timing = block.timing();
    timing.retry = number(line, ctx).or(timing.retry);
}

/// `alpha` with a truth value.
pub(super) const fn alpha<T: Timed>(keyword: Keyword) -> Row<T> {
    Row::new(keyword, |block, line, ctx| {
        let timing = block.timing();
        timing.alpha = line.boolean(ctx).or(timing.alpha);
    })
}
