//! Which interfaces are made for virtual routers, what they are called and what is put on them.

use super::super::{Family, InstanceSettings, Vmac};
use super::*;

/// Instances of these names, VRIDs, keywords and addresses, on `eth0`.
fn instances(all: &[(&str, u8, &str, &str)]) -> String {
    let one = |(name, vrid, lines, addresses): &(&str, u8, &str, &str)| {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {vrid}\n{lines}\n\
             virtual_ipaddress {{\n{addresses}\n}}\n}}\n"
        )
    };
    all.iter().map(one).collect()
}

fn read_one(lines: &str, addresses: &str) -> InstanceSettings {
    test(&instances(&[("A", 51, lines, addresses)])).settings().instances.remove(0)
}

fn names(settings: &Settings) -> Vec<Vec<&str>> {
    settings.instances.iter().map(|i| i.vmacs().map(|v| v.name.as_str()).collect()).collect()
}

#[test]
fn addresses_of_the_instances_family_are_on_its_vmac() {
    let lines = "use_vmac\nvirtual_ipaddress_excluded {\nfd00::1\n}";
    let i = read_one(lines, "10.0.0.1\n10.0.0.2 dev eth0\n10.0.0.3 dev eth1");
    let vmac = i.vmac.as_deref().unwrap();
    assert_eq!(
        vmac,
        &Vmac {
            name: "vrrp.51".into(),
            parent: "eth0".into(),
            sublink: netlink::Sublink::PRIVATE_MACVLAN,
            mac: Some([0, 0, 0x5e, 0, 1, 51]),
            address: None,
            family: Family::V4,
            configured: None,
            group: None,
            notify_parent: false,
            ipv6: true,
        }
    );
    let on: Vec<&str> =
        i.addresses.iter().chain(&i.excluded).map(|a| a.interface.as_str()).collect();
    assert_eq!(on, ["vrrp.51", "vrrp.51", "eth1", "eth0"]);
    assert_eq!((i.interface.as_deref(), i.bound_to()), (Some("eth0"), Some("vrrp.51")));
    assert_eq!((i.parent_of("vrrp.51"), i.parent_of("eth1")), (Some("eth0"), None));
    assert!(!read_one("use_vmac", "10.0.0.1").vmac.unwrap().ipv6);
}

#[test]
fn names_are_the_first_that_are_free() {
    let text = instances(&[
        ("A", 51, "use_vmac", "10.0.0.1"),
        ("B", 51, "use_vmac", "fe80::1"),
        ("C", 52, "use_vmac", "fe80::2"),
        ("D", 53, "use_vmac vrrp.54", "10.0.0.4"),
        ("E", 54, "use_vmac", "10.0.0.5"),
        ("F", 54, "use_vmac", "fe80::6"),
    ]);
    let settings = test(&text).settings();
    let expected = ["vrrp.51", "vrrp6.51", "vrrp.52", "vrrp.54", "vrrp1.54", "vrrp6.54"];
    assert_eq!(names(&settings), expected.map(|name| vec![name]));
    assert_eq!(settings.instances[1].vmac.as_ref().unwrap().mac, Some([0, 0, 0x5e, 0, 2, 51]));

    let globals = "global_defs {\nvmac_prefix a_prefix_that_is_long\nvmac_addr_prefix va\n}\n";
    let lines = "use_vmac\nuse_vmac_addr";
    let text = instances(&[("A", 200, lines, "10.0.0.1\n10.0.0.2 dev eth1")]);
    let settings = test(&format!("{globals}{text}")).settings();
    assert_eq!(names(&settings), [["a_prefix_th.200", "va.200"]]);
}

#[test]
fn mac_addresses_can_be_given_whole_or_without_the_vrid() {
    let mac = |lines: &str| {
        let vmac = read_one(lines, "10.0.0.1").vmac.unwrap();
        (vmac.mac.unwrap(), vmac.configured)
    };
    assert_eq!(mac("use_vmac 02:0:0:0:0:a"), ([2, 0, 0, 0, 0, 10], Some(false)));
    assert_eq!(mac("use_vmac name v 02:00:00:00:07:"), ([2, 0, 0, 0, 7, 51], Some(true)));
    let given = read_one("strict_mode\nuse_vmac 02:00:00:00:00:01", "10.0.0.1").vmac.unwrap();
    assert_eq!((given.mac.unwrap(), given.configured), ([0, 0, 0x5e, 0, 1, 51], None));
    let vmac = read_one("use_vmac group 7 netlink_notify_msg", "10.0.0.1").vmac.unwrap();
    assert_eq!((vmac.group, vmac.notify_parent), (Some(7), true));
}

#[test]
fn single_addresses_and_those_elsewhere_can_have_a_vmac() {
    let i = read_one("", "10.0.0.1 use_vmac\n10.0.0.2\n10.0.0.3 dev eth1 use_vmac");
    let on: Vec<&str> = i.addresses.iter().map(|a| a.interface.as_str()).collect();
    assert_eq!(on, ["vrrp.51", "eth0", "vrrp1.51"]);
    assert_eq!((i.vmac, i.address_vmacs.len()), (None, 2));

    let lines = "use_vmac\nuse_vmac_addr\nvirtual_ipaddress_excluded {\nfd00::1\nfd00::2\n}";
    let i = read_one(lines, "10.0.0.1\n10.0.0.2 dev eth1\n10.0.0.3 dev eth1");
    let on: Vec<&str> =
        i.addresses.iter().chain(&i.excluded).map(|a| a.interface.as_str()).collect();
    assert_eq!(on, ["vrrp.51", "vrrp1.51", "vrrp1.51", "vrrp6.51", "vrrp6.51"]);
    assert_eq!(i.address_vmacs[1].mac, Some([0, 0, 0x5e, 0, 2, 51]));
    assert!(i.address_vmacs[1].ipv6 && !i.address_vmacs[0].ipv6);
}

#[test]
fn adverts_use_the_parent_with_unicast_or_if_told_so() {
    let i = read_one("use_vmac\nvmac_xmit_base", "10.0.0.1");
    assert_eq!((i.bound_to(), i.own_interface()), (Some("eth0"), Some("vrrp.51")));
    let i = read_one("use_vmac\nunicast_peer {\n10.0.0.9\n}", "10.0.0.1");
    assert!(i.vmac_xmit_base);
    let strict = read_one("use_vmac\nvmac_xmit_base\nstrict_mode", "10.0.0.1");
    assert_eq!(strict.bound_to(), Some("vrrp.51"));
    assert!(!read_one("use_vmac\npromote_secondaries", "10.0.0.1").promote_secondaries);
}

#[test]
fn a_matching_interface_is_taken_over_unless_a_reload_renames_it() {
    // `left` is a private macvlan on `eth0` with the MAC address of VRID 77, `mine` of 78 was made here.
    let name = |vrid: u8, lines: &str| {
        let outcome = read(&instances(&[("A", vrid, lines, "10.0.0.1")]), Mode::Start);
        let said = (outcome.said("Found matching interface"), outcome.said("name mismatch"));
        (outcome.settings().instances.remove(0).vmac.unwrap().name, said)
    };
    assert_eq!(name(77, "use_vmac"), ("left".into(), (true, false)));
    assert_eq!(name(77, "use_vmac left"), ("left".into(), (true, false)));
    assert_eq!(name(77, "use_vmac other"), ("left".into(), (true, true)));
    assert_eq!(name(78, "use_vmac"), ("mine".into(), (true, false)));
    assert_eq!(name(78, "use_vmac other"), ("other".into(), (true, false)));
    assert_eq!(name(79, "use_vmac"), ("vrrp.79".into(), (false, false)));
}

#[test]
fn names_in_use_are_refused() {
    let text = instances(&[
        ("A", 51, "use_vmac foo", "10.0.0.1"),
        ("B", 52, "use_vmac foo", "10.0.0.2"),
        ("C", 53, "use_vmac eth1", "10.0.0.3"),
        ("D", 54, "use_vmac a b", "10.0.0.4"),
    ]);
    let outcome = test(&text);
    let said: Vec<&str> = outcome.problems().into_iter().map(|(_, text)| text).collect();
    let expected = [
        "(B) VRRP instance A is already using foo - ignoring name",
        "(C) interface eth1 already exists and is not a private macvlan; ignoring vmac if_name",
        "VMAC interface name already specified",
    ];
    assert_eq!(said, expected);
    let expected = ["foo", "vrrp.52", "vrrp.53", "a"];
    assert_eq!(names(&outcome.settings()), expected.map(|name| vec![name]));
}

/// Two virtual routers cannot have one MAC address on one interface unless they move together.
#[test]
fn a_vmac_is_shared_within_a_sync_group_only() {
    let lines = "use_vmac\nuse_vmac_addr\nvirtual_ipaddress_excluded {\nfd00::1\n}";
    let text =
        instances(&[("A", 51, lines, "10.0.0.1"), ("B", 51, "use_vmac", "fe80::1\nfd00::2")]);
    let outcome = test(&text);
    assert!(
        outcome.said("(B) VIP/eVIP fe80::1 uses same VMAC as VRRP instance A VIP/eVIP fd00::1")
    );
    let settings = outcome.settings();
    assert_eq!(names(&settings), [vec!["vrrp.51", "vrrp6.51"], vec!["vrrp6.51"]]);
    assert!(settings.instances[0].config_fault.is_some());
    assert!(settings.instances[1].config_fault.is_none());

    let group = "vrrp_sync_group G {\ngroup {\nA\nB\n}\n}\n";
    let settings = test(&format!("{text}{group}")).settings();
    assert!(settings.instances.iter().all(|i| i.config_fault.is_none()));
}

#[test]
fn an_ipvlan_carries_the_adverts_and_its_address_is_their_source() {
    let i = read_one("use_ipvlan private ipv 10.0.0.9/24", "10.0.0.1");
    let vmac = i.vmac.as_deref().unwrap();
    assert_eq!((vmac.name.as_str(), vmac.parent.as_str()), ("ipv", "eth0"));
    assert_eq!(vmac.sublink, netlink::Sublink::Ipvlan { mode: 0, flags: 1 });
    let address = "10.0.0.9".parse().unwrap();
    assert_eq!((vmac.mac, vmac.address), (None, Some((address, 24))));
    assert_eq!((i.source, i.bound_to()), (Some(address), Some("ipv")));
    assert_eq!(i.addresses[0].interface, "eth0");

    let i = read_one("use_ipvlan 10.0.0.9\nmcast_src_ip 10.0.0.7", "10.0.0.1");
    assert_eq!(i.source, "10.0.0.7".parse().ok());
    let vmac = i.vmac.unwrap();
    assert_eq!((vmac.name.as_str(), vmac.address), ("vrrp.51", Some((address, 32))));
    assert!(!vmac.ipv6);

    let i = read_one("use_ipvlan", "fe80::1");
    assert!(i.config_fault.is_none() && i.source.is_none());
    // `over.80` is an ipvlan on `eth0`, of a run that was killed.
    let text = "global_defs {\nvmac_prefix over\n}\n".to_owned();
    let text = text + &instances(&[("A", 80, "use_ipvlan 10.0.0.9", "10.0.0.1")]);
    assert_eq!(names(&test(&text).settings()), [["over.80"]]);
}

#[test]
fn words_of_use_ipvlan_are_refused_one_by_one() {
    for (line, text) in [
        ("use_ipvlan private vepa 10.0.0.9", "IPVLAN type already specified - ignoring 'vepa'"),
        ("use_ipvlan 10.0.0.9 10.0.0.8", "IPVLAN address already specified"),
        ("use_ipvlan 10.0.0.9 fe80::1", "IPVLAN address already specified"),
        ("use_ipvlan 10.0.0.9/33", "IPVLAN address 10.0.0.9/33 is invalid"),
        ("use_ipvlan a b 10.0.0.9", "IPVLAN interface already specified - ignoring 'b'"),
        ("use_ipvlan eth1 10.0.0.9", "interface eth1 already exists and is not an l2 ipvlan"),
        ("use_ipvlan group nobody 10.0.0.9", "group nobody not found"),
        ("use_ipvlan", "IPv4 ipvlan requires a source ip address"),
    ] {
        let outcome = test(&instances(&[("A", 51, line, "10.0.0.1")]));
        assert!(outcome.said(text), "{line}: {:?}", outcome.problems());
    }
    let outcome = test(&instances(&[("A", 51, "use_vmac\nuse_ipvlan 10.0.0.9", "10.0.0.1")]));
    assert!(outcome.said("use_ipvlan is ignored beside use_vmac"));
    assert!(!outcome.settings().instances[0].vmac.as_ref().unwrap().is_ipvlan());
}

#[test]
fn extra_messages_are_for_interfaces_that_no_adverts_leave_from() {
    let extra = |lines: &str| {
        let addresses = "10.0.0.1\n10.0.0.2\n10.0.0.3 dev eth1\n10.0.0.4 dev eth1\n\
                         10.0.0.5 dev eth1 use_vmac";
        let i = read_one(&format!("{lines}\ngarp_extra_if 20"), addresses);
        let list: Vec<String> = i.extra_addresses().map(|a| a.ip.to_string()).collect();
        (list.join(" "), i.garp.extra.as_secs())
    };
    assert_eq!(extra("use_vmac"), ("10.0.0.5".into(), 20));
    assert_eq!(extra("use_vmac\nvmac_xmit_base"), ("10.0.0.1 10.0.0.5".into(), 20));

    let globals = "global_defs {\nvrrp_garp_extra_if all 30\n}\n";
    let of = |lines: &str, addresses: &str| {
        let text = format!("{globals}{}", instances(&[("A", 51, lines, addresses)]));
        let i = test(&text).settings().instances.remove(0);
        let list: Vec<String> = i.extra_addresses().map(|a| a.ip.to_string()).collect();
        (list.join(" "), i.garp.extra.as_secs())
    };
    assert_eq!(of("", "10.0.0.1\n10.0.0.3 dev eth1"), ("10.0.0.3".into(), 30));
    assert_eq!(of("", "10.0.0.1"), (String::new(), 0), "there is none");
    assert_eq!(of("garp_extra_if 0", "10.0.0.3 dev eth1").1, 0);
}
