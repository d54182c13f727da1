//! The format of `ipvsadm -Sn`, which leaves thresholds out.

use std::fmt::{Result, Write};
use std::net::{IpAddr, Ipv4Addr};

use crate::service::{
    Checksum, Destination, Family, Forwarding, Protocol, Service, ServiceKey, Tunnel,
};

pub(super) fn push_service(text: &mut String, service: &Service) {
    // Writing into a text cannot fail.
    let _ = write_service(text, service);
}

pub(super) fn push_destination(text: &mut String, key: ServiceKey, destination: &Destination) {
    let _ = write_destination(text, key, destination);
}

fn write_service(text: &mut String, service: &Service) -> Result {
    write!(text, "-A {}", name(service.key))?;
    write!(text, " -s {}", service.scheduler)?;
    if service.persistence > 0 {
        write!(text, " -p {}", service.persistence)?;
        match (service.key.family(), service.granularity) {
            (_, None) => {}
            (Family::Inet, Some(mask)) => write!(text, " -M {}", Ipv4Addr::from_bits(mask))?,
            (Family::Inet6, Some(length)) => write!(text, " -M {length}")?,
        }
        if let Some(engine) = &service.engine {
            write!(text, " --pe {engine}")?;
        }
    }
    if service.flags & 0x4 != 0 {
        write!(text, " -o")?;
    }
    let flags = flag_names(service);
    if !flags.is_empty() {
        write!(text, " -b {flags}")?;
    }
    writeln!(text)
}

fn write_destination(text: &mut String, key: ServiceKey, destination: &Destination) -> Result {
    let place = place(destination.address, destination.port);
    write!(text, "-a {} -r {place}", name(key))?;
    let method = match destination.forwarding {
        Forwarding::Nat => "-m",
        Forwarding::Direct => "-g",
        Forwarding::Tunnel(..) => "-i",
    };
    write!(text, " {method} -w {}", destination.weight)?;
    if let Forwarding::Tunnel(tunnel, checksum) = destination.forwarding {
        match tunnel {
            Tunnel::Ipip => write!(text, " --tun-type ipip")?,
            Tunnel::Gue(port) => write!(text, " --tun-type gue --tun-port {port}")?,
            Tunnel::Gre => write!(text, " --tun-type gre")?,
        }
        match (tunnel, checksum) {
            (Tunnel::Ipip, _) => {}
            (_, Checksum::None) => write!(text, " --tun-nocsum")?,
            (_, Checksum::Full) => write!(text, " --tun-csum")?,
            (_, Checksum::Remote) => write!(text, " --tun-remcsum")?,
        }
    }
    writeln!(text)
}

fn name(key: ServiceKey) -> String {
    match key {
        ServiceKey::Address(protocol, address, port) => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            format!("{option} {}", place(address, port))
        }
        ServiceKey::Mark(mark, Family::Inet) => format!("-f {mark}"),
        ServiceKey::Mark(mark, Family::Inet6) => format!("-f {mark} -6"),
    }
}

fn place(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    }
}

/// The scheduler's flags, by its own names where it has some.
fn flag_names(service: &Service) -> String {
    let names = match service.scheduler {
        "sh" => ["sh-fallback", "sh-port", "flag-3"],
        "mh" => ["mh-fallback", "mh-port", "flag-3"],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    let set = names.iter().zip([0x8, 0x10, 0x20]).filter(|(_, bit)| service.flags & bit != 0);
    set.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}
