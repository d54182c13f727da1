//! Answers of the kernel, read without a socket: what the fuzz targets call.

use netlink::codec::Message;

use crate::daemon::Timeouts;
use crate::service::Family;
use crate::status::{self, DestinationStatus, ServiceStatus};

/// What a message says about a service.
pub fn service(message: &Message<'_>) -> Option<ServiceStatus> {
    ServiceStatus::decode(message)
}

/// What a message says about a destination of a service of `family`.
pub fn destination(message: &Message<'_>, family: Family) -> Option<DestinationStatus> {
    DestinationStatus::decode(message, family)
}

/// What a message says about the timeouts.
pub fn timeouts(message: &Message<'_>) -> Option<Timeouts> {
    status::timeouts(message)
}
