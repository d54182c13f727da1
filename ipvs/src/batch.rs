//! Changes that go to the kernel together.

use crate::daemon::{Daemon, DaemonState, Timeouts};
use crate::service::{Destination, Service};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    AddService(Service),
    SetService(Service),
    DeleteService(Service),
    Flush,
    AddDestination(Service, Destination),
    SetDestination(Service, Destination),
    DeleteDestination(Service, Destination),
    StartDaemon(Daemon),
    StopDaemon(DaemonState, u8),
    SetTimeouts(Timeouts),
}

/// A change and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) change: Change,
    pub(crate) tag: u64,
}

/// Changes in the order they will be made.
///
/// A tag is the caller's own mark; it comes back when the change fails and need not be unique. A
/// batch can be applied more than once and cleared for reuse without giving up memory.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    requests: Vec<Request>,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Removes all changes.
    pub fn clear(&mut self) {
        self.requests.clear();
    }

    /// Adds a service.
    pub fn add_service(&mut self, service: &Service, tag: u64) {
        self.push(Change::AddService(service.clone()), tag);
    }

    /// Changes everything but the key of a service.
    pub fn set_service(&mut self, service: &Service, tag: u64) {
        self.push(Change::SetService(service.clone()), tag);
    }

    /// Deletes a service and its destinations.
    pub fn delete_service(&mut self, service: &Service, tag: u64) {
        self.push(Change::DeleteService(service.clone()), tag);
    }

    /// Deletes all services, whoever made them.
    pub fn flush(&mut self, tag: u64) {
        self.push(Change::Flush, tag);
    }

    /// Adds a destination to a service.
    pub fn add_destination(&mut self, service: &Service, destination: &Destination, tag: u64) {
        self.push(Change::AddDestination(service.clone(), *destination), tag);
    }

    /// Changes everything but address and port of a destination. One that is not there is added.
    pub fn set_destination(&mut self, service: &Service, destination: &Destination, tag: u64) {
        self.push(Change::SetDestination(service.clone(), *destination), tag);
    }

    /// Deletes a destination; connections to it end as they come.
    pub fn delete_destination(&mut self, service: &Service, destination: &Destination, tag: u64) {
        self.push(Change::DeleteDestination(service.clone(), *destination), tag);
    }

    /// Starts a sync daemon.
    pub fn start_daemon(&mut self, daemon: &Daemon, tag: u64) {
        self.push(Change::StartDaemon(daemon.clone()), tag);
    }

    /// Stops a sync daemon.
    pub fn stop_daemon(&mut self, state: DaemonState, id: u8, tag: u64) {
        self.push(Change::StopDaemon(state, id), tag);
    }

    /// Sets the timeouts.
    pub fn set_timeouts(&mut self, timeouts: Timeouts, tag: u64) {
        self.push(Change::SetTimeouts(timeouts), tag);
    }

    pub(crate) fn requests(&self) -> &[Request] {
        &self.requests
    }

    fn push(&mut self, change: Change, tag: u64) {
        self.requests.push(Request { change, tag });
    }
}
