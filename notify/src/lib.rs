//! Scripts, FIFOs and mails that tell the world what happened.
//!
//! * [`spawn`] runs a [`Script`]; the caller waits for it. Track scripts and MISC_CHECK use this.
//! * [`security`] says whether a script may be run, and whether root may trust it.
//! * [`Notifier`] has the notify scripts and the FIFOs. [`submit`] queues a script, in order and
//!   one at a time for each object; [`configure_fifos`] opens FIFOs and starts their readers;
//!   [`alert`] queues a mail, [`configure_mail`] says where mails go; [`drain`] is for the daemon's
//!   end. The world the scheduler runs on implements [`HasNotify`].

mod config;
mod fifo;
mod identity;
mod mail;
mod notifier;
mod queue;
mod reader;
pub mod replies;
mod script;
pub mod security;
mod spawn;
mod sys;

pub use config::{Encryption, FifoSettings, GLOBALS, Mail, Settings, host_name};
pub use fifo::vrrp_line;
pub use identity::{Accounts, DEFAULT_USER, Identity, IdentityError, ScriptDefaults};
pub use mail::{Alert, alert, configure_mail};
pub use notifier::{HasNotify, Notifier, configure_fifos, drain, submit};
pub use script::Script;
pub use spawn::{keep_symlinks, remember_limits, signal_group, spawn};
