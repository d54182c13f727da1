use super::*;

fn alert(n: usize) -> Alert {
    Alert { subject: format!("S{n} - DOWN"), body: format!("CHECK {n} failed") }
}

const START: Time = Time::from_nanos(1_000_000_000_000);

fn second(n: u64) -> Time {
    START + Duration::from_secs(n)
}

fn push(outbox: &mut Outbox, now: Time, range: std::ops::Range<usize>) {
    for n in range {
        assert!(outbox.push(now, alert(n), "date".into()));
    }
}

/// Sends what is due until nothing is, each mail taking no time; the moments come as they are asked for.
fn send_all(outbox: &mut Outbox, mut now: Time) -> Vec<(Time, Letter)> {
    let mut sent = Vec::new();
    loop {
        match outbox.next(now, false) {
            Next::Nothing => return sent,
            Next::At(at) => {
                assert!(at > now, "time must pass");
                now = at;
            }
            Next::Send(letter) => {
                assert_eq!(outbox.next(now, false), Next::Nothing, "one at a time");
                sent.push((now, letter));
                assert_eq!(outbox.sent(now, vec![]), None);
            }
        }
    }
}

#[test]
fn a_single_alert_goes_at_once_and_as_it_is() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..1);
    let sent = send_all(&mut outbox, START);
    let (at, letter) = &sent[0];
    assert_eq!((sent.len(), *at), (1, START));
    assert_eq!(
        (letter.subject.as_str(), letter.body.as_str()),
        ("S0 - DOWN", "=> CHECK 0 failed <=\n")
    );
    assert!(outbox.is_idle());
}

#[test]
fn few_alerts_are_mails_of_their_own() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..FEW);
    let subjects: Vec<String> =
        send_all(&mut outbox, START).into_iter().map(|(_, letter)| letter.subject).collect();
    assert_eq!(subjects, ["S0 - DOWN", "S1 - DOWN", "S2 - DOWN"]);
}

#[test]
fn a_thousand_servers_that_go_down_are_few_mails_that_name_each() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..1000);
    let sent = send_all(&mut outbox, START);
    assert_eq!(sent.len(), 1);
    let (at, letter) = &sent[0];
    assert_eq!((*at, letter.subject.as_str()), (second(1), "1000 state changes"));
    for n in 0..1000 {
        let wanted = format!("date\nS{n} - DOWN\n=> CHECK {n} failed <=\n");
        assert!(letter.body.contains(&wanted), "{n}");
    }
}

#[test]
fn changes_that_go_on_do_not_become_a_mail_each() {
    let mut outbox = Outbox::default();
    let (mut mails, mut alerts) = (0, 0);
    // One every tenth of a second, for a minute.
    for n in 0..600 {
        let now = START + Duration::from_millis(n * 100);
        outbox.push(now, alert(n as usize), String::new());
        if let Next::Send(letter) = outbox.next(now, false) {
            mails += 1;
            alerts += letter.alerts;
            outbox.sent(now, vec![]);
        }
    }
    for (_, letter) in send_all(&mut outbox, second(60)) {
        mails += 1;
        alerts += letter.alerts;
    }
    assert_eq!(alerts, 600);
    assert!(mails <= 8 * 7, "{mails} mails");
}

#[test]
fn what_has_no_room_is_counted_in_the_next_mail() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..MAX_WAITING);
    assert!(!outbox.push(START, alert(0), String::new()));
    let sent = send_all(&mut outbox, START);
    assert!(sent[0].1.body.ends_with("and 1 more that there was no room for\n"));
    assert_eq!(sent.iter().map(|(_, letter)| letter.alerts).sum::<u64>(), MAX_WAITING as u64);
    assert_eq!(sent.len(), 5);
}

#[test]
fn a_mail_is_tried_again_ever_more_rarely_and_not_for_ever() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..1);
    let (mut now, mut pauses) = (START, Vec::new());
    let given_up = loop {
        match outbox.next(now, false) {
            Next::At(at) => {
                pauses.push(at.since(now).as_secs());
                now = at;
            }
            Next::Send(_) => {
                if let Some(letter) = outbox.failed(now, false) {
                    break letter;
                }
            }
            Next::Nothing => panic!("forgotten"),
        }
    };
    assert_eq!(given_up.subject, "S0 - DOWN");
    assert_eq!(pauses[..8], [5, 10, 20, 40, 80, 160, 300, 300]);
    assert!(now.since(START) <= MAX_AGE && now.since(START) > MAX_AGE / 2);
    assert!(outbox.is_idle());
}

#[test]
fn what_comes_while_the_server_is_away_is_one_mail() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..1);
    assert!(matches!(outbox.next(START, false), Next::Send(_)));
    assert_eq!(outbox.failed(START, false), None);
    push(&mut outbox, second(2), 1..51);
    let sent = send_all(&mut outbox, second(2));
    let subjects: Vec<&str> = sent.iter().map(|(_, letter)| letter.subject.as_str()).collect();
    assert_eq!(subjects, ["S0 - DOWN", "50 state changes"]);
}

#[test]
fn a_refusal_for_good_is_not_repeated() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..2);
    assert!(matches!(outbox.next(START, false), Next::Send(_)));
    assert_eq!(outbox.failed(START, true).unwrap().subject, "S0 - DOWN");
    let Next::Send(letter) = outbox.next(START, false) else { panic!("the next one must go") };
    assert_eq!(letter.subject, "S1 - DOWN");
}

#[test]
fn who_was_refused_for_now_gets_it_later_and_nobody_twice() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..1);
    assert!(matches!(outbox.next(START, false), Next::Send(Letter { to: None, .. })));
    assert_eq!(outbox.sent(START, vec!["b@x".into()]), None);
    let Next::Send(letter) = outbox.next(second(5), false) else { panic!("must be tried again") };
    assert_eq!(letter.to, Some(vec!["b@x".to_owned()]));
}

#[test]
fn in_a_hurry_nothing_is_gathered() {
    let mut outbox = Outbox::default();
    push(&mut outbox, START, 0..50);
    assert!(matches!(outbox.next(START, false), Next::At(_)));
    let Next::Send(letter) = outbox.next(START, true) else { panic!("must go at once") };
    assert_eq!(letter.subject, "50 state changes");
}
