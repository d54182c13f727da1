//! The pairs of sockets that instances share.

use super::address::ENTRY;
use super::instance::vrf;
use super::snapshot::Snapshot;
use super::text::{Text, signed};
use crate::config::Family;
use crate::io::Carriage;

/// All pairs that are open.
pub(super) fn pool(t: &mut Text, s: &Snapshot<'_>) {
    if s.sockets.is_empty() {
        return;
    }
    t.title("VRRP Sockpool");
    for socket in &s.sockets {
        let (receive, send) = socket.descriptors;
        t.put(" fd_in ").int(receive).put(" fd_out = ").int(send).end();
        let vrf = socket.interface.and_then(|name| vrf(s, name));
        t.word("   Interface = ", socket.interface.filter(|i| vrf != Some(*i)).unwrap_or("(none)"));
        if let Some(vrf) = vrf {
            t.word("   VRF = ", vrf);
        }
        t.word(
            "   Family = ",
            match socket.key.family() {
                Family::V4 => "IPv4",
                Family::V6 => "IPv6",
            },
        );
        t.word("   Protocol = ", if socket.key.ah { "AH" } else { "VRRP" });
        match socket.key.carriage {
            Carriage::Multicast(_) => t.put("   Type = Multicast").end(),
            Carriage::Unicast(address) => {
                t.put("   Type = Unicast\n");
                t.address("   Address = ", Some(address));
            }
        }
        t.number("   Rx buf size = ", signed(socket.buffer));
        t.put("   VRRP instances\n");
        for instance in socket.instances.iter().filter_map(|&i| s.router.instances().get(i)) {
            let c = &instance.settings;
            t.put(ENTRY).put(&c.name).put(" vrid ").int(c.vrid).end();
        }
    }
}
