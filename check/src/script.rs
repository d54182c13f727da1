//! Scripts named in the configuration: who would run them, whether they are there, and whether
//! running them is safe.
//!
//! A script that cannot be run is not run, and that is no error of the configuration. One that can
//! be run while `enable_script_security` is not set is an error of class [`Class::Security`].

use std::collections::HashMap;
use std::rc::Rc;

use config::{Class, Command, Context, Span, Word};
use notify::security::{self, Verdict};
use notify::{IdentityError, Settings};

/// A script that load balancing would run.
pub(crate) struct Script {
    command: Command,
    span: Span,
    misc: bool,
}

impl Script {
    /// A notification script.
    pub(crate) fn new(command: Command, span: Span) -> Script {
        Script { command, span, misc: false }
    }

    /// Makes it the script of a MISC_CHECK, which names its user separately.
    pub(crate) fn run_by(&mut self, user: Option<(Word, Option<Word>)>) {
        (self.command.user, self.command.group) =
            user.map_or((None, None), |(user, group)| (Some(user), group));
        self.misc = true;
    }
}

/// What a configuration says about one command: text, user, group.
type Key = (String, Option<String>, Option<String>);

/// The scripts of a configuration, each once for each user.
pub(crate) struct Scripts {
    settings: Rc<Settings>,
    known: HashMap<Key, Result<Option<Rc<notify::Script>>, IdentityError>>,
    /// Whether a program may be run by a user and group.
    usable: HashMap<(String, u32, u32), bool>,
    /// A script is there that could be run.
    runnable: bool,
}

impl Scripts {
    /// None yet but that of the FIFO.
    pub(crate) fn new(settings: Rc<Settings>) -> Self {
        let fifo = settings.lvs_fifo.script.as_ref();
        let runnable = fifo.is_some_and(|script| security::check(script).is_runnable());
        Scripts { settings, known: HashMap::new(), usable: HashMap::new(), runnable }
    }

    /// The script, unless it cannot be used.
    pub(crate) fn find(
        &mut self,
        script: Script,
        ctx: &mut Context<'_>,
    ) -> Option<Rc<notify::Script>> {
        let Script { command, span, misc } = script;
        let text = |word: &Option<Word>| word.as_ref().map(|word| word.text.clone());
        let named = command.user.is_some();
        let key = (command.text.clone(), text(&command.user), text(&command.group));
        let found = match self.known.get(&key) {
            Some(known) => known.clone(),
            None => {
                let found = self.settings.scripts.script(command);
                let found =
                    found.map(|script| self.usable(&script, span, ctx).then(|| script.into()));
                self.known.insert(key, found.clone());
                found
            }
        };
        found.unwrap_or_else(|error| {
            let message = format!("{error}; script ignored");
            // Only a MISC_CHECK has ever minded a wrong user.
            if error == IdentityError::NoScriptUser || (misc && named) {
                ctx.report(Class::General, span, message);
            } else {
                ctx.log(Some(span), message);
            }
            None
        })
    }

    fn usable(&mut self, script: &notify::Script, span: Span, ctx: &mut Context<'_>) -> bool {
        let program = script.argv.first().cloned().unwrap_or_default();
        let key = (program, script.uid, script.gid);
        if let Some(usable) = self.usable.get(&key) {
            return *usable;
        }
        let verdict = security::check(script);
        if verdict != Verdict::Ok {
            ctx.log(Some(span), format!("script {}: {verdict}", script.text));
        }
        self.runnable |= verdict.is_runnable();
        let usable = match verdict {
            Verdict::Ok => true,
            Verdict::Insecure { .. } => !self.settings.scripts.security,
            Verdict::NotFound { .. } | Verdict::NotExecutable { .. } => false,
        };
        self.usable.insert(key, usable);
        usable
    }

    /// The word about security, once all are found.
    pub(crate) fn finish(self, ctx: &mut Context<'_>) {
        if self.runnable && !self.settings.scripts.security {
            ctx.report_general(
                Class::Security,
                "SECURITY VIOLATION - check scripts are run, but enable_script_security is not set",
            );
        }
    }
}
