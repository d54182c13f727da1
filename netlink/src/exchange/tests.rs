use super::*;

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
    for (first, asked) in [(1, 5), (u32::MAX - 1, 5), (7, 4)] {
        let mut writer = Writer::new();
        for n in 0..5 {
            writer
                .message(1, libc::NLM_F_REQUEST as u16, 0, |w| w.attribute(1, &[0; 5][..n]))
                .unwrap();
        }
        let mut bytes = writer.as_bytes().to_vec();
        assert_eq!(stamp(&mut bytes, first, asked), first.wrapping_add(5));
        let messages: Vec<Message<'_>> = Messages::new(&bytes).collect();
        assert_eq!(messages.len(), 5);
        for (n, message) in messages.iter().enumerate() {
            assert_eq!(message.seq, first.wrapping_add(n as u32));
            assert_eq!(i32::from(message.flags) & libc::NLM_F_ACK != 0, n + 1 == asked);
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
fn an_error_says_what_the_kernel_said() {
    let bytes = answer(1, libc::EEXIST);
    let error = NetlinkError::from_ack(&Messages::new(&bytes).next().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "File exists (because)");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AlreadyExists);
}

#[test]
fn a_transaction_refused_at_its_beginning_is_not_waited_for() {
    let mut writer = Writer::new();
    // Of connection tracking, which has no transactions; without privileges nobody has.
    writer.message(0x10, libc::NLM_F_REQUEST as u16, 0, |w| w.raw(&[0, 0, 0, 1])).unwrap();
    writer.message(0x100, libc::NLM_F_REQUEST as u16, 0, |w| w.raw(&[0; 4])).unwrap();
    let mut exchange = Exchange::open(Protocol::Netfilter).unwrap();
    let (failures, unanswered) = exchange.exchange(writer.as_bytes(), 2, true);
    assert_eq!(unanswered, None);
    let errno = failures[0].as_ref().unwrap().errno;
    assert!([Errno::EOPNOTSUPP, Errno::EINVAL, Errno::EPERM].contains(&errno), "{errno}");
    assert_eq!(failures[1], None);
}
