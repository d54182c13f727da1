//! `vrrp_sync_group` and `track_group`.

use config::{Args, Class, Context, Keyword, Line, Row, Table};

use super::builder::Builder;
use super::draft::GroupDraft;
use super::instance::apply_block;
use super::{notify_keywords, track};

type B = Row<Builder>;

/// Keywords inside `vrrp_sync_group`.
pub static GROUP: Table<Builder> = Table::new(&[
    B::new(
        Keyword::new("group", Args::Flag, "the instances that move together").values(),
        set_members,
    ),
    B::new(
        Keyword::new("track_interface", Args::Flag, "as in every member").values(),
        track::group_interfaces,
    ),
    B::new(
        Keyword::new("track_script", Args::Flag, "as in every member").values(),
        track::group_scripts,
    ),
    B::new(
        Keyword::new("track_file", Args::Flag, "as in every member").values(),
        track::group_files,
    ),
    B::new(
        Keyword::new("track_process", Args::Flag, "as in every member").values(),
        track::group_processes,
    ),
    B::new(
        Keyword::new("track_bfd", Args::Flag, "as in every member").values().not_yet(),
        track::group_bfds,
    ),
    B::new(
        Keyword::new("notify_master", Args::Command, "run on becoming MASTER").required(),
        notify_keywords::group_script,
    ),
    B::new(
        Keyword::new("notify_backup", Args::Command, "run on becoming BACKUP").required(),
        notify_keywords::group_script,
    ),
    B::new(
        Keyword::new("notify_fault", Args::Command, "run on entering FAULT").required(),
        notify_keywords::group_script,
    ),
    B::new(
        Keyword::new("notify_stop", Args::Command, "run when the daemon stops").required(),
        notify_keywords::group_script,
    ),
    B::new(
        Keyword::new("notify", Args::Command, "run on every change of state").required(),
        notify_keywords::group_script,
    ),
    B::new(
        Keyword::new("smtp_alert", Args::Bool, "mail on changes of state")
            .or("smtp_alert_vrrp, else smtp_alert"),
        |b, l, c| b.group.smtp_alert = l.boolean(c).or(b.group.smtp_alert),
    ),
    B::new(
        Keyword::new("global_tracking", Args::Flag, "old name of sync_group_tracking_weight")
            .alias("sync_group_tracking_weight", true),
        |b, _, _| b.group.tracking_weight = true,
    ),
    B::new(
        Keyword::new(
            "sync_group_tracking_weight",
            Args::Flag,
            "members keep weighted trackers of their own",
        ),
        |b, _, _| b.group.tracking_weight = true,
    ),
    B::new(
        Keyword::new(
            "notify_priority_changes",
            Args::Bool,
            "default of the members' notify_priority_changes",
        )
        .or("vrrp_notify_priority_changes"),
        |b, l, c| b.group.priority_changes = l.boolean(c).or(b.group.priority_changes),
    ),
]);

/// Keywords inside `track_group`.
pub static TRACK_GROUP: Table<Builder> = Table::new(&[B::new(
    Keyword::new("group", Args::Flag, "instances that static entries may fail").values(),
    set_track_members,
)]);

/// The name of a block that must have exactly one, unless it is missing, followed by something or
/// taken.
pub(super) fn block_name(
    line: &Line,
    taken: impl Fn(&str) -> bool,
    defined: &str,
    skipped: &str,
    ctx: &mut Context<'_>,
) -> Option<String> {
    let [word] = line.words.as_slice() else {
        let message = format!("{} must have a name{skipped}", line.name());
        ctx.report(Class::General, line.span, message);
        return None;
    };
    if taken(&word.text) {
        ctx.report(Class::General, word.span, format!("{defined} {} already defined", word.text));
        return None;
    }
    Some(word.text.clone())
}

/// `vrrp_sync_group NAME { … }`.
pub(super) fn add_group(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let taken = |name: &str| b.group_names.contains(name);
    let Some(name) = block_name(line, taken, "vrrp sync group", " - skipping", ctx) else { return };
    b.group_names.insert(name.clone());
    b.group = GroupDraft { name, ..GroupDraft::default() };
    apply_block(&GROUP, b, line, ctx);
    let draft = std::mem::take(&mut b.group);
    b.groups.push(draft);
}

fn set_members(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if b.group.members.is_some() {
        let message = format!("Group list already specified for sync group {}", b.group.name);
        ctx.report(Class::General, line.span, message);
        return;
    }
    let members: Vec<String> = line.pooled().map(|word| word.text.clone()).collect();
    if members.is_empty() {
        let message = format!("Warning - sync group {} has empty group block", b.group.name);
        ctx.report(Class::General, line.span, message);
    }
    b.group.members = Some(members);
}

/// `track_group NAME { … }`.
pub(super) fn add_track_group(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    let taken = |name: &str| b.track_groups.contains_key(name);
    let Some(name) = block_name(line, taken, "track_group", " - skipping", ctx) else { return };
    b.track_group = None;
    apply_block(&TRACK_GROUP, b, line, ctx);
    match b.track_group.take() {
        Some(members) => {
            b.track_group_order.push(name.clone());
            b.track_groups.insert(name, members);
        }
        None => {
            let message = format!("Static track group {name} has no members - removing");
            ctx.report(Class::General, line.span, message);
        }
    }
}

fn set_track_members(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    if b.track_group.is_some() {
        ctx.report(Class::General, line.span, "Group list already specified for track group");
        return;
    }
    let members: Vec<String> = line.pooled().map(|word| word.text.clone()).collect();
    if members.is_empty() {
        ctx.report(Class::General, line.span, "Warning - track group has empty group block");
    } else {
        b.track_group = Some(members);
    }
}
