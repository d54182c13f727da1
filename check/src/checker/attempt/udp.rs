//! `UDP_CHECK`: one datagram, and what may come back.

use std::io;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::Socket;

use super::Outcome;
use crate::settings::UdpSettings;

/// What is sent unless the configuration says otherwise.
const PAYLOAD: &[u8] = b"keepalived check - keepalived ch";

/// What is sent.
pub(super) fn payload(settings: &UdpSettings) -> &[u8] {
    settings.payload.as_deref().unwrap_or(PAYLOAD)
}

/// Asks for ICMP errors of all kinds, not only for refusals.
pub(super) fn report_errors(socket: &Socket, v6: bool) -> io::Result<()> {
    match v6 {
        true => setsockopt(socket, sockopt::Ipv6RecvErr, &true)?,
        false => setsockopt(socket, sockopt::Ipv4RecvErr, &true)?,
    }
    Ok(())
}

/// What a datagram of `length` bytes means, of which `start` was read.
pub(crate) fn judge(settings: &UdpSettings, start: &[u8], length: usize, server: &str) -> Outcome {
    let Some((expected, mask)) = &settings.reply else { return Outcome::Success };
    let limits = usize::from(settings.min_length)..=usize::from(settings.max_length);
    let mut bytes = start.iter().zip(expected).zip(mask);
    let same = bytes.all(|((got, expected), mask)| (got ^ expected) & mask == 0);
    if limits.contains(&length) && same {
        Outcome::Success
    } else {
        Outcome::Failure(format!("UDP check to {server} reply data mismatch.").into())
    }
}

/// What it means that nothing came.
pub(super) fn nothing_came(settings: &UdpSettings, server: &str) -> Outcome {
    if settings.require_reply { failure(server) } else { Outcome::Success }
}

/// The server is not there.
pub(super) fn failure(server: &str) -> Outcome {
    Outcome::Failure(format!("UDP connection to {server} failed.").into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn settings(reply: Option<(&[u8], &[u8])>, min_length: u16, max_length: u16) -> UdpSettings {
        let reply = reply.map(|(expected, mask)| (expected.to_vec(), mask.to_vec()));
        UdpSettings { payload: None, require_reply: true, reply, min_length, max_length }
    }

    #[test]
    fn content_and_length_must_be_as_configured() {
        assert_eq!(PAYLOAD.len(), 32);
        let masked: (&[u8], &[u8]) = (b"\x12\x30", b"\xff\xf0");
        let rows: [(UdpSettings, &[u8], usize, bool); 9] = [
            (settings(None, 9, 3), b"anything", 8, true),
            (settings(Some((b"ab", b"\xff\xff")), 0, 255), b"ab", 2, true),
            (settings(Some((b"ab", b"\xff\xff")), 0, 255), b"ab", 200, true),
            (settings(Some((b"ab", b"\xff\xff")), 0, 255), b"ac", 2, false),
            (settings(Some((b"ab", b"\xff\xff")), 0, 255), b"a", 1, true),
            (settings(Some((b"ab", b"\xff\xff")), 2, 255), b"a", 1, false),
            (settings(Some((b"ab", b"\xff\xff")), 0, 255), b"ab", 256, false),
            (settings(Some(masked), 0, 255), b"\x12\x3f", 2, true),
            (settings(Some(masked), 0, 255), b"\x12\x4f", 2, false),
        ];
        for (n, (settings, start, length, good)) in rows.into_iter().enumerate() {
            let outcome = judge(&settings, start, length, "R");
            assert_eq!(outcome == Outcome::Success, good, "row {n}: {outcome:?}");
        }
    }

    proptest! {
        #[test]
        fn a_full_mask_compares_and_an_empty_one_does_not(
            got in prop::collection::vec(any::<u8>(), 0..40),
            expected in prop::collection::vec(any::<u8>(), 1..40),
        ) {
            let shared = got.len().min(expected.len());
            let good = |mask: u8| {
                let mask = vec![mask; expected.len()];
                let settings = settings(Some((&expected, &mask)), 0, 255);
                judge(&settings, &got, got.len(), "R") == Outcome::Success
            };
            prop_assert_eq!(good(0xff), got[..shared] == expected[..shared]);
            prop_assert!(good(0));
        }
    }
}
