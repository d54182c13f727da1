//! Commands, and the scripts of an instance or group.

use notify::Script;

use super::address::ENTRY;
use super::text::Text;
use crate::config::NotifySettings;

/// Program and arguments, each in single quotes.
pub(crate) fn command(out: &mut String, script: &Script) {
    for (i, word) in script.argv.iter().enumerate() {
        out.push_str(if i == 0 { "'" } else { " '" });
        out.push_str(word);
        out.push('\'');
    }
}

/// The scripts that are configured.
pub(super) fn transitions(t: &mut Text, n: &NotifySettings) {
    let rows = [
        ("Backup", &n.backup),
        ("Master", &n.master),
        ("Fault", &n.fault),
        ("Stop", &n.stop),
        ("Deleted", &n.deleted),
        ("Generic", &n.generic),
        ("Master rx lower pri", &n.master_rx_lower_pri),
    ];
    for (which, script) in rows {
        let Some(script) = script else { continue };
        t.put("   ").put(which).put(" state transition script = ");
        command(t.raw(), script);
        t.put(", uid:gid ").int(script.uid).put(":").int(script.gid).end();
        let groups = script.groups.as_deref().unwrap_or(&[]);
        if !groups.is_empty() {
            t.put("     Supplementary groups:\n");
        }
        for &group in groups {
            t.put("  ").number(ENTRY, group);
        }
    }
}
