//! Both levels of splitting (spec config-language §10.2).

use proptest::prelude::*;

use super::*;
use crate::Mode;
use crate::testing::load;

fn split(command: &str) -> Result<Vec<String>, SplitError> {
    arguments(command)
}

#[test]
fn arguments_by_quotes() {
    let cases: [(&str, &[&str]); 8] = [
        ("/x/s.sh", &["/x/s.sh"]),
        ("  a  b\tc ", &["a", "b", "c"]),
        ("/x/s.sh a 'b c'", &["/x/s.sh", "a", "b c"]),
        ("a \"b c\"d'e f'", &["a", "b cde f"]),
        ("a '' \"\"", &["a", "", ""]),
        ("a 'b\"c' \"d'e\"", &["a", "b\"c", "d'e"]),
        ("a b\\ c \\'d \\\"e\\\\", &["a", "b c", "'d", "\"e\\"]),
        ("a \"\\\"\"", &["a", "\""]),
    ];
    for (command, expected) in cases {
        assert_eq!(split(command).unwrap(), expected, "{command}");
    }
}

#[test]
fn escape_table() {
    let cases = [
        ("\\a", "\x07"),
        ("\\b", "\x08"),
        ("\\E", "\x1b"),
        ("\\f", "\x0c"),
        ("\\n", "\n"),
        ("\\r", "\r"),
        ("\\t", "\t"),
        ("\\v", "\x0b"),
        ("\\7", "\x07"),
        ("\\101", "A"),
        ("\\1018", "A8"),
        ("\\018", "\x018"),
        ("\\x41", "A"),
        ("\\x414", "A4"),
        ("\\x4g", "\x04g"),
        ("\\xg", "xg"),
        ("\\cA", "\x01"),
        ("\\c[", "\x1b"),
        ("\\c", "c"),
        ("\\q", "q"),
        ("\\\\", "\\"),
        ("\\\"", "\""),
    ];
    for (escape, expected) in cases {
        assert_eq!(split(escape).unwrap(), [expected], "{escape}");
        if escape == "\\c" {
            // It takes whatever comes next, even a quote.
            continue;
        }
        assert_eq!(split(&format!("'{escape}'")).unwrap(), [expected], "'{escape}'");
        assert_eq!(split(&format!("\"{escape}\"")).unwrap(), [expected], "\"{escape}\"");
    }
}

#[test]
fn bytes_beyond_text_are_kept() {
    let argv = split("\\xe9").unwrap();
    assert_eq!(text::to_bytes(&argv[0]).as_ref(), b"\xe9");
    assert_eq!(split("\\303\\251").unwrap(), ["é"]);
}

#[test]
fn mistakes() {
    let cases = [
        ("", SplitError::Empty),
        ("  ", SplitError::Empty),
        ("a 'b", SplitError::UnmatchedQuote),
        ("a \"b'", SplitError::UnmatchedQuote),
        ("a \\", SplitError::LoneBackslash),
        ("a '\\", SplitError::LoneBackslash),
        ("a \\0", SplitError::Nul),
        ("\\x00", SplitError::Nul),
        ("\\c@", SplitError::Nul),
    ];
    for (command, expected) in cases {
        assert_eq!(split(command), Err(expected), "{command}");
    }
}

#[test]
fn of_a_line() {
    let loaded = load("instance a {\nnotify \"/x/s.sh a 'b c' \\\"d\" user group\n}\n");
    let line = &loaded.lines[0].lines()[0];
    let mut diagnostics = Vec::new();
    let mut ctx = crate::Context { diagnostics: &mut diagnostics, mode: Mode::Test };
    let command = line.command(&mut ctx).expect("a command");
    assert_eq!(command.argv, ["/x/s.sh", "a", "b c", "\"d"]);
    assert_eq!(command.text, "/x/s.sh a 'b c' \\\"d");
    assert_eq!(command.user.map(|w| w.text).as_deref(), Some("user"));
    assert_eq!(command.group.map(|w| w.text).as_deref(), Some("group"));
    assert_eq!(diagnostics, []);
}

#[test]
fn a_single_word_keeps_its_quotes_and_loses_its_escapes() {
    assert_eq!(unescaped(r#"it's a \d "x"\tb \\d\("#).as_deref(), Ok("it's a d \"x\"\tb \\d("));
    assert_eq!(unescaped(""), Ok(String::new()));
    assert_eq!(unescaped("a\\"), Err(SplitError::LoneBackslash));
    assert_eq!(unescaped("a\\0"), Err(SplitError::Nul));
}

proptest! {
    #[test]
    fn quoted_arguments_come_back(args in prop::collection::vec("[ -~]{0,12}", 1..6)) {
        let quote = |arg: &String| {
            format!("'{}'", arg.replace('\\', "\\\\").replace('\'', "\\'"))
        };
        let command = args.iter().map(quote).collect::<Vec<_>>().join(" ");
        prop_assert_eq!(split(&command), Ok(args));
    }

    #[test]
    fn nothing_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
        let (pieces, _) = split_line(&line);
        prop_assert!(pieces.iter().all(|piece| piece.start < piece.end && piece.end <= line.len()));
        let _ = split(&text::from_bytes(&line));
        let _ = unescaped(&text::from_bytes(&line));
    }

    #[test]
    fn text_is_lossless(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let text = text::from_bytes(&bytes).into_owned();
        prop_assert_eq!(text::to_bytes(&text).into_owned(), bytes);
    }

    #[test]
    fn private_characters_are_lossless(characters in "[\u{f770}-\u{f808}a]{0,8}") {
        let text = text::from_bytes(characters.as_bytes()).into_owned();
        prop_assert_eq!(text::to_bytes(&text).into_owned(), characters.into_bytes());
    }
}
