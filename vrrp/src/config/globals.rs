//! `global_defs` of VRRP: the values themselves and the defaults of instances.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use config::{Class, Context, Line, address, number};

use super::builder::Builder;
use super::{FirewallSettings, Globals, InstanceDefaults, RxBufs};

/// The values while they are read.
#[derive(Default)]
pub(super) struct GlobalsDraft {
    pub settings: Globals,
    pub defaults: InstanceDefaults,
    iptables: bool,
    ipsets: bool,
}

impl GlobalsDraft {
    /// What can only be said once all of `global_defs` is known.
    pub fn finish(&mut self, ctx: &mut Context<'_>) {
        self.settings.defaults = self.defaults.clone();
        let table = &mut self.settings.firewall.table;
        if self.iptables && table.is_some() {
            ctx.log(None, "Both iptables and nftables have been specified - ignoring iptables");
        } else if self.iptables {
            ctx.log(None, "iptables not supported, using nftables instead");
            *table = Some(FirewallSettings::TABLE.to_owned());
        }
        if self.ipsets && !self.iptables {
            ctx.log(
                None,
                "vrrp_ipsets has been specified but not vrrp_iptables - vrrp_ipsets will be ignored",
            );
        }
    }
}

const U32: i64 = u32::MAX as i64;

/// Stores a value that was given and valid.
pub(super) fn set<T>(value: Option<T>, place: &mut T) {
    if let Some(value) = value {
        *place = value;
    }
}

/// A value the row limits to 32 bits.
pub(super) fn number32(value: Option<i64>) -> Option<u32> {
    value.and_then(|v| u32::try_from(v).ok())
}

/// A value the row limits to 8 bits.
pub(super) fn small(value: Option<i64>) -> Option<u8> {
    value.and_then(|v| u8::try_from(v).ok())
}

pub(super) fn at_least_one(line: &Line, ctx: &mut Context<'_>) -> Option<u32> {
    let value = number32(line.int(ctx))?;
    if value == 0 {
        let message = format!("{} must be greater than 0, setting to 1", line.name());
        ctx.report(Class::General, line.span, message);
    }
    Some(value.max(1))
}

pub(super) fn spacing(line: &Line, ctx: &mut Context<'_>) -> Option<Duration> {
    let interval = Duration::from_micros(line.decimal(ctx)?);
    warn_of_spacing(line, interval, ctx);
    Some(interval)
}

/// Says so when a spacing of gratuitous messages is of a size nobody means.
pub(super) fn warn_of_spacing(line: &Line, interval: Duration, ctx: &mut Context<'_>) {
    if interval >= Duration::from_secs(1) {
        let message =
            format!("The {} is very large - {} seconds", line.name(), interval.as_secs_f64());
        ctx.log(Some(line.span), message);
    }
}

pub(super) fn set_dynamic_interfaces(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.globals.settings.dynamic_interfaces = true;
    match line.first() {
        None => {}
        Some(word) if word.text == "allow_if_changes" => {
            b.globals.settings.allow_if_changes = true;
        }
        Some(word) => {
            let message = format!("Unknown dynamic_interfaces option '{}'", word.text);
            ctx.report(Class::General, word.span, message);
        }
    }
}

pub(super) fn set_mcast_group4(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    match word.text.parse::<Ipv4Addr>() {
        Ok(group) if group.is_multicast() => b.globals.settings.mcast_group4 = group,
        _ => {
            let message = format!("'{}' is not an IPv4 multicast address; ignored", word.text);
            ctx.report(Class::General, word.span, message);
        }
    }
}

pub(super) fn set_mcast_group6(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    match address::parse(&word.text) {
        Some(IpAddr::V6(group)) if group.is_multicast() => {
            if group.segments()[0] & 0xf != 2 {
                let message = format!("IPv6 group {group} is not of link-local scope");
                ctx.report(Class::Warning, word.span, message);
            }
            b.globals.settings.mcast_group6 = group;
        }
        _ => {
            let message = format!("'{}' is not an IPv6 multicast address; ignored", word.text);
            ctx.report(Class::General, word.span, message);
        }
    }
}

pub(super) fn set_min_garp(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if line.boolean(ctx) != Some(true) {
        return;
    }
    let fresh = GlobalsDraft::default();
    let g = &mut b.globals;
    let min = |value: &mut u32, default: u32, least: u32| {
        if *value == default {
            *value = least;
        }
    };
    min(&mut g.defaults.garp_repeat, fresh.defaults.garp_repeat, 1);
    min(&mut g.defaults.garp_refresh, fresh.defaults.garp_refresh, 0);
    min(&mut g.defaults.garp_refresh_repeat, fresh.defaults.garp_refresh_repeat, 0);
    min(&mut g.defaults.garp_delay, fresh.defaults.garp_delay, 0);
}

pub(super) fn set_extra_if(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    set(extra_if(line, ctx), &mut b.globals.defaults.garp_extra_if);
}

/// The instance's keyword.
pub(super) fn set_instance_extra_if(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.draft.garp_extra_if = extra_if(line, ctx).or(b.draft.garp_extra_if);
}

/// `[all] SECONDS` in any order, of the global keyword and of the instance's.
fn extra_if(line: &Line, ctx: &mut Context<'_>) -> Option<(u32, bool)> {
    let min = i64::from(line.name().starts_with("vrrp_"));
    let (mut all, mut seconds) = (false, None);
    for word in &line.words {
        if word.text == "all" {
            all = true;
            continue;
        }
        seconds = Some(number32(number::int(word, min, 86400, true, ctx, line.name()))?);
    }
    if seconds.is_none() {
        let message = format!("{} specified without time - ignoring", line.name());
        ctx.report(Class::General, line.span, message);
    }
    Some((seconds?, all))
}

pub(super) fn set_startup_delay(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(micros) = line.decimal(ctx) else { return };
    let delay = Duration::from_micros(micros);
    if delay >= Duration::from_secs(60) {
        let message =
            format!("The vrrp_startup_delay is very large - {} seconds", delay.as_secs_f64());
        ctx.log(Some(line.span), message);
    }
    let settings = &mut b.globals.settings;
    settings.startup_delay = settings.startup_delay.max(delay);
}

pub(super) fn set_delay_after_boot(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(micros) = line.decimal(ctx) else { return };
    let Some(uptime) = b.host.uptime() else {
        let message = "vrrp_delay_after_boot: the uptime cannot be read; ignored";
        ctx.report(Class::Warning, line.span, message);
        return;
    };
    let left = Duration::from_micros(micros).saturating_sub(uptime);
    let settings = &mut b.globals.settings;
    settings.boot_delay = settings.boot_delay.max(left);
}

pub(super) fn set_rx_bufs(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if line.word(ctx).is_none() {
        return;
    }
    let (mut mtu, mut advert, mut bytes) = (false, false, None);
    for word in &line.words {
        match word.text.to_ascii_uppercase().as_str() {
            "MTU" => mtu = true,
            "ADVERT" => advert = true,
            _ => {
                bytes = number32(number::int(word, 0, U32, false, ctx, line.name())).or(bytes);
            }
        }
    }
    if bytes.is_some() && (mtu || advert) {
        let message = "vrrp_rx_bufs_policy: a size excludes MTU and ADVERT; the size is used";
        ctx.report(Class::General, line.span, message);
    } else if mtu && advert {
        let message = "vrrp_rx_bufs_policy: MTU excludes ADVERT; MTU is used";
        ctx.report(Class::General, line.span, message);
    }
    b.globals.settings.rx_bufs = match bytes {
        Some(bytes) => RxBufs::Bytes(bytes),
        None if mtu => RxBufs::Mtu,
        None if advert => RxBufs::Advert,
        None => return,
    };
}

pub(super) fn set_rx_multiplier(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if line.words.len() > 1 {
        ctx.report(Class::General, line.span, "vrrp_rx_bufs_multiplier takes one number; ignored");
        return;
    }
    set(number32(line.int(ctx)), &mut b.globals.settings.rx_bufs_multiplier);
}

pub(super) fn directory(line: &Line, ctx: &mut Context<'_>) -> Option<String> {
    match line.words.as_slice() {
        [word] => Some(word.text.clone()),
        _ => {
            let message = format!("{} takes one directory; ignored", line.name());
            ctx.report(Class::General, line.span, message);
            None
        }
    }
}

/// For keywords of which the first line counts.
pub(super) fn once(place: &mut Option<String>, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    if place.is_some() {
        let message = format!("{} already specified - ignoring", line.name());
        ctx.report(Class::General, line.span, message);
        return;
    }
    *place = Some(word.text.clone());
}

pub(super) fn check_iptables(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let g = &mut b.globals;
    if g.iptables {
        ctx.report(Class::General, line.span, "vrrp_iptables already specified - ignoring");
        return;
    }
    g.iptables = names_fit(line, 2, 27, ctx);
    if let [a, b, ..] = line.words.as_slice()
        && a.text == b.text
    {
        g.iptables = false;
        ctx.log(Some(line.span), "vrrp_iptables: both chains have the same name - ignoring");
    }
}

pub(super) fn check_ipsets(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.globals.ipsets = !line.words.is_empty();
    if !names_fit(line, 6, 30, ctx) {
        return;
    }
    let distinct: std::collections::HashSet<&str> =
        line.words.iter().take(6).map(|w| w.text.as_str()).collect();
    if distinct.len() < line.words.len().min(6) {
        ctx.report(Class::General, line.span, "vrrp_ipsets: names must differ; defaults are used");
    }
}

pub(super) fn set_nftables(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let firewall = &mut b.globals.settings.firewall;
    if firewall.table.is_some() {
        ctx.report(Class::General, line.span, "nftables already specified - ignoring");
    } else if names_fit(line, 1, 254, ctx) {
        let name = line.first().map_or(FirewallSettings::TABLE, |word| word.text.as_str());
        firewall.table = Some(name.to_owned());
        // As the reference does: a priority counts after this line.
        firewall.priority = FirewallSettings::default().priority;
    }
}

fn names_fit(line: &Line, count: usize, max: usize, ctx: &mut Context<'_>) -> bool {
    for word in line.words.iter().take(count) {
        if word.text.is_empty() || word.text.len() > max {
            let message =
                format!("{}: name '{}' must have 1 to {max} bytes", line.name(), word.text);
            ctx.report(Class::General, word.span, message);
            return false;
        }
    }
    true
}
