//! `use_vmac`, `use_ipvlan` and what belongs to them: which interfaces are made for a virtual router, and their names.

use std::net::IpAddr;

use config::{Class, Context, Line, Mode, Word, address};
use netlink::Sublink;

use super::builder::Builder;
use super::instance::family_of;
use super::names::NameTable;
use super::{AddressSettings, Family};

/// Longest name of an interface, in bytes.
const NAME_LIMIT: usize = 15;

/// `vmac_prefix`, when it is not given.
const PREFIX: &str = "vrrp";

/// An interface of a virtual router's own: a macvlan in private mode with its MAC address, or an ipvlan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vmac {
    /// Its name.
    pub name: String,
    /// Name of the interface it stands on.
    pub parent: String,
    /// What of the two.
    pub sublink: Sublink,
    /// 00-00-5E-00-01-VRID for IPv4, 00-00-5E-00-02-VRID for IPv6 (RFC 9568 §7.3), or as configured; `None` for an
    /// ipvlan, which has its parent's.
    pub mac: Option<[u8; 6]>,
    /// An address of its own, with prefix length: that of an ipvlan.
    pub address: Option<(IpAddr, u8)>,
    /// Family of the addresses it is for.
    pub family: Family,
    /// The MAC address was configured; `Some(true)` if as five octets before the VRID.
    pub configured: Option<bool>,
    /// Interface group; `None`: its parent's.
    pub group: Option<u32>,
    /// `netlink_notify_msg`: listeners are told about the parent, too, when it is made.
    pub notify_parent: bool,
    /// Whether it speaks IPv6.
    pub ipv6: bool,
}

impl Vmac {
    /// Whether it is an ipvlan: then the virtual addresses are on its parent.
    pub fn is_ipvlan(&self) -> bool {
        matches!(self.sublink, Sublink::Ipvlan { .. })
    }
}

/// `use_ipvlan` as it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct IpvlanDraft {
    pub name: Option<String>,
    /// `IPVLAN_F_*`.
    pub flags: Option<u16>,
    pub address: Option<(IpAddr, u8)>,
    pub group: Option<u32>,
}

/// `use_vmac` as it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct VmacDraft {
    pub name: Option<String>,
    pub mac: Option<MacDraft>,
    pub group: Option<u32>,
    pub notify_parent: bool,
}

/// A configured MAC address: six octets, or five to which the VRID is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MacDraft {
    octets: [u8; 6],
    with_vrid: bool,
}

/// `use_vmac`.
pub(super) fn set_use_vmac(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let mut vmac = b.draft.vmac.take().unwrap_or_default();
    let mut words = line.words.iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "netlink_notify_msg" => vmac.notify_parent = true,
            "group" => match words.next() {
                Some(group) => vmac.group = find_group(b, group, ctx).or(vmac.group),
                None => b.complain(word.span, ctx, "VMAC group is missing its argument"),
            },
            "name" => {}
            text if text.contains(':') => set_mac(b, &mut vmac, word, ctx),
            _ => set_name(b, &mut vmac, word, ctx),
        }
    }
    b.draft.vmac = Some(vmac);
}

fn find_group(b: &mut Builder, word: &Word, ctx: &mut Context<'_>) -> Option<u32> {
    let group = b.name(NameTable::Groups, &word.text, u32::MAX);
    if group.is_none() {
        b.complain(word.span, ctx, &format!("VMAC group {} not found", word.text));
    }
    group
}

fn set_name(b: &mut Builder, vmac: &mut VmacDraft, word: &Word, ctx: &mut Context<'_>) {
    let name = &word.text;
    let existing = b.host.interface(name);
    let problem = if vmac.name.is_some() {
        ctx.report(Class::General, word.span, "VMAC interface name already specified");
        return;
    } else if name.len() > NAME_LIMIT || name.contains('/') {
        format!("VMAC interface name '{name}' not usable - ignoring")
    } else if let Some(other) = b.vmac_names.get(name) {
        format!("VRRP instance {other} is already using {name} - ignoring name")
    } else if existing.is_some_and(|facts| facts.private_macvlan.is_none()) {
        format!(
            "interface {name} already exists and is not a private macvlan; ignoring vmac if_name"
        )
    } else {
        b.vmac_names.insert(name.clone(), b.draft.name.clone());
        vmac.name = Some(name.clone());
        return;
    };
    b.complain(word.span, ctx, &problem);
}

fn set_mac(b: &mut Builder, vmac: &mut VmacDraft, word: &Word, ctx: &mut Context<'_>) {
    let octets: Vec<Option<u8>> = word
        .text
        .trim_end_matches(':')
        .split(':')
        .map(|octet| if octet.len() <= 2 { u8::from_str_radix(octet, 16).ok() } else { None })
        .collect();
    let text = &word.text;
    let problem = match octets.as_slice() {
        o if !(5..=6).contains(&o.len()) || o.iter().any(Option::is_none) => {
            format!("VMAC invalid MAC address {text} - ignored")
        }
        [Some(first), ..] if first & 1 != 0 => {
            format!("VMAC MAC address is multicast {text} - ignoring")
        }
        [Some(0), Some(0), Some(0x5e), Some(0), Some(1 | 2), ..] => {
            format!("VMAC MAC address not allowed to be RFC5798 address ({text}) - ignoring")
        }
        _ if vmac.mac.is_some() => {
            format!("VMAC MAC address already specified - ignoring {text}")
        }
        given => {
            let mut mac = MacDraft { octets: [0; 6], with_vrid: given.len() == 5 };
            for (octet, value) in mac.octets.iter_mut().zip(given) {
                *octet = value.unwrap_or(0);
            }
            vmac.mac = Some(mac);
            return;
        }
    };
    b.complain(word.span, ctx, &problem);
}

/// `use_ipvlan`.
pub(super) fn set_use_ipvlan(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if b.draft.ipvlan.is_some() {
        b.complain(line.span, ctx, "use_ipvlan already specified");
        return;
    }
    let mut ipvlan = IpvlanDraft::default();
    let mut words = line.words.iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        let flags = ["bridge", "private", "vepa"].iter().position(|kind| *kind == text);
        let problem = match flags {
            Some(_) if ipvlan.flags.is_some() => {
                format!("IPVLAN type already specified - ignoring '{text}'")
            }
            Some(flags) => {
                ipvlan.flags = u16::try_from(flags).ok();
                continue;
            }
            None if text == "group" => {
                let group = words.next().and_then(|word| find_group(b, word, ctx));
                ipvlan.group = group.or(ipvlan.group);
                continue;
            }
            None if text == "name" => continue,
            None => match set_ipvlan_place(b, &mut ipvlan, text) {
                Some(problem) => problem,
                None => continue,
            },
        };
        b.complain(word.span, ctx, &problem);
    }
    b.draft.ipvlan = Some(ipvlan);
}

/// A word that is an address or a name; what is wrong with it.
fn set_ipvlan_place(b: &mut Builder, ipvlan: &mut IpvlanDraft, text: &str) -> Option<String> {
    let (ip, length) = text.split_once('/').map_or((text, None), |(ip, l)| (ip, Some(l)));
    if let Some(ip) = address::parse(ip) {
        let host: u8 = if ip.is_ipv6() { 128 } else { 32 };
        let length = length.map_or(Some(host), |l| l.parse().ok().filter(|l| *l <= host));
        return match length {
            _ if ipvlan.address.is_some() => {
                Some(format!("IPVLAN address already specified - ignoring '{text}'"))
            }
            _ if !b.agree_on_family(family_of(&ip)) => {
                Some(format!("IPVLAN address {text} must be of the instance's family - ignoring"))
            }
            None => Some(format!("IPVLAN address {text} is invalid - ignoring")),
            Some(length) => {
                ipvlan.address = Some((ip, length));
                None
            }
        };
    }
    if ipvlan.name.is_some() {
        return Some(format!("IPVLAN interface already specified - ignoring '{text}'"));
    }
    if text.len() > NAME_LIMIT || text.contains('/') {
        return Some(format!("IPVLAN interface name '{text}' not usable - ignoring"));
    }
    if let Some(other) = b.vmac_names.get(text) {
        return Some(format!("VRRP instance {other} is already using {text} - ignoring name"));
    }
    if b.host.interface(text).is_some_and(|facts| facts.ipvlan.is_none()) {
        return Some(format!(
            "interface {text} already exists and is not an l2 ipvlan; ignoring name"
        ));
    }
    b.vmac_names.insert(text.to_owned(), b.draft.name.clone());
    ipvlan.name = Some(text.to_owned());
    None
}

/// The ipvlan of an instance. One of its name that is there is taken over.
pub(super) fn ipvlan_of_instance(
    b: &mut Builder,
    draft: IpvlanDraft,
    router: &Router<'_>,
    ipv6: bool,
) -> Vmac {
    let prefix = b.globals.settings.vmac_prefix.clone();
    let prefix = prefix.as_deref().unwrap_or(PREFIX);
    let index = b.host.interface(router.interface).map(|facts| facts.index);
    let there = |name: &String| {
        !b.vmac_names.contains_key(name)
            && index.is_some()
            && b.host.interface(name).is_some_and(|facts| facts.ipvlan == index)
    };
    let first = names(prefix, router.vrid, router.family).next().filter(there);
    let name = draft.name.or(first);
    let name = name.unwrap_or_else(|| free_name(b, prefix, router.vrid, router.family));
    b.vmac_names.insert(name.clone(), router.name.to_owned());
    Vmac {
        name,
        parent: router.interface.to_owned(),
        sublink: Sublink::Ipvlan { mode: 0, flags: draft.flags.unwrap_or(0) },
        mac: None,
        address: draft.address,
        family: router.family,
        configured: None,
        group: draft.group,
        notify_parent: false,
        ipv6: router.family == Family::V6 || ipv6,
    }
}

/// What a virtual router is called, and where it is.
pub(super) struct Router<'a> {
    pub name: &'a str,
    pub vrid: u8,
    pub family: Family,
    pub interface: &'a str,
}

/// The MAC address of a virtual router.
fn standard_mac(family: Family, vrid: u8) -> [u8; 6] {
    [0, 0, 0x5e, 0, if family == Family::V4 { 1 } else { 2 }, vrid]
}

/// The VMAC of an instance. `ipv6`: some of its addresses are of IPv6.
pub(super) fn of_instance(
    b: &mut Builder,
    draft: VmacDraft,
    router: &Router<'_>,
    ipv6: bool,
    ctx: &mut Context<'_>,
) -> Vmac {
    let mac = match draft.mac {
        Some(MacDraft { octets: [a, b, c, d, e, _], with_vrid: true }) => {
            [a, b, c, d, e, router.vrid]
        }
        Some(mac) => mac.octets,
        None => standard_mac(router.family, router.vrid),
    };
    let prefix = b.globals.settings.vmac_prefix.clone();
    let prefix = prefix.as_deref().unwrap_or(PREFIX);
    let name =
        choose_name(b, router, router.interface, (mac, router.family), draft.name, prefix, ctx);
    Vmac {
        name,
        parent: router.interface.to_owned(),
        sublink: Sublink::PRIVATE_MACVLAN,
        mac: Some(mac),
        address: None,
        family: router.family,
        configured: draft.mac.map(|mac| mac.with_vrid),
        group: draft.group,
        notify_parent: draft.notify_parent,
        ipv6: router.family == Family::V6 || ipv6,
    }
}

/// The VMAC for an address on `parent`; one that is in `vmacs` already serves for it, too.
pub(super) fn of_address<'a>(
    b: &mut Builder,
    vmacs: &'a mut Vec<Vmac>,
    address: &AddressSettings,
    parent: &str,
    router: &Router<'_>,
    ctx: &mut Context<'_>,
) -> &'a Vmac {
    let family = family_of(&address.ip);
    let same = |vmac: &Vmac| vmac.parent == parent && vmac.family == family;
    if let Some(at) = vmacs.iter().position(same) {
        return &vmacs[at];
    }
    let mac = standard_mac(family, router.vrid);
    let globals = &b.globals.settings;
    let prefix = globals.vmac_addr_prefix.as_ref().or(globals.vmac_prefix.as_ref()).cloned();
    let prefix = prefix.as_deref().unwrap_or(PREFIX);
    let name = choose_name(b, router, parent, (mac, family), None, prefix, ctx);
    let at = vmacs.len();
    vmacs.push(Vmac {
        name,
        parent: parent.to_owned(),
        sublink: Sublink::PRIVATE_MACVLAN,
        mac: Some(mac),
        address: None,
        family,
        configured: None,
        group: None,
        notify_parent: false,
        ipv6: family == Family::V6,
    });
    &vmacs[at]
}

/// The configured name, that of a matching interface that is there, or the first one that is free.
/// Virtual routers that have a MAC address in common on one parent share the interface.
fn choose_name(
    b: &mut Builder,
    router: &Router<'_>,
    parent: &str,
    (mac, family): ([u8; 6], Family),
    configured: Option<String>,
    prefix: &str,
    ctx: &mut Context<'_>,
) -> String {
    let key = (parent.to_owned(), mac);
    if let Some(shared) = b.vmacs.get(&key) {
        return shared.clone();
    }
    let index = b.host.interface(parent).map(|facts| facts.index);
    let taken = |name: &str| configured.as_deref() != Some(name) && b.vmac_names.contains_key(name);
    let existing = index.and_then(|index| b.host.vmac(index, mac)).filter(|name| !taken(name));
    let say = |ctx: &mut Context<'_>, text: String| {
        if ctx.mode != Mode::Test {
            ctx.log(None, format!("({}) {text}", router.name));
        }
    };
    if let Some(name) = &existing {
        say(ctx, format!("Found matching interface {name}"));
    }
    let name = match (configured, existing) {
        // It was this daemon's, and gives way to one of the new name.
        (Some(wanted), Some(existing)) if b.host.made_here(&existing) => wanted,
        (Some(wanted), Some(existing)) if wanted != existing => {
            let text =
                format!("vmac name mismatch {wanted} <=> {existing}. changing to {existing}.");
            say(ctx, text);
            existing
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => free_name(b, prefix, router.vrid, family),
    };
    b.vmac_names.insert(name.clone(), router.name.to_owned());
    b.vmacs.insert(key, name.clone());
    name
}

/// PREFIX.VRID, then PREFIX`n`.VRID. IPv6 prefers 6 for `n`.
fn names(prefix: &str, vrid: u8, family: Family) -> impl Iterator<Item = String> + '_ {
    let preferred = if family == Family::V6 { "6" } else { "" };
    let numbers = (1..=9999).map(|n: u32| n.to_string());
    let infixes = [String::new(), preferred.to_owned()].into_iter().chain(numbers);
    infixes.map(move |infix| {
        let end = format!("{infix}.{vrid}");
        let mut room = prefix.len().min(NAME_LIMIT - end.len());
        while !prefix.is_char_boundary(room) {
            room -= 1;
        }
        format!("{}{end}", &prefix[..room])
    })
}

/// The first of these names that nothing is called.
fn free_name(b: &Builder, prefix: &str, vrid: u8, family: Family) -> String {
    let free = |name: &String| !b.vmac_names.contains_key(name) && b.host.interface(name).is_none();
    names(prefix, vrid, family).find(free).unwrap_or_default()
}

/// A VMAC that instances share which do not move together: all but the last of them cannot have it.
pub(super) fn refuse_shared(
    instances: &mut [super::InstanceSettings],
    groups: &[super::GroupSettings],
    ctx: &mut Context<'_>,
) {
    let group_of = |i: usize| groups.iter().position(|group| group.members.contains(&i));
    let mut users: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    let mut refused: Vec<(usize, String)> = Vec::new();
    for (i, instance) in instances.iter().enumerate() {
        for vmac in instance.vmacs() {
            let Some(first) = users.insert(&vmac.name, i) else { continue };
            let together = group_of(first).is_some_and(|group| Some(group) == group_of(i));
            if first == i || together {
                continue;
            }
            let address = |i: usize| {
                let instance: &super::InstanceSettings = &instances[i];
                let mut all = instance.addresses.iter().chain(&instance.excluded);
                all.find(|a| a.interface == vmac.name).map_or(IpAddr::from([0; 4]), |a| a.ip)
            };
            let text = format!(
                "({}) VIP/eVIP {} uses same VMAC as VRRP instance {} VIP/eVIP {}, disabling {2}",
                instance.name,
                address(i),
                instances[first].name,
                address(first),
            );
            ctx.report_general(Class::General, text.clone());
            refused.push((first, text));
        }
    }
    for (i, text) in refused {
        instances[i].config_fault.get_or_insert(text);
    }
}
