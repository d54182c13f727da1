//! The usage and version texts. Tools read the first line of the version on standard error, and
//! search its text for the name of a build option.

use std::fmt::Write;

use super::table::{Opt, TABLE, Value};

/// First line of the version. The number is the release whose behaviour this daemon has: tools
/// compare it to decide which keywords they may use.
pub const VERSION_LINE: &str = "Keepalived v2.4.3 (11/22,2026)";

/// Column of the descriptions.
const INDENT: usize = 31;

/// What `-h` prints.
pub fn usage() -> String {
    let mut text = String::from("Usage: keepalived [OPTION...]\n");
    list(TABLE, &mut text);
    text
}

/// One line or more for each option.
pub fn list(table: &[Opt], text: &mut String) {
    for row in table {
        let short = row.short.map_or("   ".into(), |c| format!("-{},", char::from(c)));
        let value = match row.value {
            Value::None => String::new(),
            Value::Needed(name) => format!("={name}"),
            Value::Maybe(name) => format!("[={name}]"),
        };
        let names = format!("  {short} --{}{value}", row.long);
        if names.len() < INDENT {
            let _ = write!(text, "{names:INDENT$}");
        } else {
            let _ = write!(text, "{names}\n{:INDENT$}", "");
        }
        let _ = writeln!(text, "{}", row.doc.replace('\n', &format!("\n{:1$}", "", INDENT)));
    }
}

/// What `-v` prints.
pub fn version() -> String {
    let mut text = format!(
        "{VERSION_LINE}\n\n\
         Copyright(C) 2026 the authors of keepalived in Rust; version {} of that,\n\
         compatible with the release named above\n\n\
         Built for Linux 5.4 and newer\n",
        env!("CARGO_PKG_VERSION")
    );
    if let Ok(kernel) = nix::sys::utsname::uname() {
        let _ = writeln!(
            text,
            "Running on {} {} {}",
            kernel.sysname().to_string_lossy(),
            kernel.release().to_string_lossy(),
            kernel.version().to_string_lossy()
        );
    }
    if let Some(name) = distribution() {
        let _ = writeln!(text, "Distro: {name}");
    }
    text.push_str(
        "\nconfigure options: --enable-json --enable-log-file\n\n\
         Config options:  VRRP VRRP_AUTH JSON OLD_CHKSUM_COMPAT LOG_FILE DBUS INIT=systemd SYSTEMD_NOTIFY\n\n\
         System options:  none\n",
    );
    text
}

fn distribution() -> Option<String> {
    let release = std::fs::read_to_string("/etc/os-release").ok()?;
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_string())
}
