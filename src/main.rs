//! The keepalived daemon.
fn main() {}
