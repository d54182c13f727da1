//! Statistics and JSON.

use super::*;
use crate::packet::Stats;

/// Each counter with a value of its own: 1 to 20 in the order of the JSON dump.
fn counted() -> Stats {
    Stats {
        advert_rcvd: 1,
        advert_sent: 2,
        become_master: 3,
        release_master: 4,
        packet_len_err: 5,
        advert_interval_err: 6,
        ip_ttl_err: 7,
        invalid_type_rcvd: 8,
        addr_list_err: 9,
        invalid_authtype: 10,
        authtype_mismatch: 11,
        auth_failure: 12,
        auth_ext_missing: 13,
        auth_ext_malformed: 14,
        auth_ext_unknown_key: 15,
        auth_ext_invalid_hmac: 16,
        auth_ext_stale: 17,
        auth_ext_replay: 18,
        pri_zero_rcvd: 19,
        pri_zero_sent: 20,
        ..Stats::default()
    }
}

#[test]
fn statistics_stand_in_their_lines() {
    let world = World::of(vec![v2("A"), v2("B")]);
    let mut router = world.router();
    router.instance_mut(0).stats = counted();
    let all = stats::print(&router);
    let (a, b) = all.split_at(all.find("VRRP Instance: B").unwrap());
    assert_eq!(
        a,
        "VRRP Instance: A
  Advertisements:
    Received: 1
    Sent: 2
  Became master: 3
  Released master: 4
  Packet Errors:
    Length: 5
    TTL: 7
    Invalid Type: 8
    Advertisement Interval: 6
    Address List: 9
  Authentication Errors:
    Invalid Type: 10
    Type Mismatch: 11
    Failure: 12
  Authentication Extension Errors:
    Missing: 13
    Malformed: 14
    Unknown Key: 15
    Invalid HMAC: 16
    Stale: 17
    Replay: 18
  Priority Zero:
    Received: 19
    Sent: 20
"
    );
    assert!(
        b.lines().filter(|l| !l.ends_with(": 0")).all(|l| l.ends_with(':') || l.ends_with('B'))
    );
    clear(&mut router);
    assert_eq!(router.instances()[0].stats, Stats::default());
}

#[test]
fn json_of_one_instance() {
    let mut world = full_v2();
    world.checks.push(Check::new(
        ScriptSettings {
            name: "s1".into(),
            script: *script(&["/bin/check", "x y"]).unwrap(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            weight: 0,
            reverse: false,
            rise: 1,
            fall: 1,
            init_fail: false,
        },
        None,
        0,
    ));
    let mut router = world.router();
    let inst = router.instance_mut(0);
    inst.state = State::Master;
    inst.last_transition = at(310_857);
    inst.stats = counted();
    assert_eq!(
        json::print(&world.snapshot(&router), &clock()),
        concat!(
            r#"[{"data":{"iname":"A1","dont_track_primary":1,"skip_check_adv_addr":1,"#,
            r#""strict_mode":1,"vmac_ifname":"","ifp_ifname":"v0","master_priority":0,"#,
            r#""last_transition":1795319029.310857,"garp_delay":5,"garp_refresh":60,"#,
            r#""garp_rep":5,"garp_refresh_rep":1,"garp_lower_prio_delay":5,"#,
            r#""garp_lower_prio_rep":5,"lower_prio_no_advert":0,"higher_prio_send_advert":0,"#,
            r#""vrid":51,"base_priority":150,"effective_priority":158,"vipset":true,"#,
            r#""promote_secondaries":true,"adver_int":1,"master_adver_int":1,"accept":1,"#,
            r#""nopreempt":true,"preempt_delay":2,"state":2,"wantstate":1,"version":2,"#,
            r#""smtp_alert":true,"notify_deleted":true,"script_backup":"'\/b'","#,
            r#""script_master":"'\/usr\/bin\/true' 'two words'","script_fault":"'\/f'","#,
            r#""script_stop":"'\/s'","script_deleted":"'\/d'","script":"'\/g'","#,
            r#""script_master_rx_lower_pri":"'\/l'","#,
            r#""vips":["10.55.0.100\/24 dev v0 scope global set"],"#,
            r#""evips":["fd00::1 dev v0 scope global deprecated set"],"#,
            r#""track_ifp":["v1"],"track_script":["'\/bin\/check' 'x y'"],"#,
            r#""track_process":["p1"],"auth_type":1,"auth_data":"********"},"#,
            r#""stats":{"advert_rcvd":1,"advert_sent":2,"become_master":3,"release_master":4,"#,
            r#""packet_len_err":5,"advert_interval_err":6,"ip_ttl_err":7,"invalid_type_rcvd":8,"#,
            r#""addr_list_err":9,"invalid_authtype":10,"authtype_mismatch":11,"auth_failure":12,"#,
            r#""auth_ext_missing":13,"auth_ext_malformed":14,"auth_ext_unknown_key":15,"#,
            r#""auth_ext_invalid_hmac":16,"auth_ext_stale":17,"auth_ext_replay":18,"#,
            r#""pri_zero_rcvd":19,"pri_zero_sent":20}}]"#,
            "\n"
        )
    );
}

#[test]
fn json_reads_back_in_order_in_both_layouts() {
    let mut b = InstanceSettings::new("B \"q\" / \u{e9}", "v0", 53, Version::V3, Family::V4);
    b.interface = None;
    b.advert_interval = Duration::from_millis(40_950);
    let mut world = World::of(vec![v2("A"), b]);
    for (version, path) in [(1, ""), (2, "/vrrp")] {
        world.settings.globals.json_version = version;
        let mut router = world.router();
        router.instance_mut(1).state = State::Fault;
        let text = json::print(&world.snapshot(&router), &clock());
        assert_eq!(text.find('\n'), Some(text.len() - 1));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let list = value.pointer(path).unwrap().as_array().unwrap();
        assert_eq!(list.len(), 2);
        let data = list[1]["data"].as_object().unwrap();
        assert_eq!(data["iname"], "B \"q\" / \u{e9}");
        assert_eq!((&data["state"], &data["wantstate"]), (&3.into(), &3.into()));
        assert_eq!(data["adver_int"], 40.95);
        let names: Vec<&str> = data.keys().map(String::as_str).collect();
        assert_eq!(
            names.join(" "),
            "iname dont_track_primary skip_check_adv_addr strict_mode vmac_ifname master_priority \
             last_transition garp_delay garp_refresh garp_rep garp_refresh_rep \
             garp_lower_prio_delay garp_lower_prio_rep lower_prio_no_advert \
             higher_prio_send_advert vrid base_priority effective_priority vipset \
             promote_secondaries adver_int master_adver_int accept nopreempt preempt_delay state \
             wantstate version smtp_alert notify_deleted auth_type"
        );
        assert_eq!(list[1]["stats"].as_object().unwrap().len(), 20);
    }
}

/// Not a measurement: the texts of many instances are there, each once, in file order.
#[test]
fn four_thousand_instances_in_file_order() {
    let instances = (0..4000).map(|i| v2(&format!("I{i}"))).collect();
    let world = World::of(instances);
    let router = world.router();
    let dump = text(&world.snapshot(&router));
    let names = dump.lines().filter_map(|l| l.strip_prefix(" VRRP Instance = I"));
    assert!(names.map(|n| n.parse::<u32>().unwrap()).eq(0..4000));
}

#[test]
fn version_2_of_the_json_file_has_the_tracked_processes() {
    let mut world = World::of(vec![v2("A")]);
    world.processes = Some(other_sections::processes());
    let tail = |world: &World| {
        let router = world.router();
        let all = json::print(&world.snapshot(&router), &clock());
        all.split_once("],\"track_process\":").map(|(_, tail)| tail.to_owned())
    };
    assert_eq!(tail(&world), None);
    world.settings.globals.json_version = 2;
    assert_eq!(
        tail(&world).unwrap(),
        "[{\"process\":\"nginx\",\"param_match\":\"none\",\"min_processes\":1,\"max_processes\":1,\
         \"current_processes\":2,\"have_quorum\":true,\"weight\":-4,\"terminate_delay\":0,\
         \"fork_delay\":1.5,\"fork_delay_timer_running\":true,\
         \"terminate_delay_timer_running\":false,\"full_command\":false},\
         {\"process\":\"\\/bin\\/x\",\"parameters\":\"a b\",\"param_match\":\"initial\",\
         \"min_processes\":1,\"current_processes\":0,\"have_quorum\":false,\"weight\":0,\
         \"terminate_delay\":0,\"fork_delay\":1.5,\"fork_delay_timer_running\":false,\
         \"terminate_delay_timer_running\":false,\"full_command\":true}]}\n"
    );
}
