//! A reload asks for the difference and nothing else (spec ipvs §7.2, §7.3).

use super::{pair, real, service};
use crate::checker::attempt::{Outcome, ended};
use crate::runtime::reload;
use crate::runtime::stage::{Stage, read};

const NONE: [&str; 0] = [];
const A: &str = "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 1";
const B: &str = "-a -t 10.9.9.9:80 -r 10.0.0.2:80 -m -w 1";

/// A virtual server of all kinds that passes from one text to another: what is told, how the table
/// changes, and by how many requests.
fn passes(from: &str, to: &str) -> (Vec<String>, Vec<String>, usize) {
    let mut stage = Stage::new(from);
    stage.told();
    stage.changed();
    stage.reload(to);
    let (changes, requests) = stage.changed();
    let told = stage.told();
    stage.pass(60);
    assert_eq!(stage.requests(), 0, "and nothing later");
    (told, changes, requests)
}

fn group(members: &str, services: &[&str]) -> String {
    let mut text = format!("virtual_server_group G {{\n{members}\n}}\n");
    for (n, reals) in services.iter().enumerate() {
        let protocol = match (members.starts_with("fwmark"), n) {
            (true, _) => "",
            (false, 0) => "protocol TCP",
            (false, _) => "protocol UDP",
        };
        text +=
            &format!("virtual_server group G {{\n{protocol}\nlb_algo rr\nlb_kind NAT\n{reals}}}\n");
    }
    text
}

#[test]
fn nothing_changed_nothing_asked() {
    let group = group("10.9.8.1-20 80", &[&real("10.0.0.1", ""), "real_server 10.0.0.2 80 {\n}\n"]);
    let all = "quorum 2\nhysteresis 1\ninhibit_on_failure\nsorry_server 10.0.0.9 80\nsorry_server_inhibit";
    let text = format!(
        "{}{group}virtual_server fwmark 5 {{\nlb_algo wlc\nlb_kind DR\npersistence_timeout 50\n{}}}\n",
        service(all, &pair()),
        real("10.0.0.3", "")
            .replace(" 80", "")
            .replace("TCP_CHECK {", "TCP_CHECK {\nconnect_port 80")
    );
    assert_eq!(passes(&text, &text), (vec![], vec![], 0));
}

#[test]
fn nothing_changed_nothing_asked_when_things_are_down() {
    for body in
        ["", "alpha", "inhibit_on_failure", "sorry_server 10.0.0.9 80", "sorry_server 10.0.0.1 80"]
    {
        let text = service(&format!("quorum 2\n{body}"), &pair());
        let mut stage = Stage::new(&text);
        stage.finds(0, true);
        stage.finds(1, false);
        stage.told();
        stage.changed();
        stage.reload(&text);
        assert_eq!(stage.told(), NONE, "{body}");
        assert_eq!(stage.changed(), (vec![], 0), "{body}");
        assert_eq!((stage.real(0).alive, stage.real(1).alive), (true, false));
    }
}

#[test]
fn a_real_server_more() {
    let [a, b] = pair();
    let (told, changes, requests) =
        passes(&service("", std::slice::from_ref(&a)), &service("", &[b, a]));
    assert_eq!((told, changes, requests), (vec![], vec![format!("+ {B}")], 1));
}

#[test]
fn an_alpha_server_more() {
    let [a, _] = pair();
    let b = real("10.0.0.2", "alpha");
    assert_eq!(
        passes(&service("", std::slice::from_ref(&a)), &service("", &[a, b])),
        (vec![], vec![], 0)
    );
}

#[test]
fn real_servers_less() {
    let reals: Vec<String> = (1..=6).map(|n| real(&format!("10.0.0.{n}"), "")).collect();
    let (told, changes, requests) =
        passes(&service("quorum 3", &reals), &service("quorum 1", &reals[..1]));
    let expected: Vec<String> = (2..=6)
        .flat_map(|n| {
            let name = format!("[10.0.0.{n}]:tcp:80");
            [
                format!("service {name} no longer exist"),
                format!("Removing service {name} from VS [10.9.9.9]:tcp:80"),
                format!("fifo: RS {name} [10.9.9.9]:tcp:80 DOWN"),
            ]
        })
        .collect();
    assert_eq!(told, expected, "in the order of the file");
    assert_eq!((changes.len(), requests), (5, 5));
}

#[test]
fn the_quorum_is_lost_by_a_reload() {
    let [a, b] = pair();
    let (told, changes, requests) = passes(
        &service("quorum 2\nsorry_server 10.0.0.9 80", &[a.clone(), b.clone()]),
        &service(
            "quorum 3\nsorry_server 10.0.0.9 80",
            &[real("10.0.0.3", "weight 3\nalpha"), a, b],
        ),
    );
    assert_eq!(
        told,
        [
            "Starting with quorum down 3-0=3 > 2 for VS [10.9.9.9]:tcp:80",
            "Adding sorry server [10.0.0.9]:tcp:80 to VS [10.9.9.9]:tcp:80",
            "Removing alive servers from the pool for VS [10.9.9.9]:tcp:80",
            "fifo: VS [10.9.9.9]:tcp:80 DOWN",
        ]
    );
    assert_eq!((changes.len(), requests), (3, 3));
}

#[test]
fn weights_change() {
    let [a, b] = pair();
    let heavier = real("10.0.0.2", "weight 9");
    let (told, changes, requests) =
        passes(&service("", &[a.clone(), b]), &service("", &[a, heavier]));
    assert_eq!(
        told,
        [
            "Changing weight from 1 to 9 for active service [10.0.0.2]:tcp:80 of VS [10.9.9.9]:tcp:80"
        ]
    );
    assert_eq!((changes.len(), requests), (2, 1));
}

#[test]
fn another_forwarding_method() {
    let [a, b] = pair();
    let direct = real("10.0.0.2", "lvs_method DR");
    let (told, changes, requests) =
        passes(&service("", &[a.clone(), b]), &service("", &[a, direct]));
    assert_eq!(told, NONE);
    let direct = B.replace("-m", "-g");
    assert_eq!((changes, requests), (vec![format!("- {B}"), format!("+ {direct}")], 1));
}

/// Under NAT a destination has the real server's port, else that of the group's member.
#[test]
fn another_forwarding_method_that_is_another_port() {
    let of = |method: &str| {
        group("10.9.9.9 80", &[&format!("real_server 10.0.0.1 {{\nlvs_method {method}\n}}\n")])
    };
    let (_, changes, requests) = passes(&of("NAT"), &of("DR"));
    let nat = "-a -t 10.9.9.9:80 -r 10.0.0.1:0 -m -w 1";
    let direct = "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -g -w 1";
    assert_eq!((changes, requests), (vec![format!("- {nat}"), format!("+ {direct}")], 2));
}

#[test]
fn another_scheduler() {
    let old = service("", &pair());
    let (told, changes, requests) = passes(&old, &old.replace("lb_algo rr", "lb_algo wlc"));
    assert_eq!(told, NONE);
    let line = "-A -t 10.9.9.9:80 -s";
    assert_eq!((changes, requests), (vec![format!("- {line} rr"), format!("+ {line} wlc")], 1));
    let (_, _, requests) = passes(&old, &service("persistence_timeout 60", &pair()));
    assert_eq!(requests, 1);
}

#[test]
fn virtual_servers_come_and_go() {
    let other = |text: &str| text.replace("10.9.9.9", "10.9.9.8");
    let old = service("", &pair());
    let (told, changes, requests) = passes(&old, &other(&old));
    assert_eq!(
        told,
        [
            "Removing Virtual Server [10.9.9.9]:tcp:80",
            "Removing service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
            "Removing service [10.0.0.2]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.2]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
            "fifo: VS [10.9.9.9]:tcp:80 DOWN",
            "Gained quorum 1+0=1 <= 1 for VS [10.9.9.8]:tcp:80".replace("<= 1", "<= 2").as_str(),
            "fifo: VS [10.9.9.8]:tcp:80 UP",
        ]
    );
    assert_eq!(changes.len(), 6);
    assert!(requests <= 6, "{requests}");
    let flushing = format!("global_defs {{\nlvs_flush_on_stop\n}}\n{}", other(&old));
    let (told, ..) = passes(&old, &flushing);
    assert_eq!(told[0], "Removing Virtual Server [10.9.9.9]:tcp:80");
    assert_eq!(told[1], "fifo: VS [10.9.9.9]:tcp:80 DOWN", "not a word about real servers");
}

#[test]
fn sorry_servers_change() {
    let with = |sorry: &str| service(&format!("quorum 2\n{sorry}"), &pair());
    let sorry = "sorry_server 10.0.0.9 80";
    let (told, changes, requests) = passes(&with(sorry), &with(""));
    assert_eq!((told, changes, requests), (vec![], vec![], 0), "it was not in the table");
    let inhibited = format!("{sorry}\nsorry_server_inhibit");
    let off = "-a -t 10.9.9.9:80 -r 10.0.0.9:80 -m -w 0";
    assert_eq!(passes(&with(sorry), &with(&inhibited)), (vec![], vec![format!("+ {off}")], 1));
    assert_eq!(passes(&with(&inhibited), &with(sorry)), (vec![], vec![format!("- {off}")], 1));
    let (_, changes, requests) = passes(&with(&inhibited), &with("sorry_server 10.0.0.8 80"));
    assert_eq!((changes, requests), (vec![format!("- {off}")], 1));
}

#[test]
fn a_sorry_server_that_stands_in_goes() {
    let with = |sorry: &str| service(&format!("quorum 2\n{sorry}"), &pair());
    let mut stage = Stage::new(&with("sorry_server 10.0.0.9 80"));
    stage.finds(0, false);
    stage.told();
    stage.changed();
    stage.reload(&with(""));
    assert_eq!(stage.told(), ["Removing sorry server [10.0.0.9]:tcp:80 from VS [10.9.9.9]:tcp:80"]);
    let sorry = "-a -t 10.9.9.9:80 -r 10.0.0.9:80 -m -w 1";
    assert_eq!(stage.changed(), (vec![format!("- {sorry}"), format!("+ {B}")], 2));
}

/// Real servers become sorry servers and the other way round, while they serve and while not.
#[test]
fn real_servers_and_sorry_servers_change_places() {
    let [a, b] = pair();
    let sorry = "sorry_server 10.0.0.2 80";
    let alone = service("", std::slice::from_ref(&a));
    let (both, one) =
        (service("", &[a.clone(), b.clone()]), service(sorry, std::slice::from_ref(&a)));
    let twin = service(sorry, &[a, b]);
    let gone = |text: &str| (vec![format!("- {text}")], 1);
    let (_, changes, requests) = passes(&both, &one);
    assert_eq!((changes, requests), gone(B), "it has to leave until it is needed");
    let (_, changes, requests) = passes(&twin, &alone);
    assert_eq!((changes, requests), gone(B), "once");
    let (_, changes, requests) = passes(&twin, &one);
    assert_eq!((changes, requests), gone(B));
    assert_eq!(passes(&both, &twin).2, 0);
    let (_, changes, requests) = passes(&one, &both);
    assert_eq!((changes, requests), (vec![format!("+ {B}")], 1));

    let mut stage = Stage::new(&one);
    stage.finds(0, false);
    stage.changed();
    stage.reload(&twin);
    assert_eq!(stage.table(), ["-A -t 10.9.9.9:80 -s rr", B]);
    assert_eq!(stage.changed(), (vec![], 0));
    stage.reload(&one);
    stage.finds(0, true);
    assert_eq!(stage.table(), ["-A -t 10.9.9.9:80 -s rr", A]);
}

#[test]
fn members_of_a_group_come_and_go() {
    let reals = pair().concat();
    let of = |members: &str| group(members, &[&reals]);
    let (told, changes, requests) =
        passes(&of("10.9.9.1-2 80\nfwmark 3"), &of("10.9.9.2-3 80\nfwmark 4"));
    assert_eq!(
        told,
        [
            "VS [10.9.9.1:tcp:80] in group G no longer exists",
            "VS [FWM 3] in group G no longer exists",
            "VS [10.9.9.3:tcp:80] added into group G",
            "VS [FWM 4] added into group G",
        ]
    );
    assert_eq!(changes.len(), 12);
    assert_eq!(requests, 8, "the kernel deletes destinations with their service");
}

#[test]
fn a_new_member_gets_what_changes_at_the_same_time() {
    let of = |members: &str, method: &str| {
        group(members, &[&format!("real_server 10.0.0.1 80 {{\nlvs_method {method}\n}}\n")])
    };
    let (_, changes, requests) = passes(&of("10.9.9.1 80", "NAT"), &of("10.9.9.1-2 80", "DR"));
    assert_eq!(
        changes,
        [
            "- -a -t 10.9.9.1:80 -r 10.0.0.1:80 -m -w 1",
            "+ -A -t 10.9.9.2:80 -s rr",
            "+ -a -t 10.9.9.1:80 -r 10.0.0.1:80 -g -w 1",
            "+ -a -t 10.9.9.2:80 -r 10.0.0.1:80 -g -w 1",
        ]
    );
    assert!(requests <= 4, "{requests}");
}

/// A range is walked address by address, beyond its last octet.
#[test]
fn ranges_cross_octets() {
    let of = |members: &str| group(members, &["real_server 10.0.0.1 80 {\n}\n"]);
    let mut stage = Stage::new("");
    stage.reload(&of("10.9.8.250-10.9.9.5 80"));
    assert_eq!(stage.table().len(), 24);
    assert!(stage.table().contains(&"-A -t 10.9.9.0:80 -s rr".to_owned()));
}

/// Firewall marks are services of their own, whatever the protocol of those that use them.
#[test]
fn two_virtual_servers_share_the_marks_of_a_group() {
    let (a, b) = ("real_server 10.0.0.1 80 {\n}\n", "real_server 10.0.0.2 80 {\n}\n");
    let both = group("fwmark 3", &[a, b]);
    let mut stage = Stage::new(&both);
    assert_eq!(stage.table().len(), 3);
    assert_eq!(stage.requests(), 3);
    stage.told();
    stage.changed();
    stage.reload(&group("fwmark 3", &[a]));
    let gone = "- -a -f 3 -r 10.0.0.2:80 -m -w 1".to_owned();
    assert_eq!(stage.changed(), (vec![gone], 1));
    assert_eq!(stage.told()[0], "Removing Virtual Server Group [G]");
    stage.reload("");
    assert_eq!(stage.table(), NONE);
}

/// They are told apart by their order, and are taken for each other when that changes.
#[test]
fn two_virtual_servers_of_a_group_change_places() {
    let (a, b) = ("real_server 10.0.0.1 80 {\n}\n", "real_server 10.0.0.2 80 {\n}\n");
    let mut stage = Stage::new(&group("fwmark 3\nfwmark 4", &[a, b]));
    let table = stage.table();
    stage.reload(&group("fwmark 3\nfwmark 4", &[b, a]));
    assert_eq!(stage.table(), table);
}

/// An address passes from a group to one that comes before it, real servers and all.
#[test]
fn a_member_passes_from_one_group_to_another() {
    let two = |first: &str, second: &str| {
        let reals = pair().concat();
        let one = |name: &str, members: &str| {
            group(members, &[&reals]).replace(" G {", &format!(" {name} {{"))
        };
        one("F", first) + &one("G", second)
    };
    for (from, to) in [
        (two("10.9.9.1 80", "10.9.9.2-3 80"), two("10.9.9.1-2 80", "10.9.9.3 80")),
        (two("10.9.9.1-2 80", "10.9.9.3 80"), two("10.9.9.1 80", "10.9.9.2-3 80")),
    ] {
        let mut stage = Stage::new(&from);
        let table = stage.table();
        stage.reload(&to);
        assert_eq!(stage.table(), table);
        stage.pass(30);
        assert_eq!(stage.table(), table);
    }
}

#[test]
fn checkers_go_on_where_they_were() {
    let text = service("delay_loop 10", &pair());
    let mut stage = Stage::new(&text);
    let ids = [stage.checker(0, 0), stage.checker(1, 0)];
    stage.finds(0, false);
    stage.pass(3);
    stage.reload(&text);
    assert_eq!([stage.checker(0, 0), stage.checker(1, 0)], ids);
    stage.reload(&service("delay_loop 10", &[real("10.0.0.3", ""), real("10.0.0.1", "weight 2")]));
    assert_eq!(stage.checker(1, 0), ids[0]);
    assert!(!stage.real(1).alive && stage.real(0).alive);
    stage.told();
    stage.finds(1, true);
    assert_eq!(stage.notified(), ["fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 UP"]);
    stage.ended(ids[1], Outcome::Failure("too late".into()));
    assert_eq!(stage.told(), NONE, "its server is gone");
}

/// Of checkers that look at the same thing in the same way each goes on by itself.
#[test]
fn equal_checkers_keep_their_order() {
    let body = "TCP_CHECK {\nretry 0\ndelay_loop 20\n}\nTCP_CHECK {\nretry 0\ndelay_loop 30\n}";
    let text = service("delay_loop 10", &[real("10.0.0.1", body)]);
    let mut stage = Stage::new(&text);
    let before = stage.real(0).checkers.clone();
    stage.reload(&text);
    assert_eq!(stage.real(0).checkers, before);
}

#[test]
fn a_server_whose_failed_checker_goes_is_up() {
    let failed = "TCP_CHECK {\nconnect_port 81\nretry 0\n}";
    let mut stage = Stage::new(&service("", &[real("10.0.0.1", failed), real("10.0.0.2", "")]));
    let id = stage.checker(0, 0);
    stage.ended(id, Outcome::Failure("it did not".into()));
    stage.told();
    stage.changed();
    stage.reload(&service("", &pair()));
    assert_eq!(
        stage.told(),
        [
            "Adding service [10.0.0.1]:tcp:80 to VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 UP",
        ]
    );
    assert_eq!(stage.changed(), (vec![format!("+ {A}")], 1));
}

#[test]
fn a_new_alpha_checker_trusts_a_server_that_is_up_and_no_other() {
    let alpha = "TCP_CHECK {\nconnect_port 81\nalpha\n}";
    let to = service("", &[real("10.0.0.1", alpha), real("10.0.0.2", alpha)]);
    let mut stage = Stage::new(&service("", &pair()));
    stage.finds(1, false);
    stage.reload(&to);
    let ups: Vec<bool> = (0..2)
        .map(|real| {
            let id = stage.checker(real, 0);
            stage.w.checker(id).verdict.up
        })
        .collect();
    assert_eq!(ups, [true, false]);
    let other = stage.checker(1, 1);
    stage.ended(other, Outcome::Success);
    assert!(!stage.real(1).alive);
    stage.finds(1, true);
    assert!(stage.real(1).alive);
}

#[test]
fn checkers_are_held_back_no_longer_than_ha_suspend_lasts() {
    let mut stage = Stage::new(&service("ha_suspend\ndelay_loop 10", &pair()));
    stage.pass(60);
    assert_eq!(stage.w.attempts, []);
    stage.reload(&service("delay_loop 10", &pair()));
    stage.pass(60);
    assert_eq!(stage.w.attempts.len(), 2, "one each, which nobody answers");
}

#[test]
fn a_removed_server_is_told_by_mail_too() {
    let with = |reals: &str| {
        format!(
            "global_defs {{\nnotification_email {{\na@b.example\n}}\nsmtp_server 127.0.0.1\n}}\n\
             virtual_server 10.9.9.9 80 {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\nsmtp_alert\n{reals}}}\n"
        )
    };
    let (a, b) = (
        "real_server 10.0.0.1 80 {\nsmtp_alert no\n}\n",
        "real_server 10.0.0.2 80 {\nsmtp_alert yes\n}\n",
    );
    let (told, ..) = passes(&with(&format!("{a}{b}")), &with(a));
    assert_eq!(
        told[3],
        "mail: Realserver [10.0.0.2]:tcp:80 of virtual server [10.9.9.9]:tcp:80 - DOWN: Removing"
    );
    let (told, ..) = passes(&with(&format!("{a}{b}")), "");
    assert_eq!(
        told,
        [
            "Removing Virtual Server [10.9.9.9]:tcp:80",
            "Removing service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
            "Removing service [10.0.0.2]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.2]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
            "mail: Realserver [10.0.0.2]:tcp:80 of virtual server [10.9.9.9]:tcp:80 - DOWN: Removing",
            "fifo: VS [10.9.9.9]:tcp:80 DOWN",
            "mail: Virtualserver [10.9.9.9]:tcp:80 - DOWN: Removing",
        ]
    );
}

/// Its place may be somebody else's by the time it is known.
#[test]
fn what_an_ended_server_is_refused_is_not_held_against_the_next() {
    let next = service("", &pair()).replace("10.9.9.9", "10.9.9.8");
    let mut stage = Stage::new(&service("", &pair()));
    stage.refuse(&[1]);
    stage.reload(&next);
    stage.requests();
    stage.pass(60);
    assert_eq!(stage.requests(), 0);
}

/// A reload is done a part at a time; results come in between.
#[test]
fn results_count_while_a_reload_goes_on() {
    let all = |reals: &[String], step: usize| -> String {
        let one = |n: usize| service("", reals).replace("10.9.9.9", &format!("10.9.9.{n}"));
        (1..=200).step_by(step).map(one).collect()
    };
    let new = [real("10.0.0.3", ""), real("10.0.0.2", ""), real("10.0.0.1", "")];
    let new = all(&new, 2);
    let mut stage = Stage::new(&all(&pair(), 1));
    // Of the first virtual server, of one that goes, and of the last one that stays.
    let ids = [0, 1, 198].map(|n| stage.service(n).reals[0].checkers[0]);
    reload(&mut stage.s, &mut stage.w, read(&new));
    for id in ids {
        stage.s.turn(&mut stage.w, None).unwrap();
        ended(&mut stage.s, &mut stage.w, id, Outcome::Failure("it did not".into()));
    }
    assert!(stage.check().steps_waiting(), "it was through before the last result");
    stage.settle();
    let mut expected = Stage::new(&new).table();
    for n in [1, 199] {
        expected.retain(|line| *line != A.replace("10.9.9.9", &format!("10.9.9.{n}")));
    }
    assert_eq!(stage.table(), expected);
}

/// Its file is read anew.
#[test]
fn a_file_that_speaks_against_a_server_takes_it_out() {
    let path = std::env::temp_dir().join(format!("reload-{}", std::process::id()));
    std::fs::write(&path, "1").unwrap();
    let file = format!("track_file F {{\nfile {}\n}}\n", path.display());
    let text = |weight: &str| {
        let checker = format!("FILE_CHECK {{\ntrack_file F\n{weight}\n}}");
        file.clone() + &service("", &[real("10.0.0.1", &checker), real("10.0.0.2", "")])
    };
    let (told, changes, requests) = passes(&service("", &pair()), &text("weight 0"));
    assert_eq!(
        told,
        [
            "Removing service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
        ]
    );
    assert_eq!((changes, requests), (vec![format!("- {A}")], 1));
    assert_eq!(passes(&text("weight 0"), &text("weight 0")), (vec![], vec![], 0));
    let (told, changes, requests) = passes(&text("weight 0"), &text("weight 5"));
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!((changes, requests), (vec![format!("+ {}", A.replace("-w 1", "-w 6"))], 1));
    std::fs::remove_file(&path).unwrap();
}
