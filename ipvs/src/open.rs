//! Sockets in other network namespaces, and why there may be none.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use netlink::namespace;

/// Why there is no table to work on.
#[derive(Debug)]
pub enum OpenError {
    /// The network namespace cannot be entered.
    Namespace(String, io::Error),
    /// No socket.
    Socket(io::Error),
    /// The kernel has no IPVS, and its module could not be loaded.
    Missing,
    /// IPVS answers, but not as it should.
    Refused(io::Error),
}

/// Opens something in a network namespace, as [`Channel::open_in`](crate::Channel::open_in) names
/// them.
pub(crate) fn within<T>(
    namespace: Option<&str>,
    open: impl FnOnce() -> io::Result<T>,
) -> Result<T, OpenError> {
    let Some(name) = namespace else { return open().map_err(OpenError::Socket) };
    let path = match name {
        "" => Path::new(namespace::FIRST).to_owned(),
        name => Path::new("/run/netns").join(name),
    };
    let opened = File::open(path).and_then(|there| namespace::within(there, open));
    opened.map_err(|e| OpenError::Namespace(name.to_owned(), e))?.map_err(OpenError::Socket)
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Namespace(name, e) if name.is_empty() => {
                write!(f, "the default network namespace cannot be entered: {e}")
            }
            OpenError::Namespace(name, e) => {
                write!(f, "network namespace {name} cannot be entered: {e}")
            }
            OpenError::Socket(e) => write!(f, "no netlink socket: {e}"),
            OpenError::Missing => f.write_str("Protocol not available"),
            OpenError::Refused(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}
