//! keepalived.conf: the language, all frameworks' keywords, and the messages about it.

use std::rc::Rc;
use std::time::Duration;

use config::files::Memory;
use config::{
    Args, Class, Context, Grammar, Keyword, Mode, Options, Row, Source, Table, check, exit_status,
    read, render,
};
use vrrp::config::{Builder, Host, InterfaceFacts};

static GLOBAL_DEFS: Table<()> = Table::new(&[Row::new(
    Keyword::new("global_defs", Args::Flag, "").block(&[
        &notify::GLOBALS,
        &vrrp::config::GLOBALS,
        &check::GLOBAL,
        &bfd::GLOBAL,
    ]),
    check,
)]);
static ROOT: &[&dyn Grammar] = &[&GLOBAL_DEFS, &vrrp::config::ROOT, &::check::ROOT, &bfd::ROOT];

/// A host with one interface.
struct OneInterface;

impl Host for OneInterface {
    fn interface(&self, name: &str) -> Option<InterfaceFacts> {
        let facts = InterfaceFacts {
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
        (name == "eth0").then_some(facts)
    }

    fn interface_names(&self) -> Vec<String> {
        vec!["eth0".into()]
    }

    fn uptime(&self) -> Option<Duration> {
        Some(Duration::from_secs(100))
    }
}

/// The text of the main file; `/k/again.conf`, which it may include, includes it no further.
pub fn configuration(data: &[u8]) {
    for mode in [Mode::Test, Mode::Start] {
        judge(data, mode);
    }
}

fn judge(data: &[u8], mode: Mode) {
    let source = Source::FromMemory { name: "main.conf".into(), bytes: data.to_vec() };
    let mut options = Options::new(source, ROOT);
    options.directory = "/k".into();
    options.config_id = "node".into();
    options.mode = mode;
    options.files = Box::new(Memory::new().file("/k/again.conf", "vrrp_strict\n}\n{\n$A=b\n"));
    let mut loaded = read(options);

    let ctx = &mut Context { diagnostics: &mut loaded.diagnostics, mode };
    config::note_effects(&loaded.lines, &loaded.sources, ctx);
    let mut settings = notify::Settings::default();
    for line in loaded.lines.iter().filter(|line| line.name() == "global_defs") {
        for line in line.lines() {
            notify::GLOBALS.apply(&mut settings, line, ctx);
        }
    }
    settings.finish(ctx);
    let mut vrrp = Builder::new(Rc::new(OneInterface), settings.clone());
    let mut check = ::check::Draft::new();
    let mut bfd = bfd::Draft::new();
    for line in &loaded.lines {
        vrrp.apply(line, ctx);
        check.apply(line, ctx);
        bfd.apply(line, ctx);
    }
    let refused = vrrp.finish(ctx).is_err();
    check.finish(&settings, ctx);
    bfd.finish(ctx);

    let status = exit_status(&loaded.diagnostics);
    assert!(matches!(status, 0 | 2 | 4 | 5 | 6), "{status}");
    let counts = |class| class != Class::Note;
    let any = loaded.diagnostics.iter().filter_map(|d| d.class).any(counts);
    assert!(any || (status == 0 && !refused), "what is wrong is said");
    for diagnostic in &loaded.diagnostics {
        let line = render::one_line(diagnostic, &loaded.sources);
        assert!(!line.contains('\n'), "{line:?}");
        assert!(!render::caret(diagnostic, &loaded.sources, true).is_empty());
    }
}
