//! Telling the log, scripts, FIFOs and mail what happened, in the order in which it did.

use scheduler::{Class, Ready, Scheduler};

use super::HasCheck;
use crate::service::Told;

/// What is told before sockets and timers are looked at again.
const AT_ONCE: usize = 64;

/// Tells a part of what is to be told; an event tells the rest.
pub(super) fn tell<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    if w.check().is_some_and(|check| !check.telling) {
        tell_some(s, w, AT_ONCE);
    }
}

/// Tells all of it.
pub(super) fn tell_all<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    tell_some(s, w, usize::MAX);
}

fn go_on<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    if let Some(check) = w.check() {
        check.telling = false;
    }
    tell(s, w);
}

fn tell_some<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, limit: usize) {
    for _ in 0..limit {
        let Some(told) = w.check().and_then(|check| check.told.pop_front()) else { return };
        match told {
            Told::Line(text) => log::info!("{text}"),
            Told::Script(object, hook, script) => {
                notify::submit(s, w, &object, hook, &script, &[]);
            }
            Told::Fifo(line) => w.notify().write_lvs(&format!("{line}\n")),
            Told::Trap(trap) => W::notified(s, w, trap),
            Told::Mail(subject, body) => {
                notify::alert(s, w, notify::Alert { subject, body });
            }
        }
    }
    let Some(check) = w.check() else { return };
    if !check.told.is_empty() {
        check.telling = true;
        s.add_event(Class::Checker, 0, go_on::<W>);
    }
}
