//! What the keywords of `vrrp_instance` do to the draft.

use std::net::{IpAddr, Ipv4Addr};

use config::{Class, Context, Line, Span, Table, Word, address, number};

use super::builder::{Builder, Lookup};
use super::draft::HmacDraft;
use super::globals::{number32, set, small};
use super::{Family, Peer, UnicastChecksum, Version};

/// Applies the lines of the block behind `line`.
pub(super) fn apply_block(
    table: &'static Table<Builder>,
    b: &mut Builder,
    line: &Line,
    ctx: &mut Context<'_>,
) {
    for inner in line.lines() {
        table.apply(b, inner, ctx);
    }
}

impl Builder {
    /// Reports a general error about the instance being read.
    pub(super) fn complain(&self, span: Span, ctx: &mut Context<'_>, text: &str) {
        ctx.report(Class::General, span, format!("({}) {text}", self.draft.name));
    }

    /// The family of the instance, set by the first address that shows it; false when `family`
    /// contradicts what is known.
    pub(super) fn agree_on_family(&mut self, family: Family) -> bool {
        let draft = &mut self.draft;
        let known = *draft.family.get_or_insert(family);
        if known == Family::V6 {
            draft.version.get_or_insert(Version::V3);
        }
        known == family
    }
}

/// The family of an address.
pub(super) fn family_of(ip: &IpAddr) -> Family {
    if ip.is_ipv6() { Family::V6 } else { Family::V4 }
}

pub(super) fn set_interface(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let name = word.text.clone();
    if name.len() > 15 {
        let message = format!("Interface name '{name}' too long - ignoring");
        ctx.report(Class::General, word.span, message);
        return;
    }
    let what = |b: &Builder| format!("vrrp_instance {}", b.draft.name);
    match b.interface(word, what, ctx) {
        Lookup::Found(facts) if facts.loopback => {
            let text = format!("cannot use a loopback interface ({name}) for vrrp - ignoring");
            b.complain(word.span, ctx, &text);
        }
        Lookup::Found(facts) => {
            b.draft.interface = Some(name);
            b.draft.facts = Some(facts);
        }
        Lookup::Later | Lookup::Missing => {
            b.draft.interface = Some(name);
            b.draft.facts = None;
        }
    }
}

pub(super) fn set_vrid(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    match small(line.int(ctx)) {
        Some(vrid) => b.draft.vrid = Some(vrid),
        None => {
            let text = line.first().map_or("", |w| w.text.as_str());
            let text = format!("VRID '{text}' not valid - must be between 1 & 255");
            b.complain(line.span, ctx, &text);
        }
    }
}

pub(super) fn set_state(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let master = match word.text.as_str() {
        "MASTER" => true,
        "BACKUP" => false,
        other => {
            let text = format!("unknown state '{other}', defaulting to BACKUP");
            let near = config::suggest(other, ["MASTER", "BACKUP"]).map(config::did_you_mean);
            let message = format!("({}) {text}", b.draft.name);
            ctx.report_with_help(Class::General, word.span, message, near);
            false
        }
    };
    if !master && b.draft.state == Some(true) {
        b.complain(word.span, ctx, "state previously set as MASTER - ignoring BACKUP");
        return;
    }
    b.draft.state = Some(master);
}

pub(super) fn set_priority(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.draft.priority = small(line.int(ctx)).or_else(|| {
        let text = "Priority not valid! must be between 1 & 255. Using default 100";
        b.complain(line.span, ctx, text);
        Some(100)
    });
}

pub(super) fn set_version(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(number) = line.int(ctx) else { return };
    let version = if number == 3 { Version::V3 } else { Version::V2 };
    let known = match (b.draft.version, b.draft.family) {
        (Some(known), _) => Some(known),
        (None, Some(Family::V6)) => Some(Version::V3),
        _ => None,
    };
    if let Some(known) = known.filter(|known| *known != version) {
        let known = if known == Version::V3 { 3 } else { 2 };
        let text = format!(
            "vrrp_version {number} conflicts with configured or deduced version {known}; ignoring."
        );
        b.complain(line.span, ctx, &text);
        return;
    }
    b.draft.version = Some(version);
}

pub(super) fn set_native_ipv6(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if b.draft.family == Some(Family::V4) {
        b.complain(line.span, ctx, "Cannot specify native_ipv6 with IPv4 addresses");
        return;
    }
    b.draft.family = Some(Family::V6);
    b.draft.version = Some(Version::V3);
}

pub(super) fn set_advert_interval(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    match line.decimal(ctx) {
        Some(micros) => b.draft.advert_interval = Some(micros),
        None => {
            let text = line.first().map_or("", |w| w.text.as_str());
            let text = format!("Advert interval ({text}) not valid! Must be > 0 - ignoring");
            b.complain(line.span, ctx, &text);
        }
    }
}

pub(super) fn set_vrf(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let name = word.text.as_str();
    let problem = if name.len() > 15 {
        format!("VRF interface name '{name}' too long - ignoring")
    } else if b.draft.interface.is_some() {
        "Cannot specify VRF interface and interface - ignoring".to_owned()
    } else if b.draft.vrf.is_some() {
        format!("VRF interface already specified - ignoring {name}")
    } else {
        match b.host.interface(name) {
            None => format!("VRF interface {name} doesn't exist - ignoring"),
            Some(facts) if facts.loopback => {
                format!("cannot use a loopback interface ({name}) as VRF - ignoring")
            }
            Some(_) => {
                b.draft.vrf = Some(name.to_owned());
                return;
            }
        }
    };
    b.complain(word.span, ctx, &problem);
}

pub(super) fn set_unicast_peers(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.draft.wants_unicast = true;
    for entry in line.entries() {
        if let Some(peer) = unicast_peer(b, entry, ctx) {
            b.draft.peers.push(peer);
        }
    }
}

fn unicast_peer(b: &mut Builder, entry: &[Word], ctx: &mut Context<'_>) -> Option<Peer> {
    let (first, rest) = entry.split_first()?;
    let text = &first.text;
    let name = b.draft.name.clone();
    let Some(address) = address::parse_cut(text) else {
        let message = format!(
            "Configuration error: VRRP instance[{name}] malformed unicast peer address[{text}]. \
             Skipping..."
        );
        ctx.report(Class::General, first.span, message);
        return None;
    };
    if !b.agree_on_family(family_of(&address)) {
        let message = format!(
            "Configuration error: VRRP instance[{name}] and unicast peer address[{text}] MUST be \
             of the same family !!! Skipping..."
        );
        ctx.report(Class::General, first.span, message);
        return None;
    }
    let mut peer = Peer { address, min_ttl: 0, max_ttl: 255 };
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let place = match word.text.as_str() {
            "min_ttl" => &mut peer.min_ttl,
            "max_ttl" => &mut peer.max_ttl,
            other => {
                let text = format!("{text} - unknown unicast_peer option {other}");
                b.complain(word.span, ctx, &text);
                continue;
            }
        };
        let Some(value) = words.next() else {
            let text = format!("{text} - {} is missing a value", word.text);
            b.complain(word.span, ctx, &text);
            break;
        };
        if let Some(ttl) = number::int(value, 0, 255, false, ctx, &word.text) {
            *place = u8::try_from(ttl).unwrap_or(u8::MAX);
            b.draft.check_unicast_source = Some(true);
        }
    }
    if b.draft.peers.iter().any(|p| p.address == address) {
        b.complain(first.span, ctx, &format!("{text} - duplicate unicast_peer"));
        return None;
    }
    if peer.min_ttl > peer.max_ttl {
        let text = format!(
            "{text} - min_ttl {} > max_ttl {} - all packets will be discarded",
            peer.min_ttl, peer.max_ttl
        );
        b.complain(first.span, ctx, &text);
    }
    Some(peer)
}

/// `mcast_src_ip` and `unicast_src_ip`.
pub(super) fn set_source(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    if line.name() == "unicast_src_ip" {
        b.draft.wants_unicast = true;
    }
    let (name, text) = (b.draft.name.clone(), &word.text);
    match address::parse_cut(text) {
        None => {
            let message = format!(
                "Configuration error: VRRP instance[{name}] malformed src address[{text}]. \
                 Skipping..."
            );
            ctx.report(Class::General, word.span, message);
        }
        Some(ip) if !b.agree_on_family(family_of(&ip)) => {
            let message = format!(
                "Configuration error: VRRP instance[{name}] and src address[{text}] MUST be of the \
                 same family !!! Skipping..."
            );
            ctx.report(Class::General, word.span, message);
        }
        Some(ip) => b.draft.source = Some(ip),
    }
}

pub(super) fn set_unicast_ttl(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    match small(line.int(ctx)) {
        Some(ttl) => b.draft.unicast_ttl = Some(ttl),
        None => {
            let text = line.first().map_or("", |w| w.text.as_str());
            let text = format!("TTL '{text}' not valid - must be between 0 & 255");
            b.complain(line.span, ctx, &text);
        }
    }
}

pub(super) fn set_old_checksum(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.draft.wants_unicast = true;
    b.draft.unicast_checksum = match line.first() {
        None => UnicastChecksum::Old,
        Some(word) if word.text == "never" => UnicastChecksum::Never,
        Some(word) => {
            let text = format!("Unknown old_unicast_chksum mode {} - ignoring", word.text);
            b.complain(word.span, ctx, &text);
            return;
        }
    };
}

pub(super) fn set_group_address(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let text = &word.text;
    let problem = match address::parse(text) {
        None => format!("mcast_dst_ip {text} is not an IP address. Skipping..."),
        Some(IpAddr::V4(ip)) if !ip.is_multicast() => {
            format!("mcast_dst_ip {text} not multicast. Skipping...")
        }
        Some(IpAddr::V6(ip)) if ip.segments()[0] & 0xff0f != 0xff02 => {
            format!("mcast_dst_ip {text} not link-local multicast. Skipping...")
        }
        Some(ip) if !b.agree_on_family(family_of(&ip)) => {
            format!("mcast_dst_ip {text} must be of the instance's family. Skipping...")
        }
        Some(ip) => {
            b.draft.group_address = Some(ip);
            return;
        }
    };
    b.complain(word.span, ctx, &problem);
}

pub(super) fn set_timer_expired(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if line.first().is_none() {
        b.draft.timer_expired_backup = Some(254);
        return;
    }
    match small(line.int(ctx)) {
        Some(priority) => b.draft.timer_expired_backup = Some(priority),
        None => {
            let text = "timer_expired_backup highest_other_priority not valid! must be between 1 \
                        & 254";
            b.complain(line.span, ctx, text);
        }
    }
}

/// A count of messages: 0 is raised to 1.
pub(super) fn repeat(b: &Builder, line: &Line, ctx: &mut Context<'_>) -> Option<u32> {
    let count = number32(line.int(ctx))?;
    if count == 0 {
        let text = format!("{} must be greater than 0, setting to 1", line.name());
        b.complain(line.span, ctx, &text);
    }
    Some(count.max(1))
}

pub(super) fn set_hmac(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.draft.hmac.get_or_insert_with(HmacDraft::default);
    apply_block(&super::auth::HMAC, b, line, ctx);
}

pub(super) fn set_kernel_rx_buf_size(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if line.words.len() == 1 {
        set(number32(line.int(ctx)), &mut b.draft.kernel_rx_buf_size);
    } else {
        b.complain(line.span, ctx, "invalid kernel_rx_buf_size specified");
    }
}

/// The broadcast address of a prefix: host bits all ones, or all zeros.
pub(super) fn broadcast(ip: Ipv4Addr, prefix: u8, ones: bool) -> Ipv4Addr {
    let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    let bits = u32::from(ip);
    Ipv4Addr::from(if ones { bits | host } else { bits & !host })
}
