//! Where the bus listens (D-Bus Specification, "Server Addresses").

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::str::FromStr;

use socket2::SockAddr;

/// A bus of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// As for a socket: a path, or a NUL and a name.
    name: Vec<u8>,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is neither unix:path=PATH nor unix:abstract=NAME", self.0)
    }
}

impl std::error::Error for Unusable {}

impl Default for Address {
    /// The system bus.
    fn default() -> Self {
        Address { name: b"/run/dbus/system_bus_socket".to_vec() }
    }
}

impl FromStr for Address {
    type Err = Unusable;

    /// Several addresses may stand behind each other, separated by `;`: the first that is of this machine counts.
    fn from_str(text: &str) -> Result<Self, Unusable> {
        text.split(';').find_map(one).ok_or_else(|| Unusable(text.to_owned()))
    }
}

fn one(text: &str) -> Option<Address> {
    let pairs = text.strip_prefix("unix:")?;
    pairs.split(',').filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| {
        let value = unescape(value)?;
        let name = match key {
            "path" => value,
            "abstract" => [b"\0", &value[..]].concat(),
            _ => return None,
        };
        (!value_is_empty(&name) && !name[1..].contains(&0)).then_some(Address { name })
    })
}

fn value_is_empty(name: &[u8]) -> bool {
    matches!(name, [] | [0])
}

/// `%` and two digits are a byte.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    Some(out)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name[..] {
            [0, name @ ..] => write!(f, "unix:abstract={}", name.escape_ascii()),
            name => write!(f, "unix:path={}", name.escape_ascii()),
        }
    }
}

impl Address {
    /// # Errors
    /// The path is too long.
    pub(crate) fn socket_address(&self) -> io::Result<SockAddr> {
        SockAddr::unix(OsString::from_vec(self.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_of_this_machine_counts() {
        for (text, shown) in [
            ("unix:path=/run/bus", "unix:path=/run/bus"),
            ("unix:guid=12,path=/run/a%20b,x=y", "unix:path=/run/a b"),
            ("unix:abstract=name", "unix:abstract=name"),
            ("tcp:host=localhost,port=1;unix:path=/x", "unix:path=/x"),
            ("unix:path=/a;unix:path=/b", "unix:path=/a"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "unix:",
            "unix:path=",
            "unix:abstract=",
            "/run/bus",
            "unix:path=%",
            "unix:path=%zz",
            "unix:path=a%00b",
            "tcp:host=localhost",
            "unix:tmpdir=/tmp",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            let wanted = format!("{text} is neither unix:path=PATH nor unix:abstract=NAME");
            assert_eq!(error, wanted);
        }
    }
}
