//! The health checkers of a real server.

use std::net::IpAddr;
use std::rc::Rc;

use config::{Args, Class, Context, Grammar, Keyword, Line, Row, Table, Word};

use super::connection::{CONNECTION, Connection, SCHEDULING};
use super::http::HTTP;
use super::timing::{Timed, Timing, alpha};
use super::{any_case, first_command, number, set, text};
use crate::script::Script;
use crate::settings::{DnsSettings, HttpSettings, Kind, UdpSettings};

/// Longest `misc_timeout`, in seconds.
const MISC_TIMEOUT_MAX: i64 = 4294;
/// Length of a reply that is accepted unless said otherwise.
const MAX_REPLY_LENGTH: u16 = 255;
/// What SMTP_CHECK calls itself unless said otherwise.
const HELO_NAME: &str = "smtpchecker.keepalived.org";
/// Names of record types, and the numbers of [`DNS_NUMBERS`].
const DNS_TYPES: &[&str] = &["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"];
const DNS_NUMBERS: [u16; 9] = [1, 2, 5, SOA, 15, 16, 28, 46, 48];
const SOA: u16 = 6;

/// The name of a record type that DNS_CHECK can ask for.
pub fn dns_type_name(number: u16) -> Option<&'static str> {
    let index = DNS_NUMBERS.iter().position(|known| *known == number)?;
    DNS_TYPES.get(index).copied()
}

/// A checker as its block says, before its real and virtual server fill in what it does not say.
pub(crate) struct Checker {
    pub(crate) connection: Connection,
    pub(crate) work: Work,
}

/// What a checker does, as far as its block tells.
pub(crate) enum Work {
    /// All is known but the defaults of `HTTP_GET`.
    Known(Kind),
    /// A script, which is looked for once everything is read.
    Script { script: Box<Script>, timeout: u32, dynamic: bool },
    /// A file defined before, by its name.
    File { name: Word, weight: Option<i32>, reverse: Option<bool> },
    /// A BFD instance defined before, by its name.
    Bfd(Word),
}

/// The block of a checker while it is read: what one kind does not have stays as it is.
pub(super) struct Block {
    pub(super) connection: Connection,
    /// The real server, its port as written.
    server: (IpAddr, u16),
    pub(super) http: HttpSettings,
    pub(super) tls_compliant: bool,
    /// Further checks of an SMTP_CHECK.
    hosts: Vec<Connection>,
    helo: Option<Rc<str>>,
    command: Option<Box<Script>>,
    user: Option<(Word, Option<Word>)>,
    timeout: u32,
    dynamic: bool,
    dns: u16,
    dns_name: Option<Rc<str>>,
    udp: UdpSettings,
    /// The file or BFD instance it follows.
    followed: Option<Word>,
    weight: Option<i32>,
    reverse: Option<bool>,
}

impl Timed for Block {
    fn timing(&mut self) -> &mut Timing {
        &mut self.connection.timing
    }
}

impl Block {
    fn new(address: IpAddr, port: u16) -> Block {
        Block {
            connection: Connection::to(address, port),
            server: (address, port),
            http: HttpSettings::default(),
            tls_compliant: false,
            hosts: Vec::new(),
            helo: None,
            command: None,
            user: None,
            timeout: 0,
            dynamic: false,
            dns: SOA,
            dns_name: None,
            udp: UdpSettings { max_length: MAX_REPLY_LENGTH, ..UdpSettings::default() },
            followed: None,
            weight: None,
            reverse: None,
        }
    }
}

pub(super) static SMTP: Table<Block> = Table::new(&[
    Row::new(
        Keyword::new("helo_name", Args::Word { max: 0 }, "Name to introduce ourselves with")
            .expected()
            .or(HELO_NAME),
        |block, line, ctx| set(text(line, ctx).map(Some), &mut block.helo),
    ),
    Row::new(
        Keyword::new("host", Args::Flag, "Another check; better write another SMTP_CHECK")
            .block(&[&CONNECTION, &SCHEDULING]),
        host,
    ),
]);

pub(super) static DNS: Table<Block> = Table::new(&[
    Row::new(
        Keyword::new("type", Args::Choice(DNS_TYPES), "Type of the query, in any case")
            .required()
            .or("SOA"),
        |block, line, ctx| {
            let index = any_case(line, DNS_TYPES, ctx);
            set(index.and_then(|index| DNS_NUMBERS.get(index).copied()), &mut block.dns);
        },
    ),
    Row::new(
        Keyword::new("name", Args::Word { max: 0 }, "Name to ask for").required().or("."),
        dns_name,
    ),
]);

pub(super) static MISC: Table<Block> = Table::new(&[
    Row::new(
        Keyword::new("misc_path", Args::Command, "Command; exit status 0 is success"),
        |block, line, ctx| {
            block.command = None;
            first_command(&mut block.command, line, ctx);
        },
    ),
    Row::new(
        Keyword::new("misc_timeout", Args::lenient(0, MISC_TIMEOUT_MAX), "Time limit of the run")
            .required()
            .unit("s")
            .or("delay_loop"),
        |block, line, ctx| set(number(line, ctx), &mut block.timeout),
    ),
    Row::new(
        Keyword::new("misc_dynamic", Args::Flag, "Exit status 2-255 sets the weight"),
        |block, _, _| block.dynamic = true,
    ),
    Row::new(
        Keyword::new("user", Args::Free("USER [GROUP]"), "Who runs the command")
            .expected()
            .or("script_user"),
        |block, line, ctx| {
            block.user = line.word(ctx).map(|user| (user.clone(), line.words.get(1).cloned()));
        },
    ),
]);

pub(super) static UDP: Table<Block> = Table::new(&[
    Row::new(
        Keyword::new("payload", Args::Free("hexadecimal digits"), "What to send").expected(),
        |block, line, ctx| {
            if line.word(ctx).is_some() {
                let payload = hexadecimal(line, false, ctx).map(|(bytes, _)| Some(bytes));
                set(payload, &mut block.udp.payload);
            }
        },
    ),
    Row::new(
        Keyword::new(
            "require_reply",
            Args::Free("[hexadecimal digits, x for any]"),
            "A datagram must come back, with this content",
        ),
        |block, line, ctx| {
            block.udp.require_reply = true;
            if !line.words.is_empty() {
                set(hexadecimal(line, true, ctx).map(Some), &mut block.udp.reply);
            }
        },
    ),
    Row::new(
        Keyword::new("min_reply_length", Args::int(0, 65535), "Shortest accepted reply")
            .required()
            .unit("bytes")
            .or("0"),
        |block, line, ctx| set(number(line, ctx), &mut block.udp.min_length),
    ),
    Row::new(
        Keyword::new("max_reply_length", Args::int(0, 65535), "Longest accepted reply")
            .required()
            .unit("bytes")
            .or("255"),
        |block, line, ctx| set(number(line, ctx), &mut block.udp.max_length),
    ),
]);

pub(super) static FILE: Table<Block> = Table::new(&[
    Row::new(
        Keyword::new("track_file", Args::Word { max: 0 }, "A track_file defined before").required(),
        |block, line, ctx| block.followed = line.word(ctx).cloned(),
    ),
    Row::new(
        Keyword::new(
            "weight",
            Args::Int { min: -(i32::MAX as i64), max: i32::MAX as i64, lenient: true },
            "Multiplier of the file's value, with [reverse|noreverse]",
        )
        .expected()
        .or("the track_file's"),
        file_weight,
    ),
]);

pub(super) static BFD: Table<Block> = Table::new(&[
    Row::new(
        Keyword::new("name", Args::Free("NAME"), "A bfd_instance defined before").expected(),
        bfd_name,
    ),
    alpha(Keyword::new("alpha", Args::Bool, "Start as failed")),
]);

/// The grammars of the plain connecting checkers.
pub(super) const CONNECTING: &[&dyn Grammar] = &[&CONNECTION, &SCHEDULING];

/// Reads the block of a checker of a real server, and adds what it makes to `checkers`.
pub(super) fn checker(
    (address, port): (IpAddr, u16),
    line: &Line,
    checkers: &mut Vec<Checker>,
    ctx: &mut Context<'_>,
) {
    let mut block = Block::new(address, port);
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
    // Mostly there is one, and a vector that grows takes the room of four.
    let urls = line.lines().iter().filter(|line| line.keyword.name == "url");
    block.http.urls.reserve_exact(urls.count());
    for line in line.lines() {
        if !own.is_some_and(|table| table.apply(&mut block, line, ctx)) {
            common(&mut block.connection, line, ctx);
        }
    }
    block.finish(line, checkers, ctx);
}

fn common(connection: &mut Connection, line: &Line, ctx: &mut Context<'_>) {
    if !CONNECTION.apply(connection, line, ctx) {
        SCHEDULING.apply(connection, line, ctx);
    }
}

impl Block {
    fn finish(mut self, line: &Line, checkers: &mut Vec<Checker>, ctx: &mut Context<'_>) {
        let Some(work) = self.work(line, ctx) else { return };
        let Block { connection, hosts, .. } = self;
        match (&work, hosts.is_empty()) {
            (Work::Known(kind), true) if kind.connects() && !connection.finish(line, ctx) => {}
            (_, true) => checkers.push(Checker { connection, work }),
            (Work::Known(kind), false) => {
                // Without a connection of its own the first host takes its place.
                let own = connection.given.then(|| connection.clone());
                let hosts = hosts.into_iter().map(|mut host| {
                    host.timing = host.timing.or(&connection.timing);
                    host.log_all_failures |= connection.log_all_failures;
                    host
                });
                for connection in own.into_iter().chain(hosts) {
                    if connection.finish(line, ctx) {
                        checkers.push(Checker { connection, work: Work::Known(kind.clone()) });
                    }
                }
            }
            _ => {}
        }
    }

    /// What it does, unless something is missing.
    fn work(&mut self, line: &Line, ctx: &mut Context<'_>) -> Option<Work> {
        let made = match line.name() {
            "HTTP_GET" | "SSL_GET" => self.http(line).ok_or("no url"),
            "MISC_CHECK" => self.command.take().ok_or("no misc_path").map(|mut script| {
                script.run_by(self.user.take());
                Work::Script { script, timeout: self.timeout, dynamic: self.dynamic }
            }),
            "FILE_CHECK" => self.followed.take().ok_or("no track_file").map(|name| Work::File {
                name,
                weight: self.weight,
                reverse: self.reverse,
            }),
            "BFD_CHECK" => self.followed.take().ok_or("no name").map(Work::Bfd),
            "SMTP_CHECK" => {
                let helo = self.helo.take().unwrap_or_else(|| HELO_NAME.into());
                Ok(Work::Known(Kind::Smtp(helo)))
            }
            "DNS_CHECK" => Ok(Work::Known(Kind::Dns(DnsSettings {
                kind: self.dns,
                name: self.dns_name.take().unwrap_or_default(),
            }))),
            "UDP_CHECK" => Ok(Work::Known(Kind::Udp(Box::new(self.udp(line, ctx))))),
            "PING_CHECK" => Ok(Work::Known(Kind::Ping)),
            _ => Ok(Work::Known(Kind::Tcp)),
        };
        if let Err(missing) = &made {
            let message = format!("{}: {missing}; ignored", line.name());
            ctx.report(Class::General, line.span, message);
        }
        made.ok()
    }

    fn http(&mut self, line: &Line) -> Option<Work> {
        let mut http = std::mem::take(&mut self.http);
        http.tls = line.name() == "SSL_GET";
        for url in &mut http.urls {
            url.tls_compliant |= self.tls_compliant;
        }
        (!http.urls.is_empty()).then(|| Work::Known(Kind::Http(Rc::new(http))))
    }

    fn udp(&mut self, line: &Line, ctx: &mut Context<'_>) -> UdpSettings {
        let udp = std::mem::take(&mut self.udp);
        if udp.min_length > udp.max_length {
            let message = format!(
                "{}: min_reply_length {} exceeds max_reply_length {}; it will always fail",
                line.name(),
                udp.min_length,
                udp.max_length
            );
            ctx.report(Class::General, line.span, message);
        }
        udp
    }
}

fn host(block: &mut Block, line: &Line, ctx: &mut Context<'_>) {
    ctx.log(Some(line.span), "host: deprecated, write another SMTP_CHECK");
    let mut connection = Connection::to(block.server.0, block.server.1);
    for line in line.lines() {
        common(&mut connection, line, ctx);
    }
    block.hosts.push(connection);
}

fn dns_name(block: &mut Block, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let name = word.text.strip_suffix('.').unwrap_or(&word.text);
    if block.dns_name.is_some() {
        ctx.report(Class::General, word.span, "name: already given; ignored");
    } else if !name.is_empty() && name.split('.').any(str::is_empty) {
        let message = format!("name: '{}' has an empty label; ignored", word.text);
        ctx.report(Class::General, word.span, message);
    } else {
        block.dns_name = Some(name.into());
    }
}

fn file_weight(block: &mut Block, line: &Line, ctx: &mut Context<'_>) {
    block.weight = number(line, ctx).or(block.weight);
    match line.words.get(1).map(|word| (word, word.text.as_str())) {
        // A weight of its own is without the file's `reverse`.
        None => block.reverse = block.weight.map(|_| false),
        Some((_, "reverse")) => block.reverse = Some(true),
        Some((_, "noreverse")) => block.reverse = Some(false),
        Some((word, other)) => {
            let message = format!("weight: unknown option '{other}'; ignored");
            ctx.report(Class::General, word.span, message);
        }
    }
}

fn bfd_name(block: &mut Block, line: &Line, ctx: &mut Context<'_>) {
    match (line.words.as_slice(), &block.followed) {
        ([name], None) => block.followed = Some(name.clone()),
        ([name], Some(_)) => {
            let message = format!("name: already given; '{}' ignored", name.text);
            ctx.report(Class::General, name.span, message);
        }
        _ => ctx.report(Class::General, line.span, "name: exactly one name expected; ignored"),
    }
}

/// Bytes, and a mask of the bits that count. Blanks separate groups; within one, digits pair up from
/// the left and a last odd one is a byte.
fn hexadecimal(line: &Line, wildcard: bool, ctx: &mut Context<'_>) -> Option<(Vec<u8>, Vec<u8>)> {
    let nibble = |digit: char| match digit {
        'x' | 'X' if wildcard => Some((0, 0)),
        _ => digit.to_digit(16).and_then(|value| u8::try_from(value).ok()).map(|v| (v, 0xf)),
    };
    let (mut bytes, mut mask, mut valid) = (Vec::new(), Vec::new(), true);
    for word in &line.words {
        for group in word.text.split([' ', '\t']) {
            let nibbles: Option<Vec<(u8, u8)>> = group.chars().map(nibble).collect();
            let Some(nibbles) = nibbles else {
                let message =
                    format!("{}: '{}' is not hexadecimal; ignored", line.name(), word.text);
                ctx.report(Class::General, word.span, message);
                valid = false;
                break;
            };
            for pair in nibbles.chunks(2) {
                // The upper half of a single digit is 0, and counts.
                let (high, low) = match pair {
                    [high, low] => (*high, *low),
                    [low] => ((0, 0xf), *low),
                    _ => continue,
                };
                bytes.push(high.0 << 4 | low.0);
                mask.push(high.1 << 4 | low.1);
            }
        }
    }
    valid.then_some((bytes, mask))
}
