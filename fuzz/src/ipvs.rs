//! What the kernel says about IPVS and answers to requests of any kind.

use ::ipvs::{Family, ServiceKey, replies};
use ::netlink::codec::Messages;

/// Number of the first request that is answered.
const FIRST: u32 = u32::MAX - 1;

/// The first byte is how many requests are answered, and whether they stand or fall together; the rest
/// is the datagram.
pub fn ipvs(data: &[u8]) {
    let Some((&choice, datagram)) = data.split_first() else { return };
    for message in Messages::new(datagram) {
        let _ = replies::timeouts(&message);
        if let Some(status) = replies::service(&message) {
            let text = status.key.to_string();
            assert!(!text.contains('\n') && !text.is_empty());
            assert_ne!(status.key, ServiceKey::Mark(0, Family::Inet));
            assert!(status.scheduler.len() <= 3 * datagram.len());
        }
        for family in [Family::Inet, Family::Inet6] {
            if let Some(status) = replies::destination(&message, family) {
                assert!(status.destination.address.is_ipv4() || datagram.len() > 16);
            }
        }
    }

    let count = usize::from(choice >> 1);
    for together in [false, choice & 1 != 0] {
        let (failures, _) = ::netlink::replies::outcomes(datagram, FIRST, count, together);
        assert_eq!(failures.len(), count);
        let failed = failures.iter().flatten();
        assert!(!together || failed.clone().count() <= 1, "the first failure is the end");
        failed.for_each(|failure| assert!(!failure.to_string().is_empty()));
    }

    let mut taken = 0;
    let over = ::netlink::replies::answer(datagram, FIRST, |message| {
        assert_eq!(message.seq, FIRST);
        taken += 1;
    });
    assert!(taken <= Messages::new(datagram).filter(|message| message.seq == FIRST).count());
    if let Err(error) = over {
        assert!(!error.to_string().is_empty());
    }
}
