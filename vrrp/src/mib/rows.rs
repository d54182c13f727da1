//! The rows of the tables of RFC 2787 and RFC 6527, which are told by interface index and VRID and not by the order of the file.

use std::net::IpAddr;

use scheduler::Time;
use snmp::Oid;

use crate::config::Family;
use crate::instance::Instance;
use crate::runtime::{KernelView, Vrrp};

/// Instances by index, in order.
pub(super) type Sorted = Vec<(Oid, usize)>;

/// All rows, and the moment they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// They are those of today's instances and interfaces.
    current: bool,
    pub(super) now: Time,
    /// RFC 2787: interface, VRID. Those of version 2.
    pub(super) v2: Sorted,
    /// The same, and the octets of an address.
    pub(super) v2_addresses: Sorted,
    /// RFC 6527: interface, VRID, type of address. Those of both versions.
    pub(super) v3: Sorted,
    /// The same, and the octets of an address.
    pub(super) v3_addresses: Sorted,
}

impl Rows {
    /// Instances or interfaces have changed.
    pub(crate) fn outdate(&mut self) {
        self.current = false;
    }

    fn build(&mut self, instances: &[Instance], view: &KernelView) {
        for rows in self.all() {
            rows.clear();
        }
        for (i, instance) in instances.iter().enumerate() {
            let Some(link) = index(instance, view) else { continue };
            let s = &instance.settings;
            let v2 = vec![link, s.vrid.into()];
            let v3 = [&v2[..], &[address_type(s.family)]].concat();
            let is_v2 = super::is_v2(s);
            for address in &s.addresses {
                let octets: Oid = match address.ip {
                    IpAddr::V4(ip) => ip.octets().map(u32::from).to_vec(),
                    IpAddr::V6(ip) => ip.octets().map(u32::from).to_vec(),
                };
                if is_v2 {
                    self.v2_addresses.push(([&v2[..], &octets].concat(), i));
                }
                self.v3_addresses.push(([&v3[..], &octets].concat(), i));
            }
            if is_v2 {
                self.v2.push((v2, i));
            }
            self.v3.push((v3, i));
        }
        // Several unicast instances may have the same VRID on an interface: the first one stands for them.
        for rows in self.all() {
            rows.sort();
            rows.dedup_by(|later, first| later.0 == first.0);
        }
        self.current = true;
    }

    fn all(&mut self) -> [&mut Sorted; 4] {
        [&mut self.v2, &mut self.v2_addresses, &mut self.v3, &mut self.v3_addresses]
    }
}

/// The interface's index. An instance without interface has no row.
pub(super) fn index(instance: &Instance, view: &KernelView) -> Option<u32> {
    view.index(instance.settings.interface.as_deref()?)
}

/// InetAddressType.
pub(super) fn address_type(family: Family) -> u32 {
    match family {
        Family::V4 => 1,
        Family::V6 => 2,
    }
}

pub(super) fn next(rows: &Sorted, after: &[u32]) -> Option<Oid> {
    let at = rows.partition_point(|(index, _)| index.as_slice() <= after);
    rows.get(at).map(|(index, _)| index.clone())
}

pub(super) fn find(rows: &Sorted, index: &[u32]) -> Option<usize> {
    let at = rows.binary_search_by(|(row, _)| row.as_slice().cmp(index)).ok()?;
    rows.get(at).map(|(_, instance)| *instance)
}

impl Vrrp {
    /// To be called before objects of the RFCs are looked up: `now` is when they are asked for.
    pub fn number_rows(&mut self, now: Time) {
        let mut rows = std::mem::take(self.rows_mut());
        rows.now = now;
        if !rows.current {
            rows.build(self.router().instances(), self.view());
        }
        *self.rows_mut() = rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_in_order() {
        let rows: Sorted = vec![(vec![2, 7], 1), (vec![2, 51], 0), (vec![10, 3], 2)];
        assert_eq!(next(&rows, &[]), Some(vec![2, 7]));
        assert_eq!(next(&rows, &[2]), Some(vec![2, 7]));
        assert_eq!(next(&rows, &[2, 7]), Some(vec![2, 51]));
        assert_eq!(next(&rows, &[2, 51, 0]), Some(vec![10, 3]));
        assert_eq!(next(&rows, &[10, 3]), None);
        assert_eq!((find(&rows, &[2, 51]), find(&rows, &[2, 52])), (Some(0), None));
    }
}
