//! Diagnostics as text: the one line that tools read, and the place with a caret for people.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{Class, Diagnostic, Sources, Span, text};

/// The message with the prefix tools know (spec config-language §2.3), without a line end.
pub fn one_line(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let line = match diagnostic.span {
        Some(span) => format!("{}{}", sources.prefix(span), diagnostic.message),
        None => diagnostic.message.clone(),
    };
    printable(&line)
}

/// The message, the line it is about with the place underlined, and the help, over several lines;
/// `color` adds the escapes of a terminal.
pub fn caret(diagnostic: &Diagnostic, sources: &Sources, color: bool) -> String {
    let level = match diagnostic.class {
        None | Some(Class::Note) => Level::NOTE,
        Some(Class::Warning | Class::Deprecated) => Level::WARNING,
        Some(_) => Level::ERROR,
    };
    let message = printable(&diagnostic.message);
    let help = diagnostic.help.as_deref().map(printable);
    let place = diagnostic.span.and_then(|span| Some((span, sources.file(span)?)));
    let source = place.and_then(|(span, file)| {
        let bytes = file.line_bytes(span.line)?;
        Some((span, printable(&file.name), shown(bytes, span)))
    });
    let mut group = Group::with_title(level.primary_title(message.as_str()));
    if let Some((span, name, (line, start, end))) = &source {
        let annotation = AnnotationKind::Primary.span(*start..*end);
        let snippet = Snippet::source(line.as_str())
            .path(name.as_str())
            .line_start(usize::try_from(span.line).unwrap_or(0))
            .annotation(annotation);
        group = group.element(snippet);
    }
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]).to_string()
}

/// The line as it can be printed, and the byte range in it that `span` is.
fn shown(line: &[u8], span: Span) -> (String, usize, usize) {
    let column = usize::from(span.column).min(line.len());
    let end = (column + usize::from(span.len)).min(line.len());
    let (column, end) = if span.len == 0 { trimmed(line) } else { (column, end) };
    let before = printable(&text::from_bytes(&line[..column]));
    let marked = printable(&text::from_bytes(&line[column..end]));
    let after = printable(&text::from_bytes(&line[end..]));
    let (start, end) = (before.len(), before.len() + marked.len());
    (before + &marked + &after, start, end)
}

/// The range of a line without its outer blanks.
fn trimmed(line: &[u8]) -> (usize, usize) {
    let start = line.len() - line.trim_ascii_start().len();
    (start, start + line[start..].trim_ascii_end().len())
}

/// Control characters must not reach a terminal, and bytes that are no text have no look.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            '\u{f700}'..='\u{f7ff}' => char::REPLACEMENT_CHARACTER,
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests;
