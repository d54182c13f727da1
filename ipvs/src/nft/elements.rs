//! What the maps of one family hold, and how that differs from what they held.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::service::{Family, Protocol};

use super::MapEntry;

/// A range of addresses with a port, and the mark it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) port: u16,
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
    pub(super) mark: u32,
}

/// Last address and mark, by port and first address.
type Map = BTreeMap<(u16, IpAddr), (IpAddr, u32)>;

/// The maps of one family; a protocol without elements has none.
#[derive(Debug, Default)]
pub(super) struct Maps {
    maps: BTreeMap<Protocol, Map>,
}

/// Name of a protocol's map.
pub(super) fn map_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp_map",
        Protocol::Udp => "udp_map",
        Protocol::Sctp => "sctp_map",
    }
}

impl Maps {
    /// The entries of a family. The kernel takes none that overlap: the first of them counts.
    pub(super) fn new(family: Family, entries: &[MapEntry]) -> Maps {
        let mut maps = Maps::default();
        let mut left_out = 0;
        for entry in entries.iter().filter(|entry| Family::of(entry.first) == family) {
            let map = maps.maps.entry(entry.protocol).or_default();
            let wrong = Family::of(entry.last) != family || entry.last < entry.first;
            let place = (entry.port, entry.first);
            // The one that starts last of those that start before this one ends.
            let before = map.range(..=(entry.port, entry.last)).next_back();
            let overlaps = before
                .is_some_and(|((port, _), (last, _))| *port == entry.port && *last >= entry.first);
            if wrong || overlaps {
                left_out += 1;
            } else {
                map.insert(place, (entry.last, entry.mark));
            }
        }
        maps.maps.retain(|_, map| !map.is_empty());
        if left_out > 0 {
            log::warn!("nftables: {left_out} addresses of groups overlap others; left out");
        }
        maps
    }

    pub(super) fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    pub(super) fn has_protocols_of(&self, other: &Maps) -> bool {
        self.maps.keys().eq(other.maps.keys())
    }

    /// Every map with its elements.
    pub(super) fn all(&self) -> impl Iterator<Item = (Protocol, Vec<Element>)> {
        self.maps.iter().map(|(protocol, map)| (*protocol, map.iter().map(element).collect()))
    }

    /// The elements that `other` does not have, by the names of their maps; maps without any are
    /// left out.
    pub(super) fn without(
        &self,
        other: &Maps,
    ) -> impl Iterator<Item = (&'static str, Vec<Element>)> {
        self.maps.iter().filter_map(|(protocol, map)| {
            let others = other.maps.get(protocol);
            let known = |place, value| others.and_then(|o| o.get(place)) == Some(value);
            let own = map.iter().filter(|(place, value)| !known(place, value));
            let elements: Vec<Element> = own.map(element).collect();
            (!elements.is_empty()).then_some((map_name(*protocol), elements))
        })
    }
}

fn element((place, value): (&(u16, IpAddr), &(IpAddr, u32))) -> Element {
    Element { port: place.0, first: place.1, last: value.0, mark: value.1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(first: &str, last: &str, port: u16, mark: u32) -> MapEntry {
        let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
        MapEntry { protocol: Protocol::Tcp, first, last, port, mark }
    }

    #[test]
    fn of_elements_that_overlap_the_first_one_counts() {
        let maps = Maps::new(
            Family::Inet,
            &[
                entry("10.0.0.5", "10.0.0.9", 80, 1),
                entry("10.0.0.9", "10.0.0.12", 80, 2),
                entry("10.0.0.1", "10.0.0.5", 80, 3),
                entry("10.0.0.6", "10.0.0.7", 80, 4),
                entry("10.0.0.1", "10.0.0.20", 80, 5),
                entry("10.0.0.5", "10.0.0.9", 80, 6),
                entry("10.0.0.5", "10.0.0.9", 81, 7),
                entry("10.0.0.10", "10.0.0.10", 80, 8),
                entry("10.0.0.4", "10.0.0.2", 82, 9),
                entry("2001:db8::1", "2001:db8::1", 80, 10),
            ],
        );
        let marks: Vec<u32> = maps.all().flat_map(|(_, e)| e).map(|e| e.mark).collect();
        assert_eq!(marks, [1, 8, 7]);
    }

    #[test]
    fn only_what_differs_is_in_a_difference() {
        let one = entry("10.0.0.1", "10.0.0.1", 80, 1);
        let two = entry("10.0.0.2", "10.0.0.2", 80, 1);
        let longer = entry("10.0.0.2", "10.0.0.3", 80, 1);
        let udp = MapEntry { protocol: Protocol::Udp, ..one };
        let before = Maps::new(Family::Inet, &[one, two, udp]);
        let after = Maps::new(Family::Inet, &[longer, one]);
        let gone: Vec<_> = before.without(&after).collect();
        assert_eq!(
            gone.iter().map(|(name, e)| (*name, e.len())).collect::<Vec<_>>(),
            [("tcp_map", 1), ("udp_map", 1)]
        );
        let new: Vec<_> = after.without(&before).collect();
        assert_eq!(new.len(), 1);
        assert_eq!(new[0].1[0].last, longer.last);
        assert!(!before.has_protocols_of(&after));
        assert_eq!(after.without(&after).count(), 0);
    }
}
