//! The JSON file: one line without blanks, members in the documented order.
//!
//! Written by hand: readers compare texts, and no library escapes `/` or prints `%g`.

use std::fmt::Write;
use std::rc::Rc;

use super::clock::Clock;
use super::snapshot::Snapshot;
use super::text::{general, number, signed, stamp};
use super::{address, instance, path, path_text, scripts};
use crate::config::{
    AddressSettings, Authentication, InstanceSettings, Parameters, PathSettings, Track,
};
use crate::instance::Instance;
use crate::packet::Counter;
use crate::process::Quorum;
use crate::state::State;
use notify::Script;

/// The whole file, newline included.
pub(super) fn print(s: &Snapshot<'_>, clock: &Clock) -> String {
    let instances = s.router.instances();
    if instances.is_empty() {
        return String::new();
    }
    let (head, tail) = match s.router.globals().json_version {
        2 => ("{\"vrrp\":[", "]}\n"),
        _ => ("[", "]\n"),
    };
    let mut json = Json {
        out: String::with_capacity(64 + 1536 * instances.len()),
        scratch: String::new(),
        commands: s.checks.iter().map(|c| (c.settings.name.as_str(), &c.settings.script)).collect(),
    };
    json.out.push_str(head);
    for (i, instance) in instances.iter().enumerate() {
        json.out.push_str(if i == 0 { "{\"data\":{" } else { ",{\"data\":{" });
        json.data(instance, clock);
        json.out.push_str("},\"stats\":{");
        for (name, value) in instance.stats.entries().into_iter().take(Counter::DUMPED) {
            json.number(name, signed(value));
        }
        json.out.push_str("}}");
    }
    if s.router.globals().json_version == 2 && !s.quorums.is_empty() {
        json.out.push_str("],\"track_process\":[");
        for (i, quorum) in s.quorums.iter().enumerate() {
            json.out.push_str(if i == 0 { "{" } else { ",{" });
            json.process(quorum);
            json.out.push('}');
        }
    }
    json.out.push_str(tail);
    json.out
}

struct Json<'a> {
    out: String,
    /// A text before it is escaped.
    scratch: String,
    /// Commands of scripts: what tells them apart here.
    commands: std::collections::HashMap<&'a str, &'a Script>,
}

impl Json<'_> {
    fn process(&mut self, quorum: &Quorum) {
        let c = &quorum.settings;
        if let Some((program, parameters)) = c.process.split_first() {
            self.text("process", program);
            if !parameters.is_empty() {
                self.text("parameters", &parameters.join(" "));
            }
        }
        let matched = match c.parameters {
            None => "none",
            Some(Parameters::Exact) => "exact",
            Some(Parameters::Partial) => "partial",
            Some(Parameters::Initial) => "initial",
        };
        self.text("param_match", matched);
        self.number("min_processes", c.quorum);
        if let Some(max) = c.quorum_max {
            self.number("max_processes", max);
        }
        self.number("current_processes", quorum.count());
        self.boolean("have_quorum", quorum.is_had());
        self.number("weight", if c.reverse { -c.weight } else { c.weight });
        self.seconds("terminate_delay", c.terminate_delay);
        self.seconds("fork_delay", c.fork_delay);
        self.boolean("fork_delay_timer_running", quorum.waits_for_fork());
        self.boolean("terminate_delay_timer_running", quorum.waits_for_exit());
        self.boolean("full_command", c.full_command);
    }

    fn key(&mut self, name: &str) {
        self.out.push_str(if self.out.ends_with('{') { "\"" } else { ",\"" });
        self.out.push_str(name);
        self.out.push_str("\":");
    }

    fn text(&mut self, name: &str, value: &str) {
        self.key(name);
        quote(&mut self.out, value);
    }

    fn number(&mut self, name: &str, value: impl Into<i64>) {
        self.key(name);
        number(&mut self.out, value.into());
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.key(name);
        self.out.push_str(if value { "true" } else { "false" });
    }

    fn seconds(&mut self, name: &str, value: std::time::Duration) {
        self.key(name);
        general(&mut self.out, value);
    }

    fn data(&mut self, inst: &Instance, clock: &Clock) {
        let c = &*inst.settings;
        self.text("iname", &c.name);
        self.number("dont_track_primary", c.dont_track_primary);
        self.number("skip_check_adv_addr", c.skip_check_adv_addr);
        self.number("strict_mode", c.strict);
        self.text("vmac_ifname", c.vmac.as_ref().map_or("", |vmac| &vmac.name));
        if let Some(interface) = c.own_interface() {
            self.text("ifp_ifname", interface);
        }
        self.number("master_priority", inst.master_priority);
        self.key("last_transition");
        stamp(&mut self.out, clock.wall(inst.last_transition));
        self.announcements(c);
        self.number("vrid", c.vrid);
        self.number("base_priority", c.priority);
        self.number("effective_priority", inst.effective_priority());
        self.boolean("vipset", inst.state() == State::Master);
        self.boolean("promote_secondaries", c.promote_secondaries);
        self.seconds("adver_int", c.advert_interval);
        self.seconds("master_adver_int", inst.master_interval);
        self.number("accept", c.accept);
        self.boolean("nopreempt", c.nopreempt);
        self.number("preempt_delay", signed(c.preempt_delay.as_secs()));
        self.number("state", inst.state() as u8);
        self.number("wantstate", instance::wanted(inst) as u8);
        self.number("version", c.version.number());
        self.boolean("smtp_alert", c.notify.smtp_alert);
        self.boolean("notify_deleted", c.notify.report_deleted);
        self.scripts(c);
        self.addresses("vips", c, &c.addresses, address::held(inst));
        self.addresses("evips", c, &c.excluded, address::held(inst));
        self.paths("vroutes", &c.paths, true);
        self.paths("vrules", &c.paths, false);
        self.names("track_ifp", &c.track_interfaces);
        self.commands(&c.track_scripts);
        self.names("track_process", &c.track_processes);
        self.number("auth_type", c.authentication.number());
        if c.authentication != Authentication::None {
            self.text("auth_data", "********");
        }
    }

    fn announcements(&mut self, c: &InstanceSettings) {
        self.seconds("garp_delay", c.garp.delay);
        self.number("garp_refresh", signed(c.garp.refresh.as_secs()));
        self.number("garp_rep", c.garp.repeat);
        self.number("garp_refresh_rep", c.garp.refresh_repeat);
        self.number("garp_lower_prio_delay", signed(c.garp.lower_prio_delay.as_secs()));
        self.number("garp_lower_prio_rep", c.garp.lower_prio_repeat);
        self.number("lower_prio_no_advert", c.lower_prio_no_advert);
        self.number("higher_prio_send_advert", c.higher_prio_send_advert);
    }

    fn scripts(&mut self, c: &InstanceSettings) {
        let n = &c.notify;
        let rows = [
            ("script_backup", &n.backup),
            ("script_master", &n.master),
            ("script_fault", &n.fault),
            ("script_stop", &n.stop),
            ("script_deleted", &n.deleted),
            ("script", &n.generic),
            ("script_master_rx_lower_pri", &n.master_rx_lower_pri),
        ];
        for (name, script) in rows {
            if let Some(script) = script {
                self.key(name);
                self.scratched(|text| scripts::command(text, script));
            }
        }
    }

    /// A list of texts; absent when it would be empty.
    fn list<T>(&mut self, name: &str, list: &[T], mut element: impl FnMut(&mut Self, &T)) {
        if list.is_empty() {
            return;
        }
        self.key(name);
        self.out.push('[');
        for (i, item) in list.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            element(self, item);
        }
        self.out.push(']');
    }

    fn addresses(
        &mut self,
        name: &str,
        c: &InstanceSettings,
        list: &[AddressSettings],
        held: &str,
    ) {
        self.list(name, list, |json, a| {
            let parent = c.parent_of(&a.interface);
            json.scratched(|text| address::address(text, a, parent, held));
        });
    }

    fn paths(&mut self, name: &str, list: &[Rc<PathSettings>], routes: bool) {
        let list: Vec<_> = path::of_kind(list, routes).collect();
        self.list(name, &list, |json, p| quote(&mut json.out, &path_text(p)));
    }

    fn names(&mut self, name: &str, list: &[Track]) {
        self.list(name, list, |json, track| quote(&mut json.out, &track.name));
    }

    fn commands(&mut self, list: &[Track]) {
        self.list("track_script", list, |json, track| {
            match json.commands.get(track.name.as_str()).copied() {
                Some(script) => json.scratched(|text| scripts::command(text, script)),
                None => quote(&mut json.out, &track.name),
            }
        });
    }

    /// Quotes what `write` writes.
    fn scratched(&mut self, write: impl FnOnce(&mut String)) {
        self.scratch.clear();
        write(&mut self.scratch);
        quote(&mut self.out, &self.scratch);
    }
}

/// A JSON string. The slash is escaped too, as readers who compare texts expect.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|b| b < b' ' || matches!(b, b'"' | b'\\' | b'/')) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\u{8}') => out.push_str("\\b"),
            Some(c) if c < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            Some(c) => out.extend(['\\', c]),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn strings_are_escaped() {
        let mut out = String::new();
        quote(&mut out, "a/b\\c\"d\t\n\r\u{c}\u{8}\u{1}é/");
        assert_eq!(out, r#""a\/b\\c\"d\t\n\r\f\b\u0001é\/""#);
        let back: String = serde_json::from_str(&out).unwrap();
        assert_eq!(back, "a/b\\c\"d\t\n\r\u{c}\u{8}\u{1}é/");
    }
}
