//! What VRRP tells those who look: the text of SIGUSR1, the statistics of SIGUSR2, the JSON.
//!
//! Scripts, exporters and dashboards read these texts word by word, so every line, its blanks and its
//! order are the C daemon's; a line about something that is not configured is absent. Everything is
//! printed from a [`Snapshot`], borrowed from the running [`Vrrp`], so tests print without sockets.
//!
//! # Files
//!
//! - [`clock`]: monotonic time to the wall clock. [`text`]: the line writer.
//! - [`instance`], [`address`], [`scripts`]: one virtual router.
//! - [`group`]: sync groups, static track groups, gratuitous ARP groups.
//! - [`trackers`]: scripts and files. [`interface`], [`socket`]: what they stand on.
//! - [`stats`], [`json`]: the other two formats.

mod address;
mod clock;
mod group;
mod instance;
mod interface;
mod json;
mod path;
mod scripts;
mod snapshot;
mod socket;
mod stats;
mod text;
mod trackers;

pub use clock::Clock;
pub(crate) use path::path_text;
pub(crate) use scripts::command;
pub(crate) use snapshot::{DebounceView, GarpView, HeldView, PortView, Snapshot, SocketView};

use std::time::Duration;

use crate::router::Router;
use crate::runtime::Vrrp;
use text::Text;

/// The state dump after its global section; every line ends in a newline.
pub fn state(vrrp: &Vrrp, clock: &Clock) -> String {
    let capacity = 4096 + 2048 * vrrp.router().instances().len();
    print_state(&vrrp.snapshot(), Text::new(*clock, capacity))
}

/// The statistics file; empty without instances.
pub fn stats(vrrp: &Vrrp) -> String {
    stats::print(vrrp.router())
}

/// The JSON file in the layout of `json_version`, one line; empty without instances, when there is
/// to be no file.
pub fn json(vrrp: &Vrrp, clock: &Clock) -> String {
    json::print(&vrrp.snapshot(), clock)
}

/// Seconds as C's `%g` prints them.
pub fn general(duration: Duration) -> String {
    let mut out = String::new();
    text::general(&mut out, duration);
    out
}

/// Sets the counters of all instances to zero.
pub fn clear_stats(vrrp: &mut Vrrp) {
    clear(vrrp.router_mut());
}

fn clear(router: &mut Router) {
    for i in 0..router.instances().len() {
        router.instance_mut(i).stats = crate::packet::Stats::default();
    }
}

/// All sections that are not empty, in the C daemon's order.
fn print_state(s: &Snapshot<'_>, mut t: Text) -> String {
    group::garp_groups(&mut t, &s.garp);
    address::statics(&mut t, s);
    path::statics(&mut t, "Static Routes", s.static_paths, true);
    path::statics(&mut t, "Static Rules", s.static_paths, false);
    group::track_groups(&mut t, s);
    instance::topology(&mut t, s);
    socket::pool(&mut t, s);
    group::sync_groups(&mut t, s);
    trackers::scripts(&mut t, s);
    trackers::files(&mut t, s);
    trackers::processes(&mut t, s);
    trackers::sessions(&mut t, s);
    interface::interfaces(&mut t, s);
    t.finish()
}

#[cfg(test)]
mod tests;
