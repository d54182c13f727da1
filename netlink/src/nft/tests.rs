use super::*;
use crate::codec::{Attributes, Messages};

const TABLE: Table<'_> = Table { family: Family::Ip, name: "table" };

#[test]
fn every_element_is_in_one_message_of_a_batch_that_begins() {
    for count in [0, 1, 256, 257, 5000] {
        let elements: Vec<u32> = (0..count).collect();
        let mut transaction = Transaction::new();
        transaction.add_elements(TABLE, "set", &elements, |element, n| {
            element.key(&n.to_ne_bytes());
            element.data(&n.to_ne_bytes());
        });
        assert!(!transaction.too_long);
        assert_eq!(transaction.is_empty(), count == 0);
        let messages: Vec<_> = Messages::new(transaction.writer.as_bytes()).collect();
        assert_eq!(messages.len(), transaction.messages);
        assert_eq!((messages[0].kind, messages[0].payload), (BEGIN, &[0, 0, 0, 10][..]));
        let mut found = Vec::new();
        for message in &messages[1..] {
            assert_eq!((message.kind, message.payload[0]), (0x0a0c, 2));
            let list = Attributes::after(message.payload, 4).find_kind(3).unwrap();
            for element in list.nested() {
                let data = element.nested().find_kind(2).unwrap();
                found.push(data.nested().find_kind(1).unwrap().u32().unwrap());
            }
        }
        assert_eq!(found, elements);
    }
}

/// The number in an attribute of a set's message.
fn attribute(set: &Set<'_>, kind: u16) -> Option<u32> {
    let mut transaction = Transaction::new();
    transaction.add_set(TABLE, set);
    let message = Messages::new(transaction.writer.as_bytes()).nth(1).unwrap();
    Some(Attributes::after(message.payload, 4).find_kind(kind)?.u32()?.swap_bytes())
}

#[test]
fn fields_are_padded_only_in_keys_of_several() {
    let plain = Set {
        name: "set",
        key: &[Type::Icmpv6Type],
        data: None,
        intervals: false,
        constant: true,
        counters: false,
    };
    assert_eq!(attribute(&plain, 5), Some(1));
    assert_eq!(attribute(&plain, 3), Some(2));
    let pair = Set { key: &[Type::Ipv6Address, Type::Service], constant: false, ..plain };
    assert_eq!(attribute(&pair, 5), Some(20));
    assert_eq!(attribute(&pair, 4), Some(8 << 6 | 13));
    let map = Set { data: Some(Type::Mark), intervals: true, ..pair };
    assert_eq!(attribute(&map, 3), Some(0x4 | 0x8 | 0x80));
    assert_eq!(attribute(&map, 7), Some(4));
}
