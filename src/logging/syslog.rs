//! Datagrams to the local syslog daemon in the form of RFC 3164, never waiting.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use log::Level;

use super::{Entry, Idents, cut};
use crate::cli::Facility;

/// Where the syslog daemon listens.
pub const PATH: &str = "/dev/log";

/// Longest message; daemons cut longer ones or drop them.
const MAX: usize = 2048;

/// Least time between two attempts to connect.
const RETRY: Duration = Duration::from_secs(1);

/// A connection to the syslog daemon.
pub struct Syslog {
    facility: Facility,
    path: &'static str,
    socket: Option<UnixDatagram>,
    tried: Option<Instant>,
    lost: u64,
}

impl Syslog {
    /// Connects with the first line.
    pub fn new(facility: Facility, path: &'static str) -> Syslog {
        Syslog { facility, path, socket: None, tried: None, lost: 0 }
    }

    /// Sends a line, or counts it as lost.
    pub fn write(&mut self, entry: &Entry<'_>, idents: &Idents) {
        if self.lost > 0 {
            let message = format!("{} messages lost", self.lost);
            let report = Entry { level: Level::Warn, message: &message, ..*entry };
            if !self.send(&report, idents) {
                self.lost = self.lost.saturating_add(1);
                return;
            }
            self.lost = 0;
        }
        if !self.send(entry, idents) {
            self.lost = 1;
        }
    }

    fn send(&mut self, entry: &Entry<'_>, idents: &Idents) -> bool {
        let datagram = self.datagram(entry, idents);
        // Twice: a restarted syslog daemon is noticed by the first send that fails.
        for _ in 0..2 {
            self.connect();
            let Some(socket) = &self.socket else { return false };
            match socket.send(datagram.as_bytes()) {
                Ok(_) => return true,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => return false,
                Err(_) => self.socket = None,
            }
        }
        false
    }

    fn connect(&mut self) {
        if self.socket.is_some() || self.tried.is_some_and(|at| at.elapsed() < RETRY) {
            return;
        }
        self.socket = UnixDatagram::unbound().ok().filter(|socket| {
            socket.set_nonblocking(true).is_ok() && socket.connect(self.path).is_ok()
        });
        // A connection that worked may be renewed at once when it breaks.
        self.tried = self.socket.is_none().then(Instant::now);
    }

    fn datagram(&self, entry: &Entry<'_>, idents: &Idents) -> String {
        let severity = match entry.level {
            Level::Error => 3,
            Level::Warn => 4,
            // The detail of -D is INFO in the C daemon, and syslog daemons drop DEBUG by default.
            Level::Info | Level::Debug => 6,
            Level::Trace => 7,
        };
        let text = format!(
            "<{}>{} {}{}[{}]: {}",
            u32::from(self.facility.0) * 8 + severity,
            calendar::local(entry.seconds(), c"%b %e %T"),
            entry.part.ident(),
            idents.suffix(),
            std::process::id(),
            entry.message
        );
        cut(&text, MAX).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ident::Part;
    use super::*;

    fn entry(message: &str) -> Entry<'_> {
        Entry { level: Level::Info, part: Part::Vrrp, at: Duration::from_secs(0), message }
    }

    fn server(name: &str) -> (UnixDatagram, &'static str) {
        let path = std::env::temp_dir().join(format!("ka-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        (socket, Box::leak(path.to_str().unwrap().to_string().into_boxed_str()))
    }

    fn next(socket: &UnixDatagram) -> Option<String> {
        let mut buf = [0; 4096];
        let len = socket.recv(&mut buf).ok()?;
        Some(String::from_utf8_lossy(&buf[..len]).into_owned())
    }

    #[test]
    fn lines_have_priority_time_ident_and_pid() {
        let (socket, path) = server("form");
        let mut syslog = Syslog::new(Facility(23), path);
        let idents = Idents { namespace: Some("ns".into()), instance: Some("i".into()) };
        syslog.write(&entry("hello"), &idents);
        let line = next(&socket).unwrap();
        std::fs::remove_file(path).unwrap();
        assert!(line.starts_with("<190>"), "{line}");
        let tail = format!(" Keepalived_vrrp_ns_i[{}]: hello", std::process::id());
        assert!(line.ends_with(&tail), "{line}");
    }

    #[test]
    fn a_full_socket_drops_counts_and_reports() {
        let (socket, path) = server("full");
        let mut syslog = Syslog::new(Facility::DAEMON, path);
        let idents = Idents::default();
        let mut written = 0;
        while syslog.lost < 3 {
            written += 1;
            syslog.write(&entry("x"), &idents);
        }
        let mut read = 0;
        while next(&socket).is_some() {
            read += 1;
        }
        assert_eq!(read, written - 3);
        syslog.write(&entry("after"), &idents);
        assert!(next(&socket).unwrap().ends_with(": 3 messages lost"));
        assert!(next(&socket).unwrap().ends_with(": after"));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_restarted_syslog_daemon_is_found_again() {
        let (socket, path) = server("again");
        let mut syslog = Syslog::new(Facility::DAEMON, path);
        syslog.write(&entry("one"), &Idents::default());
        assert!(next(&socket).is_some());
        drop(socket);
        let (socket, _) = server("again");
        syslog.write(&entry("two"), &Idents::default());
        assert!(next(&socket).unwrap().ends_with(": two"));
        std::fs::remove_file(path).unwrap();
    }
}
