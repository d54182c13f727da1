//! Rule entries: `virtual_rules` and `static_rules`, in the words of `ip rule`.

use std::rc::Rc;

use config::{Class, Context, Line, Word};
use netlink::{ROUTE_PROTOCOL_KEEPALIVED, Rule, RuleAction};

use super::builder::Builder;
use super::entry::{Entry, Part};
use super::names::NameTable;
use super::{Family, Path, PathSettings};

/// Where rules that name no preference begin; each takes the next one down.
const FIRST_PREFERENCE: u32 = 16384;

const WORDS: [&str; 37] = [
    "inet",
    "inet6",
    "from",
    "to",
    "table",
    "lookup",
    "preference",
    "order",
    "priority",
    "not",
    "tos",
    "dsfield",
    "fwmark",
    "realms",
    "suppress_prefixlength",
    "sup_pl",
    "suppress_ifgroup",
    "sup_group",
    "dev",
    "iif",
    "oif",
    "tunnel-id",
    "uidrange",
    "l3mdev",
    "protocol",
    "ipproto",
    "sport",
    "dport",
    "goto",
    "nop",
    "blackhole",
    "unreachable",
    "prohibit",
    "type",
    "no_track",
    "track_group",
    "default",
];

pub(super) fn set_virtual(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    for words in line.entries() {
        if let Ok(rule) = rule(b, words, false, ctx) {
            b.draft.rules.push(Rc::new(rule));
        }
    }
}

pub(super) fn set_static(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.contains_vrrp = true;
    for words in line.entries() {
        if let Ok(rule) = rule(b, words, true, ctx) {
            b.static_rules.push(Rc::new(rule));
        }
    }
}

/// An entry as far as it is read.
#[derive(Default)]
struct Draft {
    rule: Rule,
    action: Option<RuleAction>,
    preference: Option<u32>,
    no_track: bool,
    track_group: Option<String>,
    foreign_protocol: bool,
}

fn rule(
    b: &mut Builder,
    words: &[Word],
    is_static: bool,
    ctx: &mut Context<'_>,
) -> Part<PathSettings> {
    let mut entry = Entry::new("rule", words);
    let mut rule = Draft::default();
    while let Some(word) = entry.next() {
        match word.text.as_str() {
            "inet" => entry.agree(Family::V4, word, ctx)?,
            "inet6" => entry.agree(Family::V6, word, ctx)?,
            "not" => rule.rule.invert = true,
            "no_track" => rule.no_track = true,
            "l3mdev" => act(&entry, &mut rule, RuleAction::L3mdev, word, ctx)?,
            "type" => {
                let kind = entry.argument(word, b, ctx)?;
                let Some(action) = plain_action(&kind.text) else {
                    let message = format!("Unknown rule option {}", kind.text);
                    return entry.drop(kind.span, ctx, message);
                };
                act(&entry, &mut rule, action, kind, ctx)?;
            }
            text if text == "track_group" && !is_static => {
                return entry.drop(word.span, ctx, "Unknown rule option track_group");
            }
            text if plain_action(text).is_none() && text != "default" && WORDS.contains(&text) => {
                option(b, &mut entry, &mut rule, word, ctx)?;
            }
            text => {
                if let Some(action) = plain_action(text) {
                    act(&entry, &mut rule, action, word, ctx)?;
                    continue;
                }
                let near = config::suggest(text, WORDS).map(config::did_you_mean);
                let message = format!("Unknown rule option {text}");
                ctx.report_with_help(Class::General, word.span, message, near);
                return Err(super::entry::Dropped);
            }
        }
    }
    conclude(b, &entry, rule, ctx)
}

/// What is neither a table nor a jump.
fn plain_action(word: &str) -> Option<RuleAction> {
    Some(match word {
        "nop" => RuleAction::Nop,
        "blackhole" => RuleAction::Blackhole,
        "unreachable" => RuleAction::Unreachable,
        "prohibit" => RuleAction::Prohibit,
        _ => return None,
    })
}

/// There is exactly one action.
fn act(
    entry: &Entry<'_>,
    rule: &mut Draft,
    action: RuleAction,
    word: &Word,
    ctx: &mut Context<'_>,
) -> Part {
    if rule.action.replace(action).is_none() {
        return Ok(());
    }
    entry.drop(
        word.span,
        ctx,
        "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable/l3mdev for \
         rule",
    )
}

/// The words that take an argument.
fn option(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    draft: &mut Draft,
    keyword: &Word,
    ctx: &mut Context<'_>,
) -> Part {
    let word = entry.argument(keyword, b, ctx)?;
    let rule = &mut draft.rule;
    let number = |text: &str, ctx: &mut Context<'_>| {
        let number = entry.c_number(keyword, text, u64::from(u32::MAX), ctx)?;
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    };
    match keyword.text.as_str() {
        "from" | "to" => {
            let prefix = match word.text.as_str() {
                "default" | "any" | "all" => None,
                _ => Some(entry.prefix(word, ctx)?),
            };
            *(if keyword.text == "from" { &mut rule.from } else { &mut rule.to }) = prefix;
        }
        "table" | "lookup" => {
            let table = entry.named(b, NameTable::Tables, word, u32::MAX, ctx)?;
            if table == 0 {
                return entry.drop(word.span, ctx, "Table 0 is not valid");
            }
            act(entry, draft, RuleAction::Table(table), keyword, ctx)?;
        }
        "goto" => {
            let target = number(&word.text, ctx)?;
            act(entry, draft, RuleAction::Goto(target), keyword, ctx)?;
        }
        "preference" | "order" | "priority" => draft.preference = Some(number(&word.text, ctx)?),
        "tos" | "dsfield" => {
            let tos = entry.named(b, NameTable::DsField, word, 255, ctx)?;
            rule.tos = u8::try_from(tos).unwrap_or(u8::MAX);
        }
        "fwmark" => {
            let (mark, mask) = match word.text.split_once('/') {
                Some((mark, mask)) => (mark, Some(mask)),
                None => (word.text.as_str(), None),
            };
            rule.mark = Some(number(mark, ctx)?);
            rule.mask = mask.map(|mask| number(mask, ctx)).transpose()?;
        }
        "realms" => rule.realms = Some(entry.realms(b, word, ctx)?),
        "suppress_prefixlength" | "sup_pl" => {
            let length = entry.number(keyword, word, i64::from(i32::MAX), ctx)?;
            rule.suppress_length = u32::try_from(length).ok();
        }
        "suppress_ifgroup" | "sup_group" => {
            rule.suppress_group = Some(entry.named(b, NameTable::Groups, word, u32::MAX, ctx)?);
        }
        "dev" | "iif" => rule.input = Some(entry.interface(b, word, "rule", ctx)?),
        "oif" => rule.output = Some(entry.interface(b, word, "rule", ctx)?),
        "tunnel-id" => rule.tunnel = Some(entry.c_number(keyword, &word.text, u64::MAX, ctx)?),
        "uidrange" => rule.users = Some(range(entry, keyword, word, u32::MAX, true, ctx)?),
        _ => harmless(b, entry, draft, keyword, word, ctx),
    }
    Ok(())
}

/// Options whose bad values are ignored without the rule.
fn harmless(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    draft: &mut Draft,
    keyword: &Word,
    word: &Word,
    ctx: &mut Context<'_>,
) {
    let rule = &mut draft.rule;
    match keyword.text.as_str() {
        "protocol" => {
            if let Ok(protocol) = entry.number(keyword, word, 255, ctx) {
                draft.foreign_protocol = protocol != i64::from(ROUTE_PROTOCOL_KEEPALIVED);
                rule.protocol = u8::try_from(protocol).ok();
            }
        }
        "ipproto" => {
            rule.transport = ip_protocol(&word.text);
            if rule.transport.is_none() {
                let message = format!("Invalid ipproto {}", word.text);
                ctx.report(Class::General, word.span, message);
            }
        }
        "track_group" => {
            if b.known_track_group(word, ctx) {
                draft.track_group = Some(word.text.clone());
            }
        }
        ports => {
            let Ok((first, last)) = range(entry, keyword, word, 65535, false, ctx) else { return };
            let port = |number| u16::try_from(number).unwrap_or(u16::MAX);
            let range = Some((port(first), port(last)));
            *(if ports == "sport" {
                &mut rule.source_ports
            } else {
                &mut rule.destination_ports
            }) = range;
        }
    }
}

/// `A-B`, or `A` unless both are needed.
fn range(
    entry: &Entry<'_>,
    keyword: &Word,
    word: &Word,
    max: u32,
    both: bool,
    ctx: &mut Context<'_>,
) -> Part<(u32, u32)> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= max);
    let range = match word.text.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(&word.text).filter(|_| !both).map(|number| (number, number)),
    };
    if let Some(range) = range {
        return Ok(range);
    }
    entry.drop(word.span, ctx, format!("invalid {} range {}", keyword.text, word.text))
}

/// A number, or a name of `/etc/protocols` that rules are used with.
fn ip_protocol(text: &str) -> Option<u8> {
    const NAMES: [(&str, u8); 16] = [
        ("ip", 0),
        ("icmp", 1),
        ("igmp", 2),
        ("ipencap", 4),
        ("tcp", 6),
        ("egp", 8),
        ("udp", 17),
        ("dccp", 33),
        ("ipv6", 41),
        ("gre", 47),
        ("esp", 50),
        ("ah", 51),
        ("ipv6-icmp", 58),
        ("ospf", 89),
        ("vrrp", 112),
        ("sctp", 132),
    ];
    let known = NAMES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    text.parse().ok().or(known).or_else(|| {
        let file = std::fs::read_to_string("/etc/protocols").ok()?;
        file.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let name = words.next()?;
            let number = words.next()?.parse().ok()?;
            (name == text || words.any(|alias| alias == text)).then_some(number)
        })
    })
}

fn conclude(
    b: &mut Builder,
    entry: &Entry<'_>,
    draft: Draft,
    ctx: &mut Context<'_>,
) -> Part<PathSettings> {
    let span = entry.span();
    let Draft { mut rule, action, preference, no_track, mut track_group, foreign_protocol } = draft;
    let Some(action) = action else {
        return entry.drop(span, ctx, "No action specified for rule - ignoring");
    };
    let of_table =
        rule.realms.is_some() || rule.suppress_length.is_some() || rule.suppress_group.is_some();
    if of_table && !matches!(action, RuleAction::Table(_)) {
        let message = "suppressor/realm specified for non table action - skipping";
        return entry.drop(span, ctx, message);
    }
    if let (RuleAction::Goto(target), Some(preference)) = (action, preference)
        && preference >= target
    {
        let message = format!("Invalid rule - preference {preference} >= goto target {target}");
        return entry.drop(span, ctx, message);
    }
    if foreign_protocol && !no_track {
        let message = "Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting \
                       protocol";
        ctx.report(Class::General, span, message);
    }
    if !no_track {
        rule.protocol = Some(ROUTE_PROTOCOL_KEEPALIVED);
    }
    if track_group.is_some() && rule.input.is_none() {
        let message = "track_group of a rule needs dev or iif - ignoring track_group";
        ctx.report(Class::General, span, message);
        track_group = None;
    }
    rule.preference = preference.unwrap_or_else(|| {
        let family = usize::from(entry.family == Some(Family::V6));
        let given = &mut b.rules_without_preference[family];
        let preference = FIRST_PREFERENCE.saturating_sub(*given);
        *given = given.saturating_add(1);
        let message = format!(
            "Rule has no preference specified - setting to {preference}. This is probably not what \
             you want."
        );
        ctx.report(Class::General, span, message);
        preference
    });
    rule.action = action;
    rule.v6 = entry.family == Some(Family::V6);
    Ok(PathSettings { what: Path::Rule(rule), no_track, track_group })
}
