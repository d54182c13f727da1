//! Groups, trackers, sockets and interfaces.

use super::*;

#[test]
fn groups_and_static_addresses() {
    let mut world = full_v2();
    world.settings.static_addresses =
        vec![address("10.77.0.1", 24), AddressSettings::new(ip("10.77.0.2"), 24, "none")];
    world.settings.track_groups.push(TrackGroup { name: "TG".into(), members: vec![0] });
    world.kernel.replace(vec![link(2, "v0")], vec![kernel_address(2, "10.77.0.1", 24)]);
    let mut router = world.router();
    router.instance_mut(0).faults = Faults::NO_SOURCE;
    router.instance_mut(0).scripts_in_init = 3;
    let mut s = world.snapshot(&router);
    s.garp.push(GarpView {
        arp: Duration::from_millis(1500),
        arp_next: at(938_244),
        na: Duration::ZERO,
        na_next: Time::ZERO,
        interfaces: vec!["v0", "v1"],
    });
    let dump = text(&s);
    assert!(dump.starts_with(
        "------< Gratuitous ARP delays >------
------< GARP delay group >------
 GARP interval = 1.500000
 GARP next time 1795319029.938244 (Sun Nov 22 03:43:49.938244 2026)
 GNA interval = 0.000000
 GNA next time 0.000000 (Thu Jan  1 00:00:00.000000 1970)
 Interfaces
  v0
  v1
------< Static Addresses >------
     10.77.0.1/24 dev v0 scope global set
     10.77.0.2/24 dev none scope global
------< Static Track groups >------
 Static Track Group = TG
   VRRP member instances :
     A1
------< VRRP Topology >------
"
    ));
    assert_eq!(
        section(&dump, "VRRP Sync groups"),
        "\x20VRRP Sync Group = G1, INIT
   Num member fault 1, num member init 1
   VRRP member instances :
     A1
   sync group tracking weight set
   Using smtp notification = no
   Notify priority changes = yes
   Tracked interfaces :
     v2 weight 5 reverse
   Tracked files :
     f1, weight 2
   Tracked process :
     p1, weight 1
   Master state transition script = '/g', uid:gid 1:2
"
    );
    assert!(
        lines(section(&dump, "Interfaces"), &["Gratuitous"])
            .starts_with("   Gratuitous ARP interval 1500ms\n")
    );
}

#[test]
fn scripts_and_files() {
    let mut a = v2("A");
    a.track_scripts = vec![track("s1", 10, true)];
    a.track_files = vec![track("f1", 2, false)];
    let mut world = World::of(vec![a]);
    let settings = |name: &str, interval| ScriptSettings {
        name: name.into(),
        script: *script(&["/bin/check", "x"]).unwrap(),
        interval,
        timeout: Duration::from_secs(3),
        weight: -10,
        reverse: true,
        rise: 2,
        fall: 3,
        init_fail: false,
    };
    let mut running = Check::new(settings("s1", Duration::from_millis(2500)), None, 0);
    running.progress = Progress::Terminating;
    let mut good = Check::new(settings("s2", Duration::from_secs(1)), None, 0);
    good.counter.finished(true);
    world.checks = vec![running, good];
    let file = FileSettings {
        name: "f1".into(),
        path: "/run/f1".into(),
        weight: 1,
        reverse: true,
        init: None,
    };
    world.settings.files.push(file);
    let mut router = world.router();
    let tracker = router.tracker(TrackerKind::File, "f1").unwrap();
    router.set_tracker(at(0), tracker, Status::Value(-5), &mut Vec::new());
    let dump = text(&world.snapshot(&router));
    assert_eq!(
        section(&dump, "VRRP Scripts"),
        "\x20VRRP Script = s1
   Command = '/bin/check' 'x'
   Interval = 2.500 sec
   Timeout = 3 sec
   Weight = -10 reverse
   Rise = 2
   Fall = 3
   Result = 1
   Insecure = no
   Init state = INIT
   Status = BAD
   Script uid:gid = 1:2
   VRRP instances :
   Tracking instances :
     A, weight 10 reverse
   State = requested termination
 VRRP Script = s2
   Command = '/bin/check' 'x'
   Interval = 1 sec
   Timeout = 3 sec
   Weight = -10 reverse
   Rise = 2
   Fall = 3
   Result = 4
   Insecure = no
   Init state = INIT
   Status = GOOD
   Script uid:gid = 1:2
   VRRP instances :
   State = idle
"
    );
    assert_eq!(
        section(&dump, "VRRP Track files"),
        "\x20Track file = f1
   File = /run/f1
   Status = -5
   Weight = 1 reverse
   Tracking instances :
     A, weight 2
"
    );
}

#[test]
fn bfd_sessions() {
    let mut a = v2("A");
    a.track_bfds = vec![track("b1", 3, true)];
    let mut world = World::of(vec![a]);
    for (name, weight, reverse) in [("b1", 10, true), ("b2", -5, false)] {
        world.settings.sessions.push(SessionSettings { name: name.into(), weight, reverse });
    }
    world.up.insert("b1".into(), true);
    let router = world.router();
    let dump = text(&world.snapshot(&router));
    assert_eq!(
        section(&dump, "VRRP Track BFDs"),
        "\x20VRRP Track BFD = b1
   Weight = 10 reverse
   Bfd is up
   Tracking VRRP instances :
   Tracking instances :
     A, weight 3 reverse
 VRRP Track BFD = b2
   Weight = -5
   Bfd is down
   Tracking VRRP instances :
"
    );
}

#[test]
fn sockets_and_interfaces() {
    let mut absent = v2("B");
    absent.interface = Some("nodev0".into());
    let mut world = World::of(vec![v2("A"), absent]);
    world.settings.instances[1].addresses.clear();
    world.settings.static_addresses.push(address("10.55.0.50", 24));
    let loopback = Link {
        flags: (libc::IFF_UP | libc::IFF_RUNNING | libc::IFF_LOOPBACK) as u32,
        mtu: 65_536,
        hw_type: libc::ARPHRD_LOOPBACK,
        ..link(1, "lo")
    };
    world.kernel.replace(
        vec![link(2, "v0"), loopback],
        vec![
            kernel_address(1, "127.0.0.1", 8),
            kernel_address(2, "10.55.0.100", 24),
            kernel_address(2, "10.55.0.1", 24),
            kernel_address(2, "10.55.0.50", 24),
            kernel_address(2, "10.55.0.200", 24),
            kernel_address(2, "2001:db8::1", 64),
            kernel_address(2, "fe80::1", 64),
        ],
    );
    world.virtual_addresses.insert(ip("10.55.0.100"));
    let router = world.router();
    let mut s = world.snapshot(&router);
    let pair = |carriage, descriptors, buffer| SocketView {
        key: SocketKey { interface: 2, carriage, ah: false },
        interface: Some("v0"),
        descriptors,
        buffer,
        instances: vec![0],
    };
    s.sockets.push(pair(Carriage::Multicast(ip("224.0.0.18")), (15, 16), 0));
    s.sockets.push(pair(Carriage::Unicast(ip("fe80::1")), (17, 18), 4500));
    s.forwarding.insert("v0", (at(0), false));
    let up = Duration::from_millis(2);
    s.debounces.insert("nodev0", DebounceView { up, running: true, ..DebounceView::default() });
    let dump = text(&s);
    assert_eq!(
        section(&dump, "VRRP Sockpool"),
        "\x20fd_in 15 fd_out = 16
   Interface = v0
   Family = IPv4
   Protocol = VRRP
   Type = Multicast
   Rx buf size = 0
   VRRP instances
     A vrid 51
 fd_in 17 fd_out = 18
   Interface = v0
   Family = IPv6
   Protocol = VRRP
   Type = Unicast
   Address = fe80::1
   Rx buf size = 4500
   VRRP instances
     A vrid 51
"
    );
    assert_eq!(section(&dump, "Interfaces"), INTERFACES);
}

const INTERFACES: &str = "\x20Name = lo
   index = 1
   IPv4 address = 127.0.0.1
   IPv6 address = (none)
   State = UP, RUNNING, no broadcast, loopback, no multicast
   Seen up = 1
   Delayed state change running = false
   Up debounce timer = 0us
   Down debounce timer = 0us
   Group = 0
   MTU = 65536
   HW Type = LOOPBACK
   NIC netlink status update
   Reset ARP config counter 0
   Original arp_ignore 0
   Original arp_filter 0
   Original promote_secondaries 0
   Reset promote_secondaries counter 0
 Name = v0
   index = 2
   IPv4 address = 10.55.0.1
   Additional IPv4 addresses :
     10.55.0.200
   IPv6 address = fe80::1
   MAC = 02:00:00:00:00:0a
   MAC broadcast = ff:ff:ff:ff:ff:ff
   State = UP, RUNNING
   Seen up = 1
   Delayed state change running = false
   Up debounce timer = 0us
   Down debounce timer = 0us
   Group = 0
   MTU = 1500
   HW Type = ETHERNET
   NIC netlink status update
   Reset ARP config counter 0
   Original arp_ignore 0
   Original arp_filter 0
   Original promote_secondaries 0
   Reset promote_secondaries counter 0
   Not IPv6 forwarding. Last checked 1795319029.000000 (Sun Nov 22 03:43:49.000000 2026)
   Tracking VRRP instances :
     A, weight 0
 Name = nodev0
   index = 0 (deleted)
   IPv4 address = (none)
   IPv6 address = (none)
   State = not UP, not RUNNING, no broadcast, no multicast
   Seen up = 0
   Delayed state change running = true
   Up debounce timer = 2000us
   Down debounce timer = 0us
   Group = 0
   MTU = 0
   HW Type = UNKNOWN (0)
   NIC netlink status update
   Reset ARP config counter 0
   Original arp_ignore 0
   Original arp_filter 0
   Original promote_secondaries 0
   Reset promote_secondaries counter 0
   Tracking VRRP instances :
     B, weight 0
";

/// What the C daemon prints of a VMAC that it has made, but for the group, which is of a later version.
#[test]
fn a_vmac_is_told_with_its_parent() {
    let vmac = Vmac {
        name: "vr".into(),
        parent: "v0".into(),
        sublink: netlink::Sublink::PRIVATE_MACVLAN,
        mac: Some([2, 0, 0, 0, 0, 0x34]),
        address: None,
        family: Family::V4,
        configured: Some(true),
        group: Some(7),
        notify_parent: true,
        ipv6: false,
    };
    let settings = InstanceSettings {
        vmac: Some(Box::new(vmac)),
        vmac_xmit_base: true,
        use_vmac_addr: true,
        addresses: vec![AddressSettings::new(ip("10.9.0.101"), 24, "vr")],
        excluded: vec![AddressSettings {
            use_vmac: true,
            ..AddressSettings::new(ip("10.8.0.1"), 32, "other")
        }],
        ..InstanceSettings::new("V", "v0", 52, Version::V2, Family::V4)
    };
    let mut world = World::of(vec![settings]);
    let upper = Link {
        kind: Some("macvlan".into()),
        sublink: Some(netlink::Sublink::PRIVATE_MACVLAN),
        parent: Some(2),
        ..link(3, "vr")
    };
    let down = Link { flags: libc::IFF_BROADCAST.unsigned_abs(), ..link(2, "v0") };
    world.kernel.replace(vec![down, upper], Vec::new());
    let router = world.router();
    let mut s = world.snapshot(&router);
    s.made.insert("vr");
    let arp = Some(("0", 1));
    s.held.insert(2, HeldView { promote: None, arp_ignore: arp, arp_filter: arp });
    let dump = text(&s);
    for part in [
        "
   Use VMAC, i/f name vr, is_up = true, xmit_base = true
     MAC = 02:00:00:00:00:34 (using VRID)
     Force netlink update for base interface
     Use VMAC for VIPs on other interfaces
     Interface group 7
   Interface = vr, vmac on v0, xmit base i/f
",
        "
     10.9.0.101/24 dev vr@v0 scope global
   Virtual IP Excluded :
     10.8.0.1 dev other use_vmac scope global
",
        "
   VMAC type private, underlying interface = v0, state = not UP, not RUNNING
   I/f created by keepalived
",
        "
   Reset ARP config counter 1
   Original arp_ignore 0
   Original arp_filter 0
",
        "
   Reset ARP config counter 0
   Original arp_ignore 1
   Original arp_filter 0
   Original promote_secondaries 1
",
        ", master down\n",
    ] {
        assert!(dump.contains(part), "{part} is not in\n{dump}");
    }
    let json = json::print(&s, &clock());
    for part in [
        r#""vmac_ifname":"vr","ifp_ifname":"vr","#,
        r#""vips":["10.9.0.101\/24 dev vr@v0 scope global"]"#,
    ] {
        assert!(json.contains(part), "{part} is not in {json}");
    }
}

/// A process that may run once, of which none runs, and one told by its arguments.
pub(super) fn processes() -> Processes {
    let one = ProcessSettings {
        name: "p1".into(),
        process: vec!["nginx".into()],
        full_command: false,
        parameters: None,
        weight: 4,
        reverse: true,
        quorum: 1,
        quorum_max: Some(1),
        fork_delay: Duration::from_millis(1500),
        terminate_delay: Duration::ZERO,
    };
    let other = ProcessSettings {
        name: "p2".into(),
        process: ["/bin/x", "a", "b"].map(Into::into).to_vec(),
        full_command: true,
        parameters: Some(Parameters::Initial),
        weight: 0,
        reverse: false,
        quorum_max: None,
        ..one.clone()
    };
    let mut processes = Processes::new(vec![one, other], &|_| None);
    processes.begin_walk();
    processes.end_walk(at(0), true, &mut Vec::new());
    let identity = crate::process::Identity { name: b"nginx".to_vec(), command: Vec::new() };
    processes.executed(at(1), 7, Some(&identity), &mut Vec::new());
    // One too many, which counts in a second and a half.
    processes.forked(at(2), 7, 8, &mut Vec::new());
    processes
}

#[test]
fn tracked_processes() {
    let mut a = v2("A");
    a.track_processes = vec![Track { name: "p1".into(), weight: 4, reverse: true }];
    let world = World { processes: Some(processes()), ..World::of(vec![a]) };
    let router = world.router();
    let dump = text(&world.snapshot(&router));
    assert_eq!(
        section(&dump, "VRRP Track processes"),
        " VRRP Track process = p1
   Process = nginx
   Min processes = 1
   Max processes = 1
   Current processes = 2
   Have quorum = true
   Weight = 4 reverse
   Terminate delay = 0.000000s
   Fork delay = 1.500000s
   Fork delay timer running
   Terminate delay timer not running
   Full command = false
   Tracking instances :
     A, weight 4 reverse
 VRRP Track process = p2
   Process = /bin/x
   Parameters = a b
   Param match = initial
   Min processes = 1
   Current processes = 0
   Have quorum = false
   Weight = 0
   Terminate delay = 0.000000s
   Fork delay = 1.500000s
   Fork delay timer not running
   Terminate delay timer not running
   Full command = true
   Tracking instances :
"
    );
}
