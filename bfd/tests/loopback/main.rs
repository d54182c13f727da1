//! Sessions that talk to each other over the loopback of a network of their own, with real sockets and
//! the real scheduler. Needs root.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use bfd::packet::State;
use bfd::runtime::{Bfd, HasBfd, News, reload, start, stop};
use bfd::{InstanceSettings, Settings};
use scheduler::Scheduler;

/// The same counting allocator as VRRP's.
#[path = "../../../vrrp/tests/allocation/sys.rs"]
mod sys;

#[derive(Default)]
struct World {
    bfd: Option<Bfd>,
    told: usize,
    downs: usize,
}

impl HasBfd for World {
    fn bfd(&mut self) -> Option<&mut Bfd> {
        self.bfd.as_mut()
    }

    fn session_changed(_: &mut Scheduler<World>, w: &mut World, news: &News) {
        assert!(news.settings.vrrp);
        w.told += 1;
        w.downs += usize::from(!news.up);
    }
}

/// A network of its own, in which only the loopback is.
fn network() -> bool {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return false;
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    let up = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status();
    assert!(up.unwrap().success());
    true
}

/// Both sides of so many sessions.
fn pairs(count: u8, multihop: bool) -> Vec<InstanceSettings> {
    let side = |n, own: u8, other: u8| {
        let address = |third| IpAddr::from(Ipv4Addr::new(127, 0, third, n));
        let mut settings = InstanceSettings::new(&format!("{own}-{n}"), address(other));
        settings.source = Some(address(own));
        settings.multihop = multihop;
        // The machine may be busy.
        settings.multiplier = 100;
        settings
    };
    (1..=count).flat_map(|n| [side(n, 1, 2), side(n, 2, 1)]).collect()
}

fn settings(instances: Vec<InstanceSettings>) -> Settings {
    Settings { instances, ..Settings::default() }
}

fn states(w: &World) -> Vec<State> {
    w.bfd.as_ref().unwrap().sessions().iter().map(|session| session.local().state).collect()
}

fn all_up(w: &World) -> bool {
    states(w).iter().all(|state| *state == State::Up)
}

fn run_until(s: &mut Scheduler<World>, w: &mut World, done: impl Fn(&World) -> bool) {
    let end = s.clock() + Duration::from_secs(60);
    while !done(w) {
        assert!(s.clock() < end, "{:?}", states(w));
        s.turn(w, Some(Duration::from_millis(100))).unwrap();
    }
}

fn run_for(s: &mut Scheduler<World>, w: &mut World, time: Duration) {
    let end = s.clock() + time;
    while s.clock() < end {
        s.turn(w, Some(Duration::from_millis(1))).unwrap();
    }
}

fn begin(instances: Vec<InstanceSettings>) -> (Scheduler<World>, World) {
    let mut s = Scheduler::new().unwrap();
    let mut w = World { bfd: Some(Bfd::new()), ..World::default() };
    start(&mut s, &mut w, settings(instances));
    (s, w)
}

#[test]
fn many_fast_sessions_allocate_nothing() {
    if !network() {
        return;
    }
    let instances = pairs(50, false);
    let (mut s, mut w) = begin(instances.clone());
    assert_eq!((w.told, w.downs), (100, 100), "all begin down");
    run_until(&mut s, &mut w, all_up);
    // Polls end, tables grow.
    run_for(&mut s, &mut w, Duration::from_secs(1));
    let steady = sys::allocations(|| run_for(&mut s, &mut w, Duration::from_millis(500)));
    assert_eq!(steady, 0);
    assert_eq!((w.told, w.downs), (200, 100));

    // A reload of the same, and one that leaves half of them.
    reload(&mut s, &mut w, settings(instances.clone()));
    assert!(all_up(&w));
    assert_eq!((w.told, w.downs), (300, 100));
    reload(&mut s, &mut w, settings(instances[..50].to_vec()));
    run_for(&mut s, &mut w, Duration::from_millis(100));
    assert_eq!((states(&w).len(), all_up(&w)), (50, true));
    stop(&mut s, &mut w);
    assert!(s.is_empty() && states(&w).is_empty());
}

#[test]
fn strangers_are_counted_and_both_ports_are_heard() {
    if !network() {
        return;
    }
    let mut instances = pairs(1, false);
    for (n, mut several) in pairs(1, true).into_iter().enumerate() {
        several.name = format!("several-{n}");
        instances.push(several);
    }
    let (mut s, mut w) = begin(instances);
    run_until(&mut s, &mut w, all_up);
    let stranger = UdpSocket::bind("127.0.3.1:0").unwrap();
    let good = {
        let mut packet = [0; 24];
        packet[..12].copy_from_slice(&[0x20, 0x40, 3, 24, 0, 0, 0, 7, 0, 0, 0, 0]);
        packet
    };
    for port in [3784, 4784] {
        stranger.send_to(&[0x20; 1000], ("127.0.1.1", port)).unwrap();
        stranger.send_to(&good, ("127.0.1.1", port)).unwrap();
    }
    // From the right address and from too far away.
    let near = UdpSocket::bind("127.0.2.1:0").unwrap();
    near.set_ttl(254).unwrap();
    near.send_to(&good, ("127.0.1.1", 3784)).unwrap();
    let drops = |w: &World| {
        let drops = w.bfd.as_ref().unwrap().drops();
        (drops.malformed, drops.no_session, drops.far)
    };
    run_until(&mut s, &mut w, |w| drops(w) == (2, 2, 1));
    assert!(all_up(&w));
}

#[test]
fn a_source_that_comes_later_is_found() {
    if !network() {
        return;
    }
    let mut instances = pairs(1, false);
    for (settings, (own, other)) in instances.iter_mut().zip([(1, 2), (2, 1)]) {
        let address = |last| IpAddr::from(Ipv4Addr::new(192, 0, 2, last));
        (settings.source, settings.neighbor) = (Some(address(own)), address(other));
    }
    let (mut s, mut w) = begin(instances.clone());
    assert_eq!(states(&w), [State::AdminDown; 2]);
    let add = |address| {
        let arguments = ["addr", "add", address, "dev", "lo"];
        assert!(std::process::Command::new("ip").args(arguments).status().unwrap().success());
    };
    add("192.0.2.1/32");
    add("192.0.2.2/32");
    run_for(&mut s, &mut w, Duration::from_millis(50));
    assert_eq!(
        states(&w),
        [State::AdminDown; 2],
        "tried again when a packet comes, or after a minute"
    );
    let neighbor = UdpSocket::bind("192.0.2.1:0").unwrap();
    neighbor.set_ttl(255).unwrap();
    let mut packet = [0; 24];
    packet[..12].copy_from_slice(&[0x20, 0x40, 3, 24, 0, 0, 0, 7, 0, 0, 0, 0]);
    neighbor.send_to(&packet, ("192.0.2.2", 3784)).unwrap();
    run_until(&mut s, &mut w, all_up);

    // A reload tries, too.
    instances[0].source = Some(Ipv4Addr::new(192, 0, 2, 3).into());
    instances[1].neighbor = Ipv4Addr::new(192, 0, 2, 3).into();
    reload(&mut s, &mut w, settings(instances.clone()));
    assert_eq!(states(&w)[0], State::AdminDown);
    add("192.0.2.3/32");
    reload(&mut s, &mut w, settings(instances));
    assert_eq!(states(&w)[0], State::Down);
    run_until(&mut s, &mut w, all_up);
}
