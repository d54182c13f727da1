//! Trackers: a file's number, a script's exit status.

use std::fs;

use testbed::Lan;

use crate::{instance, ready, start, version_3, wait_holder};

const VIP: [&str; 1] = ["10.9.0.100"];

/// The number in the file times the weight is added to the priority; a large negative one is a fault.
#[test]
fn a_track_file_moves_the_priority() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let file = a.file("load");
    fs::write(&file, "30\n").unwrap();
    let track = format!("track_file load {{\n  file {}\n  weight 2\n}}\n", file.display());
    let lines = "advert_int 0.25\n  track_file {\n    load\n  }";
    let first =
        start(&a, &(version_3("") + &track + &instance("T", 62, 100, lines, &["10.9.0.100/24"])));
    let _second = start(
        &b,
        &(version_3("") + &instance("T", 62, 120, "advert_int 0.25", &["10.9.0.100/24"])),
    );
    wait_holder(&a, &b, &VIP);
    lan.capture().wait_advert("a leads with 160", 0, |advert| advert.priority == 160);

    fs::write(&file, "0").unwrap();
    wait_holder(&b, &a, &VIP);
    fs::write(&file, "0x20").unwrap();
    wait_holder(&a, &b, &VIP);
    lan.capture().wait_advert("a leads with 164", 0, |advert| advert.priority == 164);

    fs::write(&file, "-127").unwrap();
    wait_holder(&b, &a, &VIP);
    first.wait_log("(T) Entering FAULT STATE");
    fs::remove_file(&file).unwrap();
    first.wait_logged("(T) Entering BACKUP STATE", 2);
    fs::write(&file, "25").unwrap();
    wait_holder(&a, &b, &VIP);
}

/// Without a weight a failing script is a fault; rise and fall count its verdicts.
#[test]
fn a_failing_script_without_weight_is_a_fault() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let broken = a.file("broken");
    let script = format!(
        "vrrp_script chk {{\n  script \"/usr/bin/test ! -e {}\"\n  interval 1\n  rise 2\n  fall 2\n}}\n",
        broken.display()
    );
    let lines = "advert_int 0.25\n  track_script {\n    chk\n  }";
    let vips = ["10.9.0.100/24"];
    let first = start(&a, &(version_3("") + &script + &instance("T", 62, 150, lines, &vips)));
    let _second = start(&b, &(version_3("") + &instance("T", 62, 100, "advert_int 0.25", &vips)));
    wait_holder(&a, &b, &VIP);
    first.wait_log("VRRP_Script(chk) succeeded");

    fs::write(&broken, "").unwrap();
    wait_holder(&b, &a, &VIP);
    first.wait_log("Script `chk` now returning 1");
    first.wait_log("VRRP_Script(chk) failed (exited with status 1)");
    first.wait_log("(T) Entering FAULT STATE");

    fs::remove_file(&broken).unwrap();
    wait_holder(&a, &b, &VIP);
    first.wait_logged("VRRP_Script(chk) succeeded", 2);
}

/// A script that hangs is ended and counts as failed; the daemon stays.
#[test]
fn a_hanging_script_times_out() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let script = "vrrp_script slow {\n  script \"/usr/bin/sleep 600\"\n  interval 1\n  timeout 1\n  \
                  fall 1\n}\n";
    let lines = "advert_int 0.25\n  track_script {\n    slow\n  }";
    let vips = ["10.9.0.100/24"];
    let first = start(&a, &(version_3("") + script + &instance("T", 62, 150, lines, &vips)));
    let _second = start(&b, &(version_3("") + &instance("T", 62, 100, "advert_int 0.25", &vips)));
    first.wait_log("VRRP_Script(slow) timed_out");
    wait_holder(&b, &a, &VIP);
    first.stop();
}
