//! What went over the wire: tcpdump writes it, a small reader follows it while it grows, and tshark judges it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{in_namespace, kill_tree, run, try_run};
use crate::wait_for;

/// `vlan` stands last: what is behind it would be looked for behind the tag.
const FILTER: &str = "ip proto 112 or ip proto 51 or ip6 proto 112 or arp or icmp6 or udp port 3784 or udp port 4784 or vlan";

/// A running capture of VRRP, under AH too, BFD, ARP and ICMPv6, and of whatever has a VLAN tag.
pub struct Capture {
    child: Child,
    file: PathBuf,
}

/// A VRRP advert as it passed the bridge, read by this module's own reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// When it was captured, since the epoch.
    pub at: Duration,
    /// The sender's hardware address.
    pub sender: [u8; 6],
    /// 2 or 3.
    pub version: u8,
    /// Virtual router identifier.
    pub vrid: u8,
    /// 0 when its sender resigns.
    pub priority: u8,
}

/// A packet as tshark reads it: one text per field, empty where the packet has no such field.
#[derive(Debug, Clone)]
pub struct Packet(Vec<String>);

impl Capture {
    pub(crate) fn start(namespace: &str, folder: &Path) -> Self {
        let (file, messages) = (folder.join("capture.pcap"), folder.join("tcpdump"));
        let stderr =
            File::create(&messages).unwrap_or_else(|e| panic!("{}: {e}", messages.display()));
        let child = in_namespace(namespace, Path::new("tcpdump"))
            .args(["-i", "br0", "-Z", "root", "-U", "--immediate-mode", "-w"])
            .arg(&file)
            .args(FILTER.split(' '))
            .stderr(stderr)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("tcpdump: {e}"));
        let capture = Self { child, file };
        wait_for("tcpdump listens", || {
            fs::read_to_string(&messages).is_ok_and(|text| text.contains("listening on"))
        });
        capture
    }

    /// The adverts captured so far, oldest first.
    pub fn adverts(&self) -> Vec<Advert> {
        let bytes = fs::read(&self.file).unwrap_or_default();
        frames(&bytes).into_iter().filter_map(|(at, frame)| advert(at, frame)).collect()
    }

    /// Every frame captured so far.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let bytes = fs::read(&self.file).unwrap_or_default();
        frames(&bytes).into_iter().map(|(_, frame)| frame.to_vec()).collect()
    }

    /// How many frames of any kind were captured so far.
    pub fn count(&self) -> usize {
        frames(&fs::read(&self.file).unwrap_or_default()).len()
    }

    /// Waits for an advert for which `wanted` holds among those after the first `skip`.
    #[track_caller]
    pub fn wait_advert(&self, what: &str, skip: usize, wanted: impl Fn(&Advert) -> bool) -> Advert {
        let mut found = None;
        wait_for(what, || {
            found = self.adverts().into_iter().skip(skip).find(|advert| wanted(advert));
            found.is_some()
        });
        found.unwrap_or_else(|| panic!("{what}"))
    }

    /// Lets tshark read everything captured so far.
    #[track_caller]
    pub fn packets(&self) -> Vec<Packet> {
        let fields: Vec<String> = FIELDS.iter().map(|field| format!("-e {field}")).collect();
        let text = run(&format!(
            "tshark -n -r {} -o ip.check_checksum:TRUE -T fields -E separator=| {}",
            self.file.display(),
            fields.join(" "),
        ));
        text.lines().map(|line| Packet(line.split('|').map(str::to_owned).collect())).collect()
    }

    /// Lets tcpdump read everything captured so far, one line a packet, without the time and the IPv4 identification.
    /// It checks the checksums of IPv4 and VRRP, and says `bad` where one is wrong.
    #[track_caller]
    pub fn listing(&self) -> Vec<String> {
        let command = format!("tcpdump -Z root -r {} -nn -e -v -t", self.file.display());
        let mut text = String::new();
        // It may be at the middle of a packet that is just being written.
        wait_for("tcpdump reads the capture", || {
            match try_run(&command) {
                Ok(listing) => text = listing,
                Err(error) if error.contains("truncated") => return false,
                Err(error) => panic!("{error}"),
            }
            true
        });
        // What is behind the headers of IP stands on a line of its own.
        let lines = text.replace("\n    ", " ");
        lines.lines().map(without_identification).collect()
    }

    /// Lets tshark judge every advert so far: well formed, checksums right, no remark by the dissector.
    ///
    /// # Panics
    /// On the first packet tshark objects to, and when there was no advert at all.
    #[track_caller]
    pub fn judge(&self) -> Vec<Packet> {
        let packets = self.packets();
        let adverts: Vec<Packet> = packets.into_iter().filter(Packet::is_advert).collect();
        assert!(!adverts.is_empty(), "no adverts were captured");
        for advert in &adverts {
            assert_eq!(advert.get("_ws.expert.message"), "", "tshark objects to {advert:?}");
            assert_eq!(advert.get("vrrp.checksum.status"), "1", "VRRP checksum of {advert:?}");
            assert_eq!(advert.get("vrrp.type"), "1", "type of {advert:?}");
            let header =
                (advert.get("ip.checksum.status"), advert.get("ip.ttl"), advert.get("ipv6.hlim"));
            assert!(
                matches!(header, ("1", "255", "") | ("", "", "255")),
                "header checksum and TTL of {advert:?}"
            );
        }
        adverts
    }

    /// Lets tshark judge every BFD packet so far: well formed, from a port and with a TTL that RFC 5881 asks for.
    ///
    /// # Panics
    /// On the first packet it objects to, and when there was none at all.
    #[track_caller]
    pub fn judge_bfd(&self, from: &str) -> Vec<Packet> {
        let sender =
            |packet: &Packet| [packet.get("ip.src"), packet.get("ipv6.src")].contains(&from);
        let packets = self.packets().into_iter();
        let packets: Vec<Packet> = packets
            .filter(|packet| !packet.get("bfd.version").is_empty() && sender(packet))
            .collect();
        assert!(!packets.is_empty(), "no BFD packets of {from} were captured");
        for packet in &packets {
            assert_eq!(packet.get("_ws.expert.message"), "", "tshark objects to {packet:?}");
            let fields = ["bfd.version", "bfd.message_length"].map(|field| packet.get(field));
            assert_eq!(fields, ["1", "24"], "{packet:?}");
            let port: u16 = packet.get("udp.srcport").parse().unwrap_or_default();
            assert!(port >= 49_152, "source port of {packet:?}");
            let ttl = (packet.get("ip.ttl"), packet.get("ipv6.hlim"));
            assert!(matches!(ttl, ("255", "") | ("", "255")), "TTL of {packet:?}");
            let both = (packet.get("bfd.flags.p"), packet.get("bfd.flags.f"));
            assert_ne!(both, ("1", "1"), "{packet:?}");
        }
        packets
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        kill_tree(&mut self.child);
    }
}

/// What tshark is asked for. `_ws.expert.message` also carries "Malformed Packet".
const FIELDS: [&str; 29] = [
    "frame.time_epoch",
    "eth.src",
    "ip.src",
    "ipv6.src",
    "ip.dst",
    "ipv6.dst",
    "ip.ttl",
    "ipv6.hlim",
    "ip.checksum.status",
    "vrrp.version",
    "vrrp.type",
    "vrrp.virt_rtr_id",
    "vrrp.prio",
    "vrrp.checksum.status",
    "vrrp.auth_type",
    "vrrp.auth_string",
    "vrrp.ip_addr",
    "vrrp.ipv6_addr",
    "arp.src.proto_ipv4",
    "arp.isgratuitous",
    "icmpv6.nd.na.target_address",
    "udp.srcport",
    "udp.dstport",
    "bfd.version",
    "bfd.sta",
    "bfd.flags.p",
    "bfd.flags.f",
    "bfd.message_length",
    "_ws.expert.message",
];

impl Packet {
    /// A field by tshark's name.
    ///
    /// # Panics
    /// When the field is not one of those tshark is asked for.
    #[track_caller]
    pub fn get(&self, field: &str) -> &str {
        let column = FIELDS.iter().position(|f| *f == field);
        let column = column.unwrap_or_else(|| panic!("tshark is not asked for {field}"));
        self.0.get(column).map_or("", String::as_str)
    }

    /// Whether it tells the neighbours unasked where `address` lives now.
    pub fn announces(&self, address: &str) -> bool {
        self.get("arp.isgratuitous") == "1" && self.get("arp.src.proto_ipv4") == address
            || self.get("icmpv6.nd.na.target_address") == address
                && self.get("ipv6.dst") == "ff02::1"
    }

    /// Whether it is a VRRP packet.
    pub fn is_advert(&self) -> bool {
        !self.get("vrrp.version").is_empty()
    }
}

/// `id 7, ` is taken out.
fn without_identification(line: &str) -> String {
    let rest =
        line.split_once(", id ").and_then(|(head, tail)| Some((head, tail.split_once(',')?.1)));
    rest.map_or_else(|| line.to_owned(), |(head, tail)| format!("{head},{tail}"))
}

/// Splits a capture file (classic format, this machine's byte order) into frames; a frame still being
/// written is left out.
fn frames(bytes: &[u8]) -> Vec<(Duration, &[u8])> {
    let mut rest = bytes.get(24..).unwrap_or_default();
    let mut frames = Vec::new();
    while let Some((header, body)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| {
            header.get(at..at + 4).and_then(|w| w.try_into().ok()).map_or(0, u32::from_ne_bytes)
        };
        let Some((frame, next)) = body.split_at_checked(word(8) as usize) else { break };
        frames.push((
            Duration::from_secs(word(0).into()) + Duration::from_micros(word(4).into()),
            frame,
        ));
        rest = next;
    }
    frames
}

/// Reads an Ethernet frame as an advert.
fn advert(at: Duration, frame: &[u8]) -> Option<Advert> {
    let sender = frame.get(6..12)?.try_into().ok()?;
    let (ethertype, packet) = frame.get(12..)?.split_first_chunk::<2>()?;
    let (protocol, payload) = match u16::from_be_bytes(*ethertype) {
        0x0800 => (*packet.get(9)?, packet.get(usize::from(packet.first()? & 15) * 4..)?),
        0x86dd => (*packet.get(6)?, packet.get(40..)?),
        _ => return None,
    };
    let head = payload.first_chunk::<3>()?;
    (protocol == 112).then_some(Advert {
        at,
        sender,
        version: head[0] >> 4,
        vrid: head[1],
        priority: head[2],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_half_written_is_left_out() {
        let mut file = vec![0; 24];
        for (length, body) in [(3u32, &[1u8, 2, 3][..]), (9, &[4, 5])] {
            for word in [7, 5, length, length] {
                file.extend(word.to_ne_bytes());
            }
            file.extend(body);
        }
        let at = Duration::from_secs(7) + Duration::from_micros(5);
        assert_eq!(frames(&file), [(at, &[1u8, 2, 3][..])]);
    }
}
