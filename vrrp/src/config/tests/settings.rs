//! What comes out of configurations without defects.

use std::net::IpAddr;
use std::time::Duration;

use super::super::{AntiReplay, Authentication, Family, HmacKey, HmacMode, Parameters, Version};
use super::*;
use crate::io::LinkMethod;

const SAMPLE: &str = "
vrrp_instance A {
    interface eth0
    virtual_router_id 5
    virtual_ipaddress {
        10.0.0.1
        10.0.0.2/24 brd + dev eth1 label eth1:v
    }
}
";

#[test]
fn defaults_are_filled_in() {
    let outcome = test(SAMPLE);
    assert_eq!(outcome.problems(), []);
    let settings = outcome.settings();
    let [instance] = settings.instances.as_slice() else { panic!("one instance") };
    assert_eq!(instance.vrid, 5);
    assert_eq!(instance.priority, 100);
    assert_eq!((instance.version, instance.family), (Version::V2, Family::V4));
    assert_eq!(instance.advert_interval, Duration::from_secs(1));
    assert_eq!(instance.group_address, IpAddr::from([224, 0, 0, 18]));
    assert_eq!(instance.garp.delay, Duration::from_secs(5));
    assert_eq!(instance.garp.lower_prio_repeat, 5);
    assert!(instance.accept && !instance.wants_master);
    let [first, second] = instance.addresses.as_slice() else { panic!("two addresses") };
    assert_eq!((first.prefix, first.interface.as_str()), (32, "eth0"));
    assert_eq!((second.prefix, second.interface.as_str()), (24, "eth1"));
    assert_eq!(second.broadcast, Some([10, 0, 0, 255].into()));
    assert_eq!(second.label.as_deref(), Some("eth1:v"));
}

fn instance(inside: &str) -> super::super::InstanceSettings {
    let text = format!("vrrp_instance A {{\ninterface eth0\nvirtual_router_id 5\n{inside}\n}}\n");
    let mut settings = test(&text).settings();
    settings.instances.remove(0)
}

const VIP: &str = "virtual_ipaddress {\n10.0.0.1\n}\n";

#[test]
fn global_defs_hold_wherever_they_stand() {
    let globals = "global_defs {\nvrrp_garp_master_repeat 2\nvrrp_version 3\nvrrp_strict\n}\n";
    for text in [format!("{globals}{SAMPLE}"), format!("{SAMPLE}{globals}")] {
        let settings = test(&text).settings();
        let instance = &settings.instances[0];
        assert_eq!(instance.garp.repeat, 2);
        assert_eq!(instance.version, Version::V3);
        assert!(instance.strict && !instance.accept);
    }
}

#[test]
fn min_garp_touches_only_defaults() {
    let text = format!(
        "global_defs {{\nvrrp_garp_master_delay 7\nvrrp_min_garp\nvrrp_garp_master_repeat 3\n}}\n\
         {SAMPLE}"
    );
    let garp = test(&text).settings().instances[0].garp;
    assert_eq!(garp.delay, Duration::from_secs(7));
    assert_eq!(garp.repeat, 3);
    assert_eq!((garp.refresh, garp.refresh_repeat), (Duration::ZERO, 0));
}

#[test]
fn roles_follow_state_and_priority() {
    for (inside, priority, master) in [
        ("", 100, false),
        ("state MASTER", 255, true),
        ("state MASTER\npriority 90", 90, true),
        ("priority 255", 255, true),
        ("priority 255\nstate BACKUP", 255, false),
        ("state BACKUP", 100, false),
        ("priority 300", 100, false),
    ] {
        let instance = instance(&format!("{inside}\n{VIP}"));
        assert_eq!((instance.priority, instance.wants_master), (priority, master), "{inside}");
    }
}

#[test]
fn intervals_fit_the_version() {
    for (inside, micros) in [
        ("advert_int 0.3", 1_000_000),
        ("advert_int 2.5", 3_000_000),
        ("advert_int 255", 255_000_000),
        ("version 3\nadvert_int 0.25", 250_000),
        ("version 3\nadvert_int 1.005", 1_010_000),
        ("version 3\nadvert_int 100", 40_950_000),
    ] {
        let instance = instance(&format!("{inside}\n{VIP}"));
        assert_eq!(instance.advert_interval, Duration::from_micros(micros), "{inside}");
    }
}

#[test]
fn the_family_shows_in_the_first_address() {
    let instance = instance("virtual_ipaddress {\nfe80::5\n2001:db8::1/64\n}");
    assert_eq!((instance.version, instance.family), (Version::V3, Family::V6));
    assert_eq!(instance.group_address, "ff02::12".parse::<IpAddr>().unwrap());
    let [first, second] = instance.addresses.as_slice() else { panic!("two addresses") };
    assert_eq!((first.prefix, first.preferred_lft, first.dad), (128, Some(0), false));
    assert_eq!((second.prefix, second.preferred_lft), (64, None));
}

#[test]
fn recommendations_are_followed() {
    assert!(!instance(&format!("{VIP}skip_check_adv_addr false")).skip_check_adv_addr);
    assert!(
        !instance(&format!("{VIP}priority 255\nowner_ignore_adverts false")).owner_ignore_adverts
    );
    assert_eq!(instance(&format!("{VIP}unicast_ttl 3")).unicast_ttl, None);
    assert!(instance(&format!("{VIP}mcast_src_ip 10.0.0.9\ntrack_src_ip")).track_source);
    assert!(!instance(&format!("{VIP}track_src_ip")).track_source);
}

#[test]
fn excess_addresses_are_excluded_ones() {
    let addresses: String =
        (0..300).map(|i| format!("10.1.{}.{}\n", i / 200, i % 200 + 1)).collect();
    let instance = instance(&format!("virtual_ipaddress {{\n{addresses}}}\n"));
    assert_eq!((instance.addresses.len(), instance.excluded.len()), (255, 45));
}

#[test]
fn a_permanent_fault_keeps_the_instance() {
    let instance = instance(&format!("{VIP}unicast_fault_no_peer"));
    assert!(instance.config_fault.is_some_and(|text| text.contains("without any peers")));
}

#[test]
fn a_sync_group_takes_weights_from_its_members() {
    let text = "global_defs {\nenable_script_security\nscript_user root\n}\n\
        vrrp_script s {\nscript /bin/true\nweight 5\n}\n\
        vrrp_script t {\nscript /bin/true\n}\n\
        vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress { 10.0.0.1 }\n\
        track_script {\ns\nt\n}\ntrack_interface {\neth1 weight 4\n}\n}\n\
        vrrp_instance B {\ninterface eth0\nvirtual_router_id 6\nvirtual_ipaddress { 10.0.0.2 }\n\
        notify_priority_changes off\n}\n\
        vrrp_sync_group g {\ngroup {\nB A\n}\nnotify_priority_changes\n";
    let outcome = test(&format!("{text}}}\n"));
    assert!(outcome.said("(A) ignoring tracked script s with weights due to SYNC group"));
    let settings = outcome.settings();
    assert_eq!(settings.groups[0].members, [1, 0]);
    let [a, b] = settings.instances.as_slice() else { panic!("two instances") };
    assert!(a.notify.priority_changes && !b.notify.priority_changes);
    assert_eq!(a.track_scripts.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["t"]);
    assert_eq!(a.track_interfaces[0].weight, 0);

    let outcome = test(&format!("{text}sync_group_tracking_weight\n}}\n"));
    let settings = outcome.settings();
    assert_eq!(settings.instances[0].track_scripts.len(), 2);
    assert_eq!(settings.instances[0].track_interfaces[0].weight, 4);
}

#[test]
fn a_tracker_of_both_group_and_member_is_the_groups() {
    let outcome = test(
        "global_defs {\nenable_script_security\nscript_user root\n}\n\
        vrrp_script s {\nscript /bin/true\n}\n\
        vrrp_instance A {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress { 10.0.0.1 }\n\
        track_script {\ns\n}\n}\n\
        vrrp_sync_group g {\ngroup {\nA\n}\ntrack_script {\ns\n}\n}\n",
    );
    assert!(outcome.said("(A) track_script s is configured on VRRP instance and sync group."));
    let settings = outcome.settings();
    assert!(settings.instances[0].track_scripts.is_empty());
    assert_eq!(settings.groups[0].track_scripts.len(), 1);
}

#[test]
fn unicast_instances_may_share_a_vrid_with_other_peers() {
    let instance = |name: &str, source: &str, peer: &str| {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id 5\n{source}\n\
             unicast_peer {{\n{peer}\n}}\nvirtual_ipaddress {{ 10.0.0.1 }}\n}}\n"
        )
    };
    let source = "unicast_src_ip 10.0.0.9";
    for (second_source, peer, refused) in [
        (source, "10.0.0.7", true),
        (source, "10.0.0.8", false),
        ("unicast_src_ip 10.0.0.10", "10.0.0.7", false),
    ] {
        let text = instance("A", source, "10.0.0.7") + &instance("B", second_source, peer);
        assert_eq!(test(&text).result.is_err(), refused, "{second_source} {peer}");
    }
}

#[test]
fn both_startup_delays_are_kept() {
    let text = "global_defs {\nvrrp_startup_delay 3.5\nvrrp_delay_after_boot 15\n}\n";
    // The test host is up for ten seconds.
    let globals = test(text).settings().globals;
    let delays = (globals.startup_delay, globals.boot_delay);
    assert_eq!(delays, (Duration::from_millis(3500), Duration::from_secs(5)));
    assert!(!test(text).settings().configured);
}

#[test]
fn thousands_of_instances_are_read() {
    let mut text = String::new();
    for i in 0..4000 {
        let interface = if i < 2000 { "eth0" } else { "eth1" };
        let (vrid, group) = (i % 200 + 1, i % 2000 / 200 + 20);
        text += &format!(
            "vrrp_instance I{i} {{\ninterface {interface}\nvirtual_router_id {vrid}\n\
             mcast_dst_ip 224.0.0.{group}\nvirtual_ipaddress {{\n"
        );
        for n in 0..4 {
            text += &format!("10.{}.{}.{}/32\n", i / 250, i % 250, n + 1);
        }
        text += "}\n}\n";
    }
    let settings = test(&text).settings();
    assert_eq!(settings.instances.len(), 4000);
    let addresses: usize = settings.instances.iter().map(|i| i.addresses.len()).sum();
    assert_eq!(addresses, 16_000);
}

/// What a route or rule comes to, as dumps show it.
#[test]
fn routes_and_rules_are_read_word_by_word() {
    let entries = |block: &str, list: &[(&str, &str)]| {
        let written: Vec<&str> = list.iter().map(|(entry, _)| *entry).collect();
        let settings = test(&format!("{block} {{\n{}\n}}\n", written.join("\n"))).settings();
        let texts: Vec<String> =
            settings.static_paths.iter().map(|path| crate::dump::path_text(path)).collect();
        let expected: Vec<&str> = list.iter().map(|(_, text)| *text).collect();
        assert_eq!(texts, expected);
    };
    entries(
        "static_routes",
        &[
            (
                "inet6 default via fe80::1 dev eth0",
                "prepend ::/0 via inet6 fe80::1 dev eth0 proto 18",
            ),
            (
                "unicast to 10.1.0.0/16 oif eth0 src 10.0.0.1 metric 5 table 1000 scope 253 onlink",
                "prepend 10.1.0.0/16 src 10.0.0.1 dev eth0 table 1000 proto 18 scope 253 metric 5 onlink",
            ),
            (
                "10.1.0.0/16 dev eth0 protocol 4 no_track",
                "prepend 10.1.0.0/16 dev eth0 proto 4 no_track",
            ),
            ("10.1.0.0/16 dev eth0 protocol 4", "prepend 10.1.0.0/16 dev eth0 proto 18"),
            (
                "append 10.1.0.0/16 dev eth0 via 10.0.0.1 or 10.0.0.2",
                "append 10.1.0.0/16 proto 18 nexthop via inet 10.0.0.1 dev eth0 nexthop via inet \
                 10.0.0.2 dev eth0",
            ),
            ("10.1.0.0/16 dev eth0 vrf blue", "prepend 10.1.0.0/16 dev eth0 table 10 proto 18"),
            (
                "10.1.0.0/16 dev eth0 rtt lock 5s rttvar 1001 rto_min 50ms mtu 1 mtu lock 1400 features ecn",
                "prepend 10.1.0.0/16 dev eth0 proto 18 rtt lock 5s rttvar 250.25ms rto_min 200ms \
                 features ecn mtu lock 1400",
            ),
            (
                "10.1.0.0/16 dev eth0 encap mpls 100/200 ttl-propagate enabled",
                "prepend 10.1.0.0/16 encap mpls 100/200 dev eth0 proto 18 ttl-propagate enabled",
            ),
            (
                "fd00::/64 dev eth0 encap ip6 id 5 dst fd00::1 hoplimit 3 tc 4 flags 2 pref 9",
                "prepend fd00::/64 encap ip6 id 5 dst fd00::1 tc 4 hoplimit 3 flags 0x2 dev eth0 proto \
                 18 pref 9",
            ),
            (
                "10.1.0.0/16 dev eth0 encap ila 1:20:300:4000",
                "prepend 10.1.0.0/16 encap ila 1:20:300:4000 dev eth0 proto 18",
            ),
            (
                "throw 10.1.0.0/16 no_track realms 3",
                "add throw 10.1.0.0/16 proto 18 realm 3 no_track",
            ),
            (
                "10.1.0.0/16 no_track nexthop via 10.0.0.1 weight 256 onlink nexthop dev eth0 realms 1/2",
                "prepend 10.1.0.0/16 proto 18 nexthop via inet 10.0.0.1 weight 256 onlink nexthop dev \
                 eth0 realms 1/2 no_track",
            ),
        ],
    );
    entries(
        "static_rules",
        &[
            (
                "from 10.0.0.0/8 table 5 priority 100",
                "from 10.0.0.0/8 priority 100 tos 0x0 protocol 18 lookup 5",
            ),
            (
                "not inet6 to any fwmark 0x10/0xff dev eth0 lookup main order 0x10 no_track",
                "not from all priority 16 tos 0x0 fwmark 0x10/0xff iif eth0 lookup 254 no_track",
            ),
            (
                "from 10.0.0.1 ipproto udp sport 5 dport 7-9 goto 50 priority 9",
                "from 10.0.0.1 priority 9 tos 0x0 protocol 18 ipproto 17 sport 5-5 dport 7-9 goto 50",
            ),
            (
                "iif eth0 l3mdev priority 9",
                "from all priority 9 tos 0x0 iif eth0 l3mdev protocol 18",
            ),
            ("from fd00::1 nop", "from fd00::1 priority 16384 tos 0x0 protocol 18 nop"),
        ],
    );
}

#[test]
fn authentication_is_that_of_version_2() {
    let of = |kind: &str, lines: &str| {
        let text =
            format!("{VIP}{lines}\nauthentication {{\nauth_type {kind}\nauth_pass secret\n}}");
        instance(&text).authentication
    };
    let password = *b"secret\0\0";
    assert_eq!(of("PASS", ""), Authentication::Password(password));
    assert_eq!(of("AH", ""), Authentication::Ah(password));
    for lines in ["version 3", "strict_mode"] {
        assert_eq!(of("PASS", lines), Authentication::None);
        assert_eq!(of("AH", lines), Authentication::None);
    }
    let untyped = instance(&format!("{VIP}authentication {{\nauth_pass secret\n}}"));
    assert_eq!(untyped.authentication, Authentication::None);
}

#[test]
fn signatures_need_a_key_and_strictness_enforces_them() {
    let key = "0123456789abcdef0123456789abcdef";
    let of = |lines: &str, inside: &str| {
        instance(&format!("{VIP}{lines}\nauth_hmac {{\n{inside}\n}}")).hmac.map(|rc| (*rc).clone())
    };
    let whole = format!("key 3 {key}\nkey 4 hex:{}\nactive_key 4", "0f".repeat(64));
    let hmac = of("advert_int 2", &whole).unwrap();
    let keys = [(3, key.as_bytes().to_vec()), (4, vec![0x0f; 64])];
    assert_eq!(hmac.keys, keys.map(|(id, secret)| HmacKey::new(id, &secret).unwrap()));
    assert_eq!((hmac.active, hmac.mode), (4, HmacMode::Enforce));
    assert_eq!(hmac.anti_replay, AntiReplay::Time { window: 6 });
    assert_eq!(hmac.signing_key(), hmac.key(4));

    let hmac = of("", &format!("{whole}\nmode receive-only\nanti_replay monotonic")).unwrap();
    assert_eq!((hmac.mode, hmac.anti_replay), (HmacMode::ReceiveOnly, AntiReplay::Monotonic));
    assert_eq!(hmac.signing_key(), None);
    let hmac = of("strict_mode", &format!("{whole}\nmode permissive\ntime_window 9")).unwrap();
    assert_eq!(hmac.mode, HmacMode::Enforce);
    assert_eq!(hmac.anti_replay, AntiReplay::Time { window: 9 });
    for without in [format!("key 3 {key}"), format!("key 3 {key}\nactive_key 4"), String::new()] {
        assert_eq!(of("", &without), None, "{without}");
    }
}

#[test]
fn a_key_may_stand_in_a_file() {
    let path = std::env::temp_dir().join(format!("vrrp-hmac-key-{}", std::process::id()));
    std::fs::write(&path, format!("hex:{}\r\n", "Ab".repeat(32))).unwrap();
    let inside = format!("auth_hmac {{\nkey 1 file:{}\nactive_key 1\n}}", path.display());
    let hmac = instance(&format!("{VIP}{inside}")).hmac;
    std::fs::remove_file(&path).unwrap();
    assert_eq!(hmac.unwrap().key(1), HmacKey::new(1, &[0xab; 32]).as_ref());
}

/// Whoever begins as MASTER would begin with number 1, which all others have heard already.
#[test]
fn with_an_authentication_header_only_an_owner_begins_as_master() {
    let authentication = "authentication {\nauth_type AH\nauth_pass secret\n}\n";
    let of =
        |priority| instance(&format!("{VIP}{authentication}state MASTER\npriority {priority}"));
    assert!(!of(150).wants_master);
    assert!(of(255).wants_master);
}

#[test]
fn a_vrf_stands_for_the_interface_of_unicast_instances() {
    let peers = "unicast_src_ip 10.0.0.8\nunicast_peer {\n10.0.0.9\n}\n";
    let vip = "virtual_ipaddress {\n10.0.0.1 dev eth1\n}\n";
    let bound = |inside: &str| {
        let text = format!("vrrp_instance A {{\nvirtual_router_id 5\n{inside}{vip}}}\n");
        test(&text).settings().instances.first().map(|i| i.bound_to().map(str::to_owned))
    };
    assert_eq!(bound(&format!("vrf blue\n{peers}")), Some(Some("blue".into())));
    assert_eq!(bound(&format!("vrf blue\ninterface eth0\n{peers}")), Some(Some("eth0".into())));
    assert_eq!(bound(peers), Some(None));
}

#[test]
fn a_tracked_process_is_compared_as_its_keywords_say() {
    let of = |lines: &str| {
        let text = format!(
            "vrrp_track_process p {{\n{lines}\n}}\nvrrp_instance A {{\ninterface eth0\n\
             virtual_router_id 5\n{VIP}track_process {{\np\n}}\n}}\n"
        );
        test(&text).settings().processes[0].clone()
    };
    let plain = of("process nginx");
    assert_eq!((plain.full_command, plain.parameters), (false, None));
    assert_eq!((plain.quorum, plain.quorum_max), (1, None));
    let full = of("process /bin/x\nfull_command");
    assert_eq!((full.full_command, full.parameters), (true, None));
    let exact = of("process /bin/x a \"b c\"");
    assert_eq!(exact.process, ["/bin/x", "a", "b c"]);
    assert_eq!((exact.full_command, exact.parameters), (true, Some(Parameters::Exact)));
    let bare = of("process /bin/x\nparam_match");
    assert_eq!((bare.full_command, bare.parameters), (true, Some(Parameters::Exact)));
    let partial = of("param_match partial\nprocess /bin/x a\nquorum 2\nquorum_max 3");
    assert_eq!(partial.parameters, Some(Parameters::Partial));
    assert_eq!((partial.quorum, partial.quorum_max), (2, Some(3)));
    let none = of("process x\nquorum_max 0\ndelay 1.5\nfork_delay 0.000001");
    assert_eq!((none.quorum, none.quorum_max), (0, Some(0)));
    assert_eq!(none.fork_delay, Duration::from_micros(1));
    assert_eq!(none.terminate_delay, Duration::from_millis(1500));
}

#[test]
fn interfaces_to_poll_are_those_listed_and_those_of_instances_that_ask() {
    let instance = |inside: &str| {
        format!("vrrp_instance A {{\ninterface eth0\nvirtual_router_id 5\n{VIP}{inside}\n}}\n")
    };
    let polled = |before: &str, inside: &str| {
        test(&format!("{before}\n{}", instance(inside))).settings().linkbeat.clone()
    };
    let listed = "linkbeat_interfaces {\neth1 MII\neth1 IOCTL\n}";
    let eth1 = ("eth1".to_owned(), Some(LinkMethod::Mii));
    let eth0 = ("eth0".to_owned(), None);
    assert_eq!(polled("", ""), []);
    assert_eq!(polled(listed, "")[..], [(eth1.0.clone(), eth1.1)]);
    assert_eq!(polled(&format!("{listed}\nlinkbeat_use_polling"), ""), [eth1, eth0.clone()]);
    assert_eq!(polled("", "linkbeat_use_polling"), [eth0]);
}
