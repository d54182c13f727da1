//! The LVS side of a configuration while it is read.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use config::{Class, Context, Line, Progress, Word, number};

use crate::completion::Completion;
use crate::keywords::{self, Checker, GLOBAL, Globals, ROOT, VirtualServer, Work};
use crate::settings::{FileSettings, Group, Kind, Settings, TlsSettings, TrackFile};

/// Names looked through for one that is near a wrong one, so that many wrong ones stay cheap.
const SUGGESTION_LIMIT: usize = 64;
/// Largest `weight` of a track file.
const FILE_WEIGHT_MAX: i64 = 254;

/// What has been read so far.
///
/// Give it every top-level line in file order, also those of other frameworks: the names of track
/// files and BFD instances come from there.
#[derive(Default)]
pub struct Draft {
    pub(crate) servers: Vec<VirtualServer>,
    /// The virtual server of which only a part has been taken.
    pub(crate) open: Option<VirtualServer>,
    pub(crate) groups: Named<Group>,
    pub(crate) tls: Option<TlsSettings>,
    pub(crate) globals: Globals,
    pub(crate) files: Named<TrackFile>,
    bfd_instances: HashMap<String, Rc<str>>,
}

/// Things with a name, in file order. Of two with one name the first is found.
pub(crate) struct Named<T> {
    pub(crate) all: Vec<Rc<T>>,
    index: HashMap<String, usize>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named { all: Vec::new(), index: HashMap::new() }
    }
}

impl<T> Named<T> {
    pub(crate) fn add(&mut self, name: &str, thing: T) {
        if !self.index.contains_key(name) {
            self.index.insert(name.to_owned(), self.all.len());
            self.all.push(Rc::new(thing));
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Rc<T>> {
        self.index.get(name).and_then(|index| self.all.get(*index))
    }
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
            "track_file" | "vrrp_track_file" => self.track_file(line, ctx),
            "bfd_instance" => self.bfd_instance(line),
            _ => return ROOT.apply(self, line, ctx),
        }
        false
    }

    /// Takes a part of a top-level line, from the line `from` of its block on, if that is a block which
    /// may be long; otherwise all of it. Where to go on, if there is more.
    pub fn apply_part(
        &mut self,
        line: &Line,
        from: usize,
        limit: usize,
        ctx: &mut Context<'_>,
    ) -> Option<usize> {
        if line.name() == "virtual_server" {
            return keywords::virtual_server_part(self, line, from, limit, ctx);
        }
        self.apply(line, ctx);
        None
    }

    fn globals(&mut self, line: &Line, ctx: &mut Context<'_>) {
        for line in line.lines() {
            GLOBAL.apply(&mut self.globals, line, ctx);
        }
    }

    /// What is wrong with it, whoever else reads it says.
    fn track_file(&mut self, line: &Line, ctx: &Context<'_>) {
        let Some(name) = line.first() else { return };
        let given = |keyword: &str| line.lines().iter().find(|line| line.name() == keyword);
        let Some(path) = given("file").and_then(Line::first) else { return };
        let weight = given("weight");
        let silent = &mut Context { diagnostics: &mut Vec::new(), mode: ctx.mode };
        let number = weight.and_then(Line::first).and_then(|word| {
            number::int(word, -FILE_WEIGHT_MAX, FILE_WEIGHT_MAX, true, silent, "weight")
        });
        let reverse = weight.and_then(|line| line.words.get(1));
        let file = TrackFile {
            name: name.text.clone(),
            path: path.text.clone(),
            weight: number.and_then(|number| i32::try_from(number).ok()).unwrap_or(1),
            reverse: reverse.is_some_and(|word| word.text == "reverse"),
            init: given("init_file").map(initial),
        };
        self.files.add(&name.text, file);
    }

    /// An instance that names only the other consumer is not there for us.
    fn bfd_instance(&mut self, line: &Line) {
        let given = |name: &str| line.lines().iter().any(|line| line.name() == name);
        if (given("checker") || !given("vrrp"))
            && let Some(name) = line.first()
        {
            self.bfd_instances.insert(name.text.clone(), name.text.as_str().into());
        }
    }

    /// Finds what checkers follow. Those that name what has not been defined up to here are dropped.
    pub(crate) fn resolve(&self, server: &mut VirtualServer, ctx: &mut Context<'_>) {
        for real in &mut server.real_servers {
            let mut followed = HashSet::new();
            real.checkers.retain_mut(|checker| self.follow(checker, &mut followed, ctx));
        }
    }

    fn follow(
        &self,
        checker: &mut Checker,
        followed: &mut HashSet<Rc<str>>,
        ctx: &mut Context<'_>,
    ) -> bool {
        let kind = match &checker.work {
            Work::Known(_) | Work::Script { .. } => return true,
            Work::File { name, weight, reverse } => match self.files.get(&name.text) {
                Some(file) => Kind::File(FileSettings {
                    file: Rc::clone(file),
                    weight: weight.unwrap_or(file.weight),
                    reverse: reverse.unwrap_or(file.reverse),
                }),
                None => {
                    let names = self.files.index.keys().map(String::as_str);
                    return unknown("track_file", name, names, ctx);
                }
            },
            Work::Bfd(name) => match self.bfd_instances.get(&name.text) {
                // A real server follows one only once.
                Some(known) if !followed.insert(Rc::clone(known)) => {
                    let message =
                        format!("BFD_CHECK: '{}' is followed already; ignored", name.text);
                    ctx.report(Class::General, name.span, message);
                    return false;
                }
                Some(known) => Kind::Bfd(Rc::clone(known)),
                None => {
                    let names = self.bfd_instances.keys().map(String::as_str);
                    return unknown("bfd_instance", name, names, ctx);
                }
            },
        };
        checker.work = Work::Known(kind);
        true
    }

    /// The checks that need everything; `notify` is what `global_defs` says about scripts and mail.
    pub fn finish(self, notify: &notify::Settings, ctx: &mut Context<'_>) -> Settings {
        let mut completion = self.complete(notify);
        while completion.step(ctx) == Progress::More {}
        completion.finish(ctx)
    }

    /// The same in slices.
    pub fn complete(self, notify: &notify::Settings) -> Completion {
        Completion::new(self, notify)
    }
}

/// The number of `init_file` and whether it is written over another.
fn initial(line: &Line) -> (i32, bool) {
    let words = || line.words.iter().map(|word| word.text.as_str());
    (
        words().rev().find_map(|word| word.parse().ok()).unwrap_or(0),
        words().any(|word| word == "overwrite"),
    )
}

/// Reports a name that has not been defined.
fn unknown<'a>(
    kind: &str,
    name: &Word,
    known: impl Iterator<Item = &'a str>,
    ctx: &mut Context<'_>,
) -> bool {
    let near = config::suggest(&name.text, known.take(SUGGESTION_LIMIT));
    let message = format!("no {kind} '{}' before this line; ignored", name.text);
    ctx.report_with_help(Class::General, name.span, message, near.map(config::did_you_mean));
    false
}
