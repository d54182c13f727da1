//! Whoever makes changes: the kernel, or what stands in for it.

use std::io;

use crate::batch::Batch;
use crate::daemon::Timeouts;
use crate::failure::Failure;

/// A table of virtual services.
pub trait Kernel {
    /// Makes the changes of a batch in order. A change that fails does not stop those after it.
    fn apply(&mut self, batch: &Batch) -> Vec<Failure>;

    /// The timeouts in force.
    ///
    /// # Errors
    /// What the kernel answers; `TimedOut` when it does not.
    fn timeouts(&mut self) -> io::Result<Timeouts>;
}

/// A kernel without IPVS: takes everything, does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Absent;

impl Kernel for Absent {
    fn apply(&mut self, _batch: &Batch) -> Vec<Failure> {
        Vec::new()
    }

    fn timeouts(&mut self) -> io::Result<Timeouts> {
        Ok(Timeouts::default())
    }
}
