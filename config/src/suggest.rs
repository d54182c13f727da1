//! "Did you mean": the candidate nearest to a misspelt word.

/// The candidate that `word` most likely was meant to be: at most two edits away (one for words of
/// fewer than five bytes), counting an exchange of neighbours as one. The first of equals wins.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = match word.len() {
        0..2 => return None,
        2..5 => 1,
        5..256 => 2,
        _ => return None,
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.len().abs_diff(word.len()) > most {
            continue;
        }
        let distance = distance(word.as_bytes(), candidate.as_bytes());
        if distance <= most && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, exchange of neighbours) from `a` to `b`.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut older = vec![0; b.len() + 1];
    let mut old: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut new = Vec::with_capacity(b.len() + 1);
        new.push(i);
        for j in 1..=b.len() {
            let replaced = old[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(old[j] + 1).min(new[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(older[j - 2] + 1);
            }
            new.push(least);
        }
        older = old;
        old = new;
    }
    old[b.len()]
}

#[cfg(test)]
mod tests;
