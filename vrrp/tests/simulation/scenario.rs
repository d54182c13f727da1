//! One scenario from one seed: what is built, what goes wrong, and what must hold at the end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use scheduler::Time;
use vrrp::config::{
    AddressSettings, AntiReplay, Authentication, Family, GroupSettings, HmacKey, HmacMode,
    HmacSettings, InstanceSettings, NotifySettings, Settings, Track, Version,
};
use vrrp::router::Status;

use crate::lan::{Lan, Node, Weather};
use crate::random::Random;

pub struct Report {
    pub takeovers: u64,
}

/// What all routers of a scenario agree on.
struct Plan {
    version: Version,
    family: Family,
    interval: Duration,
    vrids: u8,
    grouped: bool,
    owners: usize,
    /// Longest `vrrp_startup_delay`.
    delay: Duration,
}

pub fn run(seed: u64, trace: bool) -> Result<Report, String> {
    let mut random = Random::new(seed);
    let plan = Plan::new(&mut random);
    let count = 2 + random.below(6) as usize;
    let nodes = (0..count)
        .map(|n| Node::new(settings(&plan, n, &mut random), source(plan.family, n)))
        .collect();
    let weather = Weather {
        loss_percent: random.below(4) * 10,
        duplicate_percent: random.below(3) * 10,
        max_delay: plan.interval / 20,
    };
    let mut lan = Lan::new(nodes, weather, random, trace);
    for n in 0..count {
        let when = lan.now + plan.interval * lan.random.below(3) as u32 / 2;
        lan.at(when, Box::new(move |lan| lan.start(n)));
    }
    let chaos_end = lan.now + plan.interval * 24;
    for _ in 0..lan.random.below(14) {
        let when = lan.now + plan.interval * lan.random.below(24 * 8) as u32 / 8;
        plan_trouble(&mut lan, when, &plan);
    }
    lan.run_until(chaos_end)?;
    let parts = heal(&mut lan);
    settle(&mut lan, &plan, &parts)?;
    Ok(Report { takeovers: lan.takeovers })
}

impl Plan {
    fn new(random: &mut Random) -> Self {
        let v6 = random.chance(25);
        let version = if v6 || random.chance(60) { Version::V3 } else { Version::V2 };
        let interval = match version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => {
                [10, 100, 250, 1000].map(Duration::from_millis)[random.below(4) as usize]
            }
        };
        Plan {
            version,
            family: if v6 { Family::V6 } else { Family::V4 },
            interval,
            vrids: 1 + random.below(3) as u8,
            grouped: random.chance(50),
            owners: if random.chance(10) { 1 + usize::from(random.chance(30)) } else { 0 },
            delay: if random.chance(25) { interval * 8 } else { Duration::ZERO },
        }
    }
}

fn source(family: Family, n: usize) -> IpAddr {
    let n = n as u8 + 1;
    match family {
        Family::V4 => Ipv4Addr::new(10, 0, 0, n).into(),
        Family::V6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n.into()).into(),
    }
}

fn settings(plan: &Plan, n: usize, random: &mut Random) -> Settings {
    let owner = n < plan.owners;
    // Members of a group share the priority: a group of mixed winners cannot agree.
    let priority =
        if owner { 255 } else { [50, 100, 100, 150, 200, 254][random.below(6) as usize] };
    let nopreempt = !owner && random.chance(20);
    let delay = !owner && !nopreempt && random.chance(15);
    let tracked = random.chance(40);
    let weight = if owner { 0 } else { [0, 0, -60, 40][random.below(4) as usize] };
    let by_group = plan.grouped && random.chance(50);
    let tracks = vec![Track { name: "check".into(), weight, reverse: random.chance(10) }];
    let files = if random.chance(30) {
        vec![Track { name: "file".into(), weight: i32::from(!owner), reverse: random.chance(20) }]
    } else {
        Vec::new()
    };
    let instances = (1..=plan.vrids)
        .map(|vrid| InstanceSettings {
            nopreempt,
            preempt_delay: if delay { plan.interval * 5 } else { Duration::ZERO },
            track_scripts: if tracked && !by_group { tracks.clone() } else { Vec::new() },
            track_files: files.clone(),
            ..instance(plan, vrid, priority)
        })
        .collect();
    let group = GroupSettings {
        name: "G".into(),
        members: (0..usize::from(plan.vrids)).collect(),
        track_interfaces: Vec::new(),
        track_scripts: if tracked && by_group { tracks.clone() } else { Vec::new() },
        track_files: Vec::new(),
        track_processes: Vec::new(),
        track_bfds: Vec::new(),
        tracking_weight: false,
        notify: NotifySettings::default(),
    };
    let mut settings = Settings {
        instances,
        groups: if plan.grouped { vec![group] } else { Vec::new() },
        ..Settings::default()
    };
    settings.globals.startup_delay = plan.delay * random.below(3) as u32 / 2;
    settings
}

fn instance(plan: &Plan, vrid: u8, priority: u8) -> InstanceSettings {
    let (ip, prefix): (IpAddr, u8) = match plan.family {
        Family::V4 => (Ipv4Addr::new(10, 0, 1, vrid).into(), 32),
        Family::V6 => (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, vrid.into()).into(), 128),
    };
    InstanceSettings {
        priority,
        wants_master: priority == 255,
        state_master_written: priority == 255,
        advert_interval: plan.interval,
        authentication: match plan.version {
            // IPv4 alone has version 2 here.
            Version::V2 if vrid.is_multiple_of(2) => Authentication::Ah(*b"secret\0\0"),
            Version::V2 => Authentication::Password(*b"secret\0\0"),
            Version::V3 => Authentication::None,
        },
        hmac: (plan.version == Version::V3 && vrid.is_multiple_of(2)).then(hmac),
        addresses: vec![AddressSettings::new(ip, prefix, "eth0")],
        ..InstanceSettings::new(&format!("VI_{vrid}"), "eth0", vrid, plan.version, plan.family)
    }
}

fn hmac() -> Rc<HmacSettings> {
    Rc::new(HmacSettings {
        keys: HmacKey::new(1, &[1; 32]).into_iter().collect(),
        active: 1,
        mode: HmacMode::Enforce,
        anti_replay: AntiReplay::Time { window: 5 },
    })
}

fn plan_trouble(lan: &mut Lan, when: Time, plan: &Plan) {
    let count = lan.nodes.len() as u64;
    let n = lan.random.below(count) as usize;
    let other = lan.random.below(count) as usize;
    let later = when + plan.interval * (1 + lan.random.below(10) as u32);
    let dice = lan.random.below(14);
    let vrid = 1 + lan.random.below(plan.vrids.into()) as u8;
    let half = lan.random.below(1 << count);
    match dice {
        0 => {
            lan.at(when, Box::new(move |lan| lan.crash(n)));
            lan.at(later, Box::new(move |lan| lan.start(n)));
        }
        1 => {
            lan.at(when, Box::new(move |lan| lan.stop(n)));
            lan.at(later, Box::new(move |lan| lan.start(n)));
        }
        2 => lan.at(when, Box::new(move |lan| lan.freeze(n, later))),
        3 => {
            lan.at(when, Box::new(move |lan| lan.set_link(n, false)));
            lan.at(later, Box::new(move |lan| lan.set_link(n, true)));
        }
        4 => {
            lan.at(when, Box::new(move |lan| lan.set_script(n, Status::Down)));
            lan.at(later, Box::new(move |lan| lan.set_script(n, Status::Up)));
        }
        5 => lan.at(when, Box::new(move |lan| partition(lan, half))),
        6 => lan.at(when, Box::new(move |lan| lan.reach[n][other] = false)),
        7 => lan.at(when, Box::new(move |lan| lan.reload(n, lan.nodes[n].settings.clone()))),
        8 => lan.at(when, Box::new(move |lan| change_priority(lan, n))),
        9 => lan.at(when, Box::new(move |lan| lan.mute(n, vrid))),
        10 => {
            let value = [-300, -100, -20, 20, 100, 300][lan.random.below(6) as usize];
            lan.at(when, Box::new(move |lan| lan.set_file(n, value)));
            lan.at(later, Box::new(move |lan| lan.set_file(n, 0)));
        }
        11 => {
            let members = lan.random.below(1 << plan.vrids);
            let all = (1 << plan.vrids) - 1;
            let present = if lan.random.chance(50) { all } else { lan.random.below(all + 1) };
            lan.at(when, Box::new(move |lan| regroup(lan, n, members, present)));
        }
        12 => lan.at(when, Box::new(move |lan| change_weight(lan, n))),
        _ => lan.at(when, Box::new(move |lan| lan.garbage(n))),
    }
}

fn partition(lan: &mut Lan, half: u64) {
    lan.note(|| format!("partition {half:b}"));
    for (a, row) in lan.reach.iter_mut().enumerate() {
        for (b, open) in row.iter_mut().enumerate() {
            *open = (half >> a & 1) == (half >> b & 1);
        }
    }
}

/// An operator edits the priority and reloads.
fn change_priority(lan: &mut Lan, n: usize) {
    let mut settings = lan.nodes[n].settings.clone();
    let priority = 1 + lan.random.below(253) as u8;
    for inst in &mut settings.instances {
        if inst.priority != 255 {
            inst.priority = priority;
        }
    }
    lan.reload(n, settings);
}

/// An operator takes instances away or puts them back, in the sync group or beside it, and reloads.
fn regroup(lan: &mut Lan, n: usize, members: u64, present: u64) {
    let mut settings = lan.nodes[n].planned.clone();
    let stay: Vec<usize> =
        (0..settings.instances.len()).filter(|i| present >> i & 1 == 1).collect();
    settings.instances = stay.iter().map(|&i| settings.instances[i].clone()).collect();
    for group in &mut settings.groups {
        let in_group = |i: &usize| members >> i & 1 == 1 && group.members.contains(i);
        group.members = (0..stay.len()).filter(|new| in_group(&stay[*new])).collect();
    }
    settings.groups.retain(|g| !g.members.is_empty());
    lan.reload(n, settings);
}

/// An operator changes what a failed script costs and reloads.
fn change_weight(lan: &mut Lan, n: usize) {
    let mut settings = lan.nodes[n].settings.clone();
    let weight = [0, -60, 40][lan.random.below(3) as usize];
    for inst in settings.instances.iter_mut().filter(|i| i.priority != 255) {
        for track in &mut inst.track_scripts {
            track.weight = weight;
        }
    }
    lan.reload(n, settings);
}

/// Ends all trouble. Usually the network is whole again; sometimes it stays split in two, and then
/// each part must have its own master.
fn heal(lan: &mut Lan) -> Vec<Vec<usize>> {
    lan.weather.loss_percent = 0;
    lan.muted.clear();
    let count = lan.nodes.len();
    let half = if lan.random.chance(20) { lan.random.below(1 << count) } else { 0 };
    partition(lan, half);
    for n in 0..count {
        if lan.nodes[n].frozen_until.is_some() {
            // It dies instead of waking in the middle of the quiet phase.
            lan.crash(n);
        }
        // Routers that group differently cannot agree for ever.
        let mut settings = lan.nodes[n].settings.clone();
        let planned = &lan.nodes[n].planned;
        if settings.instances.len() != planned.instances.len() {
            settings = planned.clone();
        }
        settings.groups = planned.groups.clone();
        lan.reload(n, settings);
    }
    let (a, b): (Vec<usize>, Vec<usize>) = (0..count).partition(|n| half >> n & 1 == 0);
    vec![a, b]
}

/// After one master-down interval (two where somebody of higher priority still waits for its own)
/// plus propagation there is exactly one master for each VRID in each part; two may overlap no
/// longer than an advert needs to arrive and be answered.
fn settle(lan: &mut Lan, plan: &Plan, parts: &[Vec<usize>]) -> Result<(), String> {
    // Trouble planned before the end may still end (starts, links up) up to 10 intervals later.
    lan.run_until(lan.now + plan.interval * 11 + plan.delay)?;
    let slack = lan.weather.max_delay * 2;
    // Longest master-down interval (priority 1, v2 skew near one second) and one advert.
    let down = plan.interval * 3 + plan.interval.max(skew_base(plan));
    lan.run_until(lan.now + down * 2 + plan.interval + slack)?;
    let end = lan.now + plan.interval * 4;
    let tick = plan.interval / 40;
    let mut wrong_since: Option<Time> = None;
    while lan.now < end {
        lan.run_until(lan.now + tick)?;
        match wrong(lan, plan, parts) {
            None => wrong_since = None,
            Some(why) => {
                let since = *wrong_since.get_or_insert(lan.now);
                if lan.now.since(since) > slack + tick * 2 {
                    return Err(why);
                }
            }
        }
    }
    Ok(())
}

fn skew_base(plan: &Plan) -> Duration {
    match plan.version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => plan.interval,
    }
}

fn wrong(lan: &Lan, plan: &Plan, parts: &[Vec<usize>]) -> Option<String> {
    for part in parts {
        for vrid in 1..=plan.vrids {
            let masters = lan.masters(vrid, part);
            let expected = usize::from(lan.can_serve(vrid, part));
            if masters.len() != expected {
                return Some(format!(
                    "VRID {vrid} among {part:?}: masters {masters:?}, expected {expected}"
                ));
            }
        }
    }
    None
}
