//! What a checker says in logs and mails (spec checkers-behaviour §7.4, §8 to §11).

use std::borrow::Cow;

use scheduler::Exit;

use super::{Subject, Verdict};
use crate::checker::attempt::Outcome;
use crate::settings::{CheckerSettings, Kind, MiscSettings};

type Text = Cow<'static, str>;

/// What `SMTP_CHECK` begins its log lines with, but not its mails.
const SMTP: &str = "SMTP_CHECK ";

/// A failed attempt.
pub(super) struct Failed {
    /// Failed attempts before it that were not definitive.
    pub(super) retries: u32,
    /// It settles the matter.
    pub(super) definitive: bool,
    /// The checker was up or has never run.
    pub(super) matters: bool,
    pub(super) outcome: Outcome,
}

/// The line about a success that is a change or the first.
pub(super) fn came_up(of: Subject<'_>, verdict: &Verdict) -> Option<Text> {
    let Subject { server, service, .. } = of;
    let line = match &of.settings.kind {
        Kind::Tcp => format!("TCP connection to {server} success."),
        Kind::Udp(_) => format!("UDP connection to {server} success."),
        Kind::Ping => format!("ICMP connection to {server} success."),
        Kind::Http(_) => format!("Remote Web server {server} succeed on service."),
        Kind::Smtp(_) => format!("Remote SMTP server {server} succeed on service."),
        Kind::Misc(misc) => {
            format!("Misc check for [{server} VS {service}] by [{}] succeeded.", program(misc))
        }
        Kind::Bfd(name) => format!("BFD check of [{name}] RS({server}) is UP"),
        Kind::File(file) if !verdict.up => {
            format!("({server}): tracked file {} leaving FAULT state", file.file.name)
        }
        Kind::File(_) | Kind::Dns(_) => return None,
    };
    Some(line.into())
}

/// The lines about a failed attempt.
pub(super) fn went_wrong(of: Subject<'_>, verdict: &Verdict, failed: &Failed) -> [Option<Text>; 2] {
    let all = of.settings.schedule.log_all_failures;
    let down = failed.definitive && failed.matters;
    match &of.settings.kind {
        Kind::Smtp(_) => {
            let said = failed.matters && (all || failed.definitive);
            [said.then(|| reason(&failed.outcome).map(prefixed)).flatten(), None]
        }
        Kind::Dns(_) => {
            let retries = after_retries(failed.retries);
            let said = failed.matters && (all || failed.definitive);
            let line = said.then(|| reason(&failed.outcome)).flatten();
            [line.map(|line| format!("{line}{retries}").into()), None]
        }
        Kind::Misc(misc) => [misc_failed(of, misc, failed), None],
        Kind::File(file) => {
            let line =
                || format!("({}): tracked file {} now FAULT state", of.server, file.file.name);
            [(down && verdict.up).then(|| line().into()), None]
        }
        Kind::Bfd(name) => {
            let line = || format!("BFD check of [{name}] RS({}) is DOWN", of.server);
            [down.then(|| line().into()), None]
        }
        Kind::Tcp | Kind::Udp(_) | Kind::Ping | Kind::Http(_) => {
            // A web server that has to come up first has not failed.
            let down = down && (verdict.up || !matches!(of.settings.kind, Kind::Http(_)));
            [
                (all && verdict.up).then(|| reason(&failed.outcome)).flatten(),
                down.then(|| went_down(of, failed.retries)),
            ]
        }
    }
}

fn went_down(of: Subject<'_>, retries: u32) -> Text {
    let Subject { server, service, settings, .. } = of;
    let after = after_retries(retries);
    match &settings.kind {
        Kind::Udp(_) => format!("UDP_CHECK on service {server} failed{after}."),
        Kind::Ping if retries > 0 => {
            format!("ICMP CHECK on service {server} of {service} failed{after}.")
        }
        Kind::Ping => format!("ICMP CHECK on service {server} failed."),
        Kind::Http(http) => {
            let keyword = if http.tls { "SSL_CHECK" } else { "HTTP_CHECK" };
            // The configured number, even if the very first failure settled it.
            let after = after_retries(settings.schedule.retry);
            format!("{keyword} on service {server} failed{after}.")
        }
        _ => format!("TCP_CHECK on service {server} failed{after}."),
    }
    .into()
}

fn after_retries(retries: u32) -> String {
    if retries == 0 { String::new() } else { format!(" after {retries} retries") }
}

/// `None` also if there is no more to say.
fn reason(outcome: &Outcome) -> Option<Text> {
    match outcome {
        Outcome::Failure(reason) if !reason.is_empty() => Some(reason.clone()),
        _ => None,
    }
}

fn prefixed(reason: Text) -> Text {
    if reason.starts_with(SMTP) { reason } else { format!("{SMTP}{reason}").into() }
}

fn program(misc: &MiscSettings) -> &str {
    misc.script.argv.first().map_or("", String::as_str)
}

fn misc_failed(of: Subject<'_>, misc: &MiscSettings, failed: &Failed) -> Option<Text> {
    if !failed.matters {
        return None;
    }
    let schedule = of.settings.schedule;
    if !failed.definitive && !schedule.log_all_failures {
        return None;
    }
    let retry = schedule.retry;
    let retries = if retry == 1 { "retry" } else { "retries" };
    let middle = match (failed.definitive, failed.retries) {
        (true, _) if retry == 0 => " with retry disabled".to_owned(),
        // Even if the very first failure settled it.
        (true, _) => format!(" after {retry} {retries}"),
        (false, 0) => format!(", will do {retry} {retries}"),
        (false, done) => format!(" on retry {done}/{retry}"),
    };
    let (how, cause) = match failed.outcome {
        // One that was told to end and had something to say is not called late.
        Outcome::Exited { exit: Exit::Code(0) | Exit::Signal(_), timed_out: true } => {
            ("timed out", String::new())
        }
        Outcome::Exited { exit: Exit::Code(status), .. } => {
            ("failed", format!(" (exited with status {status})"))
        }
        Outcome::Exited { exit: Exit::Signal(signal), .. } => {
            ("failed", format!(" (due to signal {signal})"))
        }
        _ => ("failed", String::new()),
    };
    let (server, service, program) = (of.server, of.service, program(misc));
    let check = format!("Misc check for [{server} VS {service}] by [{program}]");
    Some(format!("{check} {how}{middle}{cause}.").into())
}

/// Body of the mail about a server that came up.
pub(super) fn good_mail(settings: &CheckerSettings) -> Option<Text> {
    Some(match &settings.kind {
        Kind::Tcp => "TCP CHECK succeed on service".into(),
        Kind::Udp(_) => "UDP CHECK succeed on service".into(),
        Kind::Ping => "ICMP CHECK succeed on service".into(),
        Kind::Http(_) | Kind::Smtp(_) => "CHECK succeed on service".into(),
        Kind::Dns(_) => "DNS_CHECK: succeed on service".into(),
        Kind::Misc(_) => "MISC CHECK succeeded on service".into(),
        Kind::Bfd(name) => format!("BFD CHECK {name} succeeded on service").into(),
        Kind::File(_) => return None,
    })
}

/// Body of the mail about a server that went down.
pub(super) fn bad_mail(settings: &CheckerSettings, outcome: Outcome) -> Option<Text> {
    Some(match &settings.kind {
        Kind::Tcp => "TCP CHECK failed on service".into(),
        Kind::Udp(_) => "UDP CHECK failed on service".into(),
        Kind::Ping => "ICMP CHECK failed on service".into(),
        Kind::Http(_) => "CHECK failed on service : HTTP/SSL request failed".into(),
        Kind::Smtp(_) => {
            let reason = reason(&outcome).unwrap_or_default();
            let reason = reason.strip_prefix(SMTP).unwrap_or(&reason);
            format!("CHECK failed on service : {reason}").into()
        }
        Kind::Dns(_) => "DNS_CHECK: failed on service".into(),
        Kind::Misc(_) => match outcome {
            Outcome::Exited { timed_out: true, .. } => "MISC CHECK timed out on service".into(),
            _ => "MISC CHECK failed on service".into(),
        },
        Kind::Bfd(name) => format!("BFD CHECK {name} failed on service").into(),
        Kind::File(_) => return None,
    })
}
