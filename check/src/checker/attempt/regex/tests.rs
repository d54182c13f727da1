use proptest::prelude::*;

use super::*;

fn settings(pattern: &str, options: &[&'static str]) -> RegexSettings {
    RegexSettings {
        pattern: pattern.into(),
        options: options.to_vec(),
        no_match: false,
        min_offset: 0,
        max_offset: None,
        stack: None,
    }
}

/// Whether the body matches when it comes in pieces of this length.
fn matches(settings: &RegexSettings, body: &[u8], piece: usize) -> bool {
    let expression = Expressions::default().get(settings).unwrap();
    let mut search = Search::new(expression);
    body.chunks(piece).for_each(|piece| search.feed(piece));
    search.finish()
}

fn plain(pattern: &str, body: &str) -> bool {
    let whole = matches(&settings(pattern, &[]), body.as_bytes(), 100_000);
    assert_eq!(matches(&settings(pattern, &[]), body.as_bytes(), 1), whole);
    whole
}

#[test]
fn a_match_is_found_however_it_is_cut() {
    assert!(plain("hello", "well, hello there"));
    assert!(!plain("hello", "well, hell there"));
    assert!(plain("^well", "well"));
    assert!(!plain("^hello|\\Ahello", "well, hello"));
    assert!(plain("there$", "hello there"));
    assert!(!plain("hello$", "hello there"));
    assert!(plain("(?<=hello )there", "hello there"));
    assert!(!plain("(?<!hello )there", "hello there"));
    assert!(plain("(?s)h.*e", "hello\nthere"));
    assert!(plain("(?m)^b$", "a\nb\nc"));
    assert!(plain("(?m)(?<=^a)b", "x\nab"));
    assert!(!plain("(?m)(?<=^a)b", "x\naab"));
    assert!(plain("\\bb\\b", "a b c"));
    assert!(!plain("\\bb\\b", "abc"));
    assert!(plain("", ""));
    assert!(plain("(\\w)\\1", "hello"));
}

#[test]
fn offsets_bound_where_a_match_begins() {
    let with =
        |min, max| RegexSettings { min_offset: min, max_offset: max, ..settings("(?<=.)b", &[]) };
    let body = b"abcabc";
    for piece in [1, 2, 5, 100] {
        assert!(matches(&with(1, Some(1)), body, piece));
        assert!(matches(&with(2, None), body, piece));
        assert!(matches(&with(2, Some(4)), body, piece), "the limit is inclusive");
        assert!(!matches(&with(2, Some(3)), body, piece));
        assert!(!matches(&with(5, None), body, piece));
        assert!(!matches(&with(100, None), body, piece));
    }
}

#[test]
fn characters_may_be_cut_in_two() {
    let utf = settings("\u{e9}.\u{20ac}(?<=\u{e9}\u{1f600}\u{20ac})", &["utf"]);
    let body = "\u{e9}\u{e9}\u{1f600}\u{20ac}x";
    for piece in 1..12 {
        assert!(matches(&utf, body.as_bytes(), piece), "{piece}");
    }
    assert!(
        matches(&settings("x", &["utf"]), b"\xff\xc3x\xc3", 1),
        "what is no text is passed over"
    );
}

#[test]
fn every_option_is_known() {
    // The list of the manual's page on regex_options.
    let all = "allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall dupnames \
        extended firstline match_unset_backref multiline never_ucp never_utf no_auto_capture \
        no_auto_possess no_dotstar_anchor no_start_optimize ucp ungreedy utf never_backslash_c \
        alt_circumflex alt_verbnames use_offset_limit";
    for name in all.split_whitespace() {
        assert!(sys::option(name).is_some(), "{name}");
        assert!(matches(&settings("a", &[name]), b"abc", 10), "{name}");
    }
    assert!(matches(&settings("A.B", &["caseless", "dotall"]), b"a\nb", 1));
}

#[test]
fn what_cannot_be_compiled_is_none_and_equal_ones_are_one() {
    let mut all = Expressions::default();
    assert!(all.get(&settings("(", &[])).is_none());
    let one = all.get(&settings("a", &[])).unwrap();
    assert!(Rc::ptr_eq(&one, &all.get(&settings("a", &[])).unwrap()));
    assert!(!Rc::ptr_eq(&one, &all.get(&settings("a", &["caseless"])).unwrap()));
    let error = Expression::new(&settings("a(b", &[])).err().unwrap();
    assert_eq!(error, "Invalid regex: 'a(b' at offset 3: missing closing parenthesis");
}

#[test]
fn what_is_kept_of_a_body_is_bounded() {
    let endless = settings("(?s)a.*\\dz", &[]);
    let body = vec![b'a'; 1 << 20];
    assert!(!matches(&endless, &body, 10_000));
    let mut late = vec![b'b'; 1 << 20];
    late.extend_from_slice(b"a1z");
    assert!(matches(&endless, &late, 10_000));
    // It could go on for ever, but what is there is enough.
    let mut early = b"a1z".to_vec();
    early.resize(1 << 20, b'b');
    assert!(matches(&endless, &early, 10_000));
}

#[test]
fn a_body_made_to_take_for_ever_does_not() {
    for options in [&["no_auto_possess"][..], &[]] {
        let trap = settings("(a+)+\\d", options);
        assert!(!matches(&trap, &vec![b'a'; 100_000], 10_000));
    }
    let stack = RegexSettings { stack: Some((1 << 15, 1 << 20)), ..settings("(?:a|b)*\\d", &[]) };
    assert!(!matches(&stack, &vec![b'a'; 10_000], 10_000));
}

proptest! {
    #[test]
    fn the_cut_does_not_matter(
        body in "[ab\n]{0,40}",
        pattern in prop::sample::select(vec![
            "a+b", "^a", "b$", "(?m)^ab", "(?m)b$", "(?s)a.b", "(?<=ab)a", "(?<!a)b", "\\Aa.",
            "a{3}", "(a|b)\\1", "a\\z", "\\bab", "(?=ab)a", "b(?!a)", "(?<=^a)b", "(?m)(?<=^)b",
        ]),
        piece in 1usize..10,
        min in 0usize..5,
        max in prop::option::of(5usize..20),
    ) {
        let settings =
            RegexSettings { min_offset: min, max_offset: max, ..settings(pattern, &[]) };
        let whole = matches(&settings, body.as_bytes(), 1000);
        prop_assert_eq!(matches(&settings, body.as_bytes(), piece), whole);
        // A single search over all of it is what it should amount to.
        let bits = if max.is_some() { sys::OFFSET_LIMIT } else { 0 };
        let code = sys::Code::compile(pattern, bits, None).unwrap();
        let once = min <= body.len()
            && code.search(body.as_bytes(), min, false, max) == sys::Found::Match;
        prop_assert_eq!(whole, once);
    }
}
