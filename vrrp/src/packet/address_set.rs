//! The addresses an advert should carry, comparable with a packet's list in any order without allocating.

use std::net::IpAddr;

use super::MAX_ADDRESSES;
use super::parse::address_at;
use crate::config::Family;

/// The instance's advertised addresses, at most 255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSet {
    family: Family,
    /// In configuration order, as they stand in a packet.
    wire: Box<[u8]>,
    /// Positions, ordered by address.
    sorted: Box<[u8]>,
}

impl AddressSet {
    /// The addresses of `family` among `addresses`; what exceeds 255 is left out.
    pub fn new(family: Family, addresses: impl IntoIterator<Item = IpAddr>) -> AddressSet {
        let mut wire = Vec::new();
        let mut count = 0usize;
        for address in addresses {
            if count == MAX_ADDRESSES {
                break;
            }
            match address {
                IpAddr::V4(a) if family == Family::V4 => wire.extend(a.octets()),
                IpAddr::V6(a) if family == Family::V6 => wire.extend(a.octets()),
                _ => continue,
            }
            count += 1;
        }
        let mut sorted: Vec<u8> = (0..count).map(|position| position as u8).collect();
        let size = family.address_len();
        sorted.sort_unstable_by_key(|&position| slot(&wire, size, position));
        AddressSet { family, wire: wire.into(), sorted: sorted.into() }
    }

    /// How many addresses there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The first of our addresses, in configuration order, that `wire` (a packet's list) lacks.
    pub fn first_missing_in(&self, wire: &[u8]) -> Option<IpAddr> {
        // Two routers with the same file list them in the same order.
        if *self.wire == *wire {
            return None;
        }
        let size = self.family.address_len();
        let mut seen = [0u64; 4];
        for candidate in wire.chunks_exact(size) {
            let found = self
                .sorted
                .binary_search_by(|&position| slot(&self.wire, size, position).cmp(candidate));
            if let Some(&position) = found.ok().and_then(|index| self.sorted.get(index)) {
                seen[usize::from(position >> 6)] |= 1 << (position & 63);
            }
        }
        (0..self.len())
            .find(|&position| seen[(position >> 6) & 3] >> (position & 63) & 1 == 0)
            .and_then(|position| address_at(&self.wire, self.family, position))
    }
}

/// One address of a list as bytes.
fn slot(wire: &[u8], size: usize, position: u8) -> &[u8] {
    let start = usize::from(position) * size;
    wire.get(start..start + size).unwrap_or_default()
}
