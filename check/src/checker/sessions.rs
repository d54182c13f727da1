//! `BFD_CHECK`: a checker is up while its BFD session is.
//!
//! A session may stand for thousands of servers; its followers are told a part at a time.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use scheduler::{Class, Ready, Scheduler};

use super::attempt::{self, Outcome};
use super::{CheckerId, find};
use crate::runtime::HasCheck;
use crate::settings::Kind;

/// Checkers that are told at a time.
const AT_ONCE: usize = 32;

/// What is known of BFD sessions, and who follows them.
#[derive(Default)]
pub(crate) struct Sessions {
    /// All there are, in the order of the configuration.
    names: Vec<String>,
    known: HashMap<String, bool>,
    followed: Vec<Followed>,
    by_name: HashMap<Rc<str>, usize>,
    /// Sessions whose followers have not all been told.
    waiting: VecDeque<usize>,
    armed: bool,
}

struct Followed {
    name: Rc<str>,
    followers: Vec<CheckerId>,
    /// So many have been told.
    told: usize,
    waits: bool,
}

impl Sessions {
    /// What is known of all sessions there are.
    pub(crate) fn know(&mut self, sessions: impl Iterator<Item = (String, bool)>) {
        self.names.clear();
        self.known = sessions.inspect(|(name, _)| self.names.push(name.clone())).collect();
    }

    /// All sessions there are, followed or not, in the order of the configuration.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Has the followers of a session told, from the first on.
    fn tell(&mut self, at: usize) {
        let Some(session) = self.followed.get_mut(at) else { return };
        session.told = 0;
        if self.known.contains_key(&*session.name) && !std::mem::replace(&mut session.waits, true) {
            self.waiting.push_back(at);
        }
    }
}

/// Follows the sessions of all checkers there are, which replaces what was followed before, and tells
/// each checker what is known. To be called once the checkers of a configuration are in.
pub(crate) fn follow<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(check) = w.check() else { return };
    let Sessions { names, known, armed, .. } = std::mem::take(&mut check.checkers.sessions);
    let mut new = Sessions { names, known, armed, ..Sessions::default() };
    for (id, checker) in check.checkers.iter() {
        let Kind::Bfd(name) = &checker.settings.kind else { continue };
        let at = *new.by_name.entry(Rc::clone(name)).or_insert(new.followed.len());
        match new.followed.get_mut(at) {
            Some(session) => session.followers.push(id),
            None => new.followed.push(Followed {
                name: Rc::clone(name),
                followers: vec![id],
                told: 0,
                waits: false,
            }),
        }
    }
    if !new.followed.is_empty() {
        log::info!("Activating BFD healthchecker");
    }
    for at in 0..new.followed.len() {
        new.tell(at);
    }
    check.checkers.sessions = new;
    arm(s, w);
}

/// A BFD session went up or down.
pub fn session_changed<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, name: &str, up: bool) {
    let Some(check) = w.check() else { return };
    let state = if up { "Up" } else { "Down" };
    log::debug!("Received BFD event: instance {name} is in state {state} (delivered in 0 usec)");
    let sessions = &mut check.checkers.sessions;
    match sessions.known.get_mut(name) {
        Some(known) => *known = up,
        None => {
            sessions.known.insert(name.to_owned(), up);
        }
    }
    if let Some(&at) = sessions.by_name.get(name) {
        sessions.tell(at);
    }
    arm(s, w);
}

/// Asks for the state of one checker's session again.
pub(super) fn read<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(checker) = find(w, id) else { return };
    checker.running = false;
    let Kind::Bfd(name) = &checker.settings.kind else { return };
    let name = Rc::clone(name);
    let known = w.check().and_then(|check| check.checkers.sessions.known.get(&*name).copied());
    if let Some(up) = known {
        let outcome = if up { Outcome::Success } else { Outcome::Failure("".into()) };
        attempt::ended(s, w, id, outcome);
    }
}

fn arm<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(check) = w.check() else { return };
    let sessions = &mut check.checkers.sessions;
    if !sessions.waiting.is_empty() && !std::mem::replace(&mut sessions.armed, true) {
        s.add_event(Class::Checker, 0, step::<W>);
    }
}

/// Tells the next followers.
fn step<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let Some(check) = w.check() else { return };
    let sessions = &mut check.checkers.sessions;
    sessions.armed = false;
    let Some(&at) = sessions.waiting.front() else { return };
    let Some(session) = sessions.followed.get_mut(at) else { return };
    let rest = session.followers.get(session.told..).unwrap_or_default();
    let part: Vec<CheckerId> = rest.iter().take(AT_ONCE).copied().collect();
    session.told += part.len();
    if session.told >= session.followers.len() {
        session.waits = false;
        sessions.waiting.pop_front();
    }
    for id in part {
        read(s, w, id);
    }
    arm(s, w);
}
