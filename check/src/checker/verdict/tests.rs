use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::settings::{
    DnsSettings, HttpProtocol, HttpSettings, Origin, RegexSettings, TrackFile, UdpSettings, Url,
};
use crate::testing;

fn http(urls: usize, fast_recovery: bool, tls: bool) -> Kind {
    let url = Url {
        path: "/".into(),
        host: None,
        sni: None,
        status: vec![(200, 299)],
        digest: None,
        regex: None,
        tls_compliant: false,
    };
    Kind::Http(Rc::new(HttpSettings {
        tls,
        protocol: HttpProtocol::Http10,
        host: None,
        sni: false,
        sni_name: None,
        fast_recovery,
        urls: vec![url; urls],
    }))
}

fn udp() -> Kind {
    let (payload, reply) = (None, None);
    let (require_reply, min_length, max_length) = (false, 0, 255);
    Kind::Udp(Box::new(UdpSettings { payload, require_reply, reply, min_length, max_length }))
}

fn dns() -> Kind {
    Kind::Dns(DnsSettings { kind: 6, name: "".into() })
}

fn smtp() -> Kind {
    Kind::Smtp("h".into())
}

fn misc(dynamic: bool) -> Kind {
    testing::misc("x", dynamic)
}

fn file(weight: i32, reverse: bool) -> Kind {
    let (name, path) = ("F".into(), "/f".into());
    let track = TrackFile { name, path, weight: 1, reverse: false, init: None };
    Kind::File(FileSettings { file: Rc::new(track), weight, reverse })
}

/// A checker, with the delays in whole seconds: 10 s from check to check, 2 s before a retry.
struct Case {
    settings: CheckerSettings,
    verdict: Verdict,
}

impl Case {
    fn new(kind: Kind, retry: u32) -> Case {
        let mut settings = testing::settings(kind);
        settings.schedule.retry = retry;
        settings.schedule.delay_loop = Duration::from_secs(10);
        settings.schedule.delay_before_retry = Duration::from_secs(2);
        Case { verdict: Verdict::new(&settings), settings }
    }

    fn alpha(mut self) -> Case {
        self.settings.schedule.alpha = true;
        self.verdict = Verdict::new(&self.settings);
        self
    }

    fn log_all(mut self) -> Case {
        self.settings.schedule.log_all_failures = true;
        self
    }

    fn subject(&self) -> Subject<'_> {
        Subject { settings: &self.settings, server: "R", service: "X", weight: 10 }
    }

    fn judge(&mut self, outcome: Outcome) -> Judgement {
        let of = Subject { settings: &self.settings, server: "R", service: "X", weight: 10 };
        self.verdict.ended(of, outcome)
    }

    /// As if the kernel took every change.
    fn take(&mut self, outcome: Outcome) -> Judgement {
        let judgement = self.judge(outcome);
        if let Some(contribution) = judgement.contribution {
            self.verdict.contribution = contribution;
        }
        if let Some(definitive) = &judgement.definitive {
            self.verdict.settle(definitive.up);
        }
        judgement
    }

    /// A checker that is up and has run.
    fn up(mut self) -> Case {
        self.take(good(&self.settings.kind));
        assert_eq!((self.verdict.up, self.verdict.has_run), (true, true));
        self
    }
}

fn good(kind: &Kind) -> Outcome {
    match kind {
        Kind::Misc(_) => exited(0),
        Kind::File(_) => Outcome::Number(0),
        _ => Outcome::Success,
    }
}

fn bad(kind: &Kind) -> Outcome {
    match kind {
        Kind::Misc(_) => exited(1),
        Kind::File(_) => Outcome::Number(1),
        _ => Outcome::Failure("WHY".into()),
    }
}

fn exited(code: i32) -> Outcome {
    Outcome::Exited { exit: Exit::Code(code), timed_out: false }
}

fn after(seconds: u64) -> Next {
    Next::AfterEnd(Duration::from_secs(seconds))
}

fn lines(judgement: &Judgement) -> Vec<&str> {
    judgement.lines.iter().flatten().map(|line| &**line).collect()
}

fn definitive(judgement: &Judgement) -> Option<(bool, bool)> {
    judgement.definitive.as_ref().map(|definitive| (definitive.up, definitive.news))
}

fn mail(judgement: &Judgement) -> Option<&str> {
    judgement.definitive.as_ref()?.mail.as_deref()
}

/// Spec §3.2, column by column: (definitive, seconds until the next attempt) for failure after
/// failure of a checker with two retries.
#[test]
fn retries_of_every_kind() {
    type Row = (Kind, [(bool, u64); 4], [(bool, u64); 4]);
    let first: [(bool, u64); 4] = [(true, 10); 4];
    let later = [(false, 2), (false, 2), (true, 10), (true, 10)];
    let cycle = [(false, 2), (false, 2), (true, 10), (false, 2)];
    let rows: [Row; 7] = [
        (Kind::Tcp, first, later),
        (udp(), first, later),
        (Kind::Ping, first, later),
        (dns(), first, later),
        (http(1, false, false), first, later),
        (misc(false), first, later),
        (smtp(), cycle, cycle),
    ];
    for (kind, before_first_result, while_up) in rows {
        let name = kind.keyword();
        let planned = matches!(kind, Kind::Misc(_));
        for (mut case, expected) in [
            (Case::new(kind.clone(), 2), before_first_result),
            (Case::new(kind.clone(), 2).up(), while_up),
        ] {
            for (n, (settles, seconds)) in expected.into_iter().enumerate() {
                let judgement = case.take(bad(&kind));
                assert_eq!(judgement.definitive.is_some(), settles, "{name}, failure {n}");
                let delay = Duration::from_secs(seconds);
                let next = if planned { Next::AfterStart(delay) } else { Next::AfterEnd(delay) };
                assert_eq!(judgement.next, next, "{name}, failure {n}");
            }
            assert!(!case.verdict.up);
            let judgement = case.take(good(&kind));
            assert_eq!(definitive(&judgement), Some((true, true)), "{name}");
        }
    }
}

#[test]
fn a_web_server_that_is_down_is_asked_at_the_slower_of_two_rates() {
    let mut case = Case::new(http(1, false, false), 1).up();
    case.settings.schedule.delay_before_retry = Duration::from_secs(30);
    let delays: Vec<Next> = (0..3).map(|_| case.take(Outcome::Failure("x".into())).next).collect();
    assert_eq!(delays, [after(30), after(30), after(30)]);
    assert_eq!(case.take(Outcome::Success).next, after(10));
    assert_eq!(case.take(Outcome::Success).next, after(10));
}

/// Spec §2: what the real server hears, for a checker that (is up, has run) and a result.
#[test]
fn definitive_results() {
    let rows = [
        (Kind::Tcp, false, false, true, (true, true)),
        (Kind::Tcp, false, true, true, (true, false)),
        (Kind::Tcp, false, false, false, (false, true)),
        (Kind::Tcp, true, false, true, (true, true)),
        (Kind::Tcp, true, false, false, (false, true)),
        (Kind::Tcp, true, true, false, (false, false)),
        (http(1, false, false), true, false, false, (false, false)),
        (http(1, false, true), true, false, false, (false, false)),
        (http(1, false, false), false, false, false, (false, true)),
        (http(1, false, false), true, false, true, (true, true)),
    ];
    for (n, (kind, alpha, ran, result, expected)) in rows.into_iter().enumerate() {
        let outcome = |up| if up { good(&kind) } else { bad(&kind) };
        let mut case = Case::new(kind.clone(), 0);
        if alpha {
            case = case.alpha();
        }
        if ran {
            case.take(outcome(!alpha));
        }
        assert_eq!((case.verdict.up, case.verdict.has_run), (!alpha, ran), "row {n}");
        let judgement = case.take(outcome(result));
        assert_eq!(definitive(&judgement), Some(expected), "row {n}");
        assert_eq!((case.verdict.up, case.verdict.has_run), (result, true), "row {n}");
    }
}

#[test]
fn a_file_checker_is_never_alpha() {
    assert!(Case::new(file(0, false), 0).alpha().verdict.up);
}

#[test]
fn what_the_kernel_refused_is_tried_again_at_the_next_run() {
    for kind in [Kind::Tcp, smtp(), misc(false), http(1, false, false)] {
        let mut case = Case::new(kind.clone(), 2).up();
        case.take(bad(&kind));
        case.take(bad(&kind));
        for _ in 0..3 {
            let before = case.verdict.clone();
            let judgement = case.judge(bad(&kind));
            assert_eq!(definitive(&judgement), Some((false, true)), "{}", kind.keyword());
            let state = |verdict: &Verdict| (verdict.up, verdict.has_run, verdict.failed);
            assert_eq!(state(&case.verdict), state(&before));
        }
        case.judge(good(&kind));
        assert_eq!(case.verdict.failed, 0);
    }
}

#[test]
fn an_attempt_that_could_not_be_made_changes_nothing() {
    let mut case = Case::new(Kind::Tcp, 2).up();
    case.take(bad(&Kind::Tcp));
    let before = case.verdict.clone();
    let judgement = case.take(Outcome::NotMade("TCP socket bind failed.".into()));
    assert_eq!(lines(&judgement), ["TCP socket bind failed."]);
    assert_eq!((judgement.definitive, judgement.next), (None, after(10)));
    assert_eq!(case.verdict, before);
}

#[test]
fn urls_one_after_the_other() {
    let failure = || Outcome::Failure("x".into());
    for (fast, pause) in [(false, 10), (true, 0)] {
        let mut case = Case::new(http(3, fast, false), 1);
        // It has not yet run.
        assert_eq!(case.take(Outcome::NextUrl).next, after(pause));
        assert_eq!((case.verdict.url, case.verdict.has_run), (1, false));
        assert_eq!(case.take(Outcome::NextUrl).next, after(pause));
        assert_eq!(definitive(&case.take(Outcome::Success)), Some((true, true)));
        assert_eq!(case.verdict.url, 0);
        // It is up.
        assert_eq!(case.take(Outcome::NextUrl).next, after(10));
        assert_eq!(case.take(failure()).next, after(2));
        assert_eq!(case.verdict.url, 1, "the same again");
        assert_eq!(definitive(&case.take(failure())), Some((false, true)));
        // It is down. The one that failed, then all, from the first.
        assert_eq!(case.take(failure()).next, after(10));
        assert_eq!(case.verdict.url, 1);
        assert_eq!(case.take(Outcome::NextUrl).next, after(pause));
        assert_eq!(case.verdict.url, 0);
        assert_eq!(case.take(Outcome::NextUrl).next, after(pause));
        assert_eq!(case.take(Outcome::NextUrl).next, after(pause));
        assert!(!case.verdict.up);
        assert_eq!(definitive(&case.take(Outcome::Success)), Some((true, true)));
    }
}

#[test]
fn the_last_url_is_not_all_of_them() {
    let mut case = Case::new(http(2, false, false), 0);
    case.take(Outcome::NextUrl);
    assert_eq!(definitive(&case.take(Outcome::Failure("x".into()))), Some((false, true)));
    assert_eq!(definitive(&case.take(Outcome::Success)), None);
    assert_eq!(case.verdict.url, 0);
    case.take(Outcome::NextUrl);
    assert_eq!(definitive(&case.take(Outcome::Success)), Some((true, true)));
    // A retry that is good ends the row of failures.
    let mut case = Case::new(http(2, false, false), 1).up();
    for _ in 0..3 {
        case.take(Outcome::NextUrl);
        assert_eq!(definitive(&case.take(Outcome::Failure("x".into()))), None);
        assert_eq!(definitive(&case.take(Outcome::Success)), None);
        assert_eq!((case.verdict.url, case.verdict.failed), (0, 0));
    }
}

/// Lines and mails: at the first success, at the second, at each of three failures (one retry), at
/// the next success.
#[test]
fn words() {
    type Row = (Kind, &'static str, [&'static str; 3], &'static str, &'static str);
    let rows: [Row; 9] = [
        (
            Kind::Tcp,
            "TCP connection to R success.",
            ["", "TCP_CHECK on service R failed after 1 retries.", ""],
            "TCP CHECK succeed on service",
            "TCP CHECK failed on service",
        ),
        (
            udp(),
            "UDP connection to R success.",
            ["", "UDP_CHECK on service R failed after 1 retries.", ""],
            "UDP CHECK succeed on service",
            "UDP CHECK failed on service",
        ),
        (
            Kind::Ping,
            "ICMP connection to R success.",
            ["", "ICMP CHECK on service R of X failed after 1 retries.", ""],
            "ICMP CHECK succeed on service",
            "ICMP CHECK failed on service",
        ),
        (
            http(1, false, false),
            "Remote Web server R succeed on service.",
            ["", "HTTP_CHECK on service R failed after 1 retries.", ""],
            "CHECK succeed on service",
            "CHECK failed on service : HTTP/SSL request failed",
        ),
        (
            http(1, false, true),
            "Remote Web server R succeed on service.",
            ["", "SSL_CHECK on service R failed after 1 retries.", ""],
            "CHECK succeed on service",
            "CHECK failed on service : HTTP/SSL request failed",
        ),
        (
            smtp(),
            "Remote SMTP server R succeed on service.",
            ["", "SMTP_CHECK WHY", ""],
            "CHECK succeed on service",
            "CHECK failed on service : WHY",
        ),
        (
            dns(),
            "",
            ["", "WHY after 1 retries", ""],
            "DNS_CHECK: succeed on service",
            "DNS_CHECK: failed on service",
        ),
        (
            misc(false),
            "Misc check for [R VS X] by [/bin/sh] succeeded.",
            [
                "",
                "Misc check for [R VS X] by [/bin/sh] failed after 1 retry (exited with status 1).",
                "",
            ],
            "MISC CHECK succeeded on service",
            "MISC CHECK failed on service",
        ),
        (
            Kind::Bfd("B".into()),
            "BFD check of [B] RS(R) is UP",
            ["BFD check of [B] RS(R) is DOWN", "", ""],
            "BFD CHECK B succeeded on service",
            "BFD CHECK B failed on service",
        ),
    ];
    for (kind, up, failures, good_mail, bad_mail) in rows {
        let name = kind.keyword();
        let said = |text: &'static str| if text.is_empty() { vec![] } else { vec![text] };
        let mut case = Case::new(kind.clone(), 1);
        let first = case.take(good(&kind));
        assert_eq!(lines(&first), said(up), "{name}");
        let mails_at_first = name == "MISC_CHECK";
        assert_eq!(mail(&first), mails_at_first.then_some(good_mail), "{name}");
        let second = case.take(good(&kind));
        assert_eq!((lines(&second), mail(&second)), (vec![], None), "{name}");
        let mut mails = Vec::new();
        for expected in failures {
            let judgement = case.take(bad(&kind));
            assert_eq!(lines(&judgement), said(expected), "{name}");
            mails.extend(mail(&judgement).map(str::to_owned));
        }
        assert_eq!(mails, [bad_mail], "{name}");
        let again = case.take(good(&kind));
        assert_eq!((lines(&again), mail(&again)), (said(up), Some(good_mail)), "{name}");
    }
}

#[test]
fn a_first_failure_has_no_retries_to_tell_of() {
    let rows = [
        (Kind::Tcp, "TCP_CHECK on service R failed."),
        (udp(), "UDP_CHECK on service R failed."),
        (Kind::Ping, "ICMP CHECK on service R failed."),
        (dns(), "WHY"),
        (http(1, false, false), "HTTP_CHECK on service R failed after 3 retries."),
        (
            misc(false),
            "Misc check for [R VS X] by [/bin/sh] failed after 3 retries (exited with status 1).",
        ),
    ];
    for (kind, line) in rows {
        let judgement = Case::new(kind.clone(), 3).take(bad(&kind));
        assert_eq!(lines(&judgement), [line]);
    }
    let mut alpha = Case::new(http(1, false, false), 3).alpha();
    assert_eq!(lines(&alpha.take(Outcome::Failure("x".into()))), [""; 0]);
}

#[test]
fn all_failures_are_logged_on_request() {
    let rows: [(Kind, [&[&str]; 3]); 5] = [
        (Kind::Tcp, [&["WHY"], &["WHY", "TCP_CHECK on service R failed after 1 retries."], &[]]),
        (
            http(1, false, false),
            [&["WHY"], &["WHY", "HTTP_CHECK on service R failed after 1 retries."], &[]],
        ),
        (smtp(), [&["SMTP_CHECK WHY"], &["SMTP_CHECK WHY"], &[]]),
        (dns(), [&["WHY"], &["WHY after 1 retries"], &[]]),
        (udp(), [&["WHY"], &["WHY", "UDP_CHECK on service R failed after 1 retries."], &[]]),
    ];
    for (kind, expected) in rows {
        let mut case = Case::new(kind.clone(), 1).log_all().up();
        for expected in expected {
            assert_eq!(lines(&case.take(bad(&kind))), expected, "{}", kind.keyword());
        }
    }
}

#[test]
fn words_about_scripts() {
    let killed = || Outcome::Exited { exit: Exit::Signal(9), timed_out: true };
    let mut case = Case::new(misc(false), 0).up();
    let judgement = case.take(killed());
    let check = "Misc check for [R VS X] by [/bin/sh]";
    let line = format!("{check} timed out with retry disabled.");
    assert_eq!(lines(&judgement), [line]);
    assert_eq!(mail(&judgement), Some("MISC CHECK timed out on service"));

    let mut case = Case::new(misc(false), 3).up();
    case.take(exited(7));
    assert_eq!(lines(&case.take(exited(7))), [""; 0], "in between");
    let mut case = Case::new(misc(false), 3).up().log_all();
    let line = format!("{check} failed, will do 3 retries (exited with status 7).");
    assert_eq!(lines(&case.take(exited(7))), [line]);
    case.take(exited(7));
    let line = format!("{check} failed on retry 2/3 (exited with status 7).");
    assert_eq!(lines(&case.take(exited(7))), [line]);
    let line = format!("{check} failed after 3 retries (exited with status 7).");
    assert_eq!(lines(&case.take(exited(7))), [line]);
}

#[test]
fn exit_statuses_of_scripts() {
    let by_signal = Outcome::Exited { exit: Exit::Signal(15), timed_out: false };
    let late = Outcome::Exited { exit: Exit::Code(0), timed_out: true };
    let rows = [
        (exited(0), true, Some(0)),
        (exited(1), false, None),
        (exited(2), false, Some(-10)),
        (exited(12), false, Some(0)),
        (exited(255), false, Some(243)),
        (by_signal, false, None),
        (late, false, None),
        (Outcome::Failure("".into()), false, None),
    ];
    for (outcome, good, dynamic) in rows {
        let plain = Case::new(misc(false), 0).take(outcome.clone());
        assert_eq!(definitive(&plain), Some((good, true)), "{outcome:?}");
        assert_eq!(plain.contribution, None);
        let judgement = Case::new(misc(true), 0).take(outcome.clone());
        assert_eq!(definitive(&judgement), Some((dynamic.is_some(), true)), "{outcome:?}");
        assert_eq!(judgement.contribution, dynamic.filter(|&add| add != 0), "{outcome:?}");
    }
}

/// The original forgets the weight when a script times out, and adds to it the next time.
#[test]
fn the_weight_does_not_drift_with_time_outs() {
    let ways = [
        Outcome::Exited { exit: Exit::Signal(15), timed_out: true },
        Outcome::Exited { exit: Exit::Code(5), timed_out: true },
        Outcome::Exited { exit: Exit::Signal(9), timed_out: false },
        Outcome::Failure("".into()),
        exited(1),
    ];
    for way in ways {
        let mut case = Case::new(misc(true), 1).up();
        for _ in 0..3 {
            assert_eq!(case.take(exited(25)).contribution, Some(13));
            assert_eq!(case.take(exited(25)).contribution, None, "it stays");
            assert_eq!(case.take(way.clone()).contribution, None, "not yet");
            assert_eq!(case.take(way.clone()).contribution, Some(0), "{way:?}");
            assert_eq!(case.take(way.clone()).contribution, None, "gone already");
        }
    }
}

#[test]
fn numbers_in_files() {
    let rows: [(i32, bool, i64, bool, i64); 11] = [
        (0, false, 0, true, 0),
        (0, false, -3, false, 0),
        (0, true, 0, false, 0),
        (0, true, 5, true, 0),
        (2, false, 21, true, 42),
        (2, true, 21, true, -42),
        (-1, false, 5, true, -5),
        (1, false, 2_147_483_648, true, 2_147_483_647),
        (1, false, -2_147_483_647, true, -2_147_483_647),
        (1, false, -2_147_483_648, false, 0),
        (i32::MAX, true, i64::MAX, false, 0),
    ];
    for (weight, reverse, number, up, adds) in rows {
        let mut case = Case::new(file(weight, reverse), 5);
        let judgement = case.take(Outcome::Number(number));
        let row = format!("{number} x {weight}, reverse {reverse}");
        assert_eq!(definitive(&judgement), Some((up, true)), "{row}");
        assert_eq!(judgement.contribution.unwrap_or(0), adds, "{row}");
        assert_eq!((judgement.next, mail(&judgement)), (Next::Never, None), "{row}");
        let fault = ["(R): tracked file F now FAULT state"];
        assert_eq!(lines(&judgement), if up { &[][..] } else { &fault }, "{row}");
    }
    let mut case = Case::new(file(0, false), 0);
    case.take(Outcome::Number(1));
    let leaving = ["(R): tracked file F leaving FAULT state"];
    assert_eq!(lines(&case.take(Outcome::Number(0))), leaving);
}

#[test]
fn which_checkers_pair() {
    let base = |kind| {
        let connection = Some(testing::connection(([10, 0, 0, 1], 80).into()));
        CheckerSettings { connection, ..testing::settings(kind) }
    };
    let regex = |stack| RegexSettings {
        pattern: "x".into(),
        options: vec![],
        no_match: false,
        min_offset: 0,
        max_offset: None,
        stack,
    };
    let web = |change: &dyn Fn(&mut HttpSettings)| {
        let Kind::Http(mut http) = http(2, false, false) else { unreachable!() };
        change(Rc::make_mut(&mut http));
        base(Kind::Http(http))
    };
    let tcp = |change: &dyn Fn(&mut CheckerSettings)| {
        let mut settings = base(Kind::Tcp);
        change(&mut settings);
        settings
    };
    fn connect(settings: &mut CheckerSettings) -> &mut crate::settings::Connection {
        settings.connection.as_mut().unwrap()
    }
    fn from(settings: &mut CheckerSettings, origin: Origin) {
        connect(settings).origin = origin.given();
    }
    let origin = Origin::default;
    let rows = [
        (tcp(&|_| ()), tcp(&|s| s.schedule.retry = 7), true),
        (tcp(&|_| ()), tcp(&|s| connect(s).timeout = Duration::from_secs(9)), true),
        (tcp(&|_| ()), tcp(&|s| from(s, Origin { mark: 9, ..origin() })), false),
        (tcp(&|_| ()), tcp(&|s| connect(s).target.set_port(9)), false),
        (
            tcp(&|_| ()),
            tcp(&|s| from(s, Origin { bind: Some(([10, 0, 0, 2], 0).into()), ..origin() })),
            false,
        ),
        (
            tcp(&|_| ()),
            tcp(&|s| from(s, Origin { interface: Some("eth0".into()), ..origin() })),
            false,
        ),
        (tcp(&|_| ()), base(Kind::Ping), false),
        (base(udp()), base(udp()), true),
        (base(smtp()), base(smtp()), true),
        (base(smtp()), base(Kind::Smtp("other".into())), false),
        (base(dns()), base(dns()), true),
        (base(dns()), base(Kind::Dns(DnsSettings { kind: 1, name: "".into() })), false),
        (base(misc(false)), base(misc(false)), true),
        (base(misc(false)), base(misc(true)), false),
        (base(misc(false)), base(testing::misc("y", false)), false),
        (base(Kind::Bfd("a".into())), base(Kind::Bfd("a".into())), true),
        (base(Kind::Bfd("a".into())), base(Kind::Bfd("b".into())), false),
        (base(file(0, false)), base(file(0, false)), false),
        (web(&|_| ()), web(&|h| h.tls = true), true),
        (web(&|_| ()), web(&|h| h.fast_recovery = true), true),
        (web(&|_| ()), web(&|h| h.host = Some("h".into())), false),
        (web(&|_| ()), web(&|h| h.sni_name = Some("h".into())), false),
        (web(&|_| ()), web(&|h| drop(h.urls.pop())), false),
        (web(&|_| ()), web(&|h| h.urls[1].path = "/y".into()), false),
        (web(&|_| ()), web(&|h| h.urls[1].status.clear()), false),
        (web(&|_| ()), web(&|h| h.urls[1].digest = Some([0; 16])), false),
        (web(&|_| ()), web(&|h| h.urls[1].regex = Some(regex(None).into())), false),
        (
            web(&|h| h.urls[1].regex = Some(regex(None).into())),
            web(&|h| h.urls[1].regex = Some(regex(Some((1, 2))).into())),
            true,
        ),
    ];
    for (n, (a, b, pairs)) in rows.into_iter().enumerate() {
        assert_eq!(a.pairs_with(&b), pairs, "row {n}");
        assert_eq!(b.pairs_with(&a), pairs, "row {n}, the other way");
    }
}

#[test]
fn a_reload_keeps_the_state() {
    let mut old = Case::new(Kind::Tcp, 5).up();
    for _ in 0..4 {
        old.take(bad(&Kind::Tcp));
    }
    let mut new = Case::new(Kind::Tcp, 2).alpha();
    new.verdict.take_over(&old.verdict, Case::new(Kind::Tcp, 2).subject());
    assert_eq!((new.verdict.up, new.verdict.has_run, new.verdict.failed), (true, true, 2));
    assert_eq!(definitive(&new.take(bad(&Kind::Tcp))), Some((false, true)));

    let mut old = Case::new(http(3, false, false), 0).up();
    old.take(Outcome::NextUrl);
    let mut new = Case::new(http(3, false, false), 0);
    new.verdict.take_over(&old.verdict, old.subject());
    assert_eq!(new.verdict.url, 1, "an attempt that is going on asked for this one");

    let mut old = Case::new(misc(true), 0).up();
    old.take(exited(25));
    let mut new = Case::new(misc(true), 0);
    let of = Subject { weight: 20, ..old.subject() };
    new.verdict.take_over(&old.verdict, of);
    assert_eq!(new.verdict.contribution, 3, "the weight is 23, as before");
}

/// All that has happened to a checker, judged from the whole of it.
struct Model {
    needs_all: bool,
    retry: usize,
    up: bool,
    has_run: bool,
    history: Vec<bool>,
}

impl Model {
    /// The definitive result, if `good` makes one.
    fn next(&mut self, good: bool) -> Option<bool> {
        self.history.push(good);
        let failures = self.history.iter().rev().take_while(|good| !**good).count();
        let patient = self.needs_all || (self.up && self.has_run);
        if !good && patient && failures <= self.retry {
            return None;
        }
        self.history.clear();
        (self.up, self.has_run) = (good, true);
        Some(good)
    }
}

proptest! {
    #[test]
    fn a_verdict_is_that_of_the_model(
        which in 0usize..7,
        retry in 0u32..4,
        alpha: bool,
        outcomes in prop::collection::vec((prop::bool::weighted(0.3), any::<bool>()), 0..60),
    ) {
        let kinds = [
            Kind::Tcp, udp(), Kind::Ping, dns(), http(1, false, false), misc(false), smtp(),
        ];
        let kind = kinds[which].clone();
        let mut case = Case::new(kind.clone(), retry);
        if alpha {
            case = case.alpha();
        }
        let needs_all = which == 6;
        let (up, history) = (!alpha, Vec::new());
        let mut model = Model { needs_all, retry: retry as usize, up, has_run: false, history };
        for (is_good, impossible) in outcomes {
            if impossible {
                case.take(Outcome::NotMade("".into()));
            }
            let known = (model.up, model.has_run);
            let judgement = case.take(if is_good { good(&kind) } else { bad(&kind) });
            let expected = model.next(is_good);
            prop_assert_eq!(judgement.definitive.as_ref().map(|d| d.up), expected);
            prop_assert_eq!((case.verdict.up, case.verdict.has_run), (model.up, model.has_run));
            prop_assert!(case.verdict.failed <= retry);
            let news = expected.is_some_and(|up| (up, true) != known) && !(which == 4 && !known.0 && !is_good);
            prop_assert_eq!(judgement.definitive.is_some_and(|d| d.news), news);
            let delay = match judgement.next {
                Next::AfterEnd(delay) if which != 5 => delay,
                Next::AfterStart(delay) if which == 5 => delay,
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(delay.as_secs(), if expected.is_some() { 10 } else { 2 });
        }
    }

    #[test]
    fn a_weight_is_never_more_than_the_last_success_made_it(
        retry in 0u32..3,
        statuses in prop::collection::vec((0i32..=255, any::<bool>()), 0..40),
    ) {
        let mut case = Case::new(misc(true), retry);
        let mut last = 0;
        for (status, timed_out) in statuses {
            let outcome = Outcome::Exited { exit: Exit::Code(status), timed_out };
            let judgement = case.take(outcome);
            match judgement.definitive.map(|definitive| definitive.up) {
                Some(true) => last = if status == 0 { 0 } else { i64::from(status) - 12 },
                Some(false) => last = 0,
                None => {}
            }
            prop_assert_eq!(case.verdict.contribution, last);
        }
    }
}
