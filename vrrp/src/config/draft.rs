//! An instance while its block is read: what was written, defaults still open.

use std::net::IpAddr;
use std::rc::Rc;

use config::Span;
use notify::Script;

use super::host::InterfaceFacts;
use super::vmac::{IpvlanDraft, VmacDraft};
use super::{
    AddressSettings, Family, HmacKey, HmacMode, NotifySettings, PathSettings, Peer, Track,
    UnicastChecksum, Version,
};

/// One `vrrp_instance`.
#[derive(Default)]
pub(super) struct InstanceDraft {
    pub name: String,
    pub span: Option<Span>,
    pub interface: Option<String>,
    /// `None` also for an interface that does not exist yet (`dynamic_interfaces`).
    pub facts: Option<InterfaceFacts>,
    pub vrf: Option<String>,
    pub vrid: Option<u8>,
    /// `state`; true is MASTER.
    pub state: Option<bool>,
    pub priority: Option<u8>,
    pub version: Option<Version>,
    pub family: Option<Family>,
    /// Microseconds.
    pub advert_interval: Option<u64>,
    pub down_timer_adverts: Option<u8>,
    pub dont_track_primary: bool,
    /// `linkbeat_use_polling`.
    pub polls: bool,
    pub strict: Option<bool>,
    pub nopreempt: bool,
    /// Microseconds.
    pub preempt_delay: u64,
    pub lower_prio_no_advert: Option<bool>,
    pub higher_prio_send_advert: Option<bool>,
    pub owner_ignore_adverts: Option<bool>,
    pub timer_expired_backup: Option<u8>,
    pub accept: Option<bool>,
    pub skip_check_adv_addr: Option<bool>,
    pub auth_type: AuthType,
    pub password: Option<[u8; 8]>,
    pub hmac: Option<HmacDraft>,
    pub source: Option<IpAddr>,
    pub track_source: bool,
    pub group_address: Option<IpAddr>,
    pub peers: Vec<Peer>,
    pub unicast_ttl: Option<u8>,
    /// A keyword that only makes sense with unicast was given.
    pub wants_unicast: bool,
    pub unicast_fault_no_peer: bool,
    pub check_unicast_source: Option<bool>,
    pub unicast_checksum: UnicastChecksum,
    pub v3_checksum_as_v2: Option<bool>,
    pub vmac: Option<VmacDraft>,
    pub use_vmac_addr: bool,
    pub vmac_xmit_base: bool,
    pub ipvlan: Option<IpvlanDraft>,
    pub no_virtual_ipaddress: bool,
    pub addresses: Vec<AddressSettings>,
    pub excluded: Vec<AddressSettings>,
    pub routes: Vec<Rc<PathSettings>>,
    pub rules: Vec<Rc<PathSettings>>,
    pub garp_delay: Option<u32>,
    pub garp_repeat: Option<u32>,
    pub garp_refresh: Option<u32>,
    pub garp_refresh_repeat: Option<u32>,
    pub garp_extra_if: Option<(u32, bool)>,
    pub lower_prio_delay: Option<u32>,
    pub lower_prio_repeat: Option<u32>,
    pub trackers: Trackers,
    pub notify: NotifySettings,
    pub priority_changes: Option<bool>,
    pub smtp_alert: Option<bool>,
    pub promote_secondaries: bool,
    pub kernel_rx_buf_size: u32,
    pub debug: u8,
}

/// References of an instance or of a group, by kind.
#[derive(Default)]
pub(super) struct Trackers {
    pub interfaces: Vec<Track>,
    pub scripts: Vec<Track>,
    pub files: Vec<Track>,
    pub processes: Vec<Track>,
    pub bfds: Vec<Track>,
}

/// `auth_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum AuthType {
    #[default]
    None,
    Pass,
    Ah,
}

/// `auth_hmac`.
#[derive(Default)]
pub(super) struct HmacDraft {
    pub keys: Vec<HmacKey>,
    /// 0 until it is given.
    pub active: u8,
    /// Seconds.
    pub window: Option<u32>,
    pub monotonic: bool,
    pub mode: HmacMode,
}

/// One `vrrp_sync_group`.
#[derive(Default)]
pub(super) struct GroupDraft {
    pub name: String,
    /// `None` until the `group` block.
    pub members: Option<Vec<String>>,
    pub trackers: Trackers,
    pub tracking_weight: bool,
    pub notify: NotifySettings,
    pub priority_changes: Option<bool>,
    pub smtp_alert: Option<bool>,
}

/// The place of `NotifySettings` that the keyword `name` fills.
pub(super) fn script_place<'a>(
    notify: &'a mut NotifySettings,
    name: &str,
) -> Option<&'a mut Option<Box<Script>>> {
    Some(match name {
        "notify_master" => &mut notify.master,
        "notify_backup" => &mut notify.backup,
        "notify_fault" => &mut notify.fault,
        "notify_stop" => &mut notify.stop,
        "notify_deleted" => &mut notify.deleted,
        "notify_master_rx_lower_pri" => &mut notify.master_rx_lower_pri,
        "notify" => &mut notify.generic,
        _ => return None,
    })
}
