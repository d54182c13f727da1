//! The `SSL` block: what the SSL_GET checkers present and trust.

use config::{Args, Class, Context, Keyword, Line, Row, Table};

use crate::Draft;

/// Which of the keywords were given.
#[derive(Default)]
pub(super) struct Ssl {
    given: [bool; 4],
}

pub(super) static SSL: Table<Ssl> = Table::new(&[
    row("password", "Pass phrase of the key", |ssl, line, ctx| once(ssl, 0, line, ctx)),
    row("ca", "File of trusted authorities", |ssl, line, ctx| once(ssl, 1, line, ctx)),
    row("certificate", "Certificate chain, PEM", |ssl, line, ctx| once(ssl, 2, line, ctx)),
    row("key", "Private key, PEM", |ssl, line, ctx| once(ssl, 3, line, ctx)),
]);

const fn row(name: &'static str, doc: &'static str, set: config::Handler<Ssl>) -> Row<Ssl> {
    Row::new(Keyword::new(name, Args::Word { max: 0 }, doc).expected(), set)
}

fn once(ssl: &mut Ssl, which: usize, line: &Line, ctx: &mut Context<'_>) {
    if line.word(ctx).is_some() && std::mem::replace(&mut ssl.given[which], true) {
        let message = format!("{}: already given; the last one counts", line.name());
        ctx.report(Class::General, line.span, message);
    }
}

/// Handles the block.
pub(super) fn ssl(draft: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    if std::mem::replace(&mut draft.ssl, true) {
        ctx.report(Class::General, line.span, "SSL: already given; the last block counts");
    }
    let mut ssl = Ssl::default();
    for line in line.lines() {
        SSL.apply(&mut ssl, line, ctx);
    }
}
