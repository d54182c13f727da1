//! One defect each, and what a configuration test makes of it.

use config::{
    Args, Context, Grammar, Keyword, Mode, Options, Row, Source, Table, check, exit_status, read,
};

use crate::{Draft, GLOBAL, InstanceSettings, ROOT, Settings};

static OTHERS: Table<()> =
    Table::new(&[Row::new(Keyword::new("global_defs", Args::Flag, "").block(&[&GLOBAL]), check)]);
static LEVEL: &[&dyn Grammar] = &[&ROOT, &OTHERS];

/// Exit status of a configuration test, and the messages that count.
fn test(text: &str) -> (i32, Vec<String>) {
    let (status, messages, _) = settings(text);
    (status, messages)
}

/// The same, and what was understood.
fn settings(text: &str) -> (i32, Vec<String>, Settings) {
    let source = Source::FromMemory { name: "k.conf".into(), bytes: text.into() };
    let mut options = Options::new(source, LEVEL);
    options.mode = Mode::Test;
    let mut loaded = read(options);
    let mut ctx = Context { diagnostics: &mut loaded.diagnostics, mode: Mode::Test };
    let mut draft = Draft::new();
    for line in &loaded.lines {
        draft.apply(line, &mut ctx);
    }
    let settings = draft.finish(&mut ctx);
    let status = match loaded.fatal {
        Some(fatal) => fatal.exit_status(Mode::Test),
        None => exit_status(&loaded.diagnostics),
    };
    let counting = loaded.diagnostics.into_iter().filter(|d| d.class.is_some());
    (status, counting.map(|d| d.message).collect(), settings)
}

fn expect(cases: &[(&str, i32)], template: impl Fn(&str) -> String) {
    for (body, expected) in cases {
        let (status, messages) = test(&template(body));
        assert_eq!(status, *expected, "{body:?}: {messages:#?}");
        assert!(messages.len() < 4, "{body:?}: {messages:#?}");
    }
}

#[test]
fn neighbours_and_sources() {
    expect(
        &[
            ("", 5),
            ("neighbor_ip", 2),
            ("neighbor_ip zz", 5),
            ("neighbor_ip localhost", 5),
            ("neighbor_ip 10.1.1.1/32 x", 0),
            ("neighbour_ip 10.1.1.1", 0),
            ("neighbor_ip 10.1.1.1\nneighbor_ip 10.1.1.2", 0),
            ("neighbor_ip 10.1.1.1\nsource_ip zz", 5),
            ("neighbor_ip 10.1.1.1\nsource_ip", 2),
            ("source_ip 2001:db8::1\nneighbor_ip 10.1.1.1", 5),
            ("neighbor_ip 10.1.1.1\nfoo", 5),
        ],
        |body| format!("bfd_instance B {{\n{body}\n}}\n"),
    );
}

#[test]
fn a_bad_neighbour_silences_the_rest_of_the_block() {
    let (_, messages) = test("bfd_instance B {\nneighbor_ip zz\nmin_rx zz\n}\n");
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[test]
fn keywords() {
    let mut cases = vec![
        ("passive zz", 0),
        ("multihop", 0),
        ("multihop maybe", 5),
        ("vrrp\nchecker", 0),
        ("max_hops -1", 0),
        ("max_hops -2", 5),
        ("max_hops 256", 5),
        ("ttl 10\nmax_hops 20", 5),
        ("ttl 10\nmax_hops -1", 5),
        ("max_hops 255", 0),
        ("weight", 2),
        ("weight -253", 0),
        ("weight 254", 5),
        ("weight 5x", 5),
        ("weight 5 reverse", 0),
        ("weight 5 noreverse", 5),
        ("idle_tx 999.9", 5),
        ("idle_tx 1000", 0),
    ];
    cases.extend([("min_rx", 2), ("min_rx 0.5", 5), ("min_rx 1.5", 0), ("min_rx 1.2345", 5)]);
    cases.extend([("min_tx 4294967", 0), ("min_tx 4294968", 5), ("min_tx 10001", 0)]);
    cases.extend([("min_tx 50x", 5), ("multiplier 0", 5), ("multiplier 3x", 5), ("ttl 0", 5)]);
    cases.extend([("multiplier 255", 0), ("hoplimit 255", 0), ("hoplimit 256", 5), ("ttl", 2)]);
    expect(&cases, |body| format!("bfd_instance B {{\nneighbor_ip 10.1.1.1\n{body}\n}}\n"));
    let six = "bfd_instance B {\nneighbor_ip 2001:db8::1\nmax_hops 100\n}\n";
    assert_eq!(test(six).0, 5, "IPv6 has a hop limit of 64");
}

#[test]
fn what_keywords_mean() {
    let one = |body: &str| {
        let (_, _, settings) = settings(&format!("bfd_instance B {{\n{body}\n}}\n"));
        settings.instances.into_iter().next().unwrap()
    };
    let four = "10.1.1.1".parse().unwrap();
    let plain = InstanceSettings::new("B", four);
    let times = (plain.min_rx, plain.min_tx, plain.idle_tx, plain.multiplier);
    assert_eq!(times, (10_000, 10_000, 1_000_000, 5));
    assert_eq!(one("neighbor_ip 10.1.1.1"), plain);
    let all = "neighbor_ip 10.1.1.1\nsource_ip 10.1.1.2\nmin_rx 1.5\nmin_tx 20\nidle_tx 2000.001\n\
               multiplier 3\npassive\nttl 200\nmax_hops -1\nmultihop on\nchecker";
    let expected = InstanceSettings {
        source: "10.1.1.2".parse().ok(),
        min_rx: 1500,
        min_tx: 20_000,
        idle_tx: 2_000_001,
        multiplier: 3,
        passive: true,
        ttl: 200,
        // As many as there can be.
        max_hops: 200,
        multihop: true,
        vrrp: false,
        checker: true,
        ..plain.clone()
    };
    assert_eq!(one(all), expected);
    let six = one("neighbour_ip fd00::1\nvrrp\nmax_hops 5");
    assert_eq!((six.ttl, six.max_hops, six.vrrp, six.checker), (64, 5, true, false));
    // What cannot be used leaves the default.
    let wrong = "neighbor_ip 10.1.1.1\nmin_rx 0.5\nmultiplier 0\nttl 0\nsource_ip zz";
    assert_eq!(one(wrong), plain);
}

#[test]
fn only_sessions_that_can_be_told_apart_are_used() {
    let text = "bfd_instance A {\nneighbor_ip 10.1.1.1\n}\nbfd_instance B {\nneighbor_ip 10.1.1.1\n}\n\
                bfd_instance C {\n}\nbfd_instance D {\nneighbor_ip 10.1.1.2\n}\n";
    let (_, _, settings) = settings(text);
    let names: Vec<&str> = settings.instances.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["A", "D"]);
}

#[test]
fn names() {
    let named = |name: &str| test(&format!("bfd_instance {name} {{\nneighbor_ip 10.1.1.1\n}}\n")).0;
    assert_eq!(named("a"), 0);
    assert_eq!(named(&"a".repeat(31)), 0);
    assert_eq!(named(&"a".repeat(32)), 5);
    assert_eq!(named(""), 2);
    assert_eq!(named("B C"), 0);
}

#[test]
fn sessions_must_be_told_apart() {
    let two = |first: &str, second: &str, name: &str| {
        let block = |name, body| format!("bfd_instance {name} {{\nneighbor_ip {body}\n}}\n");
        test(&format!("{}{}", block("A", first), block(name, second))).0
    };
    let plain = "10.1.1.1";
    let from_8 = "10.1.1.1\nsource_ip 10.1.1.8";
    assert_eq!(two(plain, "10.1.1.2", "B"), 0);
    assert_eq!(two(plain, "10.1.1.2", "A"), 5);
    assert_eq!(two(plain, plain, "B"), 5);
    assert_eq!(two(from_8, "10.1.1.1\nsource_ip 10.1.1.9", "B"), 0);
    assert_eq!(two(from_8, from_8, "B"), 5);
    assert_eq!(two(from_8, plain, "B"), 5);
    assert_eq!(two(plain, from_8, "B"), 5);
    assert_eq!(two(plain, "10.1.1.1\nmultihop", "B"), 0);
}

#[test]
fn global_definitions() {
    expect(
        &[
            ("bfd_process_name", 2),
            ("bfd_process_name abcdefghijklmnop", 5),
            ("bfd_priority", 5),
            ("bfd_priority 19", 0),
            ("bfd_priority 20", 5),
            ("bfd_no_swap", 0),
            ("bfd_rt_priority 0", 5),
            ("bfd_rlimit_rttime", 2),
            ("bfd_rlimit_rtime 10", 0),
            ("bfd_cpu_affinity 0", 0),
            ("bfd_cpu_affinity 0x", 5),
        ],
        |body| format!("global_defs {{\n{body}\n}}\n"),
    );
}
