//! The configuration as the rest of the crate uses it: resolved, checked, no text left to interpret.
//!
//! Durations are `std::time::Duration`; priorities and VRIDs are in range once a value exists here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use config::ReceiveBuffer;
use notify::Script;

use super::Vmac;
use super::hmac::HmacSettings;
use crate::io::LinkMethod;

/// Everything a VRRP configuration says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Values of `global_defs` that VRRP acts on.
    pub globals: Globals,
    /// In file order.
    pub instances: Vec<InstanceSettings>,
    /// In file order.
    pub groups: Vec<GroupSettings>,
    /// Scripts that something tracks, in file order.
    pub scripts: Vec<ScriptSettings>,
    /// Files that something tracks.
    pub files: Vec<FileSettings>,
    /// BFD sessions that VRRP is told of, tracked or not, in file order.
    pub sessions: Vec<SessionSettings>,
    /// Processes that something tracks.
    pub processes: Vec<ProcessSettings>,
    /// Interfaces whose link is polled, each once, and how if that was said.
    pub linkbeat: Vec<(String, Option<LinkMethod>)>,
    /// `static_ipaddress`.
    pub static_addresses: Vec<AddressSettings>,
    /// `static_routes`, then `static_rules`.
    pub static_paths: Vec<Rc<PathSettings>>,
    /// `track_group` blocks.
    pub track_groups: Vec<TrackGroup>,
    /// `garp_group` blocks.
    pub garp_groups: Vec<GarpGroup>,
    /// Whether there is anything for VRRP to do.
    pub configured: bool,
    /// `interface_up_down_delays`: interface, down, up.
    pub debounce: Vec<(String, Duration, Duration)>,
}

/// `global_defs` of VRRP.
#[derive(Clone, Debug, PartialEq)]
pub struct Globals {
    /// `vrrp_mcast_group4`.
    pub mcast_group4: Ipv4Addr,
    /// `vrrp_mcast_group6`.
    pub mcast_group6: Ipv6Addr,
    /// `vrrp_startup_delay`, counted from the start of VRRP.
    pub startup_delay: Duration,
    /// What was left of `vrrp_delay_after_boot` when the configuration was read.
    pub boot_delay: Duration,
    /// `log_unknown_vrids`.
    pub log_unknown_vrids: bool,
    /// Minimum spacing of gratuitous ARPs on every interface outside a `garp_group`; zero: none.
    pub garp_interval: Duration,
    /// The same for unsolicited neighbour adverts.
    pub gna_interval: Duration,
    /// `dynamic_interfaces`.
    pub dynamic_interfaces: bool,
    /// Its option `allow_if_changes`.
    pub allow_if_changes: bool,
    /// `default_interface`.
    pub default_interface: String,
    /// `fifo_write_vrrp_states_on_reload`.
    pub fifo_write_states_on_reload: bool,
    /// `disable_local_igmp`.
    pub disable_local_igmp: bool,
    /// `vrrp_rx_bufs_policy`.
    pub rx_bufs: RxBufs,
    /// `vrrp_rx_bufs_multiplier`.
    pub rx_bufs_multiplier: u32,
    /// `json_version`.
    pub json_version: u8,
    /// `router_id`; empty means the host's name.
    pub router_id: String,
    /// `vmac_prefix`.
    pub vmac_prefix: Option<String>,
    /// `vmac_addr_prefix`.
    pub vmac_addr_prefix: Option<String>,
    /// Defaults of instances.
    pub defaults: InstanceDefaults,
    /// The tables that keep masters from accepting packets.
    pub firewall: FirewallSettings,
    /// `process_monitor_rcv_bufs`: of the socket that process events come by.
    pub process_buffer: ReceiveBuffer,
    /// What is only shown.
    pub recorded: Recorded,
}

/// The tables of nftables for instances that do not accept packets for their addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallSettings {
    /// `nftables`: their name, 1-254 bytes. Set, too, where the configuration needs them and does not say so.
    pub table: Option<String>,
    /// `nftables_priority`: of their chains.
    pub priority: i32,
    /// `nftables_ifindex`: interfaces are matched by index even where that may change.
    pub by_index: bool,
    /// `nftables_counters`.
    pub counters: bool,
}

impl FirewallSettings {
    /// Name of tables that the configuration does not name.
    pub const TABLE: &str = "keepalived";

    /// The tables' name.
    pub fn table(&self) -> &str {
        self.table.as_deref().unwrap_or(Self::TABLE)
    }

    /// The same tables, by their name.
    pub(crate) fn named(&self) -> FirewallSettings {
        FirewallSettings { table: Some(self.table().to_owned()), ..self.clone() }
    }
}

impl Default for FirewallSettings {
    fn default() -> Self {
        FirewallSettings { table: None, priority: -1, by_index: false, counters: false }
    }
}

/// `global_defs` of VRRP that nothing acts on yet, or ever, and dumps show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `vrrp_netlink_cmd_rcv_bufs`.
    pub command_buffer: ReceiveBuffer,
    /// `vrrp_netlink_monitor_rcv_bufs`.
    pub monitor_buffer: ReceiveBuffer,
    /// `iproute_usr_dir`; it has had its effect.
    pub iproute_usr_dir: String,
    /// `iproute_etc_dir`; it has had its effect.
    pub iproute_etc_dir: String,
}

impl Default for Recorded {
    fn default() -> Self {
        Recorded {
            command_buffer: ReceiveBuffer::default(),
            monitor_buffer: ReceiveBuffer::default(),
            iproute_usr_dir: "/usr/share/iproute2".into(),
            iproute_etc_dir: "/etc/iproute2".into(),
        }
    }
}

/// What instances without a keyword of their own get, as `global_defs` sets it. They have been
/// resolved with it; it is kept for dumps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceDefaults {
    /// `vrrp_version`.
    pub version: Version,
    /// `vrrp_garp_master_delay`, seconds.
    pub garp_delay: u32,
    /// `vrrp_garp_master_repeat`.
    pub garp_repeat: u32,
    /// `vrrp_garp_master_refresh`, seconds.
    pub garp_refresh: u32,
    /// `vrrp_garp_master_refresh_repeat`.
    pub garp_refresh_repeat: u32,
    /// `vrrp_garp_extra_if`: seconds, and whether for `all` interfaces.
    pub garp_extra_if: (u32, bool),
    /// `vrrp_garp_lower_prio_delay`, seconds.
    pub lower_prio_delay: Option<u32>,
    /// `vrrp_garp_lower_prio_repeat`.
    pub lower_prio_repeat: Option<u32>,
    /// `vrrp_down_timer_adverts`.
    pub down_timer_adverts: u8,
    /// `vrrp_lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
    /// `vrrp_owner_ignore_adverts`.
    pub owner_ignore_adverts: bool,
    /// `vrrp_check_unicast_src`.
    pub check_unicast_source: bool,
    /// `vrrp_skip_check_adv_addr`.
    pub skip_check_adv_addr: bool,
    /// `vrrp_strict`.
    pub strict: bool,
    /// `v3_checksum_as_v2`.
    pub v3_checksum_as_v2: bool,
    /// `vrrp_notify_priority_changes`.
    pub notify_priority_changes: bool,
}

impl Default for InstanceDefaults {
    fn default() -> Self {
        InstanceDefaults {
            version: Version::V2,
            garp_delay: 5,
            garp_repeat: 5,
            garp_refresh: 0,
            garp_refresh_repeat: 1,
            garp_extra_if: (0, false),
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
        }
    }
}

impl Default for Globals {
    fn default() -> Self {
        Globals {
            defaults: InstanceDefaults::default(),
            mcast_group4: Ipv4Addr::new(224, 0, 0, 18),
            mcast_group6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            startup_delay: Duration::ZERO,
            boot_delay: Duration::ZERO,
            log_unknown_vrids: false,
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            dynamic_interfaces: false,
            allow_if_changes: false,
            default_interface: "eth0".into(),
            fifo_write_states_on_reload: false,
            disable_local_igmp: false,
            rx_bufs: RxBufs::System,
            rx_bufs_multiplier: 3,
            json_version: 1,
            router_id: String::new(),
            vmac_prefix: None,
            vmac_addr_prefix: None,
            firewall: FirewallSettings::default(),
            process_buffer: ReceiveBuffer::default(),
            recorded: Recorded::default(),
        }
    }
}

/// `vrrp_rx_bufs_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxBufs {
    /// Leave the system's default.
    System,
    /// Multiplier times the interface's MTU for each instance.
    Mtu,
    /// Multiplier times the advert's size for each instance.
    Advert,
    /// This many bytes for each instance.
    Bytes(u32),
}

/// Protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// RFC 3768.
    V2,
    /// RFC 5798 and 9568.
    V3,
}

/// Address family of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How the v3 IPv4 checksum of a unicast instance treats the pseudo-header's destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UnicastChecksum {
    /// New form until a packet verifies only in the old form.
    #[default]
    Auto,
    /// `old_unicast_checksum`: always the multicast group.
    Old,
    /// `old_unicast_checksum never`.
    Never,
}

/// One `unicast_peer` entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The peer's address.
    pub address: IpAddr,
    /// Smallest accepted TTL.
    pub min_ttl: u8,
    /// Largest accepted TTL.
    pub max_ttl: u8,
}

/// What adverts of version 2 are authenticated by. Passwords have eight bytes, padded by zeroes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authentication {
    /// Nothing.
    #[default]
    None,
    /// `PASS`: this password, in the clear.
    Password([u8; 8]),
    /// `AH`: an authentication header with this key; IPv4 only.
    Ah([u8; 8]),
}

impl Authentication {
    /// The number in the packet.
    pub fn number(self) -> u8 {
        match self {
            Authentication::None => 0,
            Authentication::Password(_) => 1,
            Authentication::Ah(_) => 2,
        }
    }
}

/// One `vrrp_instance`, with every default resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceSettings {
    /// Its name.
    pub name: String,
    /// The configured interface, which carries the adverts unless a VMAC above it does; `None` only for
    /// unicast with a source.
    pub interface: Option<String>,
    /// `use_vmac`.
    pub vmac: Option<Box<Vmac>>,
    /// `vmac_xmit_base`: adverts do not use the VMAC.
    pub vmac_xmit_base: bool,
    /// `use_vmac_addr`.
    pub use_vmac_addr: bool,
    /// Further VMACs for some of its addresses.
    pub address_vmacs: Vec<Vmac>,
    /// `vrf`: unicast without an interface.
    pub vrf: Option<String>,
    /// 1-255.
    pub vrid: u8,
    /// Configured priority, 1-255; 255 is the address owner.
    pub priority: u8,
    /// Whether the configuration (or ownership) asks to start as MASTER.
    pub wants_master: bool,
    /// Whether `state MASTER` was written out.
    pub state_master_written: bool,
    /// Protocol version.
    pub version: Version,
    /// Address family.
    pub family: Family,
    /// Interval between adverts, whole seconds (v2) or centiseconds (v3).
    pub advert_interval: Duration,
    /// `down_timer_adverts`, 1-100.
    pub down_timer_adverts: u8,
    /// `dont_track_primary`.
    pub dont_track_primary: bool,
    /// `strict_mode`.
    pub strict: bool,
    /// `nopreempt`.
    pub nopreempt: bool,
    /// `preempt_delay`; zero: none.
    pub preempt_delay: Duration,
    /// `lower_prio_no_advert`.
    pub lower_prio_no_advert: bool,
    /// `higher_prio_send_advert`.
    pub higher_prio_send_advert: bool,
    /// `owner_ignore_adverts`.
    pub owner_ignore_adverts: bool,
    /// `timer_expired_backup`: the highest other priority.
    pub timer_expired_backup: Option<u8>,
    /// Whether the instance answers for its addresses (`accept`).
    pub accept: bool,
    /// `skip_check_adv_addr`.
    pub skip_check_adv_addr: bool,
    /// `authentication` (v2 only).
    pub authentication: Authentication,
    /// `auth_hmac`.
    pub hmac: Option<Rc<HmacSettings>>,
    /// `mcast_src_ip` or `unicast_src_ip`.
    pub source: Option<IpAddr>,
    /// `track_src_ip`.
    pub track_source: bool,
    /// `mcast_dst_ip`, else the global group of the family.
    pub group_address: IpAddr,
    /// Not empty: unicast.
    pub peers: Vec<Peer>,
    /// `unicast_ttl`.
    pub unicast_ttl: Option<u8>,
    /// Adverts must come from a configured peer.
    pub check_unicast_source: bool,
    /// `old_unicast_checksum`.
    pub unicast_checksum: UnicastChecksum,
    /// `v3_checksum_as_v2`.
    pub v3_checksum_as_v2: bool,
    /// A permanent configuration fault (severity F); the text that was logged.
    pub config_fault: Option<String>,
    /// `virtual_ipaddress`, at most 255 and what fits a packet.
    pub addresses: Vec<AddressSettings>,
    /// `virtual_ipaddress_excluded`.
    pub excluded: Vec<AddressSettings>,
    /// `virtual_routes`, then `virtual_rules`.
    pub paths: Vec<Rc<PathSettings>>,
    /// Gratuitous ARP and unsolicited NA.
    pub garp: GarpSettings,
    /// `track_interface`; the instance's own interface is tracked implicitly.
    pub track_interfaces: Vec<Track>,
    /// `track_script`.
    pub track_scripts: Vec<Track>,
    /// `track_file`.
    pub track_files: Vec<Track>,
    /// `track_process`.
    pub track_processes: Vec<Track>,
    /// `track_bfd`.
    pub track_bfds: Vec<Track>,
    /// What to run on which transition.
    pub notify: NotifySettings,
    /// `promote_secondaries`.
    pub promote_secondaries: bool,
    /// `no_virtual_ipaddress`: it is meant to have no address.
    pub no_addresses: bool,
    /// `kernel_rx_buf_size`; zero: not given.
    pub kernel_rx_buf_size: u32,
    /// `debug`, 0-4; stored and dumped.
    pub debug: u8,
}

impl InstanceSettings {
    /// The interface, or else the VRF, that its sockets are bound to.
    pub fn bound_to(&self) -> Option<&str> {
        match &self.vmac {
            Some(vmac) if !self.vmac_xmit_base => Some(&vmac.name),
            _ => self.interface.as_deref().or(self.vrf.as_deref()),
        }
    }

    /// The interface that has the virtual router's MAC address: its VMAC, or else the configured one.
    pub fn own_interface(&self) -> Option<&str> {
        self.vmac.as_ref().map(|vmac| vmac.name.as_str()).or(self.interface.as_deref())
    }

    /// All VMACs its addresses or its adverts need.
    pub fn vmacs(&self) -> impl Iterator<Item = &Vmac> {
        self.vmac.as_deref().into_iter().chain(&self.address_vmacs)
    }

    /// The first address on each interface that `garp_extra_if` is for: VMACs that no adverts leave from, and with
    /// `all` other such interfaces.
    pub fn extra_addresses(&self) -> impl Iterator<Item = &AddressSettings> {
        let all = || self.addresses.iter().chain(&self.excluded);
        let is_extra = |a: &AddressSettings| {
            self.bound_to() != Some(&a.interface)
                && (self.garp.extra_all || self.parent_of(&a.interface).is_some())
        };
        let is_first = move |at: usize, a: &AddressSettings| {
            all().take(at).all(|earlier| earlier.interface != a.interface)
        };
        let numbered = all().enumerate();
        numbered.filter(move |(at, a)| is_extra(a) && is_first(*at, a)).map(|(_, a)| a)
    }

    /// What the VMAC with this name stands on; `None` for other interfaces.
    pub fn parent_of(&self, name: &str) -> Option<&str> {
        self.vmacs().find(|vmac| vmac.name == name).map(|vmac| vmac.parent.as_str())
    }

    /// An instance of priority 100 on `interface` with the manual's defaults and no address yet.
    pub fn new(name: &str, interface: &str, vrid: u8, version: Version, family: Family) -> Self {
        let globals = Globals::default();
        InstanceSettings {
            name: name.to_owned(),
            interface: Some(interface.to_owned()),
            vmac: None,
            vmac_xmit_base: false,
            use_vmac_addr: false,
            address_vmacs: Vec::new(),
            vrf: None,
            vrid,
            priority: 100,
            wants_master: false,
            state_master_written: false,
            version,
            family,
            advert_interval: Duration::from_secs(1),
            down_timer_adverts: 3,
            dont_track_primary: false,
            strict: false,
            nopreempt: false,
            preempt_delay: Duration::ZERO,
            lower_prio_no_advert: false,
            higher_prio_send_advert: false,
            owner_ignore_adverts: false,
            timer_expired_backup: None,
            accept: true,
            skip_check_adv_addr: false,
            authentication: Authentication::None,
            hmac: None,
            source: None,
            track_source: false,
            group_address: match family {
                Family::V4 => globals.mcast_group4.into(),
                Family::V6 => globals.mcast_group6.into(),
            },
            peers: Vec::new(),
            unicast_ttl: None,
            check_unicast_source: false,
            unicast_checksum: UnicastChecksum::Auto,
            v3_checksum_as_v2: false,
            config_fault: None,
            paths: Vec::new(),
            addresses: Vec::new(),
            excluded: Vec::new(),
            garp: GarpSettings::default(),
            track_interfaces: Vec::new(),
            track_scripts: Vec::new(),
            track_files: Vec::new(),
            track_processes: Vec::new(),
            track_bfds: Vec::new(),
            notify: NotifySettings::default(),
            promote_secondaries: false,
            no_addresses: false,
            kernel_rx_buf_size: 0,
            debug: 0,
        }
    }
}

impl AddressSettings {
    /// An address on `interface` with no option.
    pub fn new(ip: IpAddr, prefix: u8, interface: &str) -> Self {
        AddressSettings {
            ip,
            prefix,
            interface: interface.to_owned(),
            use_vmac: false,
            scope: 0,
            broadcast: None,
            label: None,
            peer: None,
            home: false,
            dad: false,
            mngtmpaddr: false,
            noprefixroute: false,
            autojoin: false,
            no_track: false,
            preferred_lft: None,
            track_group: None,
        }
    }
}

impl Default for GarpSettings {
    fn default() -> Self {
        GarpSettings {
            delay: Duration::from_secs(5),
            repeat: 5,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            extra: Duration::ZERO,
            extra_all: false,
            lower_prio_delay: Duration::from_secs(5),
            lower_prio_repeat: 5,
        }
    }
}

/// `garp_*` of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GarpSettings {
    /// Second burst this long after becoming MASTER; zero: none.
    pub delay: Duration,
    /// Messages for each address in a burst.
    pub repeat: u32,
    /// Period of the refresh; zero: none.
    pub refresh: Duration,
    /// Messages for each address in a refresh.
    pub refresh_repeat: u32,
    /// Period of messages on interfaces that no adverts leave from; zero: none.
    pub extra: Duration,
    /// They are sent on all such interfaces, not on VMACs only.
    pub extra_all: bool,
    /// Delay of the extra burst after a lower-priority advert; zero: none.
    pub lower_prio_delay: Duration,
    /// Messages after a lower-priority advert; zero: none.
    pub lower_prio_repeat: u32,
}

/// A reference to a tracked thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Name of the script, file, process, BFD instance or interface.
    pub name: String,
    /// -254..254; zero: FAULT when not OK.
    pub weight: i32,
    /// `reverse`.
    pub reverse: bool,
}

/// Scripts and mails of an instance or group. Boxed, because most instances have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifySettings {
    /// `notify_master`.
    pub master: Option<Box<Script>>,
    /// `notify_backup`.
    pub backup: Option<Box<Script>>,
    /// `notify_fault`.
    pub fault: Option<Box<Script>>,
    /// `notify_stop`.
    pub stop: Option<Box<Script>>,
    /// `notify_deleted`'s script.
    pub deleted: Option<Box<Script>>,
    /// `notify_deleted` was given (with or without script).
    pub report_deleted: bool,
    /// `notify`.
    pub generic: Option<Box<Script>>,
    /// `notify_master_rx_lower_pri`.
    pub master_rx_lower_pri: Option<Box<Script>>,
    /// `notify_priority_changes`, resolved.
    pub priority_changes: bool,
    /// `smtp_alert`, resolved.
    pub smtp_alert: bool,
}

/// One `vrrp_sync_group`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSettings {
    /// Its name.
    pub name: String,
    /// Positions in [`Settings::instances`], in the group's order; at least one.
    pub members: Vec<usize>,
    /// `track_interface`, `track_script`, … apply to each member.
    pub track_interfaces: Vec<Track>,
    /// `track_script`.
    pub track_scripts: Vec<Track>,
    /// `track_file`.
    pub track_files: Vec<Track>,
    /// `track_process`.
    pub track_processes: Vec<Track>,
    /// `track_bfd`.
    pub track_bfds: Vec<Track>,
    /// `sync_group_tracking_weight`.
    pub tracking_weight: bool,
    /// What to run on which transition; `deleted`, `master_rx_lower_pri` are never set.
    pub notify: NotifySettings,
}

/// One `vrrp_script`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScriptSettings {
    /// Its name.
    pub name: String,
    /// What to run.
    pub script: Script,
    /// Time between starts.
    pub interval: Duration,
    /// Run time limit.
    pub timeout: Duration,
    /// Default weight of references.
    pub weight: i32,
    /// `weight N reverse`.
    pub reverse: bool,
    /// Successes needed.
    pub rise: u32,
    /// Failures needed.
    pub fall: u32,
    /// `init_fail`.
    pub init_fail: bool,
}

/// One `track_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    /// Its name.
    pub name: String,
    /// The watched path.
    pub path: String,
    /// Default weight of references.
    pub weight: i32,
    /// `weight N reverse`.
    pub reverse: bool,
    /// `init_file`: value and whether to overwrite.
    pub init: Option<(i32, bool)>,
}

/// What VRRP has to know of a `bfd_instance`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Its name.
    pub name: String,
    /// Default weight of references.
    pub weight: i32,
    /// `weight N reverse`.
    pub reverse: bool,
}

/// One `vrrp_track_process`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Its name.
    pub name: String,
    /// The process, then its parameters.
    pub process: Vec<String>,
    /// The process is compared with its first argument and not with its name.
    pub full_command: bool,
    /// How parameters are compared; `None`: not at all.
    pub parameters: Option<Parameters>,
    /// Default weight of references.
    pub weight: i32,
    /// `weight N reverse`.
    pub reverse: bool,
    /// `quorum`: so many must run.
    pub quorum: u32,
    /// `quorum_max`: more must not run.
    pub quorum_max: Option<u32>,
    /// `fork_delay`.
    pub fork_delay: Duration,
    /// `terminate_delay`.
    pub terminate_delay: Duration,
}

/// `param_match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// A process has these and no others.
    Exact,
    /// It begins with these.
    Partial,
    /// It begins with these, and with the last of them another may begin.
    Initial,
}

/// A route or a routing rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathSettings {
    /// Which.
    pub what: Path,
    /// `no_track`, or nothing to track it by.
    pub no_track: bool,
    /// `track_group`; static ones only.
    pub track_group: Option<String>,
}

/// What packets follow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    /// An entry of `virtual_routes` or `static_routes`.
    Route(netlink::Route),
    /// An entry of `virtual_rules` or `static_rules`.
    Rule(netlink::Rule),
}

impl PathSettings {
    /// Whether it is a route.
    pub fn is_route(&self) -> bool {
        matches!(self.what, Path::Route(_))
    }

    /// Names of the interfaces without which it cannot serve.
    pub fn interfaces(&self) -> Vec<&str> {
        match &self.what {
            Path::Route(route) => route.interfaces().collect(),
            Path::Rule(rule) => {
                [&rule.input, &rule.output].into_iter().flatten().map(String::as_str).collect()
            }
        }
    }
}

/// One address entry (`virtual_ipaddress`, `virtual_ipaddress_excluded`, `static_ipaddress`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSettings {
    /// The address.
    pub ip: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// Interface; the instance's own is filled in when the entry names none, and a VMAC where there is one.
    pub interface: String,
    /// `use_vmac`.
    pub use_vmac: bool,
    /// `scope`; IPv4 only.
    pub scope: u8,
    /// `brd`.
    pub broadcast: Option<Ipv4Addr>,
    /// `label`.
    pub label: Option<String>,
    /// `peer`.
    pub peer: Option<IpAddr>,
    /// `home`.
    pub home: bool,
    /// `-nodad`: leave duplicate address detection on.
    pub dad: bool,
    /// `mngtmpaddr`.
    pub mngtmpaddr: bool,
    /// `noprefixroute`.
    pub noprefixroute: bool,
    /// `autojoin`.
    pub autojoin: bool,
    /// `no_track`.
    pub no_track: bool,
    /// Preferred lifetime in seconds; `None` is forever. IPv6 only.
    pub preferred_lft: Option<u32>,
    /// `track_group`; static addresses only.
    pub track_group: Option<String>,
}

/// One `track_group`: instances that static entries may send to FAULT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackGroup {
    /// Its name.
    pub name: String,
    /// Positions in [`Settings::instances`]; at least one.
    pub members: Vec<usize>,
}

/// One `garp_group`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GarpGroup {
    /// `garp_interval`; zero: none.
    pub garp_interval: Duration,
    /// `gna_interval`; zero: none.
    pub gna_interval: Duration,
    /// Member interfaces.
    pub interfaces: Vec<String>,
}
