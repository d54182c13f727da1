//! Whatever a file contains, the reader returns, and what it returns points into the file.

use config::files::Memory;
use config::{
    Args, Contents, Grammar, Keyword, Line, Loaded, Mode, Options, Progress, Reader, Row, Source,
    Span, Table, Word, check, read, render, text,
};
use proptest::prelude::*;

const fn row(keyword: Keyword) -> Row<()> {
    Row { keyword, set: check::<()> }
}

static INNER: Table<()> = Table::new(&[
    row(Keyword::new("a", Args::Free(""), "")),
    row(Keyword::new("c", Args::Command, "")),
    row(Keyword::new("v", Args::Flag, "").values()),
    row(Keyword::new("required", Args::Bool, "").required()),
]);
static OUTER: Table<()> = Table::new(&[
    row(Keyword::new("b", Args::Word { max: 0 }, "").block(&[&INNER])),
    row(Keyword::new("n", Args::Word { max: 0 }, "").expected().block(&[&INNER])),
    row(Keyword::new("a", Args::Free(""), "")),
    row(Keyword::new("c", Args::Command, "")),
    row(Keyword::new("v", Args::Flag, "").values()),
    row(Keyword::new("include_check", Args::Free(""), "")),
]);
static ROOT: &[&dyn Grammar] = &[&OUTER];

fn files() -> Memory {
    Memory::new().file("/etc/x", "a x\n$A=1").file("/etc/y", "b {\ninclude x\ninclude main\n")
}

fn options(bytes: &[u8]) -> Options {
    let source = Source::FromMemory { name: "main".into(), bytes: bytes.to_vec() };
    let mut options = Options::new(source, ROOT);
    options.directory = "/etc".into();
    options.config_id = "i".into();
    options.mode = Mode::Test;
    options.files = Box::new(files());
    options
}

/// Spans of all words and keywords.
fn spans(lines: &[Line], words: &mut Vec<(Span, Option<String>)>) {
    let mut word = |w: &Word| words.push((w.span, Some(w.text.clone())));
    for line in lines {
        line.words.iter().for_each(&mut word);
        if let Contents::Entries(entries) = &line.body {
            entries.iter().flatten().for_each(&mut word);
        }
    }
    for line in lines {
        words.push((line.span, Some(line.keyword.name.to_owned())));
        spans(line.lines(), words);
    }
}

/// The bytes that a span is about, if it lies inside its file.
fn inside(loaded: &Loaded, span: Span) -> Option<Vec<u8>> {
    let line = loaded.sources.file(span)?.line(span.line)?;
    let line = text::to_bytes(&line);
    let start = usize::from(span.column);
    line.get(start..start + usize::from(span.len)).map(<[u8]>::to_vec)
}

fn holds(loaded: &Loaded) -> Result<(), TestCaseError> {
    let mut all = Vec::new();
    spans(&loaded.lines, &mut all);
    all.extend(loaded.diagnostics.iter().filter_map(|d| Some((d.span?, None))));
    for (span, _) in &all {
        prop_assert!(inside(loaded, *span).is_some(), "{span:?}");
    }
    for diagnostic in loaded.diagnostics.iter().take(20) {
        prop_assert!(!render::one_line(diagnostic, &loaded.sources).is_empty());
        prop_assert!(!render::caret(diagnostic, &loaded.sources, false).is_empty());
    }
    Ok(())
}

/// Pieces that mean something, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "v",
        "n",
        "x",
        " ",
        " ",
        "\n",
        "\n",
        "{",
        "}",
        "\"",
        "'",
        "\\",
        "#",
        "!",
        "@i ",
        "@",
        "@^",
        "$",
        "$A",
        "${A}",
        "$A=",
        "$B=$A",
        "=",
        "~SEQ(A,2)",
        "~LST({A,B},{1,2},3)",
        "~SEQ",
        "(",
        ")",
        ",",
        "include x",
        "include y\n",
        "includea ",
        "${_RANDOM 1 2}",
        "${_HASH}",
        "${_ENV}",
        "required",
        "include_check ",
        "\\\n",
        "\t",
        "é",
        "1",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        holds(&read(options(&bytes)))?;
    }

    #[test]
    fn any_text_of_the_language(text in pieces()) {
        holds(&read(options(text.as_bytes())))?;
    }

    #[test]
    fn slices_make_no_difference(text in pieces(), size in 1usize..5) {
        // Random numbers are the one thing that may differ.
        let text = text.replace("${_RANDOM 1 2}", "1");
        let mut reader = Reader::open(options(text.as_bytes()));
        while reader.step(size) == Progress::More {}
        let (sliced, whole) = (reader.finish(), read(options(text.as_bytes())));
        prop_assert_eq!(sliced.diagnostics, whole.diagnostics);
        prop_assert_eq!(sliced.fatal, whole.fatal);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        spans(&sliced.lines, &mut left);
        spans(&whole.lines, &mut right);
        prop_assert_eq!(left, right);
    }

    #[test]
    fn untouched_words_stand_where_they_say(text in "[abcv \"{}\n#x]{0,80}") {
        let loaded = read(options(text.as_bytes()));
        let mut all = Vec::new();
        spans(&loaded.lines, &mut all);
        for (span, word) in all {
            let found = inside(&loaded, span).map(|b| String::from_utf8_lossy(&b).replace('"', ""));
            prop_assert_eq!(found, word.map(|w| w.replace('"', "")));
        }
    }

    #[test]
    fn layout_of_braces_makes_no_difference(
        names in prop::collection::vec("[a-z]{1,5}", 1..5), gaps in prop::collection::vec(0usize..4, 20)
    ) {
        let mut gap = gaps.iter().cycle().map(|g| ["", " ", "\n", " # x\n\n\t"][*g]);
        let mut loose = String::new();
        let mut tight = String::new();
        for name in &names {
            tight += &format!("b {name} {{\na {name}\n}}\n");
            loose += &format!(
                "b {name}{}{{{}a {name}{}}}{}",
                gap.next().unwrap(), gap.next().unwrap(), gap.next().unwrap(), gap.next().unwrap()
            );
        }
        let (tight, loose) = (read(options(tight.as_bytes())), read(options(loose.as_bytes())));
        prop_assert!(loose.diagnostics.is_empty(), "{:?}", loose.diagnostics);
        let words = |loaded: &Loaded| {
            let mut all = Vec::new();
            spans(&loaded.lines, &mut all);
            all.into_iter().map(|(_, word)| word).collect::<Vec<_>>()
        };
        prop_assert_eq!(words(&tight), words(&loose));
    }
}
