//! The `SSL` block: what the SSL_GET checkers present and trust.

use config::{Args, Class, Context, Keyword, Line, Row, Table};

use crate::Draft;
use crate::settings::TlsSettings;

pub(super) static SSL: Table<TlsSettings> = Table::new(&[
    row("password", "Pass phrase of the key"),
    row("ca", "File of trusted authorities"),
    row("certificate", "Certificate chain, PEM"),
    row("key", "Private key, PEM"),
]);

const fn row(name: &'static str, doc: &'static str) -> Row<TlsSettings> {
    Row::new(Keyword::new(name, Args::Word { max: 0 }, doc).expected(), |tls, line, ctx| {
        let Some(word) = line.word(ctx) else { return };
        let place = match line.name() {
            "password" => &mut tls.password,
            "ca" => &mut tls.ca,
            "certificate" => &mut tls.certificate,
            _ => &mut tls.key,
        };
        if place.replace(word.text.clone()).is_some() {
            let message = format!("{}: already given; the last one counts", line.name());
            ctx.report(Class::General, line.span, message);
        }
    })
}

/// Handles the block.
pub(super) fn ssl(draft: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    let mut tls = TlsSettings::default();
    for line in line.lines() {
        SSL.apply(&mut tls, line, ctx);
    }
    if draft.tls.replace(tls).is_some() {
        ctx.report(Class::General, line.span, "SSL: already given; the last block counts");
    }
}
