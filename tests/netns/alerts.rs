//! Who is told of real servers and quorums: FIFOs, scripts and mails, in order and in the words they always had.

use std::fs;

use testbed::{Answer, Host, Lan, Mail, MailServer, wait_for, web};

use crate::checking::{SERVICE, check, global, name, ready_to_check, real, script, service};

/// A `TCP_CHECK` of this port of b, at short intervals.
fn tcp(port: u16, lines: &str) -> String {
    format!(
        "TCP_CHECK {{\n      connect_port {port}\n      connect_timeout 1\n      retry 0\n      delay_loop 0.2\n      \
         {lines}\n    }}"
    )
}

/// The lines of a file of a host, once there are so many.
#[track_caller]
fn lines(host: &Host, file: &str, count: usize) -> Vec<String> {
    let path = host.file(file);
    let read = || fs::read_to_string(&path).unwrap_or_default();
    wait_for(&format!("{count} lines in {file}"), || read().lines().count() >= count);
    read().lines().map(str::to_owned).collect()
}

/// One and then the other of two real servers goes and comes back; then the director stops, with `omega`.
#[test]
fn fifos_and_scripts_are_told_in_order() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let start = |port: u16| web::Service::start_on(&b, port);
    let (first, second) = (start(81), start(82));
    let reader = script(&a, "reader", "exec cat \"$2\" > \"$1\"");
    let told = script(&a, "told", "echo \"$@\" >> \"$(dirname \"$0\")/calls-$1\"");
    let fifos: String = [("notify", "all"), ("lvs_notify", "lvs")]
        .into_iter()
        .map(|(keyword, file)| {
            let (fifo, seen) = (a.file(&format!("fifo-{file}")), a.file(file));
            let (fifo, seen) = (fifo.display(), seen.display());
            format!("{keyword}_fifo {fifo}\n  {keyword}_fifo_script \"{reader} {seen}\"\n  ")
        })
        .collect();
    let notify = |number: usize| {
        format!(
            "notify_up \"{told} R{number} up\"\n    notify_down \"{told} R{number} down\"\n    "
        )
    };
    let reals = real(0, &(notify(1) + &tcp(81, ""))) + &real(1, &(notify(2) + &tcp(82, "")));
    let quorum = format!(
        "omega\n  quorum 2\n  quorum_up \"{told} quorum up\"\n  quorum_down \"{told} quorum down\""
    );
    let daemon = check(&a, &(global(&fifos) + &service(&quorum, &reals)));
    for number in [0, 1] {
        daemon.wait_log(&format!("TCP connection to {} success.", name(number)));
    }
    drop(first);
    lines(&a, "lvs", 3);
    drop(second);
    lines(&a, "lvs", 4);
    let first = start(81);
    lines(&a, "lvs", 5);
    let second = start(82);
    lines(&a, "lvs", 7);
    daemon.stop();
    let vs = |state: &str| format!("VS {SERVICE} {state}");
    let rs = |number: usize, state: &str| format!("RS {} {SERVICE} {state}", name(number));
    let wanted = [
        vs("UP"),
        rs(0, "DOWN"),
        vs("DOWN"),
        rs(1, "DOWN"),
        rs(0, "UP"),
        rs(1, "UP"),
        vs("UP"),
        rs(0, "DOWN"),
        vs("DOWN"),
        rs(1, "DOWN"),
    ];
    for file in ["lvs", "all"] {
        let mut seen = lines(&a, file, wanted.len());
        // Which of the two stops first is nobody's concern, nor whether the quorum is told between them.
        seen[7..].sort();
        let mut wanted = wanted.clone();
        wanted[7..].sort();
        assert_eq!(seen, wanted, "{file}");
    }
    let calls = |object: &str, wanted: &[&str]| {
        let seen = lines(&a, &format!("calls-{object}"), wanted.len());
        let wanted: Vec<String> = wanted.iter().map(|state| format!("{object} {state}")).collect();
        assert_eq!(seen, wanted);
    };
    calls("R1", &["down", "up", "down"]);
    calls("R2", &["down", "up", "down"]);
    calls("quorum", &["up", "down", "up", "down"]);
    drop((first, second));
}

/// Global definitions for mails to the server in b.
fn mails(lines: &str) -> String {
    global(&format!(
        "smtp_server 10.9.0.2\n  smtp_alert_checker true\n  notification_email_from \
         ka@example.org\n  smtp_helo_name director\n  notification_email {{\n    a@example.org\n  \
         }}\n  {lines}"
    ))
}

/// Subject and body of a mail, as one line each.
fn told(mail: &Mail) -> String {
    format!("{}\n{}", mail.header("Subject"), mail.body().trim())
}

/// Waits until there are mails with these words, in whatever order, and nothing else since the last time.
#[track_caller]
fn wait_told(server: &MailServer, seen: &mut usize, wanted: &[String]) {
    let mails = server.wait_mails(*seen + wanted.len());
    let mut fresh: Vec<String> = mails[*seen..].iter().map(told).collect();
    fresh.sort();
    let mut wanted = wanted.to_vec();
    wanted.sort();
    assert_eq!(fresh, wanted);
    *seen = mails.len();
}

fn of_service(state: &str, body: &str) -> String {
    format!("[R1] Virtualserver {SERVICE} - {state}\n=> {body} <=")
}

fn of_real(number: usize, state: &str, body: &str) -> String {
    let name = name(number);
    format!("[R1] Realserver {name} of virtual server {SERVICE} - {state}\n=> {body} <=")
}

/// The exact words about the quorum, and about the real servers of every kind of checker that can fail here.
#[test]
fn mails_say_what_they_always_said() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |_, _| Answer::Usual);
    let backend = web::Service::start_on(&b, 81);
    let daemon = check(&a, &(mails("") + &service("omega", &real(0, &tcp(81, "")))));
    let mut seen = 0;
    let mut wait = |wanted: &[String]| wait_told(&server, &mut seen, wanted);
    wait(&[of_service("UP", "Gained quorum 1+0=1 <= 1")]);
    drop(backend);
    wait(&[
        of_service("DOWN", "Lost quorum 1+0=1 <= 0"),
        of_real(0, "DOWN", "TCP CHECK failed on service"),
    ]);
    let _backend = web::Service::start_on(&b, 81);
    wait(&[
        of_service("UP", "Gained quorum 1+0=1 <= 1"),
        of_real(0, "UP", "TCP CHECK succeed on service"),
    ]);
    daemon.stop();
    wait(&[of_real(0, "DOWN", "Shutting down"), of_service("DOWN", "Shutting down")]);
}

/// One mail for each kind of checker, in its own words.
#[test]
fn every_checker_has_its_words() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |_, _| Answer::Usual);
    let closed = "connect_port 9\n      connect_timeout 1\n      retry 0";
    let url = "url {\n        path /\n      }";
    let checkers = [
        (format!("UDP_CHECK {{\n {closed}\n }}"), "UDP CHECK failed on service"),
        (
            "PING_CHECK {\n connect_ip 10.9.0.33\n connect_timeout 1\n }".to_owned(),
            "ICMP CHECK failed on service",
        ),
        (
            format!("HTTP_GET {{\n {closed}\n {url}\n }}"),
            "CHECK failed on service : HTTP/SSL request failed",
        ),
        (
            format!("SMTP_CHECK {{\n {closed}\n }}"),
            "CHECK failed on service : Could not connect to server [10.9.0.2]:9",
        ),
        (format!("DNS_CHECK {{\n {closed}\n }}"), "DNS_CHECK: failed on service"),
        ("MISC_CHECK {\n misc_path /bin/false\n }".to_owned(), "MISC CHECK failed on service"),
        (
            "MISC_CHECK {\n misc_path \"/bin/sleep 60\"\n misc_timeout 1\n }".to_owned(),
            "MISC CHECK timed out on service",
        ),
        ("MISC_CHECK {\n misc_path /bin/true\n }".to_owned(), "MISC CHECK succeeded on service"),
    ];
    let reals: String =
        checkers.iter().enumerate().map(|(number, (checker, _))| real(number, checker)).collect();
    let lines = "smtp_alert false\n  delay_loop 30\n  connect_timeout 1";
    let daemon = check(&a, &(mails("") + &service(lines, &reals)));
    for (number, (_, body)) in checkers.iter().enumerate() {
        let state = if body.contains("succeeded") { "UP" } else { "DOWN" };
        wait_mentioned(&server, &of_real(number, state, body));
    }
    daemon.stop();
}

/// Waits until a change is told, in a mail of its own or with others.
#[track_caller]
fn wait_mentioned(server: &MailServer, change: &str) {
    let change = change.strip_prefix("[R1] ").unwrap_or(change);
    wait_for(&format!("a mail says {change:?}"), || {
        server.mails().iter().any(|mail| told(mail).contains(change))
    });
}

/// A real server with two checkers: each of them is told of, or with `no_checker_emails` the server alone.
#[test]
fn a_checker_that_changes_nothing_is_told_of_unless_nobody_wants_it() {
    if !ready_to_check(&[]) {
        return;
    }
    for wanted in [true, false] {
        let lan = Lan::without_capture("10.9.0");
        let (a, b) = (lan.host("a", 1), lan.host("b", 2));
        let server = MailServer::start(&b, |_, _| Answer::Usual);
        let start = |port: u16| web::Service::start_on(&b, port);
        let (first, second) = (start(81), start(82));
        let both = tcp(81, "") + "\n    " + &tcp(82, "");
        let globals = mails(if wanted { "" } else { "no_checker_emails" });
        let daemon = check(&a, &(globals + &service("smtp_alert false", &real(0, &both))));
        daemon.wait_logged(&format!("TCP connection to {} success.", name(0)), 2);
        drop(first);
        server.wait_mails(1);
        drop(second);
        daemon.wait_logged(&format!("TCP_CHECK on service {} failed.", name(0)), 2);
        let _first = start(81);
        daemon.wait_logged(&format!("TCP connection to {} success.", name(0)), 3);
        let _second = start(82);
        let changes = if wanted { 4 } else { 2 };
        server.wait_mails(changes);
        daemon.stop();
        let down = of_real(0, "DOWN", "TCP CHECK failed on service");
        let up = of_real(0, "UP", "TCP CHECK succeed on service");
        let seen: Vec<String> = server.mails().iter().map(told).collect();
        let one_by_one = [&down, &down, &up, &up];
        let news = [&down, &up];
        assert_eq!(seen.iter().collect::<Vec<_>>(), if wanted { &one_by_one[..] } else { &news });
    }
}

/// Real servers that fail together.
const STORM: usize = 300;

/// Three hundred servers that fail together are a few mails, which name each of them.
#[test]
fn a_storm_is_few_mails() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |_, _| Answer::Usual);
    let backend = web::Service::start_on(&b, 81);
    let checker = tcp(81, "").replace("delay_loop 0.2", "delay_loop 1");
    let reals: String = (0..STORM).map(|number| real(number, &checker)).collect();
    let daemon = check(&a, &(mails("") + &service("", &reals)));
    server.wait_mails(1);
    daemon.wait_logged(" success.", STORM);
    drop(backend);
    let untold = || {
        let texts: String = server.mails().iter().map(told).collect();
        let wanted = |number: &usize| format!("Realserver {} of", name(*number));
        (0..STORM).filter(|number| !texts.contains(&wanted(number))).count()
    };
    wait_for("every server is told of", || untold() == 0);
    wait_mentioned(&server, &of_service("DOWN", "Lost quorum 1+0=1 <= 0"));
    daemon.stop();
    let mails = server.mails();
    let subjects: Vec<String> = mails.iter().map(|mail| mail.header("Subject")).collect();
    assert!(mails.len() <= 8, "{subjects:?}");
}
