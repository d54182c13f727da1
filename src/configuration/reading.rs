//! Reading in slices, so that the reload of a large file delays no advert: first the lines of the
//! text, then what each top-level line means.

use std::path::Path;

use config::{Mode, Progress, Reader, Source};

use super::building::{Building, Plan};
use super::{Read, main_file};
use crate::cli::Options;
use crate::globals;
use crate::host::Kernel;

/// Lines of text in one step.
const LINES: usize = 64;

/// A configuration that is being read.
pub struct Reading {
    plan: Plan,
    stage: Stage,
}

enum Stage {
    Text(Box<Reader>),
    Lines(Box<Building>),
}

/// How far reading is.
pub enum Step {
    /// There is more to do.
    More(Reading),
    /// All is read.
    Done(Box<Read>),
}

impl Reading {
    /// Finds the main file; reads nothing yet. `host` is the machine, where it is known; otherwise
    /// the kernel is asked.
    pub fn open(options: &Options, directory: &Path, mode: Mode, host: Option<Kernel>) -> Reading {
        let source = Source::FromFile(main_file(options).to_path_buf());
        let mut reader = config::Options::new(source, globals::ROOT);
        reader.directory = directory.to_path_buf();
        reader.mode = mode;
        reader.include_checks_all = options.all_config;
        if let Some(id) = &options.config_id {
            reader.config_id.clone_from(id);
        }
        let plan = Plan {
            mode,
            subsystems: options.subsystems,
            namespace: options.namespace.clone(),
            host,
        };
        Reading { plan, stage: Stage::Text(Box::new(Reader::open(reader))) }
    }

    /// Goes on for a while, well below a millisecond unless a block is very long.
    pub fn step(self) -> Step {
        let mut plan = self.plan;
        let more = |plan, stage| Step::More(Reading { plan, stage });
        match self.stage {
            Stage::Text(mut reader) => match reader.step(LINES) {
                Progress::More => more(plan, Stage::Text(reader)),
                Progress::Done => match Building::new(reader.finish(), &mut plan) {
                    Ok(building) => more(plan, Stage::Lines(Box::new(building))),
                    Err(read) => Step::Done(read),
                },
            },
            Stage::Lines(mut building) => match building.step() {
                Progress::More => more(plan, Stage::Lines(building)),
                Progress::Done => Step::Done(Box::new(building.finish())),
            },
        }
    }
}
