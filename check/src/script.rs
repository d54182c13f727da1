//! Scripts named in the configuration: who would run them, whether they are there, and whether
//! running them is safe.
//!
//! A script that cannot be run is not run, and that is no error of the configuration. One that can
//! be run while `enable_script_security` is not set is an error of class [`Class::Security`].

use std::collections::HashMap;

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
    pub(crate) fn notify(command: Command, span: Span) -> Script {
        Script { command, span, misc: false }
    }

    /// The script of a MISC_CHECK, which names its user separately.
    pub(crate) fn misc(command: Command, user: Option<(Word, Option<Word>)>, span: Span) -> Script {
        let (user, group) = user.map_or((None, None), |(user, group)| (Some(user), group));
        Script { command: Command { user, group, ..command }, span, misc: true }
    }
}

/// Checks all scripts, each file once for each user.
pub(crate) fn check(
    scripts: impl Iterator<Item = Script>,
    settings: &Settings,
    ctx: &mut Context<'_>,
) {
    let mut runnable: HashMap<(String, u32, u32), bool> = HashMap::new();
    let fifo = settings.lvs_fifo.script.as_ref();
    let mut any = fifo.is_some_and(|script| security::check(script).is_runnable());
    for Script { command, span, misc } in scripts {
        let named = command.user.is_some();
        let script = match settings.scripts.script(command) {
            Ok(script) => script,
            Err(error) => {
                let message = format!("{error}; script ignored");
                // Only a MISC_CHECK has ever minded a wrong user.
                if error == IdentityError::NoScriptUser || (misc && named) {
                    ctx.report(Class::General, span, message);
                } else {
                    ctx.log(Some(span), message);
                }
                continue;
            }
        };
        let program = script.argv.first().cloned().unwrap_or_default();
        any |= *runnable.entry((program, script.uid, script.gid)).or_insert_with(|| {
            let verdict = security::check(&script);
            if verdict != Verdict::Ok {
                ctx.log(Some(span), format!("script {}: {verdict}", script.text));
            }
            verdict.is_runnable()
        });
    }
    if any && !settings.scripts.security {
        ctx.report_general(
            Class::Security,
            "SECURITY VIOLATION - check scripts are run, but enable_script_security is not set",
        );
    }
}
