//! VRRP versions 2 and 3: RFC 9568, RFC 5798, RFC 3768.
//!
//! The protocol is sans-I/O: [`router::Router`] takes time and events and returns [`action::Action`]s;
//! `packet` turns adverts into bytes and judges received ones.
pub mod action;
pub mod config;
pub mod dump;
pub mod instance;
pub mod io;
pub mod mib;
pub mod packet;
pub mod process;
pub mod router;
pub mod runtime;
pub mod state;
