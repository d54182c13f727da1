//! What keywords make of each other: inheritance, and the checks of a virtual server as a whole.

use std::rc::Rc;

use config::Mode;
use proptest::prelude::*;

use super::values::{checker, first, read};
use super::{REAL, SERVICE, in_real_server, in_virtual_server, settings, virtual_server};
use crate::settings::{Group, GroupEntry, Identity, Kind, VirtualServer};

/// What a checker gets when these are in the virtual server, the real server, and its own block, each
/// before and behind the blocks in it.
fn inherited(outer: &str, real: &str, own: &str) -> [String; 2] {
    let http = format!("HTTP_GET {{\n{own}\nurl {{\npath /\n}}\n}}");
    let before = format!("real_server 10.0.0.1 80 {{\n{real}\n{http}\n}}");
    let behind = format!("real_server 10.0.0.1 80 {{\n{http}\n{real}\n}}");
    let texts = [format!("{outer}\n{before}"), format!("{behind}\n{outer}")];
    texts.map(|inner| {
        let server = first(&virtual_server("10.9.9.9 80", SERVICE, &inner));
        let checker = &server.real_servers[0].checkers[0];
        let Kind::Http(http) = &checker.kind else { panic!("{checker:?}") };
        let schedule = checker.schedule;
        format!(
            "{:?} {} {:?} {:?} {} {:?} {:?}",
            schedule.delay_loop,
            schedule.retry,
            schedule.delay_before_retry,
            schedule.warmup,
            schedule.alpha,
            checker.connection.as_ref().unwrap().timeout,
            http.host
        )
    })
}

#[test]
fn checkers_inherit_whatever_the_order() {
    let times = |n: u32| {
        format!(
            "delay_loop {n}1\nretry {n}2\ndelay_before_retry {n}3\nwarmup {n}4\n\
             connect_timeout {n}5\nvirtualhost h{n}"
        )
    };
    let (one, two, three) = (times(1), times(2), times(3));
    let both = |outer: &str, real: &str, own: &str, expected: &str| {
        for got in inherited(outer, real, own) {
            assert_eq!(got, expected, "{outer:?} {real:?} {own:?}");
        }
    };
    both("", "", "", "60s 1 3s 60s false 5s None");
    both(&one, "", "", "11s 12 13s 14s false 15s Some(\"h1\")");
    both(&one, &two, "", "21s 22 23s 24s false 25s Some(\"h2\")");
    both(&one, &two, &three, "31s 32 33s 34s false 35s Some(\"h3\")");
    both("", &two, "", "21s 22 23s 24s false 25s Some(\"h2\")");
    both("alpha", "", "", "60s 1 3s 60s true 5s None");
    both("alpha", "alpha no", "", "60s 1 3s 60s false 5s None");
    both("alpha", "alpha no", "alpha yes", "60s 1 3s 60s true 5s None");
    both("delay_loop 9", "", "", "9s 1 3s 9s false 5s None");
}

#[test]
fn real_servers_inherit() {
    let real = |outer: &str, own: &str| {
        let server = virtual_server("10.9.9.9 80", &format!("{SERVICE}{outer}"), "");
        let real = format!("real_server 10.0.0.1 80 {{\n{own}\n}}\n}}");
        first(&(server.trim_end().trim_end_matches('}').to_owned() + &real)).real_servers.remove(0)
    };
    assert_eq!(real("weight 7", "").weight, 7);
    assert_eq!(real("weight 7", "weight 0").weight, 0);
    assert!(real("inhibit_on_failure", "").inhibit);
    assert!(!real("inhibit_on_failure", "inhibit_on_failure no").inhibit);
    assert_eq!(format!("{:?}", real("lb_kind DR", "").forwarding), "Direct");
    let misc = "MISC_CHECK {\nmisc_path /bin/true\ndelay_loop 3\n}";
    let Kind::Misc(misc) = real("delay_loop 8", misc).checkers[0].kind.clone() else { panic!() };
    assert_eq!(misc.timeout.as_secs(), 8, "the virtual server's delay_loop");
}

#[test]
fn the_name_for_the_tls_greeting_is_not_the_real_servers() {
    let with = |outer: &str, own: &str| {
        let http = format!("SSL_GET {{\nenable_sni\n{own}\nurl {{\npath /\n}}\n}}");
        let real = format!("real_server 10.0.0.1 443 {{\nvirtualhost r\n{http}\n}}");
        let server = first(&virtual_server("10.9.9.9 443", &format!("{SERVICE}{outer}"), &real));
        let Kind::Http(http) = server.real_servers[0].checkers[0].kind.clone() else { panic!() };
        format!("{:?} {:?}", http.urls[0].host, http.urls[0].sni)
    };
    assert_eq!(with("", ""), "Some(\"r\") None");
    assert_eq!(with("virtualhost v", ""), "Some(\"r\") Some(\"v\")");
    assert_eq!(with("virtualhost v", "virtualhost c"), "Some(\"c\") Some(\"c\")");
}

#[test]
fn methods_hold_for_what_follows() {
    let real = |n: u32| format!("real_server 10.0.0.{n} 80 {{\n}}\n");
    let text = format!(
        "protocol TCP\nlb_algo rr\n{}lb_kind NAT\n{}sorry_server 10.0.0.9 80\nlb_kind DR\n{}",
        real(1),
        real(2),
        real(3)
    );
    let server = first(&virtual_server("10.9.9.9 80", &text, ""));
    let methods: Vec<_> =
        server.real_servers.iter().map(|real| format!("{:?}", real.forwarding)).collect();
    assert_eq!(methods, ["Direct", "Nat", "Direct"]);
    assert_eq!(format!("{:?}", server.sorry.unwrap().forwarding), "Nat");
}

#[test]
fn global_defaults() {
    let alerts = |globals: &str, own: &str| {
        let text = format!(
            "{}global_defs {{\n{globals}\n}}\n",
            virtual_server(
                "10.9.9.9 80",
                SERVICE,
                &format!("real_server 10.0.0.1 80 {{\n{own}\nTCP_CHECK {{\n}}\n}}")
            )
        );
        let server = first(&text);
        let real = &server.real_servers[0];
        (server.smtp_alert, real.smtp_alert, real.checkers[0].schedule.log_all_failures)
    };
    assert_eq!(alerts("", ""), (false, true, false));
    assert_eq!(alerts("smtp_alert", ""), (true, true, false));
    assert_eq!(alerts("smtp_alert\nsmtp_alert_checker no", ""), (false, false, false));
    assert_eq!(alerts("smtp_alert no", "smtp_alert"), (false, true, false));
    assert_eq!(alerts("checker_log_all_failures", ""), (false, true, true));
    let all = "lvs_timeouts tcp 5 udp 6\nlvs_flush\nlvs_flush_on_stop VS\nlvs_nat_masquerade\n\
               lvs_sync_daemon eth0 inst VI id 3\nnftables_ipvs\nrs_init_notifies\nno_checker_emails";
    let globals = read(&format!("global_defs {{\n{all}\n}}")).globals;
    assert_eq!((globals.timeouts.tcp, globals.timeouts.udp, globals.flush), (5, 6, true));
    assert_eq!(globals.flush_on_stop, crate::FlushOnStop::VirtualServers);
    assert!(globals.nat_masquerade && globals.rs_init_notifies && globals.no_emails);
    assert_eq!(globals.nftables.as_deref(), Some("keepalived_ipvs"));
    assert_eq!(globals.sync_daemon.unwrap().id, Some(3));
}

#[test]
fn the_tls_block() {
    let tls =
        read("SSL {\nkey a\n}\nSSL {\npassword p\nca c\ncertificate d\nkey e\n}").tls.unwrap();
    let texts = [tls.password, tls.ca, tls.certificate, tls.key];
    assert_eq!(texts.map(Option::unwrap), ["p", "c", "d", "e"]);
    assert_eq!(read("").tls, None);
}

fn group(entries: &str) -> Rc<Group> {
    read(&format!("virtual_server_group G {{\n{entries}\n}}\n")).groups.remove(0)
}

#[test]
fn entries_of_groups() {
    let range = |text: &str| match group(text).entries[..] {
        [GroupEntry::Addresses { first, last, port }] => format!("{first} {last} {port}"),
        ref other => panic!("{other:?}"),
    };
    assert_eq!(range("10.1.1.1"), "10.1.1.1 10.1.1.1 0");
    assert_eq!(range("10.1.1.1 80"), "10.1.1.1 10.1.1.1 80");
    assert_eq!(range("10.1.1.1-9 00"), "10.1.1.1 10.1.1.9 0");
    assert_eq!(range("10.1.0.250-10.1.1.5 80"), "10.1.0.250 10.1.1.5 80");
    assert_eq!(range("10.1.0.0/23 80"), "10.1.0.0 10.1.1.255 80");
    assert_eq!(range("10.1.0.4/32 80"), "10.1.0.4 10.1.0.4 80");
    assert_eq!(range("2001:db8::1-ff 80"), "2001:db8::1 2001:db8::ff 80");
    assert_eq!(range("2001:db8::1-2001:db8::1:1 80"), "2001:db8::1 2001:db8::1:1 80");
    assert_eq!(range("2001:db8::/96 80"), "2001:db8:: 2001:db8::ffff:ffff 80");
    assert_eq!(range("2001:db8::7/128"), "2001:db8::7 2001:db8::7 0");
    let marks = group("fwmark 1\nfwmark 4294967295 inet6").entries.clone();
    assert_eq!(marks[0], GroupEntry::Mark { mark: 1, family: None });
    assert_eq!(marks[1], GroupEntry::Mark { mark: u32::MAX, family: Some(ipvs::Family::Inet6) });
}

#[test]
fn virtual_servers_of_a_group_are_numbered() {
    let server = |real: &str| {
        format!("virtual_server group G {{\n{SERVICE}real_server 10.0.0.{real} {{\n}}\n}}\n")
    };
    let text = format!(
        "{}virtual_server group G {{\n}}\n{}virtual_server group H {{\n{SERVICE}{REAL}\n}}\nvirtual_server_group G {{\n10.1.1.1 80\n}}\n",
        server("1"),
        server("2 81")
    );
    let settings = read(&text);
    let names: Vec<_> = settings.virtual_servers.iter().map(|server| &*server.name).collect();
    assert_eq!(names, ["[G]:0", "[G]:2"], "the group H is not there, and one has no real servers");
    let [one, two] = &settings.virtual_servers[..] else { panic!() };
    assert!(
        matches!(&two.identity, Identity::Group(group, 2) if Rc::ptr_eq(group, &settings.groups[0]))
    );
    assert_eq!((one.real_servers[0].port, two.real_servers[0].port), (0, 81), "as written");
    assert_eq!((one.family, one.protocol), (Some(ipvs::Family::Inet), Some(ipvs::Protocol::Tcp)));
}

#[test]
fn groups_and_families() {
    let with = |entries: &str, body: &str| {
        let server = virtual_server("group G", body, "");
        let settings = read(&format!("virtual_server_group G {{\n{entries}\n}}\n{server}"));
        settings.virtual_servers.first().map(|v| (v.family, v.protocol, v.persistence))
    };
    let four = Some(ipvs::Family::Inet);
    let nat = "real_server 10.0.0.1 80 {\n}";
    let tunnel = "lb_kind TUN\nreal_server 10.0.0.1 80 {\n}";
    let udp = Some(ipvs::Protocol::Udp);
    assert_eq!(with("fwmark 1", nat), Some((four, None, 0)));
    assert_eq!(with("fwmark 1", &format!("protocol TCP\n{nat}")), Some((four, None, 0)));
    assert_eq!(with("fwmark 1", tunnel), Some((four, None, 0)));
    assert_eq!(with("fwmark 1 inet6", tunnel), Some((Some(ipvs::Family::Inet6), None, 0)));
    assert_eq!(with("10.1.1.1 80\n2001:db8::1 80", tunnel), Some((None, udp, 0)));
    assert_eq!(with("10.1.1.1", nat), Some((four, udp, 360)));
    assert_eq!(with("2001:db8::1 80", nat), None);
}

#[test]
fn the_family_of_a_mark_is_that_of_all_its_servers() {
    let with = |servers: &[&str]| {
        let real = |ip: &&str| format!("real_server {ip} {{\n}}\n");
        let real: String = servers.iter().map(real).collect();
        first(&virtual_server("fwmark 5", "lb_kind TUN", &real)).family
    };
    assert_eq!(with(&["fd00::1", "fd00::2"]), Some(ipvs::Family::Inet6));
    assert_eq!(with(&["fd00::1", "10.0.0.1"]), Some(ipvs::Family::Inet));
    assert_eq!(with(&["10.0.0.1", "fd00::1"]), Some(ipvs::Family::Inet));
    let sorry = "lb_kind TUN\nsorry_server 10.0.0.9\nreal_server fd00::1 {\n}";
    assert_eq!(first(&virtual_server("fwmark 5", sorry, "")).family, Some(ipvs::Family::Inet));
}

/// What each check makes of a virtual server.
#[test]
fn virtual_servers_as_a_whole() {
    let whole = |head: &str, body: &str| first(&virtual_server(head, body, ""));
    let plain = |body: &str| whole("10.9.9.9 80", body);
    let ports = |server: &VirtualServer| -> Vec<u16> {
        server.real_servers.iter().map(|real| real.port).collect()
    };
    let real = "real_server 10.0.0.1 80 {\n}\n";
    let odd = "real_server 10.0.0.1 81 {\n}\n";
    let portless = "real_server 10.0.0.1 {\n}\n";

    assert!(read("virtual_server 10.9.9.9 80 {\n}").virtual_servers.is_empty());
    assert!(!whole("fwmark 5", &format!("ha_suspend\n{real}")).ha_suspend);
    assert_eq!(plain(real).protocol, Some(ipvs::Protocol::Udp));
    assert_eq!(plain(&format!("protocol TCP\nops\n{real}")).flags, 0);
    assert_eq!(whole("fwmark 5", &format!("ops\n{real}")).flags, 4);
    assert_eq!(whole("10.9.9.9", real).persistence, 360);
    assert_eq!(whole("10.9.9.9", &format!("persistence_timeout 9\n{real}")).persistence, 9);
    assert_eq!(whole("fwmark 5", &format!("protocol TCP\n{real}")).protocol, None);
    assert_eq!(plain(real).scheduler, "wlc");
    assert_eq!(plain(&format!("{real}{real}{odd}")).real_servers.len(), 2);
    assert_eq!(format!("{:?}", plain(real).forwarding), "Nat");

    let sorry =
        plain(&format!("inhibit_on_failure\nsorry_server 10.0.0.1 80\n{real}")).sorry.unwrap();
    assert!(sorry.inhibit);
    let sorry =
        plain(&format!("sorry_server 10.0.0.1 80\nsorry_server_inhibit\n{real}")).sorry.unwrap();
    assert!(!sorry.inhibit);

    let quorum = |body: &str| {
        let server = plain(&format!("{body}\n{real}"));
        (server.quorum, server.hysteresis)
    };
    assert_eq!(quorum("quorum 9\nweight 4"), (4, 0));
    assert_eq!(quorum("quorum 3\nweight 4\nhysteresis 3"), (3, 2));
    assert_eq!(quorum("quorum 0"), (1, 0));
    let weightless = plain("real_server 10.0.0.1 80 {\nweight 0\n}");
    assert_eq!((weightless.quorum, weightless.hysteresis), (0, u32::MAX));

    assert_eq!(ports(&plain(portless)), [80]);
    assert_eq!(ports(&plain(odd)), [81]);
    assert_eq!(ports(&plain(&format!("lb_kind DR\n{odd}"))), [80]);
    assert_eq!(ports(&plain(&format!("lb_kind TUN\n{portless}"))), [80]);
    assert_eq!(ports(&whole("fwmark 5", odd)), [81]);
    assert_eq!(ports(&whole("fwmark 5", &format!("lb_kind DR\n{odd}"))), [0]);
    assert_eq!(ports(&whole("fwmark 5", portless)), [0]);
    let same = plain(&format!("quorum 2\nlb_kind DR\n{odd}{real}"));
    assert_eq!((ports(&same), same.quorum), (vec![80], 1), "the same by now");

    let sorry = |head: &str, body: &str| {
        let sorry = whole(head, &format!("{body}\n{real}")).sorry.unwrap();
        (sorry.port, sorry.name.to_string())
    };
    assert_eq!(sorry("10.9.9.9 80", "lb_kind DR\nsorry_server 10.0.0.9 81").0, 80);
    assert_eq!(sorry("10.9.9.9 80", "sorry_server 10.0.0.9 81").0, 81);
    let marked = sorry("fwmark 5", "lb_kind DR\nsorry_server 10.0.0.9 81");
    assert_eq!(marked, (0, "[10.0.0.9]:none:0".into()));
}

#[test]
fn masks_for_masquerading() {
    let mask = |globals: &str, body: &str| {
        let server = in_virtual_server(body);
        let (loaded, settings) =
            settings(&format!("{server}global_defs {{\n{globals}\n}}\n"), Mode::Test);
        let said = loaded.diagnostics.iter().any(|d| d.message.contains("nat_mask"));
        (settings.virtual_servers[0].nat_mask, said, config::exit_status(&loaded.diagnostics))
    };
    let given = "nat_mask 255.255.255.0";
    assert_eq!(mask("lvs_nat_masquerade", given), (Some(0xffff_ff00), false, 0));
    assert_eq!(mask("", given), (None, true, 0));
    assert_eq!(mask("lvs_nat_masquerade", "nat_mask 255.255.255.0\nlb_kind DR"), (None, true, 0));
    assert_eq!(mask("lvs_nat_masquerade", "nat_mask x"), (None, true, 5));
}

#[test]
fn scripts_are_found_once_or_not_used() {
    let misc = |path: &str| format!("MISC_CHECK {{\nmisc_path {path}\n}}\n");
    let server = first(&in_real_server(&format!(
        "{}{}{}notify_up /bin/true\nnotify_down /nonexistent",
        misc("/bin/true"),
        misc("/nonexistent"),
        misc("/bin/true")
    )));
    let real = &server.real_servers[0];
    let scripts: Vec<_> = real
        .checkers
        .iter()
        .map(|checker| match &checker.kind {
            Kind::Misc(misc) => Rc::clone(&misc.script),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(scripts.len(), 2, "the server goes on without the script that is not there");
    assert!(Rc::ptr_eq(&scripts[0], &scripts[1]));
    assert!(Rc::ptr_eq(&scripts[0], real.notify_up.as_ref().unwrap()));
    assert_eq!(real.notify_down, None);
    let nobody = in_real_server("MISC_CHECK {\nmisc_path /bin/true\nuser no_such_user\n}");
    assert!(first(&nobody).real_servers[0].checkers.is_empty());
    let quorum = server_scripts("quorum_up /bin/true\nquorum_down '/bin/true a'");
    assert_eq!(quorum, ["/bin/true", "/bin/true a"]);
}

fn server_scripts(body: &str) -> Vec<String> {
    let server = first(&in_virtual_server(body));
    [server.quorum_up, server.quorum_down].into_iter().flatten().map(|s| s.text.clone()).collect()
}

#[test]
fn equal_things_are_one() {
    let url = "url {\npath /a\nregex x\nregex_options utf\n}";
    let real = |n: u32| {
        format!("real_server 10.0.0.{n} 80 {{\nvirtualhost h\nHTTP_GET {{\n{url}\n{url}\n}}\n}}\n")
    };
    let server = first(&virtual_server("10.9.9.9 80", SERVICE, &(real(1) + &real(2))));
    let [one, two] = &server.real_servers[..] else { panic!() };
    assert!(Rc::ptr_eq(&one.shown, &two.shown));
    let (Kind::Http(one), Kind::Http(two)) = (&one.checkers[0].kind, &two.checkers[0].kind) else {
        panic!()
    };
    assert!(Rc::ptr_eq(one, two));
    assert!(Rc::ptr_eq(&one.urls[0].path, &two.urls[1].path));
    assert!(Rc::ptr_eq(one.host.as_ref().unwrap(), two.urls[0].host.as_ref().unwrap()));
    assert!(Rc::ptr_eq(one.urls[0].regex.as_ref().unwrap(), two.urls[1].regex.as_ref().unwrap()));
}

const WORDS: &[&str] = &[
    "virtual_server",
    "virtual_server_group",
    "real_server",
    "group",
    "fwmark",
    "G",
    "10.0.0.1",
    "10.0.0.1-9",
    "fd00::/64",
    "fe80::1",
    "80",
    "0",
    "4294967295",
    "-1",
    "x",
    "{",
    "}",
    "\n",
    "\n",
    "lb_kind",
    "TUN",
    "type",
    "gue",
    "port",
    "NAT",
    "quorum",
    "hysteresis",
    "weight",
    "SMTP_CHECK",
    "host",
    "connect_ip",
    "UDP_CHECK",
    "payload",
    "require_reply",
    "é",
    "a1x",
    "HTTP_GET",
    "url",
    "path",
    "digest",
    "status_code",
    "100-599",
    "regex",
    "regex_options",
    "utf",
    "DNS_CHECK",
    "name",
    "..",
    "sorry_server",
    "persistence_granularity",
    "nat_mask",
    "1.2.3",
    "FILE_CHECK",
    "track_file",
    "BFD_CHECK",
    "bfd_instance",
    "SSL",
    "key",
    "\"\"",
    "protocol",
    "udp",
    "ops",
];

proptest! {
    #[test]
    fn no_text_panics(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        read(&words.join(" "));
    }

    #[test]
    fn no_words_in_a_checker_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..20)) {
        let body = words.join(" ");
        read(&in_real_server(&format!("UDP_CHECK {{\n{body}\n}}")));
        read(&in_virtual_server(&body));
    }
}

#[test]
fn a_checker_of_an_unknown_name_is_dropped() {
    let body = "FILE_CHECK {\ntrack_file nowhere\n}\nBFD_CHECK {\nname nowhere\n}\nTCP_CHECK {\n}";
    assert_eq!(checker(body).kind, Kind::Tcp);
}
