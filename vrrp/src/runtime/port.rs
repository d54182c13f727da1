//! What an instance needs beside its protocol state to send and to judge adverts.

use std::net::IpAddr;
use std::time::SystemTime;

use scheduler::Time;

use crate::config::{Authentication, Globals, InstanceSettings};
use crate::instance::Instance;
use crate::io::{Carriage, Outgoing, QueueFull, SendBatch, SocketKey};
use crate::packet::{
    AddressSet, AdvertSpec, ChecksumForm, ChecksumPolicy, Expect, HmacCheck, Sequence, Stamp,
    Stamps, Template,
};
use crate::state::State;

/// The sending and receiving side of one instance.
pub(super) struct Port {
    /// Position of its socket pair; `None` while the interface or the source is missing.
    pub socket: Option<usize>,
    /// Index of the interface or VRF its sockets are bound to; 0 without one.
    pub interface: u32,
    template: Option<Template>,
    pub addresses: AddressSet,
    /// Kinds of complaints already logged in this state (one bit each).
    pub complained: u64,
    /// When the state was entered that they belong to.
    complained_since: Time,
    /// An accepted advert asked for the old unicast checksum.
    pub old_checksum: bool,
    /// Of authentication headers, sent and heard.
    pub sequence: Sequence,
    /// Of authentication trailers, sent and heard; `None` until `auth_hmac` needs them.
    stamps: Option<Box<Stamps>>,
    id: u16,
}

impl Port {
    pub fn new(settings: &InstanceSettings) -> Self {
        Port {
            socket: None,
            interface: 0,
            template: None,
            addresses: AddressSet::new(settings.family, settings.addresses.iter().map(|a| a.ip)),
            complained: 0,
            complained_since: Time::ZERO,
            old_checksum: false,
            sequence: Sequence::default(),
            stamps: None,
            id: 0,
        }
    }

    /// Prebuilds the advert; without a source there is none.
    pub fn rebuild(&mut self, instance: &Instance, globals: &Globals) {
        let s = &*instance.settings;
        if s.hmac.is_some() {
            self.stamps.get_or_insert_default();
        }
        self.addresses = AddressSet::new(s.family, s.addresses.iter().map(|a| a.ip));
        let addresses: Vec<IpAddr> = s.addresses.iter().map(|a| a.ip).collect();
        self.template = instance.source.and_then(|source| {
            let destination = s.peers.first().map_or(s.group_address, |p| p.address);
            let checksum = ChecksumForm::of(s, self.old_checksum, globals.mcast_group4);
            let spec = AdvertSpec::of(s, &addresses, source, destination, checksum);
            match Template::new(&spec) {
                Ok(template) => Some(template),
                Err(why) => {
                    log::error!("({}) cannot build its advert: {why}", s.name);
                    None
                }
            }
        });
    }

    /// Whether there is a prebuilt advert.
    pub fn is_built(&self) -> bool {
        self.template.is_some()
    }

    /// The socket pair it shares with others of the same key.
    pub fn key(&self, instance: &Instance) -> Option<SocketKey> {
        let s = &*instance.settings;
        let carriage = if s.peers.is_empty() {
            Carriage::Multicast(s.group_address)
        } else {
            Carriage::Unicast(instance.source?)
        };
        if s.bound_to().is_some() && self.interface == 0 {
            return None;
        }
        let ah = matches!(s.authentication, Authentication::Ah(_));
        Some(SocketKey { interface: self.interface, carriage, ah })
    }

    /// Queues one advert, to the group or to each peer.
    pub fn send(
        &mut self,
        tag: usize,
        s: &InstanceSettings,
        priority: u8,
        batch: &mut SendBatch,
    ) -> Result<(), QueueFull> {
        let (Some(socket), Some(template)) = (self.socket, &mut self.template) else {
            return Ok(());
        };
        self.id = self.id.checked_add(1).unwrap_or(1);
        template.set_priority(priority);
        template.set_id(self.id);
        // One number and one signature for all peers.
        if matches!(s.authentication, Authentication::Ah(_)) {
            self.sequence.advance();
        }
        if let Some(hmac) = &s.hmac
            && let (Some(key), Some(stamps)) = (hmac.signing_key(), &mut self.stamps)
        {
            let stamp = stamps.next(Stamp::of(SystemTime::now()), hmac.anti_replay);
            template.sign_trailer(key, stamp);
        }
        if s.peers.is_empty() {
            template.sign(self.sequence);
            return batch.push(Outgoing::advert(socket, tag, template, self.interface));
        }
        for peer in &s.peers {
            template.set_destination(peer.address);
            template.sign(self.sequence);
            let mut packet = Outgoing::advert(socket, tag, template, self.interface);
            packet.hop_limit = s.unicast_ttl;
            batch.push(packet)?;
        }
        Ok(())
    }

    /// What a received advert is judged by.
    pub fn expect<'a>(&'a self, instance: &'a Instance, globals: &Globals) -> Expect<'a> {
        let s = &*instance.settings;
        let checksum = ChecksumPolicy::of(s, self.old_checksum, globals.mcast_group4);
        let master = instance.master.filter(|_| instance.state() == State::Backup);
        let priority = instance.effective_priority();
        let expect = Expect::of(s, &self.addresses, checksum, master, priority, self.sequence);
        let hmac = s.hmac.as_deref().zip(self.stamps.as_deref()).map(|(settings, stamps)| {
            HmacCheck { settings, stamps, now: Stamp::of(SystemTime::now()) }
        });
        Expect { hmac, ..expect }
    }

    /// A trailer was right: no advert of its sender that is not later is used any more.
    pub fn heard_stamp(&mut self, s: &InstanceSettings, source: IpAddr, stamp: Stamp) {
        if let Some(stamps) = &mut self.stamps {
            stamps.heard(source, stamp, Stamps::most_senders(s.peers.len()));
        }
    }

    /// Every kind of complaint may be logged again.
    pub fn forgive(&mut self) {
        self.complained = 0;
    }

    /// Whether a complaint of this kind is the first in the state entered at `since`.
    pub fn complains(&mut self, since: Time, kind: u8) -> bool {
        if self.complained_since != since {
            self.complained_since = since;
            self.forgive();
        }
        let bit = 1u64.checked_shl(kind.into()).unwrap_or(0);
        let first = self.complained & bit == 0;
        self.complained |= bit;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Family, Version};

    #[test]
    fn each_kind_of_complaint_is_made_once_in_a_state() {
        let mut port = Port::new(&InstanceSettings::new("A", "eth0", 1, Version::V3, Family::V4));
        let (first, second) = (Time::from_nanos(1), Time::from_nanos(2));
        assert!(port.complains(first, 3));
        assert!(port.complains(first, 4));
        assert!(!port.complains(first, 3));
        assert!(port.complains(second, 3));
        assert!(!port.complains(second, 3));
        port.forgive();
        assert!(port.complains(second, 3));
    }
}
