//! From lines to [`Settings`]: what has been read so far.
//!
//! One line of the top level at a time, so that a reload can be spread over several passes of the
//! scheduler; every name is found by hash, so that thousands of instances cost thousands of steps.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use config::{Class, Context, Line, Span, Word, number};

use super::draft::{GroupDraft, InstanceDraft};
use super::globals::GlobalsDraft;
use super::host::{Host, InterfaceFacts};
use super::names::{NameTable, Names};
use super::process::ProcessDraft;
use super::root::ROOT;
use super::trackers::{FileDraft, ScriptDraft};
use super::{
    AddressSettings, FileSettings, GarpGroup, PathSettings, ProcessSettings, ScriptSettings,
    SessionSettings, Settings,
};
use crate::io::LinkMethod;

/// VRRP cannot run with this configuration; the process would end with status 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, as it was reported.
    pub reasons: Vec<String>,
}

impl Refused {
    /// Status the daemon ends with.
    pub const EXIT_STATUS: i32 = 2;
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VRRP cannot run with this configuration: {}", self.reasons.join("; "))
    }
}

impl std::error::Error for Refused {}

/// What looking for an interface yields.
pub(super) enum Lookup {
    /// It exists.
    Found(InterfaceFacts),
    /// It does not exist, but may be created later (`dynamic_interfaces`).
    Later,
    /// It does not exist; that has been reported.
    Missing,
}

/// Collects a configuration.
///
/// Hand it the `global_defs` lines first, so that defaults do not depend on where they stand, then
/// every other line of the top level in file order; lines that are not of VRRP are left alone.
pub struct Builder {
    pub(super) host: Rc<dyn Host>,
    pub(super) notify: notify::Settings,
    pub(super) globals: GlobalsDraft,
    names: Names,
    /// Blocks while they are read.
    pub(super) draft: InstanceDraft,
    /// Every address and interface of it so far; true for those of `addresses`.
    pub(super) seen: HashMap<(IpAddr, String), bool>,
    pub(super) group: GroupDraft,
    pub(super) script: ScriptDraft,
    pub(super) file: FileDraft,
    pub(super) process: ProcessDraft,
    pub(super) track_group: Option<Vec<String>>,
    pub(super) garp_group: GarpGroup,
    /// Blocks that were read. Trackers come with whether something refers to them.
    pub(super) instances: Vec<InstanceDraft>,
    pub(super) instance_index: HashMap<String, usize>,
    pub(super) groups: Vec<GroupDraft>,
    pub(super) group_names: HashSet<String>,
    pub(super) scripts: Vec<(ScriptSettings, bool)>,
    pub(super) script_index: HashMap<String, usize>,
    pub(super) files: Vec<(FileSettings, bool)>,
    pub(super) file_index: HashMap<String, usize>,
    pub(super) processes: Vec<(ProcessSettings, bool)>,
    pub(super) process_index: HashMap<String, usize>,
    pub(super) bfds: HashMap<String, (i32, bool)>,
    /// The same, in file order.
    pub(super) sessions: Vec<SessionSettings>,
    pub(super) track_groups: HashMap<String, Vec<String>>,
    pub(super) track_group_order: Vec<String>,
    pub(super) static_addresses: Vec<AddressSettings>,
    pub(super) static_routes: Vec<Rc<PathSettings>>,
    pub(super) static_rules: Vec<Rc<PathSettings>>,
    pub(super) garp_groups: Vec<GarpGroup>,
    pub(super) garp_members: HashSet<String>,
    /// `linkbeat_interfaces`.
    pub(super) linkbeat: Vec<(String, Option<LinkMethod>)>,
    /// `linkbeat_use_polling`, of all.
    pub(super) polls_all: bool,
    pub(super) debounce: Vec<(String, std::time::Duration, std::time::Duration)>,
    /// Rules that name no preference, of IPv4 and of IPv6.
    pub(super) rules_without_preference: [u32; 2],
    /// Names of VMACs, with the first instance that uses each.
    pub(super) vmac_names: HashMap<String, String>,
    /// VMACs by parent and MAC address.
    pub(super) vmacs: HashMap<(String, [u8; 6]), String>,
    /// What concerns the configuration as a whole.
    pub(super) contains_vrrp: bool,
    pub(super) missing_interface: bool,
    pub(super) refused: Vec<String>,
}

impl Builder {
    /// A builder without anything in it. `notify` is what `global_defs` says about scripts.
    pub fn new(host: Rc<dyn Host>, notify: notify::Settings) -> Self {
        Builder {
            host,
            notify,
            globals: GlobalsDraft::default(),
            names: Names::default(),
            draft: InstanceDraft::default(),
            seen: HashMap::new(),
            group: GroupDraft::default(),
            script: ScriptDraft::default(),
            file: FileDraft::default(),
            process: ProcessDraft::default(),
            track_group: None,
            garp_group: GarpGroup::default(),
            instances: Vec::new(),
            instance_index: HashMap::new(),
            groups: Vec::new(),
            group_names: HashSet::new(),
            scripts: Vec::new(),
            script_index: HashMap::new(),
            files: Vec::new(),
            file_index: HashMap::new(),
            processes: Vec::new(),
            process_index: HashMap::new(),
            bfds: HashMap::new(),
            sessions: Vec::new(),
            track_groups: HashMap::new(),
            track_group_order: Vec::new(),
            static_addresses: Vec::new(),
            static_routes: Vec::new(),
            static_rules: Vec::new(),
            garp_groups: Vec::new(),
            garp_members: HashSet::new(),
            linkbeat: Vec::new(),
            polls_all: false,
            debounce: Vec::new(),
            rules_without_preference: [0; 2],
            vmac_names: HashMap::new(),
            vmacs: HashMap::new(),
            contains_vrrp: false,
            missing_interface: false,
            refused: Vec::new(),
        }
    }

    /// Takes one line of the top level.
    pub fn apply(&mut self, line: &Line, ctx: &mut Context<'_>) {
        match line.name() {
            "bfd_instance" => self.note_bfd(line),
            _ => {
                ROOT.apply(self, line, ctx);
            }
        }
    }

    /// Whether there is anything for VRRP to do.
    pub fn contains_vrrp(&self) -> bool {
        self.contains_vrrp
    }

    /// Checks everything against everything else.
    ///
    /// # Errors
    /// When VRRP could not run with it. The reasons have been reported to `ctx`.
    pub fn finish(self, ctx: &mut Context<'_>) -> Result<Settings, Refused> {
        super::finish::finish(self, ctx)
    }

    /// Reports what keeps VRRP from running.
    pub(super) fn refuse(&mut self, ctx: &mut Context<'_>, span: Option<Span>, message: String) {
        match span {
            Some(span) => ctx.report(Class::General, span, message.clone()),
            None => ctx.report_general(Class::General, message.clone()),
        }
        self.refused.push(message);
    }

    /// Looks for the interface `word` names; `what` says, if asked, whose it is.
    pub(super) fn interface(
        &mut self,
        word: &Word,
        what: impl FnOnce(&Builder) -> String,
        ctx: &mut Context<'_>,
    ) -> Lookup {
        let message = |builder: &Builder| {
            format!("WARNING - interface {} for {} doesn't exist", word.text, what(builder))
        };
        self.look_up(word, message, ctx)
    }

    /// As [`Builder::interface`], in the words of `track_interface`.
    pub(super) fn tracked_interface(
        &mut self,
        word: &Word,
        owner: &str,
        ctx: &mut Context<'_>,
    ) -> Lookup {
        let message =
            |_: &Builder| format!("({owner}) tracked interface {} doesn't exist", word.text);
        self.look_up(word, message, ctx)
    }

    fn look_up(
        &mut self,
        word: &Word,
        message: impl FnOnce(&Builder) -> String,
        ctx: &mut Context<'_>,
    ) -> Lookup {
        let name = &word.text;
        if let Some(facts) = self.host.interface(name) {
            return Lookup::Found(facts);
        }
        if self.globals.settings.dynamic_interfaces {
            let message = format!(
                "Configuration specifies interface {name} which doesn't currently exist - will \
                 use if created"
            );
            ctx.log(Some(word.span), message);
            return Lookup::Later;
        }
        let names = self.host.interface_names();
        let near = config::suggest(name, names.iter().map(String::as_str));
        let help = near.map(config::did_you_mean);
        ctx.report_with_help(Class::General, word.span, message(self), help);
        self.missing_interface = true;
        Lookup::Missing
    }

    /// The number a name of iproute2's tables stands for.
    pub(super) fn name(&mut self, table: NameTable, text: &str, max: u32) -> Option<u32> {
        let recorded = &self.globals.settings.recorded;
        let (usr, etc) = (&recorded.iproute_usr_dir, &recorded.iproute_etc_dir);
        self.names.find(table, text, max, usr, etc)
    }

    /// Whether `word` names a track group; if not, that is reported.
    pub(super) fn known_track_group(&self, word: &Word, ctx: &mut Context<'_>) -> bool {
        let known = self.track_groups.contains_key(&word.text);
        if !known {
            let message = format!("track_group {} not found", word.text);
            let help = super::track::nearest(&word.text, self.track_groups.keys());
            ctx.report_with_help(Class::General, word.span, message, help);
        }
        known
    }

    /// Keeps what references to a BFD session need; its own crate checks and reports the rest.
    fn note_bfd(&mut self, line: &Line) {
        let Some(name) = line.first() else { return };
        let has = |name: &str| line.lines().iter().any(|inner| inner.name() == name);
        // A session that is for the checkers alone does not exist here.
        if has("checker") && !has("vrrp") {
            return;
        }
        let (mut weight, mut reverse) = (0, false);
        for inner in line.lines().iter().filter(|inner| inner.name() == "weight") {
            let mut unheard = Vec::new();
            let mut ctx = Context { diagnostics: &mut unheard, mode: config::Mode::Test };
            let value = inner
                .first()
                .and_then(|word| number::int(word, -253, 253, true, &mut ctx, "weight"));
            weight = value.and_then(|v| i32::try_from(v).ok()).unwrap_or(weight);
            reverse = inner.words.get(1).is_some_and(|word| word.text == "reverse");
        }
        if let Entry::Vacant(new) = self.bfds.entry(name.text.clone()) {
            new.insert((weight, reverse));
            self.sessions.push(SessionSettings { name: name.text.clone(), weight, reverse });
        }
    }
}
