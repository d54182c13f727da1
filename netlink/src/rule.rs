//! Routing rules somebody wants (`struct fib_rule_hdr` and its attributes, linux/fib_rules.h).

use crate::codec::{Attributes, TooLong, Writer};
use crate::route::{Prefix, ROUTE_PROTOCOL_KEEPALIVED};

/// Attributes of rules (`FRA_*`).
mod attribute {
    pub const DST: u16 = 1;
    pub const SRC: u16 = 2;
    pub const IIFNAME: u16 = 3;
    pub const GOTO: u16 = 4;
    pub const PRIORITY: u16 = 6;
    pub const FWMARK: u16 = 10;
    pub const FLOW: u16 = 11;
    pub const TUN_ID: u16 = 12;
    pub const SUPPRESS_IFGROUP: u16 = 13;
    pub const SUPPRESS_PREFIXLEN: u16 = 14;
    pub const TABLE: u16 = 15;
    pub const FWMASK: u16 = 16;
    pub const OIFNAME: u16 = 17;
    pub const L3MDEV: u16 = 19;
    pub const UID_RANGE: u16 = 20;
    pub const PROTOCOL: u16 = 21;
    pub const IP_PROTO: u16 = 22;
    pub const SPORT_RANGE: u16 = 23;
    pub const DPORT_RANGE: u16 = 24;
}

/// `struct fib_rule_hdr` in bytes.
const HEADER: usize = 12;
/// `FIB_RULE_INVERT`.
const INVERT: u32 = 2;

/// What a rule does with a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RuleAction {
    /// Looks it up in this table; not 0.
    Table(u32),
    /// Goes on with the rule of this preference.
    Goto(u32),
    /// Nothing.
    #[default]
    Nop,
    /// Drops it.
    Blackhole,
    /// Answers that the network is unreachable.
    Unreachable,
    /// Answers that it is prohibited.
    Prohibit,
    /// Looks it up in the table of its interface's VRF.
    L3mdev,
}

impl RuleAction {
    /// `FR_ACT_*`.
    fn number(self) -> u8 {
        match self {
            RuleAction::Table(_) | RuleAction::L3mdev => 1,
            RuleAction::Goto(_) => 2,
            RuleAction::Nop => 3,
            RuleAction::Blackhole => 6,
            RuleAction::Unreachable => 7,
            RuleAction::Prohibit => 8,
        }
    }
}

/// A routing rule somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Of IPv6.
    pub v6: bool,
    /// For what does not match.
    pub invert: bool,
    /// Source; `None` is all.
    pub from: Option<Prefix>,
    /// Destination; `None` is all.
    pub to: Option<Prefix>,
    /// The lowest is asked first.
    pub preference: u32,
    /// Type of service.
    pub tos: u8,
    /// Mark of the packet.
    pub mark: Option<u32>,
    /// The bits of the mark that count.
    pub mask: Option<u32>,
    /// Name of the interface it came in on.
    pub input: Option<String>,
    /// Name of the interface its socket is bound to.
    pub output: Option<String>,
    /// Realms: that of the source in the upper 16 bits, that of the destination in the lower.
    pub realms: Option<u32>,
    /// Routes with a prefix of at most this length do not count.
    pub suppress_length: Option<u32>,
    /// Routes over interfaces of this group do not count.
    pub suppress_group: Option<u32>,
    /// Key of the tunnel it came through.
    pub tunnel: Option<u64>,
    /// Users whose sockets it is for, first and last.
    pub users: Option<(u32, u32)>,
    /// `RTPROT_*`.
    pub protocol: Option<u8>,
    /// Protocol above IP.
    pub transport: Option<u8>,
    /// Source ports, first and last.
    pub source_ports: Option<(u16, u16)>,
    /// Destination ports, first and last.
    pub destination_ports: Option<(u16, u16)>,
    /// What is done.
    pub action: RuleAction,
}

impl Rule {
    /// Appends the request that adds it. One that is there already is left alone.
    pub(crate) fn write_add(&self, writer: &mut Writer) -> Result<(), TooLong> {
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        writer.message(libc::RTM_NEWRULE, flags, 0, |w| self.write(w))
    }

    /// Appends the request that deletes it.
    pub(crate) fn write_delete(&self, writer: &mut Writer) -> Result<(), TooLong> {
        writer.message(libc::RTM_DELRULE, libc::NLM_F_REQUEST as u16, 0, |w| self.write(w))
    }

    fn write(&self, w: &mut Writer) {
        let family = if self.v6 { libc::AF_INET6 } else { libc::AF_INET } as u8;
        let length = |prefix: Option<Prefix>| prefix.map_or(0, |(_, length)| length);
        let table = match self.action {
            RuleAction::Table(table) => table,
            _ => 0,
        };
        let small = u8::try_from(table).unwrap_or(libc::RT_TABLE_UNSPEC);
        let (to, from) = (length(self.to), length(self.from));
        w.raw(&[family, to, from, self.tos, small, 0, 0, self.action.number()]);
        w.raw(&(if self.invert { INVERT } else { 0 }).to_ne_bytes());
        for (kind, prefix) in [(attribute::DST, self.to), (attribute::SRC, self.from)] {
            // Of length 0 it is all, which has no address.
            if let Some((ip, 1..)) = prefix {
                w.ip(kind, ip);
            }
        }
        w.u32(attribute::PRIORITY, self.preference);
        for (kind, name) in [(attribute::IIFNAME, &self.input), (attribute::OIFNAME, &self.output)]
        {
            if let Some(name) = name {
                w.text(kind, name);
            }
        }
        match self.action {
            RuleAction::Table(table) => w.u32(attribute::TABLE, table),
            RuleAction::Goto(target) => w.u32(attribute::GOTO, target),
            RuleAction::L3mdev => w.u8(attribute::L3MDEV, 1),
            _ => {}
        }
        let numbers = [
            (attribute::FWMARK, self.mark),
            (attribute::FWMASK, self.mask),
            (attribute::FLOW, self.realms),
            (attribute::SUPPRESS_PREFIXLEN, self.suppress_length),
            (attribute::SUPPRESS_IFGROUP, self.suppress_group),
        ];
        for (kind, number) in numbers {
            if let Some(number) = number {
                w.u32(kind, number);
            }
        }
        for (kind, number) in
            [(attribute::PROTOCOL, self.protocol), (attribute::IP_PROTO, self.transport)]
        {
            if let Some(number) = number {
                w.u8(kind, number);
            }
        }
        if let Some(key) = self.tunnel {
            w.attribute(attribute::TUN_ID, &key.to_be_bytes());
        }
        if let Some((first, last)) = self.users {
            w.attribute(attribute::UID_RANGE, &pair(first.to_ne_bytes(), last.to_ne_bytes()));
        }
        for (kind, ports) in [
            (attribute::SPORT_RANGE, self.source_ports),
            (attribute::DPORT_RANGE, self.destination_ports),
        ] {
            if let Some((first, last)) = ports {
                w.attribute(kind, &pair(first.to_ne_bytes(), last.to_ne_bytes()));
            }
        }
    }
}

/// Whether the payload of an `RTM_NEWRULE` or `RTM_DELRULE` is of a rule of this daemon.
pub(crate) fn is_ours(payload: &[u8]) -> bool {
    let mut attributes = Attributes::after(payload, HEADER);
    attributes.any(|a| a.kind == attribute::PROTOCOL && a.u8() == Some(ROUTE_PROTOCOL_KEEPALIVED))
}

fn pair<const N: usize>(first: [u8; N], last: [u8; N]) -> Vec<u8> {
    [first, last].concat()
}

#[cfg(test)]
mod tests;
