//! Telling scripts, FIFOs and people what happened, in the order of spec vrrp-behaviour §9: the
//! state's own script, the generic script, the FIFOs, mail.

use std::collections::HashMap;
use std::rc::Rc;

use notify::{Alert, Script, vrrp_line};
use scheduler::Scheduler;

use super::{HasVrrp, Notice, Vrrp};
use crate::action::{NotifyEvent, Subject};
use crate::config::NotifySettings;

/// Everything one notification needs, taken out of the world so that the notifier can be borrowed.
struct Told {
    kind: &'static str,
    name: String,
    word: &'static str,
    priority: u8,
    own: Option<(&'static str, Script)>,
    generic: Option<Script>,
    mail: Option<Alert>,
    /// Who and what, unless only a FIFO is told.
    change: Option<(Subject, NotifyEvent)>,
}

/// Writes the waiting log lines and, when none is left, tells the waiting notifications; at most
/// `limit` of either.
pub(super) fn tell<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, limit: usize) {
    let Some(vrrp) = w.vrrp() else { return };
    vrrp.write_lines(limit);
    if !vrrp.lines.is_empty() || vrrp.notices.is_empty() {
        return;
    }
    let rest = vrrp.notices.split_off(vrrp.notices.len().min(limit));
    let notices = std::mem::replace(&mut vrrp.notices, rest);
    let faults = w.notify().mails_faults();
    let Some(vrrp) = w.vrrp() else { return };
    let told: Vec<Told> = notices.iter().filter_map(|n| vrrp.words(n, faults)).collect();
    for t in told {
        let object = match t.kind {
            "GROUP" => format!("VRRP group {}", t.name),
            _ => format!("VRRP instance {}", t.name),
        };
        if let Some((hook, script)) = &t.own {
            notify::submit(s, w, &object, hook, script, &[]);
        }
        if let Some(script) = &t.generic {
            let priority = t.priority.to_string();
            notify::submit(s, w, &object, "notify", script, &[t.kind, &t.name, t.word, &priority]);
        }
        w.notify().write_vrrp(&vrrp_line(t.kind, &t.name, t.word, t.priority));
        if let Some((subject, event)) = t.change {
            W::told(s, w, subject, event);
        }
        if let Some(mail) = t.mail {
            notify::alert(s, w, mail);
        }
    }
    W::states_told(s, w);
}

/// Tells of adverts that were refused.
pub(super) fn refusals<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(vrrp) = w.vrrp() else { return };
    for refusal in std::mem::take(&mut vrrp.refusals) {
        W::refused(s, w, refusal);
    }
}

impl Vrrp {
    /// `faults` is whether changes to FAULT are mailed.
    fn words(&mut self, notice: &Notice, faults: bool) -> Option<Told> {
        let (kind, name, settings): (_, _, NotifySettings) = match notice.subject {
            Subject::Instance(i) => {
                let s = Rc::clone(&self.router.instances().get(i)?.settings);
                ("INSTANCE", s.name.clone(), s.notify.clone())
            }
            Subject::Group(g) => {
                let s = Rc::clone(&self.router.groups().get(g)?.settings);
                ("GROUP", s.name.clone(), s.notify.clone())
            }
        };
        // A removed instance is reported as FAULT unless it asked for DELETED, and its fault script
        // is not run (the C daemon's choice, which scripts cope with).
        let own = match notice.event {
            _ if notice.repeated => None,
            NotifyEvent::Master => settings.master.map(|s| ("notify_master", *s)),
            NotifyEvent::Backup => settings.backup.map(|s| ("notify_backup", *s)),
            NotifyEvent::Fault if notice.removed => None,
            NotifyEvent::Fault => settings.fault.map(|s| ("notify_fault", *s)),
            NotifyEvent::Stop => settings.stop.map(|s| ("notify_stop", *s)),
            NotifyEvent::Deleted => settings.deleted.map(|s| ("notify_deleted", *s)),
            NotifyEvent::MasterRxLowerPri => {
                settings.master_rx_lower_pri.map(|s| ("notify_master_rx_lower_pri", *s))
            }
            NotifyEvent::MasterPriority | NotifyEvent::BackupPriority => None,
        };
        let state = notice.event.is_state() && !notice.repeated;
        let news =
            settings.smtp_alert && state && self.mailed.is_news(kind, &name, notice.event, faults);
        let mail = news.then(|| alert(kind == "GROUP", &name, notice.event));
        Some(Told {
            kind,
            name,
            word: notice.event.word(),
            priority: notice.priority,
            own,
            generic: settings.generic.filter(|_| state).map(|s| *s),
            mail,
            change: state.then_some((notice.subject, notice.event)),
        })
    }
}

/// What the last mail about each instance (`INSTANCE`) and group (`GROUP`) said.
#[derive(Default)]
pub(super) struct Mailed(HashMap<(&'static str, String), NotifyEvent>);

impl Mailed {
    /// Whether a mail is due: `faults` are wanted, and the last one did not say the same.
    fn is_news(
        &mut self,
        kind: &'static str,
        name: &str,
        event: NotifyEvent,
        faults: bool,
    ) -> bool {
        if !faults && event == NotifyEvent::Fault {
            return false;
        }
        self.0.insert((kind, name.to_owned()), event) != Some(event)
    }

    /// Nothing is kept of what a reload removes: one of the same name that comes later is another.
    pub(super) fn forget(&mut self, kind: &'static str, name: &str) {
        self.0.remove(&(kind, name.to_owned()));
    }
}

fn alert(group: bool, name: &str, event: NotifyEvent) -> Alert {
    let what = match event {
        NotifyEvent::Stop => "Stopping".to_owned(),
        NotifyEvent::Deleted => "Deleted".to_owned(),
        _ => format!("Entering {} state", event.word()),
    };
    let kind = if group { "Group" } else { "Instance" };
    let body = match (group, event) {
        (true, NotifyEvent::Stop) => "All VRRP group instances are now stopping".to_owned(),
        (true, _) => format!("All VRRP group instances are now in {} state", event.word()),
        (false, NotifyEvent::Master) => "VRRP Instance is now owning VRRP VIPs".to_owned(),
        (false, NotifyEvent::Stop) => "VRRP Instance stopping".to_owned(),
        (false, NotifyEvent::Deleted) => "VRRP Deleted at reload".to_owned(),
        (false, _) => "VRRP Instance is no longer owning VRRP VIPs".to_owned(),
    };
    Alert { subject: format!("VRRP {kind} {name} - {what}"), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_is_mailed() {
        use NotifyEvent::{Backup, Fault, Master};
        let mut mailed = Mailed::default();
        let mut is_news = |event, faults| mailed.is_news("INSTANCE", "N", event, faults);
        assert!(is_news(Backup, true));
        assert!(!is_news(Backup, true));
        assert!(is_news(Master, true));
        assert!(is_news(Fault, true));
        assert!(!is_news(Fault, false));
        assert!(is_news(Backup, false));
        // As if FAULT had not been.
        assert!(!is_news(Fault, false));
        assert!(!is_news(Backup, false));
        // One of the same name that comes later is another.
        mailed.forget("INSTANCE", "N");
        assert!(mailed.is_news("INSTANCE", "N", Backup, true));
    }

    #[test]
    fn mails_have_the_words_of_the_c_daemon() {
        let text = |group, event| {
            let alert = alert(group, "N", event);
            format!("{} => {} <=", alert.subject, alert.body)
        };
        for (group, event, wanted) in [
            (
                false,
                NotifyEvent::Master,
                "VRRP Instance N - Entering MASTER state => VRRP Instance is now owning VRRP VIPs <=",
            ),
            (
                false,
                NotifyEvent::Fault,
                "VRRP Instance N - Entering FAULT state => VRRP Instance is no longer owning VRRP \
                 VIPs <=",
            ),
            (false, NotifyEvent::Stop, "VRRP Instance N - Stopping => VRRP Instance stopping <="),
            (false, NotifyEvent::Deleted, "VRRP Instance N - Deleted => VRRP Deleted at reload <="),
            (
                true,
                NotifyEvent::Backup,
                "VRRP Group N - Entering BACKUP state => All VRRP group instances are now in BACKUP \
                 state <=",
            ),
            (
                true,
                NotifyEvent::Stop,
                "VRRP Group N - Stopping => All VRRP group instances are now stopping <=",
            ),
        ] {
            assert_eq!(text(group, event), wanted);
        }
    }
}
