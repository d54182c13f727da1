//! Forwarding methods: `NAT`, `DR`, or `TUN` with the kind of tunnel and its checksum.

use config::{Class, Context, Line, Word, address};

/// How packets reach a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Addresses are rewritten.
    Nat,
    /// Sent to the real server's link address.
    Direct,
    /// Sent inside another packet.
    Tunnel,
}

/// The grammar, for people.
pub(super) const GRAMMAR: &str =
    "NAT | DR | TUN [type {ipip | gue port PORT | gre}] [nocsum | csum | remcsum]";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tunnel {
    Ipip,
    Gue,
    Gre,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Checksum {
    None,
    Full,
    Remote,
}

/// Reads a forwarding method. A wrong option is reported, the method itself counts all the same.
pub(super) fn method(line: &Line, ctx: &mut Context<'_>) -> Option<Method> {
    let word = line.word(ctx)?;
    let method = match word.text.as_str() {
        "NAT" => Method::Nat,
        "DR" => Method::Direct,
        "TUN" => Method::Tunnel,
        other => {
            let message = format!("{}: '{other}' is none of NAT, DR, TUN; ignored", line.name());
            let near = config::suggest(other, ["NAT", "DR", "TUN"]);
            let help = near.map(config::did_you_mean);
            ctx.report_with_help(Class::General, word.span, message, help);
            return None;
        }
    };
    let mut options = line.words.get(1..).unwrap_or_default().iter();
    if let Err(problem) = tunnel_options(&mut options, line.name(), ctx) {
        let message = format!("{}: {problem}; tunnel options ignored", line.name());
        ctx.report(Class::General, line.span, message);
    }
    Some(method)
}

fn tunnel_options(
    words: &mut std::slice::Iter<'_, Word>,
    what: &str,
    ctx: &mut Context<'_>,
) -> Result<(), String> {
    let (mut tunnel, mut port, mut checksum) = (Tunnel::Ipip, None, Checksum::None);
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "type" => {
                let kind = words.next().ok_or("tunnel type missing")?;
                tunnel = match kind.text.as_str() {
                    "ipip" => Tunnel::Ipip,
                    "gue" => Tunnel::Gue,
                    "gre" => Tunnel::Gre,
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
        (Tunnel::Gue, None, _) => Err("a gue tunnel needs a port".into()),
        (Tunnel::Ipip | Tunnel::Gre, Some(_), _) => Err("only gue tunnels have a port".into()),
        (Tunnel::Ipip, _, Checksum::Full | Checksum::Remote) => {
            Err("ipip tunnels have no checksum".into())
        }
        (Tunnel::Gre, _, Checksum::Remote) => Err("gre tunnels have no remote checksum".into()),
        _ => Ok(()),
    }
}
