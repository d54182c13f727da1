//! Weights that checkers change, and the quorum they make (spec checkers-behaviour §4, §6).

use super::service;
use crate::runtime::stage::Stage;

fn scripted(address: &str, weight: u32) -> String {
    format!(
        "real_server {address} 80 {{\nweight {weight}\nsmtp_alert no\nMISC_CHECK {{\nmisc_path /bin/true\nmisc_dynamic\n}}\n}}\n"
    )
}

fn secure(body: &str, reals: &[String]) -> String {
    let globals = "global_defs {\nenable_script_security\nscript_user root\n}\n";
    globals.to_owned() + &service(body, reals)
}

#[test]
fn a_script_chooses_the_weight() {
    let mut stage = Stage::new(&secure("quorum 5\nhysteresis 2", &[scripted("10.0.0.1", 7)]));
    stage.told();
    stage.requests();
    for (code, expected) in [(2, 0), (12, 10), (12, 10), (0, 7), (255, 253), (4, 2)] {
        stage.exits(0, code);
        let weight = format!("-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w {expected}");
        assert_eq!(stage.table()[1], weight);
    }
    assert_eq!(stage.requests(), 5);
    let lines = [
        "Changing weight from 7 to 0 for active service [10.0.0.1]:tcp:80 of VS [10.9.9.9]:tcp:80",
        "Lost quorum 5-2=3 > 0 for VS [10.9.9.9]:tcp:80",
        "fifo: VS [10.9.9.9]:tcp:80 DOWN",
        "Changing weight from 0 to 10 for active service [10.0.0.1]:tcp:80 of VS [10.9.9.9]:tcp:80",
        "Gained quorum 5+2=7 <= 10 for VS [10.9.9.9]:tcp:80",
        "fifo: VS [10.9.9.9]:tcp:80 UP",
        "Changing weight from 10 to 7 for active service [10.0.0.1]:tcp:80 of VS [10.9.9.9]:tcp:80",
        "Changing weight from 7 to 253 for active service [10.0.0.1]:tcp:80 of VS [10.9.9.9]:tcp:80",
        "Changing weight from 253 to 2 for active service [10.0.0.1]:tcp:80 of VS [10.9.9.9]:tcp:80",
        "Lost quorum 5-2=3 > 2 for VS [10.9.9.9]:tcp:80",
        "fifo: VS [10.9.9.9]:tcp:80 DOWN",
    ];
    assert_eq!(stage.told(), lines);
}

#[test]
fn a_failed_script_gives_its_weight_back() {
    let mut stage = Stage::new(&secure("", &[scripted("10.0.0.1", 7), scripted("10.0.0.2", 1)]));
    stage.exits(0, 22);
    stage.told();
    stage.exits(0, 1);
    assert_eq!(
        stage.told(),
        [
            "Removing service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80",
            "fifo: RS [10.0.0.1]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
            "Changing weight from 20 to 7 for inactive service [10.0.0.1]:tcp:80 of VS [10.9.9.9]:tcp:80",
        ]
    );
    stage.exits(0, 32);
    assert_eq!(stage.table()[1], "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 30");
    assert_eq!(stage.service(0).weight, 31);
}

/// Between a failure that is not yet definitive and the next attempt.
#[test]
fn a_chosen_weight_survives_a_reload() {
    let retrying = scripted("10.0.0.1", 7).replace("misc_dynamic", "misc_dynamic\nretry 1");
    let text = secure("", &[retrying]);
    let mut stage = Stage::new(&text);
    stage.exits(0, 22);
    stage.exits(0, 1);
    stage.told();
    stage.requests();
    stage.reload(&text);
    assert_eq!((stage.told(), stage.requests()), (vec![], 0));
    stage.reload(&text.replace("weight 7", "weight 9"));
    assert_eq!(stage.table()[1], "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 20");
}

#[test]
fn a_weight_is_kept_while_the_sorry_server_stands_in() {
    let reals = [scripted("10.0.0.1", 7), scripted("10.0.0.2", 1)];
    let mut stage = Stage::new(&secure("quorum 8\nsorry_server 10.0.0.9 80", &reals));
    stage.exits(1, 1);
    stage.requests();
    stage.exits(0, 5);
    assert_eq!((stage.requests(), stage.table().len()), (0, 2));
    stage.exits(0, 10);
    assert_eq!(stage.table()[1], "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 8");
}
