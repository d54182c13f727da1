use proptest::prelude::*;

use super::*;

fn plan(to: &[&str]) -> Plan {
    Plan {
        helo: "director".into(),
        from: "ka@example.org".into(),
        to: to.iter().map(|&a| a.to_owned()).collect(),
        message: b"Subject: s\r\n\r\nb\r\n.\r\n".to_vec(),
        encryption: None,
        credentials: None,
    }
}

/// Everything said and how it ended, when the server answers with these texts, one after the other,
/// whatever is said to it.
fn run(plan: Plan, answers: &[&str]) -> (String, Option<Outcome>) {
    let mut dialogue = Dialogue::new(plan);
    let mut said = String::new();
    for answer in answers {
        let step = dialogue.received(answer.as_bytes());
        said.push_str(std::str::from_utf8(dialogue.output()).unwrap());
        dialogue.sent(dialogue.output().len());
        match step {
            Step::Receive => {}
            Step::Close => break,
            Step::Secure => {
                said.push_str("<TLS>\n");
                dialogue.secured();
                said.push_str(std::str::from_utf8(dialogue.output()).unwrap());
                dialogue.sent(dialogue.output().len());
            }
        }
    }
    (said.replace("\r\n", "\n"), dialogue.outcome().cloned())
}

const GOOD: [&str; 7] = [
    "220 mail ESMTP\r\n",
    "250 hello\r\n",
    "250 ok\r\n",
    "250 ok\r\n",
    "354 go\r\n",
    "250 queued\r\n",
    "221 bye\r\n",
];

#[test]
fn a_mail_is_handed_over_in_the_words_of_the_c_daemon() {
    let (said, outcome) = run(plan(&["a@example.org"]), &GOOD);
    assert_eq!(
        said,
        "HELO director\nMAIL FROM:<ka@example.org>\nRCPT TO:<a@example.org>\nDATA\nSubject: s\n\nb\n\
         .\nQUIT\n"
    );
    assert_eq!(outcome, Some(Outcome::Sent(vec![])));
}

#[test]
fn each_command_has_its_expected_code_and_its_name_in_the_log() {
    for (place, name) in ["(E)SMTP", "HELO", "MAIL", "RCPT", "DATA", "BODY"].iter().enumerate() {
        for code in [221, 252, 334, 421, 451, 550, 554] {
            let answer = format!("{code} no\r\n");
            let mut answers = GOOD;
            answers[place] = &answer;
            let (_, outcome) = run(plan(&["a@example.org"]), &answers);
            let failure = Failure::Code(name, code);
            assert_eq!(outcome, Some(Outcome::Failed(failure)), "{name} {code}");
            assert_eq!(failure.is_final(), code >= 500);
        }
    }
}

#[test]
fn a_refused_recipient_took_the_mail_from_the_others() {
    let answers = [
        "220 x\n",
        "250\n",
        "250 ok\r\n",
        "550 who\n",
        "250 ok\n",
        "450 later\n",
        "354 go\n",
        "250 ok\n",
    ];
    let (said, outcome) = run(plan(&["a@x", "b@x", "root"]), &answers);
    assert!(said.contains("RCPT TO:<b@x>\nRCPT TO:<root>\nDATA\n"), "{said}");
    let refused = vec![Refused { recipient: 0, code: 550 }, Refused { recipient: 2, code: 450 }];
    assert_eq!(outcome, Some(Outcome::Sent(refused)));
}

#[test]
fn nobody_accepted_is_final_only_if_nobody_may_be_later() {
    let answers = ["220 x\n", "250\n", "250\n", "550 who\n", "450 later\n"];
    let (said, outcome) = run(plan(&["a@x", "b@x"]), &answers);
    assert!(said.ends_with("QUIT\n"), "{said}");
    assert_eq!(outcome, Some(Outcome::Failed(Failure::Code("RCPT", 450))));
}

#[test]
fn what_happens_after_the_mail_was_taken_changes_nothing() {
    let mut dialogue = Dialogue::new(plan(&["a@x"]));
    for answer in &GOOD[..6] {
        dialogue.received(answer.as_bytes());
    }
    assert_eq!(dialogue.closed(), Step::Close);
    assert_eq!(dialogue.outcome(), Some(&Outcome::Sent(vec![])));
}

#[cfg(feature = "tls")]
const OFFER: &str = "250-mail\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN\r\n";

fn secret(encryption: Encryption) -> Plan {
    let credentials = Some(Credentials::new("user".into(), "pass".into()));
    Plan { encryption: Some(encryption), credentials, ..plan(&["a@x"]) }
}

#[cfg(feature = "tls")]
#[test]
fn the_password_goes_under_tls() {
    let answers = ["220 x\n", OFFER, "220 go\n", OFFER, "235 ok\n"];
    let (said, outcome) = run(secret(Encryption::Required), &answers);
    assert_eq!(
        said,
        "EHLO director\nSTARTTLS\n<TLS>\nEHLO director\nAUTH PLAIN AHVzZXIAcGFzcw==\nMAIL \
         FROM:<ka@example.org>\n"
    );
    assert_eq!(outcome, None);
    let login = "250-mail\n250 AUTH LOGIN\n";
    let asked = ["220 x\n", OFFER, "220 go\n", login, "334 VXNlcm5hbWU6\n", "334 UGFzc3dvcmQ6\n"];
    let (said, _) = run(secret(Encryption::Required), &asked);
    assert!(said.ends_with("AUTH LOGIN\ndXNlcg==\ncGFzcw==\n"), "{said}");
}

#[test]
fn no_password_and_no_mail_without_the_tls_that_is_required() {
    let bare = "250-mail\n250 AUTH PLAIN\n";
    for encryption in [Encryption::Required, Encryption::Verified] {
        let (said, outcome) = run(secret(encryption), &["220 x\n", bare]);
        assert_eq!(said, "EHLO director\nQUIT\n");
        assert_eq!(outcome, Some(Outcome::Failed(Failure::NoTls)));
    }
    let (said, _) = run(secret(Encryption::Offered), &["220 x\n", bare]);
    assert_eq!(said, "EHLO director\nQUIT\n");
}

#[test]
fn offered_tls_is_not_insisted_on() {
    let offered = || Plan { encryption: Some(Encryption::Offered), ..plan(&["a@x"]) };
    let (said, _) = run(offered(), &["220 x\n", "250 mail\n"]);
    assert_eq!(said, "EHLO director\nMAIL FROM:<ka@example.org>\n");
    let (said, _) = run(offered(), &["220 x\n", "502 what\n", "250 mail\n"]);
    assert_eq!(said, "EHLO director\nHELO director\nMAIL FROM:<ka@example.org>\n");
}

#[cfg(feature = "tls")]
#[test]
fn a_reply_smuggled_in_front_of_the_handshake_was_believed() {
    let answers = ["220 x\n", OFFER, "220 go\n250 AUTH PLAIN\n"];
    let (_, outcome) = run(secret(Encryption::Required), &answers);
    assert_eq!(outcome, Some(Outcome::Failed(Failure::Injected)));
}

#[test]
fn a_line_of_blanks_in_what_a_server_offers_ended_the_daemon() {
    let offered = || Plan { encryption: Some(Encryption::Offered), ..plan(&["a@x"]) };
    for blank in [" ", "\t \t", "\u{a0}", "\r"] {
        let offer = format!("250-mail\n250-{blank}\n250 {blank}\n");
        let (said, _) = run(offered(), &["220 x\n", &offer]);
        assert_eq!(said, "EHLO director\nMAIL FROM:<ka@example.org>\n", "{blank:?}");
    }
}

/// As [`run`], with the whole stream cut at these places.
fn run_cut(stream: &[u8], cuts: &[usize]) -> (Vec<u8>, Option<Outcome>) {
    let mut dialogue = Dialogue::new(plan(&["a@x", "b@x"]));
    let mut said = Vec::new();
    let mut places: Vec<usize> = cuts.iter().map(|&c| c % (stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    for pair in places.windows(2) {
        let step = dialogue.received(&stream[pair[0]..pair[1]]);
        said.extend(dialogue.output());
        dialogue.sent(dialogue.output().len());
        if step == Step::Close {
            break;
        }
    }
    (said, dialogue.outcome().cloned())
}

fn line() -> impl Strategy<Value = String> {
    let code = prop_oneof![5 => Just(250u16), 1 => Just(220), 2 => Just(354), 1 => 200u16..600];
    let end = prop_oneof![Just("\r\n"), Just("\n")];
    let text = "[ -~]{0,12}";
    (code, prop_oneof![Just(""), Just(" "), Just("-")], text, end).prop_map(|(c, s, t, e)| {
        let t = if s.is_empty() { String::new() } else { t };
        format!("{c}{s}{t}{e}")
    })
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        lines in proptest::collection::vec(line(), 0..14),
        cuts in proptest::collection::vec(any::<usize>(), 0..20),
    ) {
        let stream = format!("220 x\r\n250 h\r\n{}", lines.concat());
        prop_assert_eq!(run_cut(stream.as_bytes(), &cuts), run_cut(stream.as_bytes(), &[]));
    }

    #[test]
    fn no_bytes_do_harm(
        bytes in proptest::collection::vec(any::<u8>(), 0..5000),
        cuts in proptest::collection::vec(any::<usize>(), 0..10),
        begun in any::<bool>(),
    ) {
        let mut stream = if begun { b"220 x\n250-h\n".to_vec() } else { Vec::new() };
        stream.extend(bytes);
        run_cut(&stream, &cuts);
    }

    #[test]
    fn memory_has_a_limit(line in "[ -~]{0,3000}", times in 100usize..300) {
        let stream = format!("220-{line}\n").repeat(times);
        let (_, outcome) = run_cut(stream.as_bytes(), &[]);
        let limit = line.len() + 4 > 2048 || times > 128;
        let wanted = limit.then_some(Outcome::Failed(Failure::Malformed(Malformed::TooLong)));
        prop_assert_eq!(outcome, wanted);
    }
}
