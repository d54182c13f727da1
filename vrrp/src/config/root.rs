//! The keywords of the top level that are of VRRP.

use std::time::Duration;

use config::{Args, Class, Context, Keyword, Line, Row, Table, Word, number};

use super::builder::{Builder, Lookup};
use super::draft::InstanceDraft;
use super::global_table::GLOBALS;
use super::globals::warn_of_spacing;
use super::group::{GROUP, TRACK_GROUP, add_group, add_track_group, block_name};
use super::instance::apply_block;
use super::instance_table::INSTANCE;
use super::process::{PROCESS, add_process};
use super::trackers::{FILE, SCRIPT, add_file, add_script};
use super::{GarpGroup, address, route, rule};
use crate::io::LinkMethod;

type B = Row<Builder>;

const NAME: Args = Args::Free("NAME");

/// Top-level keywords of VRRP.
pub static ROOT: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("global_defs", Args::Flag, "what holds for all").block(&[&GLOBALS]),
        |b, l, c| apply_block(&GLOBALS, b, l, c),
    ),
    B::new(
        Keyword::new("track_group", NAME, "instances that static entries may fail")
            .block(&[&TRACK_GROUP]),
        add_track_group,
    ),
    B::new(
        Keyword::new("static_ipaddress", Args::Flag, "addresses that stay while the daemon runs")
            .values(),
        address::set_static,
    ),
    B::new(
        Keyword::new("static_routes", Args::Flag, "routes that stay while the daemon runs")
            .values(),
        route::set_static,
    ),
    B::new(
        Keyword::new("static_rules", Args::Flag, "routing rules that stay while the daemon runs")
            .values(),
        rule::set_static,
    ),
    B::new(
        Keyword::new("vrrp_sync_group", NAME, "instances that move together").block(&[&GROUP]),
        add_group,
    ),
    B::new(
        Keyword::new(
            "garp_group",
            Args::Flag,
            "interfaces that share the spacing of gratuitous ARP",
        )
        .block(&[&GARP_GROUP]),
        add_garp_group,
    ),
    B::new(
        Keyword::new("linkbeat_interfaces", Args::Flag, "interfaces whose link is polled").values(),
        set_linkbeat,
    ),
    B::new(
        Keyword::new(
            "linkbeat_use_polling",
            Args::Flag,
            "poll the link of every instance's interface",
        ),
        |b, _, _| b.polls_all = true,
    ),
    B::new(
        Keyword::new("vrrp_instance", NAME, "a virtual router").block(&[&INSTANCE]),
        add_instance,
    ),
    B::new(
        Keyword::new("vrrp_script", NAME, "a script to track").required().block(&[&SCRIPT]),
        add_script,
    ),
    B::new(
        Keyword::new("vrrp_track_process", NAME, "a process to track")
            .required()
            .block(&[&PROCESS]),
        add_process,
    ),
    B::new(
        Keyword::new("interface_up_down_delays", Args::Flag, "how long a change of link must last")
            .values(),
        set_delays,
    ),
    B::new(
        Keyword::new("track_file", NAME, "a file to track").required().block(&[&FILE]),
        add_file,
    ),
    B::new(
        Keyword::new("vrrp_track_file", NAME, "old name of track_file")
            .required()
            .block(&[&FILE])
            .alias("track_file", false),
        add_file,
    ),
]);

const SPACING: Args = Args::timer(0, 4_294_967_295);

/// Keywords inside `garp_group`.
pub static GARP_GROUP: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("garp_interval", SPACING, "smallest distance of gratuitous ARPs")
            .required()
            .unit("s"),
        |b, l, c| b.garp_group.garp_interval = spacing(l, c).unwrap_or(b.garp_group.garp_interval),
    ),
    B::new(
        Keyword::new("gna_interval", SPACING, "smallest distance of unsolicited neighbour adverts")
            .required()
            .unit("s"),
        |b, l, c| b.garp_group.gna_interval = spacing(l, c).unwrap_or(b.garp_group.gna_interval),
    ),
    B::new(Keyword::new("interface", Args::Free("INTERFACE"), "a member").required(), |b, l, c| {
        if let Some(word) = l.word(c) {
            add_garp_interface(b, word, c);
        }
    }),
    B::new(Keyword::new("interfaces", Args::Flag, "members").values(), add_garp_interfaces),
]);

fn add_instance(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.contains_vrrp = true;
    let taken = |name: &str| b.instance_index.contains_key(name);
    let Some(name) = block_name(line, taken, "vrrp instance", "", ctx) else { return };
    b.draft =
        InstanceDraft { name: name.clone(), span: Some(line.span), ..InstanceDraft::default() };
    b.seen.clear();
    apply_block(&INSTANCE, b, line, ctx);
    b.instance_index.insert(name, b.instances.len());
    b.instances.push(std::mem::take(&mut b.draft));
}

fn spacing(line: &Line, ctx: &mut Context<'_>) -> Option<Duration> {
    let Some(micros) = line.decimal(ctx) else {
        let text = line.first().map_or("", |word| word.text.as_str());
        let message = format!("garp_group {} '{text}' invalid", line.name());
        ctx.report(Class::General, line.span, message);
        return None;
    };
    let interval = Duration::from_micros(micros);
    warn_of_spacing(line, interval, ctx);
    Some(interval)
}

fn add_garp_interface(b: &mut Builder, word: &Word, ctx: &mut Context<'_>) {
    let name = &word.text;
    if matches!(b.interface(word, |_| "garp_group".to_owned(), ctx), Lookup::Missing) {
        return;
    }
    if b.garp_members.insert(name.clone()) {
        b.garp_group.interfaces.push(name.clone());
    } else {
        let message = format!("garp_group already specified for {name} - ignoring");
        ctx.report(Class::General, word.span, message);
    }
}

fn add_garp_interfaces(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if line.pooled().next().is_none() {
        ctx.report(Class::General, line.span, "Warning - empty garp_group interfaces block");
    }
    for word in line.pooled() {
        add_garp_interface(b, word, ctx);
    }
}

fn add_garp_group(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.garp_group = GarpGroup::default();
    apply_block(&GARP_GROUP, b, line, ctx);
    let group = std::mem::take(&mut b.garp_group);
    if group.garp_interval.is_zero() && group.gna_interval.is_zero() {
        let message = "garp group does not have any delay set - removing";
        ctx.report(Class::General, line.span, message);
        for name in &group.interfaces {
            b.garp_members.remove(name);
        }
        return;
    }
    b.garp_groups.push(group);
}

/// Whether the interface a line begins with exists or may come to; its absence is of class fatal.
fn line_interface(b: &Builder, word: &Word, what: &str, ctx: &mut Context<'_>) -> bool {
    let name = &word.text;
    if b.host.interface(name).is_some() {
        return true;
    }
    if b.globals.settings.dynamic_interfaces {
        let message = format!(
            "Configuration specifies interface {name} which doesn't currently exist - will use if \
             created"
        );
        ctx.log(Some(word.span), message);
        return true;
    }
    let names = b.host.interface_names();
    let near = config::suggest(name, names.iter().map(String::as_str));
    let message = format!("unknown interface {name} specified for {what}");
    ctx.report_with_help(Class::Fatal, word.span, message, near.map(config::did_you_mean));
    false
}

fn set_linkbeat(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    for words in line.entries() {
        let Some((name, rest)) = words.split_first() else { continue };
        if !line_interface(b, name, "linkbeat interface", ctx) {
            continue;
        }
        let method = rest.first().and_then(|word| match word.text.as_str() {
            "MII" => Some(LinkMethod::Mii),
            "ETHTOOL" => Some(LinkMethod::Ethtool),
            "IOCTL" => Some(LinkMethod::Ioctl),
            _ => None,
        });
        let extra = rest.get(usize::from(method.is_some()));
        b.linkbeat.push((name.text.clone(), method));
        if let Some(word) = extra {
            let message = format!("extra characters {} in linkbeat interface", word.text);
            ctx.report(Class::General, word.span, message);
        }
    }
}

fn set_delays(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    for words in line.entries() {
        let Some((name, rest)) = words.split_first() else { continue };
        if !line_interface(b, name, "up/down delay", ctx) {
            continue;
        }
        let Some((down, rest)) = rest.split_first() else {
            let message = format!("No timeouts specified for {} up/down delays", name.text);
            ctx.log(Some(name.span), message);
            continue;
        };
        let Some(down) = delay(name, down, "down", ctx) else { continue };
        let up = match rest.first() {
            None => Duration::ZERO,
            Some(word) => match delay(name, word, "up", ctx) {
                Some(up) => up,
                None => continue,
            },
        };
        if let Some(extra) = rest.get(1) {
            let message = format!("Too many parameters for {} up/down delays", name.text);
            ctx.log(Some(extra.span), message);
        }
        b.debounce.push((name.text.clone(), down, up));
    }
}

fn delay(name: &Word, word: &Word, which: &str, ctx: &mut Context<'_>) -> Option<Duration> {
    let micros = number::decimal(word, 6, 0, 255_000_000, ctx, "delay");
    if micros.is_none() {
        let message = format!("Invalid {which} delay {} for {}", word.text, name.text);
        ctx.log(Some(word.span), message);
    }
    micros.map(Duration::from_micros)
}
