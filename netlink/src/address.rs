//! IP addresses of interfaces: as the kernel has them, and as somebody wants them.

use std::net::{IpAddr, Ipv4Addr};

use libc::{
    IFA_ADDRESS, IFA_BROADCAST, IFA_CACHEINFO, IFA_FLAGS, IFA_LABEL, IFA_LOCAL, RTM_DELADDR,
    RTM_GETADDR, RTM_NEWADDR,
};

use crate::codec::{Attributes, TooLong, Writer, u32_at};

/// `struct ifaddrmsg` in bytes.
const HEADER: usize = 8;
/// `IFA_PROTO` of linux/if_addr.h (Linux 5.18).
const IFA_PROTO: u16 = 11;
/// `IFA_F_MCAUTOJOIN` of linux/if_addr.h.
const IFA_F_MCAUTOJOIN: u32 = 0x400;
/// A lifetime that never ends.
const FOREVER: u32 = u32::MAX;

/// The address protocol that marks addresses as this daemon's (shown as `proto keepalived`).
pub const PROTOCOL_KEEPALIVED: u8 = 0x12;

/// An address the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of its interface.
    pub index: u32,
    /// The address itself.
    pub ip: IpAddr,
    /// Prefix length; of the peer's network when there is a peer.
    pub prefix: u8,
    /// The other end of a point-to-point address.
    pub peer: Option<IpAddr>,
    /// Broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// `RT_SCOPE_*`.
    pub scope: u8,
    /// IPv4 label; the interface's name unless something else was asked for.
    pub label: Option<String>,
    /// `IFA_F_*`.
    pub flags: u32,
    /// Who set it: `IFAPROT_*` or [`PROTOCOL_KEEPALIVED`]; 0 if unknown.
    pub protocol: u8,
    /// Preferred lifetime in seconds; `u32::MAX` is forever.
    pub preferred_lft: u32,
    /// Valid lifetime in seconds; `u32::MAX` is forever.
    pub valid_lft: u32,
}

impl Address {
    /// Duplicate address detection has not finished, or has failed: not usable as a source.
    pub fn is_tentative(&self) -> bool {
        self.flags & (libc::IFA_F_TENTATIVE | libc::IFA_F_DADFAILED) != 0
    }

    /// Reads the payload of an `RTM_NEWADDR` or `RTM_DELADDR`; `None` when it has no complete
    /// header, no address, or is of another family than IPv4 and IPv6.
    pub fn decode(payload: &[u8]) -> Option<Address> {
        let &[family, prefix, flags, scope, ..] = payload.get(..HEADER)? else { return None };
        let (mut address, mut local, mut broadcast) = (None, None, None);
        let mut found = Address {
            index: u32_at(payload, 4)?,
            ip: Ipv4Addr::UNSPECIFIED.into(),
            prefix,
            peer: None,
            broadcast: None,
            scope,
            label: None,
            flags: flags.into(),
            protocol: 0,
            preferred_lft: FOREVER,
            valid_lft: FOREVER,
        };
        for attribute in Attributes::after(payload, HEADER) {
            match attribute.kind {
                IFA_ADDRESS => address = attribute.ip(family),
                IFA_LOCAL => local = attribute.ip(family),
                IFA_BROADCAST => broadcast = attribute.ip(family),
                IFA_LABEL => found.label = Some(attribute.text()),
                IFA_FLAGS => found.flags = attribute.u32().unwrap_or(found.flags),
                IFA_PROTO => found.protocol = attribute.u8().unwrap_or(0),
                IFA_CACHEINFO => {
                    found.preferred_lft = u32_at(attribute.value, 0).unwrap_or(FOREVER);
                    found.valid_lft = u32_at(attribute.value, 4).unwrap_or(FOREVER);
                }
                _ => {}
            }
        }
        // IPv4 always has both, equal without a peer; IPv6 has the local one only beside a peer.
        found.ip = local.or(address)?;
        found.peer = address.filter(|&a| a != found.ip);
        if let Some(IpAddr::V4(ip)) = broadcast {
            found.broadcast = Some(ip);
        }
        Some(found)
    }
}

/// An address somebody wants on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRequest {
    /// Index of the interface.
    pub index: u32,
    /// The address itself.
    pub ip: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// The other end of a point-to-point address; of the same family as `ip`.
    pub peer: Option<IpAddr>,
    /// Broadcast address; IPv4 only.
    pub broadcast: Option<Ipv4Addr>,
    /// Label; IPv4 only, at most 15 bytes.
    pub label: Option<String>,
    /// `RT_SCOPE_*`; IPv4 only, the kernel derives it for IPv6.
    pub scope: u8,
    /// Leave duplicate address detection on; IPv6 only.
    pub dad: bool,
    /// `home`; IPv6 only.
    pub home: bool,
    /// `mngtmpaddr`; IPv6 only.
    pub mngtmpaddr: bool,
    /// `noprefixroute`.
    pub noprefixroute: bool,
    /// `autojoin`.
    pub autojoin: bool,
    /// Preferred lifetime in seconds, 0 for a deprecated address; `None` is forever. IPv6 only.
    pub preferred_lft: Option<u32>,
}

impl AddressRequest {
    /// A plain address: global scope, no options.
    pub fn new(index: u32, ip: IpAddr, prefix: u8) -> Self {
        AddressRequest {
            index,
            ip,
            prefix,
            peer: None,
            broadcast: None,
            label: None,
            scope: libc::RT_SCOPE_UNIVERSE,
            dad: false,
            home: false,
            mngtmpaddr: false,
            noprefixroute: false,
            autojoin: false,
            preferred_lft: None,
        }
    }

    /// The request that removes `address` exactly.
    pub fn of(address: &Address) -> Self {
        AddressRequest {
            peer: address.peer,
            broadcast: address.broadcast,
            label: address.label.clone(),
            scope: address.scope,
            ..AddressRequest::new(address.index, address.ip, address.prefix)
        }
    }

    /// The peer, unless it is the address itself.
    pub(crate) fn other_end(&self) -> Option<IpAddr> {
        self.peer.filter(|&peer| peer != self.ip)
    }

    /// `IFA_F_*` this request asks for.
    pub(crate) fn flags(&self) -> u32 {
        let v6 = self.ip.is_ipv6();
        let mut flags = 0;
        for (wanted, flag) in [
            (v6 && !self.dad, libc::IFA_F_NODAD),
            (v6 && self.home, libc::IFA_F_HOMEADDRESS),
            (v6 && self.mngtmpaddr, libc::IFA_F_MANAGETEMPADDR),
            (self.noprefixroute, libc::IFA_F_NOPREFIXROUTE),
            (self.autojoin, IFA_F_MCAUTOJOIN),
        ] {
            if wanted {
                flags |= flag;
            }
        }
        flags
    }

    /// Appends the request that adds this address, or updates it if it is there.
    ///
    /// `NLM_F_REPLACE` is what makes the kernel update; without it a second add of the same
    /// address is refused with `EEXIST`, in IPv4 and IPv6 alike.
    pub(crate) fn write_add(&self, writer: &mut Writer) -> Result<(), TooLong> {
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
        writer.message(RTM_NEWADDR, flags, 0, |w| {
            self.write_identity(w);
            let wanted = self.flags();
            if wanted != 0 {
                w.u32(IFA_FLAGS, wanted);
            }
            w.u8(IFA_PROTO, PROTOCOL_KEEPALIVED);
            if self.ip.is_ipv4() {
                if let Some(broadcast) = self.broadcast {
                    w.ip(IFA_BROADCAST, broadcast.into());
                }
                if let Some(label) = &self.label {
                    w.text(IFA_LABEL, label);
                }
            } else if let Some(preferred) = self.preferred_lft {
                let mut lifetimes = [0; 16];
                lifetimes[..4].copy_from_slice(&preferred.to_ne_bytes());
                lifetimes[4..8].copy_from_slice(&FOREVER.to_ne_bytes());
                w.attribute(IFA_CACHEINFO, &lifetimes);
            }
        })
    }

    /// Appends the request that removes this address.
    pub(crate) fn write_delete(&self, writer: &mut Writer) -> Result<(), TooLong> {
        let flags = libc::NLM_F_REQUEST as u16;
        writer.message(RTM_DELADDR, flags, 0, |w| self.write_identity(w))
    }

    /// The fixed header and the attributes by which the kernel tells addresses apart.
    fn write_identity(&self, w: &mut Writer) {
        let (family, scope) = match self.ip {
            IpAddr::V4(_) => (libc::AF_INET as u8, self.scope),
            IpAddr::V6(_) => (libc::AF_INET6 as u8, 0),
        };
        w.raw(&[family, self.prefix, 0, scope]);
        w.raw(&self.index.to_ne_bytes());
        w.ip(IFA_LOCAL, self.ip);
        w.ip(IFA_ADDRESS, self.other_end().unwrap_or(self.ip));
    }
}

/// Appends a request for all addresses of both families.
pub(crate) fn write_dump(writer: &mut Writer, seq: u32) -> Result<(), TooLong> {
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    writer.message(RTM_GETADDR, flags, seq, |w| w.raw(&[0; HEADER]))
}

#[cfg(test)]
mod tests;
