//! Two private network namespaces joined by a cable. They have no names, so nothing is left behind: they
//! vanish with the thread and the descriptors.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::net::if_::InterfaceFlags;
use nix::sched::{CloneFlags, setns, unshare};

/// The two ends. Interface `left` has 10.9.0.1, fe80::1 and fd09::1; `right` the same with 2.
pub(super) struct Lan {
    left: File,
    right: File,
}

impl Lan {
    /// Runs `test` in a thread of its own, so that nothing else changes its namespace; says so if it cannot.
    pub(super) fn run(test: impl FnOnce(&Lan) + Send + 'static) {
        if !nix::unistd::Uid::effective().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        let thread = std::thread::spawn(|| match Lan::build() {
            Ok(lan) => test(&lan),
            Err(nix::errno::Errno::EPERM) => eprintln!("skipped: may not make network namespaces"),
            Err(error) => panic!("network namespace: {error}"),
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    fn build() -> Result<Lan, nix::errno::Errno> {
        let own = || File::open("/proc/thread-self/ns/net").unwrap();
        unshare(CloneFlags::CLONE_NEWNET)?;
        let left = own();
        unshare(CloneFlags::CLONE_NEWNET)?;
        let right = own();
        let lan = Lan { left, right };
        let far = format!("/proc/{}/fd/{}", std::process::id(), lan.right.as_raw_fd());
        lan.in_left(|| ip(&["link", "add", "left", "type", "veth", "peer", "right"]));
        lan.in_left(|| ip(&["link", "set", "right", "netns", &far]));
        lan.in_left(|| Lan::raise("left", 1));
        lan.in_right(|| Lan::raise("right", 2));
        lan.in_left(|| Lan::address("left", 1));
        lan.in_right(|| Lan::address("right", 2));
        Ok(lan)
    }

    fn raise(name: &str, number: u8) {
        ip(&["link", "set", name, "addrgenmode", "none"]);
        ip(&["link", "set", name, "address", &format!("02:00:00:00:0a:0{number}")]);
        ip(&["link", "set", "lo", "up"]);
        ip(&["link", "set", name, "up"]);
    }

    /// Adds the addresses once the carrier is there: what is sent before is lost without an error.
    fn address(name: &str, number: u8) {
        let running = || {
            nix::ifaddrs::getifaddrs().unwrap().any(|interface| {
                interface.interface_name == name
                    && interface.flags.contains(InterfaceFlags::IFF_RUNNING)
            })
        };
        wait_until("no carrier", running);
        ip(&["address", "add", &format!("10.9.0.{number}/24"), "dev", name]);
        ip(&["address", "add", &format!("fe80::{number}/64"), "dev", name, "nodad"]);
        ip(&["address", "add", &format!("fd09::{number}/64"), "dev", name, "nodad"]);
        // Adverts are the subject here, not how long the kernels need to find each other.
        let other = 3 - number;
        let mac = format!("02:00:00:00:0a:0{other}");
        for address in [format!("10.9.0.{other}"), format!("fd09::{other}")] {
            ip(&["neighbour", "add", &address, "lladdr", &mac, "dev", name, "nud", "permanent"]);
        }
        // The kernel accepts an IPv6 address some time before it listens to it.
        let own = [0xfe80, 0xfd09].map(|prefix| format!("{prefix:04x}{number:028x} 80 "));
        wait_until("no local route", || {
            let routes = std::fs::read_to_string("/proc/thread-self/net/ipv6_route").unwrap();
            own.iter().all(|route| routes.lines().any(|line| line.starts_with(route)))
        });
    }

    pub(super) fn in_left<T>(&self, work: impl FnOnce() -> T) -> T {
        setns(&self.left, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    }

    pub(super) fn in_right<T>(&self, work: impl FnOnce() -> T) -> T {
        setns(&self.right, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    }
}

fn wait_until(missing: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !there() {
        assert!(Instant::now() < deadline, "{missing}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "ip {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
