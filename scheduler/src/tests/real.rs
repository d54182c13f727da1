//! On the real clock and poll.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::*;

#[test]
fn a_readable_socket_and_a_timer_run() {
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::default());
    let (mut a, mut b) = UnixStream::pair().unwrap();
    s.add_read(Class::Urgent, a.as_raw_fd(), None, 1, note).unwrap();
    s.add_timer_after(Class::Urgent, Duration::from_millis(1), 2, note);
    while log.ran.is_empty() {
        s.turn(&mut log, None).unwrap();
    }
    b.write_all(b"x").unwrap();
    s.turn(&mut log, None).unwrap();
    a.read_exact(&mut [0]).unwrap();
    assert_eq!(log.ran, [(2, Cause::Timer), (1, Cause::Readable)]);
}
