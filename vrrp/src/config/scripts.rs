//! Which of the configured scripts may run: they exist, their user may execute them, and nobody else
//! can change what root would run.

use std::collections::{HashMap, HashSet};

use config::{Class, Context};
use notify::security::{self, Verdict};
use notify::{Script, Settings as NotifyGlobals};

use super::{GroupSettings, InstanceSettings, ScriptSettings};

/// Looks at each file once for each user, and takes away the scripts that must not run.
pub(super) fn admit(
    instances: &mut [InstanceSettings],
    groups: &mut [GroupSettings],
    scripts: &mut Vec<(ScriptSettings, bool)>,
    notify: &NotifyGlobals,
    ctx: &mut Context<'_>,
) {
    if instances.is_empty() {
        return;
    }
    let mut judge = Judge { secure: notify.scripts.security, ..Judge::default() };
    for instance in instances.iter_mut() {
        judge.notify(&mut instance.notify, &instance.name, ctx);
    }
    for group in groups.iter_mut() {
        judge.notify(&mut group.notify, &group.name, ctx);
    }
    let disabled = judge.tracked(scripts, ctx);
    if !disabled.is_empty() {
        for instance in instances {
            instance.track_scripts.retain(|track| !disabled.contains(&track.name));
        }
        for group in groups {
            group.track_scripts.retain(|track| !disabled.contains(&track.name));
        }
    }
    // Those are started elsewhere; here they only count.
    for script in [&notify.vrrp_fifo.script, &notify.fifo.script].into_iter().flatten() {
        let _ = judge.runs(script);
    }
    judge.conclude(ctx);
}

#[derive(Default)]
struct Judge {
    secure: bool,
    any: bool,
    insecure: bool,
    known: HashMap<(String, u32, u32), Verdict>,
}

impl Judge {
    /// Why `script` must not run, if so.
    fn runs(&mut self, script: &Script) -> Result<(), Verdict> {
        let program = script.argv.first().cloned().unwrap_or_default();
        let key = (program, script.uid, script.gid);
        let verdict = self.known.entry(key).or_insert_with(|| security::check(script)).clone();
        let insecure = matches!(verdict, Verdict::Insecure { .. });
        if !verdict.is_runnable() || (insecure && self.secure) {
            return Err(verdict);
        }
        self.any = true;
        self.insecure |= insecure;
        Ok(())
    }

    fn notify(&mut self, notify: &mut super::NotifySettings, owner: &str, ctx: &mut Context<'_>) {
        let places = [
            &mut notify.master,
            &mut notify.backup,
            &mut notify.fault,
            &mut notify.stop,
            &mut notify.deleted,
            &mut notify.generic,
            &mut notify.master_rx_lower_pri,
        ];
        for place in places {
            let Some(script) = place else { continue };
            if let Err(verdict) = self.runs(script) {
                let message =
                    format!("({owner}) notify script {} {verdict} - ignoring", script.text);
                ctx.log(None, message);
                *place = None;
            }
        }
    }

    /// Names of the scripts that were taken away.
    fn tracked(
        &mut self,
        scripts: &mut Vec<(ScriptSettings, bool)>,
        ctx: &mut Context<'_>,
    ) -> HashSet<String> {
        let mut disabled = HashSet::new();
        scripts.retain(|(script, _)| {
            let Err(verdict) = self.runs(&script.script) else { return true };
            let why = match verdict {
                Verdict::Insecure { .. } => "due to insecure",
                _ => "since not found/accessible",
            };
            let message = format!("Disabling track script {} {why}: {verdict}", script.name);
            ctx.report_general(Class::General, message);
            disabled.insert(script.name.clone());
            false
        });
        disabled
    }

    fn conclude(&self, ctx: &mut Context<'_>) {
        if !self.any || self.secure {
            return;
        }
        let more = if self.insecure { " There are insecure scripts." } else { "" };
        ctx.report_general(
            Class::Security,
            format!(
                "SECURITY VIOLATION - scripts are being executed but script_security not \
                 enabled.{more}"
            ),
        );
    }
}
