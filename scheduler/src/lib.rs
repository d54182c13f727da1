//! Read, write, timer, child, signal and event threads on one mio poll.
mod time;

pub use time::Time;
