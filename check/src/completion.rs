//! From a draft to settings, a part at a time: every virtual server is checked as a whole, then settled.

use std::collections::VecDeque;
use std::rc::Rc;
use std::vec;

use config::{Context, Progress};

use crate::draft::{Draft, Named};
use crate::keywords::{Globals, VirtualServer as Block};
use crate::settings::{Group, Settings, TlsSettings, TrackFile, VirtualServer};
use crate::settle::{Open, Settling};
use crate::validation::Validation;

/// Real servers that are settled in one step.
const REAL_SERVERS: usize = 64;

/// A draft that becomes settings. What a step takes does not depend on how many virtual servers there
/// are; of a single one with very many real servers, the checks are one step.
pub struct Completion {
    globals: Rc<Globals>,
    notify: Rc<notify::Settings>,
    groups: Rc<Named<Group>>,
    tls: Option<TlsSettings>,
    files: Vec<Rc<TrackFile>>,
    validation: Validation,
    unchecked: vec::IntoIter<Block>,
    checked: VecDeque<Block>,
    /// None before the first virtual server: without one scripts do not matter.
    settling: Option<Settling>,
    open: Option<Open>,
    servers: Vec<VirtualServer>,
}

impl Completion {
    pub(crate) fn new(draft: Draft, notify: &notify::Settings) -> Completion {
        let groups = Rc::new(draft.groups);
        Completion {
            validation: Validation::new(Rc::clone(&groups), draft.globals.nat_masquerade),
            globals: Rc::new(draft.globals),
            notify: Rc::new(notify.clone()),
            groups,
            tls: draft.tls,
            files: draft.files.all,
            unchecked: draft.servers.into_iter(),
            checked: VecDeque::new(),
            settling: None,
            open: None,
            servers: Vec::new(),
        }
    }

    /// Does a part.
    pub fn step(&mut self, ctx: &mut Context<'_>) -> Progress {
        if let Some(mut server) = self.unchecked.next() {
            if self.validation.finish(&mut server, ctx) {
                self.checked.push_back(server);
            }
            return Progress::More;
        }
        let settling = match &mut self.settling {
            Some(settling) => settling,
            None if self.checked.is_empty() => return Progress::Done,
            none => none.insert(Settling::new(
                Rc::clone(&self.globals),
                Rc::clone(&self.notify),
                Rc::clone(&self.groups),
            )),
        };
        if self.open.is_none() {
            let Some(server) = self.checked.pop_front() else { return Progress::Done };
            self.open = settling.open(server, ctx);
        }
        let settled = |open: &mut Open| settling.go_on(open, REAL_SERVERS, ctx);
        if let Some(open) = self.open.take_if(settled) {
            self.servers.push(open.server);
        }
        Progress::More
    }

    /// The settings, after the last step.
    pub fn finish(self, ctx: &mut Context<'_>) -> Settings {
        let mut settings = Settings {
            globals: Rc::unwrap_or_clone(self.globals),
            tls: self.tls,
            groups: self.groups.all.clone(),
            ..Settings::default()
        };
        if let Some(settling) = self.settling {
            let followed = settling.finish(ctx);
            settings.files = self.files;
            settings.files.retain(|file| followed.contains(&file.name));
            settings.virtual_servers = self.servers;
        }
        settings
    }
}
