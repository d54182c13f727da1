use proptest::prelude::*;

use super::*;

/// What is sent to a server that says all this, in pieces of this length, and what comes of it.
fn talk(said: &[u8], piece: usize) -> (String, Next) {
    let mut smtp = Smtp::new("me.example");
    let mut sent = String::new();
    for piece in said.chunks(piece.max(1)) {
        let next = smtp.receive(piece);
        sent += std::str::from_utf8(smtp.output()).unwrap();
        smtp.sent();
        if next.is_some() {
            return (sent, next);
        }
    }
    (sent, None)
}

fn result(said: &str) -> Next {
    talk(said.as_bytes(), 1).1
}

#[test]
fn a_server_that_answers_well_is_well() {
    let said = b"220 mail.example ESMTP\r\n250 mail.example\r\n221 bye\r\n";
    let expected = ("HELO me.example\r\nQUIT\r\n".to_owned(), Some(Ok(())));
    assert_eq!(talk(said, 1), expected);
    assert_eq!(result("220 \n250 \nwhatever\n"), Some(Ok(())));
    assert_eq!(result("220\n250\n\n"), Some(Ok(())));
    assert_eq!(result("220 a\r\n250 a\r\n"), None, "the answer to QUIT is waited for");
}

#[test]
fn a_code_is_three_digits_and_a_blank() {
    let greeting = Some(Err(Fault::Answer(Answer::Greeting)));
    for bad in ["220-first\r\n", "220\r\n", "221 a\r\n", "22 a\r\n", "2200 a\r\n", " 220 a\n", "\n"]
    {
        assert_eq!(result(bad), greeting, "{bad:?}");
    }
    assert_eq!(result("220 a\r\n250-a\r\n"), Some(Err(Fault::Answer(Answer::Hello))));
    assert_eq!(result("220 a\r\n550 a\r\n"), Some(Err(Fault::Answer(Answer::Hello))));
}

#[test]
fn a_line_without_end_fails() {
    let long = "220 ".to_owned() + &"x".repeat(507) + "\n";
    assert_eq!(result(&long), None);
    assert_eq!(result(&("220 ".to_owned() + &"x".repeat(508) + "\n")), Some(Err(Fault::Receive)));
}

proptest! {
    #[test]
    fn the_cut_does_not_matter(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "220 a\r\n", "220\n", "220-a\r\n", "250 b\n", "250-b\r\n", "221 c\r\n", "x", "\n",
            ]),
            0..6,
        ),
        junk in prop::collection::vec(any::<u8>(), 0..30),
        piece in 1usize..40,
    ) {
        let said = [lines.concat().as_bytes(), &junk].concat();
        prop_assert_eq!(talk(&said, piece).1, talk(&said, 10_000).1);
    }
}
