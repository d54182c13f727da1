//! Names for numbers, as iproute2 keeps them in its tables (`rt_tables`, `rt_scopes`, …).
//!
//! Read when first asked for, from the vendor's directory and the administrator's, which wins.
//! What cannot be read is as good as empty: the built-in names always work.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;

/// Which table of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum NameTable {
    Tables,
    DsField,
    Realms,
    Protocols,
    Scopes,
    Groups,
}

impl NameTable {
    const fn file(self) -> &'static str {
        match self {
            NameTable::Tables => "rt_tables",
            NameTable::DsField => "rt_dsfield",
            NameTable::Realms => "rt_realms",
            NameTable::Protocols => "rt_protos",
            NameTable::Scopes => "rt_scopes",
            NameTable::Groups => "group",
        }
    }

    /// Names that need no file.
    const fn built_in(self) -> &'static [(&'static str, u32)] {
        match self {
            NameTable::Tables => &[("default", 253), ("main", 254), ("local", 255)],
            NameTable::Scopes => {
                &[("global", 0), ("nowhere", 255), ("host", 254), ("link", 253), ("site", 200)]
            }
            NameTable::Protocols => &[
                ("none", 0),
                ("redirect", 1),
                ("kernel", 2),
                ("boot", 3),
                ("static", 4),
                ("gated", 8),
                ("ra", 9),
                ("mrt", 10),
                ("zebra", 11),
                ("bird", 12),
                ("dnrouted", 13),
                ("xorp", 14),
                ("ntk", 15),
                ("dhcp", 16),
                ("keepalived", 18),
                ("babel", 42),
            ],
            NameTable::DsField | NameTable::Realms | NameTable::Groups => &[],
        }
    }
}

/// The tables read so far.
#[derive(Default)]
pub(super) struct Names {
    read: HashMap<NameTable, HashMap<String, u32>>,
}

/// Largest table of names that is read.
const MAX_FILE: u64 = 1 << 20;

impl Names {
    /// The number `text` stands for, at most `max`: a number itself (`0x` and leading `0` as in C),
    /// or a name.
    pub fn find(
        &mut self,
        table: NameTable,
        text: &str,
        max: u32,
        usr: &str,
        etc: &str,
    ) -> Option<u32> {
        if let Some(number) = c_number(text) {
            return u32::try_from(number).ok().filter(|n| *n <= max);
        }
        let names = self.read.entry(table).or_insert_with(|| load(table, usr, etc));
        names.get(text).copied().filter(|n| *n <= max)
    }
}

/// A number as C reads it with base 0.
pub(super) fn c_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', rest @ ..] if !rest.is_empty() => (&text[2..], 16),
        [b'0', rest @ ..] if !rest.is_empty() => (&text[1..], 8),
        _ => (text, 10),
    };
    if !digits.bytes().next().is_some_and(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

fn load(table: NameTable, usr: &str, etc: &str) -> HashMap<String, u32> {
    let mut names = HashMap::new();
    let file = table.file();
    let main = Path::new(etc).join(file);
    let vendor = Path::new(usr).join(file);
    read_into(if main.exists() { &main } else { &vendor }, &mut names);
    let (usr_dir, etc_dir) = (format!("{usr}/{file}.d"), format!("{etc}/{file}.d"));
    for name in parts(Path::new(&usr_dir)) {
        let own = Path::new(&etc_dir).join(&name);
        if !own.exists() {
            read_into(&Path::new(&usr_dir).join(&name), &mut names);
        }
    }
    for name in parts(Path::new(&etc_dir)) {
        read_into(&Path::new(&etc_dir).join(&name), &mut names);
    }
    for (name, number) in table.built_in() {
        if !names.values().any(|known| known == number) {
            names.insert((*name).to_owned(), *number);
        }
    }
    names
}

/// The `*.conf` files of a directory, hidden ones left out, in order of their names.
fn parts(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".conf") && !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn read_into(path: &Path, names: &mut HashMap<String, u32>) {
    let Ok(file) = fs::File::open(path) else { return };
    let mut text = String::new();
    if file.take(MAX_FILE).read_to_string(&mut text).is_err() {
        return;
    }
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        if let (Some(number), Some(name)) = (words.next(), words.next())
            && let Some(number) = c_number(number).and_then(|n| u32::try_from(n).ok())
        {
            names.entry(name.to_owned()).or_insert(number);
        }
    }
}
