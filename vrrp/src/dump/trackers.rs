//! Scripts, files and processes that instances track.

use std::collections::HashMap;
use std::time::Duration;

use super::address::ENTRY;
use super::instance::weight;
use super::scripts::command;
use super::snapshot::Snapshot;
use super::text::{Text, signed};
use crate::config::Parameters;
use crate::process::Quorum;
use crate::router::{Router, Status, Tracker, TrackerKind};
use crate::runtime::{Check, Progress};

/// The trackers of a kind, by name.
pub(super) fn by_name(router: &Router, kind: TrackerKind) -> HashMap<&str, &Tracker> {
    let trackers = router.trackers().iter().filter(|t| t.kind == kind);
    trackers.map(|t| (t.name.as_str(), t)).collect()
}

/// `vrrp_script` blocks.
pub(super) fn scripts(t: &mut Text, s: &Snapshot<'_>) {
    if s.checks.is_empty() {
        return;
    }
    t.title("VRRP Scripts");
    let trackers = by_name(s.router, TrackerKind::Script);
    for check in s.checks {
        script(t, check);
        t.put("   VRRP instances :\n");
        if let Some(tracker) = trackers.get(check.settings.name.as_str()) {
            t.put("   Tracking instances :\n");
            users(t, s, tracker);
        }
        t.word(
            "   State = ",
            match check.progress {
                Progress::Idle => "idle",
                Progress::Running => "running",
                Progress::Terminating => "requested termination",
                Progress::Killing => "forcing termination",
            },
        );
    }
}

fn script(t: &mut Text, check: &Check) {
    let c = &check.settings;
    t.word(" VRRP Script = ", &c.name);
    t.put("   Command = ");
    command(t.raw(), &c.script);
    t.end();
    seconds(t, "   Interval = ", c.interval);
    seconds(t, "   Timeout = ", c.timeout);
    t.put("   Weight = ");
    weight(t, c.weight, c.reverse);
    t.end();
    t.number("   Rise = ", c.rise);
    t.number("   Fall = ", c.fall);
    t.number("   Result = ", check.counter.result());
    t.yes_no("   Insecure = ", false);
    t.word("   Init state = ", check.init_state());
    t.word("   Status = ", if check.counter.is_up() { "GOOD" } else { "BAD" });
    t.put("   Script uid:gid = ").int(c.script.uid).put(":").int(c.script.gid).end();
}

/// `N sec`, with milliseconds only if there are any.
fn seconds(t: &mut Text, key: &str, duration: Duration) {
    t.put(key).int(signed(duration.as_secs()));
    match duration.subsec_millis() {
        0 => {}
        millis => {
            t.show(format_args!(".{millis:03}"));
        }
    }
    t.put(" sec\n");
}

/// `track_file` blocks.
pub(super) fn files(t: &mut Text, s: &Snapshot<'_>) {
    if s.files.is_empty() {
        return;
    }
    t.title("VRRP Track files");
    let trackers = by_name(s.router, TrackerKind::File);
    for file in s.files {
        let tracker = trackers.get(file.name.as_str());
        t.word(" Track file = ", &file.name);
        t.word("   File = ", &file.path);
        let status = match tracker.map(|t| t.status()) {
            Some(Status::Value(value)) => value,
            _ => 0,
        };
        t.number("   Status = ", status);
        t.put("   Weight = ");
        weight(t, file.weight, file.reverse);
        t.end();
        t.put("   Tracking instances :\n");
        if let Some(tracker) = tracker {
            users(t, s, tracker);
        }
    }
}

/// `vrrp_track_process` blocks.
pub(super) fn processes(t: &mut Text, s: &Snapshot<'_>) {
    if s.quorums.is_empty() {
        return;
    }
    t.title("VRRP Track processes");
    let trackers = by_name(s.router, TrackerKind::Process);
    for quorum in s.quorums {
        process(t, quorum);
        t.put("   Tracking instances :\n");
        if let Some(tracker) = trackers.get(quorum.settings.name.as_str()) {
            users(t, s, tracker);
        }
    }
}

fn process(t: &mut Text, quorum: &Quorum) {
    let c = &quorum.settings;
    t.word(" VRRP Track process = ", &c.name);
    if let Some((program, parameters)) = c.process.split_first() {
        t.word("   Process = ", program);
        if !parameters.is_empty() {
            t.word("   Parameters = ", &parameters.join(" "));
        }
    }
    match c.parameters {
        None => {}
        Some(Parameters::Exact) => t.put("   Param match").end(),
        Some(Parameters::Partial) => t.word("   Param match = ", "partial"),
        Some(Parameters::Initial) => t.word("   Param match = ", "initial"),
    }
    t.number("   Min processes = ", c.quorum);
    if let Some(max) = c.quorum_max {
        t.number("   Max processes = ", max);
    }
    t.number("   Current processes = ", quorum.count());
    t.boolean("   Have quorum = ", quorum.is_had());
    t.put("   Weight = ");
    weight(t, c.weight, c.reverse);
    t.end();
    for (key, delay) in
        [("   Terminate delay = ", c.terminate_delay), ("   Fork delay = ", c.fork_delay)]
    {
        let (seconds, micros) = (delay.as_secs(), delay.subsec_micros());
        t.put(key).show(format_args!("{seconds}.{micros:06}s")).end();
    }
    for (timer, runs) in [("Fork", quorum.waits_for_fork()), ("Terminate", quorum.waits_for_exit())]
    {
        let not = if runs { "" } else { "not " };
        t.put("   ").put(timer).put(" delay timer ").put(not).put("running\n");
    }
    t.boolean("   Full command = ", c.full_command);
}

/// Who depends on it, and how much.
pub(super) fn users(t: &mut Text, s: &Snapshot<'_>, tracker: &Tracker) {
    for (instance, w, reverse) in tracker.users() {
        let Some(instance) = s.router.instances().get(instance) else { continue };
        t.put(ENTRY).put(&instance.settings.name).put(", weight ");
        weight(t, w, reverse);
        t.end();
    }
}
