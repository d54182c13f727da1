//! HTTP_GET, SSL_GET and genhash against nginx, and against the C implementation's genhash.

use std::fs;
use std::net::TcpStream;
use std::path::Path;

use testbed::{Daemon, Host, Lan, Parts, Service, wait_for};

use super::{ours, ready, ready_for_ours};

const NGINX: &str = "/usr/sbin/nginx";
/// The C implementation's, where Debian installs it.
const GENHASH: &str = "/usr/bin/genhash";

/// nginx with a few pages, on port 80 and by TLS on port 443.
struct Nginx(#[expect(dead_code, reason = "runs as long as this")] Service);

impl Nginx {
    fn start(host: &Host) -> Self {
        let folder = host.file("nginx");
        fs::create_dir_all(folder.join("pages")).unwrap();
        fs::write(folder.join("pages/index.html"), "<html>\n<b>hello</b>\n</html>\n").unwrap();
        fs::write(folder.join("pages/empty"), "").unwrap();
        let big: Vec<u8> = (0..700_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        fs::write(folder.join("pages/big"), big).unwrap();
        let shown = folder.display();
        testbed::run(&format!(
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -days 2 -keyout {shown}/key -out \
             {shown}/certificate"
        ));
        let locations = "location = /none { return 404 none; }\n\
             location = /moved { return 302 /elsewhere; }\n\
             location = /broken { return 500; }\n\
             location = /closes { return 444; }\n\
             location = /hears { return 200 \"$http_host $ssl_server_name $http_connection \
             $server_protocol $http_user_agent\"; }\n\
             location = /chunks { ssi on; ssi_types *; alias PAGES/index.html; }\n\
             location = /slow { limit_rate 3m; alias PAGES/big; }\n";
        let pages = folder.join("pages").display().to_string();
        let text = format!(
            "daemon off;\nuser root;\npid {shown}/pid;\nerror_log {shown}/errors;\nevents {{}}\n\
             http {{\naccess_log off;\ndefault_type text/plain;\nclient_body_temp_path {shown}/1;\n\
             proxy_temp_path {shown}/2;\nfastcgi_temp_path {shown}/3;\nuwsgi_temp_path {shown}/4;\n\
             scgi_temp_path {shown}/5;\nserver {{\nlisten 80;\nlisten [::]:80;\nlisten 443 ssl;\n\
             ssl_certificate {shown}/certificate;\nssl_certificate_key {shown}/key;\nroot {pages};\n\
             {}}}\n}}\n",
            locations.replace("PAGES", &pages)
        );
        let configuration = host.file("nginx.conf");
        fs::write(&configuration, text).unwrap();
        let arguments = ["-c", &configuration.display().to_string()];
        let service = Service::start(host, Path::new(NGINX), &arguments);
        wait_for("nginx listens", || host.inside(|| TcpStream::connect("127.0.0.1:443")).is_ok());
        Self(service)
    }
}

/// Whether nginx is there, too.
fn ready_for_nginx() -> bool {
    let reason = testbed::missing(&[NGINX, "openssl"]);
    assert!(reason.is_none() || std::env::var("CI").as_deref() != Ok("true"), "{reason:?}");
    reason.is_none()
}

/// What a command says of a page, without how long it took.
fn say(host: &Host, command: &str) -> String {
    let out = host.run(command);
    let timed = |line: &&str| !line.starts_with("Global response time");
    out.lines().filter(timed).collect::<Vec<_>>().join("\n")
}

#[test]
fn genhash_says_what_the_c_implementation_says() {
    if !ready_for_ours() || !ready_for_nginx() {
        return;
    }
    let lan = Lan::new();
    let host = lan.host("a", 1);
    let _nginx = Nginx::start(&host);
    let ours = ours().display().to_string();
    let mut digests = 0;
    for page in [
        "/", "/big", "/empty", "/none", "/moved", "/broken", "/closes", "/hears", "/chunks",
        "/slow", "odd",
    ] {
        for how in [
            "-s 127.0.0.1 -p 80",
            "-s ::1 -p 80 -V name",
            "-s 127.0.0.1 -p 80 -P 1.1",
            "-s 127.0.0.1 -p 80 -P 1.0c",
            "-s 127.0.0.1 -p 80 -m 5",
            "-S -s 127.0.0.1 -p 443 -V name",
            "-S -I -s 127.0.0.1 -p 443 -V name",
            "-S -s 127.0.0.1 -p 443 -P 1.1",
            // Nobody speaks that there.
            "-s 127.0.0.1 -p 81",
            "-S -s 127.0.0.1 -p 80",
            "-s 127.0.0.1 -p 443",
        ] {
            let arguments = format!("{how} -u {page}");
            let theirs = say(&host, &format!("{GENHASH} {arguments}"));
            assert_eq!(say(&host, &format!("{ours} --genhash {arguments}")), theirs, "{arguments}");
            digests += usize::from(theirs.len() == 32);
        }
    }
    assert!(digests > 70, "{digests}");
    for arguments in ["-v -s 127.0.0.1 -p 80 -u /none", "-v -S -s 127.0.0.1 -p 443 -u /hears"] {
        let theirs = say(&host, &format!("{GENHASH} {arguments}"));
        assert_eq!(say(&host, &format!("{ours} -T {arguments}")), theirs, "{arguments}");
    }
}

/// A real server at this address with one check of one page.
fn real(port: u16, kind: &str, url: &str) -> String {
    format!(
        "  real_server 127.0.0.1 {port} {{\n    weight 1\n    {kind} {{\n      connect_port {}\n      url {{\n        \
         {url}\n      }}\n    }}\n  }}\n",
        if kind == "SSL_GET" { 443 } else { 80 }
    )
}

#[test]
fn web_servers_are_checked_by_status_digest_and_expression() {
    if !ready() || !ready_for_nginx() {
        return;
    }
    let lan = Lan::new();
    let host = lan.host("a", 1);
    let _nginx = Nginx::start(&host);
    let ours = ours();
    let digest = host.run(&format!("{} -T -s 127.0.0.1 -p 80 -u /", ours.display()));
    let digest = digest.trim();
    let checks = [
        real(
            1,
            "HTTP_GET",
            &format!("path /\n digest {digest}\n regex \"^<b>hel+o\"\n regex_options multiline"),
        ),
        real(2, "SSL_GET", &format!("path /\n digest {digest}")),
        real(3, "HTTP_GET", "path /none\n status_code 404"),
        real(4, "HTTP_GET", "path /none"),
        real(5, "SSL_GET", &format!("path /empty\n digest {digest}")),
        real(6, "HTTP_GET", "path /\n regex \"hello\"\n regex_no_match"),
        real(7, "HTTP_GET", "path /closes"),
    ];
    let configuration = format!(
        "global_defs {{\n  checker_log_all_failures\n}}\nvirtual_server 192.0.2.1 80 {{\n  protocol TCP\n  delay_loop 1\n  \
         lb_algo rr\n  lb_kind NAT\n{}}}\n",
        checks.concat()
    );
    let daemon = Daemon::start_parts(&host, &ours, Parts::All, &configuration, &[]);
    let server = |port: u16| format!("[127.0.0.1]:tcp:{port}");
    for port in [1, 2, 3] {
        daemon.wait_log(&format!("HTTP status code success to {} url(", server(port)));
        daemon.wait_log(&format!("Remote Web server {} succeed on service.", server(port)));
    }
    daemon.wait_log(&format!("MD5 digest success to {} url(/).", server(1)));
    daemon.wait_log(&format!("Regex match success to {} url(/).", server(1)));
    for (port, reason) in [
        (4, "HTTP status code error to"),
        (5, "MD5 digest error to"),
        (6, "Regex match failed"),
        (7, "Read, no data received from "),
    ] {
        daemon.wait_log(&format!("{reason} server {}.", server(port)));
        daemon.wait_log(&format!("Removing service {} from VS", server(port)));
    }
    let log = daemon.stop();
    for port in [1, 2, 3] {
        assert!(!log.contains(&format!("Removing service {}", server(port))), "{log}");
    }
}
