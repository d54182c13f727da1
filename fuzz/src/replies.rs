//! Replies of servers to HTTP_GET and SMTP_CHECK.

use check::replies;
use check::settings::RegexSettings;

/// Expressions that look ahead and back, go on over lines, repeat, and are about characters.
const PATTERNS: [(&str, &[&str]); 6] = [
    ("ok$", &[]),
    ("(?<=a)b|(?<!b)c", &["caseless"]),
    ("^<h.*l>$", &["dotall", "multiline"]),
    ("(a|b)*\\1x", &["ungreedy"]),
    ("(a+)+[^a]", &[]),
    ("\u{e9}.", &["utf"]),
];

/// The first byte chooses the expression and how the connection is cut up, the rest is what the server
/// sends. How it is cut up must not matter.
pub fn http(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let number = usize::from(choice);
    let regex = PATTERNS.get(number % 8).map(|&(pattern, options)| RegexSettings {
        pattern: pattern.to_owned(),
        options: options.to_vec(),
        no_match: false,
        min_offset: number % 3,
        max_offset: (number % 5 == 0).then_some(9),
        stack: None,
    });
    let whole = replies::http(bytes, bytes.len(), regex.as_ref());
    assert_eq!(replies::http(bytes, number / 8, regex.as_ref()), whole);
    assert_eq!(replies::http(bytes, 1, regex.as_ref()), whole);
}

/// What the server says. How it is cut up must not matter.
pub fn smtp(data: &[u8]) {
    let whole = replies::smtp(data, data.len());
    for piece in [1, 2, 7] {
        assert_eq!(replies::smtp(data, piece), whole);
    }
}
