//! `PING_CHECK`: ICMP echo over a datagram socket, which needs no privilege but that the group id is
//! in `ping_group_range`: [`allow`].

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::sys::socket::{SockaddrStorage, recvfrom};
use socket2::{Protocol, Socket};

use super::Outcome;

const RANGE: &str = "/proc/sys/net/ipv4/ping_group_range";

const HEADER: usize = 8;
const DATA: usize = 128;
const PATTERN: &[u8] = b"keepalived check - ";
const ECHO_REQUEST: [u8; 2] = [8, 128];
const ECHO_REPLY: [u8; 2] = [0, 129];

/// A socket that is used again after a success.
pub(crate) struct Pinger {
    pub(super) socket: Socket,
    /// Of the last request.
    pub(super) sequence: u16,
}

impl Pinger {
    /// Sequence number of the last request.
    pub(crate) fn sequence(&self) -> u16 {
        self.sequence
    }
}

/// The protocol of a family.
pub(super) fn protocol(v6: bool) -> Protocol {
    if v6 { Protocol::ICMPV6 } else { Protocol::ICMPV4 }
}

/// An echo request; the kernel fills in identifier and checksum.
pub(super) fn request(v6: bool, sequence: u16) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let header = [ECHO_REQUEST[usize::from(v6)], 0, 0, 0, 0, 0, high, low];
    header.iter().chain(PATTERN.iter().cycle().take(DATA)).copied().collect()
}

/// Reads a message from `from`; others have no say. `Ok(None)`: it came from somebody else.
pub(super) fn receive(
    socket: &Socket,
    from: IpAddr,
    buffer: &mut [u8],
) -> io::Result<Option<usize>> {
    let (length, sender) = recvfrom::<SockaddrStorage>(socket.as_raw_fd(), buffer)?;
    let sender = sender.and_then(|sender| {
        let v4 = sender.as_sockaddr_in().map(|sender| IpAddr::from(sender.ip()));
        v4.or_else(|| sender.as_sockaddr_in6().map(|sender| IpAddr::from(sender.ip())))
    });
    Ok((sender == Some(from)).then_some(length))
}

/// What a message means.
pub(crate) fn judge(
    message: &[u8],
    v6: bool,
    sequence: u16,
    failure: impl Fn() -> Outcome,
) -> Outcome {
    let Some(header) = message.first_chunk::<HEADER>() else { return failure() };
    let good = header[0] == ECHO_REPLY[usize::from(v6)] && header[6..] == sequence.to_be_bytes();
    if good { Outcome::Success } else { failure() }
}

/// What [`allow`] changed.
#[derive(Debug)]
pub(crate) struct Allowed {
    original: String,
    set: String,
}

/// Lets group 0 use such sockets, by the lowest id of `ping_group_range`; `None`: it may already, or
/// it cannot be changed, which is logged.
pub(crate) fn allow() -> Option<Allowed> {
    allow_in(Path::new(RANGE))
}

/// Puts back what [`allow`] changed, unless somebody else has changed it since.
pub(crate) fn restore(allowed: &Allowed) {
    restore_in(Path::new(RANGE), allowed);
}

fn allow_in(path: &Path) -> Option<Allowed> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            log::warn!("PING_CHECK: cannot read {}: {error}", path.display());
            return None;
        }
    };
    let original = text.trim().to_owned();
    let mut bounds = original.split_whitespace();
    let (lowest, highest) = (bounds.next()?, bounds.next()?);
    if lowest == "0" {
        return None;
    }
    let set = format!("0\t{highest}");
    if let Err(error) = fs::write(path, &set) {
        log::warn!("PING_CHECK: cannot let group 0 ping by {}: {error}", path.display());
        return None;
    }
    Some(Allowed { original, set })
}

fn restore_in(path: &Path, allowed: &Allowed) {
    if fs::read_to_string(path).is_ok_and(|now| now.trim() == allowed.set)
        && let Err(error) = fs::write(path, &allowed.original)
    {
        log::warn!("PING_CHECK: cannot put back {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_has_its_sequence_and_the_pattern() {
        let request = request(true, 0x0102);
        assert_eq!(request[..8], [128, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(request.len(), 136);
        assert!(request[8..].starts_with(b"keepalived check - keepalived check - "));
    }

    #[test]
    fn the_range_is_put_back_unless_somebody_changed_it() {
        let path = std::env::temp_dir().join(format!("ping-range-{}", std::process::id()));
        let content = || fs::read_to_string(&path).unwrap();
        fs::write(&path, "1\t0\n").unwrap();
        let allowed = allow_in(&path).unwrap();
        assert_eq!(content(), "0\t0");
        assert!(allow_in(&path).is_none(), "allowed already");
        restore_in(&path, &allowed);
        assert_eq!(content(), "1\t0");
        fs::write(&path, "0\t50\n").unwrap();
        restore_in(&path, &allowed);
        assert_eq!(content(), "0\t50\n");
        fs::remove_file(&path).unwrap();
        assert!(allow_in(&path).is_none());
    }

    proptest! {
        #[test]
        fn only_its_own_echo_is_a_success(
            message in prop::collection::vec(any::<u8>(), 0..20),
            sequence: u16,
            v6: bool,
        ) {
            let kind = if v6 { 129 } else { 0 };
            let good = message.len() >= 8
                && message[0] == kind
                && message[6..8] == sequence.to_be_bytes();
            let outcome = judge(&message, v6, sequence, || Outcome::Failure("no".into()));
            prop_assert_eq!(outcome == Outcome::Success, good);
            let mut echo = request(v6, sequence);
            echo[0] = kind;
            let outcome = judge(&echo, v6, sequence, || Outcome::Failure("no".into()));
            prop_assert_eq!(outcome, Outcome::Success);
        }
    }
}
