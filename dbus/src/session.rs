//! A service's side of a connection, without I/O: bytes in, bytes out.

use std::fmt;
use std::str::FromStr;

use crate::message::{self, Draft, Kind, Message};
use crate::object::{self, Interface, Objects, Value};
use crate::wire::Malformed;

/// Most bytes that wait to be sent. Answers on top of that are given up.
const MAX_OUTPUT: usize = 1024 * 1024;
/// Signals are taken while not more bytes than these wait.
const MAX_AHEAD: usize = 64 * 1024;
/// Longest message that is read; longer ones are no calls that anybody here understands, and are read over.
const MAX_MESSAGE: usize = 64 * 1024;
/// Longest line of the authentication, with its end.
const MAX_LINE: usize = 1024;
/// Longest name on a bus.
const MAX_NAME: usize = 255;

/// The bus itself, and its interface.
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const PEER: &str = "org.freedesktop.DBus.Peer";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Names of errors.
mod error {
    pub const FAILED: &str = "org.freedesktop.DBus.Error.Failed";
    pub const INVALID_ARGS: &str = "org.freedesktop.DBus.Error.InvalidArgs";
    pub const UNKNOWN_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";
}

/// The name a service has on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = Malformed;

    /// # Errors
    /// It is none (D-Bus Specification, "Bus names").
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let is_element = |element: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
            !element.is_empty()
                && !element.starts_with(|first: char| first.is_ascii_digit())
                && element.bytes().all(known)
        };
        if text.len() <= MAX_NAME && text.contains('.') && text.split('.').all(is_element) {
            Ok(Name(text.to_owned()))
        } else {
            Err(Malformed("no name for a service on D-Bus"))
        }
    }
}

/// A signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Of which object.
    pub path: String,
    /// Of which of its interfaces.
    pub interface: &'static str,
    /// Its name.
    pub member: &'static str,
    /// Its arguments.
    pub arguments: Vec<Value>,
}

/// A method that was called and answered: now it is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoked {
    /// Of which object.
    pub path: String,
    /// Its name, one of those of the object's interface.
    pub member: &'static str,
}

/// Something to tell the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The name is ours.
    Acquired,
    /// Another one has the name; it will be ours when that one gives it up.
    Queued,
    /// The name is another's now.
    Lost,
}

/// Why a session is at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The bus does not believe who we are.
    Rejected,
    /// The bus refused what a session begins with; its words.
    Refused(String),
    /// What came is no message.
    Malformed(Malformed),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Rejected => f.write_str("the bus rejected the authentication"),
            Ended::Refused(why) => write!(f, "the bus refused: {}", why.escape_debug()),
            Ended::Malformed(why) => write!(f, "the bus sent {why}"),
        }
    }
}

impl From<Malformed> for Ended {
    fn from(why: Malformed) -> Self {
        Ended::Malformed(why)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Lines, until the bus believes who we are.
    Authenticating,
    /// Hello was sent.
    Greeting,
    /// The name was asked for.
    Naming,
    /// Another has the name.
    Waiting,
    /// The name is ours.
    Named,
}

/// A session over one connection.
#[derive(Debug)]
pub struct Session {
    name: Name,
    /// What this machine calls itself, if it has such a name.
    machine: Option<String>,
    stage: Stage,
    /// Number of our last message.
    serial: u32,
    /// Number of our message whose answer is waited for.
    asked: u32,
    input: Vec<u8>,
    /// Bytes of a message that is too long which are still to come.
    skip: usize,
    output: Vec<u8>,
    invoked: Vec<Invoked>,
    news: Vec<News>,
}

impl Session {
    /// Begins on a new connection. `user` is who we are, and the socket must prove it.
    pub fn new(name: Name, user: u32, machine: Option<String>) -> Self {
        // EXTERNAL takes the user's number in decimal, each digit as two hexadecimal ones.
        let user: String = user.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        Session {
            name,
            machine,
            stage: Stage::Authenticating,
            serial: 0,
            asked: 0,
            input: Vec::new(),
            skip: 0,
            output: format!("\0AUTH EXTERNAL {user}\r\n").into_bytes(),
            invoked: Vec::new(),
            news: Vec::new(),
        }
    }

    /// What is to be sent.
    pub fn output(&self) -> &[u8] {
        &self.output
    }

    /// So many bytes of it were sent.
    pub fn sent(&mut self, count: usize) {
        self.output.drain(..count.min(self.output.len()));
    }

    /// What the log should be told since the last time.
    pub fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// The methods that were called since the last time.
    pub fn invoked(&mut self) -> Vec<Invoked> {
        std::mem::take(&mut self.invoked)
    }

    /// Whether the bus has answered to all that a session begins with.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Named)
    }

    /// Whether [`Session::emit`] may be called: the name is ours, and the bus takes what it is sent.
    pub fn takes_signals(&self) -> bool {
        self.stage == Stage::Named && self.output.len() < MAX_AHEAD
    }

    /// Sends a signal to all who listen.
    pub fn emit(&mut self, signal: &Signal) {
        let draft = Draft::signal(&signal.path, signal.interface, signal.member);
        let serial = self.next_serial();
        self.output.extend(draft.values(serial, &signal.arguments));
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.checked_add(1).unwrap_or(1);
        self.serial
    }

    /// Calls a method of the bus.
    fn ask(&mut self, member: &str, arguments: &[Value]) {
        self.asked = self.next_serial();
        self.output.extend(Draft::call(BUS_PATH, BUS, member).values(self.asked, arguments));
    }

    /// Bytes came.
    ///
    /// # Errors
    /// The session is at its end.
    pub fn received(&mut self, bytes: &[u8], objects: &impl Objects) -> Result<(), Ended> {
        self.input.extend(bytes);
        let mut input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while self.skip > 0 || !rest.is_empty() {
            let skipped = self.skip.min(rest.len());
            (self.skip, rest) = (self.skip - skipped, &rest[skipped..]);
            if rest.is_empty() {
                break;
            }
            if self.stage == Stage::Authenticating {
                let line = &rest[..rest.len().min(MAX_LINE)];
                let Some(end) = line.windows(2).position(|two| two == b"\r\n") else {
                    if rest.len() >= MAX_LINE {
                        return Err(Malformed("a line that is too long").into());
                    }
                    break;
                };
                self.line(&rest[..end])?;
                rest = &rest[end + 2..];
                continue;
            }
            let Some(length) = message::length(rest)? else { break };
            if length > MAX_MESSAGE {
                self.skip = length;
                continue;
            }
            let Some(message) = rest.get(..length) else { break };
            self.message(&message::parse(message)?, objects)?;
            rest = &rest[length..];
        }
        let done = input.len() - rest.len();
        input.drain(..done);
        self.input = input;
        Ok(())
    }

    /// A line of the authentication.
    fn line(&mut self, line: &[u8]) -> Result<(), Ended> {
        if !(line == b"OK" || line.starts_with(b"OK ")) {
            return Err(Ended::Rejected);
        }
        self.output.extend(b"BEGIN\r\n");
        self.stage = Stage::Greeting;
        self.ask("Hello", &[]);
        Ok(())
    }

    fn message(&mut self, message: &Message<'_>, objects: &impl Objects) -> Result<(), Ended> {
        match message.kind {
            Kind::Call => self.call(message, objects),
            // Only the bus has anything to answer to us.
            _ if message.sender != BUS => {}
            Kind::Return if message.reply_serial == self.asked => return self.answered(message),
            Kind::Error if message.reply_serial == self.asked => {
                let mut words = message.body;
                let words = words.string().ok().filter(|_| message.signature.starts_with('s'));
                let words = words.unwrap_or(message.error_name);
                return Err(Ended::Refused(words.chars().take(MAX_NAME).collect()));
            }
            Kind::Signal => self.signalled(message)?,
            Kind::Return | Kind::Error | Kind::Other => {}
        }
        Ok(())
    }

    /// The bus answered what a session begins with.
    fn answered(&mut self, message: &Message<'_>) -> Result<(), Ended> {
        match self.stage {
            Stage::Greeting => {
                self.stage = Stage::Naming;
                // No flags: who has the name keeps it, and we wait for it.
                let name = Value::Text(self.name.0.clone());
                self.ask("RequestName", &[name, Value::U32(0)]);
            }
            Stage::Naming => {
                let mut body = message.body;
                match (message.signature, body.u32()?) {
                    // The first owner, or the owner already.
                    ("u", 1 | 4) => self.acquired(),
                    ("u", 2) => {
                        self.stage = Stage::Waiting;
                        self.news.push(News::Queued);
                    }
                    _ => return Err(Malformed("an answer that is none").into()),
                }
            }
            Stage::Authenticating | Stage::Waiting | Stage::Named => {}
        }
        Ok(())
    }

    fn acquired(&mut self) {
        if self.stage != Stage::Named {
            self.stage = Stage::Named;
            self.news.push(News::Acquired);
        }
    }

    /// The bus tells us of names.
    fn signalled(&mut self, message: &Message<'_>) -> Result<(), Ended> {
        if message.interface != BUS || message.signature != "s" {
            return Ok(());
        }
        let mut body = message.body;
        if body.string()? != self.name.0 {
            return Ok(());
        }
        match message.member {
            "NameAcquired" => self.acquired(),
            "NameLost" if self.stage == Stage::Named => {
                self.stage = Stage::Waiting;
                self.news.push(News::Lost);
            }
            _ => {}
        }
        Ok(())
    }

    /// Somebody calls a method.
    fn call(&mut self, call: &Message<'_>, objects: &impl Objects) {
        let answer = self.answer(call, objects);
        if !call.wants_reply || self.output.len() >= MAX_OUTPUT {
            return;
        }
        let serial = self.next_serial();
        self.output.extend(match answer {
            Ok(Answer::Values(values)) => Draft::reply(call).values(serial, &values),
            Ok(Answer::Variant(value)) => {
                Draft::reply(call).body(serial, "v", |body| value.write_variant(body))
            }
            Ok(Answer::Dictionary(entries)) => Draft::reply(call).body(serial, "a{sv}", |body| {
                body.array(8, |body| {
                    for (name, value) in &entries {
                        body.align(8);
                        body.string(name);
                        value.write_variant(body);
                    }
                });
            }),
            Err((name, words)) => Draft::error(call, name).values(serial, &[Value::Text(words)]),
        });
    }

    fn answer(&mut self, call: &Message<'_>, objects: &impl Objects) -> Result<Answer, Failure> {
        let takes = |wanted: &str| {
            if call.signature == wanted {
                return Ok(());
            }
            let words = format!("{} takes ({wanted}), not ({})", call.member, call.signature);
            Err((error::INVALID_ARGS, words))
        };
        // Without an interface the name of the method must do.
        let meant = |interface, member| {
            call.member == member && (call.interface == interface || call.interface.is_empty())
        };
        if meant(PEER, "Ping") {
            return takes("").map(|()| Answer::Values(Vec::new()));
        }
        if meant(PEER, "GetMachineId") {
            takes("")?;
            let machine = self.machine.clone();
            let machine = machine.ok_or((error::FAILED, "This machine has no id".to_owned()))?;
            return Ok(Answer::Values(vec![Value::Text(machine)]));
        }
        if meant(INTROSPECTABLE, "Introspect") {
            takes("")?;
            return Ok(Answer::Values(vec![Value::Text(object::introspect(objects, call.path))]));
        }
        let unknown = |words: String| (error::UNKNOWN_METHOD, words);
        let interface = objects.interface(call.path);
        let interface =
            interface.ok_or_else(|| unknown(format!("There is no object at {}", call.path)))?;
        if meant(PROPERTIES, "Get") {
            takes("ss")?;
            return get(call, interface, objects);
        }
        if meant(PROPERTIES, "GetAll") {
            takes("s")?;
            return get_all(call, interface, objects);
        }
        if meant(PROPERTIES, "Set") {
            takes("ssv")?;
            return Err((error::INVALID_ARGS, "No property can be set".to_owned()));
        }
        if call.interface != interface.name && !call.interface.is_empty() {
            let words = format!("There is no interface {} at {}", call.interface, call.path);
            return Err(unknown(words));
        }
        let Some(member) = interface.methods.iter().find(|method| **method == call.member) else {
            return Err(unknown(format!("There is no method {}", call.member)));
        };
        takes("")?;
        self.invoked.push(Invoked { path: call.path.to_owned(), member });
        Ok(Answer::Values(Vec::new()))
    }
}

/// The name of an error, and its words.
type Failure = (&'static str, String);

enum Answer {
    Values(Vec<Value>),
    Variant(Value),
    Dictionary(Vec<(&'static str, Value)>),
}

fn cut_short(why: Malformed) -> Failure {
    (error::INVALID_ARGS, why.to_string())
}

/// The name of an interface among the arguments; empty is any.
fn check(name: &str, interface: &Interface) -> Result<(), Failure> {
    if name.is_empty() || name == interface.name {
        return Ok(());
    }
    Err((error::INVALID_ARGS, format!("There is no interface {name} with properties")))
}

fn get(
    call: &Message<'_>,
    interface: &Interface,
    objects: &impl Objects,
) -> Result<Answer, Failure> {
    let mut body = call.body;
    let of = body.string().map_err(cut_short)?;
    let name = body.string().map_err(cut_short)?;
    check(of, interface)?;
    let known = interface.properties.iter().any(|(known, _)| *known == name);
    let value = known.then(|| objects.property(call.path, name)).flatten();
    let missing = || (error::INVALID_ARGS, format!("There is no property {name}"));
    value.map(Answer::Variant).ok_or_else(missing)
}

fn get_all(
    call: &Message<'_>,
    interface: &Interface,
    objects: &impl Objects,
) -> Result<Answer, Failure> {
    let mut body = call.body;
    check(body.string().map_err(cut_short)?, interface)?;
    let names = interface.properties.iter().map(|(name, _)| *name);
    let all = names.filter_map(|name| Some((name, objects.property(call.path, name)?)));
    Ok(Answer::Dictionary(all.collect()))
}
