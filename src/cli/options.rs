//! What the options mean, with their arguments read.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::table::Args;

/// A syslog facility, as its code (RFC 3164 section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub u8);

impl Facility {
    /// `daemon`.
    pub const DAEMON: Facility = Facility(3);

    /// Reads the argument of `-S`.
    fn read(text: &str) -> Option<Facility> {
        match text {
            "user" => return Some(Facility(1)),
            "daemon" => return Some(Facility::DAEMON),
            _ => {}
        }
        match text.strip_prefix("local").unwrap_or(text).as_bytes() {
            [digit @ b'0'..=b'7'] => Some(Facility(16 + digit - b'0')),
            _ => None,
        }
    }
}

/// Which parts of the daemon the command line leaves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subsystems {
    /// No `-C`.
    pub vrrp: bool,
    /// No `-P`.
    pub check: bool,
    /// No `-B`.
    pub bfd: bool,
    /// `--all`: run them even without configuration.
    pub even_empty: bool,
}

/// The options with their arguments read.
#[derive(Clone, Debug)]
pub struct Options {
    /// `-f`: a file name or pattern.
    pub config_file: Option<OsString>,
    /// `-P -C -B --all`.
    pub subsystems: Subsystems,
    /// `-l`.
    pub log_console: bool,
    /// How often `-D`.
    pub detail: u32,
    /// `-S`.
    pub facility: Facility,
    /// `-g`; the inner `None` is the default name.
    pub log_file: Option<Option<PathBuf>>,
    /// `-G`.
    pub no_syslog: bool,
    /// `-u`.
    pub umask: Option<u32>,
    /// `-V`.
    pub keep_vrrp: bool,
    /// `-I`.
    pub keep_ipvs: bool,
    /// `-n`.
    pub dont_fork: bool,
    /// `-d`.
    pub dump_conf: bool,
    /// `-p`.
    pub pid: Option<PathBuf>,
    /// `-r`.
    pub vrrp_pid: Option<PathBuf>,
    /// `-c`.
    pub checkers_pid: Option<PathBuf>,
    /// `-b`.
    pub bfd_pid: Option<PathBuf>,
    /// `-a`.
    pub address_monitoring: bool,
    /// `-x`.
    pub snmp: bool,
    /// `-A`.
    pub snmp_socket: Option<String>,
    /// `-s`.
    pub namespace: Option<String>,
    /// `-m` or `-M`.
    pub core_dump: bool,
    /// `-M`'s pattern.
    pub core_pattern: Option<OsString>,
    /// `-e`.
    pub all_config: bool,
    /// `-i`.
    pub config_id: Option<String>,
    /// `--ignore-sigint`.
    pub ignore_sigint: bool,
    /// `-t`; the inner `None` is standard error.
    pub config_test: Option<Option<PathBuf>>,
}

impl Options {
    /// Reads the arguments; what is wrong with one is a message, and the option is ignored.
    pub(super) fn new(args: Args) -> (Options, Vec<String>) {
        let mut messages = Vec::new();
        let facility = args.log_facility.as_deref().map_or(Some(Facility::DAEMON), Facility::read);
        if facility.is_none() {
            let given = args.log_facility.as_deref().unwrap_or_default();
            messages.push(format!("Invalid log facility '{given}'"));
        }
        let umask = args.umask.as_deref().and_then(|text| {
            let mask = c_number(text).filter(|mask| *mask <= 0o777);
            if mask.is_none() {
                messages.push(format!("Invalid --umask option {text}"));
            }
            mask
        });
        let path = |text: Option<String>| text.map(|text| PathBuf::from(from_text(&text)));
        let maybe = |text: Option<String>| {
            text.map(|text| (!text.is_empty()).then(|| PathBuf::from(from_text(&text))))
        };
        let options = Options {
            config_file: args.use_file.map(|text| from_text(&text)),
            subsystems: Subsystems {
                vrrp: !args.check,
                check: !args.vrrp,
                bfd: !args.no_bfd,
                even_empty: args.all,
            },
            log_console: args.log_console,
            detail: args.log_detail,
            facility: facility.unwrap_or(Facility::DAEMON),
            log_file: maybe(args.log_file),
            no_syslog: args.no_syslog,
            umask,
            keep_vrrp: args.dont_release_vrrp,
            keep_ipvs: args.dont_release_ipvs,
            dont_fork: args.dont_fork,
            dump_conf: args.dump_conf,
            pid: path(args.pid),
            vrrp_pid: path(args.vrrp_pid),
            checkers_pid: path(args.checkers_pid),
            bfd_pid: path(args.bfd_pid),
            address_monitoring: args.address_monitoring,
            snmp: args.snmp,
            snmp_socket: args.snmp_agent_socket,
            namespace: args.namespace,
            core_dump: args.core_dump || args.core_dump_pattern.is_some(),
            core_pattern: args.core_dump_pattern.map(|text| match text.as_str() {
                "" => "core".into(),
                text => from_text(text),
            }),
            all_config: args.all_config,
            config_id: args.config_id,
            ignore_sigint: args.ignore_sigint,
            config_test: maybe(args.config_test),
        };
        (options, messages)
    }
}

/// A number with C's prefixes: `0x` hexadecimal, leading `0` octal, else decimal.
fn c_number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// First of the 128 characters (in a private plane, by the end of Unicode) that stand for bytes
/// which are not UTF-8 on the way through `argh`, which takes text only.
const ESCAPE: u32 = 0x10_ff00;

/// Text for `argh` from an argument of any bytes.
pub(super) fn to_text(value: OsString) -> String {
    let mut text = String::new();
    for chunk in value.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().filter_map(|b| char::from_u32(ESCAPE + u32::from(*b))));
    }
    text
}

/// The argument that [`to_text`] was given.
fn from_text(text: &str) -> OsString {
    let mut bytes = Vec::new();
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(ESCAPE)) {
            Ok(byte) if byte >= 0x80 => bytes.push(byte),
            _ => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}
