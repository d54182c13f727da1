//! BFD: a session with a router decides who is MASTER, ours and the C keepalived in both roles, and with BIRD as the
//! router.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use testbed::{Daemon, Host, Lan, Parts, Service, wait_for};

use crate::{instance, ours, ready, ready_with, start, theirs, version_3, wait_holder};

const VIP: [&str; 1] = ["10.9.0.100"];

/// The machine may be busy: a router is missed after some seconds.
const TIMES: &str = "min_rx 200\n  min_tx 200\n  multiplier 10";

/// A session from `me` to `peer`, by their numbers.
fn session(name: &str, me: u8, peer: u8, lines: &str) -> String {
    format!(
        "bfd_instance {name} {{\n  neighbor_ip 10.9.0.{peer}\n  source_ip 10.9.0.{me}\n  {lines}\n}}\n"
    )
}

fn session_6(name: &str, peer: u8, lines: &str) -> String {
    format!("bfd_instance {name} {{\n  neighbor_ip fd00:9::{peer}\n  hoplimit 255\n  {lines}\n}}\n")
}

/// A director that needs the router by IPv4 and likes to have it by IPv6.
fn director(times: &str, priority: u8) -> String {
    let lines = "advert_int 0.25\n  track_bfd {\n    R4\n    R6 weight 20\n  }";
    version_3("")
        + &session("R4", 1, 3, times)
        + &session_6("R6", 3, times)
        + &instance("V", 91, priority, lines, &["10.9.0.100/24"])
}

fn router(host: &Host, program: &Path) -> Daemon {
    let sessions = session("D4", 3, 1, TIMES) + &session_6("D6", 1, TIMES);
    Daemon::start_parts(host, program, Parts::Vrrp, &sessions, &[])
}

/// With the router the director leads, without it somebody else does, and a reload is no reason for either.
fn a_router_decides(ours_or_theirs: &Path, other: &Path) {
    let lan = Lan::new();
    let (a, b, r) = (lan.host("a", 1), lan.host("b", 2), lan.host("r", 3));
    let _second = start(
        &b,
        &(version_3("") + &instance("V", 91, 110, "advert_int 0.25", &["10.9.0.100/24"])),
    );
    let first = Daemon::start(&a, ours_or_theirs, &director(TIMES, 100));
    wait_holder(&b, &a, &VIP);
    assert_eq!(first.logged("Tracked BFD instance"), 0, "nothing was heard yet");

    let far = router(&r, other);
    for session in ["R4", "R6"] {
        first.wait_log(&format!("({session}) Entering Up state"));
        first.wait_log(&format!("VRRP_Instance(V) Tracked BFD instance {session} is UP"));
    }
    wait_holder(&a, &b, &VIP);
    lan.capture().wait_advert("a leads with 120", 0, |advert| advert.priority == 120);

    let so_far = lan.capture().adverts().len();
    first.reload(&director("min_rx 250\n  min_tx 300\n  multiplier 10", 101));
    lan.capture().wait_advert("a leads with 121", so_far, |advert| advert.priority == 121);
    far.wait_log("Detection time is 3000000 us (was 2000000 us)");
    let downs = [&first, &far].map(|daemon| daemon.logged("Entering Down state"));
    assert_eq!((downs, first.logged("(V) Entering FAULT")), ([0, 0], 0));

    dumps_tell(&first);

    far.crash();
    for session in ["R4", "R6"] {
        first.wait_log(&format!("({session}) Expired after"));
        first.wait_log(&format!("VRRP_Instance(V) Tracked BFD instance {session} is DOWN"));
    }
    first.wait_log("(V) Entering FAULT STATE");
    wait_holder(&b, &a, &VIP);

    let far = router(&r, other);
    wait_holder(&a, &b, &VIP);
    far.wait_log("(D4) Entering Up state");
    let mut addresses = vec!["10.9.0.1"];
    // Without source_ip the C daemon sends from any port.
    if ours_or_theirs != theirs() {
        addresses.push("fd00:9::1");
    }
    for address in addresses {
        let packets = lan.capture().judge_bfd(address);
        assert!(packets.iter().any(|packet| packet.get("bfd.flags.p") == "1"), "it polls");
    }
    lan.capture().judge();
    first.stop();
    far.stop();
}

/// What programs read of it, in the words and the order of both daemons.
fn dumps_tell(director: &Daemon) {
    let usr1 = Signal::SIGUSR1 as i32;
    let mut sessions = String::new();
    wait_for("both sessions have agreed on the intervals", || {
        sessions = director.dump(usr1, "keepalived_bfd.data", |text| {
            text.contains(" BFD Instance = R6") && text.ends_with(")\n")
        });
        let settled = ["   !poll, !final", "   local detection time = 2500000 us"];
        settled.iter().all(|line| sessions.matches(line).count() == 2)
    });
    in_order(
        &sessions,
        &[
            "------< Global definitions >------",
            "------< BFD Data >------",
            "------< BFD Topology >------",
            " BFD Instance = R4",
            "   Neighbor IP = 10.9.0.3",
            "   Source IP = 10.9.0.1",
            "   Required min RX interval = 250000 us",
            "   Desired min TX interval = 300000 us",
            "   Desired idle TX interval = 1000000 us",
            "   Detection multiplier = 10",
            "   TTL = 255",
            "   max_hops = 0",
            "   passive = false",
            "   send event to VRRP process = Yes",
            "   send event to checker process = Yes",
            "   send error = false",
            "   local state = Up",
            "   remote state = Up",
            "   local diag = No Diagnostic",
            "   remote diag = No Diagnostic",
            "   remote min tx intv = 200000 us",
            "   remote min rx intv = 200000 us",
            "   local demand = 0",
            "   remote demand = 0",
            "   remote detect multiplier = 10",
            "   !poll, !final",
            "   local tx intv = 300000 us",
            "   remote tx intv = 250000 us",
            "   local detection time = 2500000 us",
            "   remote detection time = 3000000 us",
            " BFD Instance = R6",
            "   hoplimit = 255",
        ],
    );
    let instances = director.dump(usr1, "keepalived.data", |text| {
        text.contains("------< Interfaces >------") && text.contains(" Name = eth0")
    });
    in_order(
        &instances,
        &[
            " VRRP Instance = V",
            "   Tracked BFDs :",
            "     R4: weight 0",
            "     R6: weight 20",
            "------< VRRP Track BFDs >------",
            " VRRP Track BFD = R4",
            "   Weight = 0",
            "   Bfd is up",
            "   Tracking VRRP instances :",
            "   Tracking instances :",
            "     V, weight 0",
            " VRRP Track BFD = R6",
            "   Bfd is up",
            "     V, weight 20",
        ],
    );
}

#[track_caller]
fn in_order(text: &str, wanted: &[&str]) {
    let mut lines = text.lines();
    for line in wanted {
        assert!(lines.any(|l| l == *line), "{line:?} is missing, or out of its place, in\n{text}");
    }
}

#[test]
fn our_director_and_their_router() {
    if ready() {
        a_router_decides(&ours(), &theirs());
    }
}

#[test]
fn their_director_and_our_router() {
    if ready() {
        a_router_decides(&theirs(), &ours());
    }
}

/// A BIRD that runs BFD with host a, with a control socket of its own.
struct Bird {
    _service: Service,
    control: String,
}

impl Bird {
    fn start(host: &Host) -> Bird {
        let file = host.file("bird.conf");
        let times =
            "min rx interval 200 ms; min tx interval 200 ms; idle tx interval 1 s; multiplier 10;";
        let text = format!(
            "router id {};\nprotocol device {{}}\nprotocol bfd {{\n  interface \"eth0\" {{ {times} }};\n  multihop \
             {{ {times} }};\n  neighbor 10.9.0.1 dev \"eth0\";\n  neighbor fd00:9::1 dev \"eth0\";\n  neighbor \
             10.9.0.1 local 10.9.0.3 multihop on;\n}}\n",
            host.address()
        );
        fs::write(&file, text).unwrap();
        // Of one that was killed.
        let _ = fs::remove_file(host.file("bird.ctl"));
        let (file, control) =
            (file.display().to_string(), host.file("bird.ctl").display().to_string());
        let pid = host.file("bird.pid").display().to_string();
        let arguments = ["-f", "-c", &file, "-s", &control, "-P", &pid];
        let _service = Service::start(host, Path::new("/usr/sbin/bird"), &arguments);
        Bird { _service, control }
    }

    /// What BIRD says of its sessions.
    fn sessions(&self, host: &Host) -> String {
        host.run(&format!("birdc -s {} show bfd sessions", self.control))
    }

    /// Waits until so many of its sessions are in `state`.
    #[track_caller]
    fn wait(&self, host: &Host, state: &str, count: usize) {
        wait_for(&format!("BIRD has {count} sessions {state}"), || {
            Path::new(&self.control).exists()
                && self.sessions(host).lines().filter(|line| line.contains(state)).count() == count
        });
    }
}

/// Over one hop by both families, and over several. The cable is pulled, and BIRD dies.
#[test]
fn bird_is_a_neighbour() {
    if !ready_with(&["tcpdump", "tshark", "/usr/sbin/bird"]) || ours() == theirs() {
        return;
    }
    let lan = Lan::new();
    let (a, r) = (lan.host("a", 1), lan.host("r", 3));
    let several = session("RM", 1, 3, &format!("{TIMES}\n  multihop on\n  max_hops -1"));
    let sessions = session("R4", 1, 3, TIMES) + &session_6("R6", 3, TIMES) + &several;
    let daemon = start(&a, &sessions);
    let names = ["R4", "R6", "RM"];
    let bird = Bird::start(&r);
    bird.wait(&r, "Up", 3);
    for name in names {
        daemon.wait_log(&format!("({name}) Entering Up state"));
    }
    // BIRD says how often it sends, and when it would miss us.
    daemon.reload(&sessions.replace("min_tx 200", "min_tx 500"));
    wait_for("BIRD follows our interval", || bird.sessions(&r).matches("5.000").count() == 3);
    assert_eq!(daemon.logged("Entering Down state"), 0, "{}", daemon.log());

    // VRRP begins, and knows that the router is there.
    let lines = "advert_int 0.25\n  track_bfd {\n    R4\n  }";
    let instance = instance("V", 91, 100, lines, &["10.9.0.100/24"]);
    daemon.reload(&(sessions.clone() + &version_3("") + &instance));
    a.wait_holds(VIP[0], true);
    assert_eq!(daemon.logged("FAULT"), 0, "{}", daemon.log());

    // We are taken away: BIRD finds out.
    lan.set_cable(&a, false);
    bird.wait(&r, "Down", 3);
    lan.set_cable(&a, true);
    bird.wait(&r, "Up", 3);
    drop(bird);
    for name in names {
        daemon.wait_logged(&format!("({name}) Entering Down state"), 2);
    }
    let bird = Bird::start(&r);
    bird.wait(&r, "Up", 3);
    for address in ["10.9.0.1", "fd00:9::1"] {
        let packets = lan.capture().judge_bfd(address);
        assert!(packets.iter().any(|packet| packet.get("bfd.flags.f") == "1"), "it answers polls");
    }
    daemon.stop();
}
