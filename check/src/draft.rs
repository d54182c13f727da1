//! The LVS side of a configuration while it is read.

use std::collections::{HashMap, HashSet};

use config::{Class, Context, Line};

use crate::keywords::{GLOBAL, Globals, Group, ROOT, Reference, VirtualServer};
use crate::script;
use crate::validation;

/// Names looked through for one that is near a wrong one, so that many wrong ones stay cheap.
const SUGGESTION_LIMIT: usize = 64;

/// What has been read so far.
///
/// Give it every top-level line in file order, also those of other frameworks: the names of track
/// files and BFD instances come from there.
#[derive(Default)]
pub struct Draft {
    pub(crate) servers: Vec<VirtualServer>,
    pub(crate) groups: HashMap<String, Group>,
    pub(crate) ssl: bool,
    globals: Globals,
    files: HashSet<String>,
    bfd_instances: HashSet<String>,
}

impl Draft {
    /// An empty draft.
    pub fn new() -> Self {
        Draft::default()
    }

    /// Takes a top-level line; true when load balancing owns its keyword.
    pub fn apply(&mut self, line: &Line, ctx: &mut Context<'_>) -> bool {
        match line.name() {
            "global_defs" => self.globals(line, ctx),
            "track_file" | "vrrp_track_file" => {
                self.files.extend(line.first().map(|name| name.text.clone()));
            }
            "bfd_instance" => self.bfd_instance(line),
            _ => return ROOT.apply(self, line, ctx),
        }
        false
    }

    fn globals(&mut self, line: &Line, ctx: &mut Context<'_>) {
        for line in line.lines() {
            GLOBAL.apply(&mut self.globals, line, ctx);
        }
    }

    /// An instance that names only the other consumer is not there for us.
    fn bfd_instance(&mut self, line: &Line) {
        let given = |name: &str| line.lines().iter().any(|line| line.name() == name);
        if given("checker") || !given("vrrp") {
            self.bfd_instances.extend(line.first().map(|name| name.text.clone()));
        }
    }

    /// Reports names that have not been defined up to here.
    pub(crate) fn resolve(&self, references: &mut Vec<Reference>, ctx: &mut Context<'_>) {
        for reference in references.drain(..) {
            let (kind, name, known) = match &reference {
                Reference::File(name) => ("track_file", name, &self.files),
                Reference::Bfd(name) => ("bfd_instance", name, &self.bfd_instances),
            };
            if !known.contains(&name.text) {
                let candidates = known.iter().take(SUGGESTION_LIMIT).map(String::as_str);
                let near = config::suggest(&name.text, candidates);
                let message = format!("no {kind} '{}' before this line; ignored", name.text);
                let help = near.map(config::did_you_mean);
                ctx.report_with_help(Class::General, name.span, message, help);
            }
        }
    }

    /// The checks that need everything; `settings` is what `global_defs` says about scripts.
    /// Gives back what it says about virtual servers.
    pub fn finish(mut self, settings: &notify::Settings, ctx: &mut Context<'_>) -> Globals {
        let groups = &self.groups;
        self.servers.retain_mut(|server| validation::finish(server, groups, ctx));
        if self.servers.is_empty() {
            return self.globals;
        }
        let scripts = self.servers.iter_mut().flat_map(|server| {
            let of_real_servers = server.real_servers.iter_mut();
            let of_real_servers = of_real_servers.flat_map(|real| real.needs.scripts.drain(..));
            server.scripts.drain(..).chain(of_real_servers)
        });
        script::check(scripts, settings, ctx);
        self.globals
    }
}
