use proptest::prelude::*;

use super::*;

#[test]
fn nested_lengths_are_patched_and_everything_is_padded() {
    let mut writer = Writer::new();
    writer
        .message(16, 0x305, 42, |w| {
            w.raw(&[1, 2, 3, 4]);
            w.text(3, "lo");
            w.nest(18, |w| {
                w.u8(1, 7);
                w.u32(2, 0x0102_0304);
            });
        })
        .unwrap();
    writer.message(17, 1, 43, |_| {}).unwrap();
    let bytes = writer.as_bytes();
    assert_eq!(bytes.len(), 16 + 4 + 8 + 4 + 8 + 8 + 16);
    let messages: Vec<Message<'_>> = Messages::new(bytes).collect();
    assert_eq!(messages.len(), 2);
    assert_eq!((messages[0].kind, messages[0].flags, messages[0].seq), (16, 0x305, 42));
    assert_eq!((messages[1].kind, messages[1].seq, messages[1].payload.len()), (17, 43, 0));
    let attributes: Vec<Attribute<'_>> = Attributes::after(messages[0].payload, 4).collect();
    assert_eq!(attributes[0].text(), "lo");
    assert_eq!(attributes[1].kind, 18, "the nested bit is not part of the type");
    let inner: Vec<Attribute<'_>> = attributes[1].nested().collect();
    assert_eq!((inner[0].u8(), inner[1].u32()), (Some(7), Some(0x0102_0304)));
}

#[test]
fn a_value_too_long_for_its_length_field_is_refused_whole() {
    let mut writer = Writer::new();
    writer.message(1, 0, 1, |w| w.u8(1, 1)).unwrap();
    let before = writer.as_bytes().to_vec();
    assert_eq!(writer.message(2, 0, 2, |w| w.attribute(1, &[0; 65_532])), Err(TooLong));
    assert_eq!(writer.as_bytes(), before);
    writer.message(2, 0, 2, |w| w.attribute(1, &[0; 65_531])).unwrap();
    assert_eq!(Messages::new(writer.as_bytes()).count(), 2);
}

#[test]
fn a_truncated_tail_does_not_take_back_what_came_before() {
    let mut writer = Writer::new();
    for seq in 0..3 {
        writer.message(1, 0, seq, |w| w.text(1, "value")).unwrap();
    }
    let bytes = writer.as_bytes();
    let one = bytes.len() / 3;
    for end in 0..bytes.len() {
        let whole = Messages::new(&bytes[..end]).count();
        // The padding after a message may be missing, its bytes may not.
        assert!(whole == end / one || whole == (end + 2) / one, "{end}: {whole}");
    }
    assert_eq!(Attributes::new(&[8, 0, 1, 0, 1, 2, 3]).count(), 0);
    assert_eq!(Attributes::new(&[3, 0, 1, 0]).count(), 0, "shorter than its own header");
}

#[test]
fn an_odd_size_spoils_only_the_question_asked() {
    let short = Attribute { kind: 1, value: &[1, 0] };
    assert_eq!((short.u8(), short.u16(), short.u32()), (Some(1), Some(1_u16.to_le()), None));
    let long = Attribute { kind: 1, value: &[9; 40] };
    assert_eq!(long.u32(), Some(0x0909_0909));
    assert!(long.ip(libc::AF_INET6 as u8).is_some());
    assert!(long.ip(99).is_none());
    assert_eq!(Attribute { kind: 1, value: b"eth0\0junk" }.text(), "eth0");
    assert_eq!(Attribute { kind: 1, value: b"eth0" }.text(), "eth0");
}

fn walk(attributes: Attributes<'_>, depth: usize) -> usize {
    attributes
        .map(|a| {
            let _ = (a.u8(), a.u16(), a.u32(), a.text(), a.ip(2), a.ip(10));
            if depth == 0 { 1 } else { 1 + walk(a.nested(), depth - 1) }
        })
        .sum()
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), header in 0usize..40) {
        for message in Messages::new(&bytes) {
            walk(Attributes::after(message.payload, header), 2);
            let _ = crate::NetlinkError::from_ack(&message);
        }
        walk(Attributes::new(&bytes), 3);
        let message = Message { kind: 2, flags: 0x300, seq: 0, port: 0, payload: &bytes };
        let _ = crate::NetlinkError::from_ack(&message);
        let _ = crate::NetlinkError::from_ack(&Message { flags: 0x200, ..message });
        let _ = crate::Link::decode(&bytes);
        let _ = crate::Address::decode(&bytes);
    }

    #[test]
    fn what_is_written_is_read(values in prop::collection::vec((1u16..0x3fff, prop::collection::vec(any::<u8>(), 0..40)), 0..20)) {
        let mut writer = Writer::new();
        writer.message(5, 6, 7, |w| {
            for (kind, value) in &values {
                w.attribute(*kind, value);
            }
        }).unwrap();
        let message = Messages::new(writer.as_bytes()).next().unwrap();
        let read: Vec<(u16, Vec<u8>)> =
            Attributes::new(message.payload).map(|a| (a.kind, a.value.to_vec())).collect();
        prop_assert_eq!(read, values);
    }
}
