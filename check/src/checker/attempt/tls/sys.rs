//! The one call that the `openssl` crate does not have.

#![allow(unsafe_code)]

use std::ptr;
use std::sync::Once;

/// `OPENSSL_INIT_NO_LOAD_CONFIG` of `openssl/crypto.h`.
const NO_LOAD_CONFIG: u64 = 0x80;

/// Starts the library without `openssl.cnf`, whose policy is for programs that guard secrets: an old
/// server that it refuses to talk to still serves. Of no effect when the library runs already.
pub(super) fn start() {
    static ONCE: Once = Once::new();
    // SAFETY: the function may be called at any time; without settings it reads no memory of ours.
    ONCE.call_once(|| unsafe {
        openssl_sys::OPENSSL_init_ssl(NO_LOAD_CONFIG, ptr::null());
    });
}
