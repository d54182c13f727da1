//! Virtual servers from their configuration to the kernel's table, and what is told on the way.

mod daemon;
mod reload;
mod sessions;
mod snmp;
mod states;
mod stop;
mod weights;

/// A real server with a `TCP_CHECK` that does not retry, and without mails.
pub(super) fn real(address: &str, body: &str) -> String {
    format!("real_server {address} 80 {{\nsmtp_alert no\n{body}\nTCP_CHECK {{\nretry 0\n}}\n}}\n")
}

/// The virtual server 10.9.9.9:80 by NAT.
pub(super) fn service(body: &str, reals: &[String]) -> String {
    format!(
        "virtual_server 10.9.9.9 80 {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n{body}\n{}}}\n",
        reals.concat()
    )
}

/// Two real servers of weight 1 for it.
pub(super) fn pair() -> [String; 2] {
    [real("10.0.0.1", ""), real("10.0.0.2", "")]
}
