//! Real servers come and go, and the quorum with them (spec checkers-behaviour §2, §5, §6).

use ipvs::{Batch, Kernel, Protocol, ServiceKey};

use super::{pair, real, service};
use crate::checker::attempt::Outcome;
use crate::runtime::stage::Stage;

const UP: &str = "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 1";
const DOWN: &str = "- -a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 1";

#[test]
fn everything_is_in_the_table_before_any_check() {
    let mut stage = Stage::new(&service("quorum 2", &pair()));
    assert_eq!(
        stage.told(),
        ["Gained quorum 2+0=2 <= 2 for VS [10.9.9.9]:tcp:80", "fifo: VS [10.9.9.9]:tcp:80 UP",]
    );
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.9.9.9:80 -s rr",
            "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 1",
            "-a -t 10.9.9.9:80 -r 10.0.0.2:80 -m -w 1",
        ]
    );
    assert_eq!(stage.requests(), 3);
    stage.finds(0, true);
    assert_eq!(stage.told(), [] as [&str; 0], "a first success is no news");
}

#[test]
fn real_servers_are_told_of_at_the_start_if_wanted() {
    let text = format!("global_defs {{\nrs_init_notifies\n}}\n{}", service("", &pair()));
    let mut stage = Stage::new(&text);
    assert_eq!(
        stage.notified(),
        [
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 UP",
            "fifo: RS [10.0.0.2]:tcp:80 [10.9.9.9]:tcp:80 UP",
            "fifo: VS [10.9.9.9]:tcp:80 UP",
        ]
    );
}

#[test]
fn down_and_up_in_the_order_of_the_original() {
    let scripts = "notify_up \"/bin/true up\"\nnotify_down \"/bin/true down\"\nsmtp_alert";
    let body = "smtp_alert\nquorum_up \"/bin/true gained\"\nquorum_down \"/bin/true lost\"";
    let text = format!(
        "global_defs {{\nnotification_email {{\na@b.example\n}}\nsmtp_server 127.0.0.1\nenable_script_security\nscript_user root\n}}\n{}",
        service(body, &[real("10.0.0.1", scripts)])
    );
    let mut stage = Stage::new(&text);
    stage.told();
    stage.changed();
    stage.finds(0, false);
    assert_eq!(
        stage.told(),
        [
            "Removing service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "script: notify_down of real server [10.0.0.1]:tcp:80 of [10.9.9.9]:tcp:80: /bin/true down",
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
            "Lost quorum 1-0=1 > 0 for VS [10.9.9.9]:tcp:80",
            "script: quorum_down of virtual server [10.9.9.9]:tcp:80: /bin/true lost",
            "fifo: VS [10.9.9.9]:tcp:80 DOWN",
            "mail: Virtualserver [10.9.9.9]:tcp:80 - DOWN: Lost quorum 1+0=1 <= 0",
            "mail: Realserver [10.0.0.1]:tcp:80 of virtual server [10.9.9.9]:tcp:80 - DOWN: TCP CHECK failed on service",
        ]
    );
    assert_eq!(stage.changed(), (vec![DOWN.to_owned()], 1));
    stage.finds(0, true);
    assert_eq!(
        stage.told(),
        [
            "Adding service [10.0.0.1]:tcp:80 to VS [10.9.9.9]:tcp:80",
            "script: notify_up of real server [10.0.0.1]:tcp:80 of [10.9.9.9]:tcp:80: /bin/true up",
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 UP",
            "Gained quorum 1+0=1 <= 1 for VS [10.9.9.9]:tcp:80",
            "script: quorum_up of virtual server [10.9.9.9]:tcp:80: /bin/true gained",
            "fifo: VS [10.9.9.9]:tcp:80 UP",
            "mail: Virtualserver [10.9.9.9]:tcp:80 - UP: Gained quorum 1+0=1 <= 1",
            "mail: Realserver [10.0.0.1]:tcp:80 of virtual server [10.9.9.9]:tcp:80 - UP: TCP CHECK succeed on service",
        ]
    );
    assert_eq!(stage.changed(), (vec![format!("+ {UP}")], 1));
}

#[test]
fn the_first_failed_checker_takes_a_server_out_and_the_last_brings_it_back() {
    let two = "TCP_CHECK {\nconnect_port 81\nretry 0\n}";
    let mut stage = Stage::new(&service("", &[real("10.0.0.1", two), real("10.0.0.2", "")]));
    let (a, b) = (stage.checker(0, 0), stage.checker(0, 1));
    stage.told();
    stage.requests();
    let bad = || Outcome::Failure("it did not".into());
    stage.ended(a, bad());
    stage.ended(b, bad());
    assert_eq!(stage.notified(), ["fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN"]);
    stage.ended(a, Outcome::Success);
    assert!(stage.notified().is_empty() && !stage.real(0).alive);
    stage.ended(b, Outcome::Success);
    assert_eq!(stage.notified(), ["fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 UP"]);
    assert_eq!(stage.requests(), 2);
}

#[test]
fn inhibited_servers_stay_with_weight_0() {
    let mut stage = Stage::new(&service("inhibit_on_failure", &pair()));
    stage.told();
    stage.changed();
    stage.finds(0, false);
    let off = "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 0".to_owned();
    assert_eq!(
        stage.changed(),
        (vec![format!("+ {off}"), DOWN.to_owned()].into_iter().rev().collect(), 1)
    );
    assert_eq!(stage.told()[0], "Disabling service [10.0.0.1]:tcp:80 of VS [10.9.9.9]:tcp:80");
    stage.finds(0, true);
    assert_eq!(stage.changed(), (vec![format!("- {off}"), format!("+ {UP}")], 1));
    assert_eq!(stage.told()[0], "Enabling service [10.0.0.1]:tcp:80 of VS [10.9.9.9]:tcp:80");
}

#[test]
fn alpha_servers_have_to_earn_their_place() {
    let mut stage = Stage::new(&service("alpha", &pair()));
    assert_eq!(stage.told(), [] as [&str; 0]);
    assert_eq!(stage.table(), ["-A -t 10.9.9.9:80 -s rr"]);
    stage.requests();
    stage.finds(0, false);
    assert_eq!(
        stage.told(),
        ["fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN"],
        "told without a change"
    );
    stage.finds(0, false);
    assert_eq!((stage.told(), stage.requests()), (vec![], 0));
    stage.finds(0, true);
    assert_eq!(
        stage.notified(),
        ["fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 UP", "fifo: VS [10.9.9.9]:tcp:80 UP"]
    );
}

#[test]
fn inhibited_alpha_servers_begin_with_weight_0() {
    let stage = Stage::new(&service("alpha\ninhibit_on_failure", &[real("10.0.0.1", "")]));
    assert_eq!(
        stage.table(),
        ["-A -t 10.9.9.9:80 -s rr", "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 0"]
    );
}

#[test]
fn the_sorry_server_takes_over_and_gives_back() {
    let mut stage = Stage::new(&service("quorum 2\nsorry_server 10.0.0.9 80", &pair()));
    stage.told();
    stage.changed();
    stage.finds(0, false);
    assert_eq!(
        stage.told(),
        [
            "Removing service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
            "Lost quorum 2-0=2 > 1 for VS [10.9.9.9]:tcp:80",
            "Adding sorry server [10.0.0.9]:tcp:80 to VS [10.9.9.9]:tcp:80",
            "Removing alive servers from the pool for VS [10.9.9.9]:tcp:80",
            "fifo: VS [10.9.9.9]:tcp:80 DOWN",
        ]
    );
    let sorry = ["-A -t 10.9.9.9:80 -s rr", "-a -t 10.9.9.9:80 -r 10.0.0.9:80 -m -w 1"];
    assert_eq!(stage.table(), sorry);
    assert_eq!(stage.requests(), 3);
    stage.finds(1, false);
    assert_eq!((stage.table(), stage.requests()), (sorry.map(str::to_owned).to_vec(), 0));
    stage.finds(0, true);
    assert_eq!(stage.requests(), 0, "the quorum stays lost");
    stage.told();
    stage.finds(1, true);
    assert_eq!(
        stage.told(),
        [
            "Adding service [10.0.0.2]:tcp:80 to VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.2]:tcp:80 [10.9.9.9]:tcp:80 UP",
            "Gained quorum 2+0=2 <= 2 for VS [10.9.9.9]:tcp:80",
            "Removing sorry server [10.0.0.9]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "Adding alive servers to the pool for VS [10.9.9.9]:tcp:80",
            "fifo: VS [10.9.9.9]:tcp:80 UP",
        ]
    );
    assert_eq!(stage.requests(), 3);
    assert_eq!(stage.table().len(), 3);
}

#[test]
fn a_start_without_quorum_begins_with_the_sorry_server() {
    let mut stage =
        Stage::new(&service("alpha\nsorry_server 10.0.0.9 80\nsorry_server_inhibit", &pair()));
    assert_eq!(
        stage.told(),
        [
            "Starting with quorum down 1+0=1 > 0 for VS [10.9.9.9]:tcp:80",
            "Enabling sorry server [10.0.0.9]:tcp:80 to VS [10.9.9.9]:tcp:80",
            "Removing alive servers from the pool for VS [10.9.9.9]:tcp:80",
            "fifo: VS [10.9.9.9]:tcp:80 DOWN",
        ]
    );
    stage.finds(0, true);
    assert!(
        stage
            .told()
            .contains(&"Disabling sorry server [10.0.0.9]:tcp:80 from VS [10.9.9.9]:tcp:80".into())
    );
    assert_eq!(
        stage.table(),
        [
            "-A -t 10.9.9.9:80 -s rr",
            "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 1",
            "-a -t 10.9.9.9:80 -r 10.0.0.9:80 -m -w 0",
        ]
    );
}

#[test]
fn a_sorry_server_that_is_a_real_server_shares_its_entry() {
    let mut stage = Stage::new(&service("quorum 2\nsorry_server 10.0.0.1 80", &pair()));
    stage.requests();
    stage.finds(1, false);
    assert_eq!(
        stage.table(),
        ["-A -t 10.9.9.9:80 -s rr", "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 1"]
    );
    assert_eq!(stage.requests(), 1, "it is there with the same weight");
    stage.finds(0, false);
    assert_eq!(stage.requests(), 0, "it stands in, whatever its checks say");
    stage.finds(0, true);
    stage.finds(1, true);
    assert_eq!(stage.table().len(), 3);
}

#[test]
fn a_refused_change_changes_nothing_and_is_asked_again() {
    let mut stage = Stage::new(&service("", &pair()));
    stage.told();
    stage.refuse(&[1]);
    stage.finds(0, false);
    assert!(stage.real(0).alive);
    let told = stage.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0], "Removing service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80");
    assert!(told[1].contains("Memory allocation problem"), "{told:?}");
    stage.finds(0, false);
    assert!(!stage.real(0).alive);
    assert_eq!(stage.notified(), ["fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN"]);
    assert_eq!(stage.table().len(), 2);
}

#[test]
fn a_refused_change_of_the_service_is_asked_for_again() {
    let text = service("", &pair());
    let mut stage = Stage::new(&text);
    stage.refuse(&[1]);
    stage.reload(&text.replace("lb_algo rr", "lb_algo wlc"));
    assert_eq!(stage.table()[0], "-A -t 10.9.9.9:80 -s rr");
    stage.pass(11);
    assert_eq!(stage.table()[0], "-A -t 10.9.9.9:80 -s wlc");
}

#[test]
fn a_followed_file_gets_its_first_number_at_the_start_only() {
    let path = std::env::temp_dir().join(format!("init-file-{}", std::process::id()));
    let text = |init: &str| {
        let file = format!("track_file F {{\nfile {}\ninit_file {init}\n}}\n", path.display());
        file + &service("", &[real("10.0.0.1", "FILE_CHECK {\ntrack_file F\nweight 1\n}")])
    };
    let content = || std::fs::read_to_string(&path).unwrap();
    let mut stage = Stage::new(&text("5"));
    assert_eq!(content(), "5\n");
    assert_eq!(stage.real(0).weight, 6);
    stage.reload(&text("7 overwrite"));
    Stage::new(&text("8"));
    assert_eq!(content(), "5\n", "it is there already");
    Stage::new(&text("overwrite 9"));
    assert_eq!(content(), "9\n");
    std::fs::remove_file(&path).unwrap();
}

/// Requests of others that wait are not its own.
#[test]
fn what_others_are_refused_does_not_keep_a_server_in() {
    let mut stage = Stage::new(&service("", &pair()));
    stage.changed();
    stage.check().with(0, |service, work| {
        service.fill_changed_services(&service.keys, work);
    });
    stage.refuse(&[1]);
    stage.finds(0, false);
    let line = "- -a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 1";
    assert_eq!(stage.changed().0, [line], "it left at once");
    stage.pass(11);
    assert_eq!(stage.requests(), 1, "and the others are asked for again");
}

#[test]
fn what_is_refused_at_the_start_is_asked_for_again() {
    let mut stage = Stage::new("");
    stage.refuse(&[3]);
    stage.reload(&service("", &pair()));
    assert_eq!(stage.table().len(), 0);
    stage.pass(11);
    assert_eq!(stage.table().len(), 3);
}

/// A group's real server may have left some of its services when the kernel refuses the rest.
#[test]
fn a_change_that_is_refused_half_way_is_made_good() {
    let text = format!(
        "virtual_server_group G {{\n10.9.9.1-3 80\n}}\nvirtual_server group G {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n{}}}\n",
        pair().concat()
    );
    let mut stage = Stage::new(&text);
    let whole = stage.table();
    assert_eq!(whole.len(), 9);
    // Somebody takes the last service away for a while.
    let key = ServiceKey::Address(Protocol::Tcp, "10.9.9.3".parse().unwrap(), 80);
    let last = stage.table.services().into_iter().find(|service| service.key == key).unwrap();
    let destinations = stage.table.destinations(key);
    let mut batch = Batch::new();
    batch.delete_service(&last, 0);
    stage.table.apply(&batch);
    stage.finds(0, false);
    assert!(stage.real(0).alive);
    batch.clear();
    batch.add_service(&last, 0);
    for destination in &destinations {
        batch.add_destination(&last, destination, 0);
    }
    stage.table.apply(&batch);
    stage.finds(0, true);
    stage.pass(60);
    assert_eq!(stage.table(), whole, "it never left");
}

/// It is in the table under the other keys, and has to leave them.
#[test]
fn a_server_that_goes_down_before_it_was_wholly_added_leaves() {
    let of = |reals: &str| {
        format!(
            "virtual_server_group G {{\n10.9.9.1-3 80\n}}\nvirtual_server group G {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n{reals}}}\n"
        )
    };
    let [a, b] = pair();
    let mut stage = Stage::new(&of(&b));
    let table = stage.table();
    stage.refuse(&[1]);
    stage.reload(&of(&(a + &b)));
    assert_eq!(stage.table().len(), 8);
    stage.finds(0, false);
    assert_eq!(stage.table(), table);
    stage.pass(30);
    assert_eq!(stage.table(), table);
}

#[test]
fn a_refused_sorry_server_does_not_keep_real_servers_out() {
    let mut stage = Stage::new(&service("sorry_server 10.0.0.9 80", &[real("10.0.0.1", "")]));
    let whole = stage.table();
    stage.refuse(&[0, 1]);
    stage.finds(0, false);
    assert_eq!(stage.table().len(), 1);
    stage.finds(0, true);
    assert_eq!(stage.table(), whole);
    stage.pass(20);
    assert_eq!(stage.table(), whole);
}

/// Only NAT can change the port (spec ipvs §3).
#[test]
fn ports_of_destinations() {
    let port = |head: &str, method: &str, server: &str| {
        let protocol =
            if head.contains("MARK") || head.starts_with("fwmark") { "" } else { "protocol TCP" };
        let mut stage = Stage::new(&format!(
            "virtual_server_group G {{\n10.9.9.9 80\n}}\nvirtual_server_group MARKS {{\nfwmark 3\n}}\n\
             virtual_server {head} {{\n{protocol}\nlb_algo rr\nlb_kind {method}\nreal_server {server} {{\n}}\n}}\n"
        ));
        let key = stage.service(0).keys[0];
        stage.table.destinations(key)[0].port
    };
    for (head, method, server, expected) in [
        ("10.9.9.9 80", "NAT", "10.0.0.1 8080", 8080),
        ("10.9.9.9 80", "NAT", "10.0.0.1", 80),
        ("10.9.9.9 80", "DR", "10.0.0.1", 80),
        ("10.9.9.9 80", "TUN", "10.0.0.1 80", 80),
        ("fwmark 5", "NAT", "10.0.0.1 8080", 8080),
        ("fwmark 5", "NAT", "10.0.0.1", 0),
        ("fwmark 5", "DR", "10.0.0.1", 0),
        ("group G", "NAT", "10.0.0.1 8080", 8080),
        ("group G", "NAT", "10.0.0.1", 0),
        ("group G", "TUN", "10.0.0.1", 80),
        ("group MARKS", "NAT", "10.0.0.1 8080", 8080),
        ("group MARKS", "DR", "10.0.0.1", 0),
    ] {
        assert_eq!(port(head, method, server), expected, "{head} {method} {server}");
    }
}
