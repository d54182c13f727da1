//! Checks of a virtual server as a whole, in the order of the original (spec lvs-keywords §9).
//!
//! Each takes time linear in the count of real servers and entries.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use config::{Class, Context, Span};
use ipvs::{Family, Forwarding, Protocol};

use crate::draft::Named;
use crate::keywords::{Identity, ONE_PACKET, PERSISTENCE, RealServer, SorryServer, VirtualServer};
use crate::settings::Group;

/// The check at the end of the block, which needs the family the block has come to.
pub(crate) fn block_end(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    if let Some(sorry) = server.sorry
        && !matches!(sorry.method.or(server.method), Some(Forwarding::Tunnel(..)))
        && server.family.is_some_and(|family| family != Family::of(sorry.address))
    {
        let message = format!(
            "{}: sorry_server {} is not of its family; ignored",
            server.identity, sorry.address
        );
        ctx.report(Class::General, server.span, message);
        server.sorry = None;
    }
}

/// The checks once everything is read.
pub(crate) struct Validation {
    groups: Rc<Named<Group>>,
    /// `lvs_nat_masquerade`.
    masquerades: bool,
    /// How many virtual servers have asked for a group.
    uses: HashMap<String, u32>,
}

impl Validation {
    pub(crate) fn new(groups: Rc<Named<Group>>, masquerades: bool) -> Self {
        Validation { groups, masquerades, uses: HashMap::new() }
    }

    /// Checks a virtual server; false when it is dropped.
    pub(crate) fn finish(&mut self, server: &mut VirtualServer, ctx: &mut Context<'_>) -> bool {
        let group = match self.group(server) {
            Ok(group) => group,
            Err(problem) => {
                // Never counted by a configuration test.
                ctx.log(Some(server.span), format!("{}: {problem}; ignored", server.identity));
                return false;
            }
        };
        if server.real_servers.is_empty() {
            general(server, "no real servers; ignored", ctx);
            return false;
        }
        let group = group.as_deref();
        family(server, group, ctx);
        service(server, group, ctx);
        if server.scheduler.is_none() {
            general(server, "no scheduler; wlc is used", ctx);
        }
        masquerading(server, self.masquerades, ctx);
        duplicates(server, ctx);
        forwarding(server, ctx);
        sorry_inhibit(server, ctx);
        quorum(server, ctx);
        match group {
            Some(group) => group_ports(server, group, ctx),
            None => ports(server, ctx),
        }
        true
    }

    /// The group, if the virtual server is of one; its users are numbered, also those without real
    /// servers.
    fn group(&mut self, server: &mut VirtualServer) -> Result<Option<Rc<Group>>, &'static str> {
        let Identity::Group(name) = &server.identity else { return Ok(None) };
        let group = self.groups.get(name).ok_or("no such virtual_server_group")?;
        if group.conflicts(server.family) {
            return Err("the group's address family is not its own");
        }
        let uses = self.uses.entry(name.clone()).or_default();
        server.number = *uses;
        *uses += 1;
        Ok(Some(Rc::clone(group)))
    }
}

fn general(server: &VirtualServer, problem: &str, ctx: &mut Context<'_>) {
    ctx.report(Class::General, server.span, format!("{}: {problem}", server.identity));
}

/// Where neither an address nor a keyword tells the family.
fn family(server: &mut VirtualServer, group: Option<&Group>, ctx: &mut Context<'_>) {
    if server.family.is_some() {
        return;
    }
    let families: HashSet<Family> = match group {
        Some(group) => group.families().collect(),
        None => {
            let servers = server.real_servers.iter().map(|real| real.address);
            servers.chain(server.sorry.map(|sorry| sorry.address)).map(Family::of).collect()
        }
    };
    let one = families.iter().next().filter(|_| families.len() == 1);
    server.family = one.copied();
    // A group may well have both; a firewall mark and its real servers need one.
    if families.is_empty() || (one.is_none() && group.is_none()) {
        let message = format!("{}: no address family; IPv4 is used", server.identity);
        ctx.log(Some(server.span), message);
        server.family = Some(Family::Inet);
    }
}

fn masquerading(server: &mut VirtualServer, masquerades: bool, ctx: &mut Context<'_>) {
    if server.nat_mask.is_none() {
        return;
    }
    let problem = match server.method {
        Some(Forwarding::Direct | Forwarding::Tunnel(..)) => "is for NAT only",
        _ if !masquerades => "has no effect without lvs_nat_masquerade",
        _ => return,
    };
    ctx.log(Some(server.span), format!("{}: nat_mask {problem}", server.identity));
    server.nat_mask = None;
}

/// Protocol, one-packet scheduling, persistence, `ha_suspend`.
fn service(server: &mut VirtualServer, group: Option<&Group>, ctx: &mut Context<'_>) {
    let (marks, addresses) = match (&server.identity, group) {
        (_, Some(group)) => (group.has_marks(), group.has_addresses()),
        (Identity::Mark(_), None) => (true, false),
        _ => (false, true),
    };
    if server.ha_suspend && marks {
        general(server, "ha_suspend cannot be used with firewall marks; cleared", ctx);
        server.ha_suspend = false;
    }
    if addresses && server.protocol.is_none() {
        general(server, "no protocol; UDP is used", ctx);
        server.protocol = Some(Protocol::Udp);
    }
    let one_packet = server.flags & ONE_PACKET != 0;
    if addresses && one_packet && server.protocol != Some(Protocol::Udp) {
        general(server, "one-packet scheduling needs UDP; cleared", ctx);
        server.flags &= !ONE_PACKET;
    }
    let any_port = match (&server.identity, group) {
        (Identity::Address(_, port), _) => *port == 0,
        (_, Some(group)) => group.ports().any(|port| port == 0),
        _ => false,
    };
    if any_port && server.persistence.is_none() {
        general(server, "without a port it must be persistent; persistence is set", ctx);
        server.persistence = Some(PERSISTENCE);
    }
    if !addresses && server.protocol.is_some() {
        let message = format!("{}: a firewall mark has no protocol; ignored", server.identity);
        ctx.report(Class::Warning, server.span, message);
        server.protocol = None;
    }
}

fn duplicates(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    keep_first_of_equals(server, |span, name| {
        let message = format!("{name} appears twice; the second is ignored");
        ctx.report(Class::General, span, message);
    });
}

/// Takes out real servers whose address and port an earlier one has; `repeated` is told where each
/// stands and what it is called.
fn keep_first_of_equals(server: &mut VirtualServer, mut repeated: impl FnMut(Span, String)) {
    let mut seen = HashSet::with_capacity(server.real_servers.len());
    let identity = &server.identity;
    server.real_servers.retain(|real| {
        let first = seen.insert((real.address, real.port));
        if !first {
            let name = format!("{identity}: real_server {} {}", real.address, real.port);
            repeated(real.span, name);
        }
        first
    });
}

fn forwarding(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    let undecided = server.real_servers.iter().any(|real| real.method.is_none())
        || server.sorry.is_some_and(|sorry| sorry.method.is_none());
    if server.method.is_none() && undecided {
        general(server, "no forwarding method; NAT is used", ctx);
        server.method = Some(Forwarding::Nat);
    }
}

fn sorry_inhibit(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    let Some(sorry) = server.sorry else { return };
    let same = |real: &&RealServer| real.address == sorry.address && real.port == sorry.port;
    let Some(real) = server.real_servers.iter().find(same) else { return };
    let inhibit = real.inhibit.unwrap_or(server.inhibit);
    if inhibit != sorry.inhibit {
        general(server, "the sorry server is a real server; its inhibit setting counts", ctx);
        server.sorry = Some(SorryServer { inhibit, ..sorry });
    }
}

fn total_weight(server: &VirtualServer) -> u64 {
    let weight = |real: &RealServer| u64::from(real.weight.unwrap_or(server.weight));
    server.real_servers.iter().map(weight).sum()
}

fn quorum(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    let total = total_weight(server);
    if u64::from(server.quorum) > total {
        let message = format!(
            "{}: quorum {} exceeds {total}, the weight of all real servers; lowered to it",
            server.identity, server.quorum
        );
        ctx.report(Class::Warning, server.span, message);
        server.quorum = u32::try_from(total).unwrap_or(u32::MAX);
    }
    if server.hysteresis >= server.quorum {
        let problem = format!(
            "hysteresis {} is not below quorum {}; lowered",
            server.hysteresis, server.quorum
        );
        general(server, &problem, ctx);
        // Without any weight the quorum is 0, and must never be reached.
        server.hysteresis = server.quorum.wrapping_sub(1);
    }
}

/// Only NAT can change the port.
fn keeps_port(method: Option<Forwarding>) -> bool {
    method.is_some_and(|method| method != Forwarding::Nat)
}

/// The port of a server behind a virtual server with `service`, or none where it is a firewall mark,
/// and what is to be said about the change.
fn port(service: Option<u16>, method: Option<Forwarding>, written: u16) -> (u16, Option<String>) {
    let problem = match service {
        _ if !keeps_port(method) => {
            return (if written == 0 { service.unwrap_or(0) } else { written }, None);
        }
        None => "a firewall mark has no port; cleared".to_owned(),
        Some(service) => format!("port {written} is not {service}; changed"),
    };
    let service = service.unwrap_or(0);
    (service, (written != 0 && written != service).then_some(problem))
}

fn ports(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    let service = match server.identity {
        Identity::Address(_, port) => Some(port),
        _ => None,
    };
    let mut say = |what: &str, span, problem: Option<String>| {
        if let Some(problem) = problem {
            let message = format!("{}: {what}: {problem}", server.identity);
            ctx.report(Class::Warning, span, message);
        }
    };
    let mut changed = false;
    for real in &mut server.real_servers {
        let (port, problem) = port(service, real.method.or(server.method), real.port);
        say("real_server", real.span, problem);
        changed |= port != real.port;
        real.port = port;
    }
    if let Some(sorry) = &mut server.sorry {
        let method = sorry.method.or(server.method);
        // To a sorry server by NAT the kernel sends whatever port the packet had.
        if keeps_port(method) {
            let (port, problem) = port(service, method, sorry.port);
            say("sorry_server", server.span, problem);
            sorry.port = port;
        }
    }
    if changed {
        same_by_now(server, ctx);
    }
}

/// Of real servers that the port rules have made equal the kernel takes only one.
fn same_by_now(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    keep_first_of_equals(server, |span, name| {
        ctx.log(Some(span), format!("{name} appears twice by now; the second is ignored"));
    });
    let total = u32::try_from(total_weight(server)).unwrap_or(u32::MAX);
    if server.quorum > total {
        server.quorum = total;
        server.hysteresis = server.hysteresis.min(total.wrapping_sub(1));
    }
}

fn group_ports(server: &VirtualServer, group: &Group, ctx: &mut Context<'_>) {
    let entries: HashSet<u16> = group.ports().collect();
    let marks = group.has_marks();
    for real in &server.real_servers {
        if !keeps_port(real.method.or(server.method)) || real.port == 0 {
            continue;
        }
        if marks {
            let message = format!("{}: real_server: a firewall mark has no port", server.identity);
            ctx.report(Class::Warning, real.span, message);
        }
        if entries.iter().any(|port| *port != real.port) {
            let message = format!(
                "{}: real_server: port {} is not the group's; the group's is used",
                server.identity, real.port
            );
            ctx.report(Class::General, real.span, message);
        }
    }
    let sorry = server.sorry.filter(|sorry| keeps_port(sorry.method.or(server.method)));
    if let Some(port) = sorry.map(|sorry| sorry.port).filter(|port| *port != 0)
        && (marks || entries.iter().any(|entry| *entry != port))
    {
        let message = format!("{}: sorry_server: port {port} is ignored", server.identity);
        ctx.report(Class::Warning, server.span, message);
    }
}
