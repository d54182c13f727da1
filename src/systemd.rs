//! Telling systemd how far the daemon is. One datagram, sent without waiting.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The service manager's socket, if this process is a service of systemd.
#[derive(Debug, Default)]
pub struct Systemd {
    address: Option<SocketAddr>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// To be called before the fork: only a direct child of PID 1 is a service. A daemon started
    /// by a service (an agent that supervises routers, say) inherits its `NOTIFY_SOCKET` and must
    /// not speak for it.
    pub fn find() -> Systemd {
        let service = nix::unistd::getppid().as_raw() == 1
            && std::fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim() == "systemd");
        match std::env::var_os("NOTIFY_SOCKET").filter(|_| service) {
            Some(name) => Systemd { address: address(&name), watchdog: watchdog() },
            None => Systemd::default(),
        }
    }

    /// How often [`Systemd::alive`] has to be called: twice in the time after which the service
    /// manager takes the daemon for dead.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The loop turns.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// The daemon's configuration is active.
    pub fn ready(&self) {
        self.send(&format!("READY=1\nMAINPID={}\nSTATUS=Running", std::process::id()));
    }

    /// A reload ended without effect.
    pub fn ready_as_before(&self) {
        self.send(
            "READY=1\nSTATUS=Running with the configuration from before: the new one was refused",
        );
    }

    /// A reload begins; [`Systemd::ready`] or [`Systemd::ready_as_before`] ends it.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map_or(0, |t| t.tv_sec().saturating_mul(1_000_000).saturating_add(t.tv_nsec() / 1000));
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=Reading the configuration"));
    }

    /// The daemon is about to stop.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=Stopping");
    }

    fn send(&self, message: &str) {
        let Some(address) = &self.address else { return };
        let sent = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            socket.send_to_addr(message.as_bytes(), address)
        });
        if let Err(e) = sent {
            log::warn!("Unable to notify systemd: {e}");
        }
    }
}

fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

/// Half of `WATCHDOG_USEC`, unless it is meant for another process.
fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let micros = number("WATCHDOG_USEC").filter(|micros| *micros > 1 && ours)?;
    Some(Duration::from_micros(micros / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_to_an_abstract_socket() {
        let name = format!("@ka-notify-{}", std::process::id());
        let address = address(OsStr::new(&name)).unwrap();
        let server = UnixDatagram::bind_addr(&address).unwrap();
        let systemd = Systemd { address: Some(address), watchdog: None };
        let mut buf = [0; 200];
        let mut next = || {
            let len = server.recv(&mut buf).unwrap();
            String::from_utf8_lossy(&buf[..len]).into_owned()
        };
        systemd.ready();
        assert_eq!(next(), format!("READY=1\nMAINPID={}\nSTATUS=Running", std::process::id()));
        systemd.reloading();
        assert!(next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        systemd.stopping();
        assert_eq!(next(), "STOPPING=1\nSTATUS=Stopping");
        systemd.alive();
        assert_eq!(next(), "WATCHDOG=1");
    }
}
