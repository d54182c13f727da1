//! Reading the kernel's table a part at a time, so that thousands of destinations hold nobody up.

use std::io;

use crate::channel::{Channel, DUMP};
use crate::open::OpenError;
use crate::service::{Family, Service, ServiceKey};
use crate::status::{DestinationStatus, ServiceStatus};
use crate::wire::{self, command};

/// A socket of its own, beside that of whoever changes the table. After an error a new one is needed.
#[derive(Debug)]
pub struct Survey {
    channel: Channel,
    /// Family of the service whose destinations were asked for.
    of: Family,
}

impl Survey {
    /// Opens it in a network namespace, named as for [`Channel::open_in`].
    ///
    /// # Errors
    /// The table cannot be used.
    pub fn open_in(namespace: Option<&str>) -> Result<Survey, OpenError> {
        Ok(Survey { channel: Channel::open_in(namespace)?, of: Family::Inet })
    }

    /// Asks for all services, which [`Survey::services`] then reads.
    ///
    /// # Errors
    /// What the system says about the request.
    pub fn ask_services(&mut self) -> io::Result<()> {
        let family = self.channel.family;
        self.channel
            .exchange
            .begin_dump(|w, seq| family.message(w, command::GET_SERVICE, DUMP, seq, |_| {}))
    }

    /// Reads some of them; true after the last.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn services(&mut self, mut take: impl FnMut(ServiceStatus)) -> io::Result<bool> {
        self.channel
            .exchange
            .dump_part(|message| ServiceStatus::decode(message).into_iter().for_each(&mut take))
    }

    /// Asks for the destinations of a service, which [`Survey::destinations`] then reads. A service that is not there
    /// has none.
    ///
    /// # Errors
    /// What the system says about the request.
    pub fn ask_destinations(&mut self, key: ServiceKey) -> io::Result<()> {
        self.of = key.family();
        let family = self.channel.family;
        // Only the key counts.
        let service = Service {
            key,
            scheduler: "rr",
            flags: 0,
            persistence: 0,
            granularity: None,
            engine: None,
        };
        self.channel.exchange.begin_dump(|w, seq| {
            family.message(w, command::GET_DEST, DUMP, seq, |w| {
                wire::write_service_of_destination(w, &service);
            })
        })
    }

    /// Reads some of them; true after the last.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    pub fn destinations(&mut self, mut take: impl FnMut(DestinationStatus)) -> io::Result<bool> {
        let of = self.of;
        self.channel.exchange.dump_part(|message| {
            DestinationStatus::decode(message, of).into_iter().for_each(&mut take);
        })
    }
}
