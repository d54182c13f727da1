//! The global section of the state dumps.

use crate::daemon::Daemon;

pub fn section(daemon: &Daemon) -> String {
    let globals = &daemon.configuration.globals;
    format!(
        "------< Global definitions >------\n Network namespace = {}\n",
        globals.net_namespace.as_deref().unwrap_or("(default)")
    )
}
