//! Patterns against what POSIX says.

use super::*;
use crate::files::Memory;

fn strings(list: &[Vec<u8>]) -> Vec<String> {
    list.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[test]
fn braces_expand_left_to_right() {
    let cases: [(&str, &[&str]); 12] = [
        ("a", &["a"]),
        ("{a,b}", &["a", "b"]),
        ("x{a,b}y{c,d}", &["xayc", "xayd", "xbyc", "xbyd"]),
        ("{a,{b,c}d}e", &["ae", "bde", "cde"]),
        ("{,a}b", &["b", "ab"]),
        ("{a}", &["a"]),
        ("{}", &["{}"]),
        ("a{}b{c,d}", &["a{}bc", "a{}bd"]),
        ("{a,b", &["{a,b"]),
        ("a,b}", &["a,b}"]),
        ("\\{a,b}", &["\\{a,b}"]),
        ("{a,\\,,b\\}}", &["a", "\\,", "b\\}"]),
    ];
    for (pattern, expected) in cases {
        assert_eq!(strings(&braces(pattern.as_bytes()).unwrap()), expected, "{pattern}");
    }
    assert_eq!(braces("{a,b}".repeat(40).as_bytes()), None);
}

#[test]
fn components() {
    let yes = [
        ("*", "abc"),
        ("a*c", "abc"),
        ("a*c", "ac"),
        ("*b*", "abc"),
        ("a?c", "abc"),
        ("[a-c]x", "bx"),
        ("[!a]x", "bx"),
        ("[^a]x", "bx"),
        ("[]]", "]"),
        ("[a-]", "-"),
        ("\\*", "*"),
        (".*", ".a"),
        ("*.conf", "x.conf"),
        ("**a", "aa"),
        ("[ab", "[ab"),
        ("[\\]]", "]"),
        ("*a*b", "xaxxab"),
    ];
    for (pattern, name) in yes {
        assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
    }
    let no = [
        ("*", ".a"),
        ("?a", ".a"),
        ("a*c", "ab"),
        ("a?c", "ac"),
        ("[a-c]", "d"),
        ("[!a]", "a"),
        ("", "a"),
        ("a", ""),
        ("\\*", "a"),
        ("*b", "abc"),
        ("[.]a", ".a"),
    ];
    for (pattern, name) in no {
        assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
    }
}

#[test]
fn wildcards_cross_directories() {
    let files = Memory::new()
        .file("/r/a/x.conf", "")
        .file("/r/b/x.conf", "")
        .file("/r/b/y.conf", "")
        .file("/r/c/z", "")
        .file("/r/a b", "");
    let names = |pattern: &str| strings(&expand(&files, Path::new("/r"), pattern.as_bytes()).names);
    assert_eq!(names("*/x.conf"), ["a/x.conf", "b/x.conf"]);
    assert_eq!(names("/r/[ab]/*"), ["/r/a/x.conf", "/r/b/x.conf", "/r/b/y.conf"]);
    assert_eq!(names("./c/../b/*.conf"), ["./c/../b/x.conf", "./c/../b/y.conf"]);
    assert_eq!(names("a b"), ["a b"]);
    assert_eq!(names("a\\ b"), ["a b"]);
    assert_eq!(names("{c/*,b/[y]*,a/x.conf}"), ["c/z", "b/y.conf", "a/x.conf"]);
}

#[test]
fn tells_what_is_missing() {
    let files = Memory::new().file("/r/d/x", "");
    let judge = |pattern: &str| {
        let matches = expand(&files, Path::new("/r"), pattern.as_bytes());
        (matches.names.len(), matches.missing.len(), matches.empty.len())
    };
    assert_eq!(judge("d/x"), (1, 0, 0));
    assert_eq!(judge("d/y"), (0, 1, 0));
    assert_eq!(judge("d/y*"), (0, 0, 1));
    assert_eq!(judge("e/*"), (0, 1, 0));
    assert_eq!(judge("/*/nothing"), (0, 0, 1));
    assert_eq!(judge("{d/x,d/y,e/*,d/*z}"), (1, 2, 1));
}
