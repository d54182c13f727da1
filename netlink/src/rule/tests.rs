use netlink_packet_core::Parseable;
use netlink_packet_route::rule::{RuleAction as Action, RuleFlags, RuleMessage};

use super::*;
use crate::codec::Messages;

fn read(rule: &Rule) -> RuleMessage {
    let (mut add, mut delete) = (Writer::new(), Writer::new());
    rule.write_add(&mut add).unwrap();
    rule.write_delete(&mut delete).unwrap();
    let of = |w: &Writer| Messages::new(w.as_bytes()).next().map(|m| (m.kind, m.payload.to_vec()));
    let ((new, added), (gone, deleted)) = (of(&add).unwrap(), of(&delete).unwrap());
    assert_eq!((new, gone), (libc::RTM_NEWRULE, libc::RTM_DELRULE));
    assert_eq!(added, deleted);
    RuleMessage::parse(&added[..]).unwrap()
}

#[test]
fn everything_of_a_rule_is_read_elsewhere() {
    let rule = Rule {
        invert: true,
        from: Some(("192.0.2.0".parse().unwrap(), 24)),
        to: Some(("0.0.0.0".parse().unwrap(), 0)),
        preference: 100,
        mark: Some(1),
        mask: Some(0xff),
        input: Some("eth0".into()),
        output: Some("eth1".into()),
        realms: Some(0x0002_0003),
        suppress_length: Some(8),
        suppress_group: Some(4),
        tunnel: Some(77),
        users: Some((1000, 2000)),
        protocol: Some(ROUTE_PROTOCOL_KEEPALIVED),
        transport: Some(6),
        source_ports: Some((1, 2)),
        destination_ports: Some((80, 80)),
        action: RuleAction::Table(1000),
        ..Rule::default()
    };
    let message = read(&rule);
    let header = &message.header;
    assert_eq!((header.src_len, header.dst_len, header.table), (24, 0, 0));
    assert_eq!((header.action, header.flags), (Action::ToTable, RuleFlags::Invert));
    let text: Vec<String> = message.attributes.iter().map(|a| format!("{a:?}")).collect();
    let expected = [
        "Source(192.0.2.0)",
        "Priority(100)",
        "Iifname(\"eth0\")",
        "Oifname(\"eth1\")",
        "Table(1000)",
        "FwMark(1)",
        "FwMask(255)",
        "Realm(RouteRealm { source: 2, destination: 3 })",
        "SuppressPrefixLen(8)",
        "SuppressIfGroup(4)",
        "Protocol(KeepAlived)",
        "IpProtocol(Tcp)",
        "TunId(77)",
        "UidRange(RuleUidRange { start: 1000, end: 2000 })",
        "SourcePortRange(RulePortRange { start: 1, end: 2 })",
        "DestinationPortRange(RulePortRange { start: 80, end: 80 })",
    ];
    assert_eq!(text, expected);
}

#[test]
fn actions_have_their_numbers() {
    let actions = [
        (RuleAction::Goto(9), Action::Goto),
        (RuleAction::Nop, Action::Nop),
        (RuleAction::Blackhole, Action::Blackhole),
        (RuleAction::Unreachable, Action::Unreachable),
        (RuleAction::Prohibit, Action::Prohibit),
        (RuleAction::L3mdev, Action::ToTable),
    ];
    for (action, expected) in actions {
        assert_eq!(read(&Rule { action, v6: true, ..Rule::default() }).header.action, expected);
    }
}

#[test]
fn only_our_own_are_told_apart() {
    let ours = Rule { protocol: Some(ROUTE_PROTOCOL_KEEPALIVED), ..Rule::default() };
    for (rule, expected) in [(ours, true), (Rule::default(), false)] {
        let mut writer = Writer::new();
        rule.write_add(&mut writer).unwrap();
        let message = Messages::new(writer.as_bytes()).next().unwrap();
        assert_eq!(is_ours(message.payload), expected);
    }
    assert!(!is_ours(&[]));
}
