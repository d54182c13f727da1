//! Mails about changes of state.
//!
//! [`alert`] only queues; everything else is of the lowest class: one connection at a time, nothing
//! waits for a mail server but the mails themselves. What goes out when is `outbox`'s; what is said
//! to the server `dialogue`'s; what the mail looks like `message`'s. `session` has the connection,
//! [`sender`] brings all of it under the scheduler.
//!
//! Beyond what the C daemon does, on request only: TLS and passwords (`smtp_starttls`, `smtp_auth`).

pub(crate) mod dialogue;
mod message;
mod outbox;
mod reply;
pub(crate) mod resolve;
mod sender;
mod session;
mod stream;

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use scheduler::Scheduler;

use crate::config::{Mail, Settings};
use crate::notifier::HasNotify;
use outbox::{MAX_WAITING, Outbox};
use resolve::Resolver;
use stream::Tls;

pub(crate) use sender::{give_up, hurry};

/// A change of state that is to be told by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What became of what: `VRRP Instance VI_1 - Entering MASTER state`. The mail's subject puts
    /// the director's name before it.
    pub subject: String,
    /// One line: `VRRP Instance is now owning VRRP VIPs`. The mail has it between arrows.
    pub body: String,
}

/// What mails need of the configuration.
#[derive(Debug)]
struct Sending {
    mail: Mail,
    /// The sender. Looked up once: the account's name may have to be asked for.
    from: String,
    router_id: String,
    tls: Option<Tls>,
}

/// The mails that wait, and the one that is on its way.
#[derive(Debug)]
pub(crate) struct Mailer {
    sending: Option<Rc<Sending>>,
    /// Tells whom to ask for the server's addresses.
    resolver: fn() -> Resolver,
    tells_faults: bool,
    outbox: Outbox,
    work: sender::Work,
    /// The event that looks what is next is armed.
    armed: bool,
    hurry: bool,
    lost: u64,
}

impl Default for Mailer {
    fn default() -> Self {
        Mailer {
            sending: None,
            resolver: Resolver::read,
            tells_faults: true,
            outbox: Outbox::default(),
            work: sender::Work::default(),
            armed: false,
            hurry: false,
            lost: 0,
        }
    }
}

impl Mailer {
    /// Whether mails about changes to FAULT are wanted.
    pub fn tells_faults(&self) -> bool {
        self.tells_faults
    }

    /// Alerts that are in no mail that was sent: too many waited, or a mail could not be sent.
    #[cfg(test)]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether nothing waits and nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.outbox.is_idle()
    }
}

/// Queues a mail, unless no server or no recipient is configured. Under a virtual clock there are
/// no mail servers, and nothing is queued.
pub fn alert<W: HasNotify + 'static>(s: &mut Scheduler<W>, w: &mut W, alert: Alert) {
    let mailer = &mut w.notify().mail;
    if s.is_simulated() || mailer.sending.is_none() {
        return;
    }
    if !mailer.outbox.push(s.now(), alert, now()) {
        mailer.lost = mailer.lost.saturating_add(1);
        if mailer.lost.is_power_of_two() {
            log::warn!(
                "more than {MAX_WAITING} alerts wait for a mail (lost so far: {})",
                mailer.lost
            );
        }
    }
    sender::arm(s, w);
}

/// Takes over what the configuration says about mails, at the start and after each reload. A mail
/// that is on its way goes on; those that wait follow the new settings.
pub fn configure_mail<W: HasNotify + 'static>(
    s: &mut Scheduler<W>,
    w: &mut W,
    settings: &Settings,
    router_id: &str,
) {
    let mailer = &mut w.notify().mail;
    mailer.tells_faults = !settings.no_email_faults;
    let mail = &settings.mail;
    if mail.server.is_none() || mail.to.is_empty() {
        mailer.sending = None;
        let dropped = mailer.outbox.clear();
        if dropped > 0 {
            log::warn!("no mails are configured any more; {dropped} that waited are not sent");
        }
        return;
    }
    let unchanged = |sending: &Rc<Sending>| sending.mail == *mail && sending.router_id == router_id;
    if mailer.sending.as_ref().is_some_and(unchanged) {
        return;
    }
    let tls = mail.encryption.and_then(|encryption| {
        let tls = Tls::new(encryption);
        tls.inspect_err(|e| log::error!("mails cannot be sent under TLS: {e}")).ok()
    });
    let router_id = router_id.to_owned();
    let from = mail.sender();
    mailer.sending = Some(Rc::new(Sending { mail: mail.clone(), from, router_id, tls }));
    sender::arm(s, w);
}

/// This moment as RFC 5322 section 3.3 writes it, in the zone of this host.
fn now() -> String {
    let past = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs());
    calendar::local(past.cast_signed(), c"%a, %d %b %Y %H:%M:%S %z")
}

#[cfg(test)]
mod tests;
