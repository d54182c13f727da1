//! Whole configurations, judged by what is reported and by what comes out.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use config::{
    Args, Class, Context, Diagnostic, Grammar, Keyword, Mode, Options, Row, Source, Table,
};

use super::{Builder, Host, InterfaceFacts, ROOT, Refused, Settings};

mod defects;
mod robust;
mod scripts;
mod settings;
mod vmacs;

/// `global_defs` of the crate below, which the daemon puts together with ours.
static BELOW: Table<()> = Table::new(&[Row::new(
    Keyword::new("global_defs", Args::Flag, "").block(&[&notify::GLOBALS]),
    |_, _, _| {},
)]);
static GRAMMARS: &[&dyn Grammar] = &[&BELOW, &ROOT];

const ETHERNET: InterfaceFacts = InterfaceFacts {
    index: 2,
    mtu: 1500,
    loopback: false,
    multicast: true,
    arp: true,
    ethernet: true,
    vrf_table: None,
    private_macvlan: None,
    ipvlan: None,
};

/// A private macvlan on `eth0` with the MAC address of a VRID.
const fn macvlan(index: u32, vrid: u8) -> InterfaceFacts {
    let mac = [0, 0, 0x5e, 0, 1, vrid];
    InterfaceFacts { index, private_macvlan: Some((ETHERNET.index, mac)), ..ETHERNET }
}

/// A host with `lo`, `eth0`, `eth1`, a `tun0` without multicast, macvlans `left` and `mine`, an ipvlan `over.80`,
/// and a VRF `blue`.
struct TestHost(HashMap<&'static str, InterfaceFacts>);

impl TestHost {
    fn new() -> Self {
        TestHost(HashMap::from([
            ("lo", InterfaceFacts { index: 1, loopback: true, ..ETHERNET }),
            ("eth0", ETHERNET),
            ("eth1", InterfaceFacts { index: 3, ..ETHERNET }),
            ("tun0", InterfaceFacts { index: 4, multicast: false, ethernet: false, ..ETHERNET }),
            ("left", macvlan(6, 77)),
            ("mine", macvlan(7, 78)),
            ("over.80", InterfaceFacts { index: 8, ipvlan: Some(ETHERNET.index), ..ETHERNET }),
            ("blue", InterfaceFacts { index: 5, vrf_table: Some(10), ..ETHERNET }),
        ]))
    }
}

impl Host for TestHost {
    fn interface(&self, name: &str) -> Option<InterfaceFacts> {
        self.0.get(name).copied()
    }

    fn interface_names(&self) -> Vec<String> {
        self.0.keys().map(|name| (*name).to_owned()).collect()
    }

    fn vmac(&self, parent: u32, mac: [u8; 6]) -> Option<String> {
        let mut all = self.0.iter();
        let found = all.find(|(_, facts)| facts.private_macvlan == Some((parent, mac)))?;
        Some((*found.0).to_owned())
    }

    fn made_here(&self, name: &str) -> bool {
        name.starts_with("mine")
    }

    fn uptime(&self) -> Option<Duration> {
        Some(Duration::from_secs(10))
    }
}

/// What reading yields.
struct Outcome {
    diagnostics: Vec<Diagnostic>,
    result: Result<Settings, Refused>,
    /// Of the reader: nothing was built.
    stopped: Option<i32>,
}

impl Outcome {
    /// What `-t` would exit with.
    fn exit_status(&self) -> i32 {
        self.stopped.unwrap_or_else(|| config::exit_status(&self.diagnostics))
    }

    fn settings(self) -> Settings {
        match self.result {
            Ok(settings) => settings,
            Err(refused) => panic!("{refused}"),
        }
    }

    fn said(&self, text: &str) -> bool {
        self.diagnostics.iter().any(|d| d.message.contains(text))
    }

    /// Everything that has a class.
    fn problems(&self) -> Vec<(Class, &str)> {
        self.diagnostics.iter().filter_map(|d| Some((d.class?, d.message.as_str()))).collect()
    }
}

fn read(text: &str, mode: Mode) -> Outcome {
    let source = Source::FromMemory { name: "keepalived.conf".into(), bytes: text.into() };
    let mut options = Options::new(source, GRAMMARS);
    options.mode = mode;
    let loaded = config::read(options);
    let mut diagnostics = loaded.diagnostics;
    let mut ctx = Context { diagnostics: &mut diagnostics, mode };
    config::note_effects(&loaded.lines, &loaded.sources, &mut ctx);
    let mut notify = notify::Settings::default();
    let (globals, rest): (Vec<_>, Vec<_>) =
        loaded.lines.iter().partition(|line| line.name() == "global_defs");
    for line in globals.iter().flat_map(|line| line.lines()) {
        notify::GLOBALS.apply(&mut notify, line, &mut ctx);
    }
    let mut builder = Builder::new(Rc::new(TestHost::new()), notify);
    for line in globals.into_iter().chain(rest) {
        builder.apply(line, &mut ctx);
    }
    let result = builder.finish(&mut ctx);
    let stopped = loaded.fatal.map(|fatal| fatal.exit_status(mode));
    Outcome { diagnostics, result, stopped }
}

fn test(text: &str) -> Outcome {
    read(text, Mode::Test)
}
