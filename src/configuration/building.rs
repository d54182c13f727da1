//! From lines to settings: each framework is given the top-level lines, one after another.

use std::rc::Rc;

use config::{
    Class, Contents, Context, Diagnostic, Effects, Line, Loaded, Mode, Progress, Sources,
};
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

/// Lines of a block that are taken, or thrown away, in one step.
const PART: usize = 64;

/// Settings in the making.
pub struct Building {
    mode: Mode,
    lines: std::vec::IntoIter<Line>,
    taking: Option<Taking>,
    /// What was taken: a block of many thousands takes long to throw away, too.
    spent: Vec<Line>,
    globals: Globals,
    notify: notify::Settings,
    /// Also where it does not run, like the next two: dumps show what `global_defs` says of it, and the
    /// director's name is among that.
    vrrp: Builder,
    lvs: Lvs,
    bfd: bfd::Draft,
    judged: Parts,
    present: Parts,
    effects: Effects,
    diagnostics: Vec<Diagnostic>,
    sources: Sources,
}

/// A line of which only parts have been taken.
struct Taking {
    line: Line,
    /// Lines of its block that were looked through for what has no effect.
    noted: usize,
    /// Lines of its block that load balancing was given.
    taken: usize,
}

/// Load balancing in the making.
enum Lvs {
    Draft(Box<check::Draft>),
    Completion(Box<check::Completion>),
    Settings(Box<check::Settings>),
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
            taking: None,
            spent: Vec::new(),
            globals,
            notify,
            vrrp,
            lvs: Lvs::Draft(Box::default()),
            bfd: bfd::Draft::new(),
            judged,
            present: Parts::default(),
            effects: Effects::default(),
            diagnostics,
            sources,
        })
    }

    /// Takes the next line, or a part of its block.
    pub fn step(&mut self) -> Progress {
        if !self.spent.is_empty() {
            self.spent.truncate(self.spent.len().saturating_sub(PART));
            return Progress::More;
        }
        let taking = self.taking.take().or_else(|| {
            let line = self.lines.next()?;
            let ctx = &mut Context { diagnostics: &mut self.diagnostics, mode: self.mode };
            self.effects.note_head(&line, &self.sources, ctx);
            Some(Taking { line, noted: 0, taken: 0 })
        });
        match taking {
            Some(taking) => {
                self.take(taking);
                Progress::More
            }
            None => self.complete(),
        }
    }

    fn take(&mut self, mut taking: Taking) {
        let ctx = &mut Context { diagnostics: &mut self.diagnostics, mode: self.mode };
        let Taking { line, noted, taken } = &mut taking;
        let unnoted = line.lines().get(*noted..).unwrap_or_default();
        let part = unnoted.get(..PART).unwrap_or(unnoted);
        self.effects.note(part, &self.sources, ctx);
        *noted += part.len();
        if part.len() < unnoted.len() {
            self.taking = Some(taking);
            return;
        }
        let global = line.name() == "global_defs";
        if (global || self.judged.check)
            && let Lvs::Draft(draft) = &mut self.lvs
            && let Some(next) = draft.apply_part(line, *taken, PART, ctx)
        {
            *taken = next;
            self.taking = Some(taking);
            return;
        }
        if !global && self.judged.vrrp {
            self.vrrp.apply(line, ctx);
        }
        if global || self.judged.bfd {
            self.bfd.apply(line, ctx);
        }
        match line.name() {
            "virtual_server" => self.present.check = true,
            "bfd_instance" => self.present.bfd = true,
            _ => {}
        }
        if let Contents::Lines(lines) = taking.line.body {
            self.spent = lines;
        }
    }

    /// Goes on with load balancing, which is checked as a whole once all lines are there.
    fn complete(&mut self) -> Progress {
        let ctx = &mut Context { diagnostics: &mut self.diagnostics, mode: self.mode };
        match std::mem::replace(&mut self.lvs, Lvs::Settings(Box::default())) {
            Lvs::Draft(draft) => {
                self.lvs = Lvs::Completion(Box::new(draft.complete(&self.notify)));
                Progress::More
            }
            Lvs::Completion(mut completion) => match completion.step(ctx) {
                Progress::More => {
                    self.lvs = Lvs::Completion(completion);
                    Progress::More
                }
                Progress::Done => {
                    self.lvs = Lvs::Settings(Box::new(completion.finish(ctx)));
                    Progress::Done
                }
            },
            settings @ Lvs::Settings(_) => {
                self.lvs = settings;
                Progress::Done
            }
        }
    }

    /// Checks everything against everything else.
    pub fn finish(mut self) -> Read {
        while self.complete() == Progress::More {}
        let ctx = &mut Context { diagnostics: &mut self.diagnostics, mode: self.mode };
        let lvs = match self.lvs {
            Lvs::Settings(settings) => *settings,
            Lvs::Draft(_) | Lvs::Completion(_) => check::Settings::default(),
        };
        let check = lvs.globals.clone();
        self.present.vrrp = self.vrrp.contains_vrrp();
        let vrrp = self.vrrp.finish(ctx);
        let bfd = self.bfd.finish(ctx);
        let (globals, notify, present) = (self.globals, self.notify, self.present);
        let whole = !self.diagnostics.iter().any(|d| d.class == Some(Class::MissingClose));
        let outcome = vrrp
            .map(|vrrp| {
                let vrrp_globals = vrrp.globals.clone();
                let vrrp = Some(vrrp);
                let lvs = Some(lvs);
                Configuration {
                    globals,
                    vrrp,
                    vrrp_globals,
                    notify,
                    check,
                    lvs,
                    bfd: bfd.globals.clone(),
                    sessions: Some(bfd),
                    present,
                    whole,
                }
            })
            .map_err(Unusable::Vrrp);
        Read { outcome, diagnostics: self.diagnostics, sources: self.sources }
    }
}
