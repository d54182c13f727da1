//! VRRP versions 2 and 3: RFC 9568, RFC 5798, RFC 3768.
pub mod config;
pub mod packet;
