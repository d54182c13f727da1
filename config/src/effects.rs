//! Saying what the rows know about keywords in use: no effect (yet), deprecated.

use std::collections::HashSet;

use crate::{Class, Context, Effect, Line, Sources};

/// Logs, once for each keyword in `lines` and their blocks, that it has no effect, and reports
/// old spellings.
pub fn note_effects(lines: &[Line], sources: &Sources, ctx: &mut Context<'_>) {
    Effects::default().note(lines, sources, ctx);
}

/// What [`note_effects`] does, for lines that come in parts.
#[derive(Debug, Default)]
pub struct Effects {
    seen: HashSet<&'static str>,
}

impl Effects {
    /// Goes through `lines` and their blocks.
    pub fn note(&mut self, lines: &[Line], sources: &Sources, ctx: &mut Context<'_>) {
        for line in lines {
            self.note_head(line, sources, ctx);
            self.note(line.lines(), sources, ctx);
        }
    }

    /// Looks at one line and not at its block.
    pub fn note_head(&mut self, line: &Line, sources: &Sources, ctx: &mut Context<'_>) {
        let name = line.keyword.name;
        match line.keyword.effect {
            Effect::Full => {}
            Effect::NotYet => {
                if self.seen.insert(name) {
                    let place = sources.place(line.span);
                    ctx.log(None, format!("keyword `{name}` has no effect yet ({place})"));
                }
            }
            Effect::Never(why) => {
                if self.seen.insert(name) {
                    let place = sources.place(line.span);
                    ctx.log(None, format!("keyword `{name}` has no effect: {why} ({place})"));
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
    }
}

#[cfg(test)]
mod tests;
