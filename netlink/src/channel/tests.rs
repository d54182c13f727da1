use super::*;
use crate::address::AddressRequest;

fn batch(count: u32) -> Batch {
    let mut batch = Batch::new();
    for n in 0..count {
        let ip = std::net::Ipv4Addr::from_bits(n).into();
        batch.add_address(&AddressRequest::new(1, ip, 32), n.into());
    }
    batch
}

fn answer(seq: u32, errno: i32) -> Vec<u8> {
    let mut writer = Writer::new();
    writer
        .message(libc::NLMSG_ERROR as u16, 0x300, seq, |w| {
            w.raw(&(-errno).to_ne_bytes());
            w.raw(&[0; 16]);
            w.text(1, "because");
        })
        .unwrap();
    writer.as_bytes().to_vec()
}

#[test]
fn consecutive_numbers_and_one_answer_asked_for() {
    for first in [1, u32::MAX - 1] {
        let batch = batch(5);
        let mut bytes = batch.piece(0, usize::MAX, PIECE).unwrap().bytes.to_vec();
        stamp(&mut bytes, first);
        let messages: Vec<Message<'_>> = Messages::new(&bytes).collect();
        assert_eq!(messages.len(), 5);
        for (n, message) in messages.iter().enumerate() {
            assert_eq!(message.seq, first.wrapping_add(n as u32));
            assert_eq!(i32::from(message.flags) & libc::NLM_F_ACK != 0, n == 4);
        }
    }
}

#[test]
fn answers_go_to_their_requests_whatever_else_is_in_the_queue() {
    let first = u32::MAX - 1;
    let mut failures = vec![None; 4];
    let mut queue = answer(first.wrapping_sub(1), libc::EPERM);
    queue.extend(answer(first.wrapping_add(2), libc::ENODEV));
    queue.extend(answer(77, libc::EPERM));
    for message in Messages::new(&queue) {
        assert!(!take_answer(&message, first, &mut failures));
    }
    assert_eq!(failures.iter().filter(|f| f.is_some()).count(), 1);
    let failure = failures[2].clone().unwrap();
    assert_eq!((failure.errno, failure.message.as_deref()), (Errno::ENODEV, Some("because")));
    let last = answer(first.wrapping_add(3), 0);
    assert!(take_answer(&Messages::new(&last).next().unwrap(), first, &mut failures));
    assert_eq!(failures[3], None);
}

#[test]
fn only_harmless_errors_are_forgiven() {
    let error = |errno| NetlinkError::plain(errno);
    assert_eq!(forgive(Operation::Add, error(Errno::EEXIST)), Ok(Applied::Existed));
    assert_eq!(forgive(Operation::Delete, error(Errno::EADDRNOTAVAIL)), Ok(Applied::Absent));
    assert_eq!(forgive(Operation::Delete, error(Errno::ENODEV)), Ok(Applied::Absent));
    assert!(forgive(Operation::Add, error(Errno::ENODEV)).is_err());
    assert!(forgive(Operation::Delete, error(Errno::EPERM)).is_err());
}

#[test]
fn an_error_says_what_the_kernel_said() {
    let bytes = answer(1, libc::EEXIST);
    let error = NetlinkError::from_ack(&Messages::new(&bytes).next().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "File exists (because)");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AlreadyExists);
}
