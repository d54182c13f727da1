//! One defect each, and what a configuration test makes of it.

mod settled;
mod values;

use config::{
    Args, Context, Grammar, Keyword, Loaded, Mode, Options, Row, Source, Table, check, exit_status,
    read,
};

use crate::{Draft, GLOBAL, ROOT, Settings};

const fn row(keyword: Keyword) -> Row<()> {
    Row::new(keyword, check)
}

/// What others declare beside us.
static OTHERS: Table<()> = Table::new(&[
    row(Keyword::new("global_defs", Args::Flag, "").block(&[&GLOBAL, &notify::GLOBALS])),
    row(Keyword::new("track_file", Args::Word { max: 0 }, "").block(&[&FILE])),
    row(Keyword::new("bfd_instance", Args::Word { max: 0 }, "").block(&[&BFD])),
]);
static FILE: Table<()> = Table::new(&[
    row(Keyword::new("file", Args::Word { max: 0 }, "")),
    row(Keyword::new("weight", Args::Free(""), "")),
    row(Keyword::new("init_file", Args::Free(""), "")),
]);
static BFD: Table<()> = Table::new(&[
    row(Keyword::new("vrrp", Args::Flag, "")),
    row(Keyword::new("checker", Args::Flag, "")),
]);
static LEVEL: &[&dyn Grammar] = &[&ROOT, &OTHERS];

/// All of what reading `text` yields.
pub(crate) fn settings(text: &str, mode: Mode) -> (Loaded, Settings) {
    let source = Source::FromMemory { name: "k.conf".into(), bytes: text.into() };
    let mut options = Options::new(source, LEVEL);
    options.mode = mode;
    let mut loaded = read(options);
    let mut ctx = Context { diagnostics: &mut loaded.diagnostics, mode };
    config::note_effects(&loaded.lines, &loaded.sources, &mut ctx);
    let mut draft = Draft::new();
    let mut notify = notify::Settings::default();
    for line in &loaded.lines {
        draft.apply(line, &mut ctx);
        for line in line.lines().iter().filter(|_| line.name() == "global_defs") {
            notify::GLOBALS.apply(&mut notify, line, &mut ctx);
        }
    }
    let settings = draft.finish(&notify, &mut ctx);
    (loaded, settings)
}

/// Exit status of a configuration test, and the messages that count.
fn test(text: &str) -> (i32, Vec<String>) {
    let (loaded, _) = settings(text, Mode::Test);
    let status = match loaded.fatal {
        Some(fatal) => fatal.exit_status(Mode::Test),
        None => exit_status(&loaded.diagnostics),
    };
    let counting = loaded.diagnostics.into_iter().filter(|d| d.class.is_some());
    (status, counting.map(|d| d.message).collect())
}

const SERVICE: &str = "protocol TCP\nlb_algo rr\nlb_kind NAT\n";

fn virtual_server(head: &str, body: &str, real: &str) -> String {
    format!("virtual_server {head} {{\n{body}\n{real}\n}}\n")
}

/// The status of each body, put into a template.
fn expect(cases: &[(&str, i32)], template: impl Fn(&str) -> String) {
    for (body, expected) in cases {
        let (status, messages) = test(&template(body));
        assert_eq!(status, *expected, "{body:?}: {messages:#?}");
        assert!(messages.len() < 6, "{body:?}: {messages:#?}");
    }
}

const REAL: &str = "real_server 10.0.0.1 80 {\n}";

fn in_virtual_server(body: &str) -> String {
    virtual_server("10.9.9.9 80", &format!("{SERVICE}{body}"), REAL)
}

fn in_real_server(body: &str) -> String {
    virtual_server("10.9.9.9 80", SERVICE, &format!("real_server 10.0.0.1 80 {{\n{body}\n}}"))
}

#[test]
fn heads_of_virtual_servers() {
    expect(
        &[
            ("10.9.9.9 80", 0),
            ("10.9.9.9", 5),
            ("10.9.9.9 00", 5),
            ("10.9.9.9 80x", 5),
            ("10.9.9.9 70000", 5),
            ("localhost 80", 5),
            ("10.9.9.9-10 80", 0),
            ("10.9.9.9/32 80", 0),
            ("10.9.9.9 80 90", 0),
            ("2001:db8::1 80", 5),
            ("", 2),
            ("fwmark", 2),
            ("group", 2),
            ("fwmark x", 5),
            ("fwmark -1", 5),
            ("fwmark 4294967296", 5),
            ("group NOWHERE", 0),
        ],
        |head| virtual_server(head, SERVICE, REAL),
    );
    let mark = |body: &str| virtual_server("fwmark 5", body, REAL);
    expect(
        &[
            ("lb_algo rr\nlb_kind NAT", 0),
            ("lb_algo rr\nlb_kind NAT\nprotocol TCP", 5),
            ("lb_algo rr\nlb_kind NAT\nha_suspend", 5),
            ("lb_algo rr\nlb_kind NAT\nops", 0),
            ("lb_algo rr\nlb_kind DR", 5),
            ("ip_family inet6\nlb_algo rr\nlb_kind NAT", 5),
            ("lb_algo rr\nlb_kind NAT\npersistence_granularity 255.255.255.0", 0),
            ("lb_algo rr\nlb_kind NAT\npersistence_granularity 24", 5),
        ],
        mark,
    );
}

#[test]
fn keywords_of_virtual_servers() {
    expect(
        &[
            ("", 0),
            ("ip_family inet", 0),
            ("ip_family inet6", 5),
            ("delay_loop", 2),
            ("delay_loop 0", 5),
            ("delay_loop .5", 0),
            ("delay_loop 5s", 5),
            ("delay_loop 1.1234567", 5),
            ("retry 0", 5),
            ("retry 1", 0),
            ("retry 4294967296", 5),
            ("delay_before_retry -1", 5),
            ("warmup 0", 0),
            ("connect_timeout 4294.967295", 0),
            ("connect_timeout 4294.967296", 5),
            ("inhibit_on_failure whatever", 0),
            ("lb_algo", 2),
            ("lb_algo zz", 5),
            ("lvs_sched twos", 0),
            ("hashed", 5),
            ("lb_algo sh\nhashed", 0),
            ("lb_algo mh\nsh-port", 0),
            ("sh-port", 5),
            ("mh-fallback", 5),
            ("ops", 5),
            ("protocol udp\nops", 0),
            ("flag-1\nflag-2\nflag-3", 0),
            ("persistence_engine", 2),
            ("persistence_engine abcdefghijklmnop", 0),
            ("persistence_engine abcdefghijklmnopq", 5),
            ("persistence_timeout", 0),
            ("persistence_timeout 0", 5),
            ("persistence_timeout 2678400", 0),
            ("persistence_timeout 30x", 5),
            ("persistence_granularity", 2),
            ("persistence_granularity 255.0.255.0", 0),
            ("persistence_granularity 24", 0),
            ("persistence_granularity 1.2.3", 0),
            ("persistence_granularity 255.255.255.256", 5),
            ("protocol icmp", 5),
            ("protocol Sctp", 0),
            ("smtp_alert perhaps", 5),
            ("virtualhost", 5),
            ("snmp_name", 5),
            ("snmp_name a b", 5),
            ("alpha no", 0),
            ("quorum_up", 2),
            ("quorum_up /nonexistent", 0),
            ("quorum_up /nonexistent\nquorum_up /nonexistent", 5),
            ("quorum 0", 5),
            ("quorum 2", 5),
            ("hysteresis 1", 5),
            ("weight 0", 5),
            ("weight 2147483648", 5),
            ("sorry_server", 2),
            ("sorry_server zz 80", 5),
            ("sorry_server 10.0.0.9", 0),
            ("sorry_server 2001:db8::1 80", 5),
            ("lb_kind TUN\nsorry_server 2001:db8::1 80", 0),
            ("sorry_server_inhibit", 5),
            ("sorry_server 10.0.0.9\nsorry_server_inhibit", 0),
            ("sorry_server 10.0.0.1 80", 0),
            ("sorry_server 10.0.0.1 80\nsorry_server_inhibit", 5),
            ("sorry_server_lvs_method", 5),
            ("sorry_server 10.0.0.9\nsorry_server_lvs_method", 2),
            ("sorry_server 10.0.0.9\nsorry_server_lvs_method zz", 5),
            ("lb_kind DR\nsorry_server 10.0.0.9 81", 5),
            ("est_timeout 5", 5),
        ],
        in_virtual_server,
    );
}

#[test]
fn forwarding_methods() {
    expect(
        &[
            ("NAT", 0),
            ("nat", 5),
            ("NAT zz", 5),
            ("NAT type gre", 0),
            ("TUN", 0),
            ("TUN type", 5),
            ("TUN type zz", 5),
            ("TUN type gue", 5),
            ("TUN type gue port", 5),
            ("TUN type gue port x", 5),
            ("TUN type gue remcsum port 80", 0),
            ("TUN type ipip port 3", 5),
            ("TUN csum", 5),
            ("TUN nocsum", 0),
            ("TUN type gre csum", 0),
            ("TUN type gre remcsum", 5),
        ],
        |method| {
            virtual_server(
                "10.9.9.9 80",
                &format!("protocol TCP\nlb_algo rr\nlb_kind {method}"),
                REAL,
            )
        },
    );
}

#[test]
fn virtual_servers_as_a_whole() {
    let whole = |body: &str| virtual_server("10.9.9.9 80", body, "");
    expect(
        &[
            ("protocol TCP\nlb_algo rr\nlb_kind NAT", 5),
            ("lb_algo rr\nlb_kind NAT\nreal_server 10.0.0.1 80 {\n}", 5),
            ("protocol TCP\nlb_kind NAT\nreal_server 10.0.0.1 80 {\n}", 5),
            ("protocol TCP\nlb_algo rr\nreal_server 10.0.0.1 80 {\n}", 5),
            ("protocol TCP\nlb_algo rr\nreal_server 10.0.0.1 80 {\nlvs_method DR\n}", 0),
            ("protocol TCP\nlb_algo rr\nreal_server 10.0.0.1 81 {\n}\nlb_kind DR", 5),
            ("protocol TCP\nlb_algo rr\nreal_server 10.0.0.1 {\n}\nlb_kind DR", 0),
            ("protocol TCP\nlb_algo rr\nlb_kind TUN\nreal_server 2001:db8::1 80 {\n}", 0),
            ("protocol TCP\nlb_algo rr\nreal_server 2001:db8::1 80 {\n}\nlb_kind TUN", 5),
        ],
        whole,
    );
    let twice = format!("{REAL}\n{REAL}");
    assert_eq!(test(&virtual_server("10.9.9.9 80", SERVICE, &twice)).0, 5);
    let weights = "quorum 3\nweight 2\nreal_server 10.0.0.2 80 {\nweight 1\n}";
    assert_eq!(test(&in_virtual_server(weights)).0, 0);
}

#[test]
fn keywords_of_real_servers() {
    expect(
        &[
            ("", 0),
            ("weight", 2),
            ("weight 2147483648", 5),
            ("lvs_method zz", 5),
            ("uthreshold -1", 5),
            ("lthreshold x", 5),
            ("inhibit_on_failure maybe", 5),
            ("notify_up", 2),
            ("notify_down /nonexistent\nnotify_down /nonexistent", 5),
            ("alpha maybe", 5),
            ("retry 0", 5),
            ("delay_before_retry 0", 0),
            ("connect_timeout 0", 5),
            ("delay_loop 0", 5),
            ("virtualhost", 5),
            ("snmp_name", 5),
            ("FOO_CHECK", 5),
        ],
        in_real_server,
    );
    expect(
        &[
            ("10.0.0.1", 0),
            ("10.0.0.1 0", 0),
            ("10.0.0.1 80x", 5),
            ("10.0.0.1-2 80", 0),
            ("localhost 80", 5),
            ("2001:db8::1 80", 5),
            ("", 2),
        ],
        |head| virtual_server("10.9.9.9 80", SERVICE, &format!("real_server {head} {{\n}}")),
    );
}

#[test]
fn what_checkers_have_in_common() {
    let tcp = |body: &str| in_real_server(&format!("TCP_CHECK {{\n{body}\n}}"));
    expect(
        &[
            ("", 0),
            ("connect_ip", 2),
            ("connect_ip zz", 5),
            ("connect_ip 2001:db8::5", 0),
            ("connect_ip 10.0.0.5\nbindto 2001:db8::1", 5),
            ("bindto 2001:db8::1", 5),
            ("connect_ip fe80::1", 5),
            ("connect_ip fe80::1\nbind_if lo", 0),
            ("connect_port 0", 5),
            ("bind_port 65536", 5),
            ("bind_if abcdefghijklmno", 0),
            ("bind_if abcdefghijklmnop", 5),
            ("fwmark 4294967296", 5),
            ("retry 0", 0),
            ("retry -1", 5),
            ("delay_loop 0", 5),
            ("log_all_failures maybe", 5),
            ("foo", 5),
        ],
        tcp,
    );
}

#[test]
fn http_checkers() {
    let http = |body: &str| in_real_server(&format!("SSL_GET {{\n{body}\n}}"));
    expect(
        &[
            ("", 5),
            ("url {\n}", 5),
            ("url {\npath /\n}", 0),
            ("url {\npath /\n}\nurl {\n}", 5),
            ("url {\npath /\n}\nnb_get_retry 3", 5),
            ("url {\npath /\n}\nhttp_protocol", 5),
            ("url {\npath /\n}\nhttp_protocol 1.0C", 0),
            ("url {\npath /\n}\nhttp_protocol 1.1C", 5),
            ("url {\npath /\n}\nvirtualhost", 5),
            ("url {\npath /\n}\nenable_sni maybe", 5),
            ("url {\npath /\n}\nsni_name", 0),
        ],
        http,
    );
    let url = |body: &str| in_real_server(&format!("HTTP_GET {{\nurl {{\npath /\n{body}\n}}\n}}"));
    expect(
        &[
            ("path", 2),
            ("status_code", 0),
            ("status_code 200 300-399", 0),
            ("status_code 200 x 300", 5),
            ("status_code 600", 5),
            ("status_code 300-200", 5),
            ("digest", 2),
            ("digest 0123", 5),
            ("digest 0123456789abcdef0123456789ABCDEF", 0),
            ("digest 0123456789abcdef0123456789ABCDEG", 5),
            ("digest 0123456789abcdef0123456789ABCDEF\ndigest 0123456789abcdef0123456789ABCDEF", 5),
            ("virtualhost", 5),
            ("regex", 0),
            ("regex_min_offset x", 0),
            ("regex a\nregex_stack 2 1", 0),
            ("regex_options foo", 0),
        ],
        url,
    );
}

#[test]
fn other_checkers() {
    expect(
        &[
            ("SMTP_CHECK {\nhelo_name\n}", 5),
            ("SMTP_CHECK {\nhelo_name a\n}", 0),
            ("SMTP_CHECK {\nhost {\nconnect_port 26\n}\n}", 0),
            ("SMTP_CHECK {\nhost {\nhelo_name a\n}\n}", 5),
            ("DNS_CHECK {\ntype\n}", 2),
            ("DNS_CHECK {\ntype mx\n}", 0),
            ("DNS_CHECK {\ntype PTR\n}", 5),
            ("DNS_CHECK {\nname .\n}", 0),
            ("DNS_CHECK {\nname a.example.\n}", 0),
            ("DNS_CHECK {\nname a..b\n}", 5),
            ("DNS_CHECK {\nname a\nname b\n}", 5),
            ("MISC_CHECK {\n}", 5),
            ("MISC_CHECK {\nmisc_path /nonexistent\n}", 0),
            ("MISC_CHECK {\nmisc_path /nonexistent\nmisc_timeout 4295\n}", 5),
            ("MISC_CHECK {\nmisc_path /nonexistent\nuser\n}", 5),
            ("MISC_CHECK {\nmisc_path /nonexistent\nuser no_such_user\n}", 5),
            ("UDP_CHECK {\npayload\n}", 5),
            ("UDP_CHECK {\npayload Ab12f 3 456\n}", 0),
            ("UDP_CHECK {\npayload 0x\n}", 5),
            ("UDP_CHECK {\nrequire_reply 0x\n}", 0),
            ("UDP_CHECK {\nrequire_reply zz\n}", 5),
            ("UDP_CHECK {\nmin_reply_length 300\n}", 5),
            ("UDP_CHECK {\nmax_reply_length 65536\n}", 5),
            ("PING_CHECK {\nretry 2\n}", 0),
            ("FILE_CHECK {\n}", 5),
            ("FILE_CHECK {\ntrack_file nowhere\n}", 5),
            ("BFD_CHECK {\n}", 5),
            ("BFD_CHECK {\nname nowhere\n}", 5),
            ("BFD_CHECK {\nname a b\n}", 5),
        ],
        in_real_server,
    );
}

#[test]
fn names_from_elsewhere_must_come_first() {
    let file = "track_file F {\nfile /tmp/f\n}\n";
    let bfd = "bfd_instance B {\n}\n";
    let with = |before: &str, body: &str| test(&format!("{before}{}", in_real_server(body))).0;
    assert_eq!(with(file, "FILE_CHECK {\ntrack_file F\nweight 3 reverse\n}"), 0);
    assert_eq!(with(file, "FILE_CHECK {\ntrack_file F\nweight 3 x\n}"), 5);
    assert_eq!(with(file, "FILE_CHECK {\ntrack_file F\nweight 2147483648\n}"), 5);
    assert_eq!(test(&format!("{}{file}", in_real_server("FILE_CHECK {\ntrack_file F\n}"))).0, 5);
    assert_eq!(with(bfd, "BFD_CHECK {\nname B\nalpha\n}"), 0);
    assert_eq!(with(bfd, "BFD_CHECK {\nname B\n}\nBFD_CHECK {\nname B\n}"), 5);
    assert_eq!(with("bfd_instance B {\nvrrp\n}\n", "BFD_CHECK {\nname B\n}"), 5);
    assert_eq!(with("bfd_instance B {\nvrrp\nchecker\n}\n", "BFD_CHECK {\nname B\n}"), 0);
}

#[test]
fn groups() {
    expect(
        &[
            ("", 5),
            ("10.1.1.1 80", 0),
            ("10.1.1.1-9 80", 0),
            ("10.1.1.10-9 80", 5),
            ("10.1.1.1-256 80", 5),
            ("10.1.1.1-10.1.1.9 80", 0),
            ("10.1.1.9-10.1.1.1 80", 5),
            ("10.1.1.1-2001:db8::1 80", 5),
            ("10.1.1.0/24 80", 0),
            ("10.1.1.1/24 80", 5),
            ("10.1.1.0/33 80", 5),
            ("10.1.1.0/0 80", 5),
            ("2001:db8::1-ff 80", 0),
            ("2001:db8::1-zz 80", 5),
            ("2001:db8::/64 80", 0),
            ("2001:db8::1/64 80", 5),
            ("fwmark", 2),
            ("fwmark x", 5),
            ("fwmark 1 inet6", 0),
            ("fwmark 1 zz", 5),
            ("10.1.1.1 80x", 5),
            ("10.1.1.1 80\n2001:db8::1 80\nfwmark 1", 5),
        ],
        |entries| format!("virtual_server_group G {{\n{entries}\n}}\n"),
    );
    expect(
        &[
            ("10.1.1.1 80|protocol TCP\nlb_kind NAT", 0),
            ("10.1.1.1|protocol TCP\nlb_kind NAT", 5),
            ("10.1.1.1 80|lb_kind NAT", 5),
            ("fwmark 1|lb_kind NAT", 0),
            ("fwmark 1|protocol TCP\nlb_kind NAT", 5),
            ("fwmark 1|lb_kind DR", 5),
            ("fwmark 1\n10.1.1.1 80|protocol TCP\nlb_kind NAT", 0),
            ("10.1.1.1 80|protocol TCP\nlb_kind DR", 0),
            ("10.1.1.1 80\n10.1.1.1 81|protocol TCP\nlb_kind DR", 5),
            ("fwmark 1|lb_kind NAT\nha_suspend", 5),
            ("10.1.1.1 80|protocol TCP\nlb_kind DR\nsorry_server 10.0.0.9 80", 0),
            ("10.1.1.1 80|protocol TCP\nlb_kind DR\nsorry_server 10.0.0.9 81", 5),
            ("10.1.1.1 80|protocol TCP\nlb_kind NAT\nsorry_server 10.0.0.9 81", 0),
            ("2001:db8::1 80|protocol TCP\nlb_kind NAT\nquorum 9", 0),
            ("10.1.1.1 80\nfwmark 1 inet6|protocol TCP\nlb_kind NAT\nquorum 9", 0),
            ("10.1.1.1 80|protocol TCP\nlb_kind NAT\nquorum 9", 5),
        ],
        |case| {
            let (entries, body) = case.split_once('|').unwrap();
            let server = virtual_server("group G", &format!("lb_algo rr\n{body}"), REAL);
            format!("{server}virtual_server_group G {{\n{entries}\n}}\n")
        },
    );
}

#[test]
fn ssl() {
    expect(
        &[
            ("SSL {\n}", 0),
            ("SSL {\npassword\n}", 5),
            ("SSL {\nca /x\nkey /y\n}", 0),
            ("SSL {\nkey a\nkey b\n}", 5),
            ("SSL {\n}\nSSL {\n}", 5),
        ],
        str::to_owned,
    );
}

#[test]
fn global_definitions() {
    expect(
        &[
            ("lvs_timeouts", 5),
            ("lvs_timeouts tcp", 5),
            ("lvs_timeouts tcp 5 udp 6", 0),
            ("lvs_timeouts tcp 5 tcpfin", 5),
            ("lvs_timeouts tcp 2678401", 5),
            ("lvs_timeouts tcp 5 foo udp 6", 5),
            ("lvs_flush_on_stop", 0),
            ("lvs_flush_on_stop vs", 5),
            ("lvs_sync_daemon", 5),
            ("lvs_sync_daemon eth0", 0),
            ("lvs_sync_daemon eth0 inst", 2),
            ("lvs_sync_daemon eth0 VI", 0),
            ("lvs_sync_daemon eth0 VI 3", 5),
            ("lvs_sync_daemon eth0 id 256", 5),
            ("lvs_sync_daemon eth0 maxlen 65507 port 8848 ttl 9 group ff02::81", 0),
            ("lvs_sync_daemon eth0 maxlen 65508", 5),
            ("lvs_sync_daemon eth0 ttl 0", 5),
            ("lvs_sync_daemon eth0 group 10.0.0.1", 5),
            ("lvs_sync_daemon eth0 id 3 foo", 5),
            ("lvs_sync_daemon eth0\nlvs_sync_daemon eth1", 5),
            ("lvs_sync_daemon abcdefghijklmnop", 5),
            ("rs_init_notifies maybe", 5),
            ("lvs_netlink_cmd_rcv_bufs", 5),
            ("lvs_netlink_cmd_rcv_bufs 100x", 5),
            ("nftables_ipvs", 0),
            ("nftables_ipvs a\nnftables_ipvs b", 5),
            ("nftables_ipvs_priority", 2),
            ("nftables_ipvs_priority -5", 0),
            ("nftables_ipvs_start_fwmark 0", 5),
            ("checker_log_all_failures maybe", 5),
            ("no_checker_emails maybe", 5),
            ("checker_process_name", 2),
            ("checker_process_name abcdefghijklmnop", 5),
            ("lvs_process_name a", 0),
            ("checker_priority -21", 5),
            ("checker_rt_priority 100", 5),
            ("checker_rlimit_rttime 0", 5),
            ("checker_rlimit_rtime 1000", 0),
            ("checker_cpu_affinity", 5),
            ("checker_cpu_affinity 0", 0),
            ("checker_cpu_affinity 0 99999", 5),
            ("snmp_vs_stats_update_interval 31", 5),
        ],
        |body| format!("global_defs {{\n{body}\n}}\n"),
    );
}

#[test]
fn scripts_that_are_there_need_a_word_about_security() {
    let here = std::env::current_exe().unwrap();
    let with = |globals: &str| {
        let server = in_virtual_server(&format!("quorum_up {}", here.display()));
        test(&format!("global_defs {{\n{globals}\n}}\n{server}")).0
    };
    assert_eq!(with(""), 6);
    assert_eq!(with("enable_script_security\nscript_user root"), 0);
    let fifo = format!("global_defs {{\nlvs_notify_fifo_script {}\n}}\n", here.display());
    let (status, messages) = test(&format!("{fifo}{}", in_virtual_server("")));
    assert_eq!(status, 6, "{messages:?}");
    assert_eq!(test(&fifo).0, 0, "there is no virtual server");
    let twice = format!("{REAL}\nreal_server 10.0.0.1 80 {{\nnotify_up {}\n}}", here.display());
    let server = virtual_server("10.9.9.9 80", SERVICE, &twice);
    assert_eq!(test(&server).0, 5, "the second real server is not there");
    let nowhere = format!("lb_algo rr\nquorum_up {}", here.display());
    assert_eq!(test(&virtual_server("group NOWHERE", &nowhere, REAL)).0, 0);
}

#[test]
fn what_has_no_effect_is_one_line_each() {
    let text = "global_defs {\nlvs_netlink_cmd_rcv_bufs 4096\n}\n".to_owned()
        + &in_real_server("TCP_CHECK {\nretry 2\n}\nBFD_CHECK {\nname a\nalpha\n}");
    let mut loaded =
        read(Options::new(Source::FromMemory { name: "k".into(), bytes: text.into() }, LEVEL));
    let mut ctx = Context { diagnostics: &mut loaded.diagnostics, mode: Mode::Start };
    config::note_effects(&loaded.lines, &loaded.sources, &mut ctx);
    let said: Vec<_> = loaded.diagnostics.iter().map(|d| &d.message).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("lvs_netlink_cmd_rcv_bufs"), "{said:?}");
}

/// Twice as many real servers with everything wrong must not be four times the work; that they are
/// read at all in the time of a test is what this shows.
#[test]
fn fifty_thousand_real_servers() {
    let mut real = String::new();
    for i in 0..50_000u32 {
        let (high, low) = (i >> 8, i & 255);
        real += &format!(
            "real_server 10.1.{high}.{low} 80 {{\nTCP_CHECK {{\n}}\nBFD_CHECK {{\nname B\n}}\n}}\n"
        );
    }
    let server = virtual_server("10.9.9.9 80", SERVICE, &real);
    let (status, messages) = test(&format!("bfd_instance B {{\n}}\n{server}"));
    assert_eq!((status, messages), (0, Vec::new()));
}

#[test]
fn the_cut_of_a_block_does_not_matter() {
    let reals: String = (0..150)
        .map(|n| format!("real_server 10.0.1.{n} 80 {{\nwieght 1\nTCP_CHECK {{\n}}\nMISC_CHECK {{\nmisc_path nothing\n}}\n}}\n"))
        .collect();
    let text = format!(
        "virtual_server 10.0.0.1 80 {{\n{SERVICE}{reals}quorum 0\n}}\nvirtual_server nowhere 80 {{\n{reals}}}\n\
         virtual_server 10.0.0.2 80 {{\n}}\nvirtual_server 10.0.0.1 80 {{\n{SERVICE}{REAL}}}\n"
    );
    let of = |limit: usize| {
        let source = Source::FromMemory { name: "k.conf".into(), bytes: text.clone().into() };
        let mut loaded = read(Options::new(source, LEVEL));
        let mut ctx = Context { diagnostics: &mut loaded.diagnostics, mode: Mode::Start };
        let mut draft = Draft::new();
        for line in &loaded.lines {
            let mut from = Some(0);
            while let Some(at) = from {
                from = draft.apply_part(line, at, limit, &mut ctx);
            }
        }
        let settings = draft.finish(&notify::Settings::default(), &mut ctx);
        (format!("{settings:?}"), format!("{:?}", loaded.diagnostics), loaded.diagnostics.len())
    };
    let (whole, reported, count) = of(usize::MAX);
    assert!(whole.contains("10.0.1.149") && count > 150);
    for limit in [1, 7, 150, 151] {
        assert_eq!(of(limit), (whole.clone(), reported.clone(), count), "{limit}");
    }
}
