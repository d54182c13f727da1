//! What route and rule entries have in common: words in any order, most with an argument.

use std::net::IpAddr;

use config::{Class, Context, Span, Word, address, number};
use netlink::Prefix;

use super::Family;
use super::builder::{Builder, Lookup};
use super::instance::family_of;
use super::names::{NameTable, c_number};

/// The entry is dropped; why has been reported.
pub(super) struct Dropped;

/// Result of reading a part of an entry.
pub(super) type Part<T = ()> = Result<T, Dropped>;

/// An entry of words, read from the left.
pub(super) struct Entry<'a> {
    /// "route" or "rule".
    pub what: &'static str,
    /// Family, once a word shows it.
    pub family: Option<Family>,
    words: &'a [Word],
    at: usize,
}

impl<'a> Entry<'a> {
    pub fn new(what: &'static str, words: &'a [Word]) -> Self {
        Entry { what, family: None, words, at: 0 }
    }

    /// The next word.
    pub fn next(&mut self) -> Option<&'a Word> {
        let word = self.words.get(self.at);
        self.at += usize::from(word.is_some());
        word
    }

    /// The next word, left where it is.
    pub fn peek(&self) -> Option<&'a Word> {
        self.words.get(self.at)
    }

    /// Takes the next word if it is `text`.
    pub fn skip(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.text == text);
        self.at += usize::from(found);
        found
    }

    /// The place of the entry.
    pub fn span(&self) -> Span {
        self.words.first().map_or(Span { file: 0, line: 0, column: 0, len: 0 }, |w| w.span)
    }

    /// The argument of `keyword`. Its absence stops the daemon, as everywhere in the language where
    /// an argument is taken by its position.
    pub fn argument(
        &mut self,
        keyword: &Word,
        b: &mut Builder,
        ctx: &mut Context<'_>,
    ) -> Part<&'a Word> {
        if let Some(word) = self.next() {
            return Ok(word);
        }
        let first = self.words.first().map_or("", |word| word.text.as_str());
        let message = format!(
            "*** Configuration line starting `{first}` is missing a parameter after keyword `{}` \
             at word position {}",
            keyword.text,
            self.at + 1
        );
        ctx.report(Class::MissingParameter, keyword.span, message.clone());
        b.refused.push(message);
        Err(Dropped)
    }

    /// Reports a defect that drops the entry.
    pub fn drop<T>(
        &self,
        span: Span,
        ctx: &mut Context<'_>,
        message: impl Into<String>,
    ) -> Part<T> {
        ctx.report(Class::General, span, message);
        Err(Dropped)
    }

    /// Settles the family, or drops an entry of both.
    pub fn agree(&mut self, family: Family, word: &Word, ctx: &mut Context<'_>) -> Part {
        if *self.family.get_or_insert(family) == family {
            return Ok(());
        }
        let message = format!("Cannot mix IPv4 and IPv6 addresses for {}", self.what);
        self.drop(word.span, ctx, message)
    }

    /// `ADDRESS`.
    pub fn address(&mut self, word: &Word, ctx: &mut Context<'_>) -> Part<IpAddr> {
        let Some(ip) = address::parse(&word.text) else {
            let message =
                format!("{} is not an IP address; the {} is ignored", word.text, self.what);
            return self.drop(word.span, ctx, message);
        };
        self.agree(family_of(&ip), word, ctx)?;
        Ok(ip)
    }

    /// `ADDRESS[/LENGTH]`; a length out of range becomes the longest.
    pub fn prefix(&mut self, word: &Word, ctx: &mut Context<'_>) -> Part<Prefix> {
        let (text, length) = match word.text.split_once('/') {
            Some((text, length)) => (text, Some(length)),
            None => (word.text.as_str(), None),
        };
        let Some(ip) = address::parse(text) else {
            let message = format!("VRRP parsed invalid IP {}. skipping IP...", word.text);
            return self.drop(word.span, ctx, message);
        };
        self.agree(family_of(&ip), word, ctx)?;
        let most: u8 = if ip.is_ipv6() { 128 } else { 32 };
        let valid = |length: &str| {
            length.bytes().all(|b| b.is_ascii_digit())
                && length.parse::<u8>().is_ok_and(|length| length <= most)
        };
        if let Some(length) = length.filter(|length| !valid(length)) {
            let message = format!(
                "Invalid address prefix len {length} for address {} - using {most}",
                word.text
            );
            ctx.report(Class::General, word.span, message);
        }
        let length = length.and_then(|length| length.parse().ok()).unwrap_or(most);
        Ok((ip, length.min(most)))
    }

    /// An unsigned decimal number up to `max`.
    pub fn number(
        &self,
        keyword: &Word,
        word: &Word,
        max: i64,
        ctx: &mut Context<'_>,
    ) -> Part<i64> {
        number::int(word, 0, max, false, ctx, &keyword.text).ok_or(Dropped).or_else(|Dropped| {
            let message =
                format!("Invalid {} {} specified for {}", keyword.text, word.text, self.what);
            self.drop(word.span, ctx, message)
        })
    }

    /// A number as in C, with `0x` or a leading `0`, up to `max`.
    pub fn c_number(
        &self,
        keyword: &Word,
        text: &str,
        max: u64,
        ctx: &mut Context<'_>,
    ) -> Part<u64> {
        match c_number(text).filter(|number| *number <= max) {
            Some(number) => Ok(number),
            None => {
                let message = format!("Invalid {} {} {text} specified", self.what, keyword.text);
                self.drop(keyword.span, ctx, message)
            }
        }
    }

    /// A number or a name of one of iproute2's tables.
    pub fn named(
        &self,
        b: &mut Builder,
        table: NameTable,
        word: &Word,
        max: u32,
        ctx: &mut Context<'_>,
    ) -> Part<u32> {
        match b.name(table, &word.text, max) {
            Some(number) => Ok(number),
            None => {
                let what = match table {
                    NameTable::Tables => "Routing table",
                    NameTable::DsField => "TOS value",
                    NameTable::Realms => "Realm",
                    NameTable::Protocols => "Protocol",
                    NameTable::Scopes => "Scope",
                    NameTable::Groups => "Interface group",
                };
                let message =
                    format!("{what} {} not found or invalid for {}", word.text, self.what);
                self.drop(word.span, ctx, message)
            }
        }
    }

    /// `[FROM/]TO`; only for IPv4. FROM is in the upper 16 bits.
    pub fn realms(&mut self, b: &mut Builder, word: &Word, ctx: &mut Context<'_>) -> Part<u32> {
        if self.family == Some(Family::V6) {
            return self.drop(word.span, ctx, "realms are only valid for IPv4");
        }
        self.family = Some(Family::V4);
        let mut realms = 0;
        for part in word.text.splitn(2, '/') {
            let part = Word { text: part.to_owned(), span: word.span };
            realms = realms << 16 | self.named(b, NameTable::Realms, &part, 0xffff, ctx)?;
        }
        Ok(realms)
    }

    /// An interface; `what` says what for.
    pub fn interface(
        &self,
        b: &mut Builder,
        word: &Word,
        what: &str,
        ctx: &mut Context<'_>,
    ) -> Part<String> {
        match b.interface(word, |_| what.to_owned(), ctx) {
            Lookup::Missing => Err(Dropped),
            Lookup::Found(_) | Lookup::Later => Ok(word.text.clone()),
        }
    }
}
