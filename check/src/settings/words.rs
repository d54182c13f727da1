//! Settings in the words of dumps (spec checkers-behaviour §13).

use std::fmt;
use std::net::SocketAddr;

use ipvs::{Checksum, Forwarding, Tunnel};
use notify::Script;

use super::RegexSettings;

/// An endpoint as SMTP_CHECK and dumps write it: `[10.1.1.2]:80`.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint(pub SocketAddr);

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]:{}", self.0.ip(), self.0.port())
    }
}

/// A forwarding method: `NAT`, `DR`, `TUN, type = IPIP`, `TUN, type = GUE, port = 6080, no checksum`.
#[derive(Clone, Copy, Debug)]
pub struct Method(pub Forwarding);

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tunnel, checksum) = match self.0 {
            Forwarding::Nat => return f.write_str("NAT"),
            Forwarding::Direct => return f.write_str("DR"),
            Forwarding::Tunnel(tunnel, checksum) => (tunnel, checksum),
        };
        match tunnel {
            Tunnel::Ipip => return f.write_str("TUN, type = IPIP"),
            Tunnel::Gue(port) => write!(f, "TUN, type = GUE, port = {port}, ")?,
            Tunnel::Gre => f.write_str("TUN, type = GRE, ")?,
        }
        f.write_str(match checksum {
            Checksum::None => "no checksum",
            Checksum::Full => "checksum",
            Checksum::Remote => "remote checksum",
        })
    }
}

/// A notification script: `PATH, params = 'a' 'b', uid:gid 0:0`.
#[derive(Clone, Copy, Debug)]
pub struct ScriptLine<'a>(pub &'a Script);

impl fmt::Display for ScriptLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Script { argv, uid, gid, .. } = self.0;
        // Without a slash it is looked for in PATH, when it runs.
        if let Some(path) = argv.first().filter(|program| program.contains('/')) {
            write!(f, "{path}, params = ")?;
        }
        write!(f, "{}, uid:gid {uid}:{gid}", Arguments(argv))
    }
}

/// The words of a command: `'a' 'b'`.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(pub &'a [String]);

impl fmt::Display for Arguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}'{word}'")?;
        }
        Ok(())
    }
}

/// Accepted status codes: `200-299` or `404`.
#[derive(Clone, Copy, Debug)]
pub struct StatusRange(pub (u16, u16));

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = self.0;
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

impl RegexSettings {
    /// The names of its options, with blanks between them.
    pub fn options_text(&self) -> String {
        self.options.join(" ")
    }
}
