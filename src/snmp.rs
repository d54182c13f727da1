//! SNMP: the daemon as a subagent. What is of all parts is here, `global` of KEEPALIVED-MIB; VRRP has its own
//! objects.

use std::net::IpAddr;

use check::FlushOnStop;
use scheduler::Scheduler;
use snmp::table::only;
use snmp::{Address, Agent, Configuration, Found, HasSnmp, Subagent, Table, Value, VarBind, table};
use vrrp::action::{NotifyEvent, Subject};
use vrrp::mib;

use crate::cli::VERSION_LINE;
use crate::daemon::Daemon;
use crate::dump::global::router_id;

/// KEEPALIVED-MIB's `global`.
const GLOBAL: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 1];
/// `mail` in it.
const MAIL: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 1, 3];
/// An entry of `emailTable` in that.
const EMAIL: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 1, 3, 5, 1];

type D = Daemon;

/// In the order of their names: the tables of `mail` lie between the single objects.
static TABLES: &[Table<D>] = &[
    Table {
        entry: GLOBAL,
        columns: &[
            (1, |_, i| only(i, Value::text(VERSION_LINE))),
            (2, |d, i| only(i, Value::text(&router_id(&d.configuration)))),
        ],
        next: table::single,
    },
    Table {
        entry: MAIL,
        columns: &[
            (1, |d, i| only(i, Value::address_type(mail_server(d)?))),
            (2, |d, i| only(i, Value::address(mail_server(d)?))),
            (3, |d, i| only(i, Value::gauge(d.configuration.notify.mail.step_timeout().as_secs()))),
            (4, |d, i| only(i, Value::text(&d.configuration.notify.mail.sender()))),
        ],
        next: table::single,
    },
    Table {
        entry: EMAIL,
        columns: &[(2, |d, index| {
            let [number] = *index else { return None };
            let to = d.configuration.notify.mail.to.get((number as usize).checked_sub(1)?)?;
            Some(Value::text(to))
        })],
        next: |d, after| {
            let count = u32::try_from(d.configuration.notify.mail.to.len()).unwrap_or(u32::MAX);
            table::following(after, 1, &|_| 1..=count)
        },
    },
    Table {
        entry: MAIL,
        columns: &[
            (6, |d, i| only(i, Value::gauge(d.configuration.notify.mail.server.as_ref()?.1))),
            (7, |d, i| only(i, Value::truth(!d.configuration.notify.no_email_faults))),
            (8, |d, i| only(i, choice(d.configuration.notify.smtp_alert))),
            (9, |d, i| only(i, choice(d.configuration.notify.smtp_alert_vrrp))),
            (10, |d, i| only(i, choice(d.configuration.notify.smtp_alert_checker))),
        ],
        next: table::single,
    },
    Table {
        entry: GLOBAL,
        columns: &[
            (4, |d, i| only(i, Value::truth(d.configuration.globals.interfaces.snmp_traps))),
            // Links are the kernel's to report: netlink(1).
            (5, |_, i| only(i, Value::Integer(1))),
            (6, |d, i| only(i, Value::truth(d.configuration.check.flush))),
            (7, |_, i| only(i, Value::truth(true))),
            (8, |d, i| {
                let name = d.configuration.globals.net_namespace.as_deref();
                only(i, Value::text(name.unwrap_or_default()))
            }),
            // Nothing is on D-Bus.
            (9, |_, i| only(i, Value::truth(false))),
            (10, |d, i| only(i, Value::truth(d.configuration.vrrp_globals.dynamic_interfaces))),
            (11, |d, i| {
                let flush = match d.configuration.check.flush_on_stop {
                    FlushOnStop::Full => 1,
                    FlushOnStop::Disabled => 2,
                    FlushOnStop::VirtualServers => 3,
                };
                only(i, Value::Integer(flush))
            }),
        ],
        next: table::single,
    },
];

fn mail_server(daemon: &Daemon) -> Option<IpAddr> {
    daemon.configuration.notify.mail.server.as_ref()?.0.parse().ok()
}

/// on(1), off(2), unset(3).
fn choice(choice: Option<bool>) -> Value {
    choice.map_or(Value::Integer(3), Value::truth)
}

impl Agent for Daemon {
    fn get(&self, name: &[u32]) -> Found {
        match &self.vrrp {
            Some(vrrp) if name.starts_with(mib::SUBTREE) => table::get(mib::TABLES, vrrp, name),
            _ => table::get(TABLES, self, name),
        }
    }

    fn next(&self, start: &[u32], inclusive: bool) -> Option<VarBind> {
        table::next(TABLES, self, start, inclusive).or_else(|| {
            let vrrp = self.vrrp.as_ref()?;
            table::next(mib::TABLES, vrrp, start, inclusive)
        })
    }
}

impl HasSnmp for Daemon {
    fn snmp(&mut self) -> &mut Option<Subagent> {
        &mut self.subagent
    }
}

/// Lets the subagent follow the configuration; `vrrp` is whether VRRP runs. To be called before VRRP starts, so that its
/// first states are told, too.
pub fn apply(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, vrrp: bool) {
    let wanted = if vrrp { wanted(daemon) } else { None };
    snmp::configure(scheduler, daemon, wanted);
}

fn wanted(daemon: &Daemon) -> Option<Configuration> {
    let known = &daemon.configuration.globals.interfaces;
    if !known.snmp_vrrp && !daemon.options.snmp {
        return None;
    }
    let address = daemon.options.snmp_socket.as_ref().or(known.snmp_socket.as_ref());
    let address = match address.map(|text| text.parse()) {
        None => Address::default(),
        Some(Ok(address)) => address,
        Some(Err(unusable)) => {
            log::error!("SNMP: {unusable}; there is no subagent");
            return None;
        }
    };
    let subtrees = vec![GLOBAL.to_vec(), mib::SUBTREE.to_vec()];
    Some(Configuration { address, description: "Keepalived".into(), subtrees })
}

/// A notification about VRRP, if they are wanted.
pub fn told(
    scheduler: &mut Scheduler<Daemon>,
    daemon: &mut Daemon,
    subject: Subject,
    event: NotifyEvent,
) {
    if !daemon.configuration.globals.interfaces.snmp_traps || daemon.subagent.is_none() {
        return;
    }
    let router_id = router_id(&daemon.configuration);
    let trap = daemon.vrrp.as_ref().and_then(|vrrp| mib::trap(vrrp, subject, event, &router_id));
    if let Some((who, trap)) = trap {
        log::info!(target: "vrrp", "{who} Sending SNMP notification");
        snmp::notify(scheduler, daemon, trap);
    }
}
