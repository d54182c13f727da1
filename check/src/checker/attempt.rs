//! One attempt of a checker.

mod datagram;
pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod misc;
pub(crate) mod ping;
pub(crate) mod regex;
pub(crate) mod smtp;
pub(crate) mod socket;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod udp;

use std::borrow::Cow;

use scheduler::{Exit, Scheduler};

use super::{CheckerId, files, sessions};
use crate::runtime::HasCheck;
use crate::settings::Kind;

pub(crate) use super::schedule::ended;

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
    /// The script of a `MISC_CHECK` ended.
    Exited {
        /// How.
        exit: Exit,
        /// Because it was told to, after its time was up.
        timed_out: bool,
    },
    /// The number in the file of a `FILE_CHECK`.
    Number(i64),
}

/// What an attempt in progress holds.
pub(crate) enum Attempt {
    /// TCP_CHECK, SMTP_CHECK, HTTP_GET, SSL_GET.
    Stream(stream::Stream),
    /// DNS_CHECK, UDP_CHECK, PING_CHECK.
    Datagram(datagram::Datagram),
    /// MISC_CHECK.
    Script(misc::Running),
}

/// Starts an attempt of the checker; [`ended`] is called when it is over, perhaps at once.
pub(crate) fn begin<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(checker) = w.check().and_then(|check| check.checkers.get(id)) else { return };
    match checker.settings.kind {
        Kind::Tcp | Kind::Http(_) | Kind::Smtp(_) => stream::begin(s, w, id),
        Kind::Dns(_) | Kind::Udp(_) | Kind::Ping => datagram::begin(s, w, id),
        Kind::Misc(_) => misc::begin(s, w, id),
        Kind::File(_) => files::read(s, w, id),
        Kind::Bfd(_) => sessions::read(s, w, id),
    }
}

/// Breaks off the attempt of a checker that is no more: [`ended`] will not be called.
pub(crate) fn abandon<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    attempt: Attempt,
) {
    match attempt {
        Attempt::Stream(stream) => stream.abandon(s),
        Attempt::Datagram(datagram) => datagram.abandon(s),
        Attempt::Script(running) => misc::abandon(s, w, id, running),
    }
}
