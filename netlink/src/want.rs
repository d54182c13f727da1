//! From what is wanted and what is there to what must change.
//!
//! Pure and linear: one hash table over what is wanted, one pass over what is there. The kernel's
//! own idea of when two addresses are the same one decides what is an update and what is a
//! removal plus an addition:
//!
//! * IPv4: same interface, same local address, same prefix length, same network of the peer;
//! * IPv6: same interface, same address, whatever its prefix length.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::address::{Address, AddressRequest};
use crate::batch::Batch;

/// What must change. Deletions come before additions: an address that moves to another interface
/// must not be on both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressChanges {
    /// Addresses to delete.
    pub delete: Vec<AddressRequest>,
    /// Addresses to add or update.
    pub add: Vec<AddressRequest>,
}

impl AddressChanges {
    /// Whether everything is as wanted.
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.add.is_empty()
    }

    /// The changes as a batch; tags count from 0 through the deletions and on through the
    /// additions.
    pub fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        let mut tag = 0;
        for request in &self.delete {
            batch.delete_address(request, tag);
            tag += 1;
        }
        for request in &self.add {
            batch.add_address(request, tag);
            tag += 1;
        }
        batch
    }

    /// The way from one list of wanted addresses to another, without a look at the kernel: what a
    /// reload has to do for addresses that are in place.
    pub fn between(old: &[AddressRequest], new: &[AddressRequest]) -> AddressChanges {
        let mut before: HashMap<Identity, &AddressRequest> = HashMap::with_capacity(old.len());
        for request in old {
            before.entry(Identity::of_request(request)).or_insert(request);
        }
        let mut changes = AddressChanges::default();
        let mut seen: HashSet<Identity> = HashSet::with_capacity(new.len());
        for request in new {
            let identity = Identity::of_request(request);
            if !seen.insert(identity) {
                continue;
            }
            match before.remove(&identity) {
                Some(previous) if previous == request => {}
                Some(previous) if same_fixed_parts(previous, request) => {
                    changes.add.push(request.clone());
                }
                Some(previous) => {
                    changes.delete.push(previous.clone());
                    changes.add.push(request.clone());
                }
                None => changes.add.push(request.clone()),
            }
        }
        let mut gone: HashSet<Identity> = before.into_keys().collect();
        changes.delete.extend(
            old.iter().filter(|request| gone.remove(&Identity::of_request(request))).cloned(),
        );
        changes
    }
}

/// Compares what is wanted with what the kernel has.
///
/// An address that is there but not wanted is deleted if `ours` says so (by its protocol, or
/// because an earlier configuration put it there); everybody else's stay. Of several requests for
/// the same address the first counts.
pub fn diff(
    want: &[AddressRequest],
    have: &[Address],
    ours: impl Fn(&Address) -> bool,
) -> AddressChanges {
    let mut wanted: HashMap<Identity, &AddressRequest> = HashMap::with_capacity(want.len());
    for request in want {
        wanted.entry(Identity::of_request(request)).or_insert(request);
    }
    let mut changes = AddressChanges::default();
    let mut satisfied: HashSet<Identity> = HashSet::with_capacity(have.len());
    for address in have {
        let identity = Identity::of_address(address);
        match wanted.get(&identity) {
            None if ours(address) => changes.delete.push(AddressRequest::of(address)),
            None => {}
            Some(request) if !updatable(request, address) => {
                changes.delete.push(AddressRequest::of(address));
            }
            Some(request) if up_to_date(request, address) => {
                satisfied.insert(identity);
            }
            Some(_) => {}
        }
    }
    for request in want {
        if satisfied.insert(Identity::of_request(request)) {
            changes.add.push(request.clone());
        }
    }
    changes
}

/// When two addresses are one to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Identity {
    index: u32,
    ip: IpAddr,
    /// Prefix length and peer network; zero for IPv6.
    network: (u8, u32),
}

impl Identity {
    fn of_request(request: &AddressRequest) -> Self {
        Self::new(request.index, request.ip, request.prefix, request.peer)
    }

    fn of_address(address: &Address) -> Self {
        Self::new(address.index, address.ip, address.prefix, address.peer)
    }

    fn new(index: u32, ip: IpAddr, prefix: u8, peer: Option<IpAddr>) -> Self {
        let network = match (ip, peer) {
            (IpAddr::V4(_), Some(IpAddr::V4(peer))) => (prefix, masked(peer, prefix)),
            (IpAddr::V4(local), _) => (prefix, masked(local, prefix)),
            (IpAddr::V6(_), _) => (0, 0),
        };
        Identity { index, ip, network }
    }
}

fn masked(ip: Ipv4Addr, prefix: u8) -> u32 {
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
    ip.to_bits() & mask
}

/// Whether an update in place can make `address` what `request` asks for. The kernel cannot change
/// the prefix, peer, scope, broadcast address or label of an address it has.
fn updatable(request: &AddressRequest, address: &Address) -> bool {
    if request.prefix != address.prefix || request.other_end() != address.peer {
        return false;
    }
    if request.ip.is_ipv6() {
        return true;
    }
    let label = match (&request.label, &address.label) {
        (Some(wanted), Some(found)) => wanted == found,
        // Without a label the kernel gives the interface's name, which never has a colon.
        (None, Some(found)) => !found.contains(':'),
        (wanted, None) => wanted.is_none(),
    };
    label && request.scope == address.scope && request.broadcast == address.broadcast
}

/// Whether two requests for one address differ only in what an update in place can change.
fn same_fixed_parts(a: &AddressRequest, b: &AddressRequest) -> bool {
    a.prefix == b.prefix
        && a.other_end() == b.other_end()
        && (a.ip.is_ipv6() || (&a.label, a.scope, a.broadcast) == (&b.label, b.scope, b.broadcast))
}

/// Whether `address`, which is updatable, needs no update.
fn up_to_date(request: &AddressRequest, address: &Address) -> bool {
    let lifetime = match request.preferred_lft.filter(|_| request.ip.is_ipv6()) {
        None => address.preferred_lft == u32::MAX,
        // It counts down from what was asked for.
        Some(wanted) => address.preferred_lft <= wanted,
    };
    let controlled = AddressRequest {
        dad: false,
        home: true,
        mngtmpaddr: true,
        noprefixroute: true,
        autojoin: true,
        ..AddressRequest::new(request.index, request.ip, request.prefix)
    }
    .flags();
    lifetime && request.flags() == address.flags & controlled
}

#[cfg(test)]
mod tests;
