//! The packet filter's part of load balancing (spec ipvs §8): a table that gives the packets for a
//! group of virtual servers one mark, and a table that masquerades real servers.
//!
//! Somebody says what should be there and [`Rules`] brings it about, in one transaction each time:
//! packets see the old table or the new one. Where only elements of maps differ only those are
//! changed, so that counters go on.

mod elements;
mod message;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use netlink::nft::Transaction;
use netlink::{Exchange, NetlinkError, Protocol as Sockets};
use nix::errno::Errno;

use crate::open::{OpenError, within};
use crate::service::{Family, Protocol};
use elements::Maps;
use message::table;

/// Name of the table that masquerades.
const NAT_TABLE: &str = "keepalived_nat";

/// What the maps should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedMaps {
    /// Name of the table.
    pub table: String,
    /// Priority of its chain.
    pub priority: i32,
    /// Whether elements and rules count packets.
    pub counters: bool,
    /// What is marked. Of two that overlap the first one counts.
    pub entries: Vec<MapEntry>,
}

/// Addresses and a port whose packets are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapEntry {
    /// Transport protocol.
    pub protocol: Protocol,
    /// First address.
    pub first: IpAddr,
    /// Last address, of the same family and not before the first.
    pub last: IpAddr,
    /// Destination port.
    pub port: u16,
    /// The mark.
    pub mark: u32,
}

/// A network of real servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// Any address in it.
    pub address: Ipv4Addr,
    /// Its mask.
    pub mask: Ipv4Addr,
}

/// Our tables in one network namespace.
#[derive(Debug)]
pub struct Rules {
    exchange: Exchange,
    /// What the kernel has of us; `None`: unknown, of an earlier run perhaps.
    maps: Option<Applied>,
    networks: Option<BTreeSet<Network>>,
}

#[derive(Debug)]
struct Applied {
    table: String,
    priority: i32,
    counters: bool,
    maps: [Maps; 2],
}

const FAMILIES: [Family; 2] = [Family::Inet, Family::Inet6];

impl Rules {
    /// Opens a socket in the network namespace of the calling thread. Nothing is changed yet.
    ///
    /// # Errors
    /// What the system says about the socket.
    pub fn open() -> io::Result<Rules> {
        Ok(Rules::on(Exchange::open(Sockets::Netfilter)?))
    }

    /// The same in a namespace as [`Channel::open_in`](crate::Channel::open_in) names them.
    ///
    /// # Errors
    /// The namespace cannot be entered, or what the system says about the socket.
    pub fn open_in(namespace: Option<&str>) -> Result<Rules, OpenError> {
        Ok(Rules::on(within(namespace, || Exchange::open(Sockets::Netfilter))?))
    }

    fn on(exchange: Exchange) -> Rules {
        Rules { exchange, maps: None, networks: None }
    }

    /// Makes the maps what they should be; without entries of a family its table goes.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not. Nothing has changed then, except that
    /// leftovers of an earlier run may be gone.
    pub fn follow(&mut self, wanted: &WantedMaps) -> io::Result<()> {
        if self.maps.as_ref().is_some_and(|applied| applied.table != wanted.table) {
            self.remove_maps()?;
        }
        let maps = FAMILIES.map(|family| Maps::new(family, &wanted.entries));
        let known = self.maps.take();
        let alike = known.as_ref().filter(|applied| applied.has_looks_of(wanted));
        let mut done = self.follow_maps(wanted, alike.map(|applied| &applied.maps), &maps);
        if done.is_err() && alike.is_some() {
            // Somebody else has changed the table: all of it, then.
            done = self.follow_maps(wanted, None, &maps);
        }
        if let Err(error) = done {
            self.maps = known;
            return Err(error);
        }
        let (table, priority) = (wanted.table.clone(), wanted.priority);
        self.maps = Some(Applied { table, priority, counters: wanted.counters, maps });
        Ok(())
    }

    /// Masquerades what comes from these networks; without any the table goes.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not. Nothing has changed then.
    pub fn masquerade(&mut self, networks: &[Network]) -> io::Result<()> {
        let networks: BTreeSet<Network> = networks.iter().map(|n| n.normal()).collect();
        if self.networks.as_ref() == Some(&networks) {
            return Ok(());
        }
        if networks.is_empty() {
            self.delete(Family::Inet, NAT_TABLE)?;
        } else {
            let mut transaction = Transaction::new();
            let table = table(Family::Inet, NAT_TABLE);
            transaction.replace_table(table);
            message::add_postrouting(&mut transaction, table);
            for network in &networks {
                message::masquerade(&mut transaction, table, *network);
            }
            self.commit(transaction)?;
        }
        self.networks = Some(networks);
        Ok(())
    }

    /// Deletes the tables that were made.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn remove(&mut self) -> io::Result<()> {
        let maps = self.remove_maps();
        let networks = match self.networks.take() {
            Some(networks) if !networks.is_empty() => self.delete(Family::Inet, NAT_TABLE),
            _ => Ok(()),
        };
        maps.and(networks)
    }

    fn remove_maps(&mut self) -> io::Result<()> {
        let Some(applied) = self.maps.take() else { return Ok(()) };
        let mut done = Ok(());
        for (family, maps) in FAMILIES.into_iter().zip(&applied.maps) {
            if !maps.is_empty() {
                done = done.and(self.delete(family, &applied.table));
            }
        }
        done
    }

    /// Changes from what is `known` to be there, or, if that is nothing, replaces.
    fn follow_maps(
        &mut self,
        wanted: &WantedMaps,
        known: Option<&[Maps; 2]>,
        maps: &[Maps; 2],
    ) -> io::Result<()> {
        let mut transaction = Transaction::new();
        let t = &mut transaction;
        for (n, (family, maps)) in FAMILIES.into_iter().zip(maps).enumerate() {
            let known = known.and_then(|known| known.get(n));
            let table = table(family, &wanted.table);
            match known {
                Some(known) if known.has_protocols_of(maps) => {
                    for (name, elements) in known.without(maps) {
                        message::delete_elements(t, table, name, &elements);
                    }
                    for (name, elements) in maps.without(known) {
                        message::add_elements(t, table, name, &elements);
                    }
                }
                // Of this family everything goes, or nothing was there.
                Some(_) if maps.is_empty() => t.drop_table(table),
                None if maps.is_empty() => self.delete(family, &wanted.table)?,
                _ => {
                    t.replace_table(table);
                    message::add_input(t, table, wanted.priority);
                    for (protocol, elements) in maps.all() {
                        let name = elements::map_name(protocol);
                        message::add_map(t, table, name, wanted.counters);
                        message::add_elements(t, table, name, &elements);
                        message::mark(t, table, protocol, wanted.counters);
                    }
                }
            }
        }
        self.commit(transaction)
    }

    /// Deletes a table; it need not be there, nor the family it would be in.
    fn delete(&mut self, family: Family, name: &str) -> io::Result<()> {
        let mut transaction = Transaction::new();
        transaction.delete_table(table(family, name));
        match transaction.send(&mut self.exchange) {
            Err(NetlinkError {
                errno: Errno::ENOENT | Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT,
                ..
            }) => Ok(()),
            other => Ok(other?),
        }
    }

    fn commit(&mut self, transaction: Transaction) -> io::Result<()> {
        Ok(transaction.send(&mut self.exchange)?)
    }
}

impl Applied {
    /// Whether all but the elements is as it should be.
    fn has_looks_of(&self, wanted: &WantedMaps) -> bool {
        self.priority == wanted.priority && self.counters == wanted.counters
    }
}

impl Network {
    fn normal(self) -> Network {
        let bits = self.address.to_bits() & self.mask.to_bits();
        Network { address: Ipv4Addr::from_bits(bits), mask: self.mask }
    }
}
