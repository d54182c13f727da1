//! Under which name a line appears: tools sort the C daemon's lines by it.

/// The part of the daemon that speaks; each was a process of its own in the C daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Everything else.
    Main,
    /// VRRP, and the kernel's links and addresses, which VRRP's process watched.
    Vrrp,
    /// Health checkers and IPVS.
    Check,
    /// BFD.
    Bfd,
}

impl Part {
    /// By the first segment of a log target.
    pub fn of(target: &str) -> Part {
        match target.split("::").next() {
            Some("vrrp" | "netlink") => Part::Vrrp,
            Some("check" | "ipvs") => Part::Check,
            Some("bfd") => Part::Bfd,
            _ => Part::Main,
        }
    }

    /// The syslog ident.
    pub fn ident(self) -> &'static str {
        match self {
            Part::Main => "Keepalived",
            Part::Vrrp => "Keepalived_vrrp",
            Part::Check => "Keepalived_healthcheckers",
            Part::Bfd => "Keepalived_bfd",
        }
    }

    /// What it adds to the name of a log file.
    pub fn file_suffix(self) -> &'static str {
        match self {
            Part::Main => "",
            Part::Vrrp => "_vrrp",
            Part::Check => "_check",
            Part::Bfd => "_bfd",
        }
    }
}

/// What the idents end in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Idents {
    /// The network namespace.
    pub namespace: Option<String>,
    /// The instance's name.
    pub instance: Option<String>,
}

impl Idents {
    /// `_NAMESPACE_INSTANCE`, as far as they are set.
    pub fn suffix(&self) -> String {
        [&self.namespace, &self.instance]
            .into_iter()
            .flatten()
            .flat_map(|name| ["_", name.as_str()])
            .collect()
    }
}
