#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keepalived_fuzz::dbus(data));
