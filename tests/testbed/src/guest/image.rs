//! The guest's root file system: tools of this machine with their libraries, the daemons, kernel modules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::Archive;
use super::{Job, OURS, Suite, inside};
use crate::{C_KEEPALIVED, agent};

/// The test executable itself, inside.
pub(super) const SELF: &str = "/tests";

/// What is to be run inside: how many at a time, then a name, a tabulator and a command per line.
pub(super) const LIST: &str = "/list";

/// Programs of this machine that are found at the same place inside.
pub(super) const PROGRAMS: [&str; 11] = [
    "busybox",
    "ip",
    "ipvsadm",
    "nft",
    "setpriv",
    "tcpdump",
    "unshare",
    C_KEEPALIVED,
    agent::PROGRAMS[0],
    agent::PROGRAMS[1],
    agent::PROGRAMS[2],
];

/// Files that programs look names up in.
const DATABASES: [&str; 4] =
    ["/etc/protocols", "/etc/services", "/etc/iproute2/rt_tables", "/etc/iproute2/rt_protos"];

/// Kernel modules, by folder or file under the release's `kernel`, besides those they depend on.
const MODULES: [&str; 20] = [
    "crypto/",
    "drivers/char/virtio_console.ko",
    "drivers/net/dummy.ko",
    "drivers/net/ifb.ko",
    "drivers/net/ipvlan/",
    "drivers/net/macvlan.ko",
    "drivers/net/veth.ko",
    "drivers/net/vrf.ko",
    "drivers/net/vxlan/",
    "drivers/virtio/virtio_pci.ko",
    "net/802/",
    "net/8021q/",
    "net/bridge/",
    "net/core/",
    "net/ipv4/",
    "net/ipv6/",
    "net/netfilter/",
    "net/packet/",
    "net/sched/",
    "net/xfrm/",
];

/// The first process. What several tests need at once is loaded here: while one `modprobe` is at work, another
/// one's kernel request fails. The kernel loads further modules by itself, as on a real machine.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
names=$(cd /lib/modules/*/kernel/net/netfilter/ipvs && echo *.ko)
modprobe -a virtio_pci virtio_console veth bridge dummy vrf macvlan 8021q ipip nf_tables ${names//.ko/}
while [ ! -e /dev/vport0p1 ]; do sleep 0.05; done
TESTS
sync
poweroff -f
"#;

/// The compressed kernel of an unpacked package.
pub(super) fn vmlinuz(kernel: &Path) -> Option<PathBuf> {
    let names = fs::read_dir(kernel.join("boot")).ok()?.flatten().map(|entry| entry.path());
    let mut kernels = names.filter(|path| path.to_string_lossy().contains("vmlinuz-"));
    kernels.find(|path| modules_of(kernel, path).join("modules.dep").exists())
}

fn modules_of(kernel: &Path, vmlinuz: &Path) -> PathBuf {
    let name = vmlinuz.file_name().unwrap_or_default().to_string_lossy().into_owned();
    kernel.join("lib/modules").join(name.trim_start_matches("vmlinuz-"))
}

/// All of it.
#[track_caller]
pub(super) fn build(suite: &Suite, vmlinuz: &Path, jobs: &[&Job], at_once: usize) -> Archive {
    let mut archive = Archive::default();
    for folder in ["proc", "sys", "dev", "tmp", "run", "root", "var/tmp", "sbin"] {
        archive.folder(folder);
    }
    archive.link("/var/run", "/run");
    archive.device("/dev/console", 5, 1);
    archive.device("/dev/null", 1, 3);
    let init = INIT.replace("TESTS", &format!("{SELF} {}", inside::RUN_ALL));
    archive.file("/init", 0o755, init.into());
    archive.file("/etc/passwd", 0o644, b"root:x:0:0::/root:/bin/sh\n".to_vec());
    archive.file("/etc/group", 0o644, b"root:x:0:\n".to_vec());
    for path in DATABASES.map(Path::new).iter().filter(|path| path.exists()) {
        copy(&mut archive, path, &path.to_string_lossy());
    }
    for name in PROGRAMS {
        let path = find(name);
        program(&mut archive, &path, &path.to_string_lossy());
    }
    program(&mut archive, &find("busybox"), "/bin/busybox");
    archive.link("/bin/sh", "busybox");
    archive.link("/sbin/modprobe", "/bin/busybox");
    let this = std::env::current_exe().unwrap_or_else(|e| panic!("this executable: {e}"));
    program(&mut archive, &this, SELF);
    program(&mut archive, &suite.program, OURS);
    for (path, inside) in jobs.iter().filter_map(|job| job.executable.as_ref()) {
        if !archive.has(inside) {
            program(&mut archive, path, inside);
        }
    }
    let lines = jobs.iter().map(|job| format!("{}\t{}\n", job.name, job.command));
    archive.file(LIST, 0o644, format!("{at_once}\n{}", lines.collect::<String>()).into());
    modules(&mut archive, &modules_of(&suite.kernel, vmlinuz));
    archive
}

fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.find(|path| path.exists()).unwrap_or_else(|| panic!("{name} is not installed"))
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn copy(archive: &mut Archive, path: &Path, inside: &str) {
    let mode = fs::metadata(path).map_or(0o644, |metadata| metadata.permissions().mode());
    archive.file(inside, mode & 0o777 | 0o444, read(path));
}

/// A program, and the libraries it is linked with.
fn program(archive: &mut Archive, path: &Path, inside: &str) {
    copy(archive, path, inside);
    let listing = Command::new("ldd").arg(path).output();
    let listing = listing.unwrap_or_else(|e| panic!("ldd {}: {e}", path.display()));
    let listing = String::from_utf8_lossy(&listing.stdout).into_owned();
    for library in listing.split_whitespace().filter(|word| word.starts_with('/')) {
        if !archive.has(library) && Path::new(library).exists() {
            copy(archive, Path::new(library), library);
        }
    }
}

/// The wanted modules, what they depend on, and the tables by which they are found.
fn modules(archive: &mut Archive, folder: &Path) {
    let table = |name: &str| String::from_utf8_lossy(&read(&folder.join(name))).into_owned();
    let dependencies = table("modules.dep");
    let inside = |file: &str| {
        let release = folder.file_name().unwrap_or_default().to_string_lossy();
        format!("/lib/modules/{release}/{file}")
    };
    let wanted = |line: &&str| {
        MODULES.iter().any(|wanted| line.trim_start_matches("kernel/").starts_with(wanted))
    };
    for line in dependencies.lines().filter(wanted) {
        for file in line.split([' ', ':']).filter(|file| !file.is_empty()) {
            archive.file(&inside(file), 0o644, read(&folder.join(file)));
        }
    }
    let here = |file: &str| archive.has(&inside(file));
    let lines = dependencies.lines().filter(|line| line.split(':').next().is_some_and(here));
    let kept: String = lines.map(|line| format!("{line}\n")).collect();
    let names: Vec<String> = kept.lines().filter_map(module_name).collect();
    let aliases = table("modules.alias");
    let aliases: String = aliases
        .lines()
        .filter(|line| names.iter().any(|name| line.rsplit(' ').next() == Some(name)))
        .map(|line| format!("{line}\n"))
        .collect();
    archive.file(&inside("modules.dep"), 0o644, kept.into());
    archive.file(&inside("modules.alias"), 0o644, aliases.into());
    archive.file(&inside("modules.builtin"), 0o644, read(&folder.join("modules.builtin")));
}

/// As in `modules.alias`: the file's name without its ending, with underscores.
fn module_name(line: &str) -> Option<String> {
    let file = line.split(':').next()?.rsplit('/').next()?;
    Some(file.strip_suffix(".ko")?.replace('-', "_"))
}
