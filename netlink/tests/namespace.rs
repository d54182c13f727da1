//! The sockets against a real kernel, each test in a network namespace of its own thread. The
//! judge is `ip`, which shares no code with this crate.

#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use netlink::{
    AddressChanges, AddressRequest, Applied, Batch, Channel, Event, Link, Monitor,
    PROTOCOL_KEEPALIVED, Sublink, SublinkRequest, diff,
};
use nix::errno::Errno;
use serde_json::Value;

/// Runs `test` on a thread with a fresh network namespace that has a veth pair `va`/`vb`, both up.
/// The namespace goes with the thread.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        ip("link set lo up");
        ip("link add va type veth peer name vb");
        ip("link set va up");
        ip("link set vb up");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The addresses `ip` sees on a device, without link-local ones.
fn seen(device: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(&ip(&format!("-d -j addr show dev {device}"))).unwrap();
    let infos = all[0]["addr_info"].as_array().cloned().unwrap_or_default();
    infos
        .into_iter()
        .filter(|i| !i["local"].as_str().unwrap_or_default().starts_with("fe80"))
        .collect()
}

fn links() -> Vec<Link> {
    Channel::open().unwrap().dump_links().unwrap()
}

fn index(name: &str) -> u32 {
    links().iter().find(|l| l.name == name).unwrap().index
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn add(channel: &mut Channel, request: &AddressRequest) -> Result<Applied, netlink::NetlinkError> {
    let mut batch = Batch::new();
    batch.add_address(request, 1);
    channel.apply(&batch).remove(0).result
}

#[test]
fn links_are_dumped_as_ip_shows_them() {
    in_namespace(|| {
        ip("link add name vmac link va type macvlan mode private");
        ip("link set va mtu 1400");
        let links = links();
        let find = |name: &str| links.iter().find(|l| l.name == name).unwrap();
        let shown: Value = serde_json::from_str(&ip("-d -j link show")).unwrap();
        assert_eq!(links.len(), shown.as_array().unwrap().len());
        for link in shown.as_array().unwrap() {
            let ours = find(link["ifname"].as_str().unwrap());
            assert_eq!(u64::from(ours.index), link["ifindex"].as_u64().unwrap());
            assert_eq!(u64::from(ours.mtu), link["mtu"].as_u64().unwrap());
            let mac: Vec<String> = ours.mac.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(mac.join(":"), link["address"].as_str().unwrap());
            assert_eq!(ours.kind.as_deref(), link["linkinfo"]["info_kind"].as_str());
        }
        assert!(find("lo").is_loopback() && !find("lo").has_arp());
        assert!(find("va").is_up() && find("va").has_multicast() && find("va").has_arp());
        assert_eq!(find("vmac").parent, Some(find("va").index));
        assert_eq!(find("vmac").kind.as_deref(), Some("macvlan"));
        assert_eq!(find("vmac").sublink, Some(Sublink::PRIVATE_MACVLAN));
        assert!(!find("vmac").is_up());
        assert_eq!(find("va").broadcast, [0xff; 6]);
    });
}

/// What `ip` shows of a link.
fn shown(name: &str) -> Value {
    let all: Value = serde_json::from_str(&ip(&format!("-d -j link show dev {name}"))).unwrap();
    all[0].clone()
}

#[test]
fn sublinks_are_made_set_up_and_deleted_together() {
    in_namespace(|| {
        let mut channel = Channel::open().unwrap();
        let mac = [0, 0, 0x5e, 0, 1, 51];
        let request = SublinkRequest {
            name: "vrrp.51",
            parent: index("va"),
            sublink: Sublink::PRIVATE_MACVLAN,
            mac: Some(mac),
            group: 12,
        };
        let mut batch = Batch::new();
        batch.add_sublink(&request, 1);
        batch.add_sublink(&request, 2);
        batch.add_sublink(&SublinkRequest { name: "gone", parent: 9999, ..request }, 3);
        batch.without_link_local("vrrp.51", 4);
        batch.set_up("vrrp.51", 5);
        batch.set_up("nowhere", 6);
        let results: Vec<_> = channel.apply(&batch).into_iter().map(|o| o.result).collect();
        assert_eq!(results[..2], [Ok(Applied::Done), Ok(Applied::Existed)]);
        assert_eq!(results[2].as_ref().map_err(|e| e.errno), Err(Errno::ENODEV));
        assert_eq!(results[3..5], [Ok(Applied::Done), Ok(Applied::Done)]);
        assert_eq!(results[5].as_ref().map_err(|e| e.errno), Err(Errno::ENODEV));

        let link = shown("vrrp.51");
        assert_eq!(link["address"], "00:00:5e:00:01:33");
        assert_eq!(link["linkinfo"]["info_data"]["mode"], "private");
        assert_eq!((&link["inet6_addr_gen_mode"], &link["group"]), (&"none".into(), &"12".into()));
        assert!(link["flags"].as_array().unwrap().contains(&"UP".into()), "{link}");
        assert!(ip("-o addr show dev vrrp.51").is_empty());
        let made = links().into_iter().find(|l| l.name == "vrrp.51").unwrap();
        assert_eq!(
            (made.mac.as_slice(), made.group, made.parent),
            (&mac[..], 12, Some(index("va")))
        );
        assert_eq!(made.sublink, Some(Sublink::PRIVATE_MACVLAN));

        ip("link add other link va type macvlan mode bridge");
        batch.clear();
        batch.set_group(made.index, 7777, 1);
        batch.set_group(index("other"), 7777, 2);
        batch.delete_group(7777, 3);
        batch.delete_group(7777, 4);
        let results: Vec<_> = channel.apply(&batch).into_iter().map(|o| o.result).collect();
        assert_eq!(results[..3], [Ok(Applied::Done), Ok(Applied::Done), Ok(Applied::Done)]);
        assert_eq!(results[3], Ok(Applied::Absent));
        assert!(links().iter().all(|l| l.sublink.is_none()));
    });
}

#[test]
fn a_child_deletes_while_this_process_goes_on() {
    in_namespace(|| {
        ip("link add one link va type macvlan mode private");
        ip("link add two link va type macvlan mode private");
        let mut monitor = Monitor::open().unwrap();
        let mut batch = Batch::new();
        batch.set_group(index("one"), 7778, 1);
        batch.set_group(index("two"), 7778, 2);
        batch.delete_group(7778, 3);
        let child = Channel::apply_in_child(&batch).unwrap();
        let ended = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(child), None).unwrap();
        assert!(matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 0)), "{ended:?}");
        let mut events = Vec::new();
        assert!(monitor.receive(&mut events).unwrap());
        let gone = |name: &str| {
            events.iter().any(|e| matches!(e, Event::LinkGone { name: n, .. } if n == name))
        };
        assert!(gone("one") && gone("two"), "{events:?}");

        batch.clear();
        batch.set_up("nowhere", 1);
        let child = Channel::apply_in_child(&batch).unwrap();
        let ended = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(child), None).unwrap();
        assert!(matches!(ended, nix::sys::wait::WaitStatus::Exited(_, 1)), "{ended:?}");
    });
}

/// Some kernels have no ipvlan.
#[test]
fn an_ipvlan_is_made_as_asked_for() {
    in_namespace(|| {
        let mut batch = Batch::new();
        let sublink = Sublink::Ipvlan { mode: 0, flags: 1 };
        let parent = index("va");
        let request = SublinkRequest { name: "over", parent, sublink, mac: None, group: 0 };
        batch.add_sublink(&request, 1);
        let result = Channel::open().unwrap().apply(&batch).remove(0).result;
        if result.as_ref().is_err_and(|e| e.errno == Errno::EOPNOTSUPP) {
            eprintln!("skipped: this kernel has no ipvlan");
            return;
        }
        assert_eq!(result, Ok(Applied::Done));
        let data = &shown("over")["linkinfo"]["info_data"];
        assert_eq!(data["mode"], "l2");
        assert!(data["flags"].as_array().unwrap().contains(&"private".into()), "{data}");
        let made = links().into_iter().find(|l| l.name == "over").unwrap();
        assert_eq!(made.sublink, Some(sublink));
    });
}

#[test]
fn an_address_can_be_added_added_again_and_deleted() {
    in_namespace(|| {
        let a = index("va");
        let mut channel = Channel::open().unwrap();
        for (text, prefix) in [("10.0.0.1", 24), ("2001:db8::1", 64)] {
            let request = AddressRequest::new(a, address(text), prefix);
            assert_eq!(add(&mut channel, &request), Ok(Applied::Done));
            assert_eq!(add(&mut channel, &request), Ok(Applied::Done));
            let seen = seen("va");
            assert_eq!(seen.len(), 1, "{seen:?}");
            assert_eq!(seen[0]["local"], text);
            assert_eq!(seen[0]["prefixlen"], u64::from(prefix));
            let mut batch = Batch::new();
            batch.delete_address(&request, 7);
            batch.delete_address(&request, 8);
            let outcomes = channel.apply(&batch);
            assert_eq!((outcomes[0].tag, &outcomes[0].result), (7, &Ok(Applied::Done)));
            assert_eq!((outcomes[1].tag, &outcomes[1].result), (8, &Ok(Applied::Absent)));
            assert!(self::seen("va").is_empty());
        }
    });
}

#[test]
fn options_of_an_address_reach_the_kernel_and_come_back() {
    in_namespace(|| {
        let a = index("va");
        let mut channel = Channel::open().unwrap();
        let v4 = AddressRequest {
            broadcast: Some(Ipv4Addr::new(10, 0, 0, 255)),
            label: Some("va:vip".into()),
            scope: libc::RT_SCOPE_LINK,
            noprefixroute: true,
            ..AddressRequest::new(a, address("10.0.0.1"), 24)
        };
        let peer = AddressRequest {
            peer: Some(address("10.9.0.2")),
            ..AddressRequest::new(a, address("10.9.0.1"), 32)
        };
        let deprecated = AddressRequest {
            preferred_lft: Some(0),
            ..AddressRequest::new(a, address("2001:db8::1"), 128)
        };
        let with_dad = AddressRequest {
            dad: true,
            home: true,
            ..AddressRequest::new(a, address("2001:db8::2"), 128)
        };
        let counting = AddressRequest {
            preferred_lft: Some(3600),
            ..AddressRequest::new(a, address("2001:db8::3"), 64)
        };
        let peer6 = AddressRequest {
            peer: Some(address("2001:db8::99")),
            ..AddressRequest::new(a, address("2001:db8::9"), 128)
        };
        let want = [v4, peer, deprecated, with_dad, counting, peer6];
        for request in &want {
            assert_eq!(add(&mut channel, request), Ok(Applied::Done), "{request:?}");
        }
        let seen = seen("va");
        let find = |text: &str| seen.iter().find(|i| i["local"] == text).unwrap();
        assert_eq!(find("10.0.0.1")["broadcast"], "10.0.0.255");
        assert_eq!(find("10.0.0.1")["label"], "va:vip");
        assert_eq!(find("10.0.0.1")["scope"], "link");
        assert_eq!(find("10.0.0.1")["noprefixroute"], true);
        assert_eq!(find("10.9.0.1")["address"], "10.9.0.2");
        assert_eq!(find("2001:db8::1")["deprecated"], true);
        assert_eq!(find("2001:db8::1")["nodad"], true);
        assert_ne!(find("2001:db8::2")["nodad"], true);
        assert_eq!(find("2001:db8::2")["home"], true);
        assert!(find("2001:db8::3")["preferred_life_time"].as_u64().unwrap() <= 3600);
        assert_eq!(find("2001:db8::9")["address"], "2001:db8::99");

        // What the kernel now has is what was wanted: nothing to do, and nothing of ours to spare.
        let have = channel.dump_addresses().unwrap();
        assert_eq!(diff(&want, &have, ours), AddressChanges::default());
        for request in &want {
            let found = have.iter().find(|h| h.ip == request.ip).unwrap();
            assert_eq!((found.prefix, found.peer), (request.prefix, request.peer));
            assert_eq!(found.protocol, PROTOCOL_KEEPALIVED);
        }
        // And what is left over from an earlier run goes, without the link-local addresses.
        let leftovers = diff(&[], &have, ours);
        assert_eq!(leftovers.delete.len(), want.len());
        let outcomes = channel.apply(&leftovers.batch());
        assert!(outcomes.iter().all(|o| o.result == Ok(Applied::Done)), "{outcomes:?}");
        assert!(self::seen("va").is_empty());
    });
}

fn ours(address: &netlink::Address) -> bool {
    address.protocol == PROTOCOL_KEEPALIVED
}

#[test]
fn a_changed_request_is_brought_about_in_one_batch() {
    in_namespace(|| {
        let a = index("va");
        let mut channel = Channel::open().unwrap();
        let plain = AddressRequest::new(a, address("10.0.0.1"), 24);
        let label = AddressRequest { label: Some("va:x".into()), ..plain.clone() };
        let v6 = AddressRequest::new(a, address("2001:db8::1"), 64);
        let longer = AddressRequest { prefix: 128, ..v6.clone() };
        let deprecated = AddressRequest { preferred_lft: Some(0), ..longer.clone() };
        for want in [
            vec![plain.clone(), v6.clone()],
            vec![label, longer],
            vec![plain, deprecated],
            vec![v6],
            vec![],
        ] {
            let changes = diff(&want, &channel.dump_addresses().unwrap(), ours);
            assert!(!changes.is_empty());
            let outcomes = channel.apply(&changes.batch());
            assert!(outcomes.iter().all(|o| o.result == Ok(Applied::Done)), "{outcomes:?}");
            let have = channel.dump_addresses().unwrap();
            assert_eq!(diff(&want, &have, ours), AddressChanges::default());
            assert_eq!(seen("va").len(), want.len());
        }
    });
}

#[test]
fn refusals_in_the_middle_of_a_batch_go_to_their_own_requests() {
    in_namespace(|| {
        let a = index("va");
        let mut channel = Channel::open().unwrap();
        let mut batch = Batch::new();
        for n in 0..3000_u32 {
            let mut request =
                AddressRequest::new(a, Ipv4Addr::from_bits(0x0a00_0001 + n).into(), 32);
            match n % 7 {
                2 => request.index = 9999,
                4 => request.prefix = 77,
                5 => request.peer = Some(Ipv6Addr::LOCALHOST.into()),
                _ => {}
            }
            batch.add_address(&request, u64::from(n) * 2);
        }
        let outcomes = channel.apply(&batch);
        assert_eq!(outcomes.len(), 3000);
        for (n, outcome) in outcomes.iter().enumerate() {
            assert_eq!(outcome.tag, n as u64 * 2);
            let errno = outcome.result.as_ref().map_err(|e| e.errno);
            match n % 7 {
                2 => assert_eq!(errno, Err(Errno::ENODEV)),
                4 | 5 => assert_eq!(errno, Err(Errno::EINVAL)),
                _ => assert_eq!(errno, Ok(&Applied::Done)),
            }
        }
        let explained = outcomes[4].result.clone().unwrap_err();
        assert!(explained.message.is_some_and(|m| m.contains("refix")), "the kernel says why");
        assert_eq!(seen("va").len(), outcomes.iter().filter(|o| o.result.is_ok()).count());
    });
}

#[test]
fn events_tell_of_links_and_addresses() {
    in_namespace(|| {
        let a = index("va");
        let mut monitor = Monitor::open().unwrap();
        let mut events = Vec::new();
        ip("addr add 192.0.2.1/24 dev va");
        ip("addr add 2001:db8::5/64 dev va nodad");
        ip("addr del 192.0.2.1/24 dev va");
        ip("link set vb down");
        ip("link add gone type veth peer name gone2");
        ip("link add bridge type bridge");
        ip("link set va master bridge");
        ip("link set va nomaster");
        ip("link del gone");
        monitor.receive(&mut events).unwrap();
        let position = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted).unwrap();
        let is = |address: &netlink::Address, text: &str| {
            address.index == a && address.ip == self::address(text)
        };
        let added = position(&|e| matches!(e, Event::Address(x) if is(x, "192.0.2.1")));
        let removed = position(&|e| matches!(e, Event::AddressGone(x) if is(x, "192.0.2.1")));
        assert!(added < removed);
        position(&|e| matches!(e, Event::Address(x) if is(x, "2001:db8::5")));
        position(&|e| matches!(e, Event::Link(l) if l.index == a && !l.is_up()));
        position(&|e| matches!(e, Event::LinkGone { name, .. } if name == "gone"));
        // Leaving a bridge is announced by a deletion of the bridge port; the link stays.
        assert!(!events.iter().any(|e| matches!(e, Event::LinkGone { index, .. } if *index == a)));
        assert!(!events.contains(&Event::Overrun));

        events.clear();
        assert!(monitor.receive(&mut events).unwrap());
        assert!(events.is_empty(), "everything was taken the first time: {events:?}");
    });
}

#[test]
fn an_overrun_is_reported_and_a_dump_repairs_it() {
    in_namespace(|| {
        let a = index("va");
        let mut monitor = Monitor::open().unwrap();
        // A small queue: the kernel doubles the number and enforces a minimum.
        nix::sys::socket::setsockopt(&monitor, nix::sys::socket::sockopt::RcvBuf, &2048).unwrap();
        let mut channel = Channel::open().unwrap();
        let mut batch = Batch::new();
        for n in 0..200 {
            let ip = Ipv4Addr::new(10, 0, 0, n).into();
            batch.add_address(&AddressRequest::new(a, ip, 32), 0);
        }
        channel.apply(&batch);
        let mut events = Vec::new();
        monitor.receive(&mut events).unwrap();
        assert_eq!(events.iter().filter(|e| **e == Event::Overrun).count(), 1);
        assert!(events.len() < 200);
        assert_eq!(channel.dump_addresses().unwrap().iter().filter(|x| ours(x)).count(), 200);
    });
}

#[test]
fn a_batch_can_be_applied_in_parts() {
    in_namespace(|| {
        let a = index("va");
        let mut channel = Channel::open().unwrap();
        let mut batch = Batch::new();
        for n in 0..500 {
            let ip = Ipv6Addr::from_bits((0xfd << 120) + n).into();
            batch.add_address(&AddressRequest::new(a, ip, 128), n as u64);
        }
        for budget in [Duration::ZERO, Duration::from_millis(2), Duration::from_secs(60)] {
            let mut tags = Vec::new();
            let mut parts = 0;
            while tags.len() < batch.len() {
                let outcomes = channel.apply_within(&batch, tags.len(), budget);
                assert!(!outcomes.is_empty(), "every part makes progress");
                assert!(outcomes.iter().all(|o| o.result == Ok(Applied::Done)));
                tags.extend(outcomes.iter().map(|o| o.tag));
                parts += 1;
            }
            assert_eq!(tags, (0..500).collect::<Vec<u64>>());
            assert!(!budget.is_zero() || parts > 100, "nothing to spend: small steps");
            assert!(channel.apply_within(&batch, tags.len(), budget).is_empty());
        }
        assert_eq!(seen("va").len(), 500);
    });
}

#[test]
fn four_thousand_addresses_in_one_batch() {
    in_namespace(|| {
        let a = index("va");
        let mut channel = Channel::open().unwrap();
        let mut monitor = Monitor::open().unwrap();
        let want: Vec<AddressRequest> = (0..4000)
            .map(|n| AddressRequest::new(a, Ipv4Addr::from_bits(0x0a00_0001 + n).into(), 32))
            .collect();
        for want in [&want[..], &[]] {
            let changes = diff(want, &channel.dump_addresses().unwrap(), ours);
            let batch = changes.batch();
            assert_eq!(batch.len(), 4000);
            let start = Instant::now();
            let outcomes = channel.apply(&batch);
            report("batch", start.elapsed());
            assert!(outcomes.iter().all(|o| o.result == Ok(Applied::Done)));
            let start = Instant::now();
            let have = channel.dump_addresses().unwrap();
            report("dump", start.elapsed());
            assert_eq!(diff(want, &have, ours), AddressChanges::default());
            let mut events = Vec::new();
            monitor.receive(&mut events).unwrap();
            assert!(!events.contains(&Event::Overrun), "the queue holds a mass takeover");
        }
    });
}

fn report(what: &str, took: Duration) {
    eprintln!("{what} of 4000 addresses: {took:?}");
}
