//! What mail servers and name servers say to the sender of mails, and the files about names.

use std::net::IpAddr;

use notify::{Encryption, replies};

/// Addresses that are tried, name servers that are asked, and names they are asked for, at most.
const ADDRESSES: usize = 16;
const SERVERS: usize = 3;
const NAMES: usize = 7;

/// The first byte says how the connection is to be secured, the rest is what the server says. How it is
/// cut up must not matter.
pub fn mail(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let encryption = match choice % 4 {
        0 => None,
        1 => Some(Encryption::Offered),
        2 => Some(Encryption::Required),
        _ => Some(Encryption::Verified),
    };
    let secured = choice & 4 != 0;
    let (said, end) = replies::mail(bytes, bytes.len(), encryption, secured);
    for piece in [1, 2, 7] {
        let (said_now, end_now) = replies::mail(bytes, piece, encryption, secured);
        assert_eq!(said_now.escape_ascii().to_string(), said.escape_ascii().to_string());
        // What comes with the handshake is refused if it is seen, and is part of it otherwise.
        assert!(end_now == end || (secures(&end_now) && secures(&end)), "{end_now}: {end}");
    }
}

fn secures(end: &str) -> bool {
    end.starts_with("Secure") || end.contains("Injected")
}

/// The first byte chooses the name and the settings; then come the answers, each behind its length in
/// two bytes.
pub fn answers(data: &[u8]) {
    const SETTINGS: [&str; 4] = [
        "",
        "nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch a.example b.example\n",
        "nameserver 192.0.2.1\noptions ndots:2 attempts:5\nsearch example.org",
        "domain x\noptions attempts:1",
    ];
    const HOSTS: [&str; 4] = ["mail", "mail.example.org", "mail.example.org.", "a..b"];
    let Some((&choice, mut rest)) = data.split_first() else { return };
    let settings = SETTINGS[usize::from(choice) % 4];
    let answers = std::iter::from_fn(|| {
        let (length, after) = rest.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (answer, after) = after.split_at(length);
        rest = after;
        Some(answer)
    });
    let (found, questions) = replies::lookup(settings, HOSTS[usize::from(choice) / 4 % 4], answers);
    assert_distinct(&found);
    assert!(questions <= NAMES * 2 * SERVERS * 5, "{questions}");
}

/// The text of `/etc/hosts` or `/etc/resolv.conf`; its last word is the name to look up as well.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let last = text.split_whitespace().next_back().unwrap_or_default();
    for host in ["mail.example.org", "mail", last] {
        let found = replies::hosts(&text, host);
        assert!(found.len() <= ADDRESSES);
        assert!(found.is_sorted_by_key(IpAddr::is_ipv6));
        let (servers, names) = replies::resolver(&text, host);
        assert!((1..=SERVERS).contains(&servers.len()));
        assert!((1..=NAMES).contains(&names.len()));
        let bare = host.trim_end_matches('.');
        assert!(names.iter().all(|name| name.starts_with(bare)), "{names:?}");
    }
}

fn assert_distinct(found: &[IpAddr]) {
    assert!(found.len() <= ADDRESSES);
    assert!(found.iter().enumerate().all(|(n, ip)| !found[..n].contains(ip)), "{found:?}");
}
