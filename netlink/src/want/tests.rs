use proptest::prelude::*;

use super::*;
use crate::address::PROTOCOL_KEEPALIVED;

/// The address as the kernel has it after `request`.
fn kernels(request: &AddressRequest) -> Address {
    Address {
        index: request.index,
        ip: request.ip,
        prefix: request.prefix,
        peer: request.other_end(),
        broadcast: request.broadcast,
        scope: request.scope,
        label: request.label.clone(),
        flags: request.flags() | libc::IFA_F_PERMANENT,
        protocol: PROTOCOL_KEEPALIVED,
        preferred_lft: request.preferred_lft.unwrap_or(u32::MAX),
        valid_lft: u32::MAX,
    }
}

fn v4(text: &str, prefix: u8) -> AddressRequest {
    AddressRequest::new(2, text.parse().unwrap(), prefix)
}

fn all(_: &Address) -> bool {
    true
}

#[test]
fn what_nobody_wants_goes_only_if_it_is_ours() {
    let ours = kernels(&v4("10.0.0.1", 24));
    let mut other = kernels(&v4("10.0.0.2", 24));
    other.protocol = 0;
    let have = [ours, other];
    let changes = diff(&[], &have, |a| a.protocol == PROTOCOL_KEEPALIVED);
    assert_eq!(changes.delete, [v4("10.0.0.1", 24)]);
    assert!(changes.add.is_empty());
}

#[test]
fn an_ipv4_address_with_another_prefix_length_is_another_address() {
    let have = [kernels(&v4("10.0.0.1", 24))];
    let changes = diff(&[v4("10.0.0.1", 32)], &have, |_| false);
    assert_eq!(changes.add, [v4("10.0.0.1", 32)]);
    assert!(changes.delete.is_empty(), "the other one belongs to somebody else");
    assert_eq!(diff(&[v4("10.0.0.1", 32)], &have, all).delete, [v4("10.0.0.1", 24)]);
}

#[test]
fn an_ipv6_address_with_another_prefix_length_is_the_same_address() {
    let have = [kernels(&v4("2001:db8::1", 64))];
    let changes = diff(&[v4("2001:db8::1", 128)], &have, |_| false);
    assert_eq!(changes.delete, [v4("2001:db8::1", 64)], "the kernel would refuse a second one");
    assert_eq!(changes.add, [v4("2001:db8::1", 128)]);
}

#[test]
fn what_the_kernel_can_update_is_not_deleted() {
    let request = v4("2001:db8::1", 64);
    let have = [kernels(&request)];
    let deprecated = AddressRequest { preferred_lft: Some(0), ..request.clone() };
    let changes = diff(std::slice::from_ref(&deprecated), &have, all);
    assert_eq!(changes, AddressChanges { delete: vec![], add: vec![deprecated] });
    let quiet = AddressRequest { noprefixroute: true, ..request };
    assert_eq!(diff(std::slice::from_ref(&quiet), &have, all).add, [quiet]);
}

#[test]
fn a_label_and_a_broadcast_address_cannot_be_updated() {
    let plain = v4("10.0.0.1", 24);
    let mut have = kernels(&plain);
    have.label = Some("eth0".into());
    assert!(diff(std::slice::from_ref(&plain), &[have.clone()], all).is_empty());
    let labelled = AddressRequest { label: Some("eth0:1".into()), ..plain.clone() };
    let changes = diff(std::slice::from_ref(&labelled), &[have.clone()], all);
    assert_eq!((changes.delete.len(), changes.add.len()), (1, 1));
    have.label = Some("eth0:1".into());
    assert_eq!(diff(std::slice::from_ref(&plain), &[have.clone()], all).delete.len(), 1);
    let broadcast = AddressRequest { broadcast: Some([10, 0, 0, 255].into()), ..labelled };
    assert_eq!(diff(&[broadcast], &[have], all).delete.len(), 1);
}

#[test]
fn a_lifetime_that_counts_down_is_left_alone() {
    let request = AddressRequest { preferred_lft: Some(600), ..v4("2001:db8::1", 64) };
    let mut have = kernels(&request);
    have.preferred_lft = 17;
    assert!(diff(&[request], &[have], all).is_empty());
}

#[test]
fn a_request_made_twice_is_carried_out_once() {
    let request = v4("10.0.0.1", 24);
    let changes = diff(&[request.clone(), request.clone()], &[], all);
    assert_eq!(changes.add.len(), 1);
    assert_eq!(AddressChanges::between(&[], &[request.clone(), request]).add.len(), 1);
}

#[test]
fn deletions_come_first_and_tags_count_through() {
    let changes = AddressChanges::between(
        &[v4("10.0.0.1", 24), v4("10.0.0.2", 24)],
        &[v4("10.0.0.2", 24), AddressRequest { index: 3, ..v4("10.0.0.1", 24) }],
    );
    assert_eq!(changes.delete, [v4("10.0.0.1", 24)]);
    assert_eq!(changes.add.len(), 1);
    let batch = changes.batch();
    let tags: Vec<u64> = batch.piece(0, 9, 4096).unwrap().requests.iter().map(|r| r.tag).collect();
    assert_eq!(tags, [0, 1]);
}

prop_compose! {
    /// Few values, so that lists overlap.
    fn requests()(
        index in 1u32..3,
        ip in prop_oneof![Just("10.0.0.1"), Just("10.0.0.2"), Just("fd00::1"), Just("fd00::2")],
        prefix in prop_oneof![Just(24u8), Just(32)],
        peer in any::<bool>(),
        label in prop::option::of("eth0:[ab]"),
        flag in any::<bool>(),
        preferred_lft in prop::option::of(prop_oneof![Just(0u32), Just(100)]),
    ) -> AddressRequest {
        let ip: IpAddr = ip.parse().unwrap();
        let other = if ip.is_ipv4() { "10.0.9.9" } else { "fd00::9" };
        AddressRequest {
            peer: peer.then(|| other.parse().unwrap()),
            label: label.filter(|_| ip.is_ipv4()),
            noprefixroute: flag,
            preferred_lft: preferred_lft.filter(|_| ip.is_ipv6()),
            ..AddressRequest::new(index, ip, prefix)
        }
    }
}

/// A table that behaves as the kernel's does.
fn apply(table: &mut HashMap<Identity, Address>, changes: &AddressChanges) {
    for request in &changes.delete {
        let removed = table.remove(&Identity::of_request(request)).expect("was there");
        assert_eq!(removed.prefix, request.prefix);
    }
    for request in &changes.add {
        let identity = Identity::of_request(request);
        if let Some(there) = table.get(&identity) {
            assert!(updatable(request, there), "the kernel ignores what it cannot update");
        }
        table.insert(identity, kernels(request));
    }
}

proptest! {
    #[test]
    fn changes_lead_to_what_is_wanted(
        start in prop::collection::vec(requests(), 0..8),
        want in prop::collection::vec(requests(), 0..8),
    ) {
        let mut table = HashMap::new();
        for request in &start {
            table.entry(Identity::of_request(request)).or_insert_with(|| kernels(request));
        }
        let have: Vec<Address> = table.values().cloned().collect();
        apply(&mut table, &diff(&want, &have, all));
        let have: Vec<Address> = table.values().cloned().collect();
        prop_assert!(diff(&want, &have, all).is_empty());
        let wanted: HashSet<Identity> = want.iter().map(Identity::of_request).collect();
        prop_assert_eq!(table.keys().copied().collect::<HashSet<_>>(), wanted);
    }

    #[test]
    fn a_reload_leads_to_what_is_wanted(
        old in prop::collection::vec(requests(), 0..8),
        new in prop::collection::vec(requests(), 0..8),
    ) {
        let mut table = HashMap::new();
        apply(&mut table, &AddressChanges::between(&[], &old));
        apply(&mut table, &AddressChanges::between(&old, &new));
        let have: Vec<Address> = table.values().cloned().collect();
        prop_assert!(diff(&new, &have, all).is_empty());
        prop_assert!(AddressChanges::between(&new, &new).is_empty());
    }
}
