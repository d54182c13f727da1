//! The keyword tables: `global_defs`, and one file for each kind of block.

mod checker;
mod connection;
mod forwarding;
mod global;
mod group;
mod http;
mod real_server;
mod regex;
mod ssl;
mod timing;
mod virtual_server;

use std::net::IpAddr;
use std::rc::Rc;

use config::{Args, Class, Context, Keyword, Line, Row, Table, Word, address, check};

use crate::Draft;
use crate::script::Script;

pub use checker::dns_type_name;
pub(crate) use checker::{Checker, Work};
pub use global::{FlushOnStop, GLOBAL, Globals, LvsTimeouts, SyncDaemon};
pub(crate) use real_server::RealServer;
pub use regex::OPTIONS as REGEX_OPTIONS;
pub(crate) use timing::Timing;
pub(crate) use virtual_server::part as virtual_server_part;
pub(crate) use virtual_server::{Identity, ONE_PACKET, PERSISTENCE, SorryServer, VirtualServer};

/// Longest interface name the kernel takes.
const INTERFACE_NAME_MAX: usize = 15;

/// Top-level keywords of load balancing.
pub static ROOT: Table<Draft> = Table::new(&[
    Row::new(
        Keyword::new("SSL", Args::Flag, "Certificate, key and authorities of the SSL_GET checkers")
            .block(&[&ssl::SSL]),
        ssl::ssl,
    ),
    Row::new(
        Keyword::new(
            "virtual_server_group",
            Args::Word { max: 0 },
            "Addresses, ranges and firewall marks that are one virtual server",
        )
        .required()
        .values(),
        group::group,
    ),
    Row::new(
        Keyword::new(
            "virtual_server",
            Args::Free("ADDRESS [PORT] | fwmark MARK | group NAME"),
            "A service balanced over real servers by the kernel's IPVS",
        )
        .required()
        .block(&[&virtual_server::VIRTUAL_SERVER]),
        virtual_server::virtual_server,
    ),
]);

/// Address and port of a virtual, real or sorry server; port 0 is none. What is behind a `-` or `/`
/// in the address does not count.
fn address_and_port(words: &[Word], ctx: &mut Context<'_>, what: &str) -> Option<(IpAddr, u16)> {
    let ip = address::ip_cut(words.first()?, ctx, what)?;
    Some((ip, optional_port(words.get(1), ctx, what)?))
}

/// A port that may be absent or all zeros, which is 0.
fn optional_port(word: Option<&Word>, ctx: &mut Context<'_>, what: &str) -> Option<u16> {
    match word {
        None => Some(0),
        Some(word) if !word.text.is_empty() && word.text.bytes().all(|b| b == b'0') => Some(0),
        Some(word) => address::port(word, ctx, what),
    }
}

/// A name of exactly one word.
fn single_word(line: &Line, ctx: &mut Context<'_>) -> Option<Rc<str>> {
    if let [word] = line.words.as_slice() {
        return Some(word.text.as_str().into());
    }
    let message = format!("{}: exactly one word expected; ignored", line.name());
    ctx.report(Class::General, line.span, message);
    None
}

/// The first word.
fn text(line: &Line, ctx: &mut Context<'_>) -> Option<Rc<str>> {
    line.word(ctx).map(|word| word.text.as_str().into())
}

/// An integer that the row's range keeps within `T`.
fn number<T: TryFrom<i64>>(line: &Line, ctx: &mut Context<'_>) -> Option<T> {
    line.int(ctx).and_then(|value| T::try_from(value).ok())
}

/// What was not given, or is wrong, changes nothing.
fn set<T>(value: Option<T>, place: &mut T) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Stores a command of which only the first counts.
fn first_command(slot: &mut Option<Box<Script>>, line: &Line, ctx: &mut Context<'_>) {
    let Some(command) = line.command(ctx) else { return };
    if slot.is_some() {
        let message = format!("{}: already given; '{}' ignored", line.name(), command.text);
        ctx.report(Class::General, line.span, message);
    } else {
        *slot = Some(Box::new(Script::new(command, line.span)));
    }
}

/// The position of the first argument in `choices`, whatever its case.
fn any_case(line: &Line, choices: &[&str], ctx: &mut Context<'_>) -> Option<usize> {
    let word = line.word(ctx)?;
    let found = choices.iter().position(|choice| choice.eq_ignore_ascii_case(&word.text));
    if found.is_none() {
        let message =
            format!("{}: '{}' is none of {}; ignored", line.name(), word.text, choices.join(", "));
        ctx.report(Class::General, word.span, message);
    }
    found
}

/// A row that others act on, or nobody.
const fn checked<T>(keyword: Keyword) -> Row<T> {
    Row::new(keyword, check)
}

/// Rows that stand in virtual and real servers alike.
const VIRTUALHOST: Keyword =
    Keyword::new("virtualhost", Args::Word { max: 0 }, "Host of HTTP requests").expected();
const SNMP_NAME: Keyword = Keyword::new("snmp_name", Args::Free("NAME"), "Name in the MIB");
