//! The BFD side of a configuration while it is read.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use config::{Class, Context, Line, Span};

use crate::keywords::{GLOBAL, Globals, ROOT};
use crate::settings::{InstanceSettings, Settings};

/// What has been read so far.
#[derive(Default)]
pub struct Draft {
    pub(crate) instances: Vec<(Span, InstanceSettings)>,
    /// Of all instances, also of those that are not used.
    pub(crate) names: HashSet<String>,
    pub(crate) globals: Globals,
}

/// The sources of the sessions with one neighbour.
#[derive(Default)]
struct Sources {
    any: bool,
    given: HashSet<IpAddr>,
}

impl Sources {
    /// Adds a session; false when packets could belong to it and to one that is there already.
    fn add(&mut self, source: Option<IpAddr>) -> bool {
        let alone = !self.any && self.given.is_empty();
        match source {
            None if alone => self.any = true,
            Some(source) if !self.any => return self.given.insert(source),
            _ => return false,
        }
        true
    }
}

impl Draft {
    /// An empty draft.
    pub fn new() -> Self {
        Draft::default()
    }

    /// Takes a top-level line; true when BFD owns its keyword.
    pub fn apply(&mut self, line: &Line, ctx: &mut Context<'_>) -> bool {
        if line.name() == "global_defs" {
            for line in line.lines() {
                GLOBAL.apply(self, line, ctx);
            }
            return false;
        }
        ROOT.apply(self, line, ctx)
    }

    /// The checks that need everything: two sessions must not be mistaken for one another.
    pub fn finish(self, ctx: &mut Context<'_>) -> Settings {
        let mut sessions: HashMap<(IpAddr, bool), Sources> = HashMap::new();
        let mut instances = Vec::with_capacity(self.instances.len());
        for (span, instance) in self.instances {
            let key = (instance.neighbor, instance.multihop);
            if sessions.entry(key).or_default().add(instance.source) {
                instances.push(instance);
                continue;
            }
            let InstanceSettings { name, neighbor, .. } = instance;
            let message =
                format!("bfd_instance {name}: another instance has neighbor {neighbor}; ignored");
            ctx.report(Class::General, span, message);
        }
        Settings { globals: self.globals, instances }
    }
}
