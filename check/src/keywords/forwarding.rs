//! Forwarding methods: `NAT`, `DR`, or `TUN` with the kind of tunnel and its checksum.

use config::{Class, Context, Line, Word, address};
use ipvs::{Checksum, Forwarding, Tunnel};

/// The grammar, for people.
pub(super) const GRAMMAR: &str =
    "NAT | DR | TUN [type {ipip | gue port PORT | gre}] [nocsum | csum | remcsum]";

/// Reads a forwarding method that takes the place of `before`. A wrong option is reported, the method
/// itself counts all the same, with the tunnel it had before.
pub(super) fn method(
    before: Option<Forwarding>,
    line: &Line,
    ctx: &mut Context<'_>,
) -> Option<Forwarding> {
    let Some(word) = line.word(ctx) else { return before };
    if !matches!(word.text.as_str(), "NAT" | "DR" | "TUN") {
        let message = format!("{}: '{}' is none of NAT, DR, TUN; ignored", line.name(), word.text);
        let near = config::suggest(&word.text, ["NAT", "DR", "TUN"]);
        ctx.report_with_help(Class::General, word.span, message, near.map(config::did_you_mean));
        return before;
    }
    let mut options = line.words.get(1..).unwrap_or_default().iter();
    let options = tunnel_options(&mut options, line.name(), ctx);
    if let Err(problem) = &options {
        let message = format!("{}: {problem}; tunnel options ignored", line.name());
        ctx.report(Class::General, line.span, message);
    }
    Some(match (word.text.as_str(), options, before) {
        ("NAT", ..) => Forwarding::Nat,
        ("DR", ..) => Forwarding::Direct,
        (_, Ok((tunnel, checksum)), _) => Forwarding::Tunnel(tunnel, checksum),
        (_, Err(_), Some(before @ Forwarding::Tunnel(..))) => before,
        (_, Err(_), _) => Forwarding::Tunnel(Tunnel::Ipip, Checksum::None),
    })
}

/// Kind of tunnel, before its port is known to be right.
#[derive(Clone, Copy)]
enum TunnelType {
    Ipip,
    Gue,
    Gre,
}

fn tunnel_options(
    words: &mut std::slice::Iter<'_, Word>,
    what: &str,
    ctx: &mut Context<'_>,
) -> Result<(Tunnel, Checksum), String> {
    let (mut tunnel, mut port, mut checksum) = (TunnelType::Ipip, None, Checksum::None);
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "type" => {
                let kind = words.next().ok_or("tunnel type missing")?;
                tunnel = match kind.text.as_str() {
                    "ipip" => TunnelType::Ipip,
                    "gue" => TunnelType::Gue,
                    "gre" => TunnelType::Gre,
                    other => {
                        return Err(format!("tunnel type '{other}' is none of ipip, gue, gre"));
                    }
                };
            }
            "port" => {
                let number = words.next().ok_or("port of the gue tunnel missing")?;
                port = address::port(number, ctx, what);
                if port.is_none() {
                    return Err(format!("'{}' is not a port for a gue tunnel", number.text));
                }
            }
            "nocsum" => checksum = Checksum::None,
            "csum" => checksum = Checksum::Full,
            "remcsum" => checksum = Checksum::Remote,
            other => return Err(format!("unknown tunnel option '{other}'")),
        }
    }
    match (tunnel, port, checksum) {
        (TunnelType::Gue, Some(port), checksum) => Ok((Tunnel::Gue(port), checksum)),
        (TunnelType::Gue, None, _) => Err("a gue tunnel needs a port".into()),
        (_, Some(_), _) => Err("only gue tunnels have a port".into()),
        (TunnelType::Ipip, _, Checksum::None) => Ok((Tunnel::Ipip, Checksum::None)),
        (TunnelType::Ipip, ..) => Err("ipip tunnels have no checksum".into()),
        (TunnelType::Gre, _, Checksum::Remote) => Err("gre tunnels have no remote checksum".into()),
        (TunnelType::Gre, _, checksum) => Ok((Tunnel::Gre, checksum)),
    }
}
