//! The private network: a bridge in one namespace, a namespace for each host plugged into it.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::ifaddrs::getifaddrs;
use nix::mount::{MntFlags, umount2};
use nix::net::if_::InterfaceFlags;
use nix::sched::{CloneFlags, setns};

use crate::leftovers::{lock, prefix, sweep, temporary};
use crate::process::{Monitor, run, run_ip};
use crate::{Capture, wait_for};

/// A bridge in a namespace of its own, with every VRRP, ARP and ICMPv6 packet on it captured.
pub struct Lan {
    // Dropped in this order: the capture runs in the namespace.
    capture: Option<Capture>,
    bridge: Namespace,
    prefix: String,
    network: String,
}

impl Lan {
    /// Makes the bridge and starts the capture.
    #[track_caller]
    pub fn new() -> Self {
        let mut lan = Self::without_capture("10.9.0");
        lan.capture = Some(Capture::start(&lan.bridge.name, &lan.bridge.folder));
        lan
    }

    /// Makes the bridge only, for an IPv4 network of another number: needs neither tcpdump nor tshark.
    #[track_caller]
    pub fn without_capture(network: &str) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        sweep();
        let prefix = format!("{}{}", prefix(), SERIAL.fetch_add(1, Ordering::Relaxed));
        let bridge = Namespace::new(format!("{prefix}-lan"));
        let name = &bridge.name;
        let bridge_of = "link add br0 type bridge forward_delay 0 mcast_snooping 0";
        run_ip(name, &[bridge_of, "link set lo up", "link set br0 up"]);
        Self { capture: None, bridge, prefix, network: network.to_owned() }
    }

    /// Plugs a new host in: its `eth0` has 10.9.0.`number`/24, fd00:9::`number`/64, and a link-local address
    /// that grows with `number`.
    #[track_caller]
    pub fn host(&self, name: &str, number: u8) -> Host {
        assert!((1..=99).contains(&number), "hosts are numbered 1 to 99");
        let host = Host {
            namespace: Namespace::new(format!("{}-{name}", self.prefix)),
            bridge: self.bridge.name.clone(),
            name: name.to_owned(),
            network: self.network.clone(),
            number,
        };
        host.plug_in();
        host
    }

    /// The packets seen on the bridge.
    ///
    /// # Panics
    /// When the network was made without a capture.
    #[track_caller]
    pub fn capture(&self) -> &Capture {
        self.capture.as_ref().unwrap_or_else(|| panic!("this network was made without a capture"))
    }

    /// Takes a host's cable out of the bridge or puts it back: the host's own link stays up, as with a failed switch.
    #[track_caller]
    pub fn set_cable(&self, host: &Host, connected: bool) {
        let port = if connected { "master br0" } else { "nomaster" };
        run(&format!("ip -n {} link set port-{} {port}", self.bridge.name, host.name));
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

/// One machine of the private network.
pub struct Host {
    namespace: Namespace,
    bridge: String,
    name: String,
    network: String,
    number: u8,
}

impl Host {
    /// The name it was made with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its IPv4 address on the private network.
    pub fn address(&self) -> String {
        format!("{}.{}", self.network, self.number)
    }

    /// Its link-local IPv6 address.
    pub fn link_local(&self) -> String {
        format!("fe80::ff:fe00:{:x}", self.number)
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace.name
    }

    pub(crate) fn folder(&self) -> &PathBuf {
        &self.namespace.folder
    }

    /// A path in the host's own temporary folder, which goes with the host.
    pub fn file(&self, name: &str) -> PathBuf {
        self.namespace.folder.join(name)
    }

    /// Creates `eth0` and its cable, and brings both up with the host's addresses.
    #[track_caller]
    pub fn plug_in(&self) {
        let (namespace, bridge, name, n) =
            (&self.namespace.name, &self.bridge, &self.name, self.number);
        let cable = format!(
            "link add port-{name} type veth peer name eth0 netns {namespace} \
             address 02:00:00:00:00:{n:02x}"
        );
        run_ip(bridge, &[&cable, &format!("link set port-{name} master br0 up")]);
        let v4 = format!("address add {}/24 dev eth0", self.address());
        let v6 = format!("address add fd00:9::{n:x}/64 dev eth0 nodad");
        run_ip(namespace, &[&v4, &v6, "link set lo up", "link set eth0 up"]);
        // The kernel takes a moment to call it running; a daemon started before that starts in FAULT.
        wait_for(&format!("eth0 of {name} runs"), || self.inside(|| runs("eth0")));
    }

    /// Deletes `eth0`, and with it the cable.
    #[track_caller]
    pub fn unplug(&self) {
        self.ip("link del eth0");
    }

    /// Sets `eth0` up or down.
    #[track_caller]
    pub fn set_link(&self, up: bool) {
        self.ip(if up { "link set eth0 up" } else { "link set eth0 down" });
    }

    /// Runs `ip` in this host; blanks separate the arguments.
    #[track_caller]
    pub fn ip(&self, arguments: &str) -> String {
        run(&format!("ip -n {} {arguments}", self.namespace.name))
    }

    /// Runs `ip` in this host for several command lines.
    #[track_caller]
    pub fn configure(&self, commands: &[&str]) {
        run_ip(&self.namespace.name, commands);
    }

    /// Runs a command line, split at blanks, in this host, and returns what it printed.
    #[track_caller]
    pub fn run(&self, command_line: &str) -> String {
        self.inside(|| run(command_line))
    }

    /// Sets a kernel parameter of this host's network, by its path under `/proc/sys/net`.
    #[track_caller]
    pub fn set(&self, parameter: &str, value: &str) {
        let path = Path::new("/proc/sys/net").join(parameter);
        let result = self.inside(|| fs::write(&path, value));
        result.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Every address of every interface, as `ADDRESS/LENGTH`.
    #[track_caller]
    pub fn addresses(&self) -> Vec<String> {
        let text = self.ip("-j address show");
        let links: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("ip -j address: {e}: {text}"));
        let entries = links.as_array().into_iter().flatten();
        entries
            .flat_map(|link| link["addr_info"].as_array().cloned().unwrap_or_default())
            .filter_map(|a| Some(format!("{}/{}", a["local"].as_str()?, a["prefixlen"])))
            .collect()
    }

    /// Whether an interface has this address, whatever its prefix length.
    #[track_caller]
    pub fn holds(&self, address: &str) -> bool {
        let wanted: IpAddr =
            address.parse().unwrap_or_else(|e| panic!("{address} is no address: {e}"));
        self.addresses().iter().any(|a| {
            a.split('/').next().and_then(|a| a.parse::<IpAddr>().ok()).is_some_and(|a| a == wanted)
        })
    }

    /// Waits until the address is held here, or is not.
    #[track_caller]
    pub fn wait_holds(&self, address: &str, holds: bool) {
        let verb = if holds { "holds" } else { "does not hold" };
        wait_for(&format!("{} {verb} {address}", self.name), || self.holds(address) == holds);
    }

    /// Follows the kernel's reports of changes in this host.
    pub fn monitor(&self) -> Monitor {
        Monitor::start(&self.namespace.name, &self.namespace.folder)
    }

    /// Runs `work` in a thread that stands in this host's network.
    #[track_caller]
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let outcome = std::thread::scope(|scope| {
            let entered = scope.spawn(|| {
                self.network().enter();
                work()
            });
            entered.join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// The host's network, for a thread of the caller's.
    pub fn network(&self) -> Network {
        self.namespace.network()
    }
}

/// Where a thread can go.
#[derive(Debug, Clone)]
pub struct Network(PathBuf);

impl Network {
    /// Moves the calling thread, and no other, into this network for good.
    #[track_caller]
    pub fn enter(&self) {
        let path = self.0.display();
        let file = fs::File::open(&self.0).unwrap_or_else(|e| panic!("{path}: {e}"));
        setns(file.as_fd(), CloneFlags::CLONE_NEWNET).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
}

/// A named namespace and a folder of the same name; both go when it is dropped.
struct Namespace {
    name: String,
    folder: PathBuf,
}

impl Namespace {
    fn new(name: String) -> Self {
        let folder = temporary().join(&name);
        let namespace = Self { name, folder };
        {
            let _held = lock();
            run(&format!("ip netns add {}", namespace.name));
        }
        fs::create_dir_all(&namespace.folder)
            .unwrap_or_else(|e| panic!("{}: {e}", namespace.folder.display()));
        namespace.settle_addresses_at_once();
        namespace
    }

    /// Duplicate address detection would keep every IPv6 address unusable for a second or two.
    fn settle_addresses_at_once(&self) {
        let result = std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.network().enter();
                ["all", "default"].iter().try_for_each(|which| {
                    fs::write(format!("/proc/sys/net/ipv6/conf/{which}/accept_dad"), "0")
                })
            });
            inside.join()
        });
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("duplicate address detection cannot be switched off: {error}"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn network(&self) -> Network {
        Network(Path::new("/run/netns").join(&self.name))
    }
}

/// Whether an interface of this thread's network is up and has a carrier.
fn runs(interface: &str) -> bool {
    let mut addresses = getifaddrs().into_iter().flatten();
    addresses
        .any(|a| a.interface_name == interface && a.flags.contains(InterfaceFlags::IFF_RUNNING))
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What `ip netns del` does, without starting a program.
        let path = self.network().0;
        let unmounted = umount2(&path, MntFlags::MNT_DETACH).map_err(io::Error::from);
        if let Err(error) = unmounted.and_then(|()| fs::remove_file(&path)) {
            eprintln!("testbed: {}: {error}", path.display());
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
