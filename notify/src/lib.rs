//! Scripts and FIFOs that tell the world what happened.
//!
//! * [`spawn`] runs a [`Script`]; the caller waits for it. Track scripts and MISC_CHECK use this.
//! * [`security`] says whether a script may be run, and whether root may trust it.
//! * [`Notifier`] has the notify scripts and the FIFOs. [`submit`] queues a script, in order and
//!   one at a time for each object; [`configure_fifos`] opens FIFOs and starts their readers;
//!   [`drain`] is for the daemon's end. The world the scheduler runs on implements [`HasNotify`].

mod config;
mod fifo;
mod identity;
mod notifier;
mod queue;
mod reader;
mod script;
pub mod security;
mod spawn;
mod sys;

pub use config::{FifoSettings, GLOBALS, Mail, Settings};
pub use fifo::vrrp_line;
pub use identity::{Accounts, DEFAULT_USER, Identity, IdentityError, ScriptDefaults};
pub use notifier::{HasNotify, Notifier, configure_fifos, drain, submit};
pub use script::Script;
pub use spawn::{keep_symlinks, remember_limits, signal_group, spawn};
/// shim
pub struct Alert { /// s
pub subject: String, /// b
pub body: String }
/// shim
pub fn alert<W>(_: &mut scheduler::Scheduler<W>, _: &mut W, a: Alert) { log::info!("MAIL {} {}", a.subject, a.body); }
