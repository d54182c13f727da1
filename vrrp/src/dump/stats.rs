//! The statistics file.

use super::text::number;
use crate::packet::Stats;
use crate::router::Router;

/// The lines of one instance: what stands before a counter, and the counter.
fn rows(s: &Stats) -> [(&'static str, u64); 20] {
    [
        ("  Advertisements:\n    Received: ", s.advert_rcvd),
        ("    Sent: ", s.advert_sent),
        ("  Became master: ", s.become_master),
        ("  Released master: ", s.release_master),
        ("  Packet Errors:\n    Length: ", s.packet_len_err),
        ("    TTL: ", s.ip_ttl_err),
        ("    Invalid Type: ", s.invalid_type_rcvd),
        ("    Advertisement Interval: ", s.advert_interval_err),
        ("    Address List: ", s.addr_list_err),
        ("  Authentication Errors:\n    Invalid Type: ", s.invalid_authtype),
        ("    Type Mismatch: ", s.authtype_mismatch),
        ("    Failure: ", s.auth_failure),
        ("  Authentication Extension Errors:\n    Missing: ", s.auth_ext_missing),
        ("    Malformed: ", s.auth_ext_malformed),
        ("    Unknown Key: ", s.auth_ext_unknown_key),
        ("    Invalid HMAC: ", s.auth_ext_invalid_hmac),
        ("    Stale: ", s.auth_ext_stale),
        ("    Replay: ", s.auth_ext_replay),
        ("  Priority Zero:\n    Received: ", s.pri_zero_rcvd),
        ("    Sent: ", s.pri_zero_sent),
    ]
}

/// All instances, in file order.
pub(super) fn print(router: &Router) -> String {
    let mut out = String::with_capacity(640 * router.instances().len());
    for instance in router.instances() {
        out.push_str("VRRP Instance: ");
        out.push_str(&instance.settings.name);
        out.push('\n');
        for (key, value) in rows(&instance.stats) {
            out.push_str(key);
            number(&mut out, super::text::signed(value));
            out.push('\n');
        }
    }
    out
}
