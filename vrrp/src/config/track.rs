//! References to tracked things: `track_interface`, `track_script`, `track_file`, `track_process`
//! and `track_bfd` of instances and of sync groups.

use config::{Class, Context, Line, Word, number};

use super::Track;
use super::builder::{Builder, Lookup};
use super::draft::Trackers;

/// What an entry refers to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Interface,
    Script,
    File,
    Process,
    Bfd,
}

impl Kind {
    const fn keyword(self) -> &'static str {
        match self {
            Kind::Interface => "track_interface",
            Kind::Script => "track_script",
            Kind::File => "track_file",
            Kind::Process => "track_process",
            Kind::Bfd => "track_bfd",
        }
    }

    /// As messages about unknown things have it.
    const fn thing(self) -> &'static str {
        match self {
            Kind::Interface => "track interface",
            Kind::Script => "track script",
            Kind::File => "track file",
            Kind::Process => "track process",
            Kind::Bfd => "track bfd",
        }
    }

    /// Largest weight of either sign, as read.
    const fn limit(self) -> i64 {
        match self {
            Kind::Bfd => 253,
            _ => 254,
        }
    }

    /// Whether ±254 becomes ±253: for these, 254 would be a fault.
    const fn clamps(self) -> bool {
        matches!(self, Kind::Interface | Kind::Script | Kind::Process)
    }

    /// Whether an unknown word behind the weight drops the entry.
    const fn strict(self) -> bool {
        matches!(self, Kind::File | Kind::Bfd)
    }

    fn list(self, trackers: &mut Trackers) -> &mut Vec<Track> {
        match self {
            Kind::Interface => &mut trackers.interfaces,
            Kind::Script => &mut trackers.scripts,
            Kind::File => &mut trackers.files,
            Kind::Process => &mut trackers.processes,
            Kind::Bfd => &mut trackers.bfds,
        }
    }
}

macro_rules! handlers {
    ($($instance:ident $group:ident $kind:expr;)*) => {$(
        pub(super) fn $instance(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
            for words in line.entries() {
                let name = b.draft.name.clone();
                let list = std::mem::take($kind.list(&mut b.draft.trackers));
                *$kind.list(&mut b.draft.trackers) = add(b, &name, $kind, list, words, ctx);
            }
        }

        pub(super) fn $group(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
            for words in line.entries() {
                let name = b.group.name.clone();
                let list = std::mem::take($kind.list(&mut b.group.trackers));
                *$kind.list(&mut b.group.trackers) = add(b, &name, $kind, list, words, ctx);
            }
        }
    )*};
}

handlers! {
    instance_interfaces group_interfaces Kind::Interface;
    instance_scripts group_scripts Kind::Script;
    instance_files group_files Kind::File;
    instance_processes group_processes Kind::Process;
    instance_bfds group_bfds Kind::Bfd;
}

fn add(
    b: &mut Builder,
    owner: &str,
    kind: Kind,
    mut list: Vec<Track>,
    words: &[Word],
    ctx: &mut Context<'_>,
) -> Vec<Track> {
    if let Some(track) = reference(b, owner, kind, &list, words, ctx) {
        list.push(track);
    }
    list
}

fn reference(
    b: &mut Builder,
    owner: &str,
    kind: Kind,
    list: &[Track],
    words: &[Word],
    ctx: &mut Context<'_>,
) -> Option<Track> {
    let (name, options) = words.split_first()?;
    let (weight, reverse) = defaults(b, owner, kind, name, ctx)?;
    let mut track = Track { name: name.text.clone(), weight, reverse };
    let complain = |word: &Word, ctx: &mut Context<'_>, text: String| {
        ctx.report(Class::General, word.span, format!("({owner}) {text}"));
    };
    if list.iter().any(|known| known.name == track.name) {
        let text = format!("duplicate {} {} - ignoring", kind.keyword(), track.name);
        complain(name, ctx, text);
        return None;
    }
    let Some((option, rest)) = options.split_first() else { return Some(track) };
    if option.text != "weight" {
        let text = match kind {
            Kind::Interface => {
                format!("unknown track_interface {} option {} - ignoring", track.name, option.text)
            }
            _ => format!("unknown {} option {} - ignoring", kind.thing(), option.text),
        };
        complain(option, ctx, text);
        return None;
    }
    let Some((value, rest)) = rest.split_first() else {
        let text = format!("weight without value specified for {} - ignoring", track.name);
        complain(option, ctx, text);
        return None;
    };
    if let Some(weight) = weight_of(kind, owner, &track.name, value, ctx) {
        track.weight = weight;
    }
    match rest.first() {
        None => {}
        Some(word) if word.text == "reverse" => track.reverse = true,
        Some(word) if word.text == "noreverse" && kind != Kind::Interface => track.reverse = false,
        Some(word) => {
            let text = format!(
                "unknown {} {} weight option {} - ignoring",
                kind.keyword(),
                track.name,
                word.text
            );
            complain(word, ctx, text);
            if kind.strict() {
                return None;
            }
        }
    }
    Some(track)
}

fn weight_of(
    kind: Kind,
    owner: &str,
    name: &str,
    value: &Word,
    ctx: &mut Context<'_>,
) -> Option<i32> {
    let limit = kind.limit();
    let Some(weight) = number::int(value, -limit, limit, true, ctx, "weight") else {
        let message = format!(
            "({owner}) weight {} for {name} must be between [-{limit}..{limit}] inclusive. \
             Ignoring...",
            value.text
        );
        ctx.report(Class::General, value.span, message);
        return None;
    };
    let mut weight = i32::try_from(weight).unwrap_or(0);
    if kind.clamps() && weight.abs() == 254 {
        let message = format!("({owner}) weight for {name} cannot be +/-254. Setting to +/-253");
        ctx.report(Class::General, value.span, message);
        weight = weight.signum() * 253;
    }
    Some(weight)
}

/// Whether the thing exists, and the weight and direction it brings along.
fn defaults(
    b: &mut Builder,
    owner: &str,
    kind: Kind,
    name: &Word,
    ctx: &mut Context<'_>,
) -> Option<(i32, bool)> {
    let text = name.text.as_str();
    let found = match kind {
        Kind::Interface => {
            return match b.tracked_interface(name, owner, ctx) {
                Lookup::Missing => None,
                _ => Some((0, false)),
            };
        }
        Kind::Script => b.script_index.get(text).map(|&i| {
            let draft = &mut b.scripts[i];
            draft.1 = true;
            (draft.0.weight, draft.0.reverse)
        }),
        Kind::File => b.file_index.get(text).map(|&i| {
            let draft = &mut b.files[i];
            draft.1 = true;
            (draft.0.weight, draft.0.reverse)
        }),
        Kind::Process => b.process_index.get(text).map(|&i| {
            let draft = &mut b.processes[i];
            draft.1 = true;
            (draft.0.weight, draft.0.reverse)
        }),
        Kind::Bfd => b.bfds.get(text).copied(),
    };
    if found.is_none() {
        let message = format!("({owner}) {} {text} not found, ignoring...", kind.thing());
        let help = match kind {
            Kind::Script => nearest(text, b.script_index.keys()),
            Kind::File => nearest(text, b.file_index.keys()),
            Kind::Process => nearest(text, b.process_index.keys()),
            _ => nearest(text, b.bfds.keys()),
        };
        ctx.report_with_help(Class::General, name.span, message, help);
    }
    found
}

/// "Did you mean" over the names that are known.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a String>) -> Option<String> {
    config::suggest(text, names.map(String::as_str)).map(config::did_you_mean)
}
