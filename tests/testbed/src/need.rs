//! What the bed needs from the machine.

use std::path::Path;

/// The C implementation the tests judge against, where Debian installs it.
pub const C_KEEPALIVED: &str = "/usr/sbin/keepalived";

/// What is missing for tests that use these `programs` (besides the bed's own), in one sentence.
pub fn missing(programs: &[&str]) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("network namespaces need root".to_owned());
    }
    let absent = absent(["ip", "setpriv"].iter().chain(programs).copied());
    (!absent.is_empty()).then(|| format!("not installed: {}", absent.join(", ")))
}

/// Those of the programs that are not installed.
pub(crate) fn absent<'a>(programs: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    programs.filter(|program| !installed(program)).collect()
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Path::new(program).is_absolute() && Path::new(program).exists()
        || std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}
