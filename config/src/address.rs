//! Reading addresses and ports (spec config-language §11.4).
//!
//! An address is IPv6 exactly when it contains a colon; host names are the business of the few
//! keywords that allow them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{Class, Context, Word, number};

/// The address that `text` is, without any report.
pub fn parse(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    } else {
        text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    }
}

/// Reads `word` as one address; `what` names it in messages.
pub fn ip(word: &Word, ctx: &mut Context<'_>, what: &str) -> Option<IpAddr> {
    parse(&word.text).or_else(|| invalid(word, ctx, what))
}

/// Like [`parse`], with everything from the first `-` or `/` on ignored.
pub fn parse_cut(text: &str) -> Option<IpAddr> {
    parse(text.split(['-', '/']).next().unwrap_or_default())
}

/// Like [`ip`], with everything from the first `-` or `/` on ignored.
pub fn ip_cut(word: &Word, ctx: &mut Context<'_>, what: &str) -> Option<IpAddr> {
    parse_cut(&word.text).or_else(|| invalid(word, ctx, what))
}

/// Reads `ADDRESS` or `ADDRESS/LENGTH`; the length is `None` when it is not given.
pub fn with_prefix(word: &Word, ctx: &mut Context<'_>, what: &str) -> Option<(IpAddr, Option<u8>)> {
    let Some((address, length)) = word.text.split_once('/') else {
        return ip(word, ctx, what).map(|ip| (ip, None));
    };
    let ip = parse(address).or_else(|| invalid(word, ctx, what))?;
    let longest = if ip.is_ipv6() { 128 } else { 32 };
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    match length.parse::<u8>() {
        Ok(length) if digits && length <= longest => Some((ip, Some(length))),
        _ => {
            let message =
                format!("{what}: prefix length '{length}' must be in [0, {longest}]; ignored");
            ctx.report(Class::General, word.span, message);
            None
        }
    }
}

/// Reads a port, 1 to 65535, leniently as the language has it.
pub fn port(word: &Word, ctx: &mut Context<'_>, what: &str) -> Option<u16> {
    number::int(word, 1, 65535, true, ctx, what).and_then(|port| u16::try_from(port).ok())
}

fn invalid<T>(word: &Word, ctx: &mut Context<'_>, what: &str) -> Option<T> {
    let message = format!("{what}: '{}' is not an IP address; ignored", word.text);
    ctx.report(Class::General, word.span, message);
    None
}

#[cfg(test)]
mod tests;
