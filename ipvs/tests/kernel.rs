//! The table of a real kernel, judged by `ipvsadm`, which shares no code with this crate. What is
//! asked of the kernel is asked of [`Table`] too: both must say the same.
//!
//! Each test empties the table of its namespace, so they run in a guest of the virtual machine ring
//! (docs/testing.md), in namespaces of their own. Without IPVS they are skipped.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ipvs::{
    Batch, Channel, Checksum, Daemon, DaemonState, Destination, Family, Forwarding, Kernel,
    Protocol, Service, ServiceKey, Statistics, Table, Timeouts, Tunnel,
};

/// Runs `test` with the kernel's table and one in memory, both empty.
fn with_ipvs(test: fn(&mut Both)) {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("skipped: needs root");
    }
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        // An address without a route is no unicast address to the kernel.
        run("ip link set lo up");
        run("ip link add va type veth peer name vb");
        run("ip addr add 10.9.0.1/24 dev va");
        run("ip link set va up");
        run("ip link set vb up");
        run("ip route add default via 10.9.0.2");
        match Channel::open_in(None) {
            Ok(kernel) => test(&mut Both { kernel, table: Table::new() }),
            Err(e) => eprintln!("skipped: no IPVS: {e}"),
        }
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

struct Both {
    kernel: Channel,
    table: Table,
}

impl Both {
    /// Applies a batch to both; what they refuse must be the same.
    fn apply(&mut self, fill: impl FnOnce(&mut Batch)) -> Vec<String> {
        let mut batch = Batch::new();
        fill(&mut batch);
        let said = |failures: Vec<ipvs::Failure>| -> Vec<String> {
            failures.iter().map(|f| format!("{} {f} {}", f.tag, f.is_tolerated())).collect()
        };
        let kernel = said(self.kernel.apply(&batch));
        assert_eq!(kernel, said(self.table.apply(&batch)));
        kernel
    }

    /// The kernel's table, the one in memory, and what is read back must agree.
    fn compare(&mut self) {
        assert_eq!(sorted(&settled(|| run("ipvsadm -Sn"))), sorted(&self.table.listing()));
        let mut services = settled(|| self.kernel.services().unwrap());
        services.sort_by_key(|s| s.key);
        let wanted = self.table.services();
        assert_eq!(services.len(), wanted.len());
        for (seen, wanted) in services.iter().zip(&wanted) {
            let persistent = wanted.persistence > 0;
            assert_eq!(seen.key, wanted.key);
            assert_eq!(seen.scheduler, wanted.scheduler);
            assert_eq!(seen.flags, wanted.flags);
            assert_eq!(seen.persistence, wanted.persistence);
            assert_eq!(seen.granularity, wanted.granularity);
            assert_eq!(seen.engine.as_deref(), wanted.engine.as_deref().filter(|_| persistent));
            let mut found: Vec<Destination> =
                self.kernel.destinations(wanted).unwrap().iter().map(|d| d.destination).collect();
            found.sort_by_key(|d| (d.address, d.port));
            assert_eq!(found, self.table.destinations(wanted.key));
        }
    }
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.sort();
    lines
}

/// What is read twice alike. The kernel keeps the services of all namespaces in one table and numbers them as it finds them; if
/// another test changes its own meanwhile, one may be read twice or not at all.
fn settled<T: PartialEq>(mut read: impl FnMut() -> T) -> T {
    let mut last = read();
    loop {
        let again = read();
        if again == last {
            return again;
        }
        last = again;
    }
}

fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn service(key: ServiceKey) -> Service {
    Service { key, scheduler: "rr", flags: 0, persistence: 0, granularity: None, engine: None }
}

fn web() -> Service {
    service(ServiceKey::Address(Protocol::Tcp, ip("10.0.0.1"), 80))
}

fn web6() -> Service {
    service(ServiceKey::Address(Protocol::Tcp, ip("2001:db8::1"), 80))
}

fn real(text: &str, forwarding: Forwarding) -> Destination {
    Destination {
        address: ip(text),
        port: 80,
        forwarding,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

#[test]
fn services_of_all_kinds() {
    with_ipvs(|both| {
        let mut keys = Vec::new();
        for address in [ip("10.0.0.1"), ip("2001:db8::1")] {
            for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
                keys.push(ServiceKey::Address(protocol, address, 80));
            }
        }
        keys.push(ServiceKey::Mark(7, Family::Inet));
        keys.push(ServiceKey::Mark(7, Family::Inet6));
        keys.push(ServiceKey::Mark(0x7fff_ffff, Family::Inet));
        let failures = both.apply(|batch| {
            for key in &keys {
                batch.add_service(&service(*key), 0);
            }
        });
        assert_eq!(failures, [""; 0]);
        both.compare();
        both.apply(|batch| {
            for key in keys.iter().step_by(2) {
                batch.delete_service(&service(*key), 0);
            }
        });
        both.compare();
        both.apply(|batch| batch.flush(0));
        both.compare();
        assert_eq!(settled(|| run("ipvsadm -Sn")), "");
    });
}

#[test]
fn schedulers_flags_and_persistence() {
    with_ipvs(|both| {
        let schedulers =
            ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf"];
        let mut services = Vec::new();
        for (base, family) in [(10_u32, Family::Inet), (60, Family::Inet6)] {
            for (mark, scheduler) in (base..).zip(schedulers) {
                let plain = service(ServiceKey::Mark(mark, family));
                services.push(Service { scheduler, ..plain });
            }
        }
        for (port, (scheduler, flags)) in (1000..).zip([
            ("sh", 0x8),
            ("sh", 0x18),
            ("mh", 0x10),
            ("mh", 0x18),
            ("rr", 0x4),
            ("wlc", 0x38),
            ("rr", 0x20),
        ]) {
            let key = ServiceKey::Address(Protocol::Udp, ip("10.0.0.2"), port);
            services.push(Service { scheduler, flags, ..service(key) });
        }
        services.push(Service { persistence: 300, ..web() });
        services.push(Service { persistence: 60, granularity: Some(64), ..web6() });
        services.push(Service {
            persistence: 1800,
            granularity: Some(0xffff_ff00),
            engine: Some(Rc::from("sip")),
            ..service(ServiceKey::Address(Protocol::Udp, ip("10.0.0.1"), 5060))
        });
        let any_port = ServiceKey::Address(Protocol::Tcp, ip("10.0.0.3"), 0);
        services.push(Service { persistence: 360, ..service(any_port) });
        let failures = both.apply(|batch| {
            services.iter().for_each(|service| batch.add_service(service, 0));
        });
        assert_eq!(failures, [""; 0]);
        both.compare();
        let failures = both.apply(|batch| {
            batch.set_service(&Service { scheduler: "sed", persistence: 10, ..web() }, 1);
            batch.set_service(&web6(), 2);
        });
        assert_eq!(failures, [""; 0]);
        both.compare();
    });
}

#[test]
fn destinations_of_all_kinds() {
    with_ipvs(|both| {
        let tunnels = [
            Forwarding::Tunnel(Tunnel::Ipip, Checksum::None),
            Forwarding::Tunnel(Tunnel::Gue(6080), Checksum::None),
            Forwarding::Tunnel(Tunnel::Gue(6081), Checksum::Full),
            Forwarding::Tunnel(Tunnel::Gue(6082), Checksum::Remote),
            Forwarding::Tunnel(Tunnel::Gre, Checksum::None),
            Forwarding::Tunnel(Tunnel::Gre, Checksum::Full),
        ];
        let failures = both.apply(|batch| {
            for (service, net) in [(web(), "192.168.0."), (web6(), "2001:db8:9::")] {
                batch.add_service(&service, 0);
                let plain = [Forwarding::Nat, Forwarding::Direct];
                for (n, forwarding) in (1..).zip(plain.into_iter().chain(tunnels)) {
                    let mut real = real(&format!("{net}{n}"), forwarding);
                    real.weight = n * 1000;
                    if n % 2 == 0 {
                        (real.upper_threshold, real.lower_threshold) = (100, 50);
                    }
                    batch.add_destination(&service, &real, 0);
                }
            }
            // A tunnel may lead to the other family.
            batch.add_destination(&web(), &real("2001:db8:9::99", tunnels[0]), 0);
        });
        assert_eq!(failures, [""; 0]);
        both.compare();
        let limits = run("ipvsadm -ln --thresholds");
        assert!(
            limits.lines().any(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                words.starts_with(&["->", "192.168.0.2:80", "100", "50"])
            }),
            "{limits}"
        );
        let failures = both.apply(|batch| {
            let mut changed = real("192.168.0.1", Forwarding::Direct);
            changed.weight = 0;
            changed.upper_threshold = 7;
            batch.set_destination(&web(), &changed, 0);
            batch.set_destination(&web(), &real("192.168.0.3", tunnels[3]), 0);
            batch.delete_destination(&web6(), &real("2001:db8:9::1", Forwarding::Nat), 0);
        });
        assert_eq!(failures, [""; 0]);
        both.compare();
    });
}

#[test]
fn refusals_are_the_kernels_and_do_not_stop_the_rest() {
    with_ipvs(|both| {
        let nat = |text: &str| real(text, Forwarding::Nat);
        let failures = both.apply(|batch| {
            batch.add_service(&web(), 1);
            batch.add_service(&web(), 2);
            batch.add_service(&Service { scheduler: "nonesuch", ..web6() }, 3);
            batch.add_destination(&web(), &nat("192.168.0.1"), 4);
            batch.add_destination(&web(), &nat("192.168.0.1"), 5);
            batch.delete_destination(&web(), &nat("192.168.0.2"), 6);
            batch.delete_destination(&web6(), &nat("192.168.0.2"), 7);
            batch.delete_service(&web6(), 8);
            batch.add_destination(&web(), &nat("2001:db8::9"), 9);
            batch.add_destination(&web(), &Destination { weight: 5, ..nat("192.168.0.3") }, 10);
            let wrong = Destination { lower_threshold: 2, ..nat("192.168.0.4") };
            batch.add_destination(&web(), &wrong, 11);
            batch.set_service(&web6(), 12);
        });
        let tags: Vec<&str> = failures.iter().filter_map(|f| f.split(' ').next()).collect();
        assert_eq!(tags, ["2", "3", "5", "6", "7", "8", "9", "11", "12"], "{failures:#?}");
        both.compare();
    });
}

#[test]
fn a_changed_destination_that_is_not_there_is_added() {
    with_ipvs(|both| {
        let nat = |text: &str| real(text, Forwarding::Nat);
        let failures = both.apply(|batch| {
            batch.add_service(&web(), 1);
            for n in 1..=200 {
                batch.set_destination(&web(), &nat(&format!("192.168.0.{n}")), 2);
            }
            batch.set_destination(&web(), &Destination { weight: 9, ..nat("192.168.0.7") }, 3);
            batch.delete_destination(&web(), &nat("192.168.0.8"), 4);
            batch.set_destination(&web6(), &nat("192.168.0.8"), 5);
        });
        assert_eq!(failures.len(), 1, "{failures:#?}");
        assert_eq!(both.table.destinations(web().key).len(), 199);
        both.compare();
        // Added too late it would survive its service.
        both.apply(|batch| {
            batch.set_destination(&web(), &nat("192.168.0.8"), 1);
            batch.delete_service(&web(), 2);
        });
        both.compare();
    });
}

#[test]
fn a_thousand_destinations() {
    with_ipvs(|both| {
        let failures = both.apply(|batch| {
            batch.add_service(&web(), 0);
            for n in 0..1000_u32 {
                let address = std::net::Ipv4Addr::from_bits(0xac10_0000 + n);
                batch.add_destination(&web(), &real(&address.to_string(), Forwarding::Direct), 0);
            }
        });
        assert_eq!(failures, [""; 0]);
        both.compare();
    });
}

#[test]
fn the_sync_daemon() {
    with_ipvs(|both| {
        let daemon = |state| Daemon {
            state,
            interface: "va".to_owned(),
            id: 51,
            max_length: Some(1300),
            port: Some(8850),
            ttl: Some(5),
            group: Some(ip("224.0.0.88")),
        };
        let failures = both.apply(|batch| {
            batch.stop_daemon(DaemonState::Master, 51, 1);
            batch.start_daemon(&daemon(DaemonState::Master), 2);
            batch.start_daemon(&daemon(DaemonState::Backup), 3);
            batch.start_daemon(&daemon(DaemonState::Backup), 4);
        });
        assert_eq!(failures.len(), 2, "{failures:#?}");
        let shown = run("ipvsadm -ln --daemon");
        for word in ["master", "backup", "mcast=va", "syncid=51", "maxlen=1300"] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        for word in ["group=224.0.0.88", "port=8850", "ttl=5"] {
            assert!(shown.contains(word), "{word}: {shown}");
        }
        let failures = both.apply(|batch| {
            batch.stop_daemon(DaemonState::Master, 51, 1);
            batch.stop_daemon(DaemonState::Backup, 51, 2);
        });
        assert_eq!(failures, [""; 0]);
        assert_eq!(run("ipvsadm -ln --daemon").trim(), "");
    });
}

#[test]
fn timeouts() {
    with_ipvs(|both| {
        let before = both.kernel.timeouts().unwrap();
        assert_eq!(before, both.table.timeouts().unwrap());
        let wanted = Timeouts { tcp: 1000, tcp_fin: 0, udp: 77 };
        assert_eq!(both.apply(|batch| batch.set_timeouts(wanted, 1)), [""; 0]);
        let shown = run("ipvsadm -ln --timeout");
        assert_eq!(shown.trim(), "Timeout (tcp tcpfin udp): 1000 120 77");
        assert_eq!(both.kernel.timeouts().unwrap(), Timeouts { tcp_fin: before.tcp_fin, ..wanted });
        assert_eq!(both.kernel.timeouts().unwrap(), both.table.timeouts().unwrap());
        both.apply(|batch| batch.set_timeouts(before, 1));
        assert_eq!(both.kernel.timeouts().unwrap(), before);
    });
}

#[test]
fn statistics_count() {
    with_ipvs(|both| {
        let service = service(ServiceKey::Address(Protocol::Udp, ip("10.9.0.1"), 5000));
        let busy = Destination { port: 6000, ..real("10.9.0.1", Forwarding::Nat) };
        let idle = Destination { port: 6001, weight: 0, ..busy };
        let failures = both.apply(|batch| {
            batch.add_service(&service, 0);
            batch.add_destination(&service, &busy, 0);
            batch.add_destination(&service, &idle, 0);
        });
        assert_eq!(failures, [""; 0]);
        let server = std::net::UdpSocket::bind("10.9.0.1:6000").unwrap();
        let client = std::net::UdpSocket::bind("10.9.0.1:0").unwrap();
        for _ in 0..3 {
            client.send_to(b"four", "10.9.0.1:5000").unwrap();
            let mut buffer = [0; 8];
            assert_eq!(server.recv_from(&mut buffer).unwrap().0, 4);
        }
        // The kernel adds up what its processors have counted every two seconds.
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let own = both.kernel.services().unwrap().remove(0).statistics;
            let mut all = both.kernel.destinations(&service).unwrap();
            all.sort_by_key(|status| status.destination.port);
            let counts = |s: Statistics| (s.connections, s.packets_in, s.bytes_in);
            let seen = [own, all[0].statistics, all[1].statistics].map(counts);
            if seen == [(1, 3, 3 * 32), (1, 3, 3 * 32), (0, 0, 0)] {
                assert_eq!(all[0].active + all[0].inactive, 1);
                assert_eq!(all[1].active + all[1].inactive, 0);
                return;
            }
            assert!(Instant::now() < end, "{seen:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

#[test]
fn other_namespaces() {
    with_ipvs(|both| {
        let home = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        let before = home();
        both.apply(|batch| batch.add_service(&web(), 0));
        run("ip netns add ka-ipvs");
        let mut named = Channel::open_in(Some("ka-ipvs")).unwrap();
        let mut first = Channel::open_in(Some("")).unwrap();
        assert_eq!(home(), before);
        assert_eq!(first.services().unwrap(), []);
        let mut batch = Batch::new();
        batch.add_service(&web6(), 0);
        assert_eq!(named.apply(&batch), []);
        let shown = settled(|| run("ip netns exec ka-ipvs ipvsadm -Sn"));
        run("ip netns delete ka-ipvs");
        assert_eq!(shown.trim(), "-A -t [2001:db8::1]:80 -s rr");
        both.compare();
    });
}

/// More destinations than one datagram of the kernel's has room for.
#[test]
fn a_survey_reads_a_part_at_a_time() {
    with_ipvs(|both| {
        let service = Service {
            key: ServiceKey::Address(Protocol::Tcp, "10.9.0.1".parse().unwrap(), 80),
            scheduler: "rr",
            flags: 0,
            persistence: 0,
            granularity: None,
            engine: None,
        };
        let mut batch = Batch::new();
        batch.add_service(&service, 0);
        for port in 1..=1000 {
            let destination = Destination {
                address: "10.9.0.7".parse().unwrap(),
                port,
                forwarding: Forwarding::Nat,
                weight: 1,
                upper_threshold: 0,
                lower_threshold: 0,
            };
            batch.add_destination(&service, &destination, 0);
        }
        assert_eq!(both.kernel.apply(&batch), vec![]);
        let mut survey = ipvs::Survey::open_in(None).unwrap();
        for _ in 0..2 {
            survey.ask_services().unwrap();
            let mut keys = Vec::new();
            while !survey.services(|status| keys.push(status.key)).unwrap() {}
            assert_eq!(keys, [service.key]);
            survey.ask_destinations(service.key).unwrap();
            let (mut ports, mut parts) = (Vec::new(), 1);
            while !survey.destinations(|status| ports.push(status.destination.port)).unwrap() {
                parts += 1;
            }
            ports.sort_unstable();
            assert_eq!(ports, (1..=1000).collect::<Vec<_>>());
            assert!(parts > 2, "{parts}");
        }
    });
}
