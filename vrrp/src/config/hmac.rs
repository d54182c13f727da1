//! What `auth_hmac` says, resolved.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// `auth_hmac`: a trailer behind each advert, signed with HMAC-SHA256, of which 128 bits are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct HmacSettings {
    /// At least one; no two with the same id.
    pub keys: Vec<HmacKey>,
    /// `active_key`: one of them.
    pub active: u8,
    /// `mode`.
    pub mode: HmacMode,
    /// `anti_replay` and `time_window`.
    pub anti_replay: AntiReplay,
}

impl HmacSettings {
    /// The key with this id.
    pub fn key(&self, id: u8) -> Option<&HmacKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key that signs, if adverts are signed.
    pub fn signing_key(&self) -> Option<&HmacKey> {
        self.mode.signs().then(|| self.key(self.active)).flatten()
    }
}

/// Whether adverts are signed, and whether those that are not are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HmacMode {
    /// Ours are signed, others must be.
    #[default]
    Enforce,
    /// Ours are signed, others may be.
    Permissive,
    /// Ours are not signed, others may be.
    ReceiveOnly,
}

impl HmacMode {
    /// In the order of the keyword's arguments.
    pub const ALL: [HmacMode; 3] = [HmacMode::Enforce, HmacMode::Permissive, HmacMode::ReceiveOnly];

    /// Whether our adverts are signed.
    pub fn signs(self) -> bool {
        self != HmacMode::ReceiveOnly
    }

    /// The keyword's argument.
    pub fn name(self) -> &'static str {
        match self {
            HmacMode::Enforce => "enforce",
            HmacMode::Permissive => "permissive",
            HmacMode::ReceiveOnly => "receive-only",
        }
    }
}

/// How an advert is told from a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AntiReplay {
    /// It is later than the last of its sender, and the sender's clock differs from ours by at most this many seconds.
    Time {
        /// 1-300.
        window: u32,
    },
    /// It is later than the last of its sender.
    Monotonic,
}

impl AntiReplay {
    /// The window that goes with an interval between adverts: three of them in whole seconds, 5 to 300.
    pub fn default_window(interval: Duration) -> u32 {
        u32::try_from(3 * interval.as_secs()).unwrap_or(u32::MAX).clamp(5, 300)
    }
}

/// A key and the number it goes by.
#[derive(Clone)]
pub struct HmacKey {
    /// 1-255.
    pub id: u8,
    secret: Box<[u8]>,
    /// The hash with the key in it, so that it is not worked in again for each advert.
    keyed: Hmac<Sha256>,
}

impl HmacKey {
    /// A key of 32 to 64 bytes; `None` for other lengths.
    pub fn new(id: u8, secret: &[u8]) -> Option<Self> {
        if !(32..=64).contains(&secret.len()) {
            return None;
        }
        let keyed = Hmac::new_from_slice(secret).ok()?;
        Some(HmacKey { id, secret: secret.into(), keyed })
    }

    /// An HMAC with this key, of nothing yet.
    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        self.keyed.clone()
    }
}

impl PartialEq for HmacKey {
    fn eq(&self, other: &Self) -> bool {
        (self.id, &self.secret) == (other.id, &other.secret)
    }
}

/// Without the secret, which must not get into a log.
impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_32_to_64_bytes_and_are_not_shown() {
        let of = |length| HmacKey::new(1, &vec![b'x'; length]);
        assert!([0, 31, 65].into_iter().all(|length| of(length).is_none()));
        assert!([32, 64].into_iter().all(|length| of(length).is_some()));
        assert_eq!(format!("{:?}", of(32).unwrap()), "HmacKey { id: 1, .. }");
    }

    #[test]
    fn the_window_goes_with_the_interval() {
        let of = |millis| AntiReplay::default_window(Duration::from_millis(millis));
        assert_eq!([of(10), of(1_000), of(2_990), of(10_000), of(255_000)], [5, 5, 6, 30, 300]);
    }
}
