//! Rule entries: `virtual_rules` and `static_rules`, in the words of `ip rule`.
//!
//! They are read and judged in full; nothing sets rules yet.

use config::{Class, Context, Line, Word};

use super::Family;
use super::builder::Builder;
use super::entry::{Entry, Part};
use super::names::NameTable;

const RTPROT_KEEPALIVED: i64 = 18;

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

pub(super) fn check_virtual(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    for words in line.entries() {
        // Whether it would be kept does not matter while nothing sets it.
        let _ = rule(b, words, false, ctx);
    }
}

pub(super) fn check_static(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.contains_vrrp = true;
    for words in line.entries() {
        let _ = rule(b, words, true, ctx);
    }
}

/// What matters for the checks at the end of an entry.
#[derive(Default)]
struct Rule {
    action: Option<Action>,
    preference: Option<u64>,
    /// `realms` or a suppressor.
    of_table: bool,
    device: bool,
    no_track: bool,
    track_group: bool,
    foreign_protocol: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Table,
    Goto(u64),
    Other,
}

fn rule(b: &mut Builder, words: &[Word], is_static: bool, ctx: &mut Context<'_>) -> Part {
    let mut entry = Entry::new("rule", words);
    let mut rule = Rule::default();
    while let Some(word) = entry.next() {
        match word.text.as_str() {
            "inet" => entry.agree(Family::V4, word, ctx)?,
            "inet6" => entry.agree(Family::V6, word, ctx)?,
            "not" => {}
            "no_track" => rule.no_track = true,
            "nop" | "blackhole" | "unreachable" | "prohibit" | "l3mdev" => {
                act(&entry, &mut rule, Action::Other, word, ctx)?;
            }
            "type" => {
                let kind = entry.argument(word, b, ctx)?;
                if !matches!(kind.text.as_str(), "nop" | "blackhole" | "unreachable" | "prohibit") {
                    let message = format!("Unknown rule option {}", kind.text);
                    return entry.drop(kind.span, ctx, message);
                }
                act(&entry, &mut rule, Action::Other, kind, ctx)?;
            }
            text if text == "track_group" && !is_static => {
                return entry.drop(word.span, ctx, "Unknown rule option track_group");
            }
            text if text != "default" && WORDS.contains(&text) => {
                option(b, &mut entry, &mut rule, word, ctx)?;
            }
            text => {
                let near = config::suggest(text, WORDS).map(config::did_you_mean);
                let message = format!("Unknown rule option {text}");
                ctx.report_with_help(Class::General, word.span, message, near);
                return Err(super::entry::Dropped);
            }
        }
    }
    conclude(b, &entry, &rule, ctx)
}

/// There is exactly one action.
fn act(
    entry: &Entry<'_>,
    rule: &mut Rule,
    action: Action,
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
    rule: &mut Rule,
    keyword: &Word,
    ctx: &mut Context<'_>,
) -> Part {
    let word = entry.argument(keyword, b, ctx)?;
    match keyword.text.as_str() {
        "from" | "to" => match word.text.as_str() {
            "default" | "any" | "all" => {}
            _ => entry.prefix(word, ctx)?,
        },
        "table" | "lookup" => {
            if entry.named(b, NameTable::Tables, word, u32::MAX, ctx)? == 0 {
                return entry.drop(word.span, ctx, "Table 0 is not valid");
            }
            act(entry, rule, Action::Table, keyword, ctx)?;
        }
        "goto" => {
            let target = entry.c_number(keyword, &word.text, u64::from(u32::MAX), ctx)?;
            act(entry, rule, Action::Goto(target), keyword, ctx)?;
        }
        "preference" | "order" | "priority" => {
            let preference = entry.c_number(keyword, &word.text, u64::from(u32::MAX), ctx)?;
            rule.preference = Some(preference);
        }
        "tos" | "dsfield" => drop(entry.named(b, NameTable::DsField, word, 255, ctx)?),
        "fwmark" => {
            for part in word.text.splitn(2, '/') {
                entry.c_number(keyword, part, u64::from(u32::MAX), ctx)?;
            }
        }
        "realms" => {
            entry.realms(b, word, ctx)?;
            rule.of_table = true;
        }
        "suppress_prefixlength" | "sup_pl" => {
            entry.number(keyword, word, i64::from(i32::MAX), ctx)?;
            rule.of_table = true;
        }
        "suppress_ifgroup" | "sup_group" => {
            entry.named(b, NameTable::Groups, word, u32::MAX, ctx)?;
            rule.of_table = true;
        }
        "dev" | "iif" | "oif" => {
            rule.device |= keyword.text != "oif";
            entry.interface(b, word, "rule", ctx)?;
        }
        "tunnel-id" => drop(entry.c_number(keyword, &word.text, u64::MAX, ctx)?),
        "uidrange" => range(entry, keyword, word, u32::MAX, true, ctx)?,
        _ => return harmless(b, entry, rule, keyword, word, ctx),
    }
    Ok(())
}

/// Options whose bad values are ignored without the rule.
fn harmless(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    rule: &mut Rule,
    keyword: &Word,
    word: &Word,
    ctx: &mut Context<'_>,
) -> Part {
    match keyword.text.as_str() {
        "protocol" => {
            if let Ok(protocol) = entry.number(keyword, word, 255, ctx) {
                rule.foreign_protocol = protocol != RTPROT_KEEPALIVED;
            }
        }
        "ipproto" => {
            if !is_ip_protocol(&word.text) {
                let message = format!("Invalid ipproto {}", word.text);
                ctx.report(Class::General, word.span, message);
            }
        }
        "track_group" => {
            rule.track_group = b.known_track_group(word, ctx);
        }
        // A port or a range of ports.
        _ => {
            let _ = range(entry, keyword, word, 65535, false, ctx);
        }
    }
    Ok(())
}

/// `A-B`, or `A` unless both are needed.
fn range(
    entry: &Entry<'_>,
    keyword: &Word,
    word: &Word,
    max: u32,
    both: bool,
    ctx: &mut Context<'_>,
) -> Part {
    let valid = |text: &str| text.parse::<u32>().is_ok_and(|number| number <= max);
    let fits = match word.text.split_once('-') {
        Some((from, to)) => valid(from) && valid(to),
        None => !both && valid(&word.text),
    };
    if fits {
        return Ok(());
    }
    entry.drop(word.span, ctx, format!("invalid {} range {}", keyword.text, word.text))
}

/// A number, or a name of `/etc/protocols` that rules are used with.
fn is_ip_protocol(text: &str) -> bool {
    const NAMES: [&str; 16] = [
        "ip",
        "icmp",
        "igmp",
        "ipencap",
        "tcp",
        "egp",
        "udp",
        "dccp",
        "ipv6",
        "gre",
        "esp",
        "ah",
        "ipv6-icmp",
        "ospf",
        "vrrp",
        "sctp",
    ];
    text.parse::<u8>().is_ok()
        || NAMES.contains(&text)
        || std::fs::read_to_string("/etc/protocols").is_ok_and(|file| {
            file.lines()
                .map(|line| line.split('#').next().unwrap_or(""))
                .any(|line| line.split_whitespace().any(|name| name == text))
        })
}

fn conclude(b: &mut Builder, entry: &Entry<'_>, rule: &Rule, ctx: &mut Context<'_>) -> Part {
    let span = entry.span();
    let Some(action) = rule.action else {
        return entry.drop(span, ctx, "No action specified for rule - ignoring");
    };
    if rule.of_table && action != Action::Table {
        let message = "suppressor/realm specified for non table action - skipping";
        return entry.drop(span, ctx, message);
    }
    if let (Action::Goto(target), Some(preference)) = (action, rule.preference)
        && preference >= target
    {
        let message = format!("Invalid rule - preference {preference} >= goto target {target}");
        return entry.drop(span, ctx, message);
    }
    if rule.foreign_protocol && !rule.no_track {
        let message = "Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting \
                       protocol";
        ctx.report(Class::General, span, message);
    }
    if rule.track_group && !rule.device {
        let message = "track_group of a rule needs dev or iif - ignoring track_group";
        ctx.report(Class::General, span, message);
    }
    if rule.preference.is_none() {
        let family = usize::from(entry.family == Some(Family::V6));
        let given = &mut b.rules_without_preference[family];
        let preference = FIRST_PREFERENCE.saturating_sub(*given);
        *given = given.saturating_add(1);
        let message = format!(
            "Rule has no preference specified - setting to {preference}. This is probably not what \
             you want."
        );
        ctx.report(Class::General, span, message);
    }
    Ok(())
}
