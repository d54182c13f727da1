//! D-Bus: the daemon as a service. One object stands for VRRP, and one for each instance; a reload changes them with the
//! instances.

use std::collections::BTreeSet;

use dbus::{Bus, Configuration, HasDbus, Interface, Invoked, Objects, Signal, Value};
use scheduler::Scheduler;
use vrrp::action::{NotifyEvent, Subject};
use vrrp::config::{Family, InstanceSettings};
use vrrp::runtime;
use vrrp::state::State;

use crate::daemon::Daemon;
use crate::globals::Globals;
use crate::reload;

/// `dbus_service_name` where it is not configured.
const SERVICE: &str = "org.keepalived.Vrrp1";
/// `dbus_no_interface_name` where it is not configured.
const NO_INTERFACE: &str = "none";
/// What all paths begin with, whatever the service is called.
const ROOT: &str = "/org/keepalived/Vrrp1";
/// The object of VRRP as a whole, behind the root and the daemon's own names.
const VRRP_OBJECT: &str = "/Vrrp";
/// What the paths of instances go on with.
const INSTANCES: &str = "/Instance";

/// The names, also of arguments, are in `packaging/dbus/*.xml`.
static VRRP: Interface = Interface {
    name: "org.keepalived.Vrrp1.Vrrp",
    methods: &["PrintData", "PrintStats", "PrintStatsClear", "ReloadConfig"],
    signals: &[("VrrpStarted", &[]), ("VrrpReloaded", &[]), ("VrrpStopped", &[])],
    properties: &[],
};

static INSTANCE: Interface = Interface {
    name: "org.keepalived.Vrrp1.Instance",
    methods: &["SendGarp"],
    signals: &[("VrrpStatusChange", &[("status", "u")])],
    // The values are (s) and (us): the C daemon describes the first in this way, and sends it in the other.
    properties: &[("Name", "s"), ("State", "(us)")],
};

/// What there is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Vrrp,
    Instance(usize),
}

/// An element of a path: of a name, letters and digits.
fn element(name: &str) -> String {
    let plain = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '_' };
    name.bytes().map(plain).collect()
}

/// What the paths of all objects begin with: several daemons may share a bus.
fn prefix(globals: &Globals) -> String {
    let names = [&globals.net_namespace, &globals.instance].into_iter().flatten();
    names
        .filter(|name| !name.is_empty())
        .fold(ROOT.to_owned(), |path, name| format!("{path}/{}", element(name)))
}

/// The elements of an instance's path. The interface is the configured one, not a VMAC on it.
fn elements(settings: &InstanceSettings, no_interface: &str) -> [String; 3] {
    let interface = settings.interface.as_deref().unwrap_or(no_interface);
    let family = if settings.family == Family::V6 { "IPv6" } else { "IPv4" };
    [element(interface), settings.vrid.to_string(), family.to_owned()]
}

impl Daemon {
    fn no_interface(&self) -> &str {
        let known = self.configuration.globals.interfaces.dbus_no_interface.as_deref();
        known.filter(|name| !name.is_empty()).unwrap_or(NO_INTERFACE)
    }

    fn prefix(&self) -> String {
        prefix(&self.configuration.globals)
    }

    fn instances(&self) -> impl Iterator<Item = &InstanceSettings> {
        let router = self.vrrp.as_ref().map(runtime::Vrrp::router);
        router.into_iter().flat_map(|router| router.instances()).map(|i| &*i.settings)
    }

    fn settings(&self, at: usize) -> Option<&InstanceSettings> {
        Some(&self.vrrp.as_ref()?.router().instances().get(at)?.settings)
    }

    fn place(&self, path: &str) -> Option<Place> {
        let rest = path.strip_prefix(&self.prefix())?;
        if rest == VRRP_OBJECT {
            return Some(Place::Vrrp);
        }
        let mut asked = rest.strip_prefix(INSTANCES)?.strip_prefix('/')?.split('/');
        let meant = [asked.next()?, asked.next()?, asked.next()?];
        if asked.next().is_some() {
            return None;
        }
        let vrid: u8 = meant[1].parse().ok()?;
        // Of thousands of instances most have another number, which is compared soonest.
        let is_meant = |settings: &InstanceSettings| {
            settings.vrid == vrid && elements(settings, self.no_interface()) == meant
        };
        self.instances().position(is_meant).map(Place::Instance)
    }

    fn path_of(&self, settings: &InstanceSettings) -> String {
        let elements = elements(settings, self.no_interface()).join("/");
        format!("{}{INSTANCES}/{elements}", self.prefix())
    }

    /// A signal of VRRP as a whole.
    fn signal(&self, member: &'static str) -> Signal {
        let path = self.prefix() + VRRP_OBJECT;
        Signal { path, interface: VRRP.name, member, arguments: Vec::new() }
    }
}

impl Objects for Daemon {
    fn interface(&self, path: &str) -> Option<&'static Interface> {
        match self.place(path)? {
            Place::Vrrp => Some(&VRRP),
            Place::Instance(_) => Some(&INSTANCE),
        }
    }

    fn property(&self, path: &str, name: &str) -> Option<Value> {
        let Place::Instance(at) = self.place(path)? else { return None };
        let instance = self.vrrp.as_ref()?.router().instances().get(at)?;
        match name {
            "Name" => Some(Value::Struct(vec![Value::Text(instance.settings.name.clone())])),
            "State" => {
                let (number, word) = match instance.state() {
                    State::Init => (0, "Init"),
                    State::Backup => (1, "Backup"),
                    State::Master => (2, "Master"),
                    State::Fault => (3, "Fault"),
                };
                Some(Value::Struct(vec![Value::U32(number), Value::Text(word.to_owned())]))
            }
            _ => None,
        }
    }

    fn below(&self, path: &str) -> Vec<String> {
        let prefix = self.prefix();
        let path = path.trim_end_matches('/');
        if let Some(rest) = prefix.strip_prefix(path)
            && let Some(rest) = rest.strip_prefix('/')
        {
            return rest.split('/').next().map(str::to_owned).into_iter().collect();
        }
        let Some(rest) = path.strip_prefix(&prefix) else { return Vec::new() };
        if rest.is_empty() {
            let instances = self.instances().next().map(|_| &INSTANCES[1..]);
            return [&VRRP_OBJECT[1..]].into_iter().chain(instances).map(str::to_owned).collect();
        }
        let Some(rest) = rest.strip_prefix(INSTANCES) else { return Vec::new() };
        let mut asked = rest.split('/');
        if asked.next() != Some("") {
            return Vec::new();
        }
        let asked: Vec<&str> = asked.collect();
        let none = self.no_interface();
        let next = |settings: &InstanceSettings| {
            let mut elements = elements(settings, none).into_iter();
            let below = asked.iter().all(|asked| elements.next().as_deref() == Some(asked));
            elements.next().filter(|_| below)
        };
        self.instances().filter_map(next).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

impl HasDbus for Daemon {
    fn dbus(&mut self) -> &mut Option<Bus> {
        &mut self.bus
    }

    fn invoked(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, what: Invoked) {
        match (daemon.place(&what.path), what.member) {
            (Some(Place::Vrrp), "PrintData") => {
                log::info!(target: "vrrp", "Printing VRRP data on DBus request");
                daemon.write_vrrp_state(scheduler.now());
            }
            (Some(Place::Vrrp), "PrintStats") => {
                log::info!(target: "vrrp", "Printing VRRP stats on DBus request");
                daemon.write_stats(false);
            }
            (Some(Place::Vrrp), "PrintStatsClear") => {
                log::info!(target: "vrrp", "Printing and clearing VRRP stats on DBus request");
                daemon.write_stats(true);
            }
            (Some(Place::Vrrp), "ReloadConfig") => reload::request(scheduler, daemon),
            (Some(Place::Instance(at)), "SendGarp") => {
                if let Some(settings) = daemon.settings(at) {
                    let name = &settings.name;
                    log::info!(target: "vrrp", "Sending garps on {name} on DBus request");
                    runtime::announce(scheduler, daemon, at);
                }
            }
            // A call before it was a reload that took the object away.
            _ => {}
        }
    }
}

/// Lets the service follow the configuration; `vrrp` is whether VRRP runs. To be called before VRRP starts, so that its
/// first states are told, too.
pub fn apply(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, vrrp: bool) {
    let wanted = if vrrp { wanted(daemon) } else { None };
    let (first, last) = (daemon.signal("VrrpStarted"), daemon.signal("VrrpStopped"));
    dbus::configure(scheduler, daemon, wanted, first, last);
}

fn wanted(daemon: &Daemon) -> Option<Configuration> {
    let known = &daemon.configuration.globals.interfaces;
    if !known.dbus {
        return None;
    }
    let service = known.dbus_service.as_deref().unwrap_or(SERVICE);
    let Ok(name) = service.parse() else {
        log::error!("D-Bus: {service} is no name for a service; there is none");
        return None;
    };
    let address = match std::env::var("DBUS_SYSTEM_BUS_ADDRESS").ok().map(|text| text.parse()) {
        None => dbus::Address::default(),
        Some(Ok(address)) => address,
        Some(Err(unusable)) => {
            log::error!("D-Bus: {unusable}; there is no service");
            return None;
        }
    };
    Some(Configuration { address, name })
}

/// VRRP tells of something.
pub fn told(
    scheduler: &mut Scheduler<Daemon>,
    daemon: &mut Daemon,
    subject: Subject,
    event: NotifyEvent,
) {
    let Subject::Instance(at) = subject else { return };
    let status = match event {
        NotifyEvent::Backup => 1,
        NotifyEvent::Master => 2,
        NotifyEvent::Fault => 3,
        NotifyEvent::Deleted => 97,
        NotifyEvent::Stop => 98,
        NotifyEvent::MasterRxLowerPri
        | NotifyEvent::MasterPriority
        | NotifyEvent::BackupPriority => return,
    };
    if daemon.bus.is_none() {
        return;
    }
    let Some(settings) = daemon.settings(at) else { return };
    let signal = Signal {
        path: daemon.path_of(settings),
        interface: INSTANCE.name,
        member: "VrrpStatusChange",
        arguments: vec![Value::U32(status)],
    };
    dbus::notify(scheduler, daemon, signal);
}

/// A reload has changed the instances.
pub fn reloaded(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    if daemon.bus.is_some() {
        let signal = daemon.signal("VrrpReloaded");
        dbus::notify(scheduler, daemon, signal);
    }
}

/// VRRP has stopped. What the bus does not take at once it may take while the rest stops.
pub fn stopped(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    let last = daemon.signal("VrrpStopped");
    dbus::finish(scheduler, daemon, last);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_the_names_of_the_daemon() {
        let named = |namespace: Option<&str>, instance: Option<&str>| {
            prefix(&Globals {
                net_namespace: namespace.map(str::to_owned),
                instance: instance.map(str::to_owned),
                ..Globals::default()
            })
        };
        assert_eq!(named(None, None), "/org/keepalived/Vrrp1");
        assert_eq!(named(Some("blue-1"), None), "/org/keepalived/Vrrp1/blue_1");
        assert_eq!(named(Some("b"), Some("é.x")), "/org/keepalived/Vrrp1/b/___x");
        assert_eq!(named(None, Some("x")), "/org/keepalived/Vrrp1/x");
    }

    #[test]
    fn packages_describe_the_interfaces_as_they_are() {
        for interface in [&VRRP, &INSTANCE] {
            let file = format!("packaging/dbus/{}.xml", interface.name);
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let text = std::fs::read_to_string(path).unwrap();
            let described = text.lines().filter_map(|line| {
                let rest = line.trim_start().strip_prefix('<')?;
                let (kind, rest) = rest.split_once(' ')?;
                let of_interest = ["interface", "method", "signal", "arg", "property"];
                let name = rest.split_once("name=\"")?.1.split('"').next()?;
                let value = rest.split_once("type=\"").and_then(|(_, rest)| rest.split('"').next());
                of_interest.contains(&kind).then(|| (kind, name, value.unwrap_or_default()))
            });
            let mut wanted = vec![("interface", interface.name, "")];
            wanted.extend(interface.methods.iter().map(|name| ("method", *name, "")));
            for (name, arguments) in interface.signals {
                wanted.push(("signal", name, ""));
                wanted.extend(arguments.iter().map(|(name, kind)| ("arg", *name, *kind)));
            }
            wanted
                .extend(interface.properties.iter().map(|(name, kind)| ("property", *name, *kind)));
            assert_eq!(described.collect::<Vec<_>>(), wanted);
        }
    }
}
