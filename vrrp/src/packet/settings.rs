//! What an instance's configuration means for its adverts, in and out: the one place where it is decided.

use std::net::{IpAddr, Ipv4Addr};

use super::{ADVERT_TTL, AddressSet, AdvertSpec, ChecksumForm, ChecksumPolicy, Expect, Sequence};
use crate::config::{InstanceSettings, UnicastChecksum};

impl ChecksumForm {
    /// What the instance sends. `switched`: [`super::Accepted::switch_to_old_checksum`] was seen;
    /// `group`: the global IPv4 group.
    pub fn of(settings: &InstanceSettings, switched: bool, group: Ipv4Addr) -> ChecksumForm {
        match ChecksumPolicy::of(settings, switched, group) {
            ChecksumPolicy::Any => ChecksumForm::AsV2,
            ChecksumPolicy::Standard | ChecksumPolicy::Undecided(_) => ChecksumForm::Destination,
            ChecksumPolicy::Old(group) => ChecksumForm::Group(group),
        }
    }
}

impl ChecksumPolicy {
    /// What the instance accepts; arguments as for [`ChecksumForm::of`].
    pub fn of(settings: &InstanceSettings, switched: bool, group: Ipv4Addr) -> ChecksumPolicy {
        let unicast = (!settings.peers.is_empty()).then_some(settings.unicast_checksum);
        Self::new(settings.v3_checksum_as_v2, unicast, switched, group)
    }

    pub(super) fn new(
        as_v2: bool,
        unicast: Option<UnicastChecksum>,
        switched: bool,
        group: Ipv4Addr,
    ) -> ChecksumPolicy {
        match unicast {
            _ if as_v2 => ChecksumPolicy::Any,
            None | Some(UnicastChecksum::Never) => ChecksumPolicy::Standard,
            Some(UnicastChecksum::Auto) if !switched => ChecksumPolicy::Undecided(group),
            Some(UnicastChecksum::Auto | UnicastChecksum::Old) => ChecksumPolicy::Old(group),
        }
    }
}

impl<'a> AdvertSpec<'a> {
    /// The instance's advert with its configured priority. `addresses` are those of `settings.addresses`; `source`
    /// is the address in use; `destination` the group or a peer.
    pub fn of(
        settings: &InstanceSettings,
        addresses: &'a [IpAddr],
        source: IpAddr,
        destination: IpAddr,
        checksum: ChecksumForm,
    ) -> AdvertSpec<'a> {
        let unicast = !settings.peers.is_empty();
        AdvertSpec {
            version: settings.version,
            vrid: settings.vrid,
            priority: settings.priority,
            interval: settings.advert_interval,
            addresses,
            authentication: settings.authentication,
            sequence: Sequence::default(),
            trailer: settings.hmac.as_ref().is_some_and(|hmac| hmac.mode.signs()),
            source,
            destination,
            checksum,
            id: 1,
            ttl: settings.unicast_ttl.filter(|_| unicast).unwrap_or(ADVERT_TTL),
        }
    }
}

impl<'a> Expect<'a> {
    /// What the instance expects. `addresses` holds those of `settings.addresses`; `recorded_master` is the master's
    /// address while in BACKUP; `priority` the effective one; `sequence` the last number of an authentication header.
    /// The check of `auth_hmac` is added by who reads the clock.
    pub fn of(
        settings: &'a InstanceSettings,
        addresses: &'a AddressSet,
        checksum: ChecksumPolicy,
        recorded_master: Option<IpAddr>,
        priority: u8,
        sequence: Sequence,
    ) -> Expect<'a> {
        Expect {
            version: settings.version,
            interval: settings.advert_interval,
            authentication: settings.authentication,
            sequence,
            hmac: None,
            peers: &settings.peers,
            check_source: settings.check_unicast_source,
            addresses,
            skip_addresses_of: recorded_master.filter(|_| settings.skip_check_adv_addr),
            checksum,
            ignore_adverts: settings.owner_ignore_adverts && priority == u8::MAX,
        }
    }
}
