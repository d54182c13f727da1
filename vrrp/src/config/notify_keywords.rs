//! `notify*` of instances and groups.

use config::{Class, Command, Context, Line};
use notify::{IdentityError, Script};

use super::builder::Builder;
use super::draft::script_place;

/// `notify_master` and the like of an instance.
pub(super) fn instance_script(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(command) = line.command(ctx) else { return };
    let owner = format!("({})", b.draft.name);
    let taken = script_place(&mut b.draft.notify, line.name()).is_none_or(|place| place.is_some());
    let Some(script) = resolve(b, &owner, taken, command, line, ctx) else { return };
    if let Some(place) = script_place(&mut b.draft.notify, line.name()) {
        *place = Some(Box::new(script));
    }
}

/// `notify_deleted`, with or without a script.
pub(super) fn instance_deleted(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if b.draft.notify.report_deleted {
        let text = line.first().map_or("", |word| word.text.as_str());
        let text = format!("notify_deleted already specified - ignoring {text}");
        b.complain(line.span, ctx, &text);
        return;
    }
    b.draft.notify.report_deleted = true;
    if line.first().is_some() {
        instance_script(b, line, ctx);
    }
}

/// `notify_master` and the like of a sync group.
pub(super) fn group_script(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let Some(command) = line.command(ctx) else { return };
    let owner = format!("vrrp group {}:", b.group.name);
    let taken = script_place(&mut b.group.notify, line.name()).is_none_or(|place| place.is_some());
    let Some(script) = resolve(b, &owner, taken, command, line, ctx) else { return };
    if let Some(place) = script_place(&mut b.group.notify, line.name()) {
        *place = Some(Box::new(script));
    }
}

fn resolve(
    b: &mut Builder,
    owner: &str,
    taken: bool,
    command: Command,
    line: &Line,
    ctx: &mut Context<'_>,
) -> Option<Script> {
    let text = command.text.clone();
    if taken {
        let message = format!("{owner} {} script already specified - ignoring {text}", line.name());
        ctx.report(Class::General, line.span, message);
        return None;
    }
    match b.notify.scripts.script(command) {
        Ok(script) => Some(script),
        Err(error) => {
            let message =
                format!("Invalid user/group for notify script {text} - ignoring: {error}");
            // Without a user to run as under script security nothing is said to be safe.
            if error == IdentityError::NoScriptUser {
                ctx.report(Class::General, line.span, message);
            } else {
                ctx.log(Some(line.span), message);
            }
            None
        }
    }
}
