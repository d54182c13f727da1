//! The statistics file, read back.

use std::collections::BTreeMap;

use crate::Daemon;

/// The counters of one instance, named `Heading/Label` as in the statistics file
/// (`Advertisements/Received`, `Packet Errors/TTL`, `Became master`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// One counter; 0 where the daemon does not know it.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The error counters that are not 0.
    pub fn errors(&self) -> Vec<(&str, u64)> {
        let errors = self.0.iter().filter(|(name, count)| name.contains("Errors/") && **count > 0);
        errors.map(|(name, count)| (name.as_str(), *count)).collect()
    }
}

impl Daemon {
    /// Asks for the statistics (SIGUSR2) and returns those of `instance`.
    #[track_caller]
    pub fn counters(&self, instance: &str) -> Counters {
        let last_line = |text: &str| {
            text.ends_with('\n')
                && text.contains("Priority Zero:\n")
                && text
                    .rsplit("VRRP Instance")
                    .next()
                    .is_some_and(|t| t.matches("Sent:").count() == 2)
        };
        let text = self.dump(libc_signal_usr2(), "keepalived.stats", last_line);
        parse(&text, instance)
            .unwrap_or_else(|| panic!("no instance {instance} in the statistics:\n{text}"))
    }
}

fn libc_signal_usr2() -> i32 {
    nix::sys::signal::Signal::SIGUSR2 as i32
}

fn parse(text: &str, instance: &str) -> Option<Counters> {
    let title = format!("VRRP Instance: {instance}");
    let lines = text.lines().skip_while(|line| *line != title).skip(1);
    let mut heading = String::new();
    let mut counters = BTreeMap::new();
    for line in lines.take_while(|line| line.starts_with(' ')) {
        let (label, value) = line.trim_start().split_once(':')?;
        if value.trim().is_empty() {
            heading = format!("{label}/");
            continue;
        }
        let name =
            if line.starts_with("    ") { format!("{heading}{label}") } else { label.to_owned() };
        counters.insert(name, value.trim().parse().ok()?);
    }
    (!counters.is_empty()).then_some(Counters(counters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_by_heading_and_label() {
        let text = "VRRP Instance: A\n  Advertisements:\n    Received: 7\n  Became master: 1\n  Packet Errors:\n    TTL: 2\nVRRP Instance: B\n";
        let counters = parse(text, "A").unwrap();
        assert_eq!(counters.get("Advertisements/Received"), 7);
        assert_eq!(counters.get("Became master"), 1);
        assert_eq!(counters.errors(), [("Packet Errors/TTL", 2)]);
        assert_eq!(parse(text, "C"), None);
    }
}
