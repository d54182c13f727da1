//! Which checkers of two configurations are the same, and what the new one keeps of the old one's
//! state (spec ipvs §7.3).

use super::{Subject, Verdict};
use crate::settings::{CheckerSettings, Connection, Kind, RegexSettings, Url};

impl CheckerSettings {
    /// Whether a checker with these settings goes on where one with `other` was: it looks at the
    /// same thing in the same way. How often it does may differ. A `FILE_CHECK` never does; the
    /// file is read anew.
    pub(crate) fn pairs_with(&self, other: &CheckerSettings) -> bool {
        let connection = match (&self.connection, &other.connection) {
            (Some(ours), Some(theirs)) => same_connection(ours, theirs),
            (ours, theirs) => ours.is_none() && theirs.is_none(),
        };
        connection && same_question(&self.kind, &other.kind)
    }
}

/// All but the time limit, which says nothing about the server.
fn same_connection(a: &Connection, b: &Connection) -> bool {
    (a.target, &a.origin) == (b.target, &b.origin)
}

fn same_question(a: &Kind, b: &Kind) -> bool {
    match (a, b) {
        (Kind::Tcp, Kind::Tcp) | (Kind::Ping, Kind::Ping) | (Kind::Udp(_), Kind::Udp(_)) => true,
        (Kind::Smtp(a), Kind::Smtp(b)) | (Kind::Bfd(a), Kind::Bfd(b)) => a == b,
        (Kind::Dns(a), Kind::Dns(b)) => a == b,
        (Kind::Misc(a), Kind::Misc(b)) => a.script.argv == b.script.argv && a.dynamic == b.dynamic,
        // With and without TLS.
        (Kind::Http(a), Kind::Http(b)) => {
            a.host == b.host
                && a.sni_name == b.sni_name
                && a.urls.len() == b.urls.len()
                && a.urls.iter().zip(&b.urls).all(|(a, b)| same_url(a, b))
        }
        _ => false,
    }
}

fn same_url(a: &Url, b: &Url) -> bool {
    let regex = match (&a.regex, &b.regex) {
        (Some(a), Some(b)) => same_regex(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    regex && (&a.path, &a.host, a.digest, &a.status) == (&b.path, &b.host, b.digest, &b.status)
}

/// All but the size of its stack.
fn same_regex(a: &RegexSettings, b: &RegexSettings) -> bool {
    let parts = |regex: &RegexSettings| (regex.no_match, regex.min_offset, regex.max_offset);
    a.pattern == b.pattern && a.options == b.options && parts(a) == parts(b)
}

impl Verdict {
    /// Goes on where `old` was. If there are fewer retries now, one more failure is enough. A weight
    /// that a script chose is worth it under the new configured weight, too.
    pub(crate) fn take_over(&mut self, old: &Verdict, of: Subject<'_>) {
        self.up = old.up;
        self.has_run = old.has_run;
        self.failed = old.failed.min(of.settings.schedule.retry);
        // What an attempt that is going on is asked for.
        (self.url, self.url_failed) = (old.url, old.url_failed);
        self.last_error = old.last_error;
        self.last_exit = old.last_exit;
        self.chosen = old.chosen;
        self.contribution = match old.chosen {
            Some(exit) if old.up => of.dynamic_weight(exit),
            _ => old.contribution,
        };
    }
}
