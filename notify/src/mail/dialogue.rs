//! What is said to a mail server, and what its answers mean (RFC 5321). Opens no socket and knows no
//! time: bytes go in and come out.
//!
//! A recipient that the server refuses does not keep the mail from the others; one that it refuses
//! for now (a code of 400 and up) is reported, to be tried again.

use std::fmt;
use std::str::FromStr;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, ServerInfo};

use super::reply::{Malformed, Replies, Reply};
use crate::config::Encryption;

/// Questions a server may ask before it accepts a password.
const MAX_CHALLENGES: u32 = 3;

/// A mail and how it is to be handed over.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Our name.
    pub helo: String,
    /// Without angle brackets.
    pub from: String,
    /// Without angle brackets.
    pub to: Vec<String>,
    /// As sent behind DATA.
    pub message: Vec<u8>,
    /// `smtp_starttls`.
    pub encryption: Option<Encryption>,
    /// `smtp_auth`.
    pub credentials: Option<Credentials>,
}

/// What the dialogue needs next, when nothing is left to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More bytes from the server.
    Receive,
    /// A TLS handshake, then [`Dialogue::secured`].
    Secure,
    /// Nothing: [`Dialogue::outcome`] says how it went.
    Close,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server has the mail, for all recipients but these.
    Sent(Vec<Refused>),
    /// It has not.
    Failed(Failure),
}

/// A recipient the server did not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Position in the plan.
    pub recipient: usize,
    /// The server's code.
    pub code: u16,
}

/// Why the server has not got the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It answered this command with this code.
    Code(&'static str, u16),
    /// It does not speak the protocol.
    Malformed(Malformed),
    /// It closed the connection.
    Closed,
    /// It offers no STARTTLS.
    NoTls,
    /// It offers no way to give the password that we know.
    NoAuth,
    /// It said something between STARTTLS and the handshake, which somebody else may have put there.
    Injected,
}

impl Failure {
    /// Whether trying again is no use.
    pub fn is_final(self) -> bool {
        matches!(self, Failure::Code(_, 500..))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Code(command, code) => write!(f, "answered {command} with {code}"),
            Failure::Malformed(error) => error.fmt(f),
            Failure::Closed => f.write_str("closed the connection"),
            Failure::NoTls => f.write_str("offers no STARTTLS"),
            Failure::NoAuth => f.write_str("takes passwords neither by PLAIN nor by LOGIN"),
            Failure::Injected => f.write_str("sent something ahead of the TLS handshake"),
        }
    }
}

/// What the next reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Auth(Mechanism, u32),
    Mail,
    Rcpt(usize),
    Data,
    Body,
    Quit,
}

impl Stage {
    /// The C daemon's name for it.
    const fn command(self) -> &'static str {
        match self {
            Stage::Greeting => "(E)SMTP",
            Stage::Ehlo => "EHLO",
            Stage::Helo => "HELO",
            Stage::StartTls => "STARTTLS",
            Stage::Auth(..) => "AUTH",
            Stage::Mail => "MAIL",
            Stage::Rcpt(_) => "RCPT",
            Stage::Data => "DATA",
            Stage::Body => "BODY",
            Stage::Quit => "QUIT",
        }
    }
}

/// A conversation with a mail server.
#[derive(Debug)]
pub(crate) struct Dialogue {
    plan: Plan,
    stage: Stage,
    replies: Replies,
    output: Vec<u8>,
    sent: usize,
    secured: bool,
    refused: Vec<Refused>,
    outcome: Option<Outcome>,
}

impl Dialogue {
    /// Begins with the server's greeting.
    pub fn new(plan: Plan) -> Self {
        Dialogue {
            plan,
            stage: Stage::Greeting,
            replies: Replies::default(),
            output: Vec::new(),
            sent: 0,
            secured: false,
            refused: Vec::new(),
            outcome: None,
        }
    }

    /// What is to be sent.
    pub fn output(&self) -> &[u8] {
        self.output.get(self.sent..).unwrap_or_default()
    }

    /// That many bytes of the output are sent.
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.output().is_empty() {
            self.output.clear();
            self.sent = 0;
        }
    }

    /// Whether the server has greeted.
    pub fn has_begun(&self) -> bool {
        self.stage != Stage::Greeting
    }

    /// How it went, once that is known.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Takes what the server has sent.
    pub fn received(&mut self, mut bytes: &[u8]) -> Step {
        while !bytes.is_empty() {
            let (used, reply) = self.replies.take(bytes);
            bytes = bytes.get(used..).unwrap_or_default();
            match reply {
                None => break,
                Some(Err(error)) => return self.break_off(Failure::Malformed(error)),
                Some(Ok(reply)) => match self.answered(&reply) {
                    Step::Receive => {}
                    Step::Secure if !bytes.is_empty() => return self.break_off(Failure::Injected),
                    step => return step,
                },
            }
        }
        Step::Receive
    }

    /// The server has closed the connection.
    pub fn closed(&mut self) -> Step {
        self.break_off(Failure::Closed)
    }

    /// The handshake is done.
    pub fn secured(&mut self) {
        self.secured = true;
        self.say(Stage::Ehlo, Ehlo::new(ClientId::Domain(self.plan.helo.clone())));
    }

    /// Ends without a farewell. A mail that the server has got stays sent.
    fn break_off(&mut self, failure: Failure) -> Step {
        self.outcome.get_or_insert(Outcome::Failed(failure));
        Step::Close
    }

    fn answered(&mut self, reply: &Reply) -> Step {
        match (self.stage, reply.code) {
            (Stage::Greeting, 220) => self.greet(),
            (Stage::Ehlo, 250) => self.choose(reply),
            (Stage::Ehlo, 500..) if self.plan.encryption == Some(Encryption::Offered) => {
                self.say(Stage::Helo, self.helo());
            }
            (Stage::StartTls, 220) => return Step::Secure,
            (Stage::StartTls, _) if self.plan.encryption == Some(Encryption::Offered) => {
                self.mail()
            }
            (Stage::Auth(mechanism, asked), 334) => {
                self.challenged(mechanism, asked, reply);
            }
            (Stage::Helo, 250) | (Stage::Auth(..), 235) => self.mail(),
            (Stage::Mail, 250) => self.rcpt(0),
            (Stage::Rcpt(recipient), 250 | 251) => self.after_rcpt(recipient),
            (Stage::Rcpt(recipient), code) if code != 421 => {
                self.refused.push(Refused { recipient, code });
                self.after_rcpt(recipient);
            }
            (Stage::Data, 354) => {
                self.output.append(&mut self.plan.message);
                self.stage = Stage::Body;
            }
            (Stage::Body, 250) => {
                let refused = std::mem::take(&mut self.refused);
                self.quit(Outcome::Sent(refused));
            }
            (Stage::Quit, _) => return Step::Close,
            (stage, code) => self.fail(Failure::Code(stage.command(), code)),
        }
        Step::Receive
    }

    fn greet(&mut self) {
        if self.plan.encryption.is_some() || self.plan.credentials.is_some() {
            self.say(Stage::Ehlo, Ehlo::new(ClientId::Domain(self.plan.helo.clone())));
        } else {
            self.say(Stage::Helo, self.helo());
        }
    }

    fn helo(&self) -> String {
        format!("HELO {}\r\n", self.plan.helo)
    }

    /// The server has said what it offers.
    fn choose(&mut self, reply: &Reply) {
        let offers = reply.response().and_then(|r| ServerInfo::from_response(&r).ok());
        let offers = offers.unwrap_or_default();
        if !self.secured && self.plan.encryption.is_some() {
            if offers.supports_feature(Extension::StartTls) && super::stream::HAS_TLS {
                return self.say(Stage::StartTls, Starttls);
            }
            if self.plan.encryption != Some(Encryption::Offered) {
                return self.fail(Failure::NoTls);
            }
        }
        if let Some(credentials) = self.plan.credentials.clone() {
            let known = [Mechanism::Plain, Mechanism::Login];
            let chosen = offers.get_auth_mechanism(&known);
            let first = chosen.and_then(|m| Some((m, Auth::new(m, credentials, None).ok()?)));
            match first {
                // A password in the clear is everybody's.
                _ if !self.secured => self.fail(Failure::NoTls),
                Some((mechanism, auth)) => self.say(Stage::Auth(mechanism, 0), auth),
                None => self.fail(Failure::NoAuth),
            }
            return;
        }
        self.mail();
    }

    fn challenged(&mut self, mechanism: Mechanism, asked: u32, reply: &Reply) {
        let auth = self
            .plan
            .credentials
            .clone()
            .zip(reply.response())
            .and_then(|(c, response)| Auth::new_from_response(mechanism, c, &response).ok());
        match auth {
            Some(auth) if asked < MAX_CHALLENGES => {
                self.say(Stage::Auth(mechanism, asked + 1), auth);
            }
            _ => self.fail(Failure::Code("AUTH", reply.code)),
        }
    }

    /// Addresses that lettre does not take (`root`, say) are for the server to judge.
    fn mail(&mut self) {
        let from = &self.plan.from;
        let text = match Address::from_str(from) {
            Ok(address) => Mail::new(Some(address), Vec::new()).to_string(),
            Err(_) => format!("MAIL FROM:<{from}>\r\n"),
        };
        self.say(Stage::Mail, text);
    }

    fn rcpt(&mut self, recipient: usize) {
        let Some(to) = self.plan.to.get(recipient) else {
            return self.fail(Failure::Code("RCPT", 550));
        };
        let text = match Address::from_str(to) {
            Ok(address) => Rcpt::new(address, Vec::new()).to_string(),
            Err(_) => format!("RCPT TO:<{to}>\r\n"),
        };
        self.say(Stage::Rcpt(recipient), text);
    }

    fn after_rcpt(&mut self, recipient: usize) {
        if recipient + 1 < self.plan.to.len() {
            return self.rcpt(recipient + 1);
        }
        if self.refused.len() < self.plan.to.len() {
            return self.say(Stage::Data, Data);
        }
        // Trying again is of use if it is for one of them.
        let least = self.refused.iter().map(|refused| refused.code).min().unwrap_or(550);
        self.fail(Failure::Code("RCPT", least));
    }

    fn fail(&mut self, failure: Failure) {
        self.quit(Outcome::Failed(failure));
    }

    fn quit(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
        self.say(Stage::Quit, Quit);
    }

    fn say(&mut self, stage: Stage, command: impl fmt::Display) {
        self.stage = stage;
        self.output.extend(command.to_string().bytes());
    }
}

#[cfg(test)]
mod tests;
