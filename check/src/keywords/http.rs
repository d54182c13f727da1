//! The keywords of `HTTP_GET` and `SSL_GET`, and of the `url` block in them.

use std::rc::Rc;

use config::{Args, Class, Context, Keyword, Line, Row, Table};

use super::checker::Block;
use super::regex::REGEX;
use super::timing::{self, LENIENT_RETRY};
use super::{set, text};
use crate::settings::{HttpProtocol, Url};

const PROTOCOLS: &[&str] = &["1.0", "1.0C", "1.0c", "1.1"];
/// Statuses that are a success unless said otherwise.
const SUCCESS: (u16, u16) = (200, 299);

/// A `url` block.
#[derive(Default)]
struct Draft {
    path: Option<Rc<str>>,
    host: Option<Rc<str>>,
    status: Vec<(u16, u16)>,
    digest: Option<[u8; 16]>,
    tls_compliant: bool,
}

/// Keywords of the checker itself.
pub(super) static HTTP: Table<Block> = Table::new(&[
    Row::new(
        Keyword { name: "nb_get_retry", doc: "Old spelling of retry", ..LENIENT_RETRY }
            .alias("retry", true),
        timing::retry,
    ),
    Row::new(
        Keyword::new(
            "http_protocol",
            Args::Choice(PROTOCOLS),
            "Protocol version of the request; C: ask for the connection to be closed",
        )
        .expected()
        .or("1.0"),
        |block, line, ctx| {
            block.http.protocol = match line.choice(ctx) {
                Some(0) => HttpProtocol::Http10,
                Some(1 | 2) => HttpProtocol::Http10Close,
                Some(_) => HttpProtocol::Http11,
                None => block.http.protocol,
            };
        },
    ),
    Row::new(
        Keyword::new("virtualhost", Args::Word { max: 0 }, "Host of the request")
            .expected()
            .or("the real server's"),
        |block, line, ctx| set(text(line, ctx).map(Some), &mut block.http.host),
    ),
    Row::new(
        Keyword::new("enable_sni", Args::Bool, "Send the host name in the TLS greeting"),
        |block, line, ctx| set(line.boolean(ctx), &mut block.http.sni),
    ),
    Row::new(
        Keyword::new("sni_name", Args::Word { max: 0 }, "Name to send in the TLS greeting"),
        |block, line, ctx| {
            block.http.sni = true;
            set(text(line, ctx).map(Some), &mut block.http.sni_name);
        },
    ),
    Row::new(
        Keyword::new("fast_recovery", Args::Bool, "No pause between URLs while coming up"),
        |block, line, ctx| set(line.boolean(ctx), &mut block.http.fast_recovery),
    ),
    Row::new(
        Keyword::new("tls_compliant", Args::Bool, "Send close_notify (SSL_GET)"),
        |block, line, ctx| set(line.boolean(ctx), &mut block.tls_compliant),
    ),
    Row::new(Keyword::new("url", Args::Flag, "One request").block(&[&URL, &REGEX]), url),
]);

static URL: Table<Draft> = Table::new(&[
    Row::new(
        Keyword::new("path", Args::Word { max: 0 }, "Path of the request").required(),
        |url, line, ctx| set(text(line, ctx).map(Some), &mut url.path),
    ),
    Row::new(
        Keyword::new("status_code", Args::Free("CODE | CODE-CODE …"), "Accepted status codes")
            .or("200-299"),
        status_codes,
    ),
    Row::new(
        Keyword::new("digest", Args::Free("32 hexadecimal digits"), "MD5 digest of the body")
            .required(),
        digest,
    ),
    Row::new(
        Keyword::new("virtualhost", Args::Word { max: 0 }, "Host of this request").expected(),
        |url, line, ctx| set(text(line, ctx).map(Some), &mut url.host),
    ),
    Row::new(
        Keyword::new("tls_compliant", Args::Bool, "Send close_notify (SSL_GET)"),
        |url, line, ctx| set(line.boolean(ctx), &mut url.tls_compliant),
    ),
]);

fn url(block: &mut Block, line: &Line, ctx: &mut Context<'_>) {
    let mut url = Draft::default();
    let mut regex = super::regex::Regex::default();
    for line in line.lines() {
        if !URL.apply(&mut url, line, ctx) {
            REGEX.apply(&mut regex, line, ctx);
        }
    }
    let regex = regex.finish(line, ctx);
    let Some(path) = url.path else {
        ctx.report(Class::General, line.span, "url: no path; ignored");
        return;
    };
    block.http.urls.push(Url {
        path,
        host: url.host,
        sni: None,
        status: merged(url.status),
        digest: url.digest,
        regex: regex.map(Rc::new),
        tls_compliant: url.tls_compliant,
    });
}

/// Ranges in order, none touching the next.
fn merged(mut ranges: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    if ranges.is_empty() {
        return vec![SUCCESS];
    }
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let touching = next.0 <= before.1.saturating_add(1);
        if touching {
            before.1 = before.1.max(next.1);
        }
        touching
    });
    ranges
}

fn status_codes(url: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    for word in &line.words {
        match code_or_range(&word.text) {
            Some(range) => url.status.push(range),
            None => {
                let message =
                    format!("status_code: '{}' is not N or N-M in [100, 599]; ignored", word.text);
                ctx.report(Class::General, word.span, message);
            }
        }
    }
}

fn code_or_range(text: &str) -> Option<(u16, u16)> {
    let code = |text: &str| text.parse().ok().filter(|code: &u16| (100..=599).contains(code));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    code(first).zip(code(last)).filter(|(first, last)| first <= last)
}

fn digest(url: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let text = &word.text;
    let problem = match (text.len(), hexadecimal(text), url.digest) {
        (32, Some(digest), None) => {
            url.digest = Some(digest);
            return;
        }
        (32, Some(_), Some(_)) => format!("'{text}' is a second digest"),
        (32, None, _) => format!("'{text}' is not hexadecimal"),
        (length, ..) => format!("'{text}' has {length} characters, not 32"),
    };
    ctx.report(Class::General, word.span, format!("digest: {problem}; ignored"));
}

fn hexadecimal(text: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok().filter(|_| !text.starts_with('+'));
    number.map(u128::to_be_bytes)
}
