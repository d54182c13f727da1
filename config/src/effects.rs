//! Saying what the rows know about keywords in use: no effect yet, deprecated.

use std::collections::HashSet;

use crate::{Class, Context, Effect, Line, Sources};

/// Logs, once for each keyword in `lines` and their blocks, that it has no effect yet, and reports
/// old spellings.
pub fn note_effects(lines: &[Line], sources: &Sources, ctx: &mut Context<'_>) {
    note(lines, sources, ctx, &mut HashSet::new());
}

fn note(lines: &[Line], sources: &Sources, ctx: &mut Context<'_>, seen: &mut HashSet<&str>) {
    for line in lines {
        let name = line.keyword.name;
        match line.keyword.effect {
            Effect::Full => {}
            Effect::NotYet => {
                if seen.insert(name) {
                    let place = sources.place(line.span);
                    ctx.log(None, format!("keyword `{name}` has no effect yet ({place})"));
                }
            }
            Effect::Alias { of: "", .. } => {}
            Effect::Alias { of, counts } => {
                let message = format!("keyword '{name}' is deprecated; use '{of}'");
                if counts {
                    ctx.report(Class::Deprecated, line.span, message);
                } else {
                    ctx.log(Some(line.span), message);
                }
            }
        }
        note(line.lines(), sources, ctx, seen);
    }
}

#[cfg(test)]
mod tests;
