//! `DNS_CHECK`: one question, of whose answer only the header counts.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};

use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, TYPE};

use super::Outcome;
use crate::settings::DnsSettings;

/// Bytes of an answer that are read: its header, RFC 1035 §4.1.1.
const HEADER: usize = 12;
const QR: u8 = 0x80;
const RCODE: u8 = 0x0f;

/// An id that nobody guesses.
pub(super) fn fresh_id() -> u16 {
    RandomState::new().hash_one(HEADER) as u16
}

/// The question; `None` when the name does not fit into one.
pub(super) fn query(settings: &DnsSettings, id: u16) -> Option<Vec<u8>> {
    let name = Name::new(&settings.name).ok()?;
    let kind = QTYPE::TYPE(TYPE::from(settings.kind));
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(name, kind, QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().ok()
}

/// What a datagram means for the question `id`; `None`: it is no answer to it.
pub(crate) fn judge(datagram: &[u8], id: u16, server: &str) -> Option<Outcome> {
    let header = datagram.first_chunk::<HEADER>()?;
    if header[..2] != id.to_be_bytes() || header[2] & QR == 0 {
        return None;
    }
    Some(match header[3] & RCODE {
        0 => Outcome::Success,
        rcode => failure(server, &format!("read error occurred. (rcode = {rcode})")),
    })
}

/// A failed check, in the words of the log.
pub(super) fn failure(server: &str, what: &str) -> Outcome {
    Outcome::Failure(Cow::Owned(format!("DNS_CHECK ({server}) {what}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::RCODE as Code;

    use super::*;

    fn settings(name: &str) -> DnsSettings {
        DnsSettings { kind: 6, name: name.into() }
    }

    #[test]
    fn the_question_is_what_was_configured() {
        for name in ["", "example.org", "a.b", "_x._udp.example.org"] {
            let bytes = query(&settings(name), 0x1234).unwrap();
            assert_eq!(bytes[..12], [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], "{name}");
            let packet = Packet::parse(&bytes).unwrap();
            assert_eq!(packet.questions.len(), 1);
            assert_eq!(packet.questions[0].qname.to_string(), name);
            assert_eq!(packet.questions[0].qtype, QTYPE::TYPE(TYPE::SOA));
            assert_eq!(packet.questions[0].qclass, QCLASS::CLASS(CLASS::IN));
        }
        assert_eq!(query(&settings(&"x".repeat(64)), 1), None);
    }

    #[test]
    fn only_the_header_of_an_answer_counts() {
        let mut reply = Packet::new_reply(7);
        let bytes = reply.build_bytes_vec().unwrap();
        assert_eq!(judge(&bytes, 7, "R"), Some(Outcome::Success));
        assert_eq!(judge(&bytes, 8, "R"), None, "another id");
        assert_eq!(judge(&bytes[..11], 7, "R"), None, "short");
        assert_eq!(judge(&query(&settings("x"), 7).unwrap(), 7, "R"), None, "a question");
        *reply.rcode_mut() = Code::NameError;
        let bytes = reply.build_bytes_vec().unwrap();
        let failed = Outcome::Failure("DNS_CHECK (R) read error occurred. (rcode = 3)".into());
        assert_eq!(judge(&bytes, 7, "R"), Some(failed));
    }

    proptest! {
        #[test]
        fn garbage_is_no_success(bytes in prop::collection::vec(any::<u8>(), 0..600), id: u16) {
            let answers = bytes.len() >= 12 && bytes[..2] == id.to_be_bytes() && bytes[2] >= 0x80;
            let outcome = judge(&bytes, id, "R");
            prop_assert_eq!(outcome.is_some(), answers);
            prop_assert_eq!(outcome == Some(Outcome::Success), answers && bytes[3] % 16 == 0);
        }
    }
}
