use std::collections::HashSet;

use netlink::Link;
use proptest::prelude::*;

use super::*;
use crate::config::{Family as Of, Version};

fn view(links: &[(u32, &str)]) -> KernelView {
    let link = |&(index, name): &(u32, &str)| Link { index, name: name.into(), ..Link::default() };
    let mut view = KernelView::default();
    view.replace(links.iter().map(link).collect(), Vec::new());
    view
}

fn firewall(by_index: bool) -> Firewall {
    Firewall::new(&FirewallSettings { by_index, ..FirewallSettings::default() })
}

/// An instance on `eth0`, its addresses as `address` or `address interface`.
fn instance(addresses: &[&str]) -> InstanceSettings {
    let mut instance = InstanceSettings::new("V", "eth0", 1, Version::V3, Of::V6);
    instance.accept = false;
    instance.addresses = addresses
        .iter()
        .map(|text| {
            let (ip, interface) = text.split_once(' ').unwrap_or((text, "eth0"));
            AddressSettings::new(ip.parse().unwrap(), 64, interface)
        })
        .collect();
    instance
}

/// What sets hold whose changes all succeed.
#[derive(Default)]
struct Sets(Vec<Element>);

impl Sets {
    fn come(&mut self, firewall: &mut Firewall, view: &KernelView) {
        while !firewall.adds.is_empty() {
            for element in firewall.come(view) {
                if !self.0.contains(&element) {
                    self.0.push(element);
                }
            }
        }
    }

    fn go(&mut self, firewall: &mut Firewall) {
        while !firewall.deletes.is_empty() || !firewall.stale.is_empty() {
            for element in firewall.gone() {
                let at = self.0.iter().position(|e| *e == element);
                self.0.remove(at.expect("it is in the set, or the kernel refuses"));
            }
        }
    }

    fn settle(&mut self, firewall: &mut Firewall, view: &KernelView) {
        self.come(firewall, view);
        self.go(firewall);
    }
}

#[test]
fn link_local_addresses_are_guarded_where_they_are() {
    let view = view(&[(7, "eth0"), (8, "eth1")]);
    let ip = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap();
    let mut named = [0; 16];
    named[..4].copy_from_slice(b"eth0");
    for (by_index, untracked, expected) in [
        (false, false, Element::ByIndex(ip("fe80::1"), 7)),
        (false, true, Element::ByName(ip("fe80::1"), named)),
        (true, true, Element::ByIndex(ip("fe80::1"), 7)),
    ] {
        let mut settings = instance(&["fe80::1", "fe80::2 eth1", "fd00::1", "10.9.0.1"]);
        settings.dont_track_primary = untracked;
        let mut firewall = firewall(by_index);
        firewall.take(&settings);
        let mut sets = Sets::default();
        sets.settle(&mut firewall, &view);
        let rest = [
            Element::ByIndex(ip("fe80::2"), 8),
            Element::Anywhere(ip("fd00::1").into()),
            Element::Anywhere([10, 9, 0, 1].into()),
        ];
        assert_eq!(sets.0[0], expected);
        assert_eq!(sets.0[1..], rest);
    }
}

#[test]
fn an_interface_made_anew_has_its_addresses_guarded_by_its_new_index() {
    let settings = instance(&["fe80::1", "fd00::1"]);
    let (mut firewall, mut sets) = (firewall(false), Sets::default());
    firewall.take(&settings);
    sets.settle(&mut firewall, &view(&[]));
    assert_eq!(sets.0, [Element::Anywhere("fd00::1".parse().unwrap())]);
    for index in [7, 7, 9] {
        let view = view(&[(index, "eth0")]);
        firewall.interface_returned("eth0", &view);
        sets.settle(&mut firewall, &view);
        assert_eq!(sets.0.len(), 2);
        assert!(sets.0.contains(&Element::ByIndex("fe80::1".parse().unwrap(), index)));
    }
    firewall.release(&settings);
    sets.settle(&mut firewall, &view(&[(9, "eth0")]));
    assert_eq!(sets.0, []);
}

#[test]
fn what_accepts_is_not_guarded() {
    let mut settings = instance(&["10.9.0.1"]);
    settings.accept = true;
    let mut firewall = firewall(false);
    firewall.take(&settings);
    firewall.release(&settings);
    assert!(firewall.adds.is_empty() && firewall.deletes.is_empty());
}

proptest! {
    /// Instances take and let go of addresses that they share, and the work is done now and then: no element
    /// is missing once additions are done, and in the end the sets hold what is held.
    #[test]
    fn the_sets_hold_what_is_held(
        owners in prop::collection::vec(prop::collection::vec(0_u8..6, 0..4), 4),
        steps in prop::collection::vec((0_usize..4, 0_u8..3), 0..40),
    ) {
        let view = view(&[(7, "eth0")]);
        let text = |n: &u8| if *n < 4 { format!("10.9.0.{n}") } else { format!("fe80::{n}") };
        let owners: Vec<InstanceSettings> = owners
            .into_iter()
            .map(|list| list.into_iter().collect::<HashSet<u8>>())
            .map(|list| list.iter().map(text).collect::<Vec<_>>())
            .map(|list| instance(&list.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        let (mut firewall, mut sets) = (firewall(false), Sets::default());
        let mut holding = [false; 4];
        let wanted = |holding: &[bool; 4]| -> HashSet<IpAddr> {
            let masters = owners.iter().zip(holding).filter(|(_, holds)| **holds);
            masters.flat_map(|(owner, _)| owner.addresses.iter().map(|a| a.ip)).collect()
        };
        let found = |sets: &Sets| -> HashSet<IpAddr> {
            let ip = |e: &Element| match *e {
                Element::Anywhere(ip) => ip,
                Element::ByIndex(ip, _) | Element::ByName(ip, _) => ip.into(),
            };
            sets.0.iter().map(ip).collect()
        };
        for (owner, work) in steps {
            if holding[owner] {
                firewall.release(&owners[owner]);
            } else {
                firewall.take(&owners[owner]);
            }
            holding[owner] = !holding[owner];
            if work > 0 {
                sets.come(&mut firewall, &view);
                prop_assert!(found(&sets).is_superset(&wanted(&holding)));
            }
            if work > 1 {
                sets.go(&mut firewall);
                prop_assert_eq!(found(&sets), wanted(&holding));
            }
        }
        sets.settle(&mut firewall, &view);
        prop_assert_eq!(found(&sets), wanted(&holding));
        prop_assert_eq!(sets.0.len(), wanted(&holding).len());
    }
}
