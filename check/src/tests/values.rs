//! One keyword each, and where its value is kept.

use std::fmt::Debug;
use std::rc::Rc;

use config::Mode;

use super::{REAL, SERVICE, in_real_server, in_virtual_server, settings, virtual_server};
use crate::settings::{
    Arguments, CheckerSettings, HttpSettings, Kind, Method, RealServer, ScriptLine, StatusRange,
    Url, VirtualServer,
};
use crate::{Settings, dns_type_name};

pub(super) fn read(text: &str) -> Settings {
    settings(text, Mode::Start).1
}

#[track_caller]
pub(super) fn first(text: &str) -> VirtualServer {
    read(text).virtual_servers.into_iter().next().expect(text)
}

#[track_caller]
fn server(body: &str) -> VirtualServer {
    first(&in_virtual_server(body))
}

#[track_caller]
fn real(body: &str) -> RealServer {
    first(&in_real_server(body)).real_servers.into_iter().next().expect(body)
}

#[track_caller]
pub(super) fn checker(body: &str) -> Rc<CheckerSettings> {
    real(body).checkers.into_iter().next().expect(body)
}

fn show(value: impl Debug) -> String {
    format!("{value:?}")
}

/// What the keywords are put into, a field of what comes out, and its text.
type Case<T> = (&'static str, fn(&T) -> String, &'static str);

#[track_caller]
fn each<T>(of: impl Fn(&str) -> T, cases: &[Case<T>]) {
    for (body, field, expected) in cases {
        assert_eq!(field(&of(body)), *expected, "{body}");
    }
}

#[test]
fn virtual_servers() {
    each(
        server,
        &[
            ("", |v| show(v.delay_loop), "60s"),
            ("delay_loop .5", |v| show(v.delay_loop), "500ms"),
            ("", |v| show((v.retry, v.delay_before_retry, v.warmup)), "(None, None, None)"),
            ("retry 7", |v| show(v.retry), "Some(7)"),
            ("delay_before_retry 2", |v| show(v.delay_before_retry), "Some(2s)"),
            ("warmup 0", |v| show(v.warmup), "Some(0ns)"),
            ("", |v| show(v.connect_timeout), "5s"),
            ("connect_timeout 4294.967295", |v| show(v.connect_timeout), "4294.967295s"),
            ("connect_timeout 0", |v| show(v.connect_timeout), "5s"),
            ("inhibit_on_failure", |v| show(v.inhibit), "true"),
            ("lb_algo mh", |v| show(v.scheduler), "\"mh\""),
            ("lvs_sched twos", |v| show(v.scheduler), "\"twos\""),
            ("lb_algo zz", |v| show(v.scheduler), "\"rr\""),
            ("", |v| show(v.flags), "0"),
            ("protocol udp\nops", |v| show(v.flags), "4"),
            ("flag-1\nflag-2\nflag-3", |v| show(v.flags), "56"),
            ("lb_algo sh\nsh-port", |v| show(v.flags), "16"),
            ("lb_algo sh\nsh-fallback", |v| show(v.flags), "8"),
            ("lb_algo mh\nmh-port", |v| show(v.flags), "16"),
            ("lb_algo mh\nmh-fallback", |v| show(v.flags), "8"),
            ("lb_algo mh\nsh-port", |v| show(v.flags), "0"),
            ("sh-port\nlb_algo sh", |v| show(v.flags), "0"),
            ("lb_kind DR", |v| show(v.forwarding), "Direct"),
            (
                "lvs_method TUN type gue port 6080 remcsum",
                |v| show(v.forwarding),
                "Tunnel(Gue(6080), Remote)",
            ),
            ("persistence_engine sip", |v| show(&v.engine), "Some(\"sip\")"),
            ("", |v| show(v.persistence), "0"),
            ("persistence_timeout", |v| show(v.persistence), "360"),
            ("persistence_timeout 50", |v| show(v.persistence), "50"),
            ("persistence_timeout 0", |v| show(v.persistence), "0"),
            (
                "persistence_granularity 255.255.255.0",
                |v| show((v.granularity, v.persistence)),
                "(Some(4294967040), 360)",
            ),
            (
                "persistence_granularity 255.255.255.0\npersistence_timeout 50",
                |v| show(v.persistence),
                "50",
            ),
            (
                "persistence_timeout 50\npersistence_granularity 255.255.255.0",
                |v| show(v.persistence),
                "50",
            ),
            ("protocol Sctp", |v| show(v.protocol), "Some(Sctp)"),
            ("ha_suspend", |v| show(v.ha_suspend), "true"),
            ("", |v| show(v.smtp_alert), "false"),
            ("smtp_alert", |v| show(v.smtp_alert), "true"),
            ("virtualhost a", |v| show(&v.virtualhost), "Some(\"a\")"),
            ("snmp_name a", |v| show(&v.snmp_name), "Some(\"a\")"),
            ("snmp_name a b", |v| show(&v.snmp_name), "None"),
            ("alpha no", |v| show(v.alpha), "true"),
            ("omega", |v| show(v.omega), "true"),
            ("weight 5\nquorum 3\nhysteresis 2", |v| show((v.quorum, v.hysteresis)), "(3, 2)"),
            ("weight 5", |v| show(v.real_servers[0].weight), "5"),
            ("", |v| show(&v.sorry), "None"),
            (
                "sorry_server 10.0.0.9 81",
                |v| show(v.sorry.as_ref().map(|s| (&*s.name, s.port, s.forwarding, s.inhibit))),
                "Some((\"[10.0.0.9]:tcp:81\", 81, Nat, false))",
            ),
            (
                "sorry_server 10.0.0.9\nsorry_server_inhibit\nsorry_server_lvs_method TUN type gre csum",
                |v| show(v.sorry.as_ref().map(|s| (&*s.name, s.forwarding, s.inhibit))),
                "Some((\"[10.0.0.9]:tcp:80\", Tunnel(Gre, Full), true))",
            ),
            (
                "sorry_server 10.0.0.8 80\nsorry_server 10.0.0.9 80",
                |v| show(v.sorry.as_ref().map(|s| s.address)),
                "Some(10.0.0.9)",
            ),
        ],
    );
}

#[test]
fn heads_and_names() {
    let head = |head: &str| first(&virtual_server(head, SERVICE, REAL));
    let both = |v: &VirtualServer| format!("{} {}", v.name, v.real_servers[0].name);
    each(
        head,
        &[
            ("10.9.9.9 80", both, "[10.9.9.9]:tcp:80 [10.0.0.1]:tcp:80"),
            ("10.9.9.9", both, "[10.9.9.9]:tcp:0 [10.0.0.1]:tcp:80"),
            ("fwmark 5", both, "FWM 5 [10.0.0.1]:none:80"),
            ("10.9.9.9 80", |v| show(v.family), "Some(Inet)"),
            ("fwmark 5", |v| show((v.family, v.protocol)), "(Some(Inet), None)"),
            ("10.9.9.9 80", |v| show(&v.identity), "Address(10.9.9.9, 80)"),
            ("fwmark 5", |v| show(&v.identity), "Mark(5)"),
        ],
    );
    let six = "virtual_server fd00::1 53 {\nprotocol UDP\nreal_server fd00::2 {\n}\n}";
    assert_eq!(both(&first(six)), "[fd00::1]:udp:53 [fd00::2]:udp:53");
    let tunnelled =
        "virtual_server fwmark 7 {\nip_family inet6\nlb_kind TUN\nreal_server 10.0.0.1 {\n}\n}";
    assert_eq!(show(first(tunnelled).family), "Some(Inet6)");
    let unknown = "virtual_server fwmark 7 {\nlb_kind TUN\nreal_server fd00::1 {\n}\n}";
    assert_eq!(show(first(unknown).family), "Some(Inet6)");
}

#[test]
fn real_servers() {
    each(
        real,
        &[
            ("", |r| show((r.address, r.port, r.weight)), "(10.0.0.1, 80, 1)"),
            ("weight 0", |r| show(r.weight), "0"),
            ("lvs_method TUN", |r| show(r.forwarding), "Tunnel(Ipip, None)"),
            ("lvs_method zz", |r| show(r.forwarding), "Nat"),
            (
                "lvs_method TUN type gue port 9\nlvs_method TUN type zz",
                |r| show(r.forwarding),
                "Tunnel(Gue(9), None)",
            ),
            (
                "uthreshold 9\nlthreshold 3",
                |r| show((r.lower_threshold, r.upper_threshold)),
                "(3, 9)",
            ),
            ("inhibit_on_failure", |r| show(r.inhibit), "true"),
            ("", |r| show(r.smtp_alert), "true"),
            ("smtp_alert no", |r| show(r.smtp_alert), "false"),
            ("alpha", |r| show(r.shown.alpha), "true"),
            ("retry 3", |r| show(r.shown.retry), "Some(3)"),
            ("delay_before_retry 0", |r| show(r.shown.delay_before_retry), "Some(0ns)"),
            ("warmup 4", |r| show(r.shown.warmup), "Some(4s)"),
            ("connect_timeout 2", |r| show(r.shown.connect_timeout), "2s"),
            ("delay_loop 6", |r| show(r.shown.delay_loop), "6s"),
            ("virtualhost a", |r| show(&r.shown.virtualhost), "Some(\"a\")"),
            ("snmp_name a", |r| show(&r.shown.snmp_name), "Some(\"a\")"),
            ("", |r| show(r.checkers.len()), "0"),
            (
                "TCP_CHECK {\n}\nPING_CHECK {\n}\nTCP_CHECK {\n}",
                |r| show(r.checkers.iter().map(|c| c.kind.keyword()).collect::<Vec<_>>()),
                "[\"TCP_CHECK\", \"PING_CHECK\", \"TCP_CHECK\"]",
            ),
        ],
    );
}

#[test]
fn what_connecting_checkers_have_in_common() {
    let tcp =
        |body: &str| checker(&format!("TCP_CHECK {{\n{body}\n}}")).connection.clone().unwrap();
    fn from(c: &crate::settings::Connection) -> crate::settings::Origin {
        c.origin.as_deref().cloned().unwrap_or_default()
    }
    each(
        tcp,
        &[
            ("", |c| show((c.target, &c.origin, c.timeout)), "(10.0.0.1:80, None, 5s)"),
            ("connect_ip 10.0.0.7\nconnect_port 81", |c| show(c.target), "10.0.0.7:81"),
            ("connect_ip fd00::1", |c| show(c.target), "[fd00::1]:80"),
            ("connect_port 0", |c| show(c.target), "10.0.0.1:80"),
            ("bindto 10.0.0.3", |c| show(from(c).bind), "Some(10.0.0.3:0)"),
            ("bind_port 99\nbindto 10.0.0.3", |c| show(from(c).bind), "Some(10.0.0.3:99)"),
            ("bind_port 99", |c| show(&c.origin), "None"),
            ("bindto fd00::1", |c| show(&c.origin), "None"),
            ("bind_if lo", |c| show(from(c).interface), "Some(\"lo\")"),
            ("fwmark 4294967295", |c| show(from(c).mark), "4294967295"),
            ("connect_timeout 1.5", |c| show(c.timeout), "1.5s"),
        ],
    );
    let without_port = "real_server 10.0.0.1 {\nTCP_CHECK {\n}\n}";
    let server = first(&virtual_server("10.9.9.9 80", SERVICE, without_port));
    let real = &server.real_servers[0];
    let target = real.checkers[0].connection.as_ref().unwrap().target;
    assert_eq!((real.port, target.port()), (80, 0), "the port as written");
    let link_local = self::real("TCP_CHECK {\nconnect_ip fe80::1\n}");
    assert_eq!(link_local.checkers.len(), 0, "it cannot work");
}

#[test]
fn schedules() {
    let all = |c: &Rc<CheckerSettings>| {
        let s = c.schedule;
        show((s.delay_loop, s.retry, s.delay_before_retry, s.warmup, s.alpha, s.log_all_failures))
    };
    each(
        checker,
        &[
            ("TCP_CHECK {\n}", all, "(60s, 1, 1s, 60s, false, false)"),
            ("UDP_CHECK {\n}", all, "(60s, 1, 1s, 60s, false, false)"),
            ("PING_CHECK {\n}", all, "(60s, 1, 1s, 60s, false, false)"),
            ("SMTP_CHECK {\n}", all, "(60s, 1, 1s, 60s, false, false)"),
            ("DNS_CHECK {\ndelay_loop 7\n}", all, "(7s, 3, 7s, 7s, false, false)"),
            ("MISC_CHECK {\nmisc_path /bin/true\n}", all, "(60s, 0, 1s, 60s, false, false)"),
            ("HTTP_GET {\nurl {\npath /\n}\n}", all, "(60s, 1, 3s, 60s, false, false)"),
            (
                "TCP_CHECK {\nretry 0\ndelay_before_retry 2\nwarmup 0\ndelay_loop 4\nalpha\nlog_all_failures\n}",
                all,
                "(4s, 0, 2s, 0ns, true, true)",
            ),
            ("SSL_GET {\nnb_get_retry 4\nurl {\npath /\n}\n}", |c| show(c.schedule.retry), "4"),
        ],
    );
}

fn kind(body: &str) -> Kind {
    checker(body).kind.clone()
}

#[test]
fn checkers_of_their_own_kind() {
    let misc = |k: &Kind| match k {
        Kind::Misc(m) => show((&m.script.text, m.script.uid, m.timeout, m.dynamic)),
        _ => String::new(),
    };
    let udp = |k: &Kind| match k {
        Kind::Udp(u) => show((&u.payload, u.require_reply, &u.reply, u.min_length, u.max_length)),
        _ => String::new(),
    };
    each(
        kind,
        &[
            ("SMTP_CHECK {\n}", |k| show(k), "Smtp(\"smtpchecker.keepalived.org\")"),
            ("SMTP_CHECK {\nhelo_name \"a b\"\n}", |k| show(k), "Smtp(\"a b\")"),
            ("DNS_CHECK {\n}", |k| show(k), "Dns(DnsSettings { kind: 6, name: \"\" })"),
            (
                "DNS_CHECK {\ntype aaaa\nname a.example.\n}",
                |k| show(k),
                "Dns(DnsSettings { kind: 28, name: \"a.example\" })",
            ),
            ("DNS_CHECK {\nname .\n}", |k| show(k), "Dns(DnsSettings { kind: 6, name: \"\" })"),
            (
                "DNS_CHECK {\nname a\nname b\n}",
                |k| show(k),
                "Dns(DnsSettings { kind: 6, name: \"a\" })",
            ),
            (
                "MISC_CHECK {\nmisc_path \"/bin/true a\"\nuser root\n}",
                misc,
                "(\"/bin/true a\", 0, 60s, false)",
            ),
            (
                "MISC_CHECK {\nmisc_path /bin/true\nuser root\nmisc_timeout 9\nmisc_dynamic\n}",
                misc,
                "(\"/bin/true\", 0, 9s, true)",
            ),
            ("UDP_CHECK {\n}", udp, "(None, false, None, 0, 255)"),
            (
                "UDP_CHECK {\npayload Ab12f 3 456\n}",
                udp,
                "(Some([171, 18, 15, 3, 69, 6]), false, None, 0, 255)",
            ),
            ("UDP_CHECK {\npayload 1 0x\n}", udp, "(None, false, None, 0, 255)"),
            (
                "UDP_CHECK {\nrequire_reply\nmin_reply_length 3\nmax_reply_length 9\n}",
                udp,
                "(None, true, None, 3, 9)",
            ),
            (
                "UDP_CHECK {\nrequire_reply 1x2 xX F\n}",
                udp,
                "(None, true, Some(([16, 2, 0, 15], [240, 255, 0, 255])), 0, 255)",
            ),
            (
                "UDP_CHECK {\nrequire_reply \"12 3\" 4\n}",
                udp,
                "(None, true, Some(([18, 3, 4], [255, 255, 255])), 0, 255)",
            ),
            ("PING_CHECK {\n}", |k| show(k), "Ping"),
            ("TCP_CHECK {\n}", |k| show(k), "Tcp"),
        ],
    );
    let file = |body: &str| {
        let files =
            "track_file F {\nfile /tmp/f\nweight -7 reverse\n}\ntrack_file G {\nfile /tmp/g\n}\n";
        let settings =
            read(&format!("{files}{}", in_real_server(&format!("FILE_CHECK {{\n{body}\n}}"))));
        let followed: Vec<_> = settings.files.iter().map(|file| file.name.as_str()).collect();
        match &settings.virtual_servers[0].real_servers[0].checkers[0].kind {
            Kind::File(file) => show((&file.file.path, file.weight, file.reverse, followed)),
            _ => String::new(),
        }
    };
    assert_eq!(file("track_file F"), "(\"/tmp/f\", -7, true, [\"F\"])");
    assert_eq!(file("track_file F\nweight 3 noreverse"), "(\"/tmp/f\", 3, false, [\"F\"])");
    assert_eq!(
        file("track_file G\nweight -2147483647 reverse"),
        "(\"/tmp/g\", -2147483647, true, [\"G\"])"
    );
    assert_eq!(file("track_file F\nweight 3"), "(\"/tmp/f\", 3, false, [\"F\"])");
    assert_eq!(file("track_file G"), "(\"/tmp/g\", 1, false, [\"G\"])");
    let bfd = read(&format!(
        "bfd_instance B {{\n}}\n{}",
        in_real_server("BFD_CHECK {\nname B\nalpha\n}")
    ));
    let bfd = &bfd.virtual_servers[0].real_servers[0].checkers[0];
    assert_eq!((show(&bfd.kind), bfd.schedule.alpha), ("Bfd(\"B\")".into(), true));
}

#[test]
fn web_checkers() {
    let ssl = |body: &str| -> HttpSettings {
        match kind(&format!("SSL_GET {{\nurl {{\npath /\n}}\n{body}\n}}")) {
            Kind::Http(http) => Rc::unwrap_or_clone(http),
            other => panic!("{other:?}"),
        }
    };
    each(
        ssl,
        &[
            (
                "",
                |h| show((h.tls, h.protocol, &h.host, h.sni, h.fast_recovery)),
                "(true, Http10, None, false, false)",
            ),
            ("http_protocol 1.0c", |h| show(h.protocol), "Http10Close"),
            ("http_protocol 1.1", |h| show(h.protocol), "Http11"),
            ("http_protocol 2", |h| show(h.protocol), "Http10"),
            ("virtualhost a", |h| show((&h.host, &h.urls[0].host)), "(Some(\"a\"), Some(\"a\"))"),
            ("enable_sni\nvirtualhost a", |h| show((h.sni, &h.urls[0].sni)), "(true, Some(\"a\"))"),
            ("virtualhost a", |h| show((h.sni, &h.urls[0].sni)), "(false, None)"),
            (
                "sni_name b\nvirtualhost a",
                |h| show((h.sni, &h.sni_name, &h.urls[0].sni)),
                "(true, Some(\"b\"), Some(\"b\"))",
            ),
            (
                "sni_name\nvirtualhost a",
                |h| show((h.sni, &h.sni_name, &h.urls[0].sni)),
                "(true, None, Some(\"a\"))",
            ),
            ("fast_recovery", |h| show(h.fast_recovery), "true"),
            ("tls_compliant", |h| show(h.urls[0].tls_compliant), "true"),
            (
                "url {\npath /b\n}\nurl {\n}",
                |h| show(h.urls.iter().map(|u| &u.path).collect::<Vec<_>>()),
                "[\"/\", \"/b\"]",
            ),
        ],
    );
    each::<Url>(
        |body: &str| match kind(&format!(
            "HTTP_GET {{\nvirtualhost c\nurl {{\npath /a\n{body}\n}}\n}}"
        )) {
            Kind::Http(http) => http.urls[0].clone(),
            other => panic!("{other:?}"),
        },
        &[
            (
                "",
                |u| show((&u.path, &u.host, &u.status, &u.digest, &u.regex)),
                "(\"/a\", Some(\"c\"), [(200, 299)], None, None)",
            ),
            ("virtualhost d", |u| show(&u.host), "Some(\"d\")"),
            (
                "status_code 404\nstatus_code 200-250 251 249-252 x 300",
                |u| show(&u.status),
                "[(200, 252), (300, 300), (404, 404)]",
            ),
            ("tls_compliant", |u| show(u.tls_compliant), "true"),
            (
                "digest 000102030405060708090a0b0c0D0E0f",
                |u| show(u.digest),
                "Some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])",
            ),
            ("digest +00102030405060708090a0b0c0D0E0f", |u| show(u.digest), "None"),
            ("regex_no_match", |u| show(&u.regex), "None"),
            (
                "regex \"a b\"",
                |u| {
                    show(
                        u.regex
                            .as_ref()
                            .map(|r| (&r.pattern, r.no_match, r.min_offset, r.max_offset, r.stack)),
                    )
                },
                "Some((\"a b\", false, 0, None, None))",
            ),
            (
                r#"regex '"a\\d \( b'"#,
                |u| u.regex.as_ref().map_or(String::new(), |r| r.pattern.clone()),
                r#""a\d ( b"#,
            ),
            (
                "regex a\nregex b c\nregex b\\",
                |u| show(u.regex.as_ref().map(|r| &r.pattern)),
                "Some(\"a\")",
            ),
            (
                "regex a\nregex_no_match\nregex_min_offset 1\nregex_max_offset 2\nregex_stack 3 4",
                |u| {
                    show(
                        u.regex.as_ref().map(|r| (r.no_match, r.min_offset, r.max_offset, r.stack)),
                    )
                },
                "Some((true, 1, Some(2), Some((3, 4))))",
            ),
            (
                "regex a\nregex_options utf foo\nregex_options caseless",
                |u| u.regex.as_ref().map_or(String::new(), |r| r.options_text()),
                "caseless utf",
            ),
            (
                "regex a\nregex_min_offset 3\nregex_max_offset 2",
                |u| show(u.regex.as_ref().map(|r| (r.min_offset, r.max_offset))),
                "Some((0, None))",
            ),
            ("regex a\nregex_stack 2 1", |u| show(u.regex.as_ref().map(|r| r.stack)), "Some(None)"),
        ],
    );
}

#[test]
fn further_hosts_of_smtp_checkers() {
    let targets = |body: &str| -> Vec<String> {
        let all = real(&format!("SMTP_CHECK {{\nhelo_name h\nretry 4\n{body}\n}}")).checkers;
        let one = |c: &Rc<CheckerSettings>| {
            assert_eq!((show(&c.kind), c.schedule.retry), ("Smtp(\"h\")".into(), 4));
            let connection = c.connection.as_ref().unwrap();
            format!("{} {:?}", connection.target, connection.timeout)
        };
        all.iter().map(one).collect()
    };
    assert_eq!(targets(""), ["10.0.0.1:80 5s"]);
    assert_eq!(targets("host {\n}"), ["10.0.0.1:80 5s"]);
    assert_eq!(targets("host {\nconnect_port 25\n}"), ["10.0.0.1:25 5s"]);
    assert_eq!(
        targets("connect_ip 10.0.0.7\nhost {\nconnect_port 25\n}\nhost {\nconnect_timeout 1\n}"),
        ["10.0.0.7:80 5s", "10.0.0.1:25 5s", "10.0.0.1:80 1s"]
    );
    assert_eq!(
        targets("connect_timeout 2\nhost {\nconnect_port 25\n}"),
        ["10.0.0.1:80 2s", "10.0.0.1:25 2s"]
    );
}

#[test]
fn words_of_dumps() {
    let method = |text: &str| Method(server(&format!("lb_kind {text}")).forwarding).to_string();
    assert_eq!(method("NAT"), "NAT");
    assert_eq!(method("DR"), "DR");
    assert_eq!(method("TUN"), "TUN, type = IPIP");
    assert_eq!(method("TUN type gue port 6080"), "TUN, type = GUE, port = 6080, no checksum");
    assert_eq!(method("TUN type gre csum"), "TUN, type = GRE, checksum");
    let script = notify::Script {
        argv: vec!["/a".into(), "b c".into()],
        text: "/a 'b c'".into(),
        uid: 1,
        gid: 2,
        groups: None,
    };
    assert_eq!(ScriptLine(&script).to_string(), "/a, params = '/a' 'b c', uid:gid 1:2");
    assert_eq!(Arguments(&script.argv).to_string(), "'/a' 'b c'");
    assert_eq!(StatusRange((200, 299)).to_string(), "200-299");
    assert_eq!(StatusRange((302, 302)).to_string(), "302");
    assert_eq!((dns_type_name(48), dns_type_name(3)), (Some("DNSKEY"), None));
}
