//! Messages of the kernel, which are trusted but not believed.

use ::netlink::codec::{ATTRIBUTE_HEADER, Attributes, MESSAGE_HEADER, Messages};
use ::netlink::{Address, Link};

/// Attributes are nested as deeply as an IPv6 link's are.
const DEEPEST: u32 = 8;

/// The datagram as the socket hands it out.
pub fn netlink(data: &[u8]) {
    let mut messages = 0;
    for message in Messages::new(data) {
        messages += 1;
        assert!(message.payload.len() + MESSAGE_HEADER <= data.len());
        let _ = Link::decode(message.payload);
        let _ = Address::decode(message.payload);
        let _ = ::netlink::process::decode(&message);
        attributes(Attributes::new(message.payload), DEEPEST);
        for header in [8, 12, 16] {
            attributes(Attributes::after(message.payload, header), DEEPEST);
        }
    }
    assert!(messages <= data.len() / MESSAGE_HEADER, "a message takes at least its header");
    attributes(Attributes::new(data), DEEPEST);
}

fn attributes(all: Attributes<'_>, deeper: u32) {
    for attribute in all.clone() {
        assert!(attribute.value.len() <= usize::from(u16::MAX) - ATTRIBUTE_HEADER);
        let _ = (attribute.u8(), attribute.u16(), attribute.u32());
        let _ = (attribute.ip(2), attribute.ip(10), attribute.ip(255));
        assert!(attribute.text().chars().count() <= attribute.value.len());
        assert!(all.clone().find_kind(attribute.kind).is_some());
        if deeper > 0 {
            attributes(attribute.nested(), deeper - 1);
        }
    }
}
