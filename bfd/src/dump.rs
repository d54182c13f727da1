//! The state dump. Leading blanks, words and order are the C daemon's: programs read it.

use std::fmt::{self, Display, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use scheduler::Time;

use crate::runtime::{Bfd, Port};
use crate::session::Session;

struct Text(String);

impl Text {
    fn line(&mut self, line: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// Everything below the global section; `now` is the scheduler's clock.
pub fn state(bfd: &Bfd, now: Time) -> String {
    let mut text = Text(String::new());
    let t = &mut text;
    t.line("------< BFD Data >------");
    let [one, several] = bfd.listening();
    t.line(format_args!(" fd_in = {}", one.unwrap_or(-1)));
    if let Some(several) = several {
        t.line(format_args!(" multihop fd_in = {several}"));
    }
    let drops = bfd.drops();
    t.line(format_args!(
        " dropped packets: malformed {}, no session {}, ttl {}, authenticated {}, AdminDown {}",
        drops.malformed, drops.no_session, drops.far, drops.authenticated, drops.admin_down
    ));
    t.line("------< BFD Topology >------");
    for (session, port) in bfd.sessions().iter().zip(bfd.ports()) {
        instance(t, session, port, now);
    }
    text.0
}

fn instance(t: &mut Text, session: &Session, port: &Port, now: Time) {
    let (c, local, remote) = (session.settings(), session.local(), session.remote());
    t.line(format_args!(" BFD Instance = {}", c.name));
    t.line(format_args!("   Neighbor IP = {}", c.neighbor));
    if let Some(source) = c.source {
        t.line(format_args!("   Source IP = {source}"));
    }
    t.line(format_args!("   Required min RX interval = {} us", c.min_rx));
    t.line(format_args!("   Desired min TX interval = {} us", c.min_tx));
    t.line(format_args!("   Desired idle TX interval = {} us", c.idle_tx));
    t.line(format_args!("   Detection multiplier = {}", c.multiplier));
    let ttl = if c.neighbor.is_ipv6() { "hoplimit" } else { "TTL" };
    t.line(format_args!("   {ttl} = {}", c.ttl));
    t.line(format_args!("   max_hops = {}", c.max_hops));
    t.line(format_args!("   passive = {}", c.passive));
    let yes_no = |yes| if yes { "Yes" } else { "No" };
    t.line(format_args!("   send event to VRRP process = {}", yes_no(c.vrrp)));
    t.line(format_args!("   send event to checker process = {}", yes_no(c.checker)));
    t.line(format_args!("   fd_out {}", port.fd().unwrap_or(-1)));
    t.line(format_args!("   send error = {}", port.failing));
    t.line(format_args!("   local state = {}", local.state));
    t.line(format_args!("   remote state = {}", remote.state));
    t.line(format_args!("   local discriminator = {:#x}", local.discriminator));
    t.line(format_args!("   remote discriminator = {:#x}", remote.discriminator));
    t.line(format_args!("   local diag = {}", local.diagnostic));
    t.line(format_args!("   remote diag = {}", remote.diagnostic));
    t.line(format_args!("   remote min tx intv = {} us", remote.min_tx));
    t.line(format_args!("   remote min rx intv = {} us", remote.min_rx));
    t.line("   local demand = 0");
    t.line(format_args!("   remote demand = {}", u8::from(remote.demand)));
    t.line(format_args!("   remote detect multiplier = {}", remote.multiplier));
    let not = if session.polls() { "" } else { "!" };
    t.line(format_args!("   {not}poll, !final"));
    t.line(format_args!("   local tx intv = {} us", local.interval));
    t.line(format_args!("   remote tx intv = {} us", remote.interval));
    t.line(format_args!("   local detection time = {} us", local.detection));
    t.line(format_args!("   remote detection time = {} us", session.remote_detection()));
    match session.last_seen() {
        Some(at) => t.line(format_args!("   last seen = {}", Moment::ago(now.since(at)))),
        None => t.line("   last_seen = [never]"),
    }
}

/// A moment of the wall clock.
struct Moment {
    /// Since 1970.
    at: Duration,
}

impl Moment {
    fn ago(ago: Duration) -> Moment {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { at: now.saturating_sub(ago) }
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at.as_secs(), self.at.subsec_micros());
        let date = calendar::local(i64::try_from(seconds).unwrap_or_default(), c"%a %b %e %T %Y");
        write!(f, "{seconds}.{micros:06} ({date}.{micros:06})")
    }
}
