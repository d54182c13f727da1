//! The texts, word by word: what reads them reads them so.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use netlink::{Address, Link};
use notify::Script;
use scheduler::Time;

use super::*;
use crate::config::*;
use crate::io::{Carriage, SocketKey};
use crate::process::Processes;
use crate::router::{Status, TrackerKind};
use crate::runtime::{Check, KernelView, Progress};
use crate::state::{Faults, State};

/// Of the wall clock, when the monotonic one shows 100 s: Sun Nov 22 03:43:49 2026 UTC.
const WALL: Duration = Duration::new(1_795_319_029, 0);

fn at(micros: u64) -> Time {
    Time::from_nanos(100_000_000_000 + micros * 1000)
}

fn clock() -> Clock {
    Clock::new(at(0), WALL)
}

/// Everything a snapshot borrows.
#[derive(Default)]
struct World {
    settings: Settings,
    kernel: KernelView,
    virtual_addresses: HashSet<IpAddr>,
    checks: Vec<Check>,
    processes: Option<Processes>,
    up: HashMap<String, bool>,
}

impl World {
    fn of(instances: Vec<InstanceSettings>) -> Self {
        World { settings: Settings { instances, ..Settings::default() }, ..World::default() }
    }

    fn router(&self) -> Router {
        Router::new(self.settings.clone())
    }

    fn snapshot<'a>(&'a self, router: &'a Router) -> Snapshot<'a> {
        Snapshot {
            router,
            kernel: &self.kernel,
            virtual_addresses: &self.virtual_addresses,
            statics: &self.settings.static_addresses,
            static_paths: &self.settings.static_paths,
            track_groups: &self.settings.track_groups,
            garp: Vec::new(),
            ports: Vec::new(),
            sockets: Vec::new(),
            checks: &self.checks,
            files: &self.settings.files,
            quorums: self.processes.as_ref().map_or(&[], Processes::quorums),
            linkbeat: HashMap::new(),
            sessions: &self.settings.sessions,
            up: &self.up,
            debounces: HashMap::new(),
            held: HashMap::new(),
            made: HashSet::new(),
            forwarding: HashMap::new(),
        }
    }
}

fn text(s: &Snapshot<'_>) -> String {
    print_state(s, Text::in_utc(clock()))
}

/// One section of a dump, without its title.
fn section<'a>(dump: &'a str, title: &str) -> &'a str {
    let title = format!("------< {title} >------\n");
    let start = dump.find(&title).unwrap_or_else(|| panic!("no {title} in\n{dump}")) + title.len();
    let rest = &dump[start..];
    &rest[..rest.find("------<").unwrap_or(rest.len())]
}

fn script(words: &[&str]) -> Option<Box<Script>> {
    let argv: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    Some(Box::new(Script { text: argv.join(" "), argv, uid: 1, gid: 2, groups: None }))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str, prefix: u8) -> AddressSettings {
    AddressSettings::new(ip(text), prefix, "v0")
}

fn track(name: &str, weight: i32, reverse: bool) -> Track {
    Track { name: name.into(), weight, reverse }
}

fn v2(name: &str) -> InstanceSettings {
    let mut s = InstanceSettings::new(name, "v0", 51, Version::V2, Family::V4);
    s.addresses.push(address("10.55.0.100", 24));
    s
}

fn link(index: u32, name: &str) -> Link {
    let flags = libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_BROADCAST | libc::IFF_MULTICAST;
    Link {
        index,
        name: name.into(),
        flags: flags as u32,
        mtu: 1500,
        hw_type: libc::ARPHRD_ETHER,
        mac: vec![2, 0, 0, 0, 0, 0x0a],
        broadcast: vec![0xff; 6],
        ..Link::default()
    }
}

fn kernel_address(index: u32, text: &str, prefix: u8) -> Address {
    Address {
        index,
        ip: ip(text),
        prefix,
        peer: None,
        broadcast: None,
        scope: 0,
        label: None,
        flags: 0,
        protocol: 0,
        preferred_lft: u32::MAX,
        valid_lft: u32::MAX,
    }
}

#[test]
fn nothing_configured_prints_nothing() {
    let world = World::default();
    let router = world.router();
    assert_eq!(text(&world.snapshot(&router)), "");
    assert_eq!(stats::print(&router), "");
    assert_eq!(json::print(&world.snapshot(&router), &clock()), "");
}

#[test]
fn a_plain_instance_that_has_not_started() {
    let world = World::of(vec![v2("A")]);
    let router = world.router();
    let dump = text(&world.snapshot(&router));
    assert_eq!(
        section(&dump, "VRRP Topology"),
        "\x20VRRP Instance = A
   VRRP Version = 2
   State = INIT
   Flags: none
   Wantstate = BACKUP
   Number of config faults = 0
   Number of tracker faults = 0
   Flags of interface faults:
     i/f down
   Number of track scripts init = 0
   Last transition = 0.000000 (Thu Jan  1 00:00:00.000000 1970)
   Read timeout = DISABLED
   Master down timer = 3609375 usecs
   Interface = v0
   Using src_ip = (none)
   Multicast address 224.0.0.18
   Gratuitous ARP delay = 5
   Gratuitous ARP repeat = 5
   Gratuitous ARP refresh = 0
   Gratuitous ARP refresh repeat = 1
   Gratuitous ARP lower priority delay = 5
   Gratuitous ARP lower priority repeat = 5
   Down timer adverts = 3
   Send advert after receive lower priority advert = true
   Send advert after receive higher priority advert = false
   Virtual Router ID = 51
   Priority = 100
   Effective priority = 100
   Total priority = 100
   Advert interval = 1 sec
   Last advert sent = 0.000000
   Accept = enabled
   Preempt = enabled
   Promote_secondaries = disabled
   Authentication type = none
   Virtual IP (1):
     10.55.0.100/24 dev v0 scope global
   No sockets allocated
   Using smtp notification = no
   Notify deleted = Fault
   Notify priority changes = false
"
    );
}

/// A BACKUP with every line that protocol version 2 can have.
fn full_v2() -> World {
    let mut a = v2("A1");
    a.priority = 150;
    a.dont_track_primary = true;
    a.skip_check_adv_addr = true;
    a.strict = true;
    a.no_addresses = true;
    a.nopreempt = true;
    a.preempt_delay = Duration::from_millis(2500);
    a.authentication = Authentication::Password(*b"secret12");
    a.source = Some(ip("10.55.0.1"));
    a.promote_secondaries = true;
    a.kernel_rx_buf_size = 300_000;
    a.debug = 2;
    a.timer_expired_backup = Some(90);
    a.garp.refresh = Duration::from_secs(60);
    a.excluded.push(AddressSettings { preferred_lft: Some(0), ..address("fd00::1", 128) });
    a.track_interfaces.push(track("v1", 4, true));
    a.track_scripts.push(track("s1", 5, false));
    a.track_files.push(track("f1", -1, true));
    a.track_processes.push(track("p1", 0, false));
    a.track_bfds.push(track("b1", 7, false));
    a.notify = NotifySettings {
        master: script(&["/usr/bin/true", "two words"])
            .map(|s| Box::new(Script { groups: Some(vec![10, 20]), ..*s })),
        backup: script(&["/b"]),
        fault: script(&["/f"]),
        stop: script(&["/s"]),
        deleted: script(&["/d"]),
        report_deleted: true,
        generic: script(&["/g"]),
        master_rx_lower_pri: script(&["/l"]),
        priority_changes: true,
        smtp_alert: true,
    };
    let mut world = World::of(vec![a]);
    world.settings.groups.push(GroupSettings {
        name: "G1".into(),
        members: vec![0],
        track_interfaces: vec![track("v2", 5, true)],
        track_scripts: Vec::new(),
        track_files: vec![track("f1", 2, false)],
        track_processes: vec![track("p1", 1, false)],
        track_bfds: Vec::new(),
        tracking_weight: true,
        notify: NotifySettings {
            master: script(&["/g"]),
            priority_changes: true,
            ..NotifySettings::default()
        },
    });
    world
}

#[test]
fn a_backup_of_version_2_with_everything() {
    let world = full_v2();
    let mut router = world.router();
    let inst = router.instance_mut(0);
    inst.state = State::Backup;
    inst.wanted = State::Master;
    inst.faults = Faults::NONE;
    inst.master = Some(ip("10.55.0.2"));
    inst.master_priority = 200;
    inst.last_transition = at(310_857);
    inst.deadline = at(3_610_857);
    inst.last_advert = at(5);
    let mut s = world.snapshot(&router);
    s.ports =
        vec![PortView { descriptors: Some((15, 16)), complained: 0x21, ..PortView::default() }];
    assert_eq!(
        section(&text(&s), "VRRP Topology"),
        "\x20VRRP Instance = A1
   VRRP Version = 2
   Sync group = G1
   State = BACKUP
   Master router = 10.55.0.2
   Master priority = 200
   Flags: none
   Rate-limit flags = 0x21
   Wantstate = MASTER
   Number of config faults = 0
   Number of tracker faults = 0
   Flags of interface faults - (none)
   Number of track scripts init = 0
   Last transition = 1795319029.310857 (Sun Nov 22 03:43:49.310857 2026)
   Read timeout = 1795319032.610857 (Sun Nov 22 03:43:52.610857 2026)
   Master down timer = 3410156 usecs
   Interface = v0
   VRRP interface tracking disabled
   Skip checking advert IP addresses
   Suppress no VIPs warning
   Enforcing strict VRRP compliance
   Using src_ip = 10.55.0.1 (from configuration)
   Multicast address 224.0.0.18
   Gratuitous ARP delay = 5
   Gratuitous ARP repeat = 5
   Gratuitous ARP refresh = 60
   Gratuitous ARP refresh repeat = 1
   Gratuitous ARP lower priority delay = 5
   Gratuitous ARP lower priority repeat = 5
   Down timer adverts = 3
   Send advert after receive lower priority advert = true
   Send advert after receive higher priority advert = false
   Virtual Router ID = 51
   Priority = 150
   Effective priority = 151
   Total priority = 151
   Highest other priority = 90
   Advert interval = 1 sec
   Last advert sent = 1795319029.000005
   Accept = enabled
   Preempt = disabled
   Preempt delay = 2.5 secs
   Promote_secondaries = enabled
   Authentication type = SIMPLE_PASSWORD
   Password = ********
   Kernel rx buffer size = 300000
   Debug level = 2
   Virtual IP (1):
     10.55.0.100/24 dev v0 scope global
   Virtual IP Excluded :
     fd00::1 dev v0 scope global deprecated
   fd_in 15, fd_out 16
   Tracked interfaces :
     v1 weight 4 reverse
   Tracked scripts :
     s1 weight 5
   Tracked files :
     f1, weight -1 reverse
   Tracked processes :
     p1, weight 0
   Tracked BFDs :
     b1: weight 7
   Using smtp notification = yes
   Notify deleted = Deleted
   Backup state transition script = '/b', uid:gid 1:2
   Master state transition script = '/usr/bin/true' 'two words', uid:gid 1:2
     Supplementary groups:
       10
       20
   Fault state transition script = '/f', uid:gid 1:2
   Stop state transition script = '/s', uid:gid 1:2
   Deleted state transition script = '/d', uid:gid 1:2
   Generic state transition script = '/g', uid:gid 1:2
   Master rx lower pri state transition script = '/l', uid:gid 1:2
   Notify priority changes = true
"
    );
}

/// The lines of `dump` that begin with one of `keys`.
fn lines(dump: &str, keys: &[&str]) -> String {
    let wanted = |line: &&str| keys.iter().any(|key| line.trim_start().starts_with(key));
    dump.lines().filter(wanted).map(|line| format!("{line}\n")).collect()
}

#[test]
fn unicast_of_version_3() {
    let mut b = InstanceSettings::new("B1", "v0", 53, Version::V3, Family::V4);
    b.advert_interval = Duration::from_millis(250);
    b.lower_prio_no_advert = true;
    b.higher_prio_send_advert = true;
    b.unicast_ttl = Some(33);
    b.check_unicast_source = true;
    b.v3_checksum_as_v2 = true;
    b.accept = false;
    b.peers = vec![
        Peer { address: ip("10.55.0.2"), min_ttl: 0, max_ttl: 255 },
        Peer { address: ip("10.55.0.3"), min_ttl: 10, max_ttl: 64 },
    ];
    let world = World::of(vec![b]);
    let mut router = world.router();
    let inst = router.instance_mut(0);
    inst.state = State::Backup;
    inst.master_interval = Duration::from_millis(500);
    let keys = [
        "Master ",
        "Flags:",
        "Using",
        "Multicast",
        "Send",
        "Advert",
        "Accept",
        "VRRPv3",
        "Auth",
        "Unicast",
        "Check",
        "10.",
    ];
    assert_eq!(
        lines(&text(&world.snapshot(&router)), &keys),
        "   Master router = (none)
   Master priority = 0
   Master advert interval = 500 milli-sec
   Flags:
     Using unicast
   Master down timer = 1804687 usecs
   Using src_ip = (none)
   Send advert after receive lower priority advert = false
   Send advert after receive higher priority advert = true
   Advert interval = 250 milli-sec
   Accept = disabled
   VRRPv3 uses VRRPv2 checksum = enabled
   Unicast TTL = 33
   Check unicast src : yes
   Unicast Peer :
     10.55.0.2 min_ttl 0 max_ttl 255
     10.55.0.3 min_ttl 10 max_ttl 64
   Unicast checksum compatibility = no
   Using smtp notification = no
"
    );
}

#[test]
fn the_unicast_checksum_says_who_decided() {
    let rows = [
        (UnicastChecksum::Auto, false, "no"),
        (UnicastChecksum::Auto, true, "auto"),
        (UnicastChecksum::Old, false, "config"),
        (UnicastChecksum::Never, false, "never"),
    ];
    for (configured, old_checksum, word) in rows {
        let mut b = v2("B");
        b.unicast_checksum = configured;
        b.peers.push(Peer { address: ip("10.55.0.2"), min_ttl: 0, max_ttl: 255 });
        let world = World::of(vec![b]);
        let router = world.router();
        let mut s = world.snapshot(&router);
        s.ports = vec![PortView { old_checksum, ..PortView::default() }];
        let line = lines(&text(&s), &["Unicast checksum"]);
        assert_eq!(line, format!("   Unicast checksum compatibility = {word}\n"));
        assert_eq!(lines(&text(&s), &["Unicast TTL"]), "   Unicast TTL = 255\n");
    }
}

#[test]
fn an_address_owner_with_ipv6_in_a_vrf() {
    let mut c = InstanceSettings::new("C6", "v0", 54, Version::V3, Family::V6);
    c.priority = 255;
    c.wants_master = true;
    c.addresses.push(address("fe80::100", 128));
    let mut world = World::of(vec![c]);
    let vrf = Link { kind: Some("vrf".into()), ..link(9, "red") };
    world.kernel.replace(vec![Link { master: Some(9), ..link(2, "v0") }, vrf], Vec::new());
    let mut router = world.router();
    router.instance_mut(0).state = State::Master;
    let keys = [
        "VRRP ",
        "Using",
        "State =",
        "Rogue",
        "Wantstate",
        "VRF",
        "Multicast a",
        "Address",
        "Virt",
        "VRRPv3",
        "fe80",
        "Authentication",
    ];
    assert_eq!(
        lines(section(&text(&world.snapshot(&router)), "VRRP Topology"), &keys),
        "\x20VRRP Instance = C6
   VRRP Version = 3
   Using Native IPv6
   State = MASTER
   Rogue master counter = 0
   Wantstate = MASTER
   VRF = red
   Using src_ip = (none)
   Multicast address ff02::12, ifindex 2
   Address owner ignores received adverts = false
   Virtual Router ID = 54
   Virtual IP (1):
     fe80::100 dev v0 scope global preferred_lft forever set
   Using smtp notification = no
"
    );
}

#[test]
fn keys_are_counted_and_not_shown() {
    let instance = v2("H");
    let keys = [1, 7].into_iter().filter_map(|id| HmacKey::new(id, &[b'k'; 32])).collect();
    let (mode, anti_replay) = (HmacMode::ReceiveOnly, AntiReplay::Time { window: 30 });
    let hmac = HmacSettings { keys, active: 7, mode, anti_replay };
    let dump_of = |anti_replay| {
        let mut instance = instance.clone();
        instance.hmac = Some(Rc::new(HmacSettings { anti_replay, ..hmac.clone() }));
        let world = World::of(vec![instance]);
        text(&world.snapshot(&world.router()))
    };
    let shown = "   Authentication type = none
   Authentication extension = HMAC-SHA256-128
     Keys = 2, active key id = 7
     Mode = receive-only
     Anti replay = ";
    assert!(dump_of(anti_replay).contains(&format!("{shown}time, window = 30 sec\n")));
    assert!(dump_of(AntiReplay::Monotonic).contains(&format!("{shown}monotonic\n")));
    assert!(!dump_of(anti_replay).contains("kkk"));
}

#[test]
fn faults_are_named_and_nothing_else_is_wanted() {
    let mut f = v2("F");
    f.interface = None;
    f.config_fault = Some("no peers".into());
    let world = World::of(vec![f]);
    let mut router = world.router();
    let inst = router.instance_mut(0);
    inst.state = State::Fault;
    inst.wanted = State::Master;
    inst.tracker_faults = 2;
    inst.faults.set(Faults::LINK, false);
    inst.faults.set(Faults::SOCKET, true);
    assert!(text(&world.snapshot(&router)).contains("faults:\n     unspecified\n     config"));
    let inst = router.instance_mut(0);
    inst.faults.set(Faults::LINK, true);
    inst.faults.set(Faults::NO_SOURCE, true);
    let dump = text(&world.snapshot(&router));
    let from = dump.find("   Wantstate").unwrap();
    let to = dump.find("   Last transition").unwrap();
    assert_eq!(
        &dump[from..to],
        "   Wantstate = FAULT
   Number of config faults = 1
   Number of tracker faults = 2
   Flags of interface faults:
     i/f down
     no source IP address
     config error
   Number of track scripts init = 0
"
    );
    assert!(dump.contains("\n   State = FAULT\n"));
    assert!(dump.contains("\n   Interface = not configured\n"));
}

#[test]
fn addresses_with_every_option() {
    let plain = address("10.0.0.1", 32);
    let v6 = address("fd00::1", 64);
    let rows = [
        (plain.clone(), "10.0.0.1 dev v0 scope global"),
        (
            AddressSettings {
                broadcast: Some([10, 0, 0, 255].into()),
                label: Some("v0:1".into()),
                scope: 253,
                ..address("10.0.0.2", 24)
            },
            "10.0.0.2/24 brd 10.0.0.255 dev v0 scope link label v0:1",
        ),
        (
            AddressSettings { peer: Some(ip("10.0.0.9")), scope: 17, ..plain.clone() },
            "10.0.0.1 dev v0 scope 17 peer 10.0.0.9/32",
        ),
        (
            AddressSettings { scope: 254, autojoin: true, no_track: true, ..plain.clone() },
            "10.0.0.1 dev v0 scope host autojoin no_track",
        ),
        (
            AddressSettings { scope: 200, track_group: Some("TG".into()), ..plain },
            "10.0.0.1 dev v0 scope site track_group TG",
        ),
        (
            AddressSettings {
                home: true,
                dad: true,
                mngtmpaddr: true,
                noprefixroute: true,
                preferred_lft: Some(500),
                ..v6.clone()
            },
            "fd00::1/64 dev v0 scope global home -nodad mngtmpaddr noprefixroute preferred_lft 500",
        ),
        (v6, "fd00::1/64 dev v0 scope global preferred_lft forever"),
    ];
    for (settings, expected) in rows {
        let mut out = String::new();
        address::address(&mut out, &settings, None, "");
        assert_eq!(out, expected);
    }
}

mod other_formats;
mod other_sections;
