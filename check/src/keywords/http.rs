//! The keywords of `HTTP_GET` and `SSL_GET`, and of the `url` block in them.

use config::{Args, Class, Context, Keyword, Line, Row, Table};

use super::checked;
use super::checker::Checker;
use super::regex::REGEX;

/// What the checks need to remember of a `url` block.
#[derive(Default)]
pub(super) struct Url {
    path: bool,
    digest: bool,
}

/// Keywords of the checker itself.
pub(super) static HTTP: Table<Checker> = Table::new(&[
    checked(
        Keyword::new("nb_get_retry", Args::lenient(0, u32::MAX as i64), "Old spelling of retry")
            .required()
            .alias("retry", true),
    ),
    checked(
        Keyword::new(
            "http_protocol",
            Args::Choice(&["1.0", "1.0C", "1.0c", "1.1"]),
            "Protocol version of the request; C: ask for the connection to be closed",
        )
        .expected()
        .or("1.0"),
    ),
    checked(
        Keyword::new("virtualhost", Args::Word { max: 0 }, "Host of the request")
            .expected()
            .or("the real server's"),
    ),
    checked(Keyword::new("enable_sni", Args::Bool, "Send the host name in the TLS greeting")),
    checked(Keyword::new("sni_name", Args::Word { max: 0 }, "Name to send in the TLS greeting")),
    checked(Keyword::new("fast_recovery", Args::Bool, "No pause between URLs while coming up")),
    checked(Keyword::new("tls_compliant", Args::Bool, "Send close_notify (SSL_GET)")),
    Row::new(Keyword::new("url", Args::Flag, "One request").block(&[&URL, &REGEX]), url),
]);

static URL: Table<Url> = Table::new(&[
    Row::new(
        Keyword::new("path", Args::Word { max: 0 }, "Path of the request").required(),
        |url, line, ctx| url.path |= line.word(ctx).is_some(),
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
    checked(Keyword::new("virtualhost", Args::Word { max: 0 }, "Host of this request").expected()),
    checked(Keyword::new("tls_compliant", Args::Bool, "Send close_notify (SSL_GET)")),
]);

fn url(checker: &mut Checker, line: &Line, ctx: &mut Context<'_>) {
    let mut url = Url::default();
    let mut regex = super::regex::Regex::default();
    for line in line.lines() {
        if !URL.apply(&mut url, line, ctx) {
            REGEX.apply(&mut regex, line, ctx);
        }
    }
    regex.finish(line, ctx);
    if url.path {
        checker.urls += 1;
    } else {
        ctx.report(Class::General, line.span, "url: no path; ignored");
    }
}

fn status_codes(_: &mut Url, line: &Line, ctx: &mut Context<'_>) {
    for word in &line.words {
        if !is_code_or_range(&word.text) {
            let message =
                format!("status_code: '{}' is not N or N-M in [100, 599]; ignored", word.text);
            ctx.report(Class::General, word.span, message);
        }
    }
}

fn is_code_or_range(text: &str) -> bool {
    let code = |text: &str| text.parse().ok().filter(|code: &u16| (100..=599).contains(code));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (code(first), code(last)) {
        (Some(first), Some(last)) => first <= last,
        _ => false,
    }
}

fn digest(url: &mut Url, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let problem = if word.text.len() != 32 {
        format!("'{}' has {} characters, not 32", word.text, word.text.len())
    } else if !word.text.bytes().all(|b| b.is_ascii_hexdigit()) {
        format!("'{}' is not hexadecimal", word.text)
    } else if std::mem::replace(&mut url.digest, true) {
        format!("'{}' is a second digest", word.text)
    } else {
        return;
    };
    ctx.report(Class::General, word.span, format!("digest: {problem}; ignored"));
}
