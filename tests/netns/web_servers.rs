//! `HTTP_GET` and `SSL_GET` against web servers of others: Debian's nginx, and openssl in every manner of TLS.
//! Debian's `genhash`, the C daemon's own client, is the judge.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use testbed::{Host, Lan, Service, wait_for};

use crate::checking::{Case, SERVICE, check, down, judge, name, ready_to_check, real, service, up};
use crate::ours;

const NGINX: &str = "/usr/sbin/nginx";
const GENHASH: &str = "/usr/bin/genhash";
const OPENSSL: &str = "/usr/bin/openssl";

/// What is served as `/file`.
const PAGE: &str = "<html>\nWelcome to the real server\n</html>\n";

/// nginx with everything of its own in the host's folder: ports 80 and (TLS) 443.
struct Nginx {
    folder: PathBuf,
    _service: Service,
}

impl Nginx {
    fn start(host: &Host) -> Self {
        let folder = host.file("nginx");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("file"), PAGE).unwrap();
        fs::write(folder.join("chunked.html"), PAGE).unwrap();
        fs::write(folder.join("slow"), "slow as can be\n".repeat(200)).unwrap();
        certificate(&folder, "rsa:2048");
        fs::create_dir_all(folder.join("client")).unwrap();
        certificate(&folder.join("client"), "rsa:2048");
        let configuration = host.file("nginx.conf");
        fs::write(&configuration, NGINX_CONF.replace("FOLDER", &folder.display().to_string()))
            .unwrap();
        let arguments = ["-c", &configuration.display().to_string(), "-e", "stderr"];
        let service = Service::start(host, Path::new(NGINX), &arguments);
        for port in [80, 443] {
            wait_listens(host, port);
        }
        Self { folder, _service: service }
    }

    /// Request line, Host and Connection of every request there was.
    fn requests(&self) -> String {
        fs::read_to_string(self.folder.join("requests")).unwrap_or_default()
    }
}

/// A key and a certificate signed by it, as `key.pem` and `certificate.pem`.
fn certificate(folder: &Path, key: &str) {
    let folder = folder.display();
    testbed::run(&format!(
        "{OPENSSL} req -x509 -newkey {key} -nodes -keyout {folder}/key.pem -out \
         {folder}/certificate.pem -days 2 -subj /CN=wrong.example"
    ));
}

fn wait_listens(host: &Host, port: u16) {
    wait_for(&format!("port {port} of {} listens", host.name()), || {
        host.inside(|| TcpStream::connect((&*host.address(), port))).is_ok()
    });
}

const NGINX_CONF: &str = r#"
daemon off;
master_process off;
user root;
pid FOLDER/pid;
events { }
http {
  log_format request '$request|$http_host|$http_connection|$ssl_server_name';
  access_log FOLDER/requests request;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  types { text/html html; }
  ssl_certificate FOLDER/certificate.pem;
  ssl_certificate_key FOLDER/key.pem;
  reset_timedout_connection on;
  root FOLDER;
  server {
    listen 80 default_server;
    listen [::]:80;
    listen 443 ssl default_server;
    location = / { return 200 "default server\n"; }
    location = /204 { return 204; }
    location = /301 { return 301 /; }
    location = /503 { return 503; }
    location = /chunked.html { ssi on; }
    location = /slow { limit_rate 2000; }
    location = /reset { return 444; }
  }
  server {
    listen 80;
    listen 443 ssl;
    server_name other.example;
    location = / { return 200 "other server\n"; }
  }
  server {
    listen 443 ssl;
    server_name strict.example;
    location = / { if ($ssl_server_name != strict.example) { return 421; } return 200 "strict\n"; }
  }
  server {
    listen 444 ssl;
    ssl_verify_client on;
    ssl_client_certificate FOLDER/client/certificate.pem;
    location = / { return 200 "welcome, $ssl_client_s_dn\n"; }
  }
  server {
    listen 443 ssl;
    server_name refused.example;
    ssl_reject_handshake on;
  }
}
"#;

/// What Debian's genhash prints about an URL of b.
fn told_by_genhash(host: &Host, arguments: &str) -> String {
    host.run(&format!("{GENHASH} -t 3 -s 10.9.0.2 {arguments}"))
}

/// The digest, if it tells one.
fn genhash(host: &Host, arguments: &str) -> Option<String> {
    let told = told_by_genhash(host, arguments).trim().to_owned();
    (told.len() == 32 && told.bytes().all(|b| b.is_ascii_hexdigit())).then_some(told)
}

/// An `HTTP_GET` of the server on port 80 with an URL.
fn get(path: &str, lines: &str) -> String {
    web("HTTP_GET", 80, "", path, lines)
}

/// An `SSL_GET` of the server on port 443 with an URL.
fn tls(checker: &str, path: &str, lines: &str) -> String {
    web("SSL_GET", 443, checker, path, lines)
}

fn web(keyword: &str, port: u16, checker: &str, path: &str, lines: &str) -> String {
    format!(
        "{keyword} {{\n      connect_port {port}\n      log_all_failures\n      {checker}\n      \
         url {{\n        path {path}\n        {lines}\n      }}\n    }}"
    )
}

const GOOD: &str = "Remote Web server @ succeed on service.";
const BAD_STATUS: &str = "HTTP status code error to server @.";
const BAD_DIGEST: &str = "MD5 digest error to server @.";
const BAD_REGEX: &str = "Regex match failed server @.";
const RESET: &str = "Read error with server @.";

/// Status codes, hosts and odd replies.
#[test]
fn nginx_is_asked_for_status_codes() {
    if !ready_to_check(&[NGINX, OPENSSL]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let nginx = Nginx::start(&b);
    let protocol = |version: &str| {
        web("HTTP_GET", 80, &format!("http_protocol {version}"), "/v", "status_code 404")
    };
    let cases = [
        up(get("/", ""), GOOD),
        up(get("/file", "status_code 200"), "HTTP status code success to @ url(/file)."),
        up(get("/204", ""), GOOD),
        down(get("/301", ""), BAD_STATUS),
        up(get("/301", "status_code 200 300-399"), GOOD),
        down(get("/nothing", ""), BAD_STATUS),
        up(get("/nothing", "status_code 404"), GOOD),
        down(get("/503", "status_code 200-502 504-599"), BAD_STATUS),
        up(get("/503", "status_code 503"), GOOD),
        up(get("/", "virtualhost other.example\n regex other"), GOOD),
        up(get("/chunked.html", ""), GOOD),
        up(get("/slow", ""), GOOD),
        down(get("/reset", ""), RESET),
        up(web("HTTP_GET", 80, "connect_ip fd00:9::2", "/v6", "status_code 404"), GOOD),
        up(protocol("1.0"), GOOD),
        up(protocol("1.0C"), GOOD),
        up(protocol("1.1"), GOOD),
        up(web("HTTP_GET", 80, "http_protocol 1.1", "/chunked.html", "status_code 200"), GOOD),
        down(web("HTTP_GET", 79, "", "/", ""), "Connection failed server @."),
    ];
    let daemon = judge(&a, "", "connect_timeout 2", &cases);
    daemon.stop();
    let requests = nginx.requests();
    for request in [
        "GET /v HTTP/1.0|10.9.0.2:80|-|-\n",
        "GET /v HTTP/1.0|10.9.0.2:80|close|-\n",
        "GET /v6 HTTP/1.0|[fd00:9::2]:80|-|-\n",
        "GET /v HTTP/1.1|10.9.0.2:80|close|-\n",
        "GET / HTTP/1.0|other.example|-|-\n",
    ] {
        assert!(requests.contains(request), "{request}{requests}");
    }
}

/// Digests as genhash tells them, and expressions with their options.
#[test]
fn nginx_is_asked_for_contents() {
    if !ready_to_check(&[NGINX, OPENSSL, GENHASH]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let _nginx = Nginx::start(&b);
    let digest = |path: &str, arguments: &str| {
        let told = genhash(&a, &format!("-p 80 -u {path} {arguments}"));
        format!("digest {}", told.unwrap_or_else(|| panic!("genhash knows nothing of {path}")))
    };
    let other = digest("/", "-V other.example");
    let chunked = digest("/chunked.html", "-P 1.1");
    let http_11 = |lines: &str| web("HTTP_GET", 80, "http_protocol 1.1", "/chunked.html", lines);
    let cases = [
        up(get("/file", &digest("/file", "")), "MD5 digest success to @ url(/file)."),
        up(get("/", &format!("virtualhost other.example\n {other}")), GOOD),
        down(get("/", &other), BAD_DIGEST),
        up(get("/slow", &digest("/slow", "")), GOOD),
        up(get("/204", &digest("/204", "")), GOOD),
        // The digest is that of the chunks as they come.
        up(http_11(&chunked), GOOD),
        down(get("/chunked.html", &chunked), BAD_DIGEST),
        up(get("/nothing", &format!("status_code 404\n {}", digest("/nothing", ""))), GOOD),
        up(get("/file", "regex Welcome"), "Regex match success to @ url(/file)."),
        up(get("/file", "regex \"real\\\\s+server$\"\n regex_options multiline"), GOOD),
        down(get("/file", "regex welcome"), BAD_REGEX),
        up(get("/file", "regex welcome\n regex_options caseless"), GOOD),
        down(get("/file", "regex Welcome\n regex_no_match"), BAD_REGEX),
        up(get("/file", "regex Maintenance\n regex_no_match"), GOOD),
        up(get("/slow", "regex slow\n regex_min_offset 2985"), GOOD),
        down(get("/slow", "regex slow\n regex_min_offset 2986"), BAD_REGEX),
        up(get("/slow", "regex \"as can\"\n regex_max_offset 5"), GOOD),
        down(get("/slow", "regex \"as can\"\n regex_max_offset 4"), BAD_REGEX),
        // All three must hold.
        down(
            get(
                "/file",
                "status_code 200\n regex Welcome\n digest 00112233445566778899aabbccddeeff",
            ),
            BAD_DIGEST,
        ),
        up(http_11("regex Welcome"), GOOD),
    ];
    judge(&a, "", "connect_timeout 2", &cases).stop();
}

/// Ours prints what Debian's does.
#[test]
fn genhash_is_genhash() {
    if !ready_to_check(&[NGINX, OPENSSL, GENHASH]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let _nginx = Nginx::start(&b);
    for arguments in [
        "-p 80 -u /file",
        "-p 80 -u /slow",
        "-p 80 -u /204",
        "-p 80 -u /nothing",
        "-p 80 -u / -V other.example",
        "-p 80 -u /chunked.html -P 1.1",
        "-p 80 -u /file -P 1.0c",
        "-p 80 -u /file -m 7",
        "-p 443 -S -u /file",
        "-p 443 -S -u / -V strict.example",
        "-p 443 -S -I -u / -V strict.example",
        "-p 443 -u /file",
    ] {
        let own = a.run(&format!("{} --genhash -t 3 -s 10.9.0.2 {arguments}", ours().display()));
        assert_eq!(own, told_by_genhash(&a, arguments), "{arguments}");
    }
}

/// Several URLs are asked one after the other, and all of them must hold; with `fast_recovery` at once.
#[test]
fn nginx_is_asked_for_several_urls() {
    if !ready_to_check(&[NGINX, OPENSSL]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let nginx = Nginx::start(&b);
    let urls = |lines: &str, last: &str| {
        let paths =
            ["/", "/file", last].map(|path| format!("url {{\n path {path}\n }}\n")).concat();
        format!("HTTP_GET {{\n connect_port 80\n log_all_failures\n {lines}\n {paths} }}")
    };
    let cases: [Case; 4] = [
        up(urls("delay_loop 0.2", "/204"), GOOD),
        down(urls("delay_loop 0.2", "/301"), BAD_STATUS),
        // At a minute from one URL to the next this would take longer than any test waits.
        up(urls("delay_loop 60\n fast_recovery", "/204"), GOOD),
        down(urls("delay_loop 60\n fast_recovery", "/301"), BAD_STATUS),
    ];
    judge(&a, "", "connect_timeout 2", &cases).stop();
    let requests = nginx.requests();
    assert!(requests.contains("GET /204 HTTP"), "{requests}");
}

/// A web server that ends is removed after its retries, and comes back with it.
#[test]
fn nginx_goes_and_comes() {
    if !ready_to_check(&[NGINX, OPENSSL]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let nginx = Nginx::start(&b);
    let checker = |lines: &str| get("/", "").replace("log_all_failures", lines);
    let lines = "delay_loop 0.3\n retry 2\n delay_before_retry 0.1";
    let reals = real(0, &checker(lines)) + &real(1, &checker("delay_loop 0.3\n retry 0"));
    let daemon = check(&a, &service("connect_timeout 1\n quorum 2", &reals));
    let (first, second) = (name(0), name(1));
    for server in [&first, &second] {
        daemon.wait_log(&GOOD.replace('@', server));
    }
    drop(nginx);
    daemon.wait_log(&format!("HTTP_CHECK on service {first} failed after 2 retries."));
    daemon.wait_log(&format!("HTTP_CHECK on service {second} failed."));
    daemon.wait_logged(&format!("Removing service {second} from VS {SERVICE}"), 1);
    daemon.wait_log(&format!("Lost quorum 2-0=2 > 1 for VS {SERVICE}"));
    let _nginx = Nginx::start(&b);
    daemon.wait_logged(&GOOD.replace('@', &first), 2);
    daemon.wait_log(&format!("Adding service {first} to VS {SERVICE}"));
    daemon.wait_logged(&format!("Gained quorum 2+0=2 <= 2 for VS {SERVICE}"), 2);
    daemon.stop();
}

/// TLS with and without the server's name, a certificate nobody vouches for, a handshake that is refused.
#[test]
fn nginx_is_asked_over_tls() {
    if !ready_to_check(&[NGINX, OPENSSL, GENHASH]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let nginx = Nginx::start(&b);
    let file = genhash(&a, "-S -p 443 -u /file").unwrap();
    let strict = genhash(&a, "-S -I -p 443 -u / -V strict.example").unwrap();
    const FAILED: &str = "SSL handshake/communication error connecting to server @.";
    let cases = [
        up(tls("", "/file", &format!("digest {file}")), GOOD),
        up(tls("", "/", "regex default"), GOOD),
        up(tls("virtualhost other.example", "/", "regex other"), GOOD),
        down(tls("virtualhost strict.example", "/", ""), BAD_STATUS),
        up(tls("virtualhost strict.example\n enable_sni", "/", &format!("digest {strict}")), GOOD),
        up(tls("sni_name strict.example\n virtualhost strict.example", "/", "regex strict"), GOOD),
        up(tls("enable_sni", "/", "virtualhost strict.example"), GOOD),
        down(tls("sni_name refused.example", "/", ""), FAILED),
        up(tls("", "/file", "tls_compliant"), GOOD),
        up(tls("http_protocol 1.1", "/chunked.html", "regex Welcome"), GOOD),
        down(tls("", "/reset", ""), "@"),
        down(tls("", "/", "").replace("443", "80"), FAILED),
        // A request that is no TLS is answered so.
        up(web("HTTP_GET", 443, "", "/", "status_code 400"), GOOD),
    ];
    judge(&a, "", "connect_timeout 2", &cases).stop();
    let requests = nginx.requests();
    assert!(requests.contains("GET / HTTP/1.0|other.example|-|-\n"), "{requests}");
    assert!(requests.contains("GET / HTTP/1.0|strict.example|-|strict.example\n"), "{requests}");
}

/// A server that wants to know who asks: the `SSL` block says it, also one that a reload brings; a key can
/// have a pass phrase.
#[test]
fn nginx_wants_a_certificate() {
    if !ready_to_check(&[NGINX, OPENSSL]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let nginx = Nginx::start(&b);
    let client = nginx.folder.join("client").display().to_string();
    testbed::run(&format!(
        "{OPENSSL} rsa -aes256 -passout pass:secret -in {client}/key.pem -out {client}/locked.pem"
    ));
    let block = |key: &str| {
        format!("SSL {{\n  certificate {client}/certificate.pem\n  key {client}/{key}\n}}\n")
    };
    let locked = block("locked.pem").replace("{\n", "{\n  password secret\n");
    let checker = tls("delay_loop 0.3\n delay_before_retry 0.1", "/", "regex wrong.example")
        .replace("port 443", "port 444");
    let reals = real(0, &checker);
    let judged = service("connect_timeout 2", &reals);
    let daemon = check(&a, &judged);
    daemon.wait_log(&BAD_STATUS.replace('@', &name(0)));
    daemon.reload(&(block("key.pem") + &judged));
    daemon.wait_log(&GOOD.replace('@', &name(0)));
    daemon.reload(&judged);
    daemon.wait_logged(&format!("SSL_CHECK on service {} failed after 1 retries.", name(0)), 2);
    daemon.reload(&(locked + &judged));
    daemon.wait_logged(&GOOD.replace('@', &name(0)), 2);
    daemon.stop();
}

/// A manner of TLS, as options of `openssl s_server`, and the key of its certificate.
const PROFILES: [(&str, &str, &str); 14] = [
    ("TLS 1.0", "rsa:2048", "-tls1 -cipher ALL:@SECLEVEL=0"),
    ("TLS 1.1", "rsa:2048", "-tls1_1 -cipher ALL:@SECLEVEL=0"),
    ("TLS 1.2", "rsa:2048", "-tls1_2"),
    ("CBC", "rsa:2048", "-tls1_2 -cipher ECDHE-RSA-AES256-SHA384"),
    ("CBC with SHA-1", "rsa:2048", "-tls1_2 -cipher ECDHE-RSA-AES128-SHA"),
    ("RSA key exchange", "rsa:2048", "-tls1_2 -cipher AES128-GCM-SHA256"),
    ("RSA key exchange, CBC", "rsa:2048", "-tls1_2 -cipher AES256-SHA"),
    ("DHE", "rsa:2048", "-tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384"),
    ("short DHE", "rsa:2048", "-tls1_2 -cipher DHE-RSA-AES128-SHA:@SECLEVEL=0 -dhparam DH1024"),
    ("short key", "rsa:1024", "-tls1_2 -cipher ALL:@SECLEVEL=0"),
    ("TLS 1.3", "rsa:2048", "-tls1_3"),
    ("TLS 1.3, one suite", "rsa:2048", "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256"),
    ("elliptic curves", "ec -pkeyopt ec_paramgen_curve:P-256", "-tls1_2"),
    ("Ed25519", "ed25519", "-tls1_3"),
];

/// Every server that the C daemon's own client reaches is reached, and no page is read otherwise than by it.
#[test]
fn every_manner_of_tls_that_genhash_reaches_is_reached() {
    if !ready_to_check(&[OPENSSL, GENHASH]) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let folder = b.file("tls");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("page.html"), PAGE).unwrap();
    let parameters = folder.join("DH1024").display().to_string();
    testbed::run(&format!("{OPENSSL} dhparam -dsaparam -out {parameters} 1024"));
    let mut servers = Vec::new();
    let mut cases = Vec::new();
    let mut reached = Vec::new();
    for (number, (manner, key, options)) in PROFILES.into_iter().enumerate() {
        let port = 4430 + number as u16;
        servers.push(s_server(&b, &folder, port, key, options));
        let Some(digest) = genhash(&a, &format!("-S -p {port} -u /page.html")) else { continue };
        reached.push(manner);
        let checker = tls("", "/page.html", &format!("digest {digest}"));
        cases.push(up(checker.replace("port 443", &format!("port {port}")), GOOD));
    }
    // What it reaches is up to the machine's library; these are never too old or too new for it.
    for manner in ["CBC", "RSA key exchange", "DHE", "TLS 1.3", "elliptic curves"] {
        assert!(reached.contains(&manner), "genhash reaches only {reached:?}");
    }
    judge(&a, "", "connect_timeout 2", &cases).stop();
}

/// An `openssl s_server` that serves the files of a folder.
fn s_server(host: &Host, folder: &Path, port: u16, key: &str, options: &str) -> Service {
    let own = folder.join(port.to_string());
    fs::create_dir_all(&own).unwrap();
    certificate(&own, key);
    let path = |name: &str| own.join(name).display().to_string();
    let options = options.replace("DH1024", &folder.join("DH1024").display().to_string());
    let arguments = format!(
        "-c cd $0 && exec {OPENSSL} s_server -quiet -WWW -accept {port} -key {} -cert {} {options}",
        path("key.pem"),
        path("certificate.pem")
    );
    let (dash_c, script) = arguments.split_once(' ').unwrap();
    let arguments = [dash_c, script, &folder.display().to_string()];
    let service = Service::start(host, Path::new("/bin/sh"), &arguments);
    wait_listens(host, port);
    service
}
