//! From a socket to the instance an advert is for: one read thread per receive socket, then by VRID.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;

use scheduler::Time;

use super::{Refusal, Vrrp};
use crate::config::Family;
use crate::io::{Carriage, Datagram, Defect, SocketKey, SocketPair};
use crate::packet::{Counter, Packet, Rejected};
use crate::router::Heard;
use crate::state::State;

/// Batches taken from one socket before the loop looks at other urgent work.
const BATCHES: usize = 16;

/// A socket pair and the instances on it.
pub(super) struct Endpoint {
    pub key: SocketKey,
    pub pair: SocketPair,
    /// Instances by VRID; several only for unicast instances that share an address.
    by_vrid: Vec<Vec<u32>>,
}

impl Endpoint {
    pub fn new(key: SocketKey, pair: SocketPair) -> Self {
        Endpoint { key, pair, by_vrid: vec![Vec::new(); 256] }
    }

    /// The pair in one line, as the C daemon words it.
    pub fn described(&self) -> String {
        let index = self.key.interface;
        let family = if self.key.family() == Family::V4 { "IPv4" } else { "IPv6" };
        let protocol = self.key.protocol();
        let (receive, send) = (self.receive_fd(), self.pair.send().as_fd().as_raw_fd());
        let (kind, address) = match self.key.carriage {
            Carriage::Multicast(group) => ("multicast", group),
            Carriage::Unicast(source) => (", unicast", source),
        };
        format!(
            "VRRP sockpool: [ifindex({index:3}), family({family}), proto({protocol}), fd({receive},{send}) \
             {kind}, address({address})]"
        )
    }

    pub fn clear(&mut self) {
        self.by_vrid.iter_mut().for_each(Vec::clear);
    }

    pub fn add(&mut self, vrid: u8, instance: usize) {
        self.by_vrid[usize::from(vrid)].push(instance as u32);
    }

    fn knows(&self, vrid: u8) -> bool {
        !self.by_vrid[usize::from(vrid)].is_empty()
    }

    pub fn instances(&self) -> impl Iterator<Item = usize> + '_ {
        self.by_vrid.iter().flatten().map(|&i| i as usize)
    }

    pub fn receive_fd(&self) -> RawFd {
        self.pair.receive().as_fd().as_raw_fd()
    }

    pub fn send_fd(&self) -> BorrowedFd<'_> {
        self.pair.send().as_fd()
    }
}

impl Vrrp {
    /// Reads one socket; true when nothing is left on it.
    pub(super) fn read_socket(&mut self, now: Time, endpoint: usize) -> bool {
        let mut receiver = match self.receiver.take() {
            Some(receiver) => receiver,
            None => return true,
        };
        let mut drained = false;
        for _ in 0..BATCHES {
            let Some(e) = &self.endpoints[endpoint] else { break };
            let fd = e.receive_fd();
            match receiver.receive(e.pair.receive().as_fd()) {
                Ok(mut batch) => {
                    drained = batch.drained();
                    for datagram in &mut batch {
                        self.datagram(now, endpoint, fd, &datagram);
                    }
                }
                Err(error) => {
                    log::info!("recvmsg({fd}) returned {error}");
                    drained = true;
                }
            }
            if drained {
                break;
            }
        }
        self.receiver = Some(receiver);
        drained
    }

    fn datagram(&mut self, now: Time, endpoint: usize, fd: RawFd, datagram: &Datagram<'_>) {
        if self.router.is_delayed(now) {
            return;
        }
        if let Some(defect) = datagram.defect() {
            match defect {
                Defect::Empty => self.dropped.empty += 1,
                Defect::Truncated { .. } => self.dropped.truncated += 1,
            }
            if self.complain(now) {
                log::info!("recvmsg({fd}) {defect}");
            }
            return;
        }
        match datagram.packet() {
            Ok(packet) => self.packet(now, endpoint, &packet),
            Err(too_short) => {
                self.dropped.too_short += 1;
                if self.complain(now) {
                    log::info!("{too_short}");
                }
            }
        }
    }

    fn packet(&mut self, now: Time, endpoint: usize, packet: &Packet<'_>) {
        let Some(i) = self.find(endpoint, packet.vrid(), packet.source()) else {
            self.dropped.unknown_vrid += 1;
            if self.router.globals().log_unknown_vrids && self.complain(now) {
                self.log_unknown_vrid(endpoint, packet);
            }
            return;
        };
        let instance = &self.router.instances()[i];
        if matches!(instance.state(), State::Init | State::Fault) {
            return;
        }
        let verdict = {
            let expect = self.ports[i].expect(instance, self.router.globals());
            crate::packet::validate(packet, &expect)
        };
        if let Some(sequence) = verdict.sequence() {
            self.ports[i].sequence.heard(sequence);
        }
        if let Some(stamp) = verdict.stamp() {
            self.ports[i].heard_stamp(&instance.settings, packet.source(), stamp);
        }
        self.router.instance_mut(i).stats.record(&verdict);
        let instance = &self.router.instances()[i];
        let (since, name) = (instance.last_transition, Rc::clone(&instance.settings));
        for notice in verdict.notices() {
            if self.ports[i].complains(since, notice.kind()) {
                log::info!("({}) {notice}", name.name);
            }
        }
        let accepted = match verdict.outcome {
            Ok(accepted) => accepted,
            Err(rejected) => {
                if let Rejected::AhReplay { source, .. } = rejected
                    && let (State::Master, Some(own)) = (instance.state(), instance.source)
                {
                    self.ports[i].sequence.refused(own, source);
                }
                let counter = rejected.counter();
                if let Some(error @ (Counter::IpTtlErr | Counter::VersErr | Counter::ChkErr)) =
                    counter
                {
                    self.router.instance_mut(i).last_error = Some(error);
                }
                if self.ports[i].complains(since, rejected.kind()) {
                    log::info!("({}) {rejected}", name.name);
                    let source = packet.source();
                    self.refusals.extend(counter.map(|counter| Refusal {
                        instance: i,
                        counter,
                        source,
                    }));
                }
                return;
            }
        };
        if accepted.switch_to_old_checksum {
            self.ports[i].old_checksum = true;
            self.ports[i].rebuild(&self.router.instances()[i], self.router.globals());
        }
        let instance = &self.router.instances()[i];
        if instance.state() == State::Backup && instance.master != Some(accepted.source) {
            self.ports[i].forgive();
        }
        let heard = Heard {
            source: accepted.source,
            priority: accepted.priority,
            interval: accepted.interval,
        };
        self.router.advert_received(now, i, &heard, &mut self.actions);
    }

    /// The instance an advert is for. Of unicast instances that share VRID and address: the one that
    /// last heard this sender, else the one that lists it as peer (spec vrrp-behaviour §3.1).
    fn find(&self, endpoint: usize, vrid: u8, source: IpAddr) -> Option<usize> {
        let candidates = &self.endpoints[endpoint].as_ref()?.by_vrid[usize::from(vrid)];
        match candidates.as_slice() {
            [] => None,
            [one] => Some(*one as usize),
            many => {
                let instances = self.router.instances();
                let heard = many.iter().find(|&&i| instances[i as usize].master == Some(source));
                let lists = |i: &&u32| {
                    instances[**i as usize].settings.peers.iter().any(|p| p.address == source)
                };
                heard.or_else(|| many.iter().find(lists)).map(|&i| i as usize)
            }
        }
    }

    fn log_unknown_vrid(&self, endpoint: usize, packet: &Packet<'_>) {
        let interface =
            self.endpoints[endpoint].as_ref().and_then(|e| e.pair.interface()).unwrap_or("(none)");
        let vrid = packet.vrid();
        let known = self.endpoints[endpoint].as_ref().is_some_and(|e| e.knows(vrid));
        // Others listen to this VRID on the address, but to other peers.
        let from = if known { format!(" from {}", packet.source()) } else { String::new() };
        log::info!("Unknown VRID({vrid}) received on interface({interface}){from}. ignoring...");
    }
}
