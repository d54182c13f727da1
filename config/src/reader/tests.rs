//! The language section by section (spec config-language §3 to §9, §18).

use crate::files::Memory;
use crate::testing::{load, options, problems, shape};
use crate::{Fatal, Loaded, Mode, Options, Progress, Reader, Source, read};

/// The tree of `text`, which must have no problem.
fn tree(text: &str) -> String {
    let loaded = load(text);
    assert_eq!(problems(&loaded), [], "{text}: {:?}", loaded.diagnostics);
    shape(&loaded.lines)
}

/// The problems of `text` and its tree.
fn troubled(text: &str) -> (Vec<(u8, u32)>, String) {
    let loaded = load(text);
    (problems(&loaded), shape(&loaded.lines))
}

/// Reads `text` when most lines that may be generated have been.
fn nearly_exhausted(text: &str) -> Loaded {
    let mut reader = Reader::open(options(text, Memory::new()));
    reader.generated = super::MOST_GENERATED - 10_000;
    while reader.step(1000) == Progress::More {}
    reader.finish()
}

mod lines {
    use super::*;

    #[test]
    fn ends_and_blanks() {
        assert_eq!(tree("word a\r\n\tword b \t\r\r\n\n  \nword c"), "word(a) word(b) word(c)");
        assert_eq!(tree(""), "");
    }

    #[test]
    fn longest() {
        let longest = format!("word {}", "x".repeat(1017));
        assert_eq!(longest.len(), 1022);
        assert_eq!(tree(&longest).len(), "word()".len() + 1017);
        let longer = format!("word {}word\nword b", "x".repeat(1018));
        assert_eq!(troubled(&longer), (vec![(13, 1)], "word word(b)".into()));
        let longer = format!("{}\nword b\n", "x".repeat(1023));
        assert_eq!(troubled(&longer), (vec![(13, 1)], "word(b)".into()));
    }

    #[test]
    fn byte_zero() {
        assert_eq!(troubled("word a\nword\0 b\nword c"), (vec![(13, 2)], "word(a) word(c)".into()));
    }

    #[test]
    fn other_bytes_are_kept() {
        let loaded = load(b"word caf\xc3\xa9 \xe9\xff\xee\x9e\x80".to_vec());
        assert_eq!(loaded.lines[0].words[0].text, "café");
        let bytes = crate::text::to_bytes(&loaded.lines[0].words[1].text).into_owned();
        assert_eq!(bytes, b"\xe9\xff\xee\x9e\x80");
        assert_eq!(troubled("\u{feff}word a").0, [(5, 1)]);
    }

    #[test]
    fn backslash_is_no_continuation() {
        assert_eq!(tree("word a \\\nword b"), "word(a\\) word(b)");
    }
}

mod comments_and_quotes {
    use super::*;

    #[test]
    fn comments() {
        assert_eq!(tree("# x\n ! y\nword a # b\nword c!d\nword e#f"), "word(a) word(c) word(e)");
        assert_eq!(tree("word \"a # b\" c # \"\n"), "word(a # b|c)");
        assert_eq!(tree("word 'a # b'"), "word('a)");
    }

    #[test]
    fn protected() {
        assert_eq!(tree("word a\\#b \\! c"), "word(a#b|!|c)");
        assert_eq!(tree("word \"a\\#b\""), "word(a\\#b)");
        assert_eq!(tree("word \\\\#x"), "word(\\\\)");
        assert_eq!(tree("word a\\b"), "word(a\\b)");
    }

    #[test]
    fn columns_survive_protected_characters() {
        let loaded = load("  word \\#a b c\\!d e");
        let columns: Vec<_> = loaded.lines[0].words.iter().map(|w| w.span.column).collect();
        assert_eq!(columns[3], 18);
        assert_eq!(loaded.lines[0].span.column, 2);
    }

    #[test]
    fn odd_quotes() {
        assert_eq!(troubled("word a \"b c\nword d"), (vec![(13, 1)], "word(a) word(d)".into()));
        // Protected from the first pass, not from the tokens.
        assert_eq!(troubled("word a \\\"b").0, [(10, 1)]);
    }
}

mod conditions {
    use super::*;

    #[test]
    fn keep_and_drop() {
        assert_eq!(
            tree("@node word a\n@other word b\n@^node word c\n@^other word d"),
            "word(a) word(d)"
        );
        assert_eq!(tree("@node\n@^other\n@ word a\n@^ word b\n@!x word c"), "word(b)");
        assert_eq!(tree("@Node word a\n@nod word b\n@nodes word c"), "");
    }

    #[test]
    fn any_line_may_follow() {
        assert_eq!(
            tree("@node $A=1\n@other $A=2\n@node list {\nx $A\n@node }\nword b"),
            "list[x|1] word(b)"
        );
        assert_eq!(tree("@node ~SEQ(i, 2) word $i"), "word(1) word(2)");
        let files = Memory::new().file("/etc/x", "word x");
        assert_eq!(
            shape(&read(options("@node include x\n@other include y", files)).lines),
            "word(x)"
        );
    }

    #[test]
    fn only_one_prefix() {
        assert_eq!(troubled("@node @node word a").0, [(5, 1)]);
        assert_eq!(tree("word @node"), "word(@node)");
    }

    #[test]
    fn substituted_prefixes_count() {
        assert_eq!(
            tree("$M=@node\n$B=@other\n$M word a\n$B word b\n${M} word c"),
            "word(a) word(c)"
        );
        assert_eq!(tree("$M=@node\n$M $X=5\nword $X"), "word(5)");
    }
}

mod definitions {
    use super::*;

    #[test]
    fn names_and_values() {
        assert_eq!(tree("$A=  b c\nword $A"), "word(b|c)");
        assert_eq!(tree("$_a9=x\nword $_a9, $_a9) ${_a9}y $_a9y"), "word(x,|x)|xy|$_a9y)");
        assert_eq!(tree("$A=\nword x${A}y"), "word(xy)");
        assert_eq!(tree("$A=\"b c\"\nword $A"), "word(b c)");
        assert_eq!(tree("$A=1\nword \"$A b\" ${A}"), "word($A b|1)".replace("$A", "1"));
        assert_eq!(troubled("$A = b").0, [(5, 1)]);
        assert_eq!(troubled("$9=b").0, [(5, 1)]);
    }

    #[test]
    fn references() {
        assert_eq!(tree("$A=B\n$B=c\nword $$A"), "word(c)");
        assert_eq!(tree("$A=B\nword $$A"), "word($B)");
        assert_eq!(tree("$Q=q$\n$S=5\nword ${Q}S"), "word(q5)");
        assert_eq!(troubled("$A=$${B}\n$B=A\nword a\nword $A"), (vec![(13, 4)], "word(a)".into()));
        assert_eq!(tree("$A=1\nword \\$A"), "word(\\1)");
        assert_eq!(tree("$A=1\nword $A/ $A"), "word($A/|1)");
        assert_eq!(tree("word $UNKNOWN"), "word($UNKNOWN)");
        assert_eq!(tree("word \"${UNKNOWN}\""), "word(${UNKNOWN})");
        assert_eq!(troubled("word ${UNKNOWN}").0, [(6, 1), (5, 1), (5, 1)]);
    }

    #[test]
    fn are_evaluated_at_use() {
        assert_eq!(tree("$A=x$B\n$B=1\nword $A\n$B=2\nword $A"), "word(x1) word(x2)");
    }

    #[test]
    fn hold_across_blocks_and_files() {
        let files = Memory::new().file("/etc/x", "$B=2\n$A=3\n");
        let loaded = read(options("$A=1\nglobal_defs {\ninclude x\n}\nword $A$B $A", files));
        assert_eq!(shape(&loaded.lines), "global_defs{} word($A2|3)");
    }

    #[test]
    fn loops_are_reported() {
        assert_eq!(troubled("$A=$A\nword $A"), (vec![(13, 2)], "word($A)".into()));
        assert_eq!(troubled("$A=x$A\nword $A").0, [(13, 2)]);
        assert_eq!(troubled("$A=$B\n$B=${C}\n$C=$A\nword $A").0, [(13, 4)]);
        assert_eq!(tree("$A=1\nword $A $A $A"), "word(1|1|1)");
    }

    #[test]
    fn empty_explosion_is_bounded() {
        let mut text = String::new();
        for i in 0..30 {
            text += &format!("$A{i}=${{A{0}}}${{A{0}}}\n", i + 1);
        }
        text += "$A30=\nword ${A0}";
        assert_eq!(troubled(&text).0, [(13, 32)]);
    }

    #[test]
    fn length_is_bounded() {
        let long = "x".repeat(600);
        let loaded = load(format!("$A={long}\nword ${{A}}${{A}} b"));
        assert_eq!(problems(&loaded), [(6, 2), (5, 2), (5, 2), (5, 2)]);
        let all = loaded.diagnostics.iter().any(|d| d.class.is_none());
        assert!(all, "the log says why");
    }

    #[test]
    fn second_pass() {
        assert_eq!(tree("$A=a \\# b\nword $A"), "word(a)");
        assert_eq!(tree("$A=b\nword x\\#y $A"), "word(x)");
        assert_eq!(tree("$A=b\nword \"x\\#y\" $A"), "word(x\\#y|b)");
        assert_eq!(tree("$A=x#\n$B=\"x#\"\nword $A\nword ${B}y"), "word(x) word(x#|y)");
    }

    #[test]
    fn columns_around_a_substitution() {
        let loaded = load("$A=long value\nword one $A two");
        let line = &loaded.lines[0];
        let places: Vec<_> = line.words.iter().map(|w| (w.span.column, w.span.len)).collect();
        assert_eq!(line.span.column, 0);
        assert_eq!(places, [(5, 3), (0, 15), (0, 15), (12, 3)]);
    }
}

mod multi_line_definitions {
    use super::*;

    #[test]
    fn are_the_last_thing_on_a_line() {
        let text = "$M=\\\nx \\\n\\\n y z\nlist {\n$M\na $M\n}\n";
        assert_eq!(tree(text), "list[x;y|z;a|x;y|z]");
        assert_eq!(tree("$M=a\\\nb\nword $M c"), "word($M|c)");
    }

    #[test]
    fn first_line_counts() {
        assert_eq!(tree("$M=word a \\\nword b\n$M"), "word(a) word(b)");
    }

    #[test]
    fn ends() {
        assert_eq!(tree("$M=word a\\\n\nword b\n$M"), "word(b) word(a)");
        let text = "$M=word a\\\n   \n # c\nword b\nword c\n$M";
        assert_eq!(tree(text), "word(c) word(a) word(b)");
        assert_eq!(tree("$A=word a\\\\\nword b\n$A"), "word(a\\) word(b)");
        assert_eq!(tree("$A=word a \\ # c\nword b \\\n\n$A"), "word(a) word(b)");
        let files = Memory::new().file("/etc/x", "$M=word x\\\n");
        assert_eq!(shape(&read(options("include x\nword a\n$M", files)).lines), "word(a) word(x)");
    }

    #[test]
    fn continue_behind_comments() {
        let text =
            "$M=word a # first \\\n # second \\\nword b # third \\\nword c # last \\\\\nword d\n$M";
        assert_eq!(tree(text), "word(d) word(a) word(b) word(c)");
        assert_eq!(tree("word a # \\\n# \\\nword b"), "word(a) word(b)");
    }

    #[test]
    fn contain_anything() {
        let text = "$N=n1\\\nn2\n$M=\\\n$X=5\\\n@node a $X\\\n@other b\\\nc $N\\\n~SEQ(i,2) s$i\nlist {\n$M\n}";
        assert_eq!(tree(text), "list[a|5;c|n1;n2;s1;s2]");
        let files = Memory::new().file("/etc/x", "word x\n");
        let loaded = read(options("$M=include x\\\nword a\n$M", files));
        assert_eq!(shape(&loaded.lines), "word(x) word(a)");
    }

    #[test]
    fn loops_are_reported() {
        assert_eq!(troubled("$M=word a\\\n$M\n$M").0, [(13, 3)]);
        assert_eq!(troubled("$M=word a\\\nword $N\n$N=x\\\nword $M\n$M").0, [(13, 5)]);
    }

    #[test]
    fn growth_is_bounded() {
        let mut text = String::new();
        for i in 0..40 {
            text += &format!("$A{i}=\\\n$A{0}\\\n$A{0}\n", i + 1);
        }
        text += "$A40=\n$A0\n";
        let loaded = nearly_exhausted(&text);
        assert_eq!(problems(&loaded).len(), 1);
    }

    #[test]
    fn are_reported_where_they_are_used() {
        assert_eq!(troubled("$M=bad a\\\nbad b\n\nword a\n  $M").0, [(5, 5), (5, 5)]);
    }
}

mod predefined {
    use super::*;

    #[test]
    fn plain_ones() {
        assert_eq!(tree("word ${_PWD} ${_INSTANCE} $_INSTANCE"), "word(/etc|node|node)");
        let files = Memory::new().file("/etc/d/x", "word ${_PWD}\n");
        let loaded = read(options("include d/x\nword ${_PWD}\n", files));
        assert_eq!(shape(&loaded.lines), "word(/etc/d) word(/etc)");
        assert_eq!(tree("$_PWD=x\nword $_PWD"), "word(x)");
    }

    #[test]
    fn comment_characters_stand_for_themselves() {
        assert_eq!(tree("word a${_HASH}b $_BANG c"), "word(a#b|!|c)");
        assert_eq!(tree("word \"${_HASH} x\" # c"), "word(# x)");
    }

    #[test]
    fn random_numbers() {
        let number = |text: &str| {
            let loaded = load(text);
            loaded.lines[0].words[0].text.parse::<u64>().expect("a number")
        };
        for _ in 0..50 {
            assert!(number("word ${_RANDOM}") <= 32767);
            assert!(number("word $_RANDOM") <= 32767);
            assert!((30000..=32767).contains(&number("word ${_RANDOM 30000}")));
            assert!((5..=7).contains(&number("word ${_RANDOM 5 7}")));
        }
        assert_eq!(troubled("word ${_RANDOM 7 5}"), (vec![(13, 1)], "word(7)".into()));
        assert_eq!(troubled("word \"${_RANDOM a}\""), (vec![(13, 1)], "word(${_RANDOM a})".into()));
        assert_eq!(troubled("word \"${_RANDOM 1 2 3}\"").0, [(13, 1)]);
    }

    #[test]
    fn random_seed_is_honoured() {
        let text = "global_defs {\nrandom_seed 7\n}\nword ${_RANDOM} ${_RANDOM} ${_RANDOM}\n";
        assert_eq!(tree(text), tree(text));
        assert_ne!(tree(text), tree(&text.replace('7', "8")));
    }

    #[test]
    fn environment() {
        assert_eq!(tree("word x${_ENV NO_SUCH_VARIABLE_HERE}y"), "word(xy)");
        let path = std::env::var("PATH").expect("PATH is set");
        assert_eq!(tree("word \"${_ENV PATH}\""), format!("word({path})"));
        assert_eq!(troubled("word \"${_ENV}\""), (vec![(13, 1)], "word(${_ENV})".into()));
        assert_eq!(troubled("word \"${_PWD 1}\"").0, [(13, 1)]);
    }
}

mod sequences {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [
            ("~SEQ(i, 3) word $i", "word(1) word(2) word(3)"),
            ("~SEQ(i,0)word $i", "word(1) word(0)"),
            ("~SEQ(i, -2) word $i", "word(-1) word(-2)"),
            ("~SEQ ( i , 5 , 3 ) word $i", "word(5) word(4) word(3)"),
            ("~SEQ(i, 1, 3, 8) word $i", "word(1) word(4) word(7)"),
            ("~SEQ(i, 0x10, 1, 022) word $i", "word(16) word(17) word(18)"),
            ("~SEQx(i, 9, 11) word $i", "word(9) word(a) word(b)"),
            ("$N=2\n~SEQ(i, ${N}) word x${i}y", "word(x1y) word(x2y)"),
            ("~SEQ(i, 2)\nword $i", "word(2)"),
            ("~SEQ(i, 2) word a\nword $i", "word(a) word(a) word(2)"),
        ];
        for (text, expected) in cases {
            assert_eq!(tree(text), expected, "{text}");
        }
    }

    #[test]
    fn lists() {
        let cases = [
            ("~LST(v, a, {b}, c) word $v", "word(a) word(b) word(c)"),
            ("~LST({x,y}, {a,b}, {c , d}) word $x$y ${x}$y", "word($xb|ab) word($xd|cd)"),
            ("~LST({x,y}, {a}) word ${x}-${y}", "word(a-)"),
            ("$A=p\n~LST(v, $A, b) word $v", "word(p) word(b)"),
        ];
        for (text, expected) in cases {
            assert_eq!(tree(text), expected, "{text}");
        }
    }

    #[test]
    fn nest_with_the_leftmost_slowest() {
        let text = "~SEQ(i, 2) ~LST(v, a, b) word $i $v";
        assert_eq!(tree(text), "word(1|a) word(1|b) word(2|a) word(2|b)");
        assert_eq!(tree("~SEQ(i,2) ~SEQ(j,$i) word $i $j"), "word(1|1) word(2|1) word(2|2)");
    }

    #[test]
    fn repeat_several_lines() {
        assert_eq!(tree("$M=word $i\\\nword b\n~SEQ(i,2) $M"), "word(1) word(b) word(2) word(b)");
    }

    #[test]
    fn come_out_of_definitions() {
        let text = "$S=~SEQ(i, 2) word $i\n$S\n$S";
        assert_eq!(tree(text), "word(1) word(2) word(1) word(2)");
        assert_eq!(tree("$S=~SEQ(i, 2)\n$S word $i"), "word(1) word(2)");
    }

    #[test]
    fn mistakes() {
        for text in [
            "~SEQ(i) word",
            "~SEQ(i, 1, 2, 3, 4) word",
            "~SEQ(i, 1, 0, 3) word",
            "~SEQ(i, 1, -1, 3) word",
            "~SEQ(9, 3) word",
            "~SEQ(i, x) word",
            "~SEQx(i, -3, 3) word",
            "~SEQ(i, 3 word",
            "~LST(v) word",
            "~LST({a,b}, {1,2,3}) word",
            "~LST(v, a b) word",
            "~LST({a,b, {1}) word",
            "~SEQ(i, 0x) word",
            "~SEQ(i, 99999999999999999999) word",
        ] {
            assert_eq!(troubled(text), (vec![(13, 1)], String::new()), "{text}");
        }
        assert_eq!(troubled("$A=x\n~OTHER $A").0, [(5, 2)]);
    }

    #[test]
    fn length_is_bounded() {
        let loaded = nearly_exhausted("~SEQ(i,100000) ~SEQ(j,100000) $X=$i\nword a");
        assert_eq!(problems(&loaded), [(13, 1)]);
        assert_eq!(shape(&loaded.lines), "word(a)");
    }
}

mod braces {
    use super::*;

    #[test]
    fn stand_anywhere() {
        let expected = "global_defs{router_id(x)} word(a)";
        for text in [
            "global_defs { router_id x }\nword a",
            "global_defs{router_id x}word a",
            "global_defs\n\n# c\n{\nrouter_id x\n}\nword a",
            "global_defs {\nrouter_id x\n} word a",
        ] {
            assert_eq!(tree(text), expected, "{text}");
        }
        assert_eq!(tree("global_defs {router_id \"{a}\"}"), "global_defs{router_id({a})}");
    }

    #[test]
    fn too_many_or_few() {
        assert_eq!(
            troubled("global_defs {\n}\n}\nword a"),
            (vec![(8, 3)], "global_defs{} word(a)".into())
        );
        assert_eq!(
            troubled("instance a {\nword x\nglobal_defs {\nrouter_id x").0.last(),
            Some(&(9, 1))
        );
        assert_eq!(
            troubled("global_defs {\nrouter_id x\n"),
            (vec![(9, 1)], "global_defs{router_id(x)}".into())
        );
    }
}

mod tokens {
    use super::*;

    #[test]
    fn separators_and_quotes() {
        assert_eq!(tree("word\ta\x0bb\x0cc  d"), "word(a|b|c|d)");
        assert_eq!(tree("word a\"b c\"d \"\" 'x y'"), "word(a|b c|d||'x|y')");
        assert_eq!(tree("\"word\" a"), "word(a)");
    }

    #[test]
    fn have_their_columns() {
        let loaded = load("\tword a  \"b c\" d\n");
        let places: Vec<_> = loaded.lines[0]
            .words
            .iter()
            .map(|w| (w.span.line, w.span.column, w.span.len))
            .collect();
        assert_eq!(places, [(1, 6, 1), (1, 10, 3), (1, 15, 1)]);
    }

    #[test]
    fn of_commands_group_by_both_quotes() {
        let tree = tree("instance a {\nnotify \"/x 'a b'\" us'e r' \\\"g extra\n}");
        assert_eq!(tree, "instance(a){notify(/x 'a b'|use r|\\\"g|extra)}");
        assert_eq!(troubled("instance a {\nnotify '/x\n}").0, [(10, 2)]);
        assert_eq!(troubled("instance a {\nnotify /x 'u\n}").0, []);
    }
}

mod dispatch {
    use super::*;

    #[test]
    fn unknown_keyword_loses_its_line_only() {
        assert_eq!(troubled("wrod a\nword b"), (vec![(5, 1)], "word(b)".into()));
        assert_eq!(load("wrod a").diagnostics[0].help.as_deref(), Some("did you mean `word`?"));
        assert_eq!(troubled("Word a").0, [(5, 1)]);
    }

    #[test]
    fn unknown_block_counts_for_the_level_around_it() {
        let text = "foo {\nglobal_defs {\nbar\n}\n}\nword a";
        let (problems, tree) = troubled(text);
        assert_eq!(problems, [(5, 1), (6, 1), (5, 3), (5, 5)]);
        assert_eq!(tree, "global_defs{} word(a)");
        let text = "global_defs {\nfoo {\nrouter_id x\n}\nword a\n}\nword b";
        let (problems, tree) = troubled(text);
        assert_eq!(problems, [(5, 2), (6, 2), (5, 6)]);
        assert_eq!(tree, "global_defs{router_id(x)} word(a) word(b)");
    }

    #[test]
    fn missing_open_brace() {
        let text = "global_defs\nrouter_id x\n}\nword a";
        assert_eq!(
            troubled(text),
            (vec![(7, 2), (8, 3)], "global_defs{router_id(x)} word(a)".into())
        );
        assert_eq!(tree("global_defs"), "global_defs{}");
    }

    #[test]
    fn unexpected_open_brace() {
        let text = "global_defs {\nrouter_id x {\n}\nword a\n}\n";
        let (problems, tree) = troubled(text);
        assert_eq!(problems, [(6, 2), (5, 5)]);
        assert_eq!(tree, "global_defs{router_id(x)} word(a)");
    }

    #[test]
    fn missing_argument_stops() {
        let loaded = load("word a\ninstance b {\n state\n}\nwrod c\n");
        assert_eq!(problems(&loaded), [(11, 3)]);
        assert_eq!(loaded.fatal, Some(Fatal::MissingParameter));
        assert_eq!(shape(&loaded.lines), "word(a) instance(b){}");
        assert_eq!(load("instance {\n}\n").fatal, Some(Fatal::MissingParameter));
        assert_eq!(Fatal::MissingParameter.exit_status(Mode::Test), 2);
    }

    #[test]
    fn missing_argument_may_cost_the_keyword_only() {
        let text = "instance b {\n interface\n nopreempt\n}";
        assert_eq!(troubled(text), (vec![(13, 2)], "instance(b){nopreempt}".into()));
    }

    #[test]
    fn rejected_block_is_skipped() {
        let text = "instance b {\n named {\n x {\n y\n }\n }\n nopreempt\n}";
        assert_eq!(troubled(text), (vec![(13, 2)], "instance(b){nopreempt}".into()));
    }

    #[test]
    fn blocks_of_several_grammars_are_merged() {
        assert_eq!(
            tree("shared x {\nleaf a\nother_leaf\n}\nsecond_only"),
            "shared(x){leaf(a) other_leaf} second_only"
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let text = "named_list x {\n".repeat(3) + &"{".repeat(100_000);
        assert!(!troubled(&text).0.is_empty());
    }
}

mod value_blocks {
    use super::*;

    #[test]
    fn every_line_is_an_entry() {
        assert_eq!(
            tree("list {\n a b\n word x\n\"c d\"\n}\nword e"),
            "list[a|b;word|x;c d] word(e)"
        );
        assert_eq!(tree("list { a b }"), "list[a|b]");
        let loaded = load("list { a b\nc }");
        let pooled: Vec<_> = loaded.lines[0].pooled().map(|w| w.text.as_str()).collect();
        assert_eq!(pooled, ["a", "b", "c"]);
    }

    #[test]
    fn nested_brace_is_an_entry() {
        assert_eq!(
            troubled("list {\na {\nb\n}\nword c"),
            (vec![(9, 0)], "list[a;{;b] word(c)".into())
        );
    }

    #[test]
    fn extra_words() {
        assert_eq!(troubled("list x {\na\n}"), (vec![(13, 1)], "list(x)[a]".into()));
        assert_eq!(tree("named_list x {\na\n}"), "named_list(x)[a]");
        assert_eq!(troubled("named_list {\na\n}\nword b"), (vec![(13, 1)], "word(b)".into()));
    }

    #[test]
    fn missing_brace_is_only_logged() {
        let (problems, tree) = troubled("list\na\n}\nword b");
        assert_eq!(problems, [(8, 3)]);
        assert_eq!(tree, "list[a] word(b)");
    }
}

mod main_file {
    use super::*;
    use crate::files::Kind;

    fn main(pattern: &str, files: Memory, mode: Mode) -> Loaded {
        let mut options = Options::new(Source::FromFile(pattern.into()), crate::testing::ROOT);
        options.directory = "/etc".into();
        options.mode = mode;
        options.files = Box::new(files);
        read(options)
    }

    #[test]
    fn absent() {
        for (mode, status) in [(Mode::Test, 4), (Mode::Start, 6)] {
            let loaded = main("/etc/none", Memory::new(), mode);
            assert_eq!(loaded.fatal, Some(Fatal::NoMainFile));
            assert_eq!(Fatal::NoMainFile.exit_status(mode), status);
        }
    }

    #[test]
    fn unsuitable() {
        for kind in [Kind::Directory, Kind::Executable, Kind::Irregular] {
            let files = Memory::new().entry("/etc/x", kind, "word a");
            assert_eq!(main("x", files, Mode::Test).fatal, Some(Fatal::NoMainFile));
        }
    }

    #[test]
    fn several() {
        let files = Memory::new().file("/etc/b", "word b\nbad\n").file("/etc/a", "word a\n").entry(
            "/etc/c",
            Kind::Executable,
            "word c",
        );
        let loaded = main("{b,[ac]}", files, Mode::Test);
        assert_eq!(shape(&loaded.lines), "word(b) word(a)");
        assert_eq!(crate::exit_status(&loaded.diagnostics), 5);
        assert_eq!(problems(&loaded), [(0, 0), (4, 0), (5, 2)]);
        let shown = crate::render::one_line(&loaded.diagnostics[2], &loaded.sources);
        assert_eq!(shown, "(b: Line 2) Unknown keyword 'bad'");
    }
}

#[test]
fn slices_make_no_difference() {
    let text = "$M=word a\\\nword b\n~SEQ(i,3) $M\ninclude x\nglobal_defs {\nrouter_id a\n}\nbad\n";
    let files = Memory::new().file("/etc/x", "word x\nbad\n");
    let whole = read(options(text, files.clone()));
    let mut reader = Reader::open(options(text, files));
    let mut steps = 0;
    while reader.step(1) == Progress::More {
        steps += 1;
    }
    let sliced = reader.finish();
    assert!(steps > 10);
    assert_eq!(shape(&whole.lines), shape(&sliced.lines));
    assert_eq!(whole.diagnostics, sliced.diagnostics);
}

#[test]
fn many_problems_are_bounded_and_the_highest_class_stays() {
    let mut text = "bad\n".repeat(50_000);
    text += "instance a {\nstate\n";
    let loaded = load(text);
    assert!(loaded.diagnostics.len() < 11_000);
    assert_eq!(crate::exit_status(&loaded.diagnostics), 2);
}
