//! Where the master agent listens.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use socket2::{Domain, SockAddr};

/// A stream socket of the master's. Names are not resolved: that would take time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A path.
    Unix(PathBuf),
    /// An address and a port.
    Tcp(SocketAddr),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is neither unix:PATH nor tcp:ADDRESS:PORT", self.0)
    }
}

impl std::error::Error for Unusable {}

impl Default for Address {
    fn default() -> Self {
        Address::Unix("/var/agentx/master".into())
    }
}

impl FromStr for Address {
    type Err = Unusable;

    fn from_str(text: &str) -> Result<Self, Unusable> {
        let unusable = || Unusable(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:").or(text.starts_with('/').then_some(text)) {
            return if path.is_empty() { Err(unusable()) } else { Ok(Address::Unix(path.into())) };
        }
        let rest = text.strip_prefix("tcp6:").or(text.strip_prefix("tcp:")).unwrap_or(text);
        if let Ok(address) = rest.parse() {
            return Ok(Address::Tcp(address));
        }
        let port = rest.strip_prefix("localhost:").unwrap_or(rest);
        let port = port.parse().map_err(|_| unusable())?;
        Ok(Address::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl Address {
    pub(crate) fn domain(&self) -> Domain {
        match self {
            Address::Unix(_) => Domain::UNIX,
            Address::Tcp(address) => Domain::for_address(*address),
        }
    }

    /// # Errors
    /// The path is too long.
    pub(crate) fn socket_address(&self) -> io::Result<SockAddr> {
        match self {
            Address::Unix(path) => SockAddr::unix(path),
            Address::Tcp(address) => Ok((*address).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_net_snmp_has_them() {
        for (text, shown) in [
            ("unix:/run/agentx", "unix:/run/agentx"),
            ("/run/agentx", "unix:/run/agentx"),
            ("tcp:127.0.0.1:705", "tcp:127.0.0.1:705"),
            ("tcp:localhost:705", "tcp:127.0.0.1:705"),
            ("tcp:705", "tcp:127.0.0.1:705"),
            ("705", "tcp:127.0.0.1:705"),
            ("tcp6:[::1]:705", "tcp:[::1]:705"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        for text in ["", "unix:", "udp:127.0.0.1:705", "tcp:host:705", "tcp:127.0.0.1", "tcp:70500"]
        {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert_eq!(error, format!("{text} is neither unix:PATH nor tcp:ADDRESS:PORT"));
        }
    }
}
