//! From lines to settings: each framework is given the top-level lines, one after another.

use std::rc::Rc;

use config::{Class, Context, Diagnostic, Effects, Line, Loaded, Mode, Progress, Sources};
use vrrp::config::Builder;

use super::{Configuration, Parts, Read, Unusable};
use crate::cli::Subsystems;
use crate::globals::{self, Globals};
use crate::host::Kernel;
use crate::namespace;

/// What a configuration is read for.
pub struct Plan {
    /// Why.
    pub mode: Mode,
    /// Which parts will run. A test judges all.
    pub subsystems: Subsystems,
    /// `-s`.
    pub namespace: Option<String>,
    /// The machine, as far as it is known already.
    pub host: Option<Kernel>,
}

impl Plan {
    fn judged(&self) -> Parts {
        let test = self.mode == Mode::Test;
        Parts {
            vrrp: test || self.subsystems.vrrp,
            check: test || self.subsystems.check,
            bfd: test || self.subsystems.bfd,
        }
    }
}

/// Settings in the making.
pub struct Building {
    mode: Mode,
    lines: std::vec::IntoIter<Line>,
    globals: Globals,
    notify: notify::Settings,
    /// Also where it does not run, like the next two: dumps show what `global_defs` says of it, and the
    /// director's name is among that.
    vrrp: Builder,
    check: check::Draft,
    bfd: bfd::Draft,
    judged: Parts,
    present: Parts,
    effects: Effects,
    diagnostics: Vec<Diagnostic>,
    sources: Sources,
}

impl Building {
    /// Starts with what `global_defs` and the single lines say.
    pub fn new(loaded: Loaded, plan: &mut Plan) -> Result<Building, Box<Read>> {
        let Loaded { lines, sources, mut diagnostics, fatal } = loaded;
        let failed = |unusable, diagnostics, sources| {
            Err(Box::new(Read { outcome: Err(unusable), diagnostics, sources }))
        };
        if let Some(fatal) = fatal {
            return failed(Unusable::Reader(fatal), diagnostics, sources);
        }
        let mut ctx = Context { diagnostics: &mut diagnostics, mode: plan.mode };
        let (mut globals, notify) = globals::read(&lines, &mut ctx);
        if plan.namespace.is_some() {
            globals.net_namespace.clone_from(&plan.namespace);
        }
        // Interfaces are looked for where the daemon will run.
        if plan.mode != Mode::Reload
            && let Some(name) = &globals.net_namespace
            && let Err(e) = namespace::enter(name)
        {
            let message = format!("Unable to join the network namespace {name}: {e}");
            ctx.report_general(Class::Fatal, message);
            return failed(Unusable::Namespace, diagnostics, sources);
        }
        let judged = plan.judged();
        let host = Rc::new(plan.host.take().unwrap_or_else(Kernel::ask));
        let mut vrrp = Builder::new(host, notify.clone());
        // Defaults do not depend on where they stand.
        for line in lines.iter().filter(|line| line.name() == "global_defs") {
            vrrp.apply(line, &mut ctx);
        }
        Ok(Building {
            mode: plan.mode,
            lines: lines.into_iter(),
            globals,
            notify,
            vrrp,
            check: check::Draft::new(),
            bfd: bfd::Draft::new(),
            judged,
            present: Parts::default(),
            effects: Effects::default(),
            diagnostics,
            sources,
        })
    }

    /// Takes the next line.
    pub fn step(&mut self) -> Progress {
        let Some(line) = self.lines.next() else { return Progress::Done };
        let ctx = &mut Context { diagnostics: &mut self.diagnostics, mode: self.mode };
        self.effects.note(std::slice::from_ref(&line), &self.sources, ctx);
        let global = line.name() == "global_defs";
        if global || self.judged.check {
            self.check.apply(&line, ctx);
        }
        if !global && self.judged.vrrp {
            self.vrrp.apply(&line, ctx);
        }
        if global || self.judged.bfd {
            self.bfd.apply(&line, ctx);
        }
        match line.name() {
            "virtual_server" => self.present.check = true,
            "bfd_instance" => self.present.bfd = true,
            _ => {}
        }
        Progress::More
    }

    /// Checks everything against everything else.
    pub fn finish(mut self) -> Read {
        let ctx = &mut Context { diagnostics: &mut self.diagnostics, mode: self.mode };
        let lvs = self.check.finish(&self.notify, ctx);
        let check = lvs.globals.clone();
        self.present.vrrp = self.vrrp.contains_vrrp();
        let vrrp = self.vrrp.finish(ctx);
        let bfd = self.bfd.finish(ctx);
        let (globals, notify, present) = (self.globals, self.notify, self.present);
        let outcome = vrrp
            .map(|vrrp| {
                let vrrp_globals = vrrp.globals.clone();
                let vrrp = Some(vrrp);
                let lvs = Some(lvs);
                Configuration { globals, vrrp, vrrp_globals, notify, check, lvs, bfd, present }
            })
            .map_err(Unusable::Vrrp);
        Read { outcome, diagnostics: self.diagnostics, sources: self.sources }
    }
}
