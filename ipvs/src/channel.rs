//! The kernel's IPVS through its generic netlink family.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use netlink::codec::{TooLong, Writer};
use netlink::generic::Family;
use netlink::{Exchange, NetlinkError, Protocol};
use nix::errno::Errno;

use crate::batch::{Batch, Change, Request};
use crate::daemon::Timeouts;
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::open::{OpenError, within};
use crate::service::{Service, ServiceKey};
use crate::status::{self, DestinationStatus, ServiceStatus};
use crate::wire::{self, command};

/// Bytes of requests in one datagram, about a hundred requests.
const PIECE: usize = 32 * 1024;

/// The kernel's table of one network namespace.
#[derive(Debug)]
pub struct Channel {
    pub(crate) exchange: Exchange,
    pub(crate) family: Family,
    writer: Writer,
}

impl Channel {
    /// Opens the table of a network namespace. [`module`](crate::module) says how to load what it
    /// needs of the kernel.
    ///
    /// `None` is the namespace of the calling thread, `Some("")` that of the system's first process,
    /// and anything else a name in `/run/netns`. For those the thread goes there and comes back.
    ///
    /// # Errors
    /// The table cannot be used.
    pub fn open_in(namespace: Option<&str>) -> Result<Channel, OpenError> {
        let mut exchange = within(namespace, || Exchange::open(Protocol::Generic))?;
        match probe(&mut exchange) {
            Ok(family) => Ok(Channel { exchange, family, writer: Writer::new() }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(OpenError::Missing),
            Err(e) => Err(OpenError::Refused(e)),
        }
    }

    /// All services.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn services(&mut self) -> io::Result<Vec<ServiceStatus>> {
        let family = self.family;
        self.exchange.dump(
            |w, seq| family.message(w, command::GET_SERVICE, DUMP, seq, |_| {}),
            ServiceStatus::decode,
        )
    }

    /// The destinations of a service; only its key counts.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not. A service that is not there has no
    /// destinations.
    pub fn destinations(&mut self, service: &Service) -> io::Result<Vec<DestinationStatus>> {
        let family = self.family;
        self.exchange.dump(
            |w, seq| {
                family.message(w, command::GET_DEST, DUMP, seq, |w| {
                    wire::write_service_of_destination(w, service);
                })
            },
            |message| DestinationStatus::decode(message, service.key.family()),
        )
    }

    /// Executes the requests of one datagram.
    fn apply_piece(&mut self, requests: &[Request], failures: &mut Vec<Failure>) {
        self.writer.clear();
        let mut sent = Vec::with_capacity(requests.len());
        for request in requests {
            match wire::write(&mut self.writer, self.family, &request.change) {
                Ok(()) => sent.push(request),
                Err(TooLong) => failures.push(Failure::new(request, Errno::E2BIG)),
            }
        }
        let results = self.exchange.execute(self.writer.as_bytes(), sent.len());
        for (request, result) in sent.into_iter().zip(results) {
            if let Err(error) = result {
                self.take_error(request, &error, failures);
            }
        }
    }

    fn take_error(&mut self, request: &Request, error: &NetlinkError, failures: &mut Vec<Failure>) {
        let failure = Failure::new(request, error.errno);
        let Change::SetDestination(service, destination) = &request.change else {
            return failures.push(failure);
        };
        if !failure.is_missing_destination() {
            return failures.push(failure);
        }
        let change = Change::AddDestination(service.clone(), *destination);
        let again = Request { change, tag: request.tag };
        let before = failures.len();
        self.apply_piece(std::slice::from_ref(&again), failures);
        if failures.len() > before {
            failures.insert(before, failure.superseded());
        }
    }
}

pub(crate) const DUMP: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;

impl Kernel for Channel {
    fn apply(&mut self, batch: &Batch) -> Vec<Failure> {
        let mut failures = Vec::new();
        let mut rest = batch.requests();
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(piece_len(rest));
            self.apply_piece(piece, &mut failures);
            rest = others;
        }
        failures
    }

    fn timeouts(&mut self) -> io::Result<Timeouts> {
        let family = self.family;
        let mut found = None;
        self.exchange.ask(
            |w, seq| family.message(w, command::GET_CONFIG, ASK, seq, |_| {}),
            |message| found = found.or(status::timeouts(message)),
        )?;
        found.ok_or_else(|| Errno::EBADMSG.into())
    }
}

const ASK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;

/// Whether the kernel has no IPVS.
pub(crate) fn is_missing() -> bool {
    let probed = Exchange::open(Protocol::Generic).and_then(|mut exchange| probe(&mut exchange));
    probed.is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}

/// Finds the family and asks it whether it is there.
fn probe(exchange: &mut Exchange) -> io::Result<Family> {
    let (name, version) = wire::FAMILY;
    let family = Family::find(exchange, name, version)?;
    exchange.ask(|w, seq| family.message(w, command::GET_INFO, ASK, seq, |_| {}), |_| {})?;
    Ok(family)
}

/// Requests that may go out together: at most about [`PIECE`] bytes, and none after a change of a
/// destination that would have to wait for the addition which follows if there is no such
/// destination.
fn piece_len(requests: &[Request]) -> usize {
    /// More than a request without texts of the configuration takes.
    const REQUEST: usize = 256;
    let mut set: HashSet<(ServiceKey, IpAddr, u16)> = HashSet::new();
    let limit = requests.len().min(PIECE / REQUEST);
    for (position, request) in requests.iter().take(limit).enumerate() {
        let waits = match &request.change {
            Change::SetDestination(s, d) => !set.insert((s.key, d.address, d.port)),
            Change::AddDestination(s, d) | Change::DeleteDestination(s, d) => {
                set.contains(&(s.key, d.address, d.port))
            }
            Change::DeleteService(_) | Change::Flush => !set.is_empty(),
            _ => false,
        };
        if waits {
            return position.max(1);
        }
    }
    limit
}

#[cfg(test)]
mod tests;
