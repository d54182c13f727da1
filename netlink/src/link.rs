//! A network interface as the kernel describes it.

use libc::{
    ARPHRD_LOOPBACK, IFF_LOOPBACK, IFF_MULTICAST, IFF_NOARP, IFF_RUNNING, IFF_UP, IFLA_ADDRESS,
    IFLA_BROADCAST, IFLA_EXT_MASK, IFLA_GROUP, IFLA_IFNAME, IFLA_INFO_KIND, IFLA_LINK,
    IFLA_LINK_NETNSID, IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, IFLA_WIRELESS,
};

use crate::codec::{Attributes, TooLong, Writer, u16_at, u32_at};
use crate::sublink::Sublink;

/// `struct ifinfomsg` in bytes.
const HEADER: usize = 16;
/// `RTEXT_FILTER_SKIP_STATS` of linux/rtnetlink.h: counters are half of a dump and nobody here
/// reads them.
const SKIP_STATS: u32 = 8;

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Interface index, never 0.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// `IFF_*`.
    pub flags: u32,
    /// Largest packet in bytes; 0 if the kernel did not say.
    pub mtu: u32,
    /// `ARPHRD_*`.
    pub hw_type: u16,
    /// Hardware address, as long as the hardware type has it (Ethernet 6, InfiniBand 20).
    pub mac: Vec<u8>,
    /// Hardware broadcast address.
    pub broadcast: Vec<u8>,
    /// Driver kind: `macvlan`, `veth`, `bridge`, `vrf`, …; `None` for hardware.
    pub kind: Option<String>,
    /// What of a macvlan or ipvlan it is; `None` for other kinds.
    pub sublink: Option<Sublink>,
    /// Index of the interface below (a macvlan's or vlan's parent; a veth's peer), if it is in
    /// this network namespace.
    pub parent: Option<u32>,
    /// Index of the bridge, bond or VRF this interface belongs to.
    pub master: Option<u32>,
    /// Interface group.
    pub group: u32,
}

impl Link {
    /// Administratively up, and running (it has carrier).
    pub fn is_up(&self) -> bool {
        self.has(IFF_UP) && self.has(IFF_RUNNING)
    }

    /// Can send multicast.
    pub fn has_multicast(&self) -> bool {
        self.has(IFF_MULTICAST)
    }

    /// Resolves addresses by ARP (or neighbour discovery).
    pub fn has_arp(&self) -> bool {
        !self.has(IFF_NOARP) && self.hw_type != ARPHRD_LOOPBACK
    }

    /// The loopback interface.
    pub fn is_loopback(&self) -> bool {
        self.has(IFF_LOOPBACK)
    }

    fn has(&self, flag: libc::c_int) -> bool {
        self.flags & flag.unsigned_abs() != 0
    }

    /// Reads the payload of an `RTM_NEWLINK` or `RTM_DELLINK`.
    ///
    /// `None` for what does not describe an interface: a payload without a complete header, a
    /// bridge port's message (family `AF_BRIDGE`; its `RTM_DELLINK` means "left the bridge", not
    /// "is gone"), and wireless scan events, which carry no addresses.
    pub fn decode(payload: &[u8]) -> Option<Link> {
        let header = payload.get(..HEADER)?;
        if i32::from(*header.first()?) != libc::AF_UNSPEC {
            return None;
        }
        let mut link = Link {
            hw_type: u16_at(header, 2)?,
            index: u32_at(header, 4)?,
            flags: u32_at(header, 8)?,
            ..Link::default()
        };
        let mut parent_elsewhere = false;
        for attribute in Attributes::after(payload, HEADER) {
            match attribute.kind {
                IFLA_IFNAME => link.name = attribute.text(),
                IFLA_MTU => link.mtu = attribute.u32().unwrap_or(link.mtu),
                IFLA_ADDRESS => link.mac = attribute.value.to_vec(),
                IFLA_BROADCAST => link.broadcast = attribute.value.to_vec(),
                IFLA_LINK => link.parent = attribute.u32().filter(|&i| i != 0),
                IFLA_LINK_NETNSID => parent_elsewhere = true,
                IFLA_MASTER => link.master = attribute.u32().filter(|&i| i != 0),
                IFLA_GROUP => link.group = attribute.u32().unwrap_or(link.group),
                IFLA_LINKINFO => {
                    link.kind =
                        attribute.nested().find_kind(IFLA_INFO_KIND).map(|kind| kind.text());
                    link.sublink = Sublink::decode(&attribute);
                }
                IFLA_WIRELESS => return None,
                _ => {}
            }
        }
        if parent_elsewhere {
            link.parent = None;
        }
        Some(link)
    }
}

/// Appends a request for all links.
pub(crate) fn write_dump(writer: &mut Writer, seq: u32) -> Result<(), TooLong> {
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    writer.message(libc::RTM_GETLINK, flags, seq, |w| {
        w.raw(&[0; HEADER]);
        w.u32(IFLA_EXT_MASK, SKIP_STATS);
    })
}

#[cfg(test)]
mod tests;
