//! Tracked things: `vrrp_script`, `track_file`.

use std::path::Path;
use std::time::Duration;

use config::{Args, Class, Command, Context, Keyword, Line, Row, Table, Word, number};
use nix::sys::statfs;

use super::builder::Builder;
use super::globals::number32;
use super::instance::apply_block;
use super::{FileSettings, ScriptSettings};

type B = Row<Builder>;

const MILLISECONDS: Args = Args::Decimal { digits: 3, min: 0, max: 4_294_000 };
const COUNT: Args = Args::lenient(1, i32::MAX as i64);
pub(super) const WEIGHT: Args = Args::Free("N [reverse]");

/// A `vrrp_script` while its block is read.
#[derive(Default)]
pub(super) struct ScriptDraft {
    name: String,
    command: Option<Command>,
    user: Option<(Word, Option<Word>)>,
    interval: Option<u64>,
    timeout: Option<u64>,
    weight: i32,
    reverse: bool,
    rise: Option<u32>,
    fall: Option<u32>,
    init_fail: bool,
}

/// A `track_file` while its block is read.
#[derive(Default)]
pub(super) struct FileDraft {
    name: String,
    path: Option<Word>,
    weight: Option<i32>,
    reverse: bool,
    init: Option<(i32, bool)>,
}

/// Keywords inside `vrrp_script`.
pub static SCRIPT: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("script", Args::Command, "the command with its arguments, quoted").required(),
        |b, l, c| b.script.command = l.command(c).or(b.script.command.take()),
    ),
    B::new(
        Keyword::new("interval", MILLISECONDS, "time between two starts")
            .required()
            .or("1")
            .unit("s"),
        |b, l, c| b.script.interval = milliseconds(b, l, c).or(b.script.interval),
    ),
    B::new(
        Keyword::new("timeout", MILLISECONDS, "how long a run may take")
            .required()
            .or("interval")
            .unit("s"),
        |b, l, c| b.script.timeout = milliseconds(b, l, c).or(b.script.timeout),
    ),
    B::new(
        Keyword::new("weight", WEIGHT, "added to the priority; 0: failure is a fault")
            .required()
            .or("0"),
        |b, l, c| {
            let what = format!("vrrp_script {}", b.script.name);
            if let Some((weight, reverse)) = weight(l, 253, &what, c) {
                b.script.weight = weight.unwrap_or(b.script.weight);
                b.script.reverse = reverse;
            }
        },
    ),
    B::new(Keyword::new("rise", COUNT, "successes needed").required().or("1"), |b, l, c| {
        b.script.rise = Some(count(b, l, c))
    }),
    B::new(Keyword::new("fall", COUNT, "failures needed").required().or("1"), |b, l, c| {
        b.script.fall = Some(count(b, l, c))
    }),
    B::new(
        Keyword::new("user", Args::Free("USER [GROUP]"), "who the script runs as")
            .required()
            .or("script_user"),
        |b, l, c| {
            if let Some(user) = l.word(c) {
                b.script.user = Some((user.clone(), l.words.get(1).cloned()));
            }
        },
    ),
    B::new(
        Keyword::new("init_fail", Args::Flag, "counts as failed until the first success"),
        |b, _, _| b.script.init_fail = true,
    ),
]);

/// Keywords inside `track_file`.
pub static FILE: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("file", Args::Free("PATH"), "the file that holds a number").expected(),
        set_file,
    ),
    B::new(
        Keyword::new("weight", WEIGHT, "factor of the number; 0: other than 0 is a fault")
            .expected()
            .or("1"),
        set_file_weight,
    ),
    B::new(
        Keyword::new(
            "init_file",
            Args::Free("[VALUE] [overwrite]"),
            "write the file at start if it is absent",
        ),
        set_init_file,
    ),
]);

fn milliseconds(b: &Builder, line: &Line, ctx: &mut Context<'_>) -> Option<u64> {
    let value = line.decimal(ctx);
    let zero = value == Some(0) || (value.is_none() && !is_number(line));
    if zero {
        let message = format!(
            "({}): vrrp script {} must be greater than 0, setting to 1",
            b.script.name,
            line.name()
        );
        ctx.report(Class::General, line.span, message);
        return Some(1000);
    }
    value
}

fn is_number(line: &Line) -> bool {
    line.first().is_some_and(|word| word.text.parse::<f64>().is_ok())
}

/// `N [reverse]`: the weight, if it is valid, and the direction; `None` when there is no argument.
pub(super) fn weight(
    line: &Line,
    limit: i64,
    what: &str,
    ctx: &mut Context<'_>,
) -> Option<(Option<i32>, bool)> {
    let value = line.word(ctx)?;
    let weight = number::int(value, -limit, limit, true, ctx, "weight");
    if weight.is_none() {
        let message =
            format!("{what} weight {} must be in [-{limit}, {limit}]; ignored", value.text);
        ctx.report(Class::General, value.span, message);
    }
    let reverse = match line.words.get(1) {
        None => false,
        Some(word) if word.text == "reverse" => true,
        Some(word) => {
            let message = format!("{what} unknown weight option {}", word.text);
            ctx.report(Class::General, word.span, message);
            false
        }
    };
    Some((weight.and_then(|w| i32::try_from(w).ok()), reverse))
}

fn count(b: &Builder, line: &Line, ctx: &mut Context<'_>) -> u32 {
    number32(line.int(ctx)).unwrap_or_else(|| {
        let text = line.first().map_or("", |word| word.text.as_str());
        let message = format!(
            "({}): vrrp script {} value '{text}' invalid, defaulting to 1",
            b.script.name,
            line.name()
        );
        ctx.report(Class::General, line.span, message);
        1
    })
}

/// `vrrp_script NAME { … }`.
pub(super) fn add_script(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(name) = line.word(ctx) else { return };
    b.script = ScriptDraft { name: name.text.clone(), ..ScriptDraft::default() };
    apply_block(&SCRIPT, b, line, ctx);
    let draft = std::mem::take(&mut b.script);
    let Some(mut command) = draft.command else {
        let message = format!("No script set for vrrp_script {} - removing", draft.name);
        ctx.report(Class::General, name.span, message);
        return;
    };
    (command.user, command.group) = draft.user.map_or((None, None), |(u, g)| (Some(u), g));
    let text = command.text.clone();
    let script = match b.notify.scripts.script(command) {
        Ok(script) => script,
        Err(error) => {
            let message = format!("Unable to set uid/gid for script '{text}': {error}");
            ctx.report(Class::General, name.span, message);
            return;
        }
    };
    let interval = Duration::from_millis(draft.interval.unwrap_or(1000));
    let settings = ScriptSettings {
        name: draft.name.clone(),
        script,
        interval,
        timeout: draft.timeout.map_or(interval, Duration::from_millis),
        weight: draft.weight,
        reverse: draft.reverse,
        rise: draft.rise.unwrap_or(1),
        fall: draft.fall.unwrap_or(1),
        init_fail: draft.init_fail,
    };
    // Of several with one name, the first is meant.
    b.script_index.entry(draft.name).or_insert(b.scripts.len());
    b.scripts.push((settings, false));
}

fn set_file(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(path) = line.word(ctx) else { return };
    if b.file.path.is_some() {
        let message =
            format!("File already set for track file {} - ignoring {}", b.file.name, path.text);
        ctx.report(Class::General, path.span, message);
    } else {
        b.file.path = Some(path.clone());
    }
}

fn set_file_weight(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if b.file.weight.is_some_and(|weight| weight != 1) {
        let text = line.first().map_or("", |word| word.text.as_str());
        let message =
            format!("Weight already set for track file {} - ignoring {text}", b.file.name);
        ctx.report(Class::General, line.span, message);
        return;
    }
    let what = format!("track_file {}", b.file.name);
    if let Some((weight, reverse)) = weight(line, 254, &what, ctx) {
        b.file.weight = Some(weight.unwrap_or(1));
        b.file.reverse = reverse;
    }
}

fn set_init_file(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let (mut value, mut overwrite) = (0, false);
    for word in &line.words {
        if word.text == "overwrite" {
            overwrite = true;
        } else if let Ok(number) = word.text.parse::<i32>() {
            value = number;
            if number.abs() > 254 {
                let message = format!(
                    "Track file {} init value {number} is outside sensible range [-254, 254]",
                    b.file.name
                );
                ctx.report(Class::General, word.span, message);
            }
        } else {
            let message = format!("Unknown track file init option {}", word.text);
            ctx.report(Class::General, word.span, message);
        }
    }
    b.file.init = Some((value, overwrite));
}

/// `track_file NAME { … }` and its old spelling.
pub(super) fn add_file(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(name) = line.word(ctx) else { return };
    b.file = FileDraft { name: name.text.clone(), ..FileDraft::default() };
    apply_block(&FILE, b, line, ctx);
    let draft = std::mem::take(&mut b.file);
    let Some(path) = draft.path else {
        let message = format!("No file set for track_file {} - ignoring", draft.name);
        ctx.report(Class::General, name.span, message);
        return;
    };
    if let Err(message) = watchable(&path.text, &draft.name) {
        ctx.report(Class::General, path.span, message);
        return;
    }
    let settings = FileSettings {
        name: draft.name.clone(),
        path: path.text,
        weight: draft.weight.unwrap_or(1),
        reverse: draft.reverse,
        init: draft.init,
    };
    b.file_index.entry(draft.name).or_insert(b.files.len());
    b.files.push((settings, false));
}

/// Magic numbers of filesystems that inotify cannot watch, or whose files nobody can write.
const UNWATCHABLE: [u32; 19] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x1cd1,      // devpts
    0xde5e_81e4, // efivarfs
    0x6573_5546, // FUSE
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x1980_0202, // mqueue
    0x7275,      // romfs
    0xf97c_ff8c, // selinux
    0xcafe_4a11, // bpf
    0x5049_5045, // pipefs
    0x534f_434b, // sockfs
];

/// The directory exists, and changes in it can be noticed.
fn watchable(path: &str, name: &str) -> Result<(), String> {
    let directory = match Path::new(path).parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory = directory
        .canonicalize()
        .map_err(|error| format!("{path}: {error}; track_file {name} is ignored"))?;
    let refused = match statfs::statfs(&directory) {
        Ok(fs) => {
            // Wider with some C libraries and signed with others; the numbers have 32 bits.
            let kind = fs.filesystem_type().0 as u32;
            UNWATCHABLE.contains(&kind)
                || fs.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY)
        }
        Err(_) => true,
    };
    if refused {
        return Err(format!(
            "The filesystem of {path} is read only or cannot be monitored - ignoring"
        ));
    }
    Ok(())
}
