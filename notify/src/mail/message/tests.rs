use proptest::prelude::*;

use super::*;

fn wire(from: &str, to: &[&str], subject: &str, body: &str) -> String {
    let to: Vec<String> = to.iter().map(|&a| a.to_owned()).collect();
    let date = "Tue, 24 Nov 2026 16:51:59 +0000";
    String::from_utf8(Message { date, from, to: &to, subject, body }.wire()).unwrap()
}

#[test]
fn a_mail_looks_as_the_c_daemons() {
    let subject =
        "[R1] Realserver [10.0.0.1]:tcp:8080 of virtual server [192.0.2.200]:tcp:8080 - DOWN";
    let body = "=> TCP CHECK failed on service <=\n";
    assert_eq!(
        wire("ka@example.org", &["a@x", "Bee <b@x>"], subject, body),
        format!(
            "Date: Tue, 24 Nov 2026 16:51:59 +0000\r\nFrom: ka@example.org\r\nSubject: {subject}\r\n\
             X-Mailer: Keepalived\r\nTo: a@x,\r\n Bee <b@x>\r\n\r\n=> TCP CHECK failed on service <=\
             \r\n\r\n.\r\n"
        )
    );
}

#[test]
fn lines_that_begin_with_a_dot_keep_it() {
    let text = wire("a@x", &["b@x"], "s", ".\n..two\nx.\n");
    assert!(text.ends_with("\r\n\r\n..\r\n...two\r\nx.\r\n\r\n.\r\n"), "{text}");
}

#[test]
fn names_cannot_add_lines() {
    let name = "N\r\nBcc: evil@x\r\n\r\n.\r\nMAIL";
    let text = wire(&format!("{name} <a@x>"), &[name, "b@x"], name, "b");
    for line in text.lines() {
        assert!(!line.starts_with("Bcc") && !line.starts_with("MAIL"), "{text}");
    }
    assert_eq!(text.lines().filter(|line| *line == ".").count(), 1);
    assert_eq!(envelope("<a@x>\r\nDATA"), "<a@x>DATA");
}

#[test]
fn display_names_are_quoted_when_they_must_be() {
    for (given, shown, bare) in [
        ("a@x", "a@x", "a@x"),
        ("<a@x>", "<a@x>", "a@x"),
        ("Bee <b@x>", "Bee <b@x>", "b@x"),
        ("C. D <c@x>", "\"C. D\" <c@x>", "c@x"),
        ("\"C. D\" <c@x>", "\"C. D\" <c@x>", "c@x"),
        ("O\"x\\y <c@x>", "\"O\\\"x\\\\y\" <c@x>", "c@x"),
        ("odd>", "odd>", "odd>"),
        ("root", "root", "root"),
    ] {
        assert_eq!(displayed(given), shown);
        assert_eq!(envelope(given), bare);
    }
}

#[test]
fn what_is_not_ascii_is_encoded() {
    let text = wire("Zoë <z@x>", &["a@x"], "Wächter - DOWN", "=> Wächter <=\n");
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("Content-Transfer-Encoding: quoted-printable\r\n"), "{text}");
    assert!(text.contains("<z@x>") && text.contains("=3D> W=C3=A4chter <=3D"), "{text}");
}

proptest! {
    #[test]
    fn every_mail_is_lines_that_servers_take(
        from in ".{0,80}",
        to in proptest::collection::vec(".{0,80}", 1..4),
        subject in "(.|\r|\n){0,1200}",
        body in "(.|\r|\n|\n\\.){0,1200}",
    ) {
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let text = wire(&from, &to, &subject, &body);
        let inside = text.strip_suffix("\r\n.\r\n").unwrap();
        for line in inside.split("\r\n") {
            prop_assert!(line.len() <= 998 && line.is_ascii(), "{:?}", line);
            prop_assert!(!line.contains(['\r', '\n']), "{:?}", line);
            prop_assert!(line != ".", "{:?}", text);
        }
        let headers = inside.split("\r\n\r\n").next().unwrap();
        let names: Vec<&str> = headers
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        prop_assert_eq!(&names[..5], ["Date", "From", "Subject", "X-Mailer", "To"]);
        prop_assert!(names.len() == 5 || names.len() == 8, "{:?}", names);
    }
}
