//! `global_defs` of VRRP: the values themselves and the defaults of instances.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use config::{Args, Class, Context, Keyword, Line, Row, Table, address, check, number};

use super::builder::Builder;
use super::{Globals, RxBufs, Version};

/// The values while they are read; what is an instance's default is not in [`Globals`].
pub(super) struct GlobalsDraft {
    pub settings: Globals,
    pub version: Version,
    pub garp_delay: u32,
    pub garp_repeat: u32,
    pub garp_refresh: u32,
    pub garp_refresh_repeat: u32,
    pub lower_prio_delay: Option<u32>,
    pub lower_prio_repeat: Option<u32>,
    pub down_timer_adverts: u8,
    pub lower_prio_no_advert: bool,
    pub higher_prio_send_advert: bool,
    pub owner_ignore_adverts: bool,
    pub check_unicast_source: bool,
    pub skip_check_adv_addr: bool,
    pub strict: bool,
    pub v3_checksum_as_v2: bool,
    pub notify_priority_changes: bool,
    pub iproute_usr_dir: String,
    pub iproute_etc_dir: String,
    iptables: bool,
    ipsets: bool,
    nftables: bool,
    vmac_prefix: bool,
    vmac_addr_prefix: bool,
}

impl Default for GlobalsDraft {
    fn default() -> Self {
        GlobalsDraft {
            settings: Globals::default(),
            version: Version::V2,
            garp_delay: 5,
            garp_repeat: 5,
            garp_refresh: 0,
            garp_refresh_repeat: 1,
            lower_prio_delay: None,
            lower_prio_repeat: None,
            down_timer_adverts: 3,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            check_unicast_source: false,
            skip_check_adv_addr: false,
            strict: false,
            v3_checksum_as_v2: false,
            notify_priority_changes: false,
            iproute_usr_dir: "/usr/share/iproute2".into(),
            iproute_etc_dir: "/etc/iproute2".into(),
            iptables: false,
            ipsets: false,
            nftables: false,
            vmac_prefix: false,
            vmac_addr_prefix: false,
        }
    }
}

impl GlobalsDraft {
    /// What can only be said once all of `global_defs` is known.
    pub fn finish(&mut self, ctx: &mut Context<'_>) {
        if self.iptables && self.nftables {
            ctx.log(None, "Both iptables and nftables have been specified - ignoring iptables");
        }
        if self.ipsets && !self.iptables {
            ctx.log(
                None,
                "vrrp_ipsets has been specified but not vrrp_iptables - vrrp_ipsets will be ignored",
            );
        }
    }
}

/// Longest second and microsecond counts the reference accepts in its timers.
const MAX_SECONDS: i64 = 4294;
const MAX_MICROS: u64 = 4_294_967_295;
const U32: i64 = u32::MAX as i64;

const SECONDS: Args = Args::lenient(0, MAX_SECONDS);
const COUNT: Args = Args::lenient(0, U32);
const BUFFER: Args = Args::int(0, U32);
const DELAY: Args = Args::timer(1000, MAX_MICROS);
const SPACING: Args = Args::timer(1, MAX_MICROS);

type B = Row<Builder>;

/// `global_defs` keywords of VRRP.
pub static GLOBALS: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("router_id", Args::Word { max: 0 }, "name of this director in mails and SNMP")
            .expected()
            .or("the host's name"),
        |b, l, c| set(l.word(c).map(|w| w.text.clone()), &mut b.globals.settings.router_id),
    ),
    B::new(
        Keyword::new("json_version", Args::lenient(1, 2), "layout of the JSON dump")
            .expected()
            .or("1"),
        |b, l, c| set(small(l.int(c)), &mut b.globals.settings.json_version),
    ),
    B::new(
        Keyword::new(
            "dynamic_interfaces",
            Args::Free("[allow_if_changes]"),
            "interfaces in the configuration need not exist yet",
        ),
        set_dynamic_interfaces,
    ),
    B::new(
        Keyword::new(
            "default_interface",
            Args::Word { max: 15 },
            "interface of static addresses without dev",
        )
        .expected()
        .or("eth0"),
        |b, l, c| {
            set(l.word(c).map(|w| w.text.clone()), &mut b.globals.settings.default_interface);
        },
    ),
    B::new(
        Keyword::new(
            "disable_local_igmp",
            Args::Flag,
            "do not report membership of link-local groups",
        ),
        |b, _, _| b.globals.settings.disable_local_igmp = true,
    ),
    B::new(
        Keyword::new(
            "v3_checksum_as_v2",
            Args::Flag,
            "version 3 IPv4 checksums omit the pseudo-header",
        ),
        |b, _, _| b.globals.v3_checksum_as_v2 = true,
    ),
    B::new(
        Keyword::new("vrrp_mcast_group4", Args::Free("ADDRESS"), "IPv4 group of adverts")
            .required()
            .or("224.0.0.18"),
        set_mcast_group4,
    ),
    B::new(
        Keyword::new("vrrp_mcast_group6", Args::Free("ADDRESS"), "IPv6 group of adverts")
            .required()
            .or("ff02::12"),
        set_mcast_group6,
    ),
    B::new(
        Keyword::new(
            "vrrp_garp_master_delay",
            SECONDS,
            "delay of the second burst after becoming MASTER; 0: none",
        )
        .required()
        .or("5")
        .unit("s"),
        |b, l, c| set(number32(l.int(c)), &mut b.globals.garp_delay),
    ),
    B::new(
        Keyword::new("vrrp_garp_master_repeat", COUNT, "messages per address in a burst")
            .required()
            .or("5"),
        |b, l, c| set(at_least_one(l, c), &mut b.globals.garp_repeat),
    ),
    B::new(
        Keyword::new(
            "vrrp_garp_master_refresh",
            COUNT,
            "period of the refresh while MASTER; 0: none",
        )
        .required()
        .or("0")
        .unit("s"),
        |b, l, c| b.globals.garp_refresh = number32(l.int(c)).unwrap_or(0),
    ),
    B::new(
        Keyword::new("vrrp_garp_master_refresh_repeat", COUNT, "messages per address in a refresh")
            .required()
            .or("1"),
        |b, l, c| set(at_least_one(l, c), &mut b.globals.garp_refresh_repeat),
    ),
    B::new(
        Keyword::new(
            "vrrp_garp_lower_prio_delay",
            SECONDS,
            "delay of the extra burst after an advert of lower priority",
        )
        .required()
        .or("vrrp_garp_master_delay")
        .unit("s"),
        |b, l, c| b.globals.lower_prio_delay = number32(l.int(c)).or(b.globals.lower_prio_delay),
    ),
    B::new(
        Keyword::new(
            "vrrp_garp_lower_prio_repeat",
            Args::lenient(0, i32::MAX as i64),
            "messages per address after an advert of lower priority; 0: none",
        )
        .required()
        .or("vrrp_garp_master_repeat"),
        |b, l, c| b.globals.lower_prio_repeat = number32(l.int(c)).or(b.globals.lower_prio_repeat),
    ),
    B::new(
        Keyword::new(
            "vrrp_down_timer_adverts",
            Args::lenient(1, 100),
            "adverts missed before the master counts as down",
        )
        .required()
        .or("3"),
        |b, l, c| set(small(l.int(c)), &mut b.globals.down_timer_adverts),
    ),
    B::new(
        Keyword::new(
            "vrrp_garp_interval",
            SPACING,
            "smallest distance of gratuitous ARPs on an interface",
        )
        .required()
        .or("0")
        .unit("s"),
        |b, l, c| set(spacing(l, c), &mut b.globals.settings.garp_interval),
    ),
    B::new(
        Keyword::new(
            "vrrp_gna_interval",
            SPACING,
            "smallest distance of unsolicited neighbour adverts on an interface",
        )
        .required()
        .or("0")
        .unit("s"),
        |b, l, c| set(spacing(l, c), &mut b.globals.settings.gna_interval),
    ),
    B::new(
        Keyword::new(
            "vrrp_min_garp",
            Args::Bool,
            "one message per address; only for values still at their default",
        )
        .or("false"),
        set_min_garp,
    ),
    B::new(
        Keyword::new(
            "vrrp_garp_extra_if",
            Args::Free("[all] SECONDS"),
            "period of gratuitous ARP on further interfaces with addresses",
        )
        .or("off")
        .unit("s")
        .not_yet(),
        check_extra_if,
    ),
    B::new(
        Keyword::new(
            "vrrp_vmac_garp_intvl",
            Args::Free("[all] SECONDS"),
            "old name of vrrp_garp_extra_if",
        )
        .alias("vrrp_garp_extra_if", true)
        .unit("s"),
        check_extra_if,
    ),
    B::new(
        Keyword::new(
            "vrrp_lower_prio_no_advert",
            Args::Bool,
            "do not answer an advert of lower priority",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.lower_prio_no_advert),
    ),
    B::new(
        Keyword::new(
            "vrrp_higher_prio_send_advert",
            Args::Bool,
            "send one advert before yielding to a higher priority",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.higher_prio_send_advert),
    ),
    B::new(
        Keyword::new(
            "vrrp_version",
            Args::lenient(2, 3),
            "version of IPv4 instances that name none",
        )
        .required()
        .or("2"),
        |b, l, c| {
            let version = l.int(c).map(|v| if v == 3 { Version::V3 } else { Version::V2 });
            set(version, &mut b.globals.version);
        },
    ),
    B::new(
        Keyword::new(
            "vrrp_check_unicast_src",
            Args::Flag,
            "unicast adverts must come from a configured peer",
        ),
        |b, _, _| b.globals.check_unicast_source = true,
    ),
    B::new(
        Keyword::new(
            "vrrp_skip_check_adv_addr",
            Args::Bool,
            "do not compare the address list of the known master's adverts",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.skip_check_adv_addr),
    ),
    B::new(
        Keyword::new("vrrp_strict", Args::Bool, "default of strict_mode").or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.strict),
    ),
    B::new(
        Keyword::new(
            "vrrp_notify_priority_changes",
            Args::Bool,
            "write changes of priority to the FIFOs",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.notify_priority_changes),
    ),
    B::new(
        Keyword::new(
            "fifo_write_vrrp_states_on_reload",
            Args::Flag,
            "write all states to the FIFOs after a reload",
        ),
        |b, _, _| b.globals.settings.fifo_write_states_on_reload = true,
    ),
    B::new(
        Keyword::new(
            "vrrp_owner_ignore_adverts",
            Args::Bool,
            "the address owner ignores all adverts",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.owner_ignore_adverts),
    ),
    B::new(
        Keyword::new(
            "log_unknown_vrids",
            Args::Flag,
            "log adverts for VRIDs that are not configured",
        ),
        |b, _, _| b.globals.settings.log_unknown_vrids = true,
    ),
    B::new(
        Keyword::new(
            "vmac_prefix",
            Args::Word { max: 0 },
            "prefix of the names of VMAC interfaces",
        )
        .required()
        .or("vrrp")
        .not_yet(),
        |b, l, c| once(&mut b.globals.vmac_prefix, l, c),
    ),
    B::new(
        Keyword::new(
            "vmac_addr_prefix",
            Args::Word { max: 0 },
            "prefix of the names of VMAC interfaces made for addresses",
        )
        .required()
        .or("vmac_prefix")
        .not_yet(),
        |b, l, c| once(&mut b.globals.vmac_addr_prefix, l, c),
    ),
    B::new(
        Keyword::new(
            "vrrp_startup_delay",
            DELAY,
            "instances stay passive this long after the start",
        )
        .required()
        .or("0")
        .unit("s"),
        set_startup_delay,
    ),
    B::new(
        Keyword::new("vrrp_delay_after_boot", DELAY, "instances stay passive this long after boot")
            .required()
            .or("0")
            .unit("s"),
        set_delay_after_boot,
    ),
    B::new(
        Keyword::new(
            "vrrp_rx_bufs_policy",
            Args::Free("MTU | ADVERT | BYTES"),
            "size of the receive buffers",
        )
        .expected(),
        set_rx_bufs,
    ),
    B::new(
        Keyword::new(
            "vrrp_rx_bufs_multiplier",
            Args::int(1, U32),
            "packets to keep for each instance",
        )
        .expected()
        .or("3"),
        set_rx_multiplier,
    ),
    B::new(
        Keyword::new(
            "vrrp_netlink_cmd_rcv_bufs",
            BUFFER,
            "receive buffer of the netlink command socket",
        )
        .expected()
        .unit("bytes")
        .not_yet(),
        check,
    ),
    B::new(
        Keyword::new("vrrp_netlink_cmd_rcv_bufs_force", Args::Bool, "exceed the system's limit")
            .not_yet(),
        check,
    ),
    B::new(
        Keyword::new(
            "vrrp_netlink_monitor_rcv_bufs",
            BUFFER,
            "receive buffer of the netlink monitor socket",
        )
        .expected()
        .unit("bytes")
        .not_yet(),
        check,
    ),
    B::new(
        Keyword::new(
            "vrrp_netlink_monitor_rcv_bufs_force",
            Args::Bool,
            "exceed the system's limit",
        )
        .not_yet(),
        check,
    ),
    B::new(
        Keyword::new(
            "process_monitor_rcv_bufs",
            BUFFER,
            "receive buffer of the process event socket",
        )
        .expected()
        .unit("bytes")
        .not_yet(),
        check,
    ),
    B::new(
        Keyword::new("process_monitor_rcv_bufs_force", Args::Bool, "exceed the system's limit")
            .not_yet(),
        check,
    ),
    B::new(
        Keyword::new(
            "iproute_usr_dir",
            Args::Free("DIRECTORY"),
            "the vendor's tables of routing names",
        )
        .or("/usr/share/iproute2"),
        |b, l, c| set(directory(l, c), &mut b.globals.iproute_usr_dir),
    ),
    B::new(
        Keyword::new(
            "iproute_etc_dir",
            Args::Free("DIRECTORY"),
            "the administrator's tables of routing names",
        )
        .or("/etc/iproute2"),
        |b, l, c| set(directory(l, c), &mut b.globals.iproute_etc_dir),
    ),
    B::new(
        Keyword::new(
            "vrrp_iptables",
            Args::Free("[INPUT_CHAIN [OUTPUT_CHAIN]]"),
            "use iptables for no_accept and VMACs",
        )
        .not_yet(),
        check_iptables,
    ),
    B::new(
        Keyword::new("vrrp_ipsets", Args::Free("[SET…]"), "names of the ipsets to use").not_yet(),
        check_ipsets,
    ),
    B::new(
        Keyword::new("nftables", Args::Free("[TABLE]"), "use nftables for no_accept and VMACs")
            .or("keepalived")
            .not_yet(),
        check_nftables,
    ),
    B::new(
        Keyword::new(
            "nftables_priority",
            Args::int(i32::MIN as i64, i32::MAX as i64),
            "priority of the chains",
        )
        .required()
        .or("-1")
        .not_yet(),
        check,
    ),
    B::new(
        Keyword::new("nftables_ifindex", Args::Flag, "match interfaces by index").not_yet(),
        check,
    ),
    B::new(
        Keyword::new("nftables_counters", Args::Flag, "count what the rules match").not_yet(),
        check,
    ),
]);

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

fn at_least_one(line: &Line, ctx: &mut Context<'_>) -> Option<u32> {
    let value = number32(line.int(ctx))?;
    if value == 0 {
        let message = format!("{} must be greater than 0, setting to 1", line.name());
        ctx.report(Class::General, line.span, message);
    }
    Some(value.max(1))
}

fn spacing(line: &Line, ctx: &mut Context<'_>) -> Option<Duration> {
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

fn set_dynamic_interfaces(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.globals.settings.dynamic_interfaces = true;
    if let Some(word) = line.first()
        && word.text != "allow_if_changes"
    {
        let message = format!("Unknown dynamic_interfaces option '{}'", word.text);
        ctx.report(Class::General, word.span, message);
    }
}

fn set_mcast_group4(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    match word.text.parse::<Ipv4Addr>() {
        Ok(group) if group.is_multicast() => b.globals.settings.mcast_group4 = group,
        _ => {
            let message = format!("'{}' is not an IPv4 multicast address; ignored", word.text);
            ctx.report(Class::General, word.span, message);
        }
    }
}

fn set_mcast_group6(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
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

fn set_min_garp(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
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
    min(&mut g.garp_repeat, fresh.garp_repeat, 1);
    min(&mut g.garp_refresh, fresh.garp_refresh, 0);
    min(&mut g.garp_refresh_repeat, fresh.garp_refresh_repeat, 0);
    min(&mut g.garp_delay, fresh.garp_delay, 0);
}

/// `[all] SECONDS` in any order, of the global keyword and of the instance's.
pub(super) fn check_extra_if(_: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let min = i64::from(line.name().starts_with("vrrp_"));
    let mut given = false;
    for word in &line.words {
        if word.text == "all" {
            continue;
        }
        given = true;
        if number::int(word, min, 86400, true, ctx, line.name()).is_none() {
            return;
        }
    }
    if !given {
        let message = format!("{} specified without time - ignoring", line.name());
        ctx.report(Class::General, line.span, message);
    }
}

fn set_startup_delay(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
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

fn set_delay_after_boot(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(micros) = line.decimal(ctx) else { return };
    let Some(uptime) = b.host.uptime() else {
        let message = "vrrp_delay_after_boot: the uptime cannot be read; ignored";
        ctx.report(Class::Warning, line.span, message);
        return;
    };
    let left = Duration::from_micros(micros).saturating_sub(uptime);
    let settings = &mut b.globals.settings;
    settings.startup_delay = settings.startup_delay.max(left);
}

fn set_rx_bufs(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
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

fn set_rx_multiplier(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if line.words.len() > 1 {
        ctx.report(Class::General, line.span, "vrrp_rx_bufs_multiplier takes one number; ignored");
        return;
    }
    set(number32(line.int(ctx)), &mut b.globals.settings.rx_bufs_multiplier);
}

fn directory(line: &Line, ctx: &mut Context<'_>) -> Option<String> {
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
fn once(given: &mut bool, line: &Line, ctx: &mut Context<'_>) {
    if line.word(ctx).is_none() {
        return;
    }
    if *given {
        let message = format!("{} already specified - ignoring", line.name());
        ctx.report(Class::General, line.span, message);
    }
    *given = true;
}

fn check_iptables(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
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

fn check_ipsets(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
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

fn check_nftables(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if b.globals.nftables {
        ctx.report(Class::General, line.span, "nftables already specified - ignoring");
    } else {
        b.globals.nftables = names_fit(line, 1, 254, ctx);
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
