//! Mails: who is told, in which words, and what a bad mail server can do (nothing).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use testbed::{Answer, Daemon, Host, Lan, Mail, MailServer, Service, wait_for};

use crate::{instance, ours, ready, ready_for_ours, ready_with, start, theirs, version_3};

/// Global definitions for mails to `server`.
fn mails(server: &str, lines: &str) -> String {
    version_3(&format!(
        "router_id R1\n  smtp_server {server}\n  smtp_alert true\n  notification_email_from \
         ka@example.org\n  smtp_helo_name director\n  notification_email {{\n    a@example.org\n    \
         b@example.org\n  }}\n  {lines}"
    ))
}

fn alone(server: &str, lines: &str) -> String {
    mails(server, lines) + &instance("N1", 63, 150, "advert_int 0.25", &["10.9.0.100/24"])
}

fn subjects(mails: &[Mail]) -> Vec<String> {
    mails.iter().map(|mail| mail.header("Subject")).collect()
}

const LIFE: [&str; 3] = [
    "[R1] VRRP Instance N1 - Entering BACKUP state",
    "[R1] VRRP Instance N1 - Entering MASTER state",
    "[R1] VRRP Instance N1 - Stopping",
];

/// Start, leading, link down and up, stop, of a group: the mails that `program` sends.
fn mails_of(program: &Path) -> Vec<Mail> {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |_, _| Answer::Usual);
    a.ip("link add eth1 type veth peer name eth2");
    a.ip("link set eth1 up");
    a.ip("link set eth2 up");
    let group = "vrrp_sync_group G {\n  group {\n    N1\n  }\n}\n";
    let lines = "advert_int 0.25\n  track_interface {\n    eth1\n  }";
    let configuration =
        mails("10.9.0.2", "") + group + &instance("N1", 63, 150, lines, &["10.9.0.100/24"]);
    let daemon = Daemon::start(&a, program, &configuration);
    server.wait_mails(4);
    a.ip("link set eth1 down");
    server.wait_mails(6);
    a.ip("link set eth1 up");
    server.wait_mails(10);
    daemon.stop();
    // The C daemon is gone before it has handed over the last ones.
    server.wait_mails(if program == theirs() { 10 } else { 12 })
}

/// The same mails in the same words, headers in the same order, as from the C daemon.
#[test]
fn mails_are_those_of_the_c_daemon() {
    if !ready() {
        return;
    }
    let told = |mails: &[Mail]| -> BTreeSet<String> {
        let envelope = |m: &Mail| format!("{} {} {:?}", m.helo, m.from, m.to);
        let told = mails.iter().map(|mail| {
            let shown = ["From", "Subject", "X-Mailer", "To"].map(|name| mail.header(name));
            format!("{}\n{:?}\n{shown:?}\n{}", envelope(mail), mail.header_names(), mail.body())
        });
        told.collect()
    };
    let (own, reference) = (mails_of(&ours()), mails_of(&theirs()));
    let (own_told, mut reference_told) = (told(&own), told(&reference));
    reference_told.extend(own_told.iter().filter(|text| text.contains("- Stopping")).cloned());
    assert_eq!(own_told, reference_told);
    for mail in own.iter().chain(&reference) {
        let date = mail.header("Date");
        // Tue, 24 Nov 2026 16:51:59 +0000
        let shape: String =
            date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).skip(3).collect();
        assert!(shape.len() == 28 && shape.ends_with(" 0000 00:00:00 +0000"), "{date}");
    }
}

/// Replies in pieces, of several lines, with bare line ends, with nothing but a code; a recipient that does
/// not exist: the mails arrive.
#[test]
fn odd_servers_get_their_mails() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |number, command| match (number, command) {
        (0, _) => Answer::Pieces,
        (1, "CONNECT") => Answer::Text("220-this\r\n220-is\n220\n".into()),
        (1, "HELO director") => Answer::Text("250-this\r\n250 too\n".into()),
        (1, "MAIL FROM:<ka@example.org>") => Answer::Text("250\r\n".into()),
        (_, "RCPT TO:<a@example.org>") => Answer::Text("550 who?\r\n".into()),
        (_, "QUIT") => Answer::Close,
        _ => Answer::Usual,
    });
    let daemon = start(&a, &alone("10.9.0.2", ""));
    a.wait_holds("10.9.0.100", true);
    server.wait_mails(2);
    daemon.wait_log("a@example.org does not get the mail (status code 550)");
    daemon.stop();
    let mails = server.mails();
    assert_eq!(subjects(&mails), LIFE);
    let to: Vec<Vec<String>> = mails.iter().map(|mail| mail.to.clone()).collect();
    let (both, one) = (["a@example.org", "b@example.org"], ["b@example.org"]);
    assert_eq!(to, [both.as_slice(), &one, &one]);
}

/// Errors that pass and connections that break are tried again, with each mail whole and once.
#[test]
fn what_failed_for_now_is_sent_later() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |number, command| match (number, command) {
        (0, "CONNECT") => Answer::Text("421 busy\r\n".into()),
        (1, ".") => Answer::Close,
        (2, "DATA") => Answer::Text("554 never\r\n".into()),
        _ => Answer::Usual,
    });
    let daemon = start(&a, &alone("10.9.0.2", ""));
    daemon.wait_log("(E)SMTP cmd on SMTP server [10.9.0.2]:25. SMTP status code = 421");
    daemon.wait_log("DATA cmd on SMTP server [10.9.0.2]:25. SMTP status code = 554");
    daemon
        .wait_log("'VRRP Instance N1 - Entering BACKUP state' is given up (alerts lost so far: 1)");
    server.wait_mails(1);
    daemon.stop();
    assert_eq!(subjects(&server.mails()), LIFE[1..]);
}

/// A server that accepts and says nothing costs no advert, and the end of the daemon at most the time that
/// it was given.
#[test]
fn a_silent_server_delays_nothing() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |_, _| Answer::Silence);
    let mut daemon = start(&a, &format!("child_wait_time 1\n{}", alone("10.9.0.2", "")));
    let backup = start(
        &b,
        &(version_3("") + &instance("N1", 63, 100, "advert_int 0.25", &["10.9.0.100/24"])),
    );
    a.wait_holds("10.9.0.100", true);
    wait_for("the mail server is connected", || server.connections() > 0);
    daemon.wait_log("Entering MASTER STATE");
    a.set_link(false);
    b.wait_holds("10.9.0.100", true);
    a.set_link(true);
    b.wait_holds("10.9.0.100", false);
    a.wait_holds("10.9.0.100", true);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_end().code(), Some(0));
    assert_eq!(daemon.logged("mails not sent"), 1);
    assert_eq!(server.mails(), []);
    backup.stop();
}

/// Forty instances that change state together are few mails, which name each.
#[test]
fn a_storm_is_few_mails() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |_, _| Answer::Usual);
    let instances: String = (1..=40)
        .map(|n| {
            let vip = format!("10.9.0.{}/24", 100 + n);
            instance(&format!("N{n}"), n, 150, "advert_int 0.25", &[&vip])
        })
        .collect();
    let daemon = start(&a, &(mails("10.9.0.2", "") + &instances));
    let untold = || {
        let texts: String = server.mails().into_iter().map(|mail| mail.text).collect();
        let wanted = |n: &usize| format!("VRRP Instance N{n} - Entering MASTER state\n");
        (1..=40).filter(|n| !texts.contains(&wanted(n))).count()
    };
    wait_for("every MASTER is told", || untold() == 0);
    daemon.stop();
    let mails = server.mails();
    assert!(mails.len() <= 12, "{:?}", subjects(&mails));
    let merged = mails.iter().filter(|mail| mail.header("Subject").ends_with(" state changes"));
    assert!(merged.count() > 0, "{:?}", subjects(&mails));
}

/// `no_email_faults`; `smtp_alert` of the instance; and no mail at all without recipients.
#[test]
fn mails_that_nobody_wants_are_not_sent() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let server = MailServer::start(&b, |_, _| Answer::Usual);
    let configuration = alone("10.9.0.2", "no_email_faults")
        + &instance("N2", 64, 150, "advert_int 0.25\n  smtp_alert off", &["10.9.0.101/24"]);
    let daemon = start(&a, &configuration);
    server.wait_mails(2);
    a.wait_holds("10.9.0.101", true);
    a.set_link(false);
    a.wait_holds("10.9.0.100", false);
    a.set_link(true);
    a.wait_holds("10.9.0.100", true);
    server.wait_mails(4);
    let without = configuration.replace("a@example.org\n    b@example.org\n", "\n");
    daemon.reload(&without.replace("  notification_email {\n    \n  }\n", ""));
    daemon.wait_log("Reload complete");
    daemon.stop();
    let told = [LIFE[0], LIFE[1], LIFE[0], LIFE[1]];
    assert_eq!(subjects(&server.mails()), told);
}

/// A real server's mailbox has each mail whole, with the lines that begin with a dot.
#[test]
fn debians_mail_server_delivers_every_line() {
    if !ready_for_ours() || !ready_with(&[EXIM]) {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let exim = Exim::start(&b);
    // Encoded and broken into lines, this name makes lines that begin with a dot.
    let dots = format!("Ä{}", ".".repeat(200));
    let names = ["N1", "N2", &dots, "N4", "N5", "N6"];
    let instances: String = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let vip = format!("10.9.0.{}/24", 100 + n);
            instance(name, 63 + n as u8, 150, "advert_int 0.25", &[&vip])
        })
        .collect();
    let daemon = start(&a, &(mails("10.9.0.2", "") + &instances));
    let decoded = || exim.delivered().replace("=\n", "").replace("=3D", "=").replace("=C3=84", "Ä");
    wait_for("every MASTER is delivered", || {
        let text = decoded();
        names.iter().all(|n| text.contains(&format!("VRRP Instance {n} - Entering MASTER state\n")))
    });
    daemon.stop();
    let raw = exim.delivered();
    assert!(raw.contains("=\n..."), "a line that begins with a dot:\n{raw}");
    assert!(raw.contains("To: a@example.org,\n b@example.org\n"), "{raw}");
    assert!(!raw.contains('\r'), "{raw}");
    assert!(decoded().contains("=> VRRP Instance is now owning VRRP VIPs <=\n"), "{raw}");
}

/// TLS and a password, as a real server wants them.
#[test]
fn debians_mail_server_gets_mails_under_tls_with_a_password() {
    if !ready_for_ours() || !ready_with(&[EXIM]) {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let exim = Exim::start(&b);
    let daemon = start(&a, &alone("10.9.0.2", "smtp_auth director \"a word\""));
    daemon.wait_logged("SMTP alert successfully sent.", 2);
    daemon.stop();
    // Three mails for two recipients each.
    wait_for("six copies are delivered", || exim.delivered().matches("X-Mailer:").count() == 6);
    // RFC 3848: over TLS, authenticated.
    let delivered = exim.delivered();
    assert_eq!(delivered.matches("with esmtpsa").count(), 6, "{delivered}");
}

pub const EXIM: &str = "/usr/sbin/exim4";
/// Who Debian's exim is.
const EXIM_USER: &str = "Debian-exim";

/// Debian's exim with a configuration, a queue and a mailbox of its own.
pub struct Exim {
    mailbox: PathBuf,
    _service: Service,
}

impl Exim {
    pub fn start(host: &Host) -> Self {
        let folder = host.file("exim");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        testbed::run(&format!("chown {EXIM_USER}: {}", folder.display()));
        let (mailbox, configuration) = (folder.join("mailbox"), host.file("exim.conf"));
        let text = format!(
            "spool_directory = {folder}\nlog_file_path = {folder}/%slog\npid_file_path = \
             {folder}/pid\nprimary_hostname = mail.example.org\n\
             deliver_drop_privilege = true\nkeep_environment =\nqueue_run_in_order\n\
             host_lookup =\nrfc1413_hosts =\nacl_smtp_rcpt = accept\nacl_smtp_data = accept\n\
             begin acl\naccept:\n  accept\nbegin routers\nall:\n  driver = accept\n  transport = \
             file\nbegin transports\nfile:\n  driver = appendfile\n  file = {mailbox}\n  mode = \
             0644\n  user = {EXIM_USER}\nbegin authenticators\nplain:\n  driver = plaintext\n  \
             public_name = PLAIN\n  server_advertise_condition = ${{if def:tls_in_cipher}}\n  \
             server_condition = ${{if and{{{{eq{{$auth2}}{{director}}}}{{eq{{$auth3}}{{a \
             word}}}}}}}}\n  server_set_id = $auth2\n",
            folder = folder.display(),
            mailbox = mailbox.display()
        );
        fs::write(&configuration, text).unwrap();
        let arguments = ["-C", &configuration.display().to_string(), "-bdf", "-oX", "25"];
        let service = Service::start(host, Path::new(EXIM), &arguments);
        wait_for("exim listens", || {
            host.inside(|| std::net::TcpStream::connect("127.0.0.1:25")).is_ok()
        });
        Self { mailbox, _service: service }
    }

    /// Everything in the mailbox.
    fn delivered(&self) -> String {
        fs::read_to_string(&self.mailbox).unwrap_or_default()
    }
}
