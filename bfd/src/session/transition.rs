//! The state machine as a table (RFC 5880 section 6.8.6).

use crate::packet::{Diagnostic, State};

/// Where a packet whose sender is in `heard` takes a session in `local`, and the diagnostic it has there;
/// `None`: it stays.
pub(super) fn transition(local: State, heard: State) -> Option<(State, Diagnostic)> {
    use State::{AdminDown, Down, Init, Up};
    let (next, diagnostic) = match (local, heard) {
        // Not to be had: nothing is heard.
        (AdminDown, _) => return None,

        (Down, AdminDown) => return None,
        (Down, Down) => (Init, Diagnostic::NONE),
        (Down, Init) => (Up, Diagnostic::NONE),
        // It has to notice first that we were away.
        (Down, Up) => return None,

        (Init, AdminDown) => (Down, Diagnostic::SIGNALED),
        (Init, Down) => return None,
        (Init, Init | Up) => (Up, Diagnostic::NONE),

        (Up, AdminDown | Down) => (Down, Diagnostic::SIGNALED),
        (Up, Init | Up) => return None,
    };
    Some((next, diagnostic))
}
