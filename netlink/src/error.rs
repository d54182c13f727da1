//! What the kernel says when it refuses a request.

use std::fmt;
use std::io;

use nix::errno::Errno;

use crate::codec::{Attributes, Message};

/// `NLMSGERR_ATTR_MSG` of linux/netlink.h.
const ATTR_MSG: u16 = 1;
/// `struct nlmsgerr` with the request's header, as it comes back with `NETLINK_CAP_ACK`.
const CAPPED_ERROR: usize = 20;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetlinkError {
    /// The error number, positive.
    pub errno: Errno,
    /// The kernel's explanation, where it gives one (extended acknowledgement).
    pub message: Option<String>,
}

impl NetlinkError {
    /// An error that did not come with an explanation.
    pub(crate) fn plain(errno: Errno) -> Self {
        NetlinkError { errno, message: None }
    }

    /// Reads an acknowledgement (`NLMSG_ERROR`); errno 0 is a success and gives `Ok`.
    pub(crate) fn from_ack(message: &Message<'_>) -> Result<(), NetlinkError> {
        let code = message.payload.get(..4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
        match code {
            Some(0) => Ok(()),
            Some(code) => Err(NetlinkError {
                errno: Errno::from_raw(code.saturating_abs()),
                message: explanation(message),
            }),
            None => Err(NetlinkError::plain(Errno::EBADMSG)),
        }
    }
}

/// The text of an extended acknowledgement.
fn explanation(message: &Message<'_>) -> Option<String> {
    if i32::from(message.flags) & libc::NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let mut skip = CAPPED_ERROR;
    if i32::from(message.flags) & libc::NLM_F_CAPPED == 0 {
        // The whole request is repeated: four bytes of errno, then a message of its own length.
        let len = crate::codec::u32_at(message.payload, 4)?;
        skip = usize::try_from(len).ok()?.checked_add(4)?;
    }
    let text = Attributes::after(message.payload, skip).find_kind(ATTR_MSG)?.text();
    (!text.is_empty()).then_some(text)
}

impl fmt::Display for NetlinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.errno.desc())?;
        match &self.message {
            Some(message) => write!(f, " ({message})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NetlinkError {}

impl From<NetlinkError> for io::Error {
    fn from(error: NetlinkError) -> Self {
        if error.message.is_some() {
            io::Error::new(io::Error::from(error.errno).kind(), error)
        } else {
            error.errno.into()
        }
    }
}
