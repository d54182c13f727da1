//! Checkers, and the files they follow.

use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use scheduler::Exit;

use super::{Seconds, Text, yes};
use crate::checker::verdict::Verdict;
use crate::checker::{Checker, files};
use crate::keywords::dns_type_name;
use crate::runtime::Check;
use crate::settings::{
    Arguments, CheckerSettings, Connection, Endpoint, FileSettings, HttpProtocol, HttpSettings,
    Kind, MiscSettings, RealServer, RegexSettings, StatusRange, UdpSettings, Url,
};

/// All checkers, then what they follow.
pub(super) fn all(t: &mut Text, check: &Check) {
    t.line("------< Health checkers >------");
    for service in check.services() {
        for real in &service.reals {
            let outer = &service.settings.virtualhost;
            let host = real.settings.shown.virtualhost.as_ref().or(outer.as_ref());
            for id in &real.checkers {
                if let Some(one) = check.checkers.get(*id) {
                    checker(t, one, host);
                }
            }
        }
    }
    files(t, check);
    sessions(t, check);
}

/// The files and BFD sessions of a real server.
pub(super) fn followed(t: &mut Text, real: &RealServer) {
    let kinds = || real.checkers.iter().map(|checker| &checker.kind);
    let mut files = kinds().filter_map(|kind| match kind {
        Kind::File(file) => Some(file),
        _ => None,
    });
    if let Some(first) = files.next() {
        t.line("   Tracked Files");
        for file in std::iter::once(first).chain(files) {
            t.line(format_args!("     {}, weight {}", file.file.name, weight(file)));
        }
    }
    let mut sessions = kinds().filter_map(|kind| match kind {
        Kind::Bfd(name) => Some(name),
        _ => None,
    });
    if let Some(first) = sessions.next() {
        t.line("   Tracked BFDs");
        for name in std::iter::once(first).chain(sessions) {
            t.line(format_args!("     {name}"));
        }
    }
}

fn weight(file: &FileSettings) -> String {
    format!("{}{}", file.weight, if file.reverse { " reverse" } else { "" })
}

/// `host` is the `virtualhost` of those around it.
fn checker(t: &mut Text, checker: &Checker, host: Option<&Rc<str>>) {
    let (s, v) = (&checker.settings, &checker.verdict);
    t.line(format_args!(" {} -> {}", checker.service, checker.server));
    t.line(format_args!("   Enabled = {}", yes(checker.enabled)));
    t.line(format_args!("   Up = {}", yes(v.up)));
    t.line(format_args!("   Has run = {}", yes(v.has_run)));
    t.line(format_args!("   Current weight = {}", v.contribution));
    if !matches!(s.kind, Kind::File(_) | Kind::Bfd(_)) {
        schedule(t, s, v);
    }
    t.line(format_args!("   Log all failures = {}", yes(s.schedule.log_all_failures)));
    if let Some(own) = &s.connection {
        connection(t, own, v.last_error);
    }
    let protocol = match &s.kind {
        Kind::Http(http) => match http.protocol {
            HttpProtocol::Http10 => ", http protocol 1.0",
            HttpProtocol::Http10Close => ", http protocol 1.0C",
            HttpProtocol::Http11 => ", http protocol 1.1",
        },
        _ => "",
    };
    t.line(format_args!("   Keepalive method = {}{protocol}", s.kind.keyword()));
    match &s.kind {
        Kind::Tcp => {}
        Kind::Ping => t.line(format_args!("   ICMP seq no = {}", checker.echo_sequence())),
        Kind::Http(own) => http(t, own, host),
        Kind::Smtp(helo) => t.line(format_args!("   helo = {helo}")),
        Kind::Dns(dns) => {
            t.line(format_args!("   Type = {}", dns_type_name(dns.kind).unwrap_or("unknown")));
            t.line(format_args!("   Name = {}", dns.name));
        }
        Kind::Misc(own) => misc(t, own, v.last_exit),
        Kind::Udp(own) => udp(t, own),
        Kind::File(file) => t.line(format_args!("     Tracked file = {}", file.file.name)),
        Kind::Bfd(name) => {
            t.line(format_args!("   Name = {name}"));
            t.line(format_args!("   Alpha is {}", super::on(s.schedule.alpha)));
        }
    }
}

fn schedule(t: &mut Text, s: &CheckerSettings, verdict: &Verdict) {
    let schedule = &s.schedule;
    t.line(format_args!("   Alpha = {}", yes(schedule.alpha)));
    t.line(format_args!("   Delay loop = {} us", schedule.delay_loop.as_micros()));
    t.line(format_args!("   Warmup = {} us", schedule.warmup.as_micros()));
    t.line(format_args!("   Retries = {}", schedule.retry));
    if schedule.retry > 0 {
        let delay = schedule.delay_before_retry.as_micros();
        t.line(format_args!("   Delay before retry = {delay} us"));
        // Before the first result there are none left.
        let fresh = !verdict.has_run && verdict.failed == 0;
        let done = if fresh { schedule.retry } else { verdict.failed };
        t.line(format_args!("   Retries iterations = {done}"));
    }
    // That of a DNS_CHECK is its delay_loop, and not shown.
    let default = s.kind.default_delay_before_retry(Duration::ZERO).as_micros();
    t.line(format_args!("   Default delay before retry = {default} us"));
}

fn connection(t: &mut Text, c: &Connection, last_error: i32) {
    t.line("   Connection");
    t.line(format_args!("     Dest = {}", Endpoint(c.target)));
    if let Some(origin) = &c.origin {
        t.given("     Bind to = ", origin.bind.map(Endpoint));
        t.given("     Bind i/f = ", origin.interface.as_ref());
        t.given("     Mark = ", (origin.mark != 0).then_some(origin.mark));
    }
    t.line(format_args!("     Timeout = {}", Seconds(c.timeout)));
    t.line(format_args!("     Last errno = {last_error}"));
}

fn http(t: &mut Text, http: &HttpSettings, inherited: Option<&Rc<str>>) {
    let set = |value| if value { "set" } else { "unset" };
    t.given("   Virtualhost = ", http.host.as_ref().filter(|host| Some(*host) != inherited));
    t.line(format_args!("   Enable SNI {}", set(http.sni)));
    t.given("   SNI name = ", http.sni_name.as_ref());
    t.line(format_args!("   Fast recovery {}", set(http.fast_recovery)));
    for own in &http.urls {
        url(t, own, http.host.as_ref());
    }
}

fn url(t: &mut Text, url: &Url, inherited: Option<&Rc<str>>) {
    t.line(format_args!("   Checked url = {}", url.path));
    if let Some(digest) = &url.digest {
        let hex = digest.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        t.line(format_args!("     digest = {hex}"));
    }
    t.line("     HTTP Status Code(s)");
    for range in &url.status {
        t.line(format_args!("       {}", StatusRange(*range)));
    }
    t.given("     Virtual host = ", url.host.as_ref().filter(|host| Some(*host) != inherited));
    let set = if url.tls_compliant { "set" } else { "unset" };
    t.line(format_args!("     tls_compliant {set}"));
    if let Some(own) = &url.regex {
        regex(t, own);
    }
}

fn regex(t: &mut Text, regex: &RegexSettings) {
    t.line(format_args!("     Regex = \"{}\"", regex.pattern));
    if regex.no_match {
        t.line("     Regex no match");
    }
    if regex.min_offset > 0 || regex.max_offset.is_some() {
        let max = regex.max_offset.map_or(0, |max| max);
        t.line(format_args!("     Regex min offset = {}, max_offset = {max}", regex.min_offset));
    }
    if !regex.options.is_empty() {
        t.line(format_args!("     Regex options: {}", regex.options_text()));
    }
    if let Some((start, max)) = regex.stack {
        t.line(format_args!("     Regex stack start {start}, max {max}"));
    }
}

fn misc(t: &mut Text, misc: &MiscSettings, last: Option<Exit>) {
    let script = &misc.script;
    t.given("   path = ", script.argv.first().filter(|path| path.contains('/')));
    t.line(format_args!("   script = {}", Arguments(&script.argv)));
    t.line(format_args!("   timeout = {}", misc.timeout.as_secs()));
    t.line(format_args!("   dynamic = {}", if misc.dynamic { "YES" } else { "NO" }));
    t.line(format_args!("   uid:gid = {}:{}", script.uid, script.gid));
    let status = match last {
        Some(Exit::Code(code)) => code,
        Some(Exit::Signal(_)) | None => 0,
    };
    t.line(format_args!("   Last status = {status}"));
}

fn udp(t: &mut Text, udp: &UdpSettings) {
    match &udp.payload {
        Some(payload) => t.line(format_args!("   Payload len = {}", payload.len())),
        None => t.line("   Payload specified = no"),
    }
    t.line(format_args!("   Require reply = {}", yes(udp.require_reply)));
    if let Some((reply, mask)) = &udp.reply {
        t.line(format_args!("     Min reply length = {}", udp.min_length));
        t.line(format_args!("     Max reply length = {}", udp.max_length));
        t.line(format_args!("     Reply data len = {}", reply.len()));
        let masked = mask.iter().any(|bits| *bits != 0xff);
        t.line(format_args!("     Reply data mask = {}", yes(masked)));
    }
}

fn files(t: &mut Text, check: &Check) {
    if check.shown.files.is_empty() {
        return;
    }
    t.line("------< Checker track files >------");
    for file in &check.shown.files {
        t.line(format_args!(" Track file = {}", file.name));
        t.line(format_args!("   File = {}", file.path));
        let status = files::number(file).unwrap_or_default();
        t.line(format_args!("   Status = {status}"));
        let reverse = if file.reverse { " reverse" } else { "" };
        t.line(format_args!("   Weight = {}{reverse}", file.weight));
        t.line("   Tracking instances :");
        for service in check.services() {
            for real in &service.reals {
                for kind in real.settings.checkers.iter().map(|checker| &checker.kind) {
                    if let Kind::File(own) = kind
                        && own.file.name == file.name
                    {
                        let (service, server) = (&service.settings.name, &real.settings.name);
                        t.line(format_args!("     {service} -> {server}, weight {}", weight(own)));
                    }
                }
            }
        }
    }
}

/// The BFD sessions there are, and the real servers that follow them.
fn sessions(t: &mut Text, check: &Check) {
    let names = check.checkers.sessions.names();
    if names.is_empty() {
        return;
    }
    t.line("------< Checker track BFDs >------");
    let reals = || check.services().flat_map(|service| &service.reals);
    for name in names {
        t.line(format_args!(" Checker Track BFD = {name}"));
        t.line("   Tracking RS :");
        let follows = |kind: &Kind| matches!(kind, Kind::Bfd(own) if **own == **name);
        for real in reals() {
            if real.settings.checkers.iter().any(|checker| follows(&checker.kind)) {
                t.line(format_args!("   {}", real.settings.name));
            }
        }
    }
}
