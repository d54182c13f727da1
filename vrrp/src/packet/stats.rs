//! Counters of an instance, in one table: the field, and the name the JSON dump uses.

use super::{Rejected, Verdict};

macro_rules! counters {
    ($($variant:ident $field:ident $doc:literal)*) => {
        /// One counter of [`Stats`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Counter {
            $(#[doc = $doc] $variant,)*
        }

        /// Statistics of one instance. The first twenty are those of the dumps, in their order.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats {
            $(#[doc = $doc] pub $field: u64,)*
        }

        impl Stats {
            /// Adds one.
            pub fn count(&mut self, counter: Counter) {
                match counter {
                    $(Counter::$variant => self.$field += 1,)*
                }
            }

            /// Names and values in the order of the JSON dump, then those it does not know.
            pub fn entries(&self) -> [(&'static str, u64); Counter::COUNT] {
                [$((stringify!($field), self.$field),)*]
            }
        }

        impl Counter {
            /// How many there are.
            pub const COUNT: usize = [$(Counter::$variant,)*].len();
            /// How many of them the JSON dump shows.
            pub const DUMPED: usize = 20;
        }
    };
}

counters! {
    AdvertRcvd advert_rcvd "Adverts received that passed the checks of the packet itself."
    AdvertSent advert_sent "Adverts sent, priority 0 included; one for all peers of a unicast instance."
    BecomeMaster become_master "Transitions to MASTER."
    ReleaseMaster release_master "Transitions away from MASTER."
    PacketLenErr packet_len_err "Wrong lengths."
    AdvertIntervalErr advert_interval_err "Never incremented; part of the dump."
    IpTtlErr ip_ttl_err "TTL not 255, or outside a peer's range."
    InvalidTypeRcvd invalid_type_rcvd "Packet type not 1."
    AddrListErr addr_list_err "Address lists unlike ours, and unicast where multicast is expected or the reverse."
    InvalidAuthtype invalid_authtype "Unknown authentication types."
    AuthtypeMismatch authtype_mismatch "Authentication types unlike ours."
    AuthFailure auth_failure "Wrong passwords."
    AuthExtMissing auth_ext_missing "Authentication trailers missing."
    AuthExtMalformed auth_ext_malformed "Authentication trailers malformed."
    AuthExtUnknownKey auth_ext_unknown_key "Authentication trailers with an unknown key."
    AuthExtInvalidHmac auth_ext_invalid_hmac "Authentication trailers with a wrong HMAC."
    AuthExtStale auth_ext_stale "Authentication trailers outside the time window."
    AuthExtReplay auth_ext_replay "Authentication trailers seen before."
    PriZeroRcvd pri_zero_rcvd "Adverts with priority 0 received."
    PriZeroSent pri_zero_sent "Adverts with priority 0 sent."
    VersErr vers_err "Wrong versions."
    ChkErr chk_err "Wrong checksums."
}

impl Stats {
    /// Counts what a received packet counts for.
    pub fn record(&mut self, verdict: &Verdict) {
        if verdict.outcome.as_ref().err().is_none_or(Rejected::after_receipt) {
            self.advert_rcvd += 1;
        }
        for notice in verdict.notices() {
            if let Some(counter) = notice.counter() {
                self.count(counter);
            }
        }
        match &verdict.outcome {
            Ok(accepted) if accepted.priority == 0 => self.pri_zero_rcvd += 1,
            Ok(_) => {}
            Err(rejected) => {
                if let Some(counter) = rejected.counter() {
                    self.count(counter);
                }
            }
        }
    }
}
