//! Names of the files, as those who look expect them.

use std::path::{Path, PathBuf};

use super::{insert_suffix, temporary_directory};

/// Whose state a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The daemon's own.
    Main,
    /// VRRP's.
    Vrrp,
    /// Load balancing's.
    Check,
    /// BFD's.
    Bfd,
}

/// The file of a state dump. `template` is `state_dump_file`; `instance` is the network namespace
/// and the instance's name when `data_use_instance` wants them in the name.
pub fn state(part: Part, template: Option<&str>, instance: &[&str]) -> PathBuf {
    let suffix = match part {
        Part::Main => "_parent",
        Part::Vrrp => "",
        Part::Check => "_check",
        Part::Bfd => "_bfd",
    };
    let mut suffix = suffix.to_string();
    if !instance.is_empty() {
        suffix.push('.');
        suffix.push_str(&instance.join("_"));
    }
    insert_suffix(&place(template, "keepalived.data"), &suffix)
}

/// The file of the statistics; `template` is `stats_dump_file`.
pub fn stats(template: Option<&str>) -> PathBuf {
    place(template, "keepalived.stats")
}

/// The file of the JSON dump; `template` is `json_dump_file`.
pub fn json(template: Option<&str>) -> PathBuf {
    place(template, "keepalived.json")
}

/// Relative names are in the temporary directory; one that ends in `/` is a directory.
fn place(template: Option<&str>, default: &str) -> PathBuf {
    let template = template.unwrap_or(default);
    let path = temporary_directory().join(Path::new(template));
    if template.ends_with('/') { path.join(default) } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let name = |part, template, instance: &[&str]| {
            state(part, template, instance).display().to_string()
        };
        assert_eq!(name(Part::Main, Some("/v/"), &[]), "/v/keepalived_parent.data");
        assert_eq!(name(Part::Vrrp, Some("/v/x.y"), &["ns", "i"]), "/v/x.ns_i.y");
        assert_eq!(name(Part::Main, Some("/v/x"), &["i"]), "/v/x_parent.i");
        let tmp = temporary_directory();
        assert_eq!(state(Part::Vrrp, None, &[]), tmp.join("keepalived.data"));
        assert_eq!(state(Part::Vrrp, Some("a"), &[]), tmp.join("a"));
        assert_eq!(stats(None), tmp.join("keepalived.stats"));
        assert_eq!(json(Some("/j")), PathBuf::from("/j"));
    }
}
