//! Interfaces that stand on another one: macvlan and ipvlan, made, changed and deleted.

use libc::{
    IFF_UP, IFLA_ADDRESS, IFLA_AF_SPEC, IFLA_GROUP, IFLA_IFNAME, IFLA_INFO_DATA, IFLA_INFO_KIND,
    IFLA_LINK, IFLA_LINKINFO, RTM_DELLINK, RTM_NEWLINK,
};

use crate::codec::{Attribute, TooLong, Writer};

/// `IFLA_MACVLAN_MODE` of linux/if_link.h.
const MACVLAN_MODE: u16 = 1;
/// `IFLA_IPVLAN_MODE` and `IFLA_IPVLAN_FLAGS`.
const IPVLAN_MODE: u16 = 1;
const IPVLAN_FLAGS: u16 = 2;
/// `IFLA_INET6_ADDR_GEN_MODE`, and its value for none.
const ADDR_GEN_MODE: u16 = 8;
const ADDR_GEN_MODE_NONE: u8 = 1;

/// What kind of interface stands on its parent, with the kernel's numbers (linux/if_link.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sublink {
    /// With a MAC address of its own; `MACVLAN_MODE_*`.
    Macvlan(u32),
    /// With its parent's MAC address.
    Ipvlan {
        /// `IPVLAN_MODE_*`.
        mode: u16,
        /// `IPVLAN_F_*`.
        flags: u16,
    },
}

impl Sublink {
    /// A macvlan in private mode: it does not talk to others on the same parent.
    pub const PRIVATE_MACVLAN: Sublink = Sublink::Macvlan(1);

    fn kind(self) -> &'static str {
        match self {
            Sublink::Macvlan(_) => "macvlan",
            Sublink::Ipvlan { .. } => "ipvlan",
        }
    }

    /// Its mode in words: `private`, `vepa`, `bridge`, …; an ipvlan's with the layer it works on before it.
    pub fn mode(self) -> &'static str {
        match self {
            Sublink::Macvlan(1) => "private",
            Sublink::Macvlan(2) => "vepa",
            Sublink::Macvlan(4) => "bridge",
            Sublink::Macvlan(8) => "passthru",
            Sublink::Macvlan(16) => "source",
            Sublink::Ipvlan { mode: 0, flags: 0 } => "L2 bridge",
            Sublink::Ipvlan { mode: 0, flags: 1 } => "L2 private",
            Sublink::Ipvlan { mode: 0, flags: 2 } => "L2 vepa",
            Sublink::Ipvlan { mode: 1, .. } => "L3",
            Sublink::Ipvlan { mode: 2, .. } => "L3S",
            _ => "unknown",
        }
    }

    /// Reads `IFLA_LINKINFO`; `None` for other kinds.
    pub(crate) fn decode(info: &Attribute<'_>) -> Option<Sublink> {
        let kind = info.nested().find_kind(IFLA_INFO_KIND)?.text();
        let data = info.nested().find_kind(IFLA_INFO_DATA)?;
        let of = |kind| data.nested().find_kind(kind);
        match kind.as_str() {
            "macvlan" => Some(Sublink::Macvlan(of(MACVLAN_MODE)?.u32()?)),
            "ipvlan" => {
                // Kernels before 4.15 have no flags: all of theirs are bridges.
                let flags = of(IPVLAN_FLAGS).and_then(|a| a.u16()).unwrap_or(0);
                Some(Sublink::Ipvlan { mode: of(IPVLAN_MODE)?.u16()?, flags })
            }
            _ => None,
        }
    }

    fn write(self, w: &mut Writer) {
        w.nest(IFLA_LINKINFO, |w| {
            w.text(IFLA_INFO_KIND, self.kind());
            w.nest(IFLA_INFO_DATA, |w| match self {
                Sublink::Macvlan(mode) => w.u32(MACVLAN_MODE, mode),
                Sublink::Ipvlan { mode, flags } => {
                    w.attribute(IPVLAN_MODE, &mode.to_ne_bytes());
                    w.attribute(IPVLAN_FLAGS, &flags.to_ne_bytes());
                }
            });
        });
    }
}

/// A macvlan or ipvlan to be made. It is down at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SublinkRequest<'a> {
    /// Its name, at most 15 bytes.
    pub name: &'a str,
    /// Index of the interface it stands on.
    pub parent: u32,
    /// What it is.
    pub sublink: Sublink,
    /// Its MAC address; a macvlan's is made up by the kernel without, an ipvlan has its parent's.
    pub mac: Option<[u8; 6]>,
    /// Interface group.
    pub group: u32,
}

impl SublinkRequest<'_> {
    /// Appends the request that makes it. One of this name that is there is left as it is.
    pub(crate) fn write_add(&self, writer: &mut Writer) -> Result<(), TooLong> {
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        writer.message(RTM_NEWLINK, flags, 0, |w| {
            write_header(w, 0, false);
            w.text(IFLA_IFNAME, self.name);
            w.u32(IFLA_LINK, self.parent);
            if let Some(mac) = self.mac {
                w.attribute(IFLA_ADDRESS, &mac);
            }
            if self.group != 0 {
                w.u32(IFLA_GROUP, self.group);
            }
            self.sublink.write(w);
        })
    }
}

/// `struct ifinfomsg`.
fn write_header(w: &mut Writer, index: u32, up: bool) {
    let flags = if up { IFF_UP.unsigned_abs() } else { 0 };
    w.raw(&[0; 4]);
    for word in [index, flags, flags] {
        w.raw(&word.to_ne_bytes());
    }
}

const CHANGE: u16 = libc::NLM_F_REQUEST as u16;

/// Appends a request that sets the interface called `name` up.
pub(crate) fn write_up(writer: &mut Writer, name: &str) -> Result<(), TooLong> {
    writer.message(RTM_NEWLINK, CHANGE, 0, |w| {
        write_header(w, 0, true);
        w.text(IFLA_IFNAME, name);
    })
}

/// Appends a request after which the kernel gives the interface no link-local address of its own.
pub(crate) fn write_no_link_local(writer: &mut Writer, name: &str) -> Result<(), TooLong> {
    writer.message(RTM_NEWLINK, CHANGE, 0, |w| {
        write_header(w, 0, false);
        w.text(IFLA_IFNAME, name);
        w.nest(IFLA_AF_SPEC, |w| {
            w.nest(libc::AF_INET6 as u16, |w| w.u8(ADDR_GEN_MODE, ADDR_GEN_MODE_NONE));
        });
    })
}

/// Appends a request that moves an interface to a group.
pub(crate) fn write_group(writer: &mut Writer, index: u32, group: u32) -> Result<(), TooLong> {
    writer.message(RTM_NEWLINK, CHANGE, 0, |w| {
        write_header(w, index, false);
        w.u32(IFLA_GROUP, group);
    })
}

/// Appends a request that deletes all interfaces of a group.
pub(crate) fn write_delete_group(writer: &mut Writer, group: u32) -> Result<(), TooLong> {
    writer.message(RTM_DELLINK, CHANGE, 0, |w| {
        write_header(w, 0, false);
        w.u32(IFLA_GROUP, group);
    })
}

#[cfg(test)]
mod tests;
