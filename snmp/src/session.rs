//! The subagent's side of a session, without I/O: bytes in, bytes out.

use crate::pdu::{self, HEADER_LEN, Header, Ids, Malformed, Message, Range, Writer, status};
use crate::value::{Found, Oid, Value, VarBind};

/// Most bytes that wait to be sent. What comes on top is given up: answers that nobody fetches, notifications in a storm.
const MAX_OUTPUT: usize = 1024 * 1024;
/// Most objects in an answer.
const MAX_BINDS: usize = 1000;

/// Most notifications that wait for the session to be open.
const MAX_EARLY: usize = 1000;

/// snmpTrapOID.0 (RFC 3418): what a notification is.
const TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// Who has the objects.
pub trait Agent {
    /// What one object holds.
    fn get(&self, name: &[u32]) -> Found;

    /// The first object after `start`, or at it if it counts itself.
    fn next(&self, start: &[u32], inclusive: bool) -> Option<VarBind>;
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// What happened.
    pub name: Oid,
    /// To what.
    pub binds: Vec<VarBind>,
}

/// Something to tell the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The session is open and all subtrees were asked for.
    Connected,
    /// The master does not want this subtree from us.
    Refused(Oid, &'static str),
}

/// Why a session is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The master said so.
    Closed,
    /// The master did not want a session.
    NotOpened(&'static str),
    /// What came is no message.
    Malformed(Malformed),
    /// A ping was not answered.
    Silent,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Closed => f.write_str("the master closed the session"),
            Ended::NotOpened(why) => write!(f, "the master refused a session: {why}"),
            Ended::Malformed(why) => write!(f, "the master sent {why}"),
            Ended::Silent => f.write_str("the master does not answer"),
        }
    }
}

/// A session over one connection.
#[derive(Debug, Default)]
pub struct Session {
    /// Of the master's giving; `None` until the session is open.
    id: Option<u32>,
    /// Number of our next message.
    packet: u32,
    input: Vec<u8>,
    output: Writer,
    subtrees: Vec<Oid>,
    /// Our messages that were not answered: number and what they were about.
    waiting: Vec<(u32, About)>,
    news: Vec<News>,
    /// Notifications from before the session was open.
    early: Vec<Trap>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum About {
    Open,
    Register(Oid),
    Ping,
}

impl Session {
    /// Asks for a session on a new connection; objects below `subtrees` will be ours.
    pub fn new(description: &str, subtrees: Vec<Oid>) -> Self {
        let mut session = Session { subtrees, ..Session::default() };
        let ids = session.ask(About::Open);
        session.output.open(ids, description);
        session
    }

    /// Ids of a message of ours. Nobody waits for its answer.
    fn ids(&mut self) -> Ids {
        self.packet = self.packet.wrapping_add(1);
        Ids { session: self.id.unwrap_or(0), transaction: 0, packet: self.packet }
    }

    /// Ids of a message of ours whose answer is waited for.
    fn ask(&mut self, about: About) -> Ids {
        let ids = self.ids();
        self.waiting.push((ids.packet, about));
        ids
    }

    /// What is to be sent.
    pub fn output(&self) -> &[u8] {
        &self.output.bytes
    }

    /// So many bytes of it were sent.
    pub fn sent(&mut self, count: usize) {
        self.output.bytes.drain(..count.min(self.output.bytes.len()));
    }

    /// What the log should be told since the last time.
    pub fn news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Whether requests come and notifications go.
    pub fn is_open(&self) -> bool {
        self.id.is_some()
    }

    /// Bytes came.
    ///
    /// # Errors
    /// The session is at its end.
    pub fn received(&mut self, bytes: &[u8], agent: &impl Agent) -> Result<(), Ended> {
        self.input.extend(bytes);
        let mut input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        while let Some(header) = pdu::header(rest).map_err(Ended::Malformed)? {
            let Some(payload) = rest.get(HEADER_LEN..HEADER_LEN + header.length) else { break };
            let message = pdu::message(&header, payload).map_err(Ended::Malformed)?;
            rest = &rest[HEADER_LEN + header.length..];
            self.message(&header, message, agent)?;
        }
        let done = input.len() - rest.len();
        input.drain(..done);
        self.input = input;
        Ok(())
    }

    fn message(
        &mut self,
        header: &Header,
        message: Message,
        agent: &impl Agent,
    ) -> Result<(), Ended> {
        let ids = Ids::from(header);
        match message {
            Message::Response { status } => return self.answered(header, status),
            Message::Close => return Err(Ended::Closed),
            Message::Get(ranges) => {
                let binds = ranges.into_iter().take(MAX_BINDS).map(|range| {
                    let found = agent.get(&range.start);
                    VarBind { name: range.start, found }
                });
                self.answer(ids, &binds.collect::<Vec<_>>());
            }
            Message::GetNext(ranges) => {
                let binds = ranges.iter().take(MAX_BINDS).map(|range| next(agent, range));
                self.answer(ids, &binds.collect::<Vec<_>>());
            }
            Message::GetBulk { once, times, ranges } => {
                self.answer(ids, &bulk(agent, once, times, ranges));
            }
            Message::TestSet => self.refuse(ids, status::NOT_WRITABLE),
            // Never asked for, as every test fails.
            Message::CommitSet => self.refuse(ids, status::COMMIT_FAILED),
            Message::UndoSet => self.refuse(ids, status::GEN_ERR),
            Message::CleanupSet => {}
            Message::OtherContext => self.refuse(ids, status::UNSUPPORTED_CONTEXT),
            Message::Unexpected => self.refuse(ids, status::PROCESSING_ERROR),
        }
        Ok(())
    }

    fn answer(&mut self, ids: Ids, binds: &[VarBind]) {
        if self.output.bytes.len() < MAX_OUTPUT {
            self.output.response(ids, status::NO_ERROR, 0, binds);
        }
    }

    fn refuse(&mut self, ids: Ids, status: u16) {
        if self.output.bytes.len() < MAX_OUTPUT {
            self.output.response(ids, status, 1, &[]);
        }
    }

    /// A message of ours was answered.
    fn answered(&mut self, header: &Header, code: u16) -> Result<(), Ended> {
        let Some(at) = self.waiting.iter().position(|(packet, _)| *packet == header.packet) else {
            return Ok(());
        };
        let (_, about) = self.waiting.remove(at);
        match about {
            About::Open if code != status::NO_ERROR => Err(Ended::NotOpened(status::name(code))),
            About::Open => {
                self.id = Some(header.session);
                for subtree in std::mem::take(&mut self.subtrees) {
                    let ids = self.ask(About::Register(subtree.clone()));
                    self.output.register(ids, &subtree);
                }
                for trap in std::mem::take(&mut self.early) {
                    self.notify(trap);
                }
                self.news.push(News::Connected);
                Ok(())
            }
            About::Register(subtree) => {
                if code != status::NO_ERROR {
                    self.news.push(News::Refused(subtree, status::name(code)));
                }
                Ok(())
            }
            About::Ping => Ok(()),
        }
    }

    /// Queues a notification. It is given up when too much waits already.
    pub fn notify(&mut self, trap: Trap) {
        if !self.is_open() {
            if self.early.len() < MAX_EARLY {
                self.early.push(trap);
            }
        } else if self.output.bytes.len() < MAX_OUTPUT {
            let name = VarBind::new(TRAP_OID.to_vec(), Value::ObjectId(trap.name));
            let binds: Vec<VarBind> = [name].into_iter().chain(trap.binds).collect();
            let ids = self.ids();
            self.output.notify(ids, &binds);
        }
    }

    /// To be called every now and then: asks whether the master is still there.
    ///
    /// # Errors
    /// The last question was not answered.
    pub fn ping(&mut self) -> Result<(), Ended> {
        if self.waiting.iter().any(|(_, about)| matches!(about, About::Ping | About::Open)) {
            return Err(Ended::Silent);
        }
        // Answers to anything older are not to be expected any more.
        self.waiting.clear();
        let ids = self.ask(About::Ping);
        self.output.ping(ids);
        Ok(())
    }

    /// Says that this is the end.
    pub fn close(&mut self) {
        if self.is_open() {
            let ids = self.ids();
            self.output.close(ids);
            self.id = None;
        }
    }
}

fn next(agent: &impl Agent, range: &Range) -> VarBind {
    let found = agent.next(&range.start, range.inclusive);
    let found = found.filter(|bind| range.end.is_empty() || bind.name < range.end);
    found.unwrap_or_else(|| VarBind { name: range.start.clone(), found: Found::EndOfView })
}

/// RFC 2741 section 7.2.3.3: the first `once` ranges once, the others up to `times` times, turn by turn.
fn bulk(agent: &impl Agent, once: usize, times: usize, mut ranges: Vec<Range>) -> Vec<VarBind> {
    let mut repeated = ranges.split_off(once.min(ranges.len()));
    let mut binds: Vec<VarBind> =
        ranges.iter().take(MAX_BINDS).map(|range| next(agent, range)).collect();
    for _ in 0..times {
        let before = binds.len();
        for range in &mut repeated {
            if binds.len() >= MAX_BINDS {
                return binds;
            }
            let bind = next(agent, range);
            range.start.clone_from(&bind.name);
            range.inclusive = false;
            binds.push(bind);
        }
        if binds[before..].iter().all(|bind| bind.found == Found::EndOfView) {
            break;
        }
    }
    binds
}
