//! The keywords of `global_defs` that are of VRRP.

use config::{Args, Keyword, Row, Table};

use super::Version;
use super::builder::Builder;
use super::globals::{
    at_least_one, check_ipsets, check_iptables, directory, number32, once, set,
    set_delay_after_boot, set_dynamic_interfaces, set_extra_if, set_mcast_group4, set_mcast_group6,
    set_min_garp, set_nftables, set_rx_bufs, set_rx_multiplier, set_startup_delay, small, spacing,
};

/// Longest second and microsecond counts the reference accepts in its timers.
const MAX_SECONDS: i64 = 4294;
const MAX_MICROS: u64 = 4_294_967_295;
const U32: i64 = u32::MAX as i64;

const SECONDS: Args = Args::lenient(0, MAX_SECONDS);
const COUNT: Args = Args::lenient(0, U32);
const LARGE_QUEUES: &str = "the queue is larger than that already";
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
        |b, _, _| b.globals.defaults.v3_checksum_as_v2 = true,
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
        |b, l, c| set(number32(l.int(c)), &mut b.globals.defaults.garp_delay),
    ),
    B::new(
        Keyword::new("vrrp_garp_master_repeat", COUNT, "messages per address in a burst")
            .required()
            .or("5"),
        |b, l, c| set(at_least_one(l, c), &mut b.globals.defaults.garp_repeat),
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
        |b, l, c| b.globals.defaults.garp_refresh = number32(l.int(c)).unwrap_or(0),
    ),
    B::new(
        Keyword::new("vrrp_garp_master_refresh_repeat", COUNT, "messages per address in a refresh")
            .required()
            .or("1"),
        |b, l, c| set(at_least_one(l, c), &mut b.globals.defaults.garp_refresh_repeat),
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
        |b, l, c| {
            b.globals.defaults.lower_prio_delay =
                number32(l.int(c)).or(b.globals.defaults.lower_prio_delay)
        },
    ),
    B::new(
        Keyword::new(
            "vrrp_garp_lower_prio_repeat",
            Args::lenient(0, i32::MAX as i64),
            "messages per address after an advert of lower priority; 0: none",
        )
        .required()
        .or("vrrp_garp_master_repeat"),
        |b, l, c| {
            b.globals.defaults.lower_prio_repeat =
                number32(l.int(c)).or(b.globals.defaults.lower_prio_repeat)
        },
    ),
    B::new(
        Keyword::new(
            "vrrp_down_timer_adverts",
            Args::lenient(1, 100),
            "adverts missed before the master counts as down",
        )
        .required()
        .or("3"),
        |b, l, c| set(small(l.int(c)), &mut b.globals.defaults.down_timer_adverts),
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
        .unit("s"),
        set_extra_if,
    ),
    B::new(
        Keyword::new(
            "vrrp_vmac_garp_intvl",
            Args::Free("[all] SECONDS"),
            "old name of vrrp_garp_extra_if",
        )
        .alias("vrrp_garp_extra_if", true)
        .unit("s"),
        set_extra_if,
    ),
    B::new(
        Keyword::new(
            "vrrp_lower_prio_no_advert",
            Args::Bool,
            "do not answer an advert of lower priority",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.defaults.lower_prio_no_advert),
    ),
    B::new(
        Keyword::new(
            "vrrp_higher_prio_send_advert",
            Args::Bool,
            "send one advert before yielding to a higher priority",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.defaults.higher_prio_send_advert),
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
            set(version, &mut b.globals.defaults.version);
        },
    ),
    B::new(
        Keyword::new(
            "vrrp_check_unicast_src",
            Args::Flag,
            "unicast adverts must come from a configured peer",
        ),
        |b, _, _| b.globals.defaults.check_unicast_source = true,
    ),
    B::new(
        Keyword::new(
            "vrrp_skip_check_adv_addr",
            Args::Bool,
            "do not compare the address list of the known master's adverts",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.defaults.skip_check_adv_addr),
    ),
    B::new(
        Keyword::new("vrrp_strict", Args::Bool, "default of strict_mode").or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.defaults.strict),
    ),
    B::new(
        Keyword::new(
            "vrrp_notify_priority_changes",
            Args::Bool,
            "write changes of priority to the FIFOs",
        )
        .or("false"),
        |b, l, c| set(l.boolean(c), &mut b.globals.defaults.notify_priority_changes),
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
        |b, l, c| set(l.boolean(c), &mut b.globals.defaults.owner_ignore_adverts),
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
        .or("vrrp"),
        |b, l, c| once(&mut b.globals.settings.vmac_prefix, l, c),
    ),
    B::new(
        Keyword::new(
            "vmac_addr_prefix",
            Args::Word { max: 0 },
            "prefix of the names of VMAC interfaces made for addresses",
        )
        .required()
        .or("vmac_prefix"),
        |b, l, c| once(&mut b.globals.settings.vmac_addr_prefix, l, c),
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
        .never(LARGE_QUEUES),
        |b, l, c| b.globals.settings.recorded.command_buffer.take(l, c),
    ),
    B::new(
        Keyword::new("vrrp_netlink_cmd_rcv_bufs_force", Args::Bool, "exceed the system's limit")
            .never(LARGE_QUEUES),
        |b, l, c| b.globals.settings.recorded.command_buffer.take(l, c),
    ),
    B::new(
        Keyword::new(
            "vrrp_netlink_monitor_rcv_bufs",
            BUFFER,
            "receive buffer of the netlink monitor socket",
        )
        .expected()
        .unit("bytes")
        .never(LARGE_QUEUES),
        |b, l, c| b.globals.settings.recorded.monitor_buffer.take(l, c),
    ),
    B::new(
        Keyword::new(
            "vrrp_netlink_monitor_rcv_bufs_force",
            Args::Bool,
            "exceed the system's limit",
        )
        .never(LARGE_QUEUES),
        |b, l, c| b.globals.settings.recorded.monitor_buffer.take(l, c),
    ),
    B::new(
        Keyword::new(
            "process_monitor_rcv_bufs",
            BUFFER,
            "receive buffer of the process event socket",
        )
        .expected()
        .unit("bytes"),
        |b, l, c| b.globals.settings.process_buffer.take(l, c),
    ),
    B::new(
        Keyword::new("process_monitor_rcv_bufs_force", Args::Bool, "exceed the system's limit"),
        |b, l, c| b.globals.settings.process_buffer.take(l, c),
    ),
    B::new(
        Keyword::new(
            "iproute_usr_dir",
            Args::Free("DIRECTORY"),
            "the vendor's tables of routing names",
        )
        .or("/usr/share/iproute2"),
        |b, l, c| set(directory(l, c), &mut b.globals.settings.recorded.iproute_usr_dir),
    ),
    B::new(
        Keyword::new(
            "iproute_etc_dir",
            Args::Free("DIRECTORY"),
            "the administrator's tables of routing names",
        )
        .or("/etc/iproute2"),
        |b, l, c| set(directory(l, c), &mut b.globals.settings.recorded.iproute_etc_dir),
    ),
    B::new(
        Keyword::new(
            "vrrp_iptables",
            Args::Free("[INPUT_CHAIN [OUTPUT_CHAIN]]"),
            "drop packets for no_accept (with nftables, whatever the chains)",
        ),
        check_iptables,
    ),
    B::new(
        Keyword::new("vrrp_ipsets", Args::Free("[SET…]"), "names of the ipsets to use")
            .never("nftables keeps its own sets"),
        check_ipsets,
    ),
    B::new(
        Keyword::new(
            "nftables",
            Args::Free("[TABLE]"),
            "the nftables table that no_accept drops packets in",
        )
        .or("keepalived"),
        set_nftables,
    ),
    B::new(
        Keyword::new(
            "nftables_priority",
            Args::int(i32::MIN as i64, i32::MAX as i64),
            "priority of the chains",
        )
        .required()
        .or("-1"),
        |b, l, c| {
            let given = l.int(c).and_then(|n| i32::try_from(n).ok());
            set(given, &mut b.globals.settings.firewall.priority);
        },
    ),
    B::new(Keyword::new("nftables_ifindex", Args::Flag, "match interfaces by index"), |b, _, _| {
        b.globals.settings.firewall.by_index = true
    }),
    B::new(
        Keyword::new("nftables_counters", Args::Flag, "count what the rules match"),
        |b, _, _| b.globals.settings.firewall.counters = true,
    ),
]);
