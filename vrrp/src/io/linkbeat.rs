//! Asking an interface's driver whether it has a link, for drivers that do not tell the kernel.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// linux/sockios.h.
const SIOCGIFFLAGS: u32 = 0x8913;
const SIOCETHTOOL: u32 = 0x8946;
const SIOCGMIIPHY: u32 = 0x8947;
const SIOCGMIIREG: u32 = 0x8948;
/// `ETHTOOL_GLINK` of linux/ethtool.h.
const GET_LINK: u32 = 0x0a;
/// `MII_BMSR` and `BMSR_LSTATUS` of linux/mii.h: the register and the bit that say it.
const STATUS_REGISTER: u16 = 1;
const LINK_STATUS: u16 = 0x0004;

/// How an interface is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkMethod {
    /// The status register of its transceiver.
    Mii,
    /// The driver.
    Ethtool,
    /// The kernel's flags.
    Ioctl,
}

/// A `struct ifreq`; no architecture's is larger.
#[repr(C, align(8))]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: [u8; 24],
}

/// A `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Asks interfaces of the network namespace in which it was opened.
#[derive(Debug)]
pub struct LinkProbe {
    socket: OwnedFd,
}

impl LinkProbe {
    /// Opens the socket that questions go through.
    ///
    /// # Errors
    /// What the system says.
    pub fn open() -> io::Result<LinkProbe> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        Ok(LinkProbe { socket })
    }

    /// The first of the methods that this interface answers to, beginning with the preferred one; `None` if it
    /// does not exist.
    pub fn method(&self, name: &str, preferred: Option<LinkMethod>) -> Option<LinkMethod> {
        let all = [LinkMethod::Mii, LinkMethod::Ethtool, LinkMethod::Ioctl];
        let mut all = preferred.into_iter().chain(all);
        all.find(|method| self.ask(name, *method).is_ok())
    }

    /// Whether the interface is up and has a link.
    ///
    /// # Errors
    /// It does not exist, or does not answer to this method.
    pub fn is_up(&self, name: &str, method: LinkMethod) -> io::Result<bool> {
        let up = self.flags(name)? & libc::IFF_UP != 0;
        Ok(self.ask(name, method)? && up)
    }

    fn ask(&self, name: &str, method: LinkMethod) -> io::Result<bool> {
        match method {
            LinkMethod::Mii => self.ask_transceiver(name),
            LinkMethod::Ethtool => self.ask_driver(name),
            LinkMethod::Ioctl => Ok(self.flags(name)? & libc::IFF_RUNNING != 0),
        }
    }

    fn flags(&self, name: &str) -> io::Result<i32> {
        let mut request = request(name)?;
        self.call(SIOCGIFFLAGS, &mut request)?;
        let [low, high, ..] = request.data;
        Ok(u16::from_ne_bytes([low, high]).into())
    }

    /// The request holds the numbers of transceiver and register, and what is in it.
    fn ask_transceiver(&self, name: &str) -> io::Result<bool> {
        let mut request = request(name)?;
        self.call(SIOCGMIIPHY, &mut request)?;
        request.data[2..4].copy_from_slice(&STATUS_REGISTER.to_ne_bytes());
        // The first reading tells of the past: the bit stays clear until it has been read.
        self.call(SIOCGMIIREG, &mut request)?;
        self.call(SIOCGMIIREG, &mut request)?;
        let status = u16::from_ne_bytes([request.data[6], request.data[7]]);
        if matches!(status, 0 | 0xffff) {
            // Nothing there.
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(status & LINK_STATUS != 0)
    }

    fn ask_driver(&self, name: &str) -> io::Result<bool> {
        let mut request = request(name)?;
        let mut value = Value { command: GET_LINK, data: 0 };
        let address = (&raw mut value).expose_provenance().to_ne_bytes();
        request.data[..address.len()].copy_from_slice(&address);
        self.call(SIOCETHTOOL, &mut request)?;
        Ok(value.data != 0)
    }

    fn call(&self, code: u32, request: &mut Request) -> io::Result<()> {
        let fd = self.socket.as_raw_fd();
        // SAFETY: the descriptor is open. The kernel reads and writes a `struct ifreq`, which is no longer
        // than the request; for SIOCETHTOOL it holds the address of a `Value` that lives in the caller, of
        // which ETHTOOL_GLINK writes `data`.
        let result = unsafe { libc::ioctl(fd, code as libc::Ioctl, &raw mut *request) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

fn request(name: &str) -> io::Result<Request> {
    let mut request = Request { name: [0; libc::IFNAMSIZ], data: [0; 24] };
    // The last byte stays NUL.
    let place = request.name.get_mut(..name.len()).filter(|place| place.len() < libc::IFNAMSIZ);
    place.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(name.as_bytes());
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_asked() {
        let probe = LinkProbe::open().unwrap();
        let method = probe.method("lo", Some(LinkMethod::Mii)).unwrap();
        assert_ne!(method, LinkMethod::Mii);
        // Up or not as the machine has it; both methods agree.
        let up = probe.is_up("lo", method).unwrap();
        assert_eq!(probe.is_up("lo", LinkMethod::Ioctl).unwrap(), up);
        assert_eq!(probe.method("lo", Some(LinkMethod::Ioctl)), Some(LinkMethod::Ioctl));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let probe = LinkProbe::open().unwrap();
        for name in ["", "no-such-name", "a-name-that-is-longer-than-any"] {
            assert!(probe.is_up(name, LinkMethod::Ethtool).is_err(), "{name}");
            assert!(probe.is_up(name, LinkMethod::Ioctl).is_err(), "{name}");
            assert_eq!(probe.method(name, None), None);
        }
    }
}
