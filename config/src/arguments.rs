//! Typed readers for the arguments of a line.
//!
//! Each takes kind and range from the keyword's row, reports what is wrong with the right class at the
//! offending word, and returns `None` when the value must not be used.

use crate::command::{self, Command};
use crate::{Args, Class, Contents, Context, Line, Missing, Word, number};

impl Line {
    /// The first argument, if any; nothing is checked or reported.
    pub fn first(&self) -> Option<&Word> {
        self.words.first()
    }

    /// The name of the keyword as written, for messages.
    pub fn name(&self) -> &'static str {
        self.keyword.name
    }

    /// The lines of the block behind this one; empty when there is none.
    pub fn lines(&self) -> &[Line] {
        match &self.body {
            Contents::Lines(lines) => lines,
            _ => &[],
        }
    }

    /// The entries of the value block behind this line; empty when there is none.
    pub fn entries(&self) -> &[Vec<Word>] {
        match &self.body {
            Contents::Entries(entries) => entries,
            _ => &[],
        }
    }

    /// All words of a value block together, for blocks that are lists of names (spec §9.3).
    pub fn pooled(&self) -> impl Iterator<Item = &Word> {
        self.entries().iter().flatten()
    }

    /// The first argument. Its absence is reported unless the row allows it; a word longer than the
    /// row's limit is refused.
    pub fn word(&self, ctx: &mut Context<'_>) -> Option<&Word> {
        let Some(word) = self.first() else {
            self.report_absent(ctx);
            return None;
        };
        match self.keyword.args {
            Args::Word { max } if max != 0 && word.text.len() > max => {
                let message =
                    format!("{}: '{}' is longer than {max} bytes; ignored", self.name(), word.text);
                ctx.report(Class::General, word.span, message);
                None
            }
            _ => Some(word),
        }
    }

    fn report_absent(&self, ctx: &mut Context<'_>) {
        let class = match self.keyword.missing {
            Missing::Allowed => return,
            Missing::Error => Class::General,
            Missing::Fatal => Class::MissingParameter,
        };
        ctx.report(class, self.span, format!("{}: argument missing; ignored", self.name()));
    }

    /// An optional `true|on|yes` or `false|off|no`; absent means true.
    pub fn boolean(&self, ctx: &mut Context<'_>) -> Option<bool> {
        let Some(word) = self.first() else { return Some(true) };
        let value = truth(&word.text);
        if value.is_none() {
            let message = format!(
                "{}: '{}' is neither true, on, yes nor false, off, no; ignored",
                self.name(),
                word.text
            );
            ctx.report(Class::General, word.span, message);
        }
        value
    }

    /// An integer in the range of the row.
    pub fn int(&self, ctx: &mut Context<'_>) -> Option<i64> {
        let (min, max, lenient) = match self.keyword.args {
            Args::Int { min, max, lenient } => (min, max, lenient),
            _ => (i64::MIN, i64::MAX, false),
        };
        let word = self.word(ctx)?;
        number::int(word, min, max, lenient, ctx, self.name())
    }

    /// A decimal number in the range of the row, scaled by 10^digits.
    pub fn decimal(&self, ctx: &mut Context<'_>) -> Option<u64> {
        let (digits, min, max) = match self.keyword.args {
            Args::Decimal { digits, min, max } => (digits, min, max),
            _ => (0, 0, u64::MAX),
        };
        let word = self.word(ctx)?;
        number::decimal(word, digits, min, max, ctx, self.name())
    }

    /// The index, in the row, of the one of its words that is given.
    pub fn choice(&self, ctx: &mut Context<'_>) -> Option<usize> {
        let Args::Choice(choices) = self.keyword.args else { return None };
        let word = self.word(ctx)?;
        let found = choices.iter().position(|choice| *choice == word.text);
        if found.is_none() {
            let message = format!(
                "{}: '{}' is none of {}; ignored",
                self.name(),
                word.text,
                choices.join(", ")
            );
            let near = crate::suggest(&word.text, choices.iter().copied());
            ctx.report_with_help(Class::General, word.span, message, near.map(did_you_mean));
        }
        found
    }

    /// A command with optional user and group, split into its arguments.
    pub fn command(&self, ctx: &mut Context<'_>) -> Option<Command> {
        let word = self.word(ctx)?;
        match command::arguments(&word.text) {
            Ok(argv) => Some(Command {
                text: word.text.clone(),
                argv,
                user: self.words.get(1).cloned(),
                group: self.words.get(2).cloned(),
            }),
            Err(error) => {
                let message = format!("{}: {error}; command ignored", self.name());
                ctx.report(error.class(), word.span, message);
                None
            }
        }
    }
}

/// `true|on|yes` or `false|off|no`.
pub fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "on" | "yes" => Some(true),
        "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// The help line for a misspelt word.
pub fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

/// A handler that checks the arguments by the row, also of all lines in the block, and stores
/// nothing: for keywords without effect yet.
pub fn check<T>(_: &mut T, line: &Line, ctx: &mut Context<'_>) {
    check_line(line, ctx);
}

fn check_line(line: &Line, ctx: &mut Context<'_>) {
    match line.keyword.args {
        Args::Flag => {}
        Args::Bool => {
            line.boolean(ctx);
        }
        Args::Word { .. } | Args::Free(_) => {
            line.word(ctx);
        }
        Args::Int { .. } => {
            line.int(ctx);
        }
        Args::Decimal { .. } => {
            line.decimal(ctx);
        }
        Args::Choice(_) => {
            line.choice(ctx);
        }
        Args::Command => {
            line.command(ctx);
        }
    }
    for line in line.lines() {
        check_line(line, ctx);
    }
}

#[cfg(test)]
mod tests;
