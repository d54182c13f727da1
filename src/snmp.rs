//! SNMP: the daemon as a subagent. What is of all parts is here, `global` of KEEPALIVED-MIB; VRRP and load
//! balancing have their own objects.

use std::net::IpAddr;

use check::FlushOnStop;
use scheduler::{Scheduler, Time};
use snmp::table::only;
use snmp::{
    Address, Agent, Configuration, Found, HasSnmp, Oid, Subagent, Table, Trap, Value, VarBind,
    table,
};
use vrrp::action::{NotifyEvent, Subject};
use vrrp::mib::{self, rfc2787, rfc6527};
use vrrp::runtime::Refusal;

use crate::cli::VERSION_LINE;
use crate::configuration::Parts;
use crate::daemon::Daemon;
use crate::dump::global::router_id;
use crate::globals::Interfaces;

/// KEEPALIVED-MIB's `global`.
const GLOBAL: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 1];
/// `routerId` in it.
const ROUTER_ID: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 1, 2, 0];
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
            (9, |d, i| only(i, Value::truth(d.configuration.globals.interfaces.dbus))),
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
        let (vrrp, check) = (self.vrrp.as_ref(), self.check.as_ref());
        let found = |found: Option<Found>| found.unwrap_or(Found::NoSuchObject);
        let of_vrrp = |tables| found(vrrp.map(|vrrp| table::get(tables, vrrp, name)));
        if name.starts_with(rfc2787::SUBTREE) {
            of_vrrp(rfc2787::TABLES)
        } else if name.starts_with(rfc6527::SUBTREE) {
            of_vrrp(rfc6527::TABLES)
        } else if name.starts_with(mib::SUBTREE) {
            of_vrrp(mib::TABLES)
        } else if name.starts_with(check::mib::SUBTREE) {
            found(check.map(|check| table::get(check::mib::TABLES, check, name)))
        } else {
            table::get(TABLES, self, name)
        }
    }

    /// The tables in the order of their names. The master asks for nothing beyond what is registered.
    fn next(&self, start: &[u32], inclusive: bool) -> Option<VarBind> {
        let (vrrp, check) = (self.vrrp.as_ref(), self.check.as_ref());
        let of_vrrp = |tables| table::next(tables, vrrp?, start, inclusive);
        of_vrrp(rfc2787::TABLES)
            .or_else(|| of_vrrp(rfc6527::TABLES))
            .or_else(|| table::next(TABLES, self, start, inclusive))
            .or_else(|| of_vrrp(mib::TABLES))
            .or_else(|| table::next(check::mib::TABLES, check?, start, inclusive))
    }
}

impl HasSnmp for Daemon {
    fn snmp(&mut self) -> &mut Option<Subagent> {
        &mut self.subagent
    }

    fn asked(&mut self, now: Time) {
        let wanted = self.wants(|known| known.snmp_rfcv2 || known.snmp_rfcv3);
        if let Some(vrrp) = self.vrrp.as_mut().filter(|_| wanted) {
            vrrp.number_rows(now);
        }
    }
}

/// Lets the subagent follow the configuration; `running` is what runs. To be called before that starts, so that its
/// first states are told, too.
pub fn apply(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, running: Parts) {
    let wanted = wanted(daemon, running);
    snmp::configure(scheduler, daemon, wanted);
}

/// The parts that the master is to know of what runs.
fn subtrees(daemon: &Daemon, running: Parts) -> Vec<Oid> {
    let vrrp = running.vrrp && daemon.wants(|known| known.snmp_vrrp);
    let check = running.check && daemon.wants(|known| known.snmp_checker);
    let parts = [
        (vrrp || check, GLOBAL),
        (vrrp, mib::SUBTREE),
        (check, check::mib::SUBTREE),
        (running.vrrp && daemon.wants(|known| known.snmp_rfcv2), rfc2787::SUBTREE),
        (running.vrrp && daemon.wants(|known| known.snmp_rfcv3), rfc6527::SUBTREE),
    ];
    parts.iter().filter(|(wanted, _)| *wanted).map(|(_, subtree)| subtree.to_vec()).collect()
}

impl Daemon {
    /// A part is enabled, or `-x` enables all of them.
    fn wants(&self, part: fn(&Interfaces) -> bool) -> bool {
        self.options.snmp || part(&self.configuration.globals.interfaces)
    }

    fn wants_traps(&self, part: fn(&Interfaces) -> bool) -> bool {
        self.configuration.globals.interfaces.snmp_traps && self.wants(part)
    }
}

/// Whether somebody may ask for checkers.
pub fn has_checks(daemon: &Daemon) -> bool {
    daemon.subagent.is_some() && daemon.wants(|known| known.snmp_checker)
}

/// Whether changes of real servers and quorums are to be told.
pub fn tells_of_checks(daemon: &Daemon) -> bool {
    daemon.wants_traps(|known| known.snmp_checker)
}

fn wanted(daemon: &Daemon, running: Parts) -> Option<Configuration> {
    let known = &daemon.configuration.globals.interfaces;
    let subtrees = subtrees(daemon, running);
    if subtrees.is_empty() {
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
    Some(Configuration { address, description: "Keepalived".into(), subtrees })
}

/// A notification about VRRP, if they are wanted.
pub fn told(
    scheduler: &mut Scheduler<Daemon>,
    daemon: &mut Daemon,
    subject: Subject,
    event: NotifyEvent,
) {
    if daemon.subagent.is_none() {
        return;
    }
    let Some(vrrp) = &daemon.vrrp else { return };
    let mut traps = Vec::new();
    if daemon.wants_traps(|known| known.snmp_vrrp)
        && let Some((who, trap)) =
            mib::trap(vrrp, subject, event, &router_id(&daemon.configuration))
    {
        log::info!(target: "vrrp", "{who} Sending SNMP notification");
        traps.push(trap);
    }
    if let (Subject::Instance(instance), NotifyEvent::Master) = (subject, event) {
        let name = vrrp.router().instances().get(instance).map_or("", |i| &i.settings.name);
        if daemon.wants_traps(|known| known.snmp_rfcv2)
            && let Some(trap) = rfc2787::new_master(vrrp, instance)
        {
            log::info!(target: "vrrp", "({name}) Sending SNMP notification vrrpTrapNewMaster");
            traps.push(trap);
        }
        if daemon.wants_traps(|known| known.snmp_rfcv3)
            && let Some((trap, reason)) = rfc6527::new_master(vrrp, instance)
        {
            log::info!(
                target: "vrrp",
                "({name}) Sending SNMP notification vrrpv3NotifyNewMaster, reason {reason}"
            );
            traps.push(trap);
        }
    }
    for trap in traps {
        snmp::notify(scheduler, daemon, trap);
    }
}

/// The notifications of the RFCs about an advert that was refused.
pub fn refused(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, refusal: Refusal) {
    let Some(vrrp) = &daemon.vrrp else { return };
    let v2 = daemon.wants_traps(|known| known.snmp_rfcv2);
    let v3 = daemon.wants_traps(|known| known.snmp_rfcv3);
    let traps = [
        v2.then(|| rfc2787::auth_failure(vrrp, &refusal)).flatten(),
        v3.then(|| rfc6527::proto_error(vrrp, &refusal)).flatten(),
    ];
    for trap in traps.into_iter().flatten() {
        snmp::notify(scheduler, daemon, trap);
    }
}

/// A notification about a real server or a quorum.
pub fn told_of_check(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, mut trap: Trap) {
    let router_id = router_id(&daemon.configuration);
    trap.binds.push(VarBind::new(ROUTER_ID.to_vec(), Value::text(&router_id)));
    snmp::notify(scheduler, daemon, trap);
}
