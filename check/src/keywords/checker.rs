//! The health checkers of a real server.

use std::net::IpAddr;

use config::{Args, Class, Command, Context, Grammar, Keyword, Line, Row, Table, Word};

use super::connection::{CONNECTION, Connection, SCHEDULING};
use super::http::HTTP;
use super::{any_case, checked, first_command};
use crate::script::Script;

/// Longest `misc_timeout`, in seconds.
const MISC_TIMEOUT_MAX: i64 = 4294;
/// Length of a reply that is accepted unless said otherwise.
const MAX_REPLY_LENGTH: i64 = 255;
const DNS_TYPES: &[&str] = &["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"];

/// What the checks need to remember of a checker's block.
pub(super) struct Checker {
    connection: Connection,
    /// Count of usable `url` blocks.
    pub(super) urls: usize,
    command: Option<Command>,
    user: Option<(Word, Option<Word>)>,
    dns_name: bool,
    min_reply: i64,
    max_reply: i64,
    file: Option<Word>,
    bfd: Option<Word>,
}

/// What a checker leaves behind.
#[derive(Default)]
pub(crate) struct Needs {
    /// Scripts it runs.
    pub(crate) scripts: Vec<Script>,
    /// Track files and BFD instances it follows, which must have been defined before.
    pub(crate) references: Vec<Reference>,
}

/// A name defined elsewhere.
pub(crate) enum Reference {
    /// A `track_file`.
    File(Word),
    /// A `bfd_instance`.
    Bfd(Word),
}

pub(super) static SMTP: Table<Checker> = Table::new(&[
    checked(
        Keyword::new("helo_name", Args::Word { max: 0 }, "Name to introduce ourselves with")
            .expected()
            .or("smtpchecker.keepalived.org"),
    ),
    Row::new(
        Keyword::new("host", Args::Flag, "Another check; better write another SMTP_CHECK")
            .block(&[&CONNECTION, &SCHEDULING]),
        |checker, line, ctx| {
            ctx.log(Some(line.span), "host: deprecated, write another SMTP_CHECK");
            let mut connection = checker.connection.clone();
            connect(&mut connection, line, ctx);
        },
    ),
]);

pub(super) static DNS: Table<Checker> = Table::new(&[
    Row::new(
        Keyword::new("type", Args::Choice(DNS_TYPES), "Type of the query, in any case")
            .required()
            .or("SOA"),
        |_, line, ctx| {
            any_case(line, DNS_TYPES, ctx);
        },
    ),
    Row::new(
        Keyword::new("name", Args::Word { max: 0 }, "Name to ask for").required().or("."),
        dns_name,
    ),
]);

pub(super) static MISC: Table<Checker> = Table::new(&[
    Row::new(
        Keyword::new("misc_path", Args::Command, "Command; exit status 0 is success"),
        |checker, line, ctx| {
            checker.command = None;
            first_command(&mut checker.command, line, ctx);
        },
    ),
    checked(
        Keyword::new("misc_timeout", Args::lenient(0, MISC_TIMEOUT_MAX), "Time limit of the run")
            .required()
            .unit("s")
            .or("delay_loop"),
    ),
    checked(Keyword::new("misc_dynamic", Args::Flag, "Exit status 2-255 sets the weight")),
    Row::new(
        Keyword::new("user", Args::Free("USER [GROUP]"), "Who runs the command")
            .expected()
            .or("script_user"),
        |checker, line, ctx| {
            checker.user = line.word(ctx).map(|user| (user.clone(), line.words.get(1).cloned()));
        },
    ),
]);

pub(super) static UDP: Table<Checker> = Table::new(&[
    Row::new(
        Keyword::new("payload", Args::Free("hexadecimal digits"), "What to send").expected(),
        |_, line, ctx| {
            if line.word(ctx).is_some() {
                hexadecimal(line, false, ctx);
            }
        },
    ),
    Row::new(
        Keyword::new(
            "require_reply",
            Args::Free("[hexadecimal digits, x for any]"),
            "A datagram must come back, with this content",
        ),
        |_, line, ctx| hexadecimal(line, true, ctx),
    ),
    Row::new(
        Keyword::new("min_reply_length", Args::int(0, 65535), "Shortest accepted reply")
            .required()
            .unit("bytes")
            .or("0"),
        |checker, line, ctx| checker.min_reply = line.int(ctx).unwrap_or(checker.min_reply),
    ),
    Row::new(
        Keyword::new("max_reply_length", Args::int(0, 65535), "Longest accepted reply")
            .required()
            .unit("bytes")
            .or("255"),
        |checker, line, ctx| checker.max_reply = line.int(ctx).unwrap_or(checker.max_reply),
    ),
]);

pub(super) static FILE: Table<Checker> = Table::new(&[
    Row::new(
        Keyword::new("track_file", Args::Word { max: 0 }, "A track_file defined before").required(),
        |checker, line, ctx| checker.file = line.word(ctx).cloned(),
    ),
    Row::new(
        Keyword::new(
            "weight",
            Args::Int { min: -(i32::MAX as i64), max: i32::MAX as i64, lenient: true },
            "Multiplier of the file's value, with [reverse|noreverse]",
        )
        .expected()
        .or("the track_file's"),
        |_, line, ctx| {
            line.int(ctx);
            if let Some(word) = line.words.get(1)
                && !matches!(word.text.as_str(), "reverse" | "noreverse")
            {
                let message = format!("weight: unknown option '{}'; ignored", word.text);
                ctx.report(Class::General, word.span, message);
            }
        },
    ),
]);

pub(super) static BFD: Table<Checker> = Table::new(&[
    Row::new(
        Keyword::new("name", Args::Free("NAME"), "A bfd_instance defined before").expected(),
        bfd_name,
    ),
    checked(Keyword::new("alpha", Args::Bool, "Start as failed")),
]);

/// The grammars of the plain connecting checkers.
pub(super) const CONNECTING: &[&dyn Grammar] = &[&CONNECTION, &SCHEDULING];

/// Reads the block of a checker of a real server with `address`.
pub(super) fn checker(address: IpAddr, line: &Line, ctx: &mut Context<'_>) -> Needs {
    let mut checker = Checker {
        connection: Connection::to(address),
        urls: 0,
        command: None,
        user: None,
        dns_name: false,
        min_reply: 0,
        max_reply: MAX_REPLY_LENGTH,
        file: None,
        bfd: None,
    };
    let own = match line.name() {
        "HTTP_GET" | "SSL_GET" => Some(&HTTP),
        "SMTP_CHECK" => Some(&SMTP),
        "DNS_CHECK" => Some(&DNS),
        "MISC_CHECK" => Some(&MISC),
        "UDP_CHECK" => Some(&UDP),
        "FILE_CHECK" => Some(&FILE),
        "BFD_CHECK" => Some(&BFD),
        _ => None,
    };
    for line in line.lines() {
        if !own.is_some_and(|table| table.apply(&mut checker, line, ctx))
            && !CONNECTION.apply(&mut checker.connection, line, ctx)
        {
            SCHEDULING.apply(&mut checker.connection, line, ctx);
        }
    }
    checker.finish(line, ctx)
}

fn connect(connection: &mut Connection, line: &Line, ctx: &mut Context<'_>) {
    for line in line.lines() {
        if !CONNECTION.apply(connection, line, ctx) {
            SCHEDULING.apply(connection, line, ctx);
        }
    }
    connection.finish(line, ctx);
}

impl Checker {
    fn finish(self, line: &Line, ctx: &mut Context<'_>) -> Needs {
        let mut needs = Needs::default();
        let missing = match line.name() {
            "HTTP_GET" | "SSL_GET" if self.urls == 0 => "no url",
            "MISC_CHECK" if self.command.is_none() => "no misc_path",
            "FILE_CHECK" if self.file.is_none() => "no track_file",
            "BFD_CHECK" if self.bfd.is_none() => "no name",
            _ => "",
        };
        if !missing.is_empty() {
            let message = format!("{}: {missing}; ignored", line.name());
            ctx.report(Class::General, line.span, message);
            return needs;
        }
        match line.name() {
            "MISC_CHECK" | "FILE_CHECK" | "BFD_CHECK" => {}
            _ => self.connection.finish(line, ctx),
        }
        if self.min_reply > self.max_reply {
            let message = format!(
                "{}: min_reply_length {} exceeds max_reply_length {}; it will always fail",
                line.name(),
                self.min_reply,
                self.max_reply
            );
            ctx.report(Class::General, line.span, message);
        }
        let user = self.user;
        needs.scripts.extend(self.command.map(|command| Script::misc(command, user, line.span)));
        needs.references.extend(self.file.map(Reference::File));
        needs.references.extend(self.bfd.map(Reference::Bfd));
        needs
    }
}

fn dns_name(checker: &mut Checker, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let name = word.text.strip_suffix('.').unwrap_or(&word.text);
    if checker.dns_name {
        ctx.report(Class::General, word.span, "name: already given; ignored");
    } else if !name.is_empty() && name.split('.').any(str::is_empty) {
        let message = format!("name: '{}' has an empty label; ignored", word.text);
        ctx.report(Class::General, word.span, message);
    } else {
        checker.dns_name = true;
    }
}

fn bfd_name(checker: &mut Checker, line: &Line, ctx: &mut Context<'_>) {
    match (line.words.as_slice(), &checker.bfd) {
        ([name], None) => checker.bfd = Some(name.clone()),
        ([name], Some(_)) => {
            let message = format!("name: already given; '{}' ignored", name.text);
            ctx.report(Class::General, name.span, message);
        }
        _ => ctx.report(Class::General, line.span, "name: exactly one name expected; ignored"),
    }
}

/// Blanks separate groups; within one, digits pair up from the left and a last odd one is a byte.
fn hexadecimal(line: &Line, wildcard: bool, ctx: &mut Context<'_>) {
    let digit = |b: u8| {
        b.is_ascii_hexdigit() || matches!(b, b' ' | b'\t') || (wildcard && matches!(b, b'x' | b'X'))
    };
    for word in line.words.iter().filter(|word| !word.text.bytes().all(digit)) {
        let message = format!("{}: '{}' is not hexadecimal; ignored", line.name(), word.text);
        ctx.report(Class::General, word.span, message);
    }
}
