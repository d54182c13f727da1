//! Gratuitous ARP and unsolicited neighbour adverts, paced where an interval is configured.
//!
//! Without an interval a burst leaves in one system call. With one (`vrrp_garp_interval`,
//! `garp_group`), addresses wait in a queue per group of interfaces and one frame leaves each
//! interval; asking again for an address that waits only raises its count (spec vrrp-behaviour §7.4).

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use scheduler::Time;

use super::kernel_view::KernelView;
use crate::config::{GarpGroup, Globals};
use crate::io::{GarpChannel, ipv6_forwarding};

/// How long the answer about IPv6 forwarding is believed.
const FORWARDING_AGE: Duration = Duration::from_secs(5);
/// Addresses that may wait in one paced queue; what exceeds it is dropped and logged.
const QUEUE_LIMIT: usize = 65_536;

/// An address to announce on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Interface.
    pub interface: String,
    /// Virtual address.
    pub ip: IpAddr,
}

/// Interfaces that share the spacing of their frames.
struct Lane {
    interval: Duration,
    next: Time,
    queue: VecDeque<(Announcement, u32)>,
}

/// Sends and paces.
pub struct Announcer {
    channel: GarpChannel,
    lanes: Vec<Lane>,
    /// The interface below each VMAC, which is where frames are spaced.
    parents: HashMap<String, String>,
    /// Lane of an interface, for ARP and for NA.
    by_interface: HashMap<(String, bool), usize>,
    default_arp: Duration,
    default_na: Duration,
    forwarding: HashMap<String, (Time, bool)>,
}

impl Announcer {
    /// Opens the packet sockets.
    pub fn open(globals: &Globals, groups: &[GarpGroup]) -> std::io::Result<Self> {
        let mut announcer = Announcer {
            channel: GarpChannel::open()?,
            lanes: Vec::new(),
            parents: HashMap::new(),
            by_interface: HashMap::new(),
            default_arp: Duration::ZERO,
            default_na: Duration::ZERO,
            forwarding: HashMap::new(),
        };
        announcer.configure(globals, groups);
        Ok(announcer)
    }

    /// The interface below each VMAC, by the VMAC's name.
    pub fn set_parents(&mut self, parents: HashMap<String, String>) {
        self.parents = parents;
    }

    /// Takes over new intervals; what waits is sent by the old ones first.
    pub fn configure(&mut self, globals: &Globals, groups: &[GarpGroup]) {
        let waiting: Vec<(Announcement, u32)> =
            self.lanes.drain(..).flat_map(|lane| lane.queue).collect();
        self.by_interface.clear();
        self.default_arp = globals.garp_interval;
        self.default_na = globals.gna_interval;
        for group in groups {
            for (interval, na) in [(group.garp_interval, false), (group.gna_interval, true)] {
                if interval.is_zero() {
                    continue;
                }
                for interface in &group.interfaces {
                    self.by_interface.insert((interface.clone(), na), self.lanes.len());
                }
                self.lanes.push(Lane { interval, next: Time::ZERO, queue: VecDeque::new() });
            }
        }
        for (announcement, rounds) in waiting {
            if let Some(lane) = self.lane(&announcement) {
                self.lanes[lane].queue.push_back((announcement, rounds));
            }
        }
    }

    fn lane(&mut self, a: &Announcement) -> Option<usize> {
        let na = a.ip.is_ipv6();
        let lane_key = (self.parents.get(&a.interface).unwrap_or(&a.interface).clone(), na);
        if let Some(&lane) = self.by_interface.get(&lane_key) {
            return Some(lane);
        }
        let interval = if na { self.default_na } else { self.default_arp };
        if interval.is_zero() {
            return None;
        }
        self.lanes.push(Lane { interval, next: Time::ZERO, queue: VecDeque::new() });
        self.by_interface.insert(lane_key, self.lanes.len() - 1);
        Some(self.lanes.len() - 1)
    }

    /// When the next frame of an interface may leave; [`Time::ZERO`] if none ever waited.
    pub fn next_of(&self, interface: &str, na: bool) -> Time {
        let lane = self.by_interface.get(&(interface.to_owned(), na));
        lane.map_or(Time::ZERO, |&lane| self.lanes[lane].next)
    }

    /// Interfaces that were asked whether they forward IPv6: when, and the answer.
    pub fn forwarding(&self) -> impl Iterator<Item = (&str, (Time, bool))> {
        self.forwarding.iter().map(|(name, &answer)| (name.as_str(), answer))
    }

    /// Queues a burst for the next [`Announcer::drain`]: `rounds` times over all addresses, in their order. `owner` is the instance, if it is one's.
    pub fn announce(
        &mut self,
        now: Time,
        owner: Option<&str>,
        addresses: &[Announcement],
        rounds: u32,
        view: &KernelView,
    ) {
        let owner = owner.map(|name| format!("({name}) ")).unwrap_or_default();
        let mut unpaced = Vec::new();
        for a in addresses {
            let family =
                if a.ip.is_ipv6() { "Unsolicited Neighbour Adverts" } else { "gratuitous ARPs" };
            log::debug!("{owner}Sending/queueing {family} on {} for {}", a.interface, a.ip);
            match self.lane(a) {
                None => unpaced.push(a),
                Some(lane) => self.enqueue(lane, a, rounds),
            }
        }
        for _ in 0..rounds {
            for a in &unpaced {
                self.push(now, a, view);
            }
        }
    }

    fn enqueue(&mut self, lane: usize, a: &Announcement, rounds: u32) {
        let queue = &mut self.lanes[lane].queue;
        if let Some((_, pending)) = queue.iter_mut().find(|(known, _)| known == a) {
            *pending = (*pending).max(rounds);
        } else if queue.len() < QUEUE_LIMIT {
            queue.push_back((a.clone(), rounds));
        } else {
            log::warn!("Too many gratuitous ARPs wait; none for {}", a.ip);
        }
    }

    /// Forgets what waits for these addresses.
    pub fn cancel(&mut self, addresses: &[Announcement]) {
        for lane in &mut self.lanes {
            if !lane.queue.is_empty() {
                lane.queue.retain(|(a, _)| !addresses.contains(a));
            }
        }
    }

    /// When the next paced frame is due.
    pub fn next_due(&self) -> Time {
        self.lanes
            .iter()
            .filter(|l| !l.queue.is_empty())
            .map(|l| l.next)
            .min()
            .unwrap_or(Time::NEVER)
    }

    /// Sends the paced frames that are due and everything queued without pacing.
    pub fn drain(&mut self, now: Time, view: &KernelView) {
        for lane in 0..self.lanes.len() {
            while self.lanes[lane].next <= now {
                let Some((a, rounds)) = self.lanes[lane].queue.pop_front() else { break };
                self.lanes[lane].next = now + self.lanes[lane].interval;
                self.push(now, &a, view);
                if rounds > 1 {
                    self.lanes[lane].queue.push_back((a, rounds - 1));
                }
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        if !self.channel.is_empty() {
            self.channel.flush(|_, error| {
                log::info!("Error sending gratuitous ARP or neighbour advert: {error}");
            });
        }
    }

    fn push(&mut self, now: Time, a: &Announcement, view: &KernelView) {
        let Some(link) = view.link(&a.interface) else { return };
        let (Ok(mac), true) = (<[u8; 6]>::try_from(link.mac.as_slice()), link.has_arp()) else {
            return;
        };
        let broadcast = <[u8; 6]>::try_from(link.broadcast.as_slice()).unwrap_or([0xff; 6]);
        let router = a.ip.is_ipv6() && {
            let parent = self.parents.get(&a.interface).unwrap_or(&a.interface).clone();
            self.forwards(now, &parent)
        };
        let queue = |channel: &mut GarpChannel| match a.ip {
            IpAddr::V4(ip) => {
                log::trace!("Sending gratuitous ARP on {} for {ip}", a.interface);
                channel.push_arp(0, link.index, mac, broadcast, ip)
            }
            IpAddr::V6(ip) => {
                log::trace!("Sending unsolicited Neighbour Advert on {} for {ip}", a.interface);
                channel.push_na(0, link.index, mac, ip, router)
            }
        };
        if queue(&mut self.channel).is_err() {
            self.flush();
            // The queue is empty now.
            let _ = queue(&mut self.channel);
        }
    }

    fn forwards(&mut self, now: Time, interface: &str) -> bool {
        if let Some(&(at, answer)) = self.forwarding.get(interface)
            && now.since(at) < FORWARDING_AGE
        {
            return answer;
        }
        let answer = ipv6_forwarding(interface);
        self.forwarding.insert(interface.to_owned(), (now, answer));
        answer
    }
}
