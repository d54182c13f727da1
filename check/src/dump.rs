//! The state dump of load balancing (spec checkers-behaviour §13). Leading blanks, words and order are
//! the C daemon's: programs read it.

mod checker;

use std::fmt::{self, Display, Write};
use std::time::Duration;

use ipvs::Family;
use notify::Script;

use crate::runtime::Check;
use crate::service::{Real, Service};
use crate::settings::{Group, GroupEntry, Identity, Method, Protocol, ScriptLine, TlsSettings};

/// The kernel interface that the C daemon names here.
const LVS_VERSION: &str = "1.2.1";

/// A dump in the making.
struct Text(String);

impl Text {
    fn line(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    /// `key` and the value, if there is one.
    fn given(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.line(format_args!("{key}{value}"));
        }
    }
}

/// Everything below the global section.
pub fn state(check: &Check) -> String {
    let mut text = Text(String::new());
    let t = &mut text;
    if let Some(tls) = &check.shown.tls {
        authentication(t, tls);
    }
    t.line("------< LVS Topology >------");
    t.line(format_args!(" System is compiled with LVS v{LVS_VERSION}"));
    for named in &check.shown.groups {
        t.line(" ------< Virtual server group >------");
        group(t, named, check);
    }
    for service in check.services() {
        t.line(" ------< Virtual server >------");
        virtual_server(t, service);
        for real in &service.reals {
            real_server(t, real);
        }
    }
    checker::all(t, check);
    text.0
}

fn authentication(t: &mut Text, tls: &TlsSettings) {
    t.line("------< SSL definitions >------");
    let given = [
        (" Password : ", &tls.password),
        (" CA-file : ", &tls.ca),
        (" Certificate file : ", &tls.certificate),
        (" Key file : ", &tls.key),
    ];
    if given.iter().all(|(_, value)| value.is_none()) {
        t.line(" Using autogen SSL context");
    }
    for (key, value) in given {
        t.given(key, value.as_ref());
    }
}

fn group(t: &mut Text, group: &Group, check: &Check) {
    let has = |family| {
        group.entries.iter().any(|entry| match entry {
            GroupEntry::Addresses { first, .. } => Family::of(*first) == family,
            GroupEntry::Mark { family: own, .. } => *own == Some(family),
        })
    };
    t.line(format_args!(
        " Virtual Server Group = {}, IPv4 = {}, IPv6 = {}",
        group.name,
        yes(has(Family::Inet)),
        yes(has(Family::Inet6))
    ));
    let users = Users::of(group, check);
    for entry in &group.entries {
        match *entry {
            GroupEntry::Addresses { first, last, port } => {
                if first == last {
                    t.line(format_args!("   VIP = {first}, VPORT = {port}"));
                } else {
                    t.line(format_args!("   VIP Range = {first}-{last}, VPORT = {port}"));
                }
                let [tcp, udp, sctp] = users.protocols;
                t.line(format_args!("     Alive: {tcp} tcp, {udp} udp, {sctp} sctp"));
            }
            GroupEntry::Mark { mark, family } => {
                let family = match family {
                    None => "",
                    Some(Family::Inet) => " IPv4",
                    Some(Family::Inet6) => " IPv6",
                };
                t.line(format_args!("   FWMARK = {mark}{family}"));
                let [v4, v6] = users.families;
                t.line(format_args!("     Alive: {v4} IPv4, {v6} IPv6"));
            }
        }
        t.line(format_args!("     reloaded = {}", if users.reloaded { "True" } else { "False" }));
    }
}

/// How many destinations each member of a group has.
#[derive(Default)]
struct Users {
    /// TCP, UDP, SCTP.
    protocols: [usize; 3],
    /// IPv4, IPv6.
    families: [usize; 2],
    reloaded: bool,
}

impl Users {
    fn of(group: &Group, check: &Check) -> Users {
        let mut users = Users::default();
        let of_it = |service: &&Service| matches!(&service.settings.identity, Identity::Group(own, _) if own.name == group.name);
        for service in check.services().filter(of_it) {
            let set = service.reals.iter().filter(|real| real.programmed.is_some()).count();
            let [tcp, udp, sctp] = &mut users.protocols;
            match service.settings.protocol {
                Some(Protocol::Tcp) => *tcp += set,
                Some(Protocol::Udp) => *udp += set,
                Some(Protocol::Sctp) => *sctp += set,
                None => {}
            }
            let [v4, v6] = &mut users.families;
            match service.settings.family {
                Some(Family::Inet6) => *v6 += set,
                _ => *v4 += set,
            }
            users.reloaded |= service.reloaded;
        }
        users
    }
}

fn virtual_server(t: &mut Text, service: &Service) {
    let s = &service.settings;
    match &s.identity {
        Identity::Address(ip, port) => t.line(format_args!(" VS VIP = {ip}, VPORT = {port}")),
        Identity::Mark(mark) => t.line(format_args!(" VS FWMARK = {mark}")),
        Identity::Group(group, position) => {
            t.line(format_args!(" VS GROUP = [{}]:{position}", group.name));
        }
    }
    t.given("   VirtualHost = ", s.virtualhost.as_ref());
    t.given("   SNMP name = ", s.snmp_name.as_ref().map(|name| format!("'{name}'")));
    t.line(format_args!("   Address family = {}", family(service)));
    t.line(format_args!("   connection timeout = {}", Seconds(s.connect_timeout)));
    t.line(format_args!("   delay_loop = {}", Seconds(s.delay_loop)));
    t.line(format_args!("   lvs_sched = {}", s.scheduler));
    // The keyword `hashed` has no effect.
    t.line(format_args!("   Hashed = {}", enabled(false)));
    let flags: &[(&str, u32)] = match s.scheduler {
        "sh" => &[("sh-port", 0x10), ("sh-fallback", 0x8)],
        "mh" => &[("mh-port", 0x10), ("mh-fallback", 0x8)],
        _ => &[("flag-1", 0x8), ("flag-2", 0x10), ("flag-3", 0x20)],
    };
    for (name, bit) in flags {
        t.line(format_args!("   {name} = {}", enabled(s.flags & bit != 0)));
    }
    t.line(format_args!("   One packet scheduling = {}", enabled(s.flags & 0x4 != 0)));
    let persistent = s.persistence > 0;
    t.given("   persistence timeout = ", persistent.then_some(s.persistence));
    t.given("   persistence granularity = ", granularity(service));
    t.line(format_args!(
        "   protocol = {}",
        match s.protocol {
            Some(Protocol::Tcp) => "TCP",
            Some(Protocol::Udp) => "UDP",
            Some(Protocol::Sctp) => "SCTP",
            None => "none",
        }
    ));
    t.line(format_args!("   alpha is {}", on(s.alpha)));
    t.line(format_args!("   omega is {}", on(s.omega)));
    defaults(t, s.retry, s.delay_before_retry, s.warmup);
    t.line(format_args!("   Inhibit on failure is {}", on(s.inhibit)));
    t.line(format_args!("   quorum = {}, hysteresis = {}", s.quorum, s.hysteresis));
    script(t, "Quorum up", s.quorum_up.as_deref());
    script(t, "Quorum down", s.quorum_down.as_deref());
    if s.ha_suspend {
        t.line("   Using HA suspend");
    }
    t.line(format_args!("   Using smtp notification = {}", yes(s.smtp_alert)));
    t.line(format_args!("   default forwarding method = {}", Method(s.forwarding)));
    sorry_server(t, service);
    t.line("   VS alive = 1");
    t.line(format_args!("   quorum_state_up = {}", u8::from(service.quorum_up)));
    t.line(format_args!("   reloaded = {}", u8::from(service.reloaded)));
}

fn sorry_server(t: &mut Text, service: &Service) {
    let Some(sorry) = &service.sorry else { return };
    let s = &sorry.settings;
    let twin = if sorry.twin.is_some() { "(duplicates rs) " } else { "" };
    t.line(format_args!("   sorry server {twin}= {}", s.name));
    t.line(format_args!("     forwarding method = {}", Method(s.forwarding)));
    t.line(format_args!("     Inhibit on failure is {}", on(s.inhibit)));
    t.line(format_args!("     set = {}", u8::from(sorry.programmed.is_some())));
    t.line(format_args!("     alive = {}", u8::from(sorry.serves)));
}

fn real_server(t: &mut Text, real: &Real) {
    let (s, d) = (&real.settings, &real.settings.shown);
    let added = real.contributions.iter().map(|(_, added)| *added);
    // The kernel and the quorum have it within their limits.
    let weight = added.fold(i64::from(s.weight), i64::saturating_add);
    t.line("   ------< Real server >------");
    t.line(format_args!(
        "   RIP = {}, RPORT = {}, WEIGHT = {} EFF WEIGHT = {}",
        s.address, s.port, real.weight, weight
    ));
    t.line(format_args!("   forwarding method = {}", Method(s.forwarding)));
    t.line(format_args!("   Alpha is {}", on(d.alpha)));
    t.line(format_args!("   connection timeout = {}", Seconds(d.connect_timeout)));
    t.line(format_args!(
        "   connection limit range = {} -> {}",
        s.lower_threshold, s.upper_threshold
    ));
    t.line(format_args!("   Delay loop = {}", Seconds(d.delay_loop)));
    defaults(t, d.retry, d.delay_before_retry, d.warmup);
    t.line(format_args!("   Inhibit on failure is {}", on(s.inhibit)));
    script(t, "RS up", s.notify_up.as_deref());
    script(t, "RS down", s.notify_down.as_deref());
    t.given("    VirtualHost = ", d.virtualhost.as_ref().map(|host| format!("'{host}'")));
    t.given("   SNMP name = ", d.snmp_name.as_ref());
    t.line(format_args!("   Using smtp notification = {}", yes(s.smtp_alert)));
    t.line(format_args!("   initial weight = {}", s.weight));
    t.line(format_args!("   effective weight = {weight}"));
    t.line(format_args!("   previous effective_weight = {}", real.previous_weight));
    t.line(format_args!("   alive = {}", u8::from(real.alive)));
    t.line(format_args!("   num failed checkers = {}", real.failed));
    t.line(format_args!("   RS set = {}", u8::from(real.programmed.is_some())));
    t.line(format_args!("   reloaded = {}", u8::from(real.reloaded)));
    checker::followed(t, s);
}

fn defaults(
    t: &mut Text,
    retry: Option<u32>,
    delay_before_retry: Option<Duration>,
    warmup: Option<Duration>,
) {
    t.given("   Retry count = ", retry);
    t.given("   Retry delay = ", delay_before_retry.map(Seconds));
    t.given("   Warmup = ", warmup.map(Seconds));
}

fn script(t: &mut Text, what: &str, script: Option<&Script>) {
    if let Some(script) = script {
        t.line(format_args!("   {what} notify script = {}", ScriptLine(script)));
    }
}

fn granularity(service: &Service) -> Option<String> {
    let value = service.settings.granularity?;
    Some(match service.settings.family {
        Some(Family::Inet6) => value.to_string(),
        _ => std::net::Ipv4Addr::from(value).to_string(),
    })
}

fn family(service: &Service) -> &'static str {
    let has = |family| {
        service.keys.iter().any(|key| match key {
            ipvs::ServiceKey::Address(_, ip, _) => Family::of(*ip) == family,
            ipvs::ServiceKey::Mark(_, own) => *own == family,
        })
    };
    match (has(Family::Inet), has(Family::Inet6)) {
        (true, true) => "IPv4 & IPv6",
        (true, false) => "inet",
        (false, true) => "inet6",
        (false, false) => "unknown",
    }
}

/// Seconds with six decimals.
struct Seconds(Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn on(value: bool) -> &'static str {
    if value { "ON" } else { "OFF" }
}

fn enabled(value: bool) -> &'static str {
    if value { "enabled" } else { "disabled" }
}
