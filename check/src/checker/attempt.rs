//! One attempt of a checker.

pub(crate) mod socket;
pub(crate) mod stream;

use std::borrow::Cow;

use scheduler::Scheduler;

use super::CheckerId;
use crate::runtime::HasCheck;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server answered as it should.
    Success,
    /// This URL of an `HTTP_GET` did, and it is not the last one.
    NextUrl,
    /// It did not; the text is the log line of `log_all_failures`, without what retries add.
    Failure(Cow<'static, str>),
    /// No attempt could be made, which is no failure of the server; the text is logged.
    NotMade(Cow<'static, str>),
}

/// What an attempt in progress holds.
pub(crate) enum Attempt {
    /// TCP_CHECK, SMTP_CHECK, HTTP_GET, SSL_GET.
    Stream(stream::Stream),
}

/// Starts an attempt of the checker; [`ended`] is called when it is over, perhaps at once.
pub(crate) fn begin<W: HasCheck>(_s: &mut Scheduler<W>, _w: &mut W, _id: CheckerId) {}

/// An attempt is over: its sockets are closed and its threads gone.
pub(crate) fn ended<W: HasCheck>(
    _s: &mut Scheduler<W>,
    _w: &mut W,
    _id: CheckerId,
    _outcome: Outcome,
) {
}
