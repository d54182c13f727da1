//! What the benchmarks work on: configurations, routers and packets of a given size.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use check::{Check, CheckerId, HasCheck};
use config::{Context, Diagnostic, Loaded, Mode, Options, Reader, Source};
use netlink::AddressRequest;
use notify::{HasNotify, Notifier};
use scheduler::{Scheduler, Time};
use vrrp::config::{
    AddressSettings, Authentication, Builder, Family, Host, InstanceSettings, InterfaceFacts,
    Settings, Version,
};
use vrrp::packet::{AdvertSpec, ChecksumForm, Sequence, Template};
use vrrp::router::{Router, Status, TrackerKind};

/// Keywords of VRRP and of the health checkers.
static GRAMMARS: &[&dyn config::Grammar] = &[&vrrp::config::ROOT, &check::ROOT];

/// Instances on one interface.
const PER_INTERFACE: usize = 250;

/// Who sends the adverts that are received.
pub const MASTER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 50, 0, 2));
const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 50, 0, 1));

fn vip(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 100, (n / PER_INTERFACE) as u8, (n % PER_INTERFACE + 1) as u8)
}

fn interface(n: usize) -> String {
    format!("e{}", n / PER_INTERFACE)
}

fn vrid(n: usize) -> u8 {
    (n % PER_INTERFACE + 1) as u8
}

/// A file with `count` instances.
pub fn instances_text(count: usize) -> String {
    let mut text = String::from("global_defs {\n    router_id bench\n    vrrp_version 2\n}\n");
    for n in 0..count {
        text += &format!(
            "vrrp_instance V{n} {{\n    state BACKUP\n    interface {}\n    virtual_router_id {}\n    \
             priority 100\n    advert_int 1\n    virtual_ipaddress {{\n        {}/32\n    }}\n}}\n",
            interface(n),
            vrid(n),
            vip(n),
        );
    }
    text
}

/// A file with `count` real servers, `per_service` in each virtual server, each with a TCP_CHECK.
pub fn real_servers_text(count: usize, per_service: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        if n % per_service == 0 {
            let service = n / per_service;
            text += &format!(
                "{}virtual_server 10.32.{}.{} 80 {{\n    delay_loop 6\n    lb_algo rr\n    lb_kind NAT\n    \
                 protocol TCP\n",
                if n == 0 { "" } else { "}\n" },
                service / 250,
                service % 250 + 1,
            );
        }
        text += &format!(
            "    real_server 10.{}.{}.{} 8080 {{\n        weight 1\n        TCP_CHECK {{\n            \
             connect_timeout 3\n        }}\n    }}\n",
            64 + n / 62_500,
            n / 250 % 250,
            n % 250 + 1,
        );
    }
    text + "}\n"
}

/// Reads a file's text to its tree.
pub fn read(text: String) -> Loaded {
    let bytes = text.into_bytes();
    let mut options = Options::new(Source::FromMemory { name: "k.conf".into(), bytes }, GRAMMARS);
    options.mode = Mode::Reload;
    let mut reader = Reader::open(options);
    while reader.step(64) == config::Progress::More {}
    reader.finish()
}

/// A host that has every interface.
struct Everything;

impl Host for Everything {
    fn interface(&self, name: &str) -> Option<InterfaceFacts> {
        let number: u32 = name.strip_prefix('e')?.parse().ok()?;
        Some(InterfaceFacts {
            index: number + 1,
            mtu: 1500,
            loopback: false,
            multicast: true,
            arp: true,
            ethernet: true,
            vrf_table: None,
            private_macvlan: None,
            ipvlan: None,
        })
    }

    fn interface_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn uptime(&self) -> Option<Duration> {
        None
    }
}

/// Builds what VRRP acts on.
pub fn build_vrrp(loaded: &Loaded) -> Settings {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Reload };
    let mut builder = Builder::new(Rc::new(Everything), Default::default());
    for line in &loaded.lines {
        builder.apply(line, &mut ctx);
    }
    builder.finish(&mut ctx).expect("the generated file is good")
}

/// Builds and checks what the health checkers act on; returns how much was reported.
pub fn build_check(loaded: &Loaded) -> usize {
    let (_, reported) = settle_check(loaded);
    reported
}

fn settle_check(loaded: &Loaded) -> (check::Settings, usize) {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut ctx = Context { diagnostics: &mut diagnostics, mode: Mode::Reload };
    let mut draft = check::Draft::new();
    for line in &loaded.lines {
        draft.apply(line, &mut ctx);
    }
    let settings = draft.finish(&Default::default(), &mut ctx);
    (settings, diagnostics.len())
}

/// The settings of `count` real servers.
pub fn lvs_settings(count: usize, per_service: usize) -> check::Settings {
    settle_check(&read(real_servers_text(count, per_service))).0
}

/// A world in which every attempt of a checker is over at once.
pub struct World {
    check: Check,
    notifier: Notifier,
    /// Servers answer as they should.
    pub answer: bool,
}

impl HasNotify for World {
    fn notify(&mut self) -> &mut Notifier {
        &mut self.notifier
    }
}

impl HasCheck for World {
    fn check(&mut self) -> Option<&mut Check> {
        Some(&mut self.check)
    }

    fn attempt(s: &mut Scheduler<Self>, w: &mut Self, id: CheckerId) {
        let good = w.answer;
        check::answered(s, w, id, good);
    }
}

/// Load balancing under a virtual clock.
pub struct Balancing {
    scheduler: Scheduler<World>,
    /// What it acts on.
    pub world: World,
}

impl Balancing {
    /// Lets virtual time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.scheduler.now() + time;
        while self.scheduler.now() < end {
            let left = end.since(self.scheduler.now());
            self.scheduler.turn(&mut self.world, Some(left)).expect("nothing is polled");
        }
    }

    /// Takes up other settings, without any time passing.
    pub fn reload(&mut self, settings: check::Settings) {
        check::reload(&mut self.scheduler, &mut self.world, settings);
        self.settle();
    }

    fn settle(&mut self) {
        while self.scheduler.turn(&mut self.world, Some(Duration::ZERO)).expect("nothing is polled")
        {
        }
    }
}

/// `count` real servers that have been checked once.
pub fn balancing(count: usize, per_service: usize) -> Balancing {
    let world = World {
        check: Check::new(Box::new(ipvs::Absent)),
        notifier: Notifier::default(),
        answer: true,
    };
    let scheduler = Scheduler::simulated(Time::ZERO + Duration::from_secs(1000));
    let mut balancing = Balancing { scheduler, world };
    let settings = lvs_settings(count, per_service);
    check::start(&mut balancing.scheduler, &mut balancing.world, settings);
    balancing.settle();
    // The first check comes within one second and a random part of the delay.
    balancing.run_for(Duration::from_secs(8));
    balancing
}

/// The settings of `count` instances of this priority.
pub fn settings(count: usize, priority: u8) -> Settings {
    let instance = |n: usize| InstanceSettings {
        priority,
        wants_master: priority == 255,
        state_master_written: priority == 255,
        addresses: vec![AddressSettings::new(vip(n).into(), 32, &interface(n))],
        ..InstanceSettings::new(&format!("V{n}"), &interface(n), vrid(n), Version::V3, Family::V4)
    };
    Settings { instances: (0..count).map(instance).collect(), ..Settings::default() }
}

/// A router that has started, and the moment it did.
pub fn router(count: usize, priority: u8) -> (Router, Time) {
    let now = Time::ZERO + Duration::from_secs(1000);
    let mut out = Vec::new();
    let mut router = Router::new(settings(count, priority));
    for i in 0..count {
        router.instance_mut(i).source = Some(OURS);
    }
    for n in (0..count).step_by(PER_INTERFACE) {
        if let Some(tracker) = router.tracker(TrackerKind::Interface, &interface(n)) {
            router.set_tracker(now, tracker, Status::Up, &mut out);
        }
    }
    router.start(now, &mut out);
    router.expire(now, &mut out);
    (router, now)
}

/// An advert with `addresses` addresses.
pub fn template(version: Version, addresses: usize) -> Template {
    built(version, addresses, false)
}

/// An advert of version 3 with one address and room for a signature.
pub fn signed_template() -> Template {
    built(Version::V3, 1, true)
}

fn built(version: Version, addresses: usize, trailer: bool) -> Template {
    let addresses: Vec<IpAddr> = (0..addresses).map(|n| vip(n).into()).collect();
    Template::new(&AdvertSpec {
        version,
        vrid: 51,
        priority: 100,
        interval: Duration::from_secs(1),
        addresses: &addresses,
        authentication: Authentication::None,
        sequence: Sequence::default(),
        trailer,
        source: MASTER,
        destination: Ipv4Addr::new(224, 0, 0, 18).into(),
        checksum: ChecksumForm::Destination,
        id: 1,
        ttl: 255,
    })
    .expect("the advert fits a packet")
}

/// Requests for `count` addresses.
pub fn address_requests(count: usize) -> Vec<AddressRequest> {
    (0..count)
        .map(|n| AddressRequest::new((n / PER_INTERFACE + 1) as u32, vip(n).into(), 32))
        .collect()
}
