//! The other checkers against servers of others: exim, bind, socat, the kernel itself, and programs.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use testbed::{Host, Lan, Service, wait_for, web};

use crate::checking::{
    SERVICE, check, down, global, judge, name, ready_to_check, real, results, script, service, up,
};
use crate::mailing::{EXIM, Exim};

const NAMED: &str = "/usr/sbin/named";
const SOCAT: &str = "/usr/bin/socat";

/// A checker of this kind with these keywords.
fn of(keyword: &str, lines: &str) -> String {
    format!("{keyword} {{\n      log_all_failures\n      connect_timeout 3\n      {lines}\n    }}")
}

/// Debian's exim, greeted well and badly; one that has gone.
#[test]
fn exim_is_greeted() {
    if !ready_to_check(&[EXIM]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let exim = Exim::start(&b);
    let smtp = |lines: &str| of("SMTP_CHECK", &format!("delay_before_retry 0.1\n {lines}"));
    const GOOD: &str = "Remote SMTP server @ succeed on service.";
    let endpoint = "server [10.9.0.2]";
    let cases = [
        up(smtp("connect_port 25"), GOOD),
        up(smtp("connect_port 25\n helo_name director.example.org"), GOOD),
        down(
            smtp("connect_port 25\n helo_name bad_name!"),
            &format!("SMTP_CHECK Bad HELO response from {endpoint}:25"),
        ),
        down(smtp("connect_port 26"), &format!("SMTP_CHECK Could not connect to {endpoint}:26")),
        up(smtp("connect_port 25\n connect_ip fd00:9::2"), GOOD),
    ];
    let daemon = judge(&a, "", "delay_loop 0.3", &cases);
    drop(exim);
    daemon.wait_log(&format!("Removing service {} from VS {SERVICE}", name(1)));
    daemon.stop();
}

const NAMED_CONF: &str = r#"
options {
  directory "FOLDER";
  pid-file none;
  session-keyfile none;
  managed-keys-directory "FOLDER";
  listen-on port 53 { 10.9.0.2; };
  listen-on-v6 port 53 { fd00:9::2; };
  recursion no;
  dnssec-validation no;
  empty-zones-enable no;
};
controls { };
zone "example.org" { type primary; file "FOLDER/zone"; };
zone "secret.org" { type primary; file "FOLDER/zone"; allow-query { none; }; };
"#;

const ZONE: &str = "$TTL 60
@ SOA ns.example.org. admin.example.org. 1 60 60 60 60
@ NS ns
@ MX 10 ns
@ TXT text
@ DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
ns A 10.9.0.2
ns AAAA fd00:9::2
a CNAME ns
";

/// Each type, names that are not there, questions that are refused, servers that are not there.
#[test]
fn bind_is_asked() {
    if !ready_to_check(&[NAMED, SOCAT]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let folder = b.file("named");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("zone"), ZONE).unwrap();
    let configuration = b.file("named.conf");
    fs::write(&configuration, NAMED_CONF.replace("FOLDER", &folder.display().to_string())).unwrap();
    let arguments = ["-g", "-n", "1", "-c", &configuration.display().to_string()];
    let _named = Service::start(&b, Path::new(NAMED), &arguments);
    wait_for("named listens", || b.inside(|| TcpStream::connect("10.9.0.2:53")).is_ok());
    let _silent = Service::start(&b, Path::new(SOCAT), &["-u", "UDP-RECV:5300", "OPEN:/dev/null"]);
    wait_udp(&b, 5300);
    let ask = |question: &str| {
        let lines = if question.contains("connect_port") { "" } else { "connect_port 53\n " };
        of("DNS_CHECK", &format!("{lines}{question}"))
    };
    let refused = |code: u8| format!("DNS_CHECK (@) read error occurred. (rcode = {code})");
    let cases = [
        up(ask("type A\n name ns.example.org"), ""),
        up(ask("type AAAA\n name ns.example.org."), ""),
        up(ask("type NS\n name example.org"), ""),
        up(ask("name example.org"), ""),
        up(ask("type MX\n name example.org"), ""),
        up(ask("type TXT\n name example.org"), ""),
        up(ask("type CNAME\n name a.example.org"), ""),
        up(ask("type RRSIG\n name example.org"), ""),
        up(ask("type DNSKEY\n name example.org"), ""),
        // No such record, but such a name.
        up(ask("type MX\n name ns.example.org"), ""),
        up(ask("connect_ip fd00:9::2\n type A\n name ns.example.org"), ""),
        down(ask("type A\n name nobody.example.org"), &refused(3)),
        down(ask("type A\n name example.net"), &refused(5)),
        down(ask("type A\n name ns.secret.org"), &refused(5)),
        down(ask("connect_port 5300\n type A"), "DNS_CHECK (@) read timeout from socket"),
        down(
            ask("connect_port 5301\n type A"),
            "DNS_CHECK (@) failed to read socket; errno 111 (Connection refused)",
        ),
    ];
    judge(&a, "", "delay_loop 0.5", &cases).stop();
}

fn wait_udp(host: &Host, port: u16) {
    wait_for(&format!("UDP port {port} of {} listens", host.name()), || {
        let table = host.inside(|| fs::read_to_string("/proc/thread-self/net/udp")).unwrap();
        table.contains(&format!(":{port:04X} "))
    });
}

/// An echo, one that takes and says nothing, none at all.
#[test]
fn socat_gets_datagrams() {
    if !ready_to_check(&[SOCAT]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let socat = |arguments: [&str; 2]| {
        let (kind, _) = arguments[0].split_once(',').unwrap_or((arguments[0], ""));
        let service = Service::start(&b, Path::new(SOCAT), &arguments);
        wait_udp(&b, kind.rsplit(':').next().unwrap().parse().unwrap());
        service
    };
    let _servers = [
        socat(["UDP4-RECVFROM:7,fork", "EXEC:/bin/cat"]),
        socat(["UDP4-RECVFROM:9,fork", "OPEN:/dev/null"]),
        socat(["UDP4-RECVFROM:8,fork", "EXEC:/usr/bin/printf abcdef"]),
    ];
    let udp = |port: u16, lines: &str| of("UDP_CHECK", &format!("connect_port {port}\n {lines}"));
    const GOOD: &str = "UDP connection to @ success.";
    const BAD: &str = "UDP_CHECK on service @ failed.";
    let cases = [
        up(udp(7, ""), GOOD),
        up(udp(7, "require_reply"), GOOD),
        up(udp(7, "payload 616263\n require_reply 616263"), GOOD),
        up(udp(7, "payload 616263\n require_reply 61xx63"), GOOD),
        down(udp(7, "payload 616263\n require_reply 616264"), BAD),
        up(udp(9, ""), GOOD),
        down(udp(9, "require_reply"), BAD),
        up(udp(8, "require_reply 616263"), GOOD),
        down(udp(8, "require_reply 616263\n min_reply_length 7"), BAD),
        down(udp(8, "require_reply 616263\n max_reply_length 5"), BAD),
        down(udp(6, ""), BAD),
    ];
    judge(&a, "", "delay_loop 0.5", &cases).stop();
}

/// Hosts that are up, that do not answer, that no route leads to; and the kernel's setting is given back.
#[test]
fn hosts_are_pinged() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let range = || a.inside(|| fs::read_to_string("/proc/sys/net/ipv4/ping_group_range")).unwrap();
    a.set("ipv4/ping_group_range", "7 9");
    let before = range();
    a.configure(&["route add blackhole 10.66.0.0/16", "route add unreachable fd66::/16"]);
    let ping =
        |address: &str| of("PING_CHECK", &format!("connect_ip {address}\n connect_timeout 1"));
    const GOOD: &str = "ICMP connection to @ success.";
    const BAD: &str = "ICMP CHECK on service @ failed.";
    let cases = [
        up(ping("10.9.0.2"), GOOD),
        up(ping("fd00:9::2"), GOOD),
        up(ping("10.9.0.1"), GOOD),
        up(ping(&format!("{}\n bind_if eth0", b.link_local())), GOOD),
        down(ping("10.9.0.33"), BAD),
        down(ping("fd00:9::33"), BAD),
        down(ping("10.66.0.1"), BAD),
        down(ping("fd66::1"), BAD),
    ];
    let daemon = judge(&a, "", "delay_loop 0.3", &cases);
    assert_ne!(range(), before);
    let cable = |connected| lan.set_cable(&b, connected);
    cable(false);
    daemon.wait_log(&format!(
        "ICMP CHECK on service {} of {SERVICE} failed after 1 retries.",
        name(0)
    ));
    cable(true);
    daemon.wait_logged(&GOOD.replace('@', &name(0)), 2);
    daemon.wait_log(&format!("Adding service {} to VS {SERVICE}", name(0)));
    daemon.stop();
    assert_eq!(range(), before);
}

/// Exit statuses, weights, a script that does not end when it is told to, another user.
#[test]
fn scripts_are_run() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let a = lan.host("a", 1);
    let exits = script(&a, "exits", "exit $1");
    let whole = script(&a, "whole", "test \"$*\" = 'a b c' && test $# = 2");
    let deaf = script(&a, "deaf", "trap '' TERM\necho $$ > $1\nwhile :; do sleep 0.1; done");
    let nobody = script(&a, "nobody", "test $(id -u) = 65534");
    let killed = script(&a, "killed", "kill -9 $$");
    let exits = |status: u8| format!("misc_path \"{} {status}\"", exits);
    let pid = a.file("pid");
    let misc = |lines: &str| format!("MISC_CHECK {{\n      {lines}\n    }}");
    let said =
        |what: &str| format!("Misc check for [@ VS {SERVICE}] by [{}", a.file(what).display());
    let exited = |status: u8| {
        format!("{}] failed with retry disabled (exited with status {status}).", said("exits"))
    };
    let cases = [
        up(misc(&exits(0)), &format!("{}] succeeded.", said("exits"))),
        down(misc(&exits(1)), &exited(1)),
        down(misc(&exits(2)), &exited(2)),
        up(misc(&format!("{}\n misc_dynamic", exits(0))), ""),
        down(misc(&format!("{}\n misc_dynamic", exits(1))), &exited(1)),
        up(
            misc(&format!("{}\n misc_dynamic", exits(77))),
            &format!("Changing weight from 1 to 75 for active service @ of VS {SERVICE}"),
        ),
        up(
            misc(&format!("{}\n misc_dynamic", exits(2))),
            &format!("Changing weight from 1 to 0 for active service @ of VS {SERVICE}"),
        ),
        up(misc(&format!("misc_path \"{} a 'b c'\"", whole)), ""),
        up(misc(&format!("misc_path {}\n user nobody", nobody)), ""),
        down(misc(&format!("misc_path {}", nobody)), &said("nobody")),
        down(
            misc(&format!("misc_path {}", killed)),
            &format!("{}] failed with retry disabled (due to signal 9).", said("killed")),
        ),
        down(
            misc(&format!("misc_path \"{} {}\"\n misc_timeout 1", deaf, pid.display())),
            &format!("{}] timed out with retry disabled.", said("deaf")),
        ),
    ];
    let daemon = judge(&a, &global(""), "delay_loop 20", &cases);
    daemon.wait_log(&format!("Removing service {} from VS {SERVICE}", name(11)));
    let weights: Vec<i64> = results(&daemon).iter().map(|found| found.weight).collect();
    assert_eq!(weights[3..7], [0, 0, 74, -1]);
    let deaf: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    wait_for("the script is gone", || !Path::new(&format!("/proc/{deaf}")).exists());
    daemon.stop();
}

/// Numbers in files: with and without weight, reversed, missing, and as they change.
#[test]
fn files_are_followed() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let a = lan.host("a", 1);
    let write = |file: &str, text: &str| fs::write(a.file(file), text).unwrap();
    write("one", "1\n");
    write("zero", "0");
    write("weight", "10");
    write("word", "many");
    let track = |file: &str, lines: &str| {
        let path = a.file(file).display().to_string();
        format!("track_file {file} {{\n  file {path}\n  {lines}\n}}\n")
    };
    let files: String = [("one", "weight 0"), ("zero", "weight 0"), ("weight", "weight 3")]
        .into_iter()
        .chain([("word", "weight 0"), ("missing", "weight 0")])
        .map(|(file, lines)| track(file, lines))
        .collect();
    let file =
        |name: &str, lines: &str| format!("FILE_CHECK {{\n track_file {name}\n {lines}\n }}");
    let cases = [
        down(file("one", ""), ""),
        up(file("zero", ""), ""),
        up(file("word", ""), ""),
        up(file("missing", ""), ""),
        up(file("one", "weight 0 reverse"), ""),
        down(file("zero", "weight 0 reverse"), ""),
        up(file("weight", ""), ""),
        up(file("weight", "weight -1"), ""),
        up(file("weight", "weight 2 reverse"), ""),
        down(file("weight", "weight -2147483647"), ""),
    ];
    let daemon = judge(&a, &files, "quorum 2", &cases);
    let weights: Vec<i64> = results(&daemon).iter().map(|found| found.weight).collect();
    assert_eq!(weights[6..9], [30, -10, -20]);
    write("one", "0");
    daemon.wait_log(&format!("Adding service {} to VS {SERVICE}", name(0)));
    daemon.wait_log(&format!("Removing service {} from VS {SERVICE}", name(4)));
    write("weight", "4");
    daemon.wait_log(&format!(
        "Changing weight from 31 to 13 for active service {} of VS {SERVICE}",
        name(6)
    ));
    fs::remove_file(a.file("weight")).unwrap();
    daemon.wait_log(&format!(
        "Changing weight from 13 to 1 for active service {} of VS {SERVICE}",
        name(6)
    ));
    // An editor's way: a new file in the place of the old.
    write("new", "1");
    fs::rename(a.file("new"), a.file("missing")).unwrap();
    daemon.wait_log(&format!("Removing service {} from VS {SERVICE}", name(3)));
    daemon.stop();
}

/// Where connections come from: address, port, device, mark; none of it can be had.
#[test]
fn connections_come_from_where_they_are_told_to() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let _backend = web::Service::start_on(&b, 80);
    a.configure(&[
        "address add 10.9.0.77/24 dev eth0",
        "link add veth0 type veth peer name veth1",
        "link set veth0 up",
        "link set veth1 up",
    ]);
    // From 10.9.0.78 and with mark 5 nothing gets through.
    a.ip("address add 10.9.0.78/24 dev eth0");
    a.configure(&["rule add from 10.9.0.78 prohibit", "rule add fwmark 5 prohibit"]);
    let tcp = |lines: &str| of("TCP_CHECK", &format!("connect_port 80\n {lines}"));
    const GOOD: &str = "TCP connection to @ success.";
    const BAD: &str = "TCP_CHECK on service @ failed.";
    let cases = [
        up(tcp(""), GOOD),
        up(tcp("bindto 10.9.0.77"), GOOD),
        up(tcp("bindto 10.9.0.77\n bind_port 7777"), GOOD),
        down(tcp("bindto 10.9.0.78"), BAD),
        up(tcp("bind_if eth0"), GOOD),
        down(tcp("bind_if veth0"), BAD),
        up(tcp("fwmark 4"), GOOD),
        down(tcp("fwmark 5"), BAD),
        up(tcp("connect_ip fd00:9::2"), GOOD),
        up(tcp("connect_ip fd00:9::2\n bindto fd00:9::1"), GOOD),
        up(tcp(&format!("connect_ip {}\n bind_if eth0", b.link_local())), GOOD),
        down(tcp("connect_port 81"), BAD),
        down(tcp("connect_ip 10.9.0.33"), BAD),
    ];
    judge(&a, "", "delay_loop 5", &cases).stop();
}

/// What the director itself lacks is no failure of the real server: it stays, and is checked once it can be.
#[test]
fn a_missing_address_is_not_the_servers_fault() {
    if !ready_to_check(&[]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let _backend = web::Service::start_on(&b, 80);
    let tcp = |lines: &str| of("TCP_CHECK", &format!("connect_port 80\n {lines}"));
    let reals = real(0, &tcp("bindto 10.9.0.79")) + &real(1, &tcp("bind_if later0"));
    let daemon = check(&a, &service("delay_loop 0.2", &reals));
    daemon.wait_log("TCP socket bind failed. Rescheduling.");
    daemon.wait_log("Checker can't bind to device later0");
    a.ip("address add 10.9.0.79/24 dev eth0");
    daemon.wait_log(&format!("TCP connection to {} success.", name(0)));
    assert_eq!(daemon.logged("Removing service"), 0);
    daemon.stop();
}
