//! Answers of the kernel, read without a socket: what the fuzz targets call.

use crate::codec::Message;
use crate::error::NetlinkError;
use crate::exchange;

/// How each of `count` requests ended, by the answers in one datagram, and whether nothing more is to be
/// waited for. With `together` the first failure is the end.
pub fn outcomes(
    datagram: &[u8],
    first_seq: u32,
    count: usize,
    together: bool,
) -> (Vec<Option<NetlinkError>>, bool) {
    let mut failures = vec![None; count];
    let over = exchange::take_answers(datagram, first_seq, &mut failures, together);
    (failures, over)
}

/// Hands the messages that answer the request `seq` to `take`; true at the answer's end.
///
/// # Errors
/// What the kernel answers.
pub fn answer(
    datagram: &[u8],
    seq: u32,
    mut take: impl FnMut(&Message<'_>),
) -> Result<bool, NetlinkError> {
    exchange::take_messages(datagram, seq, &mut true, &mut take)
}
