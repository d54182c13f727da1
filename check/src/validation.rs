//! Checks of a virtual server as a whole, in the order of the original (spec lvs-keywords §9).
//!
//! Each takes time linear in the count of real servers and entries.

use std::collections::{HashMap, HashSet};

use config::{Class, Context};

use crate::keywords::{
    Family, Group, Identity, Method, Protocol, RealServer, SorryServer, VirtualServer,
};

/// The check at the end of the block, which needs the family the block has come to.
pub(crate) fn block_end(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    if let Some(sorry) = server.sorry
        && sorry.method.or(server.method) != Some(Method::Tunnel)
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

/// The checks once everything is read; false when the virtual server is dropped.
pub(crate) fn finish(
    server: &mut VirtualServer,
    groups: &HashMap<String, Group>,
    ctx: &mut Context<'_>,
) -> bool {
    let group = match &server.identity {
        Identity::Group(name) => {
            let group = groups.get(name);
            let problem = match group {
                None => "no such virtual_server_group",
                Some(group) if group.conflicts(server.family) => {
                    "the group's address family is not its own"
                }
                Some(_) => "",
            };
            if !problem.is_empty() {
                // Never counted by a configuration test.
                ctx.log(Some(server.span), format!("{}: {problem}; ignored", server.identity));
                return false;
            }
            group
        }
        _ => None,
    };
    if server.real_servers.is_empty() {
        general(server, "no real servers; ignored", ctx);
        return false;
    }
    service(server, group, ctx);
    if server.scheduler.is_none() {
        general(server, "no scheduler; wlc is used", ctx);
    }
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

fn general(server: &VirtualServer, problem: &str, ctx: &mut Context<'_>) {
    ctx.report(Class::General, server.span, format!("{}: {problem}", server.identity));
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
    }
    if addresses && server.protocol.is_none() {
        general(server, "no protocol; UDP is used", ctx);
        server.protocol = Some(Protocol::Udp);
    }
    if addresses && server.one_packet && server.protocol != Some(Protocol::Udp) {
        general(server, "one-packet scheduling needs UDP; cleared", ctx);
    }
    let any_port = match (&server.identity, group) {
        (Identity::Address(_, port), _) => *port == 0,
        (_, Some(group)) => group.ports().any(|port| port == 0),
        _ => false,
    };
    if any_port && !server.persistent {
        general(server, "without a port it must be persistent; persistence is set", ctx);
    }
    if !addresses && server.protocol.is_some() {
        let message = format!("{}: a firewall mark has no protocol; ignored", server.identity);
        ctx.report(Class::Warning, server.span, message);
    }
}

fn duplicates(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    let mut seen = HashSet::with_capacity(server.real_servers.len());
    let identity = &server.identity;
    server.real_servers.retain(|real| {
        let first = seen.insert((real.address, real.port));
        if !first {
            let message = format!(
                "{identity}: real_server {} {} appears twice; the second is ignored",
                real.address, real.port
            );
            ctx.report(Class::General, real.span, message);
        }
        first
    });
}

fn forwarding(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    let undecided = server.real_servers.iter().any(|real| real.method.is_none())
        || server.sorry.is_some_and(|sorry| sorry.method.is_none());
    if server.method.is_none() && undecided {
        general(server, "no forwarding method; NAT is used", ctx);
        server.method = Some(Method::Nat);
    }
}

fn sorry_inhibit(server: &VirtualServer, ctx: &mut Context<'_>) {
    let Some(sorry) = server.sorry else { return };
    let same = |real: &&RealServer| real.address == sorry.address && real.port == sorry.port;
    let Some(real) = server.real_servers.iter().find(same) else { return };
    if real.inhibit.unwrap_or(server.inhibit) != sorry.inhibit {
        general(server, "the sorry server is a real server; its inhibit setting counts", ctx);
    }
}

fn quorum(server: &mut VirtualServer, ctx: &mut Context<'_>) {
    let weight = |real: &RealServer| u64::from(real.weight.unwrap_or(server.weight));
    let total: u64 = server.real_servers.iter().map(weight).sum();
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
    }
}

/// Only NAT can change the port.
fn keeps_port(server: &VirtualServer, method: Option<Method>) -> bool {
    method.or(server.method).is_some_and(|method| method != Method::Nat)
}

fn ports(server: &VirtualServer, ctx: &mut Context<'_>) {
    let service = match server.identity {
        Identity::Address(_, port) => Some(port),
        _ => None,
    };
    let mut check = |what: &str, span, method, port| {
        if !keeps_port(server, method) || port == 0 {
            return;
        }
        let problem = match service {
            None => "a firewall mark has no port; cleared".to_owned(),
            Some(service) if service != port => format!("port {port} is not {service}; changed"),
            Some(_) => return,
        };
        ctx.report(Class::Warning, span, format!("{}: {what}: {problem}", server.identity));
    };
    for real in &server.real_servers {
        check("real_server", real.span, real.method, real.port);
    }
    if let Some(SorryServer { method, port, .. }) = server.sorry {
        check("sorry_server", server.span, method, port);
    }
}

fn group_ports(server: &VirtualServer, group: &Group, ctx: &mut Context<'_>) {
    let entries: HashSet<u16> = group.ports().collect();
    let marks = group.has_marks();
    for real in &server.real_servers {
        if !keeps_port(server, real.method) || real.port == 0 {
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
}
