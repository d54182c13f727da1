//! What can only be checked when everything is read: duplicates, groups, trackers.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use config::{Class, Context, Mode};

use super::builder::{Builder, Refused};
use super::draft::{GroupDraft, InstanceDraft, Trackers};
use super::resolve::resolve;
use super::{
    Family, FirewallSettings, GroupSettings, InstanceSettings, Settings, Track, TrackGroup,
};
use super::{scripts, vmac};

/// The last step of a [`Builder`].
pub(super) fn finish(mut b: Builder, ctx: &mut Context<'_>) -> Result<Settings, Refused> {
    b.globals.finish(ctx);
    let drafts = std::mem::take(&mut b.instances);
    polled(&mut b, &drafts);
    let written: Vec<Written> = drafts
        .iter()
        .map(|d| Written { priority_changes: d.priority_changes, state: d.state })
        .collect();
    let mut instances: Vec<InstanceSettings> =
        drafts.into_iter().map(|draft| resolve(&mut b, draft, ctx)).collect();
    duplicates(&mut b, &instances, ctx);
    let groups = groups(&mut b, &instances, &written, ctx);
    priority_changes(&b, &mut instances, &written, &groups);
    trackers(&mut instances, &groups, ctx);
    let mut groups: Vec<GroupSettings> = groups.into_iter().map(|(group, _)| group).collect();
    vmac::refuse_shared(&mut instances, &groups, ctx);
    debounce(&mut b, &instances, ctx);
    let track_groups = track_groups(&mut b, ctx);
    if b.missing_interface {
        let message = "Non-existent interface specified in configuration";
        ctx.report_general(Class::BadInterface, message);
        b.refused.push(message.to_owned());
        // The reference ends here, and so does not judge scripts.
        return Err(Refused { reasons: b.refused });
    }
    scripts::admit(&mut instances, &mut groups, &mut b.scripts, &b.notify, ctx);
    if !b.refused.is_empty() {
        return Err(Refused { reasons: b.refused });
    }
    unused(&mut b, ctx);
    let table = &mut b.globals.settings.firewall.table;
    if table.is_none() && instances.iter().any(|instance| !instance.accept) {
        ctx.log(
            None,
            "use_vmac or no_accept/strict specified, but no firewall configured - using nftables",
        );
        *table = Some(FirewallSettings::TABLE.to_owned());
    }
    for instance in &mut instances {
        // Most have one address, and lists begin with room for four.
        instance.addresses.shrink_to_fit();
        instance.excluded.shrink_to_fit();
    }
    Ok(Settings {
        globals: b.globals.settings,
        instances,
        groups,
        scripts: b.scripts.into_iter().filter_map(|(s, used)| used.then_some(s)).collect(),
        files: b.files.into_iter().filter_map(|(f, used)| used.then_some(f)).collect(),
        sessions: b.sessions,
        processes: b.processes.into_iter().filter_map(|(p, used)| used.then_some(p)).collect(),
        static_addresses: b.static_addresses,
        static_paths: b.static_routes.into_iter().chain(b.static_rules).collect(),
        track_groups,
        garp_groups: b.garp_groups,
        configured: b.contains_vrrp,
        debounce: b.debounce,
        linkbeat: b.linkbeat,
    })
}

/// Adds the interfaces of instances to those that are polled; of several lines for one the first counts.
fn polled(b: &mut Builder, drafts: &[InstanceDraft]) {
    let asking = drafts.iter().filter(|draft| draft.polls || b.polls_all);
    let own = asking.filter_map(|draft| Some((draft.interface.clone()?, None)));
    let mut seen = HashSet::new();
    b.linkbeat.extend(own.collect::<Vec<_>>());
    b.linkbeat.retain(|(name, _)| seen.insert(name.clone()));
}

/// What an instance's block said, where that matters to its group.
struct Written {
    priority_changes: Option<bool>,
    state: Option<bool>,
}

/// Instances that would hear each other's adverts as their own.
fn duplicates(b: &mut Builder, instances: &[InstanceSettings], ctx: &mut Context<'_>) {
    let mut multicast: HashMap<(&str, Family, u8, IpAddr), usize> =
        HashMap::with_capacity(instances.len());
    let mut unicast: HashMap<(Family, u8, IpAddr, Option<IpAddr>), Seen<'_>> = HashMap::new();
    for (i, instance) in instances.iter().enumerate() {
        // One without a VRID has been refused already.
        if instance.vrid == 0 {
            continue;
        }
        if instance.peers.is_empty() {
            let Some(interface) = &instance.interface else { continue };
            let key = (interface.as_str(), instance.family, instance.vrid, instance.group_address);
            if let Some(first) = multicast.insert(key, i) {
                let family = if instance.family == Family::V4 { 4 } else { 6 };
                let message = format!(
                    "{} and {} both use VRID {} with IPv{family} on interface {interface}",
                    instances[first].name, instance.name, instance.vrid
                );
                b.refuse(ctx, None, message);
            }
            continue;
        }
        for peer in &instance.peers {
            let key = (instance.family, instance.vrid, peer.address, instance.source);
            let seen = unicast.entry(key).or_default();
            if let Some(first) = seen.insert(instance.interface.as_deref(), i) {
                let message = format!(
                    "({}) duplicate VRID conflict with {} VRID {}",
                    instance.name, instances[first].name, instance.vrid
                );
                b.refuse(ctx, None, message);
                break;
            }
        }
    }
}

/// Unicast instances with VRID, source and a peer in common, by interface.
#[derive(Default)]
struct Seen<'a> {
    anywhere: Option<usize>,
    last: Option<usize>,
    on: HashMap<&'a str, usize>,
}

impl<'a> Seen<'a> {
    /// Adds an instance; an earlier one it conflicts with.
    fn insert(&mut self, interface: Option<&'a str>, instance: usize) -> Option<usize> {
        let earlier = match interface {
            Some(name) => self.on.insert(name, instance).or(self.anywhere),
            None => self.anywhere.replace(instance).or(self.last),
        };
        self.last = Some(instance);
        earlier
    }
}

type Groups = Vec<(GroupSettings, Option<bool>)>;

/// The groups that have members; each with its `notify_priority_changes`.
fn groups(
    b: &mut Builder,
    instances: &[InstanceSettings],
    written: &[Written],
    ctx: &mut Context<'_>,
) -> Groups {
    let mut taken: HashSet<usize> = HashSet::new();
    let mut groups = Vec::new();
    for draft in std::mem::take(&mut b.groups) {
        let Some(members) = members(b, &draft, &mut taken, ctx) else { continue };
        let name = draft.name;
        ownership(&name, &members, instances, written, ctx);
        let mut trackers = draft.trackers;
        if members.iter().any(|&m| instances[m].priority == 255) {
            clear_weights(&name, &mut trackers, ctx);
        }
        let mut notify = draft.notify;
        notify.smtp_alert = draft.smtp_alert.unwrap_or(b.notify.smtp_alert_vrrp());
        let changes = draft.priority_changes;
        notify.priority_changes = changes.unwrap_or(b.globals.defaults.notify_priority_changes);
        let settings = GroupSettings {
            name,
            members,
            track_interfaces: trackers.interfaces,
            track_scripts: trackers.scripts,
            track_files: trackers.files,
            track_processes: trackers.processes,
            track_bfds: trackers.bfds,
            tracking_weight: draft.tracking_weight,
            notify,
        };
        groups.push((settings, changes));
    }
    groups
}

/// Positions of the members; `None` when the group is removed.
fn members(
    b: &Builder,
    group: &GroupDraft,
    taken: &mut HashSet<usize>,
    ctx: &mut Context<'_>,
) -> Option<Vec<usize>> {
    let name = &group.name;
    let complain = |ctx: &mut Context<'_>, message: String| {
        ctx.report_general(Class::General, message);
    };
    let Some(names) = &group.members else {
        complain(ctx, format!("Sync group {name} has no members - removing"));
        return None;
    };
    let mut members = Vec::with_capacity(names.len());
    for member in names {
        match b.instance_index.get(member) {
            None => {
                let near = super::track::nearest(member, b.instance_index.keys());
                let mut message = format!(
                    "Virtual router {member} specified in sync group {name} doesn't exist - \
                     ignoring"
                );
                if let Some(near) = near {
                    message = format!("{message} ({near})");
                }
                complain(ctx, message);
            }
            Some(&i) if taken.insert(i) => members.push(i),
            Some(_) => complain(
                ctx,
                format!(
                    "Virtual router {member} cannot exist in more than one sync group; ignoring \
                     {name}"
                ),
            ),
        }
    }
    match members.len() {
        0 => {
            complain(
                ctx,
                format!(
                    "Sync group {name}, no matching virtual router found in group declaration - \
                     removing"
                ),
            );
            return None;
        }
        1 => complain(
            ctx,
            format!(
                "Sync group {name} has only 1 virtual router(s) - this probably isn't what you want"
            ),
        ),
        _ => {}
    }
    Some(members)
}

/// Members that own their addresses beside members that do not cannot move together. Counted by the
/// configuration test only where it always was: an owner said to be MASTER before a member said to be
/// BACKUP.
fn ownership(
    name: &str,
    members: &[usize],
    instances: &[InstanceSettings],
    written: &[Written],
    ctx: &mut Context<'_>,
) {
    let owner = |m: usize| instances[m].priority == 255;
    let owners = members.iter().filter(|&&m| owner(m)).count();
    if owners == 0 || owners == members.len() {
        return;
    }
    let message = format!(
        "Sync group {name} has some member(s) as address owner and some not as address owner. \
         This won't work."
    );
    let counts = members
        .iter()
        .skip_while(|&&m| owner(m) && written[m].state == Some(true))
        .any(|&m| written[m].state == Some(false));
    if counts && owner(members[0]) {
        ctx.report_general(Class::General, message);
    } else {
        ctx.log(None, message);
    }
}

/// An owner's priority never changes, and the members' must stay equal.
fn clear_weights(group: &str, trackers: &mut Trackers, ctx: &mut Context<'_>) {
    let Trackers { interfaces, scripts, files, processes, bfds } = trackers;
    for (kind, list, what) in [
        ("interface", interfaces, "clearing weight"),
        ("script", scripts, "clearing weight"),
        ("file", files, "setting weight 0"),
        ("process", processes, "setting weight 0"),
        ("bfd", bfds, "setting weight 0"),
    ] {
        for track in list.iter_mut().filter(|track| track.weight != 0) {
            let message = format!(
                "({group}) Cannot have weighted track {kind} '{}' with member having priority 255 \
                 - {what}",
                track.name
            );
            ctx.report_general(Class::General, message);
            track.weight = 0;
        }
    }
}

/// An instance's own value, else its group's, else the global one.
fn priority_changes(
    b: &Builder,
    instances: &mut [InstanceSettings],
    written: &[Written],
    groups: &Groups,
) {
    let default = b.globals.defaults.notify_priority_changes;
    for (instance, own) in instances.iter_mut().zip(written) {
        instance.notify.priority_changes = own.priority_changes.unwrap_or(default);
    }
    for (group, value) in groups {
        let Some(value) = value else { continue };
        for &member in &group.members {
            if written[member].priority_changes.is_none() {
                instances[member].notify.priority_changes = *value;
            }
        }
    }
}

/// Takes from the instances what they may not track, or not with a weight.
fn trackers(instances: &mut [InstanceSettings], groups: &Groups, ctx: &mut Context<'_>) {
    let mut group_of: Vec<Option<&GroupSettings>> = vec![None; instances.len()];
    for (group, _) in groups {
        for &member in &group.members {
            group_of[member] = Some(group);
        }
    }
    for (instance, group) in instances.iter_mut().zip(group_of) {
        own_interface(instance, ctx);
        if let Some(group) = group {
            also_in_group(instance, group, ctx);
        }
        if instance.priority == 255 {
            strip_weights(instance, "address_owner", true, ctx);
        } else if group.is_some_and(|group| !group.tracking_weight) {
            strip_weights(instance, "SYNC group", false, ctx);
        }
    }
}

fn own_interface(instance: &mut InstanceSettings, ctx: &mut Context<'_>) {
    let InstanceSettings { name, interface, track_interfaces, .. } = instance;
    track_interfaces.retain(|track| {
        let own = interface.as_deref() == Some(track.name.as_str());
        if own {
            let message =
                format!("({name}) Ignoring track_interface {} since own interface", track.name);
            ctx.report_general(Class::General, message);
        }
        !own
    });
}

fn also_in_group(instance: &mut InstanceSettings, group: &GroupSettings, ctx: &mut Context<'_>) {
    let name = &instance.name;
    for (kind, own, shared, advice) in [
        (
            "track_interface",
            &mut instance.track_interfaces,
            &group.track_interfaces,
            "Remove vrrp instance or sync group config",
        ),
        (
            "track_script",
            &mut instance.track_scripts,
            &group.track_scripts,
            "Remove vrrp instance config",
        ),
        (
            "track_file",
            &mut instance.track_files,
            &group.track_files,
            "Remove vrrp instance config",
        ),
        (
            "track_process",
            &mut instance.track_processes,
            &group.track_processes,
            "Remove vrrp instance config",
        ),
        ("track_bfd", &mut instance.track_bfds, &group.track_bfds, "Remove vrrp instance config"),
    ] {
        if own.is_empty() || shared.is_empty() {
            continue;
        }
        let shared: HashSet<&str> = shared.iter().map(|track| track.name.as_str()).collect();
        own.retain(|track| {
            let both = shared.contains(track.name.as_str());
            if both {
                let message = format!(
                    "({name}) {kind} {} is configured on VRRP instance and sync group. {advice}",
                    track.name
                );
                ctx.report_general(Class::General, message);
            }
            !both
        });
    }
}

/// Members of a sync group must keep equal priorities, an owner keeps its own. Processes are left
/// alone, as the reference does.
fn strip_weights(instance: &mut InstanceSettings, why: &str, owner: bool, ctx: &mut Context<'_>) {
    let InstanceSettings { name, track_interfaces, track_scripts, track_files, track_bfds, .. } =
        instance;
    let say = |ctx: &mut Context<'_>, text: String| {
        ctx.report_general(Class::General, format!("({name}) {text}"));
    };
    let weighted = |track: &Track| track.weight != 0;
    for track in track_interfaces.iter_mut().filter(|track| weighted(track)) {
        let text = if owner {
            format!("ignoring {} tracked interface due to address owner", track.name)
        } else {
            format!("ignoring {} tracked interface weight due to {why}", track.name)
        };
        say(ctx, text);
        if !owner {
            track.weight = 0;
        }
    }
    track_interfaces.retain(|track| !weighted(track));
    track_scripts.retain(|track| {
        if weighted(track) {
            say(ctx, format!("ignoring tracked script {} with weights due to {why}", track.name));
        }
        !weighted(track)
    });
    track_files.retain_mut(|track| match track.weight {
        0 => true,
        1 => {
            let text = format!(
                "ignoring weight from tracked file {} due to {why}. specify weight 0",
                track.name
            );
            say(ctx, text);
            track.weight = 0;
            true
        }
        weight => {
            let text =
                format!("ignoring tracked file {} with weight {weight} due to {why}", track.name);
            say(ctx, text);
            false
        }
    });
    track_bfds.retain(|track| {
        if weighted(track) {
            say(ctx, format!("ignoring tracked bfd {} with weights due to {why}", track.name));
        }
        !weighted(track)
    });
}

/// A change of link must be noticed before the adverts that are missed decide.
fn debounce(b: &mut Builder, instances: &[InstanceSettings], ctx: &mut Context<'_>) {
    if b.debounce.is_empty() {
        return;
    }
    let index: HashMap<String, usize> =
        b.debounce.iter().enumerate().map(|(i, (name, ..))| (name.clone(), i)).collect();
    for instance in instances {
        let Some(&i) = instance.interface.as_ref().and_then(|name| index.get(name)) else {
            continue;
        };
        let (interface, down, up) = &mut b.debounce[i];
        let adverts = u32::from(instance.down_timer_adverts);
        if adverts == 1 {
            if !down.is_zero() || !up.is_zero() {
                ctx.log(
                    None,
                    format!(
                        "{}: cannot use debounce timers with down_timer_adverts = 1 - resetting",
                        instance.name
                    ),
                );
            }
            (*down, *up) = (Duration::ZERO, Duration::ZERO);
            continue;
        }
        let interval = instance.advert_interval;
        let most = (interval * (adverts - 1)).saturating_sub(interval / 256);
        if *down > most || *up > most {
            ctx.log(
                None,
                format!(
                    "{}: interface {interface} debounce timer(s) not less that {} * advert_int - \
                     resetting",
                    instance.name,
                    adverts - 1
                ),
            );
            (*down, *up) = ((*down).min(most), (*up).min(most));
        }
    }
}

/// Says what nobody refers to; only where the daemon runs.
fn unused(b: &mut Builder, ctx: &mut Context<'_>) {
    if ctx.mode == Mode::Test {
        return;
    }
    for (script, _) in b.scripts.iter().filter(|(_, used)| !used) {
        let message = format!("Warning - script {} is not used", script.name);
        ctx.report_general(Class::General, message);
    }
}

fn track_groups(b: &mut Builder, ctx: &mut Context<'_>) -> Vec<TrackGroup> {
    let mut groups = Vec::new();
    for name in std::mem::take(&mut b.track_group_order) {
        let Some(names) = b.track_groups.get(&name) else { continue };
        let mut members = Vec::with_capacity(names.len());
        for member in names {
            match b.instance_index.get(member) {
                Some(&i) => members.push(i),
                None => ctx.log(
                    None,
                    format!(
                        "Virtual router {member} specified in track_group {name} doesn't exist - \
                         ignoring"
                    ),
                ),
            }
        }
        if members.is_empty() {
            ctx.log(None, format!("track_group {name} has no virtual router - removing"));
        } else {
            groups.push(TrackGroup { name, members });
        }
    }
    groups
}
