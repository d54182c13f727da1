//! From what blocks say to settings: defaults filled in, names formed, and what is equal shared.

use std::collections::HashSet;
use std::hash::Hash;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use config::Context;
use ipvs::Forwarding;

use crate::digits;
use crate::draft::Named;
use crate::keywords::{
    self, Checker, Globals, RealServer as RealServerBlock, Timing,
    VirtualServer as VirtualServerBlock, Work,
};
use crate::script::{Script, Scripts};
use crate::settings::{
    CheckerSettings, Group, HttpSettings, Identity, Kind, MiscSettings, RealServer,
    RealServerDefaults, Schedule, SorryServer, VirtualServer,
};

const DELAY_LOOP: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const SCHEDULER: &str = "wlc";

/// Makes settings of blocks that have been validated.
pub(crate) struct Settling {
    globals: Rc<Globals>,
    notify: Rc<notify::Settings>,
    groups: Rc<Named<Group>>,
    scripts: Scripts,
    shared: Shared,
    /// Names of the files that are followed.
    files: HashSet<String>,
}

/// What a virtual server gives to what is in it.
struct Outer {
    timing: Timing,
    method: Forwarding,
    inhibit: bool,
    weight: u32,
    /// The protocol in names.
    word: &'static str,
    virtualhost: Option<Rc<str>>,
    delay_loop: Duration,
    smtp_alert: bool,
}

/// A virtual server whose real servers are being settled.
pub(crate) struct Open {
    pub(crate) server: VirtualServer,
    outer: Outer,
    waiting: std::vec::IntoIter<RealServerBlock>,
}

impl Settling {
    pub(crate) fn new(
        globals: Rc<Globals>,
        notify: Rc<notify::Settings>,
        groups: Rc<Named<Group>>,
    ) -> Self {
        Settling {
            scripts: Scripts::new(Rc::clone(&notify)),
            globals,
            notify,
            groups,
            shared: Shared::default(),
            files: HashSet::new(),
        }
    }

    /// Begins with a virtual server; none only when its group is not there.
    pub(crate) fn open(
        &mut self,
        server: VirtualServerBlock,
        ctx: &mut Context<'_>,
    ) -> Option<Open> {
        let identity = match &server.identity {
            keywords::Identity::Address(ip, port) => Identity::Address(*ip, *port),
            keywords::Identity::Mark(mark) => Identity::Mark(*mark),
            keywords::Identity::Group(name) => {
                Identity::Group(Rc::clone(self.groups.get(name)?), server.number)
            }
        };
        let word = server.protocol.map_or("none", |protocol| protocol.word());
        let name = match &identity {
            Identity::Address(ip, port) => self.shared.name(*ip, word, *port),
            Identity::Mark(mark) => format!("FWM {mark}").into(),
            Identity::Group(group, number) => format!("[{}]:{number}", group.name).into(),
        };
        let alerts = self.notify.smtp_alert_checker.or(self.notify.smtp_alert);
        let outer = Outer {
            timing: server.timing,
            method: server.method.unwrap_or_default(),
            inhibit: server.inhibit,
            weight: server.weight,
            word,
            virtualhost: self.shared.text(server.virtualhost),
            delay_loop: server.timing.delay_loop.unwrap_or(DELAY_LOOP),
            smtp_alert: alerts.unwrap_or(true),
        };
        let quorum_up = self.script(server.quorum_up, ctx);
        let quorum_down = self.script(server.quorum_down, ctx);
        let sorry = server.sorry.map(|sorry| SorryServer {
            address: sorry.address,
            port: sorry.port,
            forwarding: sorry.method.unwrap_or(outer.method),
            inhibit: sorry.inhibit,
            name: self.shared.name(sorry.address, word, sorry.port),
        });
        let waiting = server.real_servers.into_iter();
        let server = VirtualServer {
            identity,
            name,
            family: server.family,
            protocol: server.protocol,
            scheduler: server.scheduler.unwrap_or(SCHEDULER),
            flags: server.flags,
            persistence: server.persistence.unwrap_or(0),
            granularity: server.granularity,
            engine: server.engine,
            forwarding: outer.method,
            weight: outer.weight,
            delay_loop: outer.delay_loop,
            connect_timeout: server.timing.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            retry: server.timing.retry,
            delay_before_retry: server.timing.delay_before_retry,
            warmup: server.timing.warmup,
            inhibit: server.inhibit,
            ha_suspend: server.ha_suspend,
            alpha: server.timing.alpha.unwrap_or(false),
            omega: server.omega,
            quorum: server.quorum,
            hysteresis: server.hysteresis,
            quorum_up,
            quorum_down,
            smtp_alert: server.smtp_alert.or(alerts).unwrap_or(false),
            real_servers: Vec::with_capacity(waiting.len()),
            virtualhost: outer.virtualhost.clone(),
            snmp_name: self.shared.text(server.snmp_name),
            sorry,
            nat_mask: server.nat_mask,
        };
        Some(Open { server, outer, waiting })
    }

    /// Goes on with up to `limit` of its real servers; true when that was all.
    pub(crate) fn go_on(&mut self, open: &mut Open, limit: usize, ctx: &mut Context<'_>) -> bool {
        for real in open.waiting.by_ref().take(limit) {
            let real = self.real_server(real, &open.outer, ctx);
            open.server.real_servers.push(real);
        }
        open.waiting.len() == 0
    }

    /// Says the last word about scripts; the names of the files that checkers follow.
    pub(crate) fn finish(self, ctx: &mut Context<'_>) -> HashSet<String> {
        self.scripts.finish(ctx);
        self.files
    }

    fn script(
        &mut self,
        script: Option<Box<Script>>,
        ctx: &mut Context<'_>,
    ) -> Option<Rc<notify::Script>> {
        self.scripts.find(*script?, ctx)
    }

    fn real_server(
        &mut self,
        real: RealServerBlock,
        outer: &Outer,
        ctx: &mut Context<'_>,
    ) -> RealServer {
        let timing = real.timing.or(&outer.timing);
        let virtualhost = self.shared.text(real.virtualhost);
        // Most have one; a vector that grows by itself has room for four.
        let mut checkers = Vec::with_capacity(real.checkers.len());
        checkers.extend(real.checkers.into_iter().filter_map(|checker| {
            self.checker(checker, &timing, virtualhost.as_ref(), outer, ctx)
        }));
        let snmp_name = self.shared.text(real.snmp_name);
        RealServer {
            address: real.address,
            port: real.port,
            name: self.shared.name(real.address, outer.word, real.port),
            forwarding: real.method.unwrap_or(outer.method),
            weight: real.weight.unwrap_or(outer.weight),
            upper_threshold: real.upper_threshold,
            lower_threshold: real.lower_threshold,
            inhibit: real.inhibit.unwrap_or(outer.inhibit),
            notify_up: self.script(real.notify_up, ctx),
            notify_down: self.script(real.notify_down, ctx),
            smtp_alert: real.smtp_alert.unwrap_or(outer.smtp_alert),
            shown: self.shared.defaults(RealServerDefaults {
                alpha: timing.alpha.unwrap_or(false),
                connect_timeout: timing.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
                delay_loop: timing.delay_loop.unwrap_or(DELAY_LOOP),
                retry: timing.retry,
                delay_before_retry: timing.delay_before_retry,
                warmup: timing.warmup,
                virtualhost,
                snmp_name,
            }),
            checkers,
        }
    }

    /// A checker; none when its script cannot be used.
    fn checker(
        &mut self,
        checker: Checker,
        outside: &Timing,
        host: Option<&Rc<str>>,
        outer: &Outer,
        ctx: &mut Context<'_>,
    ) -> Option<Rc<CheckerSettings>> {
        let Checker { connection, work } = checker;
        let kind = match work {
            Work::Known(kind) => self.known(kind, host, outer),
            Work::Script { script, timeout, dynamic } => Kind::Misc(Box::new(MiscSettings {
                script: self.scripts.find(*script, ctx)?,
                timeout: match timeout {
                    0 => outer.delay_loop,
                    seconds => Duration::from_secs(u64::from(seconds)),
                },
                dynamic,
            })),
            // Whatever is followed has been found, or dropped, at the end of the block.
            Work::File { .. } | Work::Bfd(_) => return None,
        };
        let timing = connection.timing.or(outside);
        let timeout = timing.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let target = kind.connects().then(|| {
            let mut target = connection.settings(timeout);
            target.origin = target.origin.map(|origin| self.shared.origins.share(origin));
            target
        });
        let log_all_failures = connection.log_all_failures || self.globals.log_all_failures;
        let schedule = schedule(&kind, &timing, log_all_failures);
        Some(Rc::new(CheckerSettings { schedule, connection: target, kind }))
    }

    fn known(&mut self, kind: Kind, host: Option<&Rc<str>>, outer: &Outer) -> Kind {
        match kind {
            Kind::Http(http) => {
                let mut http = Rc::unwrap_or_clone(http);
                self.http(&mut http, host, outer);
                Kind::Http(self.shared.https.share_value(http))
            }
            Kind::Smtp(helo) => Kind::Smtp(self.shared.texts.share(helo)),
            Kind::Dns(mut dns) => {
                dns.name = self.shared.texts.share(dns.name);
                Kind::Dns(dns)
            }
            Kind::File(file) => {
                if !self.files.contains(&file.file.name) {
                    self.files.insert(file.file.name.clone());
                }
                Kind::File(file)
            }
            other => other,
        }
    }

    fn http(&mut self, http: &mut HttpSettings, host: Option<&Rc<str>>, outer: &Outer) {
        let own = self.shared.text(http.host.take());
        http.sni_name = self.shared.text(http.sni_name.take());
        // The real server's is not for the TLS greeting.
        let for_sni = http.sni_name.clone().or(own.clone()).or(outer.virtualhost.clone());
        http.host = own.or(host.cloned()).or(outer.virtualhost.clone());
        for url in &mut http.urls {
            url.path = self.shared.texts.share(Rc::clone(&url.path));
            let own = self.shared.text(url.host.take());
            if http.sni {
                let explicit = http.sni_name.clone();
                url.sni = explicit.or(own.clone()).or(for_sni.clone());
            }
            url.host = own.or(http.host.clone());
            url.regex = url.regex.take().map(|regex| self.shared.regexes.share(regex));
        }
    }
}

/// When a checker runs (spec checkers-behaviour §3.2).
fn schedule(kind: &Kind, timing: &Timing, log_all_failures: bool) -> Schedule {
    let delay_loop = timing.delay_loop.unwrap_or(DELAY_LOOP);
    let delay_before_retry = kind.default_delay_before_retry(delay_loop);
    Schedule {
        delay_loop,
        retry: timing.retry.unwrap_or(kind.default_retry()),
        delay_before_retry: timing.delay_before_retry.unwrap_or(delay_before_retry),
        warmup: timing.warmup.unwrap_or(delay_loop),
        alpha: timing.alpha.unwrap_or(false) && !matches!(kind, Kind::File(_)),
        log_all_failures,
    }
}

/// What many real servers have in common, each once.
#[derive(Default)]
struct Shared {
    texts: Pool<str>,
    origins: Pool<crate::settings::Origin>,
    regexes: Pool<crate::settings::RegexSettings>,
    /// Mostly all servers are asked for the same.
    https: Pool<HttpSettings>,
    defaults: Option<Rc<RealServerDefaults>>,
    /// Room for a name.
    room: String,
}

impl Shared {
    fn text(&mut self, text: Option<Rc<str>>) -> Option<Rc<str>> {
        text.map(|text| self.texts.share(text))
    }

    /// Those of the last real server, if they are the same, as they are in most files.
    fn defaults(&mut self, defaults: RealServerDefaults) -> Rc<RealServerDefaults> {
        match &self.defaults {
            Some(last) if **last == defaults => Rc::clone(last),
            _ => Rc::clone(self.defaults.insert(Rc::new(defaults))),
        }
    }

    /// `[10.1.1.2]:tcp:80`.
    fn name(&mut self, address: IpAddr, word: &str, port: u16) -> Rc<str> {
        let room = &mut self.room;
        room.clear();
        room.push('[');
        digits::address(room, address);
        room.push_str("]:");
        room.push_str(word);
        room.push(':');
        digits::decimal(room, port);
        room.as_str().into()
    }
}

/// Equal things, each once.
struct Pool<T: ?Sized>(HashSet<Rc<T>>);

impl<T: ?Sized> Default for Pool<T> {
    fn default() -> Self {
        Pool(HashSet::new())
    }
}

impl<T: ?Sized + Eq + Hash> Pool<T> {
    fn share(&mut self, thing: Rc<T>) -> Rc<T> {
        if let Some(known) = self.0.get(&thing) {
            return Rc::clone(known);
        }
        self.0.insert(Rc::clone(&thing));
        thing
    }
}

impl<T: Eq + Hash> Pool<T> {
    /// As [`Pool::share`], of what has no place yet.
    fn share_value(&mut self, thing: T) -> Rc<T> {
        if let Some(known) = self.0.get(&thing) {
            return Rc::clone(known);
        }
        self.share(Rc::new(thing))
    }
}
