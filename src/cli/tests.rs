use std::os::unix::ffi::OsStringExt;

use super::split::{Found, split};
use super::*;

fn argv(words: &[&str]) -> Vec<OsString> {
    std::iter::once("keepalived").chain(words.iter().copied()).map(OsString::from).collect()
}

fn run(words: &[&str]) -> Options {
    let invocation = read(&argv(words));
    match invocation.action {
        Action::Run(options) => *options,
        Action::Exit(status) => panic!("exit {status}: {}", invocation.stderr),
        Action::Genhash(_) => panic!("another program"),
    }
}

fn exit(words: &[&str]) -> (i32, String, String) {
    let invocation = read(&argv(words));
    match invocation.action {
        Action::Exit(status) => (status, invocation.stdout, invocation.stderr),
        Action::Run(_) | Action::Genhash(_) => panic!("runs: {}", invocation.stderr),
    }
}

#[test]
fn joined_letters_glued_values_and_prefixes() {
    let o = run(&["-nlD", "-S7", "-f/etc/x", "--pid", "/p", "--dont-fo", "--vrrp_p=/v", "-D"]);
    assert!(o.dont_fork && o.log_console);
    assert_eq!(o.detail, 2);
    assert_eq!(o.facility, Facility(23));
    assert_eq!(o.config_file.unwrap(), "/etc/x");
    assert_eq!(o.pid.unwrap().to_str(), Some("/p"));
    assert_eq!(o.vrrp_pid.unwrap().to_str(), Some("/v"));
}

#[test]
fn optional_arguments_must_be_attached() {
    assert_eq!(run(&["-t", "-n"]).config_test, Some(None));
    assert_eq!(run(&["-tnl"]).config_test.unwrap().unwrap().to_str(), Some("nl"));
    assert_eq!(run(&["--config-test=/x"]).config_test.unwrap().unwrap().to_str(), Some("/x"));
    assert_eq!(run(&["-M"]).core_pattern.unwrap(), "core");
    assert_eq!(run(&["-Mx"]).core_pattern.unwrap(), "x");
}

#[test]
fn the_last_value_wins_and_all_re_enables() {
    assert_eq!(run(&["-f", "a", "-fb"]).config_file.unwrap(), "b");
    assert!(run(&["-P", "--all"]).subsystems.check);
    assert!(!run(&["--all", "-P"]).subsystems.check);
    assert!(!run(&["-C"]).subsystems.vrrp);
}

#[test]
fn values_that_look_like_options_or_are_empty() {
    assert_eq!(run(&["-f", "-n"]).config_file.unwrap(), "-n");
    assert_eq!(run(&["-f", "--"]).config_file.unwrap(), "--");
    assert_eq!(run(&["-f", ""]).config_file.unwrap(), "");
    assert_eq!(exit(&["--use-file="]).2, "Missing parameter for option --use-file\n");
    assert_eq!(exit(&["-nf"]).2, "Missing parameter for option -f\n");
}

#[test]
fn bytes_that_are_not_utf8_survive() {
    let mut words = argv(&["-f"]);
    words.push(OsString::from_vec(b"a\xffb\x80\xc3\xa9".to_vec()));
    let Action::Run(options) = read(&words).action else { panic!("exits") };
    assert_eq!(options.config_file.unwrap().as_bytes(), b"a\xffb\x80\xc3\xa9");
}

#[test]
fn unknown_options_are_reported_and_end_the_run_after_the_scan() {
    for (word, name) in [("-Z", "-Z"), ("--bogus", "--bogus"), ("--no", "--no")] {
        assert_eq!(exit(&[word, "-n"]), (1, String::new(), format!("Unknown option {name}\n")));
    }
    assert_eq!(exit(&["--vrrp=x"]).2, "Unknown option --vrrp=x\n");
    let (status, _, err) = exit(&["-Z", "-v"]);
    assert_eq!(status, 0);
    assert!(err.starts_with("Unknown option -Z\nKeepalived v"));
}

#[test]
fn stray_words_are_named_on_stdout_and_ignored() {
    let invocation = read(&argv(&["a", "-n", "-", "--", "-v"]));
    assert_eq!(invocation.stdout, "Unexpected argument(s): a - -v\n");
    assert!(matches!(invocation.action, Action::Run(o) if o.dont_fork));
}

#[test]
fn signum_prints_numbers() {
    for (name, number) in [
        ("STOP", 15),
        ("RELOAD", 1),
        ("DATA", 10),
        ("STATS", 12),
        ("STATS_CLEAR", 63),
        ("JSON", 36),
    ] {
        assert_eq!(exit(&["--signum", name]), (0, format!("{number}\n"), String::new()));
    }
    assert_eq!(exit(&["--signum=FOO"]), (1, String::new(), "Unknown sigfunc FOO\n".into()));
}

#[test]
fn bad_facility_and_mask_are_reported_and_ignored() {
    let invocation = read(&argv(&["-S", "9", "-u", "0888"]));
    assert_eq!(invocation.stderr, "Invalid log facility '9'\nInvalid --umask option 0888\n");
    let Action::Run(options) = invocation.action else { panic!("exits") };
    assert_eq!((options.facility, options.umask), (Facility::DAEMON, None));
    for (text, mask) in [("0x1f", 0x1f), ("022", 0o22), ("22", 22), ("0", 0), ("0777", 0o777)] {
        assert_eq!(run(&["-u", text]).umask, Some(mask), "{text}");
    }
}

fn page(words: &[&str]) -> check::Page {
    match read(&argv(words)).action {
        Action::Genhash(page) => *page,
        _ => panic!("{}", read(&argv(words)).stderr),
    }
}

#[test]
fn genhash_has_options_of_its_own() {
    let one = page(&["-T", "-vSs127.0.0.1", "-p80", "-u/a", "--use-virtualhost=h", "-m", "7"]);
    assert_eq!(one.target.to_string(), "127.0.0.1:80");
    assert_eq!((one.path.as_str(), one.host.as_deref(), one.mark), ("/a", Some("h"), 7));
    assert!(one.verbose && one.tls && !one.sni);
    assert_eq!(one.timeout.as_micros(), 4_294_967_295);
    let two = page(&["--gen", "-s", "::1", "-p", "1", "-u", "x", "-P", "1.0C", "-t", "9", "-SI"]);
    assert_eq!(two.protocol, check::settings::HttpProtocol::Http10Close);
    assert!(two.target.is_ipv6() && two.sni && two.timeout.as_secs() == 9);
    let named = ["/usr/bin/genhash", "-s", "1.2.3.4", "-p", "1", "-u", "x"].map(OsString::from);
    assert!(matches!(read(&named).action, Action::Genhash(_)));
}

#[test]
fn genhash_says_what_is_wrong() {
    let first = |words: &[&str]| {
        let (status, _, err) = exit(&[&["-T"], words].concat());
        assert_eq!(status, 1);
        assert!(err.contains("Usage: keepalived --genhash "), "{err}");
        err.lines().next().unwrap().to_owned()
    };
    assert_eq!(first(&["-s", "x", "-p", "0"]), "server should be an IP, not x");
    for port in ["0", "65536", "x", "80x", "-1", "+1", ""] {
        assert_eq!(first(&["-p", port]), format!("invalid port number '{port}'"));
    }
    assert_eq!(first(&["-m", "0x10"]), "invalid fwmark '0x10'");
    assert_eq!(first(&["-P", "1.1C"]), "invalid HTTP protocol version '1.1C'");
    assert_eq!(first(&["-t", "1.5"]), "invalid timeout '1.5'");
    let good = ["-s", "1.2.3.4", "-p", "1", "-u", "/"];
    assert_eq!(first(&[&good[..], &["a", "b"]].concat()), "Unexpected argument(s): a b");
    assert_eq!(first(&[&good[..], &["--use-s"]].concat()), "Unknown option --use-s");
    assert!(first(&good[..4]).starts_with("Usage"));
    assert!(first(&["-h"]).starts_with("Usage"));
    let (status, _, err) = exit(&["-nT", "-p", "x"]);
    assert_eq!(status, 1);
    assert!(
        err.starts_with("Warning -- `-T` not used as first option, previous options ignored\n")
    );
}

#[test]
fn every_row_is_in_the_usage_and_every_name_is_distinct() {
    let usage = text::usage();
    for row in TABLE {
        assert!(usage.contains(&format!("--{}", row.long)), "{}", row.long);
        let same = |other: &&Opt| {
            other.long == row.long || (row.short.is_some() && other.short == row.short)
        };
        assert_eq!(TABLE.iter().filter(same).count(), 1, "{}", row.long);
    }
}

#[test]
fn every_settable_row_is_a_field_of_the_struct() {
    for row in TABLE {
        if matches!(row.long, "version" | "help" | "signum" | "genhash") {
            continue;
        }
        let mut given = Given::default();
        given.add(row, Some("1".into()));
        let argv = given.canonical();
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        assert!(<Args as argh::FromArgs>::from_args(&["keepalived"], &argv).is_ok(), "{argv:?}");
    }
}

#[test]
fn the_version_is_what_tools_search_for() {
    let (status, out, err) = exit(&["-v"]);
    assert_eq!((status, out.as_str()), (0, ""));
    assert!(err.contains("--enable-json"));
    assert!(err.starts_with("Keepalived v2."));
}

#[test]
fn any_bytes_split_without_panic() {
    for bytes in [&b"-\xff"[..], b"--\xff=", b"-f\xff", b"---", b"--=", b"-=", b""] {
        let found = split(TABLE, &[OsString::from_vec(bytes.to_vec())]);
        assert!(found.len() <= 2);
    }
    assert!(matches!(&split(TABLE, &["--=".into()])[..], [Found::Unknown(_)]));
}
