use proptest::prelude::*;

use super::*;

/// A packet as RFC 5880 section 4.1 draws it.
const GOOD: [u8; 24] =
    [0x20, 0xc0, 5, 24, 0, 0, 0, 7, 0, 0, 0, 9, 0, 1, 0x86, 0xa0, 0, 0, 0x27, 0x10, 0, 0, 0, 0];

fn changed(at: usize, byte: u8) -> Result<Packet, Malformed> {
    let mut bytes = GOOD;
    bytes[at] = byte;
    Packet::parse(&bytes, bytes.len())
}

#[test]
fn every_field_has_its_place() {
    let packet = Packet::parse(&GOOD, 24).unwrap();
    let expected = Packet {
        diagnostic: Diagnostic::NONE,
        state: State::Up,
        poll: false,
        last: false,
        authenticated: false,
        demand: false,
        multiplier: 5,
        my_discriminator: 7,
        your_discriminator: 9,
        min_tx: 100_000,
        min_rx: 10_000,
    };
    assert_eq!(packet, expected);
    assert_eq!(packet.emit(), GOOD);
    assert!(changed(1, 0xe0).unwrap().poll);
    assert!(changed(1, 0xd0).unwrap().last);
    assert!(changed(1, 0xc8).is_ok(), "control plane independent: no matter to us");
    assert!(changed(1, 0xc4).unwrap().authenticated);
    assert!(changed(1, 0xc2).unwrap().demand);
    assert_eq!(changed(1, 0x00).unwrap().state, State::AdminDown);
    assert_eq!(changed(0, 0x23).unwrap().diagnostic, Diagnostic::SIGNALED);
}

#[test]
fn what_is_refused() {
    assert_eq!(Packet::parse(&GOOD[..23], 23), Err(Malformed::Short(23)));
    assert_eq!(Packet::parse(&GOOD, 25), Err(Malformed::Length { field: 24, size: 25 }));
    assert_eq!(changed(3, 26), Err(Malformed::Length { field: 26, size: 24 }));
    assert_eq!(changed(0, 0x00), Err(Malformed::Version(0)));
    assert_eq!(changed(2, 0), Err(Malformed::Multiplier));
    assert_eq!(changed(1, 0xc1), Err(Malformed::Multipoint));
    assert_eq!(changed(7, 0), Err(Malformed::MyDiscriminator));
    assert_eq!(changed(11, 0), Err(Malformed::YourDiscriminator));
    assert_eq!(changed(1, 0xf0), Err(Malformed::PollAndFinal));
    assert_eq!(changed(0, 0x29), Err(Malformed::Diagnostic(9)));
    // Down and AdminDown need not know our number.
    for state in [0x00, 0x40] {
        let mut bytes = GOOD;
        (bytes[1], bytes[11]) = (state, 0);
        assert!(Packet::parse(&bytes, 24).is_ok());
    }
    // Longer ones are accepted if they say so.
    let mut long = [0; 30];
    long[..24].copy_from_slice(&GOOD);
    long[3] = 30;
    assert!(Packet::parse(&long, 30).is_ok());
}

proptest! {
    #[test]
    fn whatever_comes_is_refused_or_means_what_it_says(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        good in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if good && bytes.len() >= LENGTH {
            bytes[0] = 0x20 | bytes[0] & 7;
            bytes[1] &= !MULTIPOINT;
            bytes[3] = bytes.len() as u8;
        }
        if let Ok(packet) = Packet::parse(&bytes, bytes.len()) {
            prop_assert_eq!(Packet::parse(&packet.emit(), LENGTH), Ok(packet));
        }
    }
}
