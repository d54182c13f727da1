//! The keywords of `vrrp_instance`.

use config::{Args, Keyword, Row, Table, check};

use super::auth::{AUTHENTICATION, HMAC};
use super::builder::Builder;
use super::globals::{number32, set, set_instance_extra_if, small};
use super::instance::*;
use super::track;
use super::vmac::{set_use_ipvlan, set_use_vmac};
use super::{address, notify_keywords, route, rule};

const COMMAND: Args = Args::Command;
const SECONDS: Args = Args::lenient(0, 4294);
const COUNT: Args = Args::lenient(0, u32::MAX as i64);

type B = Row<Builder>;

/// Keywords inside `vrrp_instance`.
pub static INSTANCE: Table<Builder> = Table::new(&[
    // Identity, interface, role.
    B::new(
        Keyword::new(
            "interface",
            Args::Free("INTERFACE"),
            "the interface that carries the adverts",
        )
        .required(),
        set_interface,
    ),
    B::new(
        Keyword::new(
            "virtual_router_id",
            Args::lenient(1, 255),
            "the VRID, common to all directors of the virtual router",
        )
        .required(),
        set_vrid,
    ),
    B::new(
        Keyword::new("state", Args::Free("MASTER | BACKUP"), "the state wished for at start")
            .required()
            .or("MASTER with priority 255, else BACKUP"),
        set_state,
    ),
    B::new(
        Keyword::new(
            "priority",
            Args::lenient(1, 255),
            "the highest wins; 255 is the owner of the addresses",
        )
        .required()
        .or("100, or 255 with state MASTER"),
        set_priority,
    ),
    B::new(
        Keyword::new("version", Args::lenient(2, 3), "protocol version")
            .required()
            .or("vrrp_version; 3 for IPv6"),
        set_version,
    ),
    B::new(Keyword::new("native_ipv6", Args::Flag, "the instance is one of IPv6"), set_native_ipv6),
    B::new(
        Keyword::new("advert_int", Args::timer(10_000, 255_000_000), "time between two adverts")
            .required()
            .or("1")
            .unit("s"),
        set_advert_interval,
    ),
    B::new(
        Keyword::new("vrf", Args::Free("INTERFACE"), "VRF the sockets are bound to").required(),
        set_vrf,
    ),
    B::new(
        Keyword::new(
            "dont_track_primary",
            Args::Flag,
            "the instance's own interface going down is no fault",
        ),
        |b, _, _| b.draft.dont_track_primary = true,
    ),
    B::new(
        Keyword::new("strict_mode", Args::Bool, "insist on what the RFCs allow").or("vrrp_strict"),
        |b, l, c| b.draft.strict = l.boolean(c).or(b.draft.strict),
    ),
    B::new(
        Keyword::new("debug", Args::lenient(0, 4), "stored and dumped only").required().or("0"),
        |b, l, c| set(small(l.int(c)), &mut b.draft.debug),
    ),
    // Virtual MAC and ipvlan.
    B::new(
        Keyword::new(
            "use_vmac",
            Args::Free("[[name] INTERFACE] [MAC] [group GROUP] [netlink_notify_msg]"),
            "put the addresses on an interface with the virtual router's MAC",
        ),
        set_use_vmac,
    ),
    B::new(
        Keyword::new("use_vmac_addr", Args::Flag, "a VMAC also for addresses on other interfaces"),
        |b, _, _| b.draft.use_vmac_addr = true,
    ),
    B::new(
        Keyword::new("vmac_xmit_base", Args::Flag, "send adverts from the parent interface"),
        |b, _, _| b.draft.vmac_xmit_base = true,
    ),
    B::new(
        Keyword::new(
            "use_ipvlan",
            Args::Free("[bridge|private|vepa] [group GROUP] [[name] INTERFACE] [ADDRESS[/LENGTH]]"),
            "send adverts from an ipvlan interface with an address of its own",
        ),
        set_use_ipvlan,
    ),
    B::new(
        Keyword::new(
            "promote_secondaries",
            Args::Flag,
            "removing a primary address keeps its secondaries",
        ),
        |b, _, _| b.draft.promote_secondaries = true,
    ),
    B::new(
        Keyword::new(
            "garp_extra_if",
            Args::Free("[all] SECONDS"),
            "period of gratuitous ARP on further interfaces with addresses",
        )
        .or("vrrp_garp_extra_if")
        .unit("s"),
        set_instance_extra_if,
    ),
    B::new(
        Keyword::new("vmac_garp_intvl", Args::Free("[all] SECONDS"), "old name of garp_extra_if")
            .alias("garp_extra_if", true)
            .unit("s"),
        set_instance_extra_if,
    ),
    // Unicast and multicast.
    B::new(
        Keyword::new(
            "unicast_peer",
            Args::Flag,
            "send adverts to these peers instead of to the group",
        )
        .values(),
        set_unicast_peers,
    ),
    B::new(
        Keyword::new("unicast_src_ip", Args::Free("ADDRESS"), "source address of adverts")
            .required()
            .or("the interface's"),
        set_source,
    ),
    B::new(
        Keyword::new("mcast_src_ip", Args::Free("ADDRESS"), "source address of adverts")
            .required()
            .or("the interface's"),
        set_source,
    ),
    B::new(
        Keyword::new("unicast_ttl", Args::lenient(0, 255), "TTL of unicast adverts")
            .required()
            .or("255 for IPv4, the kernel's for IPv6"),
        set_unicast_ttl,
    ),
    B::new(
        Keyword::new(
            "unicast_fault_no_peer",
            Args::Flag,
            "FAULT instead of multicast when no peer is left",
        ),
        |b, _, _| {
            b.draft.unicast_fault_no_peer = true;
            b.draft.wants_unicast = true;
        },
    ),
    B::new(
        Keyword::new(
            "check_unicast_src",
            Args::Flag,
            "unicast adverts must come from a configured peer",
        )
        .or("vrrp_check_unicast_src"),
        |b, _, _| {
            b.draft.check_unicast_source = Some(true);
            b.draft.wants_unicast = true;
        },
    ),
    B::new(
        Keyword::new(
            "old_unicast_checksum",
            Args::Free("[never]"),
            "checksum of version 3 unicast as before 1.3.6",
        )
        .or("found out from the peers"),
        set_old_checksum,
    ),
    B::new(
        Keyword::new("mcast_dst_ip", Args::Free("ADDRESS"), "group the adverts are sent to")
            .required()
            .or("vrrp_mcast_group4, vrrp_mcast_group6"),
        set_group_address,
    ),
    B::new(
        Keyword::new("track_src_ip", Args::Flag, "FAULT while the source address is absent"),
        |b, _, _| b.draft.track_source = true,
    ),
    // Addresses, routes, rules.
    B::new(
        Keyword::new("virtual_ipaddress", Args::Flag, "the addresses of the virtual router")
            .values(),
        address::set_virtual,
    ),
    B::new(
        Keyword::new(
            "virtual_ipaddress_excluded",
            Args::Flag,
            "addresses that move along but are not advertised",
        )
        .values(),
        address::set_excluded,
    ),
    B::new(
        Keyword::new("no_virtual_ipaddress", Args::Flag, "the instance may be without addresses"),
        |b, _, _| b.draft.no_virtual_ipaddress = true,
    ),
    B::new(
        Keyword::new("virtual_routes", Args::Flag, "routes to set while MASTER").values(),
        route::set_virtual,
    ),
    B::new(
        Keyword::new("virtual_rules", Args::Flag, "routing rules to set while MASTER").values(),
        rule::set_virtual,
    ),
    // Preemption and election.
    B::new(
        Keyword::new("nopreempt", Args::Flag, "accept a master of lower priority"),
        |b, _, _| b.draft.nopreempt = true,
    ),
    B::new(Keyword::new("preempt", Args::Flag, "cancels nopreempt"), |b, _, _| {
        b.draft.nopreempt = false;
    }),
    B::new(
        Keyword::new(
            "preempt_delay",
            Args::timer(0, 1_000_000_000),
            "wait before preempting a master of lower priority",
        )
        .required()
        .or("0")
        .unit("s"),
        |b, l, c| b.draft.preempt_delay = l.decimal(c).unwrap_or(0),
    ),
    B::new(
        Keyword::new(
            "down_timer_adverts",
            Args::lenient(1, 100),
            "adverts missed before the master counts as down",
        )
        .required()
        .or("vrrp_down_timer_adverts"),
        |b, l, c| b.draft.down_timer_adverts = small(l.int(c)).or(b.draft.down_timer_adverts),
    ),
    B::new(
        Keyword::new(
            "lower_prio_no_advert",
            Args::Bool,
            "do not answer an advert of lower priority",
        )
        .or("strict_mode, else vrrp_lower_prio_no_advert"),
        |b, l, c| b.draft.lower_prio_no_advert = l.boolean(c).or(b.draft.lower_prio_no_advert),
    ),
    B::new(
        Keyword::new(
            "higher_prio_send_advert",
            Args::Bool,
            "send one advert before yielding to a higher priority",
        )
        .or("false in strict_mode, else vrrp_higher_prio_send_advert"),
        |b, l, c| {
            b.draft.higher_prio_send_advert = l.boolean(c).or(b.draft.higher_prio_send_advert);
        },
    ),
    B::new(
        Keyword::new(
            "owner_ignore_adverts",
            Args::Bool,
            "the owner of the addresses ignores all adverts",
        )
        .or("strict_mode, else vrrp_owner_ignore_adverts"),
        |b, l, c| b.draft.owner_ignore_adverts = l.boolean(c).or(b.draft.owner_ignore_adverts),
    ),
    B::new(
        Keyword::new(
            "timer_expired_backup",
            Args::lenient(1, 254),
            "after a stall, step down if a peer of this priority had time to take over",
        )
        .or("off; 254 without a number"),
        set_timer_expired,
    ),
    B::new(
        Keyword::new(
            "thread_timer_expired",
            Args::lenient(1, 254),
            "old name of timer_expired_backup",
        )
        .alias("timer_expired_backup", true),
        set_timer_expired,
    ),
    B::new(
        Keyword::new("accept", Args::Flag, "answer for the addresses")
            .or("on, except in strict_mode"),
        |b, _, _| b.draft.accept = Some(true),
    ),
    B::new(
        Keyword::new("no_accept", Args::Flag, "drop what is sent to the addresses"),
        |b, _, _| b.draft.accept = Some(false),
    ),
    B::new(
        Keyword::new(
            "skip_check_adv_addr",
            Args::Bool,
            "do not compare the address list of the known master's adverts",
        )
        .or("vrrp_skip_check_adv_addr"),
        |b, l, c| b.draft.skip_check_adv_addr = l.boolean(c).or(b.draft.skip_check_adv_addr),
    ),
    // Gratuitous ARP.
    B::new(
        Keyword::new(
            "garp_master_delay",
            SECONDS,
            "delay of the second burst after becoming MASTER; 0: none",
        )
        .required()
        .or("vrrp_garp_master_delay")
        .unit("s"),
        |b, l, c| b.draft.garp_delay = number32(l.int(c)).or(b.draft.garp_delay),
    ),
    B::new(
        Keyword::new("garp_master_repeat", COUNT, "messages per address in a burst")
            .required()
            .or("vrrp_garp_master_repeat"),
        |b, l, c| b.draft.garp_repeat = repeat(b, l, c).or(b.draft.garp_repeat),
    ),
    B::new(
        Keyword::new("garp_master_refresh", COUNT, "period of the refresh while MASTER; 0: none")
            .required()
            .or("vrrp_garp_master_refresh")
            .unit("s"),
        |b, l, c| b.draft.garp_refresh = Some(number32(l.int(c)).unwrap_or(0)),
    ),
    B::new(
        Keyword::new("garp_master_refresh_repeat", COUNT, "messages per address in a refresh")
            .required()
            .or("vrrp_garp_master_refresh_repeat"),
        |b, l, c| b.draft.garp_refresh_repeat = repeat(b, l, c).or(b.draft.garp_refresh_repeat),
    ),
    B::new(
        Keyword::new(
            "garp_lower_prio_delay",
            SECONDS,
            "delay of the extra burst after an advert of lower priority",
        )
        .required()
        .or("vrrp_garp_lower_prio_delay")
        .unit("s"),
        |b, l, c| b.draft.lower_prio_delay = number32(l.int(c)).or(b.draft.lower_prio_delay),
    ),
    B::new(
        Keyword::new(
            "garp_lower_prio_repeat",
            Args::lenient(0, i32::MAX as i64),
            "messages per address after an advert of lower priority; 0: none",
        )
        .required()
        .or("vrrp_garp_lower_prio_repeat"),
        |b, l, c| b.draft.lower_prio_repeat = number32(l.int(c)).or(b.draft.lower_prio_repeat),
    ),
    // Authentication.
    B::new(
        Keyword::new("authentication", Args::Flag, "password of version 2")
            .block(&[&AUTHENTICATION]),
        |b, l, c| apply_block(&AUTHENTICATION, b, l, c),
    ),
    B::new(
        Keyword::new("auth_hmac", Args::Flag, "a signature behind each advert").block(&[&HMAC]),
        set_hmac,
    ),
    // Tracking.
    B::new(
        Keyword::new("track_interface", Args::Flag, "interfaces that must be up").values(),
        track::instance_interfaces,
    ),
    B::new(
        Keyword::new("track_script", Args::Flag, "scripts that must succeed").values(),
        track::instance_scripts,
    ),
    B::new(
        Keyword::new("track_file", Args::Flag, "files whose number counts").values(),
        track::instance_files,
    ),
    B::new(
        Keyword::new("track_process", Args::Flag, "processes that must run").values(),
        track::instance_processes,
    ),
    B::new(
        Keyword::new("track_bfd", Args::Flag, "BFD sessions that must be up").values(),
        track::instance_bfds,
    ),
    // Notification.
    B::new(
        Keyword::new("notify_master", COMMAND, "run on becoming MASTER").required(),
        notify_keywords::instance_script,
    ),
    B::new(
        Keyword::new("notify_backup", COMMAND, "run on becoming BACKUP").required(),
        notify_keywords::instance_script,
    ),
    B::new(
        Keyword::new("notify_fault", COMMAND, "run on entering FAULT").required(),
        notify_keywords::instance_script,
    ),
    B::new(
        Keyword::new("notify_stop", COMMAND, "run when the daemon stops").required(),
        notify_keywords::instance_script,
    ),
    B::new(
        Keyword::new("notify_deleted", COMMAND, "run when a reload removes the instance"),
        notify_keywords::instance_deleted,
    ),
    B::new(
        Keyword::new(
            "notify_master_rx_lower_pri",
            COMMAND,
            "run when a MASTER receives an advert of lower priority",
        )
        .required(),
        notify_keywords::instance_script,
    ),
    B::new(
        Keyword::new("notify", COMMAND, "run on every change of state").required(),
        notify_keywords::instance_script,
    ),
    B::new(
        Keyword::new(
            "notify_priority_changes",
            Args::Bool,
            "write changes of priority to the FIFOs",
        )
        .or("the sync group's, else vrrp_notify_priority_changes"),
        |b, l, c| b.draft.priority_changes = l.boolean(c).or(b.draft.priority_changes),
    ),
    B::new(
        Keyword::new("smtp_alert", Args::Bool, "mail on changes of state")
            .or("smtp_alert_vrrp, else smtp_alert"),
        |b, l, c| b.draft.smtp_alert = l.boolean(c).or(b.draft.smtp_alert),
    ),
    // The rest.
    B::new(
        Keyword::new(
            "v3_checksum_as_v2",
            Args::Bool,
            "version 3 IPv4 checksums omit the pseudo-header",
        )
        .or("the global v3_checksum_as_v2"),
        |b, l, c| b.draft.v3_checksum_as_v2 = l.boolean(c).or(b.draft.v3_checksum_as_v2),
    ),
    B::new(
        Keyword::new(
            "kernel_rx_buf_size",
            Args::int(0, u32::MAX as i64),
            "room in the receive buffer for this instance",
        )
        .expected()
        .unit("bytes"),
        set_kernel_rx_buf_size,
    ),
    B::new(
        Keyword::new("linkbeat_use_polling", Args::Flag, "see linkbeat_interfaces")
            .alias("linkbeat_interfaces", true),
        |b, _, _| b.draft.polls = true,
    ),
    B::new(
        Keyword::new("lvs_sync_daemon_interface", Args::Free("INTERFACE"), "see lvs_sync_daemon")
            .required()
            .alias("lvs_sync_daemon", true),
        check,
    ),
]);
