//! `vrrp_track_process`: the processes that must run.

use std::time::Duration;

use config::{Args, Class, Context, Keyword, Line, Row, Table};

use super::builder::Builder;
use super::globals::number32;
use super::instance::apply_block;
use super::trackers::{WEIGHT, weight};
use super::{Parameters, ProcessSettings};

type B = Row<Builder>;

/// Time that a delay may take, in microseconds.
const WAIT: Args = Args::timer(1, 3_600_000_000);

/// The block while it is read.
#[derive(Default)]
pub(super) struct ProcessDraft {
    name: String,
    process: Vec<String>,
    parameters: Option<Parameters>,
    full_command: bool,
    weight: i32,
    reverse: bool,
    quorum: Option<u32>,
    quorum_max: Option<u32>,
    fork_delay: u64,
    terminate_delay: u64,
}

/// Keywords inside `vrrp_track_process`.
pub static PROCESS: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("process", Args::Free("NAME [PARAMETER…]"), "the process that must run")
            .required(),
        set_process,
    ),
    B::new(
        Keyword::new("param_match", Args::Free("[initial|partial]"), "how parameters are compared"),
        set_param_match,
    ),
    B::new(
        Keyword::new("weight", WEIGHT, "added to the priority; 0: absence is a fault")
            .expected()
            .or("0"),
        |b, l, c| {
            let what = format!("vrrp_track_process {}", b.process.name);
            if let Some((weight, reverse)) = weight(l, 254, &what, c) {
                b.process.weight = weight.unwrap_or(b.process.weight);
                b.process.reverse = reverse;
            }
        },
    ),
    B::new(
        Keyword::new("quorum", Args::lenient(1, 65535), "how many must run").required().or("1"),
        set_quorum,
    ),
    B::new(
        Keyword::new("quorum_max", Args::lenient(0, 65535), "how many may run").required(),
        set_quorum_max,
    ),
    B::new(Keyword::new("delay", WAIT, "sets both delays").required().unit("s"), |b, l, c| {
        if let Some(delay) = l.decimal(c) {
            (b.process.fork_delay, b.process.terminate_delay) = (delay, delay);
        }
    }),
    B::new(
        Keyword::new("fork_delay", WAIT, "wait before what a fork changes counts")
            .required()
            .unit("s"),
        |b, l, c| b.process.fork_delay = l.decimal(c).unwrap_or(b.process.fork_delay),
    ),
    B::new(
        Keyword::new("terminate_delay", WAIT, "wait before what an exit changes counts")
            .required()
            .unit("s"),
        |b, l, c| b.process.terminate_delay = l.decimal(c).unwrap_or(b.process.terminate_delay),
    ),
    B::new(
        Keyword::new("full_command", Args::Flag, "compare with the whole command"),
        |b, _, _| b.process.full_command = true,
    ),
]);

/// `vrrp_track_process NAME { … }`.
pub(super) fn add_process(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(name) = line.word(ctx) else { return };
    b.process = ProcessDraft { name: name.text.clone(), ..ProcessDraft::default() };
    apply_block(&PROCESS, b, line, ctx);
    let draft = std::mem::take(&mut b.process);
    if draft.process.is_empty() {
        let message = format!("track process '{}' process name not specified", draft.name);
        ctx.report(Class::General, name.span, message);
        return;
    }
    let has_parameters = draft.process.len() > 1;
    let parameters = draft.parameters.or(has_parameters.then_some(Parameters::Exact));
    // Nobody may run, so that nobody must.
    let none = draft.quorum_max == Some(0);
    let settings = ProcessSettings {
        name: draft.name.clone(),
        process: draft.process,
        full_command: draft.full_command || parameters.is_some(),
        parameters,
        weight: draft.weight,
        reverse: draft.reverse,
        quorum: if none { 0 } else { draft.quorum.unwrap_or(1) },
        quorum_max: draft.quorum_max,
        fork_delay: Duration::from_micros(draft.fork_delay),
        terminate_delay: Duration::from_micros(draft.terminate_delay),
    };
    b.process_index.entry(draft.name).or_insert(b.processes.len());
    b.processes.push((settings, false));
}

fn set_process(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if line.word(ctx).is_none() {
        return;
    }
    if b.process.process.is_empty() {
        b.process.process = line.words.iter().map(|word| word.text.clone()).collect();
    } else {
        let message =
            format!("Process already set for track process {} - ignoring", b.process.name);
        ctx.report(Class::General, line.span, message);
    }
}

fn set_param_match(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.process.parameters = match line.first() {
        None => Some(Parameters::Exact),
        Some(word) if word.text == "initial" => Some(Parameters::Initial),
        Some(word) if word.text == "partial" => Some(Parameters::Partial),
        Some(word) => {
            let message = format!("Invalid param_match type {} - ignoring", word.text);
            ctx.report(Class::General, word.span, message);
            return;
        }
    };
}

fn set_quorum(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(quorum) = number32(line.int(ctx)) else { return };
    if b.process.quorum_max.is_some_and(|max| quorum > max) {
        let message =
            format!("quorum {quorum} exceeds quorum_max of {} - ignoring", b.process.name);
        ctx.report(Class::General, line.span, message);
        return;
    }
    b.process.quorum = Some(quorum);
}

fn set_quorum_max(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(max) = number32(line.int(ctx)) else { return };
    let quorum = b.process.quorum.unwrap_or(1);
    if max < quorum && !(max == 0 && quorum <= 1) {
        let message = format!("quorum_max {max} is below quorum of {} - ignoring", b.process.name);
        ctx.report(Class::General, line.span, message);
        return;
    }
    b.process.quorum_max = Some(max);
}
