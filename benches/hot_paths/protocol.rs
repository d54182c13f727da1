//! Adverts as bytes, and what the router does with them. Each figure is for many, named in the benchmark.

use std::hint::black_box;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use benches::{MASTER, router as started, settings, template};
use gungraun::{library_benchmark, library_benchmark_group};
use scheduler::Time;
use vrrp::action::Action;
use vrrp::config::{
    AntiReplay, Authentication, Family, HmacKey, HmacMode, HmacSettings, Settings, Version,
};
use vrrp::io::{Outgoing, SendBatch};
use vrrp::packet::{
    AddressSet, ChecksumPolicy, Expect, HmacCheck, Packet, Sequence, Stamp, Stamps, Template,
    Verdict, validate,
};
use vrrp::router::{Heard, Router};

/// Adverts in each benchmark of packets.
const ADVERTS: usize = 1_000;

#[library_benchmark]
#[bench::v2(template(Version::V2, 1))]
#[bench::v3(template(Version::V3, 1))]
#[bench::v3_20_addresses(template(Version::V3, 20))]
fn patch_1000(mut template: Template) -> Template {
    for n in 0..ADVERTS {
        template.set_priority(black_box(n as u8));
        template.set_id(black_box(n as u16));
    }
    black_box(template)
}

fn queue() -> (Template, SendBatch, std::fs::File) {
    let mut batch = SendBatch::new();
    let nowhere = std::fs::File::open("/dev/null").expect("/dev/null opens");
    let template = template(Version::V3, 1);
    // Once before, so that the buffers have grown.
    fill(&template, &mut batch);
    batch.flush(|_| Some(nowhere.as_fd()), |_, _| {});
    (template, batch, nowhere)
}

fn fill(template: &Template, batch: &mut SendBatch) {
    for tag in 0..ADVERTS {
        // The limit is far above.
        let _ = batch.push(Outgoing::advert(tag % 4, tag, template, 0));
    }
}

/// For version 3 with a trailer.
fn signing() -> (Template, HmacSettings) {
    let keys = HmacKey::new(1, &[1; 32]).into_iter().collect();
    let anti_replay = AntiReplay::Monotonic;
    (
        benches::signed_template(),
        HmacSettings { keys, active: 1, mode: HmacMode::Enforce, anti_replay },
    )
}

#[library_benchmark]
#[bench::one_address(setup = signing)]
fn sign_and_validate_1000((mut template, settings): (Template, HmacSettings)) -> Option<Verdict> {
    let (mut ours, theirs) = (Stamps::default(), Stamps::default());
    let now = Stamp::of(SystemTime::UNIX_EPOCH);
    let listed: Vec<IpAddr> =
        Packet::ipv4(template.bytes()).expect("our own advert").advert().addresses().collect();
    let addresses = AddressSet::new(Family::V4, listed);
    let hmac = HmacCheck { settings: &settings, stamps: &theirs, now };
    let expect = Expect { hmac: Some(hmac), ..unsigned(&addresses) };
    let key = settings.signing_key()?;
    let mut last = None;
    for n in 0..ADVERTS {
        template.set_priority(n as u8);
        template.sign_trailer(key, ours.next(now, settings.anti_replay));
        if let Ok(packet) = Packet::ipv4(black_box(template.bytes())) {
            last = Some(black_box(validate(&packet, &expect)));
        }
    }
    last
}

#[library_benchmark]
#[bench::four_sockets(setup = queue)]
fn queue_1000((template, mut batch, nowhere): (Template, SendBatch, std::fs::File)) -> usize {
    fill(&template, &mut batch);
    // Nothing is a socket here: the kernel refuses at once and what remains is ours.
    black_box(batch.flush(|socket| (socket > 3).then(|| nowhere.as_fd()), |_, _| {}))
}

fn received(addresses: usize) -> (Template, AddressSet) {
    let template = template(Version::V3, addresses);
    let packet = Packet::ipv4(template.bytes()).expect("our own advert");
    let listed: Vec<IpAddr> = packet.advert().addresses().collect();
    (template, AddressSet::new(Family::V4, listed))
}

fn unsigned(addresses: &AddressSet) -> Expect<'_> {
    Expect {
        version: Version::V3,
        interval: Duration::from_secs(1),
        authentication: Authentication::None,
        sequence: Sequence::default(),
        hmac: None,
        peers: &[],
        check_source: false,
        addresses,
        skip_addresses_of: None,
        checksum: ChecksumPolicy::Any,
        ignore_adverts: false,
    }
}

#[library_benchmark]
#[bench::one_address(received(1))]
#[bench::twenty_addresses(received(20))]
fn validate_1000((template, addresses): (Template, AddressSet)) -> Option<Verdict> {
    let expect = unsigned(&addresses);
    let mut last = None;
    for _ in 0..ADVERTS {
        if let Ok(packet) = Packet::ipv4(black_box(template.bytes())) {
            last = Some(black_box(validate(&packet, &expect)));
        }
    }
    last
}

library_benchmark_group!(
    name = adverts,
    benchmarks = [patch_1000, queue_1000, validate_1000, sign_and_validate_1000]
);

/// A router, the moment something happens, and a list with room for what it asks for.
type Running = (Router, Time, Vec<Action>);

fn running(count: usize, priority: u8) -> Running {
    let (router, now) = started(count, priority);
    (router, now, Vec::with_capacity(16 * count))
}

fn backups(count: usize) -> Running {
    let (mut router, now, mut out) = running(count, 100);
    hear(&mut router, now, &mut out);
    out.clear();
    (router, now + Duration::from_secs(1), out)
}

fn hear(router: &mut Router, now: Time, out: &mut Vec<Action>) {
    let heard = Heard { source: MASTER, priority: 200, interval: Duration::from_secs(1) };
    for i in 0..router.instances().len() {
        router.advert_received(now, i, black_box(&heard), out);
    }
}

fn masters(count: usize) -> Running {
    let (router, _, out) = running(count, 255);
    let due = router.next_deadline();
    (router, due, out)
}

fn silent(count: usize) -> Running {
    let (router, now, out) = backups(count);
    (router, now + Duration::from_secs(10), out)
}

#[library_benchmark]
#[bench::backup_4000(backups(4_000))]
fn advert_received((mut router, now, mut out): Running) -> Running {
    hear(&mut router, now, &mut out);
    black_box((router, now, out))
}

#[library_benchmark]
#[bench::master_255(masters(255))]
#[bench::master_4000(masters(4_000))]
fn advert_due((mut router, due, mut out): Running) -> Running {
    router.expire(black_box(due), &mut out);
    assert_eq!(out.len(), router.instances().len());
    black_box((router, due, out))
}

#[library_benchmark]
#[bench::backup_4000(silent(4_000))]
fn mass_takeover((mut router, due, mut out): Running) -> Running {
    router.expire(black_box(due), &mut out);
    black_box((router, due, out))
}

#[library_benchmark]
#[bench::instances_1000(running(1_000, 255), settings(1_000, 255))]
#[bench::instances_4000(running(4_000, 255), settings(4_000, 255))]
fn reload_unchanged((mut router, now, mut out): Running, new: Settings) -> Running {
    router.retire(&new, &mut out);
    let map = router.adopt(new);
    router.resume(now, &map, &mut out);
    assert!(out.is_empty());
    black_box((router, now, out))
}

library_benchmark_group!(
    name = elections,
    benchmarks = [advert_received, advert_due, mass_takeover, reload_unchanged]
);
