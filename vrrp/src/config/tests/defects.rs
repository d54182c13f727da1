//! One defect each: class, exit status of a configuration test, and whether VRRP would run.

use super::*;

/// A configuration around one instance `A` on eth0, with places for more.
struct Around {
    globals: &'static str,
    before: &'static str,
    inside: &'static str,
    after: &'static str,
}

const NOTHING: Around = Around { globals: "", before: "", inside: "", after: "" };

impl Around {
    fn text(&self) -> String {
        let Around { globals, before, inside, after } = self;
        format!(
            "global_defs {{\nenable_script_security\nscript_user root\n{globals}\n}}\n{before}\n\
             vrrp_instance A {{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {{\n\
             10.0.0.1\n}}\n{inside}\n}}\n{after}\n"
        )
    }
}

/// A defect, what of its message must be said, and whether VRRP refuses to run.
type Case = (&'static str, &'static str, bool);

fn judge(kind: &str, cases: &[Case], place: impl Fn(&'static str) -> Around) {
    for &(defect, message, refused) in cases {
        let outcome = test(&place(defect).text());
        let said: Vec<_> = outcome.diagnostics.iter().map(|d| (d.class, &d.message)).collect();
        if message.is_empty() {
            assert_eq!(outcome.exit_status(), 0, "{kind}: {defect}: {said:#?}");
        } else {
            assert_eq!(outcome.exit_status(), 5, "{kind}: {defect}: {said:#?}");
            assert!(outcome.said(message), "{kind}: {defect}: {said:#?}");
        }
        assert_eq!(outcome.result.is_err(), refused, "{kind}: {defect}: {said:#?}");
    }
}

#[test]
fn in_an_instance() {
    judge(
        "instance",
        &[
            ("", "", false),
            ("interface nonex", "WARNING - interface nonex for vrrp_instance A", true),
            ("interface lo", "cannot use a loopback interface (lo) for vrrp", false),
            ("interface eth1234567890123456789", "too long - ignoring", false),
            ("virtual_router_id 256", "VRID '256' not valid", false),
            ("state FOO", "unknown state 'FOO', defaulting to BACKUP", false),
            ("state MASTER\nstate BACKUP", "previously set as MASTER", false),
            ("priority 300", "Using default 100", false),
            ("version 4", "version", false),
            ("version 2\nversion 3", "conflicts with configured or deduced version 2", false),
            ("native_ipv6", "Cannot specify native_ipv6 with IPv4", false),
            ("advert_int 0.005", "Advert interval (0.005) not valid!", false),
            ("advert_int 256", "Advert interval (256) not valid!", false),
            ("advert_int 5x", "Advert interval (5x) not valid!", false),
            ("advert_int 0.3", "VRRPv2 advertisement interval 0.300000s must be an integer", false),
            ("advert_int 5.1234567", "decimal places", false),
            ("version 3\nadvert_int 50", "VRRPv3 advertisement interval 50.00s is out", false),
            ("version 3\nadvert_int 1.005", "must be in units of 10ms", false),
            ("vrf blue", "Cannot specify VRF interface and interface", false),
            ("debug 9", "debug", false),
            ("strict_mode maybe", "strict_mode", false),
            ("use_vmac", "", false),
            ("use_vmac 01:00:00:00:00:01", "is multicast", false),
            ("use_vmac 00:00:5e:00:01:07", "RFC5798", false),
            ("use_vmac xx:00", "invalid MAC", false),
            ("use_ipvlan", "IPv4 ipvlan requires a source ip address", false),
            ("use_ipvlan 10.0.0.9\nuse_ipvlan", "use_ipvlan already specified", false),
            ("vmac_xmit_base", "vmac_xmit_base is only valid with a vmac", false),
            ("use_vmac\npromote_secondaries", "automatically set for vmacs", false),
            ("garp_extra_if", "specified without time", false),
            ("vmac_garp_intvl all 5", "vmac_garp_intvl", false),
            ("unicast_peer {\nx\n}", "malformed unicast peer address[x]", false),
            ("unicast_peer {\nfe80::1\n}", "MUST be of the same family", false),
            ("unicast_peer {\n10.0.0.9\n10.0.0.9\n}", "duplicate unicast_peer", false),
            ("unicast_peer {\n10.0.0.9 min_ttl\n}", "min_ttl is missing a value", false),
            ("unicast_peer {\n10.0.0.9 min_ttl 300\n}", "min_ttl", false),
            ("unicast_peer {\n10.0.0.9 foo\n}", "unknown unicast_peer option foo", false),
            (
                "unicast_peer {\n10.0.0.9 min_ttl 5 max_ttl 4\n}",
                "all packets will be discarded",
                false,
            ),
            ("unicast_src_ip 10.0.0.3", "without any unicast peers", false),
            ("unicast_src_ip x", "malformed src address[x]", false),
            ("mcast_src_ip fe80::1", "MUST be of the same family", false),
            ("unicast_ttl 5", "Cannot use unicast_ttl without unicast peers", false),
            ("unicast_ttl 256", "TTL '256' not valid", false),
            ("unicast_fault_no_peer", "Cannot use unicast without any peers", false),
            ("old_unicast_checksum foo", "Unknown old_unicast_chksum mode foo", false),
            ("mcast_dst_ip 10.0.0.1", "10.0.0.1 not multicast", false),
            ("mcast_dst_ip 224.0.0.9\nunicast_peer {\n10.0.0.9\n}", "with unicast", false),
            ("strict_mode\nunicast_peer {\n10.0.0.9\n}", "not supported in strict mode", true),
            ("nopreempt\nstate MASTER", "nopreempt", false),
            ("nopreempt\npriority 255", "nopreempt is incompatible with priority 255", false),
            ("preempt_delay 5\nnopreempt", "incompatible with nopreempt mode", false),
            ("preempt_delay abc", "preempt_delay", false),
            ("preempt_delay 1001", "preempt_delay", false),
            ("down_timer_adverts 0", "down_timer_adverts", false),
            ("strict_mode\ndown_timer_adverts 5", "incompatible with strict mode", false),
            ("strict_mode\nstate MASTER\npriority 9", "must match being address owner", false),
            ("owner_ignore_adverts", "since priority is not 255", false),
            ("timer_expired_backup", "requires nopreempt", false),
            ("nopreempt\ntimer_expired_backup 255", "must be between 1", false),
            ("nopreempt\nthread_timer_expired", "timer_expired_backup", false),
            ("accept\nstrict_mode", "does not comply with RFC3768", false),
            ("no_accept", "", false),
            ("skip_check_adv_addr foo", "skip_check_adv_addr", false),
            ("garp_master_delay x", "garp_master_delay", false),
            ("garp_master_repeat 0", "must be greater than 0, setting to 1", false),
            ("garp_master_refresh x", "garp_master_refresh", false),
            ("garp_lower_prio_repeat -1", "garp_lower_prio_repeat", false),
            ("strict_mode\ngarp_lower_prio_repeat 3", "no repeat garps", false),
            ("strict_mode\ngarp_lower_prio_delay 3", "no repeat garp delay", false),
            ("smtp_alert foo", "smtp_alert", false),
            ("notify_priority_changes foo", "notify_priority_changes", false),
            ("kernel_rx_buf_size 5 5", "invalid kernel_rx_buf_size", false),
            ("kernel_rx_buf_size", "kernel_rx_buf_size", false),
            ("linkbeat_use_polling", "linkbeat_interfaces", false),
            ("lvs_sync_daemon_interface eth0", "lvs_sync_daemon", false),
            ("track_src_ip", "", false),
            ("virtual_ipaddress foo {\n10.0.0.9\n}", "virtual_ipaddress", false),
            ("no_such_keyword", "Unknown keyword 'no_such_keyword'", false),
        ],
        |inside| Around { inside, ..NOTHING },
    );
}

#[test]
fn in_authentication() {
    judge(
        "authentication",
        &[
            ("authentication {\nauth_type PASS\nauth_pass secret\n}", "", false),
            ("authentication {\nauth_type FOO\n}", "unknown authentication type", false),
            ("authentication {\nauth_type PASS\n}", "no password given", false),
            ("authentication {\nauth_type PASS\nauth_pass 123456789\n}", "Truncating", false),
            ("authentication {\nauth_type AH\nauth_pass secret\n}", "", false),
            (
                "version 3\nauthentication {\nauth_type PASS\nauth_pass a\n}",
                "version 3 does not support authentication",
                false,
            ),
            (
                "strict_mode\nauthentication {\nauth_type PASS\nauth_pass a\n}",
                "Strict mode does not support authentication",
                false,
            ),
            ("auth_hmac {\nkey 1\n}", "needs an id and a value", false),
            ("auth_hmac {\nkey 0 x\n}", "must be between 1 and 255", false),
            ("auth_hmac {\nkey 1 short\n}", "not in range [32, 64]", false),
            ("auth_hmac {\nkey 1 file:/nonexistent\n}", "cannot be opened", false),
            ("auth_hmac {\nactive_key 3\n}", "disabling extension", false),
            ("auth_hmac {\nmode foo\n}", "mode", false),
        ],
        |inside| Around { inside, ..NOTHING },
    );
}

#[test]
fn in_an_address() {
    let place = |entry: &'static str| Around { inside: entry, ..NOTHING };
    judge(
        "address",
        &[
            ("virtual_ipaddress {\n10.0.0.2/33\n}", "using 32", false),
            ("virtual_ipaddress {\nx\n}", "parsed invalid IP x", false),
            ("virtual_ipaddress {\nfe80::1\n}", "address family must match", false),
            ("virtual_ipaddress {\n10.0.0.1\n}", "VIP duplicates a VIP 10.0.0.1", false),
            ("virtual_ipaddress_excluded {\n10.0.0.1\n}", "Excluded VIP duplicates a VIP", false),
            ("virtual_ipaddress {\n10.0.0.2 foo\n}", "Unknown configuration entry 'foo'", false),
            ("virtual_ipaddress {\n10.0.0.2 dev\n}", "No dev parameter specified", false),
            ("virtual_ipaddress {\n10.0.0.2 dev nonex\n}", "for ip address 10.0.0.2", true),
            ("virtual_ipaddress {\n10.0.0.2 dev eth0 dev eth0\n}", "device more than once", false),
            ("virtual_ipaddress {\n10.0.0.2 scope bla\n}", "Invalid scope 'bla'", false),
            ("virtual_ipaddress {\n10.0.0.2 scope 300\n}", "Invalid scope '300'", false),
            ("virtual_ipaddress {\n10.0.0.2 brd +\n}", "too long for broadcast", false),
            ("virtual_ipaddress {\n10.0.0.2 brd x\n}", "invalid broadcast x", false),
            (
                "virtual_ipaddress {\n10.0.0.2/24 brd + peer 10.0.0.9\n}",
                "ignoring broadcast address",
                false,
            ),
            ("virtual_ipaddress {\n10.0.0.2/24 peer 10.0.0.9\n}", "address prefix", false),
            ("virtual_ipaddress {\n10.0.0.2 peer x\n}", "Invalid peer address x", false),
            ("virtual_ipaddress {\n10.0.0.2 label abcdefghijklmnop\n}", "removing address", false),
            ("virtual_ipaddress {\n10.0.0.2 preferred_lft x\n}", "preferred_lft x", false),
            ("virtual_ipaddress_excluded {\nfe80::1 scope link\n}", "Cannot specify scope", false),
            ("virtual_ipaddress_excluded {\nfe80::1 brd +\n}", "no broadcast address", false),
            ("virtual_ipaddress_excluded {\nfe80::1 label x\n}", "Cannot specify label", false),
            (
                "virtual_ipaddress_excluded {\n10.0.0.9 track_group foo\n}",
                "Unknown configuration entry 'track_group'",
                false,
            ),
            (
                "virtual_ipaddress_excluded {\n10.0.0.9 use_vmac\nfe80::2 home -nodad mngtmpaddr \
                 noprefixroute autojoin no_track\n}",
                "",
                false,
            ),
        ],
        place,
    );
}

#[test]
fn in_tracking() {
    judge(
        "tracking",
        &[
            ("track_script {\nnope\n}", "track script nope not found, ignoring...", false),
            ("track_file {\nnope\n}", "track file nope not found", false),
            ("track_process {\nnope\n}", "track process nope not found", false),
            ("track_bfd {\nnope\n}", "track bfd nope not found", false),
            ("track_interface {\nnonex\n}", "tracked interface nonex doesn't exist", true),
            ("track_interface {\neth1 weight 300\n}", "must be between [-254..254]", false),
            ("track_interface {\neth1 weight 254\n}", "Setting to +/-253", false),
            ("track_interface {\neth1 weight\n}", "weight without value", false),
            ("track_interface {\neth1\neth1\n}", "duplicate track_interface eth1", false),
            ("track_interface {\neth1 foo\n}", "unknown track_interface eth1 option foo", false),
            ("track_interface {\neth1 weight 3 foo\n}", "weight option foo", false),
            ("track_interface {\neth0\n}", "Ignoring track_interface eth0 since own", false),
            ("track_interface {\neth1 weight 3 reverse\n}", "", false),
            (
                "priority 255\ntrack_interface {\neth1 weight 4\n}",
                "ignoring eth1 tracked interface due to address owner",
                false,
            ),
        ],
        |inside| Around { inside, ..NOTHING },
    );
}

#[test]
fn in_trackers() {
    judge(
        "trackers",
        &[
            ("vrrp_script s {\n}", "No script set for vrrp_script s - removing", false),
            ("vrrp_script s {\nscript \"/x y\"\ninterval 0\n}", "interval must be", false),
            ("vrrp_script s {\nscript \"/x y\"\ninterval 5000\n}", "interval", false),
            ("vrrp_script s {\nscript \"/x y\"\ntimeout 0\n}", "timeout must be", false),
            ("vrrp_script s {\nscript \"/x y\"\nweight 300\n}", "must be in [-253, 253]", false),
            ("vrrp_script s {\nscript \"/x y\"\nweight 3 foo\n}", "weight option foo", false),
            ("vrrp_script s {\nscript \"/x y\"\nrise 0\n}", "rise value '0' invalid", false),
            ("vrrp_script s {\nscript \"/x y\"\nfall x\n}", "fall value 'x' invalid", false),
            ("vrrp_script s {\nscript \"/x y\"\nuser no-such-user\n}", "Unable to set uid", false),
            ("track_file f {\n}", "No file set for track_file f", false),
            ("track_file f {\nfile /tmp/x\nfile /tmp/y\n}", "File already set", false),
            ("track_file f {\nfile /tmp/x\nweight 300\n}", "must be in [-254, 254]", false),
            ("track_file f {\nfile /tmp/x\nweight 3 foo\n}", "weight option foo", false),
            ("track_file f {\nfile /tmp/x\ninit_file 300\n}", "outside sensible range", false),
            ("track_file f {\nfile /tmp/x\ninit_file foo\n}", "init option foo", false),
            ("track_file f {\nfile /nonexistent/x/y\n}", "track_file f is ignored", false),
            ("track_file f {\nfile /proc/x\n}", "cannot be monitored", false),
            ("vrrp_track_file f {\nfile /tmp/x\n}", "", false),
            ("vrrp_track_process p {\n}", "process name not specified", false),
            ("vrrp_track_process p {\nprocess x\nquorum 0\n}", "quorum", false),
            ("vrrp_track_process p {\nprocess x\ndelay x\n}", "delay", false),
            ("vrrp_track_process p {\nprocess x\nparam_match x\n}", "Invalid param_match", false),
            ("vrrp_track_process p {\nprocess x\nweight 300\n}", "weight 300", false),
        ],
        |before| Around { before, ..NOTHING },
    );
}

#[test]
fn in_groups() {
    judge(
        "groups",
        &[
            ("vrrp_sync_group {\n}", "vrrp_sync_group must have a name", false),
            ("vrrp_sync_group g {\n}", "Sync group g has no members - removing", false),
            ("vrrp_sync_group g {\ngroup {\n}\n}", "has empty group block", false),
            ("vrrp_sync_group g {\ngroup {\nX\n}\n}", "Virtual router X specified in", false),
            ("vrrp_sync_group g {\ngroup {\nA\n}\n}", "has only 1 virtual router(s)", false),
            (
                "vrrp_sync_group g {\ngroup {\nA\n}\ngroup {\nA\n}\n}",
                "Group list already specified",
                false,
            ),
            (
                "vrrp_sync_group g {\ngroup {\nA\n}\n}\nvrrp_sync_group g {\n}",
                "vrrp sync group g already defined",
                false,
            ),
            (
                "vrrp_sync_group g {\ngroup {\nA\n}\n}\nvrrp_sync_group h {\ngroup {\nA\n}\n}",
                "cannot exist in more than one sync group; ignoring h",
                false,
            ),
            ("vrrp_sync_group g {\ngroup {\nA\n}\nglobal_tracking\n}", "global_tracking", false),
            ("track_group {\n}", "track_group must have a name", false),
            ("track_group g {\n}", "has no members - removing", false),
            ("track_group g {\ngroup {\n}\n}", "empty group block", false),
            ("track_group g {\ngroup { A }\n}\ntrack_group g {\ngroup { A }\n}", "already", false),
            ("vrrp_instance A {\n}", "vrrp instance A already defined", false),
            ("vrrp_instance {\n}", "vrrp_instance must have a name", false),
            ("vrrp_instance B C {\n}", "vrrp_instance must have a name", false),
        ],
        |after| Around { after, ..NOTHING },
    );
}

#[test]
fn between_instances() {
    judge(
        "instances",
        &[
            (
                "vrrp_instance B {\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress { \
                 10.0.0.2 }\n}",
                "A and B both use VRID 5 with IPv4 on interface eth0",
                true,
            ),
            (
                "vrrp_instance B {\ninterface eth1\nvirtual_router_id 5\nvirtual_ipaddress { \
                 10.0.0.2 }\n}",
                "",
                false,
            ),
            (
                "vrrp_instance B {\ninterface eth0\nvirtual_router_id 5\nunicast_peer {\n\
                 10.0.0.7\n}\nvirtual_ipaddress { 10.0.0.2 }\n}",
                "",
                false,
            ),
            (
                "vrrp_instance B {\ninterface eth0\nvirtual_router_id 5\nversion 3\n\
                 mcast_dst_ip 224.0.0.19\nvirtual_ipaddress { 10.0.0.2 }\n}",
                "",
                false,
            ),
            ("vrrp_instance B {\ninterface eth0\nvirtual_router_id 6\n}", "sensible", false),
            (
                "vrrp_instance B {\ninterface eth0\nvirtual_router_id 6\nversion 3\n}",
                "at least one is required",
                true,
            ),
            (
                "vrrp_instance B {\ninterface eth0\nvirtual_ipaddress { 10.0.0.2 }\n}",
                "the virtual router id must be set",
                true,
            ),
            (
                "vrrp_instance B {\nvirtual_router_id 6\nvirtual_ipaddress { 10.0.0.2 }\n}",
                "Unknown interface!",
                true,
            ),
            (
                "vrrp_instance B {\nvirtual_router_id 6\nvirtual_ipaddress { 10.0.0.2 dev eth1 \
                 }\nunicast_peer {\n10.0.0.9\n}\n}",
                "must have unicast_src_ip or interface",
                true,
            ),
            (
                "vrrp_instance B {\ninterface tun0\nvirtual_router_id 6\nvirtual_ipaddress { \
                 10.0.0.2 }\n}",
                "does not support multicast",
                false,
            ),
        ],
        |after| Around { after, ..NOTHING },
    );
}

#[test]
fn in_static_blocks() {
    judge(
        "static",
        &[
            ("static_ipaddress {\n10.0.0.9\n}", "", false),
            ("static_ipaddress {\n10.0.0.9 track_group foo\n}", "track_group foo not found", false),
            ("static_ipaddress {\n10.0.0.9 dev nonex\n}", "for ip address 10.0.0.9", true),
            (
                "static_ipaddress {\n10.0.0.9 use_vmac\n}",
                "Unknown configuration entry 'use_vmac'",
                false,
            ),
            ("garp_group {\ninterface eth0\n}", "does not have any delay set", false),
            (
                "garp_group {\ngarp_interval 0.1\ninterface eth0\ninterface eth0\n}",
                "garp_group already specified for eth0",
                false,
            ),
            ("garp_group {\ngarp_interval x\n}", "garp_interval 'x' invalid", false),
            (
                "garp_group {\ngarp_interval 0.1\ninterfaces {\n}\n}",
                "empty garp_group interfaces block",
                false,
            ),
            ("linkbeat_interfaces {\neth0 FOO\n}", "extra characters FOO", false),
            ("linkbeat_interfaces {\neth0 MII x\n}", "extra characters x", false),
            ("interface_up_down_delays {\neth0\n}", "", false),
            ("interface_up_down_delays {\neth0 x\n}", "delay", false),
        ],
        |before| Around { before, ..NOTHING },
    );
}

#[test]
fn in_globals() {
    judge(
        "global_defs",
        &[
            ("vrrp_mcast_group4 10.0.0.1", "not an IPv4 multicast address", false),
            ("vrrp_mcast_group6 fe80::1", "not an IPv6 multicast address", false),
            ("vrrp_mcast_group6 ff05::1", "not of link-local scope", false),
            ("vrrp_garp_master_repeat 0", "setting to 1", false),
            ("vrrp_garp_interval 0", "vrrp_garp_interval", false),
            ("vrrp_version 4", "vrrp_version", false),
            ("dynamic_interfaces foo", "dynamic_interfaces", false),
            ("vrrp_startup_delay 0", "vrrp_startup_delay", false),
            ("vrrp_rx_bufs_policy MTU ADVERT", "MTU is used", false),
            ("vrrp_rx_bufs_multiplier 0", "vrrp_rx_bufs_multiplier", false),
            ("vrrp_rx_bufs_multiplier 3 4", "takes one number", false),
            ("vmac_prefix a\nvmac_prefix b", "already specified", false),
            ("nftables\nnftables", "already specified", false),
            ("vrrp_vmac_garp_intvl 5", "vrrp_garp_extra_if", false),
            ("vrrp_garp_extra_if 0", "vrrp_garp_extra_if", false),
            ("notify_fifo /x\nnotify_fifo /y", "notify_fifo already specified", false),
            ("json_version 3", "json_version", false),
            ("iproute_etc_dir", "takes one directory", false),
            ("default_interface eth1\nvrrp_min_garp\nlog_unknown_vrids", "", false),
        ],
        |globals| Around { globals, ..NOTHING },
    );
}

#[test]
fn in_routes() {
    let block = |entry: &str| format!("static_routes {{\n{entry}\n}}\n");
    for (entry, message) in [
        ("10.1.0.0/16 via 10.0.0.1 dev eth0", ""),
        ("inet6 default via fe80::1 dev eth0", ""),
        ("default via inet6 fe80::1 dev eth0", ""),
        ("blackhole to 10.1.0.0/16 no_track", ""),
        ("10.2.0.0/16 dev eth0 rtt 5s rto_min lock 500ms mtu lock 1400 tos 0x10", ""),
        ("10.2.0.0/16 dev eth0 encap ip id 5 metric 5", ""),
        ("10.2.0.0/16 dev eth0 encap mpls 100/200", ""),
        ("10.2.0.0/16 no_track nexthop via 10.0.0.1 weight 5 nexthop via 10.0.0.2 onlink", ""),
        ("via 10.0.0.1 dev eth0", "Route must have a destination"),
        ("10.1.0.0/16 dev nope", "interface nope for VROUTE nexthop doesn't exist"),
        ("10.1.0.0/16 dev eth0 foo", "unknown route keyword foo"),
        ("10.1.0.0/99 dev eth0", "using 32"),
        ("10.1.0.0/16 dev eth0 mtu x", "Invalid mtu x specified for route"),
        ("10.1.0.0/16 gw 10.0.0.1 dev eth0", "\"gw\" for routes is deprecated"),
        ("10.1.0.0/16 dev eth0 or 10.0.0.9", "\"or\" for routes is deprecated"),
        ("10.1.0.0/16 dev eth0 as to 10.0.0.9", "\"as to\" for MPLS only"),
        ("10.1.0.0/16 dev eth0 via fe80::1", "Cannot mix IPv4 and IPv6"),
        ("10.1.0.0/16 dev eth0 protocol 5", "resetting protocol"),
        ("10.1.0.0/16 via 10.0.0.1", "not tracking"),
        ("fe80::/64 dev eth0 realms 5", "realms are only valid for IPv4"),
        ("10.1.0.0/16 dev eth0 expires 5", "expires is only valid for IPv6"),
        ("10.1.0.0/16 dev eth0 pref low", "pref is only valid for IPv6"),
        ("10.1.0.0/16 dev eth0 tos 300", "300"),
        ("10.1.0.0/16 dev eth0 table no-such-table", "Routing table no-such-table not found"),
        ("10.1.0.0/16 dev eth0 rtt x", "Invalid rtt x"),
        ("10.1.0.0/16 dev eth0 rtt 5e1s", "Invalid rtt 5e1s"),
        ("10.1.0.0/16 dev eth0 rtt 50ms", "below 200 ms"),
        ("10.1.0.0/16 dev eth0 rtt 500s", "exceeds 120 seconds"),
        ("10.1.0.0/16 dev eth0 features foo", "foo"),
        ("10.1.0.0/16 dev eth0 quickack 2", "Invalid quickack 2"),
        ("10.1.0.0/16 dev eth0 hoplimit 256", "Invalid hoplimit 256"),
        ("10.1.0.0/16 dev eth0 encap ip tos 5", "address or id missing for ip"),
        ("10.1.0.0/16 dev eth0 encap foo 5", "Unknown encap type - foo"),
        ("10.1.0.0/16 nexthop via 10.0.0.1 weight 300", "Invalid weight 300"),
        ("10.1.0.0/16 nexthop via 10.0.0.1 foo", "trailing nonsense after nexthops - foo"),
        ("10.1.0.0/16 dev eth0 vrf eth1", "eth1 is not a VRF"),
        ("10.1.0.0/16 dev eth0 vrf blue", ""),
        ("10.1.0.0/16 dev eth0 track_group foo", "track_group foo not found"),
        ("10.1.0.0/16 dev eth0 ttl-propagate foo", "ttl-propagate value foo"),
    ] {
        expect(&block(entry), entry, message);
    }
}

#[test]
fn in_rules() {
    let block = |entry: &str| format!("static_rules {{\n{entry}\n}}\n");
    for (entry, message) in [
        ("from 10.0.0.0/8 table 5 priority 100", ""),
        ("inet6 table 100 priority 5", ""),
        ("not from all lookup main priority 0x10 fwmark 0x10/0xff", ""),
        ("from all table 5 priority 9 ipproto tcp sport 5-6 dport 7", ""),
        ("from all type blackhole priority 9", ""),
        ("from all goto 50 priority 9 uidrange 5-7", ""),
        ("from 10.0.0.0/8", "No action specified for rule"),
        ("from 10.0.0.0/8 table 5", "setting to 16384"),
        ("from 10.0.0.0/8 table 0 priority 9", "Table 0 is not valid"),
        ("from 10.0.0.0/8 table 5 priority 9 foo", "Unknown rule option foo"),
        ("from 10.0.0.0/8 table 5 priority x", "Invalid rule priority x"),
        ("from 10.0.0.0/8 table 5 priority 9 fwmark x", "Invalid rule fwmark x"),
        ("from 10.0.0.0/8 table 5 priority 9 sport x", "invalid sport range x"),
        ("from 10.0.0.0/8 blackhole unreachable priority 9", "Cannot specify more than one of"),
        ("from 10.0.0.0/8 l3mdev table 5 priority 9", "Cannot specify more than one of"),
        ("from 10.0.0.0/8 to fe80::/64 table 5 priority 9", "Cannot mix IPv4 and IPv6"),
        ("from 10.0.0.0/8 goto 5 priority 10", "preference 10 >= goto target 5"),
        ("from 10.0.0.0/8 nop realms 5 priority 9", "for non table action"),
        ("from 10.0.0.0/8 nop sup_pl 5 priority 9", "for non table action"),
        ("from 10.0.0.0/8 table 5 priority 9 protocol 5", "resetting protocol"),
        ("from 10.0.0.0/8 table 5 priority 9 protocol 300", "Invalid protocol 300"),
        ("from 10.0.0.0/8 table 5 priority 9 ipproto nosuch", "Invalid ipproto nosuch"),
        ("from 10.0.0.0/8 table 5 priority 9 uidrange 5", "invalid uidrange range 5"),
        ("from 10.0.0.0/8 table 5 priority 9 tunnel-id x", "Invalid rule tunnel-id x"),
        ("from 10.0.0.0/8 table 5 priority 9 dev nope", "interface nope for rule"),
        ("from 10.0.0.0/8 table 5 priority 9 track_group x", "track_group x not found"),
        ("from 10.0.0.0/8 type foo priority 9", "Unknown rule option foo"),
        ("from x table 5 priority 9", "parsed invalid IP x"),
    ] {
        expect(&block(entry), entry, message);
    }
}

fn expect(text: &str, entry: &str, message: &str) {
    let outcome = test(text);
    let said: Vec<_> = outcome.diagnostics.iter().map(|d| (d.class, &d.message)).collect();
    let status = if message.is_empty() { 0 } else { 5 };
    assert_eq!(outcome.exit_status(), status, "{entry}: {said:#?}");
    assert!(message.is_empty() || outcome.said(message), "{entry}: {said:#?}");
}

#[test]
fn missing_arguments_stop_the_daemon() {
    for keyword in ["virtual_router_id", "priority", "state", "advert_int", "notify_master"] {
        let outcome = test(
            &Around { inside: "", ..NOTHING }
                .text()
                .replace("interface eth0\n", &format!("interface eth0\n{keyword}\n")),
        );
        assert_eq!(outcome.exit_status(), 2, "{keyword}");
    }
    assert_eq!(test("vrrp_script {\n}\n").exit_status(), 2);
    for text in ["static_routes {\n10.1.0.0/16 via\n}\n", "static_rules {\nfrom all table\n}\n"] {
        let outcome = test(text);
        assert_eq!(outcome.exit_status(), 2, "{text}");
        assert!(outcome.result.is_err());
    }
}

#[test]
fn absent_interfaces_have_their_own_status() {
    let delays = test("interface_up_down_delays {\nnope 1 2\n}\n");
    assert_eq!((delays.exit_status(), delays.result.is_ok()), (4, true));
    let linkbeat = test("linkbeat_interfaces {\nnope\n}\n");
    assert_eq!((linkbeat.exit_status(), linkbeat.result.is_ok()), (4, true));
    let address =
        test("global_defs {\ndefault_interface nope\n}\nstatic_ipaddress {\n10.0.0.1\n}\n");
    assert_eq!((address.exit_status(), address.result.is_ok()), (4, false));
    let dynamic = test(
        &Around {
            globals: "dynamic_interfaces",
            inside: "interface nope\ntrack_interface {\nnope1\n}",
            ..NOTHING
        }
        .text(),
    );
    assert_eq!((dynamic.exit_status(), dynamic.result.is_ok()), (0, true));
}

#[test]
fn a_near_miss_is_suggested() {
    let text = Around { before: "vrrp_script check_web {\nscript \"/bin/true\"\n}", ..NOTHING }
        .text()
        .replace("10.0.0.1\n}", "10.0.0.1\n}\ntrack_script {\nchek_web\n}\ninterface ehh0");
    let outcome = test(&text);
    let helped = |help: &str| outcome.diagnostics.iter().any(|d| d.help.as_deref() == Some(help));
    assert!(helped("did you mean `check_web`?"));
    assert!(helped("did you mean `eth0`?") || helped("did you mean `eth1`?"));
}
