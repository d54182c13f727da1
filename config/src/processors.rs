//! Lists of processor numbers, for the `*_cpu_affinity` keywords.

use crate::{Class, Context, Line, Missing, number};

impl Line {
    /// Processor numbers, each below the count of processors online. One bad number spoils the whole list.
    pub fn processors(&self, ctx: &mut Context<'_>) -> Option<Vec<usize>> {
        if self.words.is_empty() {
            let class = match self.keyword.missing {
                Missing::Fatal => Class::MissingParameter,
                _ => Class::General,
            };
            ctx.report(class, self.span, format!("{}: no processor given; ignored", self.name()));
            return None;
        }
        let last = i64::try_from(online().saturating_sub(1)).unwrap_or(i64::MAX);
        let ids = self.words.iter().map(|word| {
            let id = number::int(word, 0, last, true, ctx, self.name())?;
            usize::try_from(id).ok()
        });
        ids.collect()
    }
}

/// How many processors are online, whatever this process is confined to.
fn online() -> usize {
    std::fs::read_to_string("/sys/devices/system/cpu/online")
        .ok()
        .and_then(|list| count(list.trim()))
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1)
}

/// The length of a kernel list such as `0-3,8`.
fn count(list: &str) -> Option<usize> {
    list.split(',').try_fold(0, |total: usize, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        total.checked_add(last.checked_sub(first)?)?.checked_add(1)
    })
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn kernel_lists_are_counted() {
        for (list, expected) in
            [("0", Some(1)), ("0-3", Some(4)), ("0-3,8", Some(5)), ("3-0", None), ("", None)]
        {
            assert_eq!(count(list), expected, "{list}");
        }
    }
}
