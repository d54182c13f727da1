//! Datagrams that answer DNS_CHECK, UDP_CHECK and PING_CHECK, and the number of a FILE_CHECK.

use check::replies;
use check::settings::UdpSettings;

/// Bytes that are compared, at most.
const COMPARED: usize = 8;

/// The first four bytes are the number of the question, the length that is expected and that of what is
/// expected; this follows with its mask, and the rest is the datagram.
pub fn datagram(data: &[u8]) {
    let Some((&[high, low, length, compared], rest)) = data.split_first_chunk() else { return };
    let number = u16::from_be_bytes([high, low]);
    let compared = usize::from(compared) % COMPARED;
    let Some((expected, rest)) = rest.split_at_checked(compared) else { return };
    let Some((mask, datagram)) = rest.split_at_checked(compared) else { return };

    let answer = replies::dns(datagram, number);
    let is_answer =
        datagram.len() >= 12 && datagram.starts_with(&[high, low]) && datagram[2] >> 7 == 1;
    assert_eq!(answer, is_answer.then(|| datagram[3] & 15 == 0));

    for v6 in [false, true] {
        let kind = if v6 { 129 } else { 0 };
        let good = datagram.len() >= 8 && datagram[0] == kind && datagram[6..8] == [high, low];
        assert_eq!(replies::ping(datagram, v6, number), good);
    }

    let settings = UdpSettings {
        payload: None,
        require_reply: true,
        reply: (compared > 0).then(|| (expected.to_vec(), mask.to_vec())),
        min_length: u16::from(length) / 2,
        max_length: u16::from(length),
    };
    let good = replies::udp(datagram, &settings);
    assert!(good || compared > 0, "without an expected reply all will do");
    assert!(!good || compared == 0 || datagram.len() <= usize::from(length));
    // What the mask leaves out does not count.
    let unmasked = datagram.iter().zip(mask.iter().chain(std::iter::repeat(&0)));
    let flipped: Vec<u8> = unmasked.map(|(byte, mask)| byte ^ !mask).collect();
    assert_eq!(replies::udp(&flipped, &settings), good);
}

/// The text of the file.
pub fn number(data: &[u8]) {
    let outcome = replies::number(data);
    if let Ok(number) = &outcome {
        let again = format!(" \n{number}\0");
        assert_eq!(replies::number(again.as_bytes()), Ok(*number));
    }
    let behind = [b"\t".as_slice(), data].concat();
    assert_eq!(replies::number(&behind), outcome, "blanks before a number do not count");
}
