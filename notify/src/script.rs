//! A command to run: who, what, with which arguments.

/// A script as configured, with its identity resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Program and arguments; never empty.
    pub argv: Vec<String>,
    /// The command as written, for dumps.
    pub text: String,
    /// User id to run as.
    pub uid: u32,
    /// Group id to run as.
    pub gid: u32,
    /// Supplementary groups to set; `None` leaves only `gid`.
    pub groups: Option<Vec<u32>>,
}
