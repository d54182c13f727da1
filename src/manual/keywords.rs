//! The keywords of `keepalived.conf`: one section for each block, one paragraph for each keyword.

use config::{Args, Body, Effect, Grammar, Keyword};
use roff::{Inline, Roff, bold, italic, roman};

use super::options::sentence;

/// A block, of which several keywords may have the same.
struct Block {
    /// The keywords that open it, with the block they stand in.
    openers: Vec<(String, &'static Keyword)>,
    grammars: &'static [&'static dyn Grammar],
}

/// What there is to say before the keywords of a block.
const INTRODUCTIONS: &[(&str, &str)] = &[
    (
        "global_defs",
        "Names, mails, limits and defaults of the whole daemon. The block may be given several times.",
    ),
    (
        "vrrp_instance",
        "A virtual router that this machine takes part in. Needed are an interface, a virtual_router_id and at least \
         one address in virtual_ipaddress.",
    ),
    ("vrrp_sync_group", "Instances that become master, backup or faulty only together."),
    (
        "vrrp_script",
        "A command that is run at intervals. Instances and groups that name it in track_script change their priority \
         by its weight when it fails, or, without a weight, go to FAULT.",
    ),
    ("track_file", "A file with a number in it, which changes the priority of those who track it."),
    (
        "virtual_server",
        "A service that the kernel forwards to real servers: an address and port, \"fwmark\" and a mark, or \"group\" and \
         the name of a virtual_server_group.",
    ),
    (
        "real_server",
        "A server behind the virtual server, with the checkers that decide whether it takes part. It takes part when \
         all of them succeed.",
    ),
    ("bfd_instance", "A session that watches a neighbour."),
];

/// The sections, from the top level inwards.
pub(super) fn sections(root: &'static [&'static dyn Grammar]) -> String {
    let mut page = Roff::new();
    let mut blocks: Vec<Block> = Vec::new();
    page.control("SH", ["TOP LEVEL"]);
    list(root, &mut page);
    gather("", root, &mut blocks);
    page.control("SH", ["BLOCKS"]);
    for block in &blocks {
        heading(block, &mut page);
        list(block.grammars, &mut page);
    }
    page.to_roff()
}

/// Every block once, each before those inside it.
fn gather(place: &str, grammars: &'static [&'static dyn Grammar], blocks: &mut Vec<Block>) {
    for keyword in grammars.iter().flat_map(|grammar| grammar.keywords()) {
        let Body::Block(inner) = keyword.body else { continue };
        let opener = (place.to_owned(), keyword);
        // Blocks of one keyword in several crates, and one block of several keywords.
        let known = blocks.iter_mut().find(|block| same(block.grammars, inner));
        if let Some(block) = known {
            if !block.openers.iter().any(|(_, other)| other.name == keyword.name) {
                block.openers.push(opener);
            }
            continue;
        }
        blocks.push(Block { openers: vec![opener], grammars: inner });
        gather(keyword.name, inner, blocks);
    }
}

/// Whether both are the same tables; that they are tells their first rows' addresses.
fn same(a: &[&dyn Grammar], b: &[&dyn Grammar]) -> bool {
    let addresses = |grammars: &[&dyn Grammar]| -> Vec<usize> {
        grammars
            .iter()
            .filter_map(|grammar| {
                Some(std::ptr::from_ref::<Keyword>(*grammar.keywords().first()?).addr())
            })
            .collect()
    };
    addresses(a) == addresses(b)
}

fn heading(block: &Block, page: &mut Roff) {
    let names: Vec<&str> = block.openers.iter().map(|(_, keyword)| keyword.name).collect();
    page.control("SS", [names.join(", ").as_str()]);
    for (place, keyword) in &block.openers {
        let mut line = Vec::new();
        if !place.is_empty() {
            line.push(roman(format!("in {place}: ")));
        }
        line.extend(usage(keyword));
        page.control("PP", []);
        page.text(line);
    }
    let introduction = INTRODUCTIONS.iter().find(|(name, _)| names.contains(name));
    if let Some((_, text)) = introduction {
        page.control("PP", []);
        page.text([roman(*text)]);
    }
}

fn list(grammars: &'static [&'static dyn Grammar], page: &mut Roff) {
    let mut seen: Vec<&str> = Vec::new();
    for keyword in grammars.iter().flat_map(|grammar| grammar.keywords()) {
        // `global_defs` is a keyword of several crates.
        if seen.contains(&keyword.name) {
            continue;
        }
        seen.push(keyword.name);
        page.control("TP", []);
        page.text(usage(keyword));
        let about = about(keyword);
        page.text([roman(if about.is_empty() { "\u{a0}".to_owned() } else { about })]);
    }
}

/// The keyword with what follows it.
fn usage(keyword: &Keyword) -> Vec<Inline> {
    let mut line = vec![bold(keyword.name)];
    let arguments = match keyword.args {
        Args::Flag => String::new(),
        Args::Bool => "[true|false]".to_owned(),
        Args::Word { .. } => "WORD".to_owned(),
        Args::Int { .. } | Args::Decimal { .. } => "NUMBER".to_owned(),
        Args::Choice(words) if words.len() > FEW => "WORD".to_owned(),
        Args::Choice(words) => words.join("|"),
        Args::Command => "COMMAND [USER [GROUP]]".to_owned(),
        Args::Free(grammar) => grammar.to_owned(),
    };
    if !arguments.is_empty() {
        line.extend([roman(" "), italic(arguments)]);
    }
    match keyword.body {
        Body::None => {}
        Body::Block(_) => line.push(roman(" { keywords }")),
        Body::Values => line.push(roman(" { entries }")),
    }
    line
}

/// So many words to choose from stand behind the keyword; more are listed below it.
const FEW: usize = 8;

/// What it is for, with its range, its default and whether it has an effect.
fn about(keyword: &Keyword) -> String {
    let mut sentences = Vec::new();
    // That it is old is said once.
    let renamed = matches!(keyword.effect, Effect::Alias { of, .. } if !of.is_empty());
    if !(renamed && keyword.doc.starts_with("old ")) {
        sentences.push(sentence(keyword.doc));
    }
    if let Args::Choice(words) = keyword.args
        && words.len() > FEW
    {
        sentences.push(format!("One of {}.", words.join(", ")));
    }
    if let Some(range) = range(&keyword.args) {
        sentences.push(format!("{range}{}.", unit(keyword)));
    } else if !keyword.unit.is_empty() {
        sentences.push(format!("In{}.", unit(keyword)));
    }
    if !keyword.default.is_empty() {
        sentences.push(format!("Default: {}.", keyword.default));
    }
    match keyword.effect {
        Effect::Full | Effect::Alias { of: "", .. } => {}
        Effect::NotYet => sentences.push("Checked, but without effect yet.".to_owned()),
        Effect::Never(why) => sentences.push(format!("Checked, but without effect: {why}.")),
        Effect::Alias { of, .. } => sentences.push(format!("Old spelling of {of}.")),
    }
    sentences.retain(|text| !text.is_empty());
    sentences.join(" ")
}

fn unit(keyword: &Keyword) -> String {
    if keyword.unit.is_empty() { String::new() } else { format!(" {}", keyword.unit) }
}

fn range(args: &Args) -> Option<String> {
    Some(match *args {
        Args::Word { max } if max > 0 => format!("At most {max} bytes"),
        Args::Int { min, max, .. } => format!("{min} to {max}"),
        Args::Decimal { digits, min, max } => {
            format!("{} to {}", decimal(min, digits), decimal(max, digits))
        }
        _ => return None,
    })
}

/// A number scaled by a power of ten, without zeros that say nothing.
fn decimal(value: u64, digits: u8) -> String {
    let scale = 10u64.pow(u32::from(digits));
    let fraction = format!("{:0width$}", value % scale, width = usize::from(digits));
    let text = format!("{}.{fraction}", value / scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[test]
fn scaled_numbers_are_written_short() {
    assert_eq!(decimal(1_500_000, 6), "1.5");
    assert_eq!(decimal(10, 6), "0.00001");
    assert_eq!(decimal(20_000_000, 6), "20");
    assert_eq!(decimal(0, 6), "0");
}
