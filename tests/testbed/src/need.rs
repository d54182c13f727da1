//! What the bed needs from the machine.

use std::path::Path;

/// The C implementation the tests judge against, where Debian installs it.
pub const C_KEEPALIVED: &str = "/usr/sbin/keepalived";

/// What is missing for tests that use these `programs` (besides the bed's own), in one sentence.
pub fn missing(programs: &[&str]) -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("network namespaces need root".to_owned());
    }
    let own = ["ip", "setpriv"];
    let absent: Vec<&str> =
        own.iter().chain(programs).copied().filter(|program| !installed(program)).collect();
    (!absent.is_empty()).then(|| format!("not installed: {}", absent.join(", ")))
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Path::new(program).is_absolute() && Path::new(program).exists()
        || std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}
