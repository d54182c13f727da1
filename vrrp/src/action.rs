//! What the protocol logic wants done. It decides; the caller executes, in order.
//!
//! The order inside one list is the order the specification gives for one instance (advert first,
//! then addresses, then gratuitous ARP, then notifications). A caller may execute the adverts of
//! many instances before the addresses of the first: no instance's own order changes by that.

/// One thing to do. Instances and groups are named by their position in the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an advert with this priority to the group or to every peer.
    Advert {
        /// Sender.
        instance: usize,
        /// Priority field; 0 releases mastership.
        priority: u8,
    },
    /// The instance's addresses shall be present, or absent.
    Addresses {
        /// Holder.
        instance: usize,
        /// Wanted presence.
        present: bool,
    },
    /// Announce every address `rounds` times by gratuitous ARP or unsolicited NA.
    Announce {
        /// Holder.
        instance: usize,
        /// Frames for each address.
        rounds: u32,
    },
    /// One announcement on each interface that needs it though no adverts leave from it.
    AnnounceExtra {
        /// Holder.
        instance: usize,
    },
    /// Drop announcements still queued.
    CancelAnnounce {
        /// Holder.
        instance: usize,
    },
    /// One announcement of the source address, so that a unicast master's neighbour entry is fresh.
    AnnounceSource {
        /// Owner of the source address.
        instance: usize,
    },
    /// Tell scripts, FIFOs and mail.
    Notify {
        /// Whom it is about.
        subject: Subject,
        /// What happened.
        event: NotifyEvent,
        /// Effective priority; 0 for groups.
        priority: u8,
    },
    /// Write a state to the FIFOs that did not change (`fifo_write_vrrp_states_on_reload`).
    Repeat {
        /// Whom it is about.
        subject: Subject,
        /// The state.
        event: NotifyEvent,
        /// Effective priority; 0 for groups.
        priority: u8,
    },
    /// A log line.
    Log {
        /// Only with detailed logging.
        detail: bool,
        /// The text.
        text: String,
    },
}

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An instance, by position.
    Instance(usize),
    /// A sync group, by position.
    Group(usize),
}

/// What a notification says; the words are those of scripts and FIFO lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotifyEvent {
    /// Became MASTER.
    Master,
    /// Became BACKUP.
    Backup,
    /// Became FAULT.
    Fault,
    /// The daemon stops.
    Stop,
    /// Removed by a reload.
    Deleted,
    /// A MASTER heard a lower-priority advert.
    MasterRxLowerPri,
    /// The priority of a MASTER changed.
    MasterPriority,
    /// The priority changed in any other state.
    BackupPriority,
}

impl NotifyEvent {
    /// Whether it is a change of state, which generic scripts and mails tell of.
    pub const fn is_state(self) -> bool {
        match self {
            NotifyEvent::Master
            | NotifyEvent::Backup
            | NotifyEvent::Fault
            | NotifyEvent::Stop
            | NotifyEvent::Deleted => true,
            NotifyEvent::MasterRxLowerPri
            | NotifyEvent::MasterPriority
            | NotifyEvent::BackupPriority => false,
        }
    }

    /// The word of scripts and FIFO lines.
    pub const fn word(self) -> &'static str {
        match self {
            NotifyEvent::Master => "MASTER",
            NotifyEvent::Backup => "BACKUP",
            NotifyEvent::Fault => "FAULT",
            NotifyEvent::Stop => "STOP",
            NotifyEvent::Deleted => "DELETED",
            NotifyEvent::MasterRxLowerPri => "MASTER_RX_LOWER_PRI",
            NotifyEvent::MasterPriority => "MASTER_PRIORITY",
            NotifyEvent::BackupPriority => "BACKUP_PRIORITY",
        }
    }
}
