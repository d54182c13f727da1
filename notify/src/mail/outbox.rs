//! Which mail goes out next, and when.
//!
//! The first changes of state are mails of their own, at once. In a storm (a switch fails, and with
//! it a thousand servers) what waits is gathered and becomes one mail: nobody reads a thousand, and no
//! mail server takes them kindly. A mail that cannot be handed over is tried again for an hour; what
//! happens meanwhile waits and is gathered as well. Nothing here opens a socket or reads a clock.

use std::collections::VecDeque;
use std::time::Duration;

use scheduler::Time;

use super::Alert;

/// Waiting alerts up to this number become mails of their own.
pub(crate) const FEW: usize = 3;
/// How long the oldest of more than [`FEW`] waits for others.
const GATHERING: Duration = Duration::from_secs(1);
/// Mails that may begin within [`PERIOD`].
const BURST: usize = 8;
const PERIOD: Duration = Duration::from_secs(10);
/// Alerts in one mail.
const MAX_MERGED: usize = 1000;
/// Alerts that may wait; what exceeds it is dropped and counted.
pub(crate) const MAX_WAITING: usize = 4096;
/// Until the second try; doubles with each.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(300);
/// A mail that is older is not tried again.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// A mail that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Without the director's name.
    pub subject: String,
    pub body: String,
    /// When what it tells of happened, as header lines say it.
    pub date: String,
    /// Recipients that are still to get it; none means all that are configured.
    pub to: Option<Vec<String>>,
    /// How many alerts are in it.
    pub alerts: u64,
    created: Time,
    tries: u32,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, before something happens.
    Nothing,
    /// Ask again at this moment.
    At(Time),
    /// Send this, then call [`Outbox::sent`] or [`Outbox::failed`].
    Send(Letter),
}

#[derive(Debug)]
struct Waiting {
    alert: Alert,
    since: Time,
    date: String,
}

/// The alerts and the mail that wait.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Waiting>,
    /// Being sent, or failed and to be tried again at the moment.
    letter: Option<(Letter, Time)>,
    sending: bool,
    /// When the last mails began.
    begun: VecDeque<Time>,
    /// Alerts that did not fit since the last gathered mail.
    missing: u64,
}

impl Outbox {
    /// Adds an alert; false when there is no room for it.
    pub fn push(&mut self, now: Time, alert: Alert, date: String) -> bool {
        if self.waiting.len() >= MAX_WAITING {
            self.missing = self.missing.saturating_add(1);
            return false;
        }
        self.waiting.push_back(Waiting { alert, since: now, date });
        true
    }

    /// What to do now. `hurry` waits for nothing: the daemon is about to end.
    pub fn next(&mut self, now: Time, hurry: bool) -> Next {
        if self.sending {
            return Next::Nothing;
        }
        if let Some((_, at)) = &mut self.letter {
            if *at > now && !hurry {
                return Next::At(*at);
            }
        } else {
            let Some(oldest) = self.waiting.front() else { return Next::Nothing };
            let due = self.due(oldest.since);
            if due > now && !hurry {
                return Next::At(due);
            }
            let letter = self.gather(now);
            self.letter = Some((letter, now));
            if self.begun.len() >= BURST {
                self.begun.pop_front();
            }
            self.begun.push_back(now);
        }
        let Some((letter, _)) = &mut self.letter else { return Next::Nothing };
        letter.tries += 1;
        self.sending = true;
        Next::Send(letter.clone())
    }

    /// The mail is gone, or is still to be sent to these.
    pub fn sent(&mut self, now: Time, left: Vec<String>) -> Option<Letter> {
        if left.is_empty() {
            (self.sending, self.letter) = (false, None);
            return None;
        }
        if let Some((letter, _)) = &mut self.letter {
            letter.to = Some(left);
        }
        self.failed(now, false)
    }

    /// The mail could not be sent. Returns it if it is not tried again.
    pub fn failed(&mut self, now: Time, is_final: bool) -> Option<Letter> {
        self.sending = false;
        let (letter, at) = self.letter.as_mut()?;
        let doublings = letter.tries.saturating_sub(1).min(10);
        let pause = (FIRST_RETRY * 2u32.pow(doublings)).min(LAST_RETRY);
        if is_final || (now + pause).since(letter.created) > MAX_AGE {
            return self.letter.take().map(|(letter, _)| letter);
        }
        *at = now + pause;
        None
    }

    /// Whether nothing is being sent and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.letter.is_none() && self.waiting.is_empty()
    }

    /// Drops everything; returns how many mails and alerts that were.
    pub fn clear(&mut self) -> usize {
        let dropped = self.waiting.len() + usize::from(self.letter.is_some());
        self.waiting.clear();
        (self.letter, self.sending, self.missing) = (None, false, 0);
        dropped
    }

    /// When the next mail may begin.
    fn due(&self, oldest: Time) -> Time {
        let gathered = if self.waiting.len() > FEW { oldest + GATHERING } else { oldest };
        match self.begun.front() {
            Some(&first) if self.begun.len() >= BURST => gathered.max(first + PERIOD),
            _ => gathered,
        }
    }

    fn gather(&mut self, now: Time) -> Letter {
        let mut count = self.waiting.len().min(MAX_MERGED);
        if self.waiting.len() <= FEW && self.missing == 0 {
            count = 1;
        }
        let taken: Vec<Waiting> = self.waiting.drain(..count).collect();
        let date = taken.last().map(|last| last.date.clone()).unwrap_or_default();
        let created = taken.first().map_or(now, |first| first.since);
        let alerts = taken.len() as u64;
        let letter =
            |subject, body| Letter { subject, body, date, to: None, alerts, created, tries: 0 };
        if let [only] = taken.as_slice()
            && self.missing == 0
        {
            return letter(only.alert.subject.clone(), arrows(&only.alert.body));
        }
        let mut body: String = taken
            .iter()
            .map(|w| format!("{}\n{}\n{}\n", w.date, w.alert.subject, arrows(&w.alert.body)))
            .collect::<Vec<_>>()
            .join("\n");
        let missing = std::mem::take(&mut self.missing);
        if missing > 0 {
            body.push_str(&format!("\nand {missing} more that there was no room for\n"));
        }
        letter(format!("{} state changes", taken.len()), body)
    }
}

/// The C daemon's way to write a body.
fn arrows(body: &str) -> String {
    format!("=> {body} <=\n")
}

#[cfg(test)]
mod tests;
