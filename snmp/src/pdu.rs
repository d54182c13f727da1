//! The messages between a subagent and its master (RFC 2741 sections 5 and 6), as far as a subagent needs them.
//!
//! What is sent is in network byte order; what comes may be in either.

use crate::value::{Found, Oid, Value, VarBind};

/// Bytes before the payload.
pub(crate) const HEADER_LEN: usize = 20;
/// Longest payload that is read. A master asks for a few objects at a time.
const MAX_PAYLOAD: usize = 64 * 1024;
/// Most parts an object identifier can have (RFC 2578 section 3.5).
const MAX_PARTS: usize = 128;

const VERSION: u8 = 1;
const NON_DEFAULT_CONTEXT: u8 = 0x08;
const NETWORK_BYTE_ORDER: u8 = 0x10;

/// Kinds of messages (RFC 2741 section 6.1).
mod kind {
    pub const OPEN: u8 = 1;
    pub const CLOSE: u8 = 2;
    pub const REGISTER: u8 = 3;
    pub const GET: u8 = 5;
    pub const GET_NEXT: u8 = 6;
    pub const GET_BULK: u8 = 7;
    pub const TEST_SET: u8 = 8;
    pub const COMMIT_SET: u8 = 9;
    pub const UNDO_SET: u8 = 10;
    pub const CLEANUP_SET: u8 = 11;
    pub const NOTIFY: u8 = 12;
    pub const PING: u8 = 13;
    pub const RESPONSE: u8 = 18;
}

/// Errors of a response (RFC 2741 section 6.2.16, RFC 3416 section 3).
pub(crate) mod status {
    pub const NO_ERROR: u16 = 0;
    pub const GEN_ERR: u16 = 5;
    pub const COMMIT_FAILED: u16 = 14;
    pub const NOT_WRITABLE: u16 = 17;
    pub const UNSUPPORTED_CONTEXT: u16 = 262;
    pub const PROCESSING_ERROR: u16 = 268;

    /// Its name in the documents, where it has one a subagent may be told.
    pub fn name(status: u16) -> &'static str {
        match status {
            256 => "openFailed",
            257 => "notOpen",
            259 => "indexAlreadyAllocated",
            262 => "unsupportedContext",
            263 => "duplicateRegistration",
            264 => "unknownRegistration",
            266 => "parseError",
            267 => "requestDenied",
            268 => "processingError",
            _ => "error",
        }
    }
}

/// What every message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    kind: u8,
    flags: u8,
    pub session: u32,
    pub transaction: u32,
    pub packet: u32,
    /// Bytes that follow.
    pub length: usize,
}

/// Where one object is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub start: Oid,
    /// The start itself counts for what follows it.
    pub inclusive: bool,
    /// What is found must be before it; empty: anything.
    pub end: Oid,
}

/// A message from the master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Response {
        status: u16,
    },
    Get(Vec<Range>),
    GetNext(Vec<Range>),
    GetBulk {
        once: usize,
        times: usize,
        ranges: Vec<Range>,
    },
    TestSet,
    CommitSet,
    UndoSet,
    CleanupSet,
    Close,
    /// In a context nobody registered.
    OtherContext,
    /// Of a kind that a master does not send.
    Unexpected,
}

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub(crate) &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// The header that bytes begin with; `None` while there are too few.
pub(crate) fn header(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some((&[version, kind, flags, _], rest)) = bytes.split_first_chunk() else {
        return Ok(None);
    };
    let mut rest = Reader { bytes: rest, network_order: flags & NETWORK_BYTE_ORDER != 0 };
    if version != VERSION {
        return Err(Malformed("a message of an unknown version"));
    }
    let (Ok(session), Ok(transaction), Ok(packet), Ok(length)) =
        (rest.long(), rest.long(), rest.long(), rest.long())
    else {
        return Ok(None);
    };
    let length = length as usize;
    if length > MAX_PAYLOAD {
        return Err(Malformed("a message that is too long"));
    }
    Ok(Some(Header { kind, flags, session, transaction, packet, length }))
}

/// What follows a header; `payload` has exactly its length.
pub(crate) fn message(header: &Header, payload: &[u8]) -> Result<Message, Malformed> {
    let network_order = header.flags & NETWORK_BYTE_ORDER != 0;
    let mut reader = Reader { bytes: payload, network_order };
    if header.flags & NON_DEFAULT_CONTEXT != 0 {
        return Ok(Message::OtherContext);
    }
    Ok(match header.kind {
        kind::RESPONSE => {
            reader.long()?;
            Message::Response { status: reader.short()? }
        }
        kind::GET => Message::Get(reader.ranges()?),
        kind::GET_NEXT => Message::GetNext(reader.ranges()?),
        kind::GET_BULK => {
            let (once, times) = (reader.short()?.into(), reader.short()?.into());
            Message::GetBulk { once, times, ranges: reader.ranges()? }
        }
        kind::TEST_SET => Message::TestSet,
        kind::COMMIT_SET => Message::CommitSet,
        kind::UNDO_SET => Message::UndoSet,
        kind::CLEANUP_SET => Message::CleanupSet,
        kind::CLOSE => Message::Close,
        _ => Message::Unexpected,
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
    network_order: bool,
}

impl Reader<'_> {
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (chunk, rest) =
            self.bytes.split_first_chunk().ok_or(Malformed("a message that is cut short"))?;
        self.bytes = rest;
        Ok(*chunk)
    }

    fn short(&mut self) -> Result<u16, Malformed> {
        let bytes = self.chunk()?;
        Ok(if self.network_order { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long(&mut self) -> Result<u32, Malformed> {
        let bytes = self.chunk()?;
        Ok(if self.network_order { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// An object identifier, and whether it is included (RFC 2741 section 5.1).
    fn oid(&mut self) -> Result<(Oid, bool), Malformed> {
        let [parts, prefix, include, _] = self.chunk()?;
        let parts = usize::from(parts);
        if parts > MAX_PARTS {
            return Err(Malformed("an object identifier that is too long"));
        }
        let mut oid = Oid::with_capacity(parts + 5);
        if prefix != 0 {
            oid.extend([1, 3, 6, 1, u32::from(prefix)]);
        }
        for _ in 0..parts {
            oid.push(self.long()?);
        }
        Ok((oid, include != 0))
    }

    fn ranges(&mut self) -> Result<Vec<Range>, Malformed> {
        let mut ranges = Vec::new();
        while !self.bytes.is_empty() {
            let (start, inclusive) = self.oid()?;
            let (end, _) = self.oid()?;
            ranges.push(Range { start, inclusive, end });
        }
        Ok(ranges)
    }
}

/// Writes messages one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    fn short(&mut self, value: u16) {
        self.bytes.extend(value.to_be_bytes());
    }

    fn long(&mut self, value: u32) {
        self.bytes.extend(value.to_be_bytes());
    }

    fn oid(&mut self, oid: &[u32]) {
        self.bytes.extend([oid.len().min(MAX_PARTS) as u8, 0, 0, 0]);
        oid.iter().take(MAX_PARTS).for_each(|part| self.long(*part));
    }

    fn octets(&mut self, octets: &[u8]) {
        self.long(octets.len() as u32);
        self.bytes.extend(octets);
        // To whole words.
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn bind(&mut self, bind: &VarBind) {
        let kind = match &bind.found {
            Found::Value(Value::Integer(_)) => 2,
            Found::Value(Value::Octets(_)) => 4,
            Found::Value(Value::ObjectId(_)) => 6,
            Found::Value(Value::IpAddress(_)) => 64,
            Found::Value(Value::Counter32(_)) => 65,
            Found::Value(Value::Gauge32(_)) => 66,
            Found::Value(Value::TimeTicks(_)) => 67,
            Found::Value(Value::Counter64(_)) => 70,
            Found::NoSuchObject => 128,
            Found::NoSuchInstance => 129,
            Found::EndOfView => 130,
        };
        self.short(kind);
        self.short(0);
        self.oid(&bind.name);
        let Found::Value(value) = &bind.found else { return };
        match value {
            Value::Integer(number) => self.long(number.cast_unsigned()),
            Value::Octets(octets) => self.octets(octets),
            Value::ObjectId(oid) => self.oid(oid),
            Value::IpAddress(address) => self.octets(&address.octets()),
            Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => {
                self.long(*number);
            }
            Value::Counter64(number) => self.bytes.extend(number.to_be_bytes()),
        }
    }

    /// A whole message; `payload` writes what follows the header.
    fn message(&mut self, kind: u8, ids: Ids, payload: impl FnOnce(&mut Writer)) {
        let start = self.bytes.len();
        self.bytes.extend([VERSION, kind, NETWORK_BYTE_ORDER, 0]);
        self.long(ids.session);
        self.long(ids.transaction);
        self.long(ids.packet);
        self.long(0);
        payload(self);
        let length = (self.bytes.len() - start - HEADER_LEN) as u32;
        if let Some(field) = self.bytes.get_mut(start + 16..start + HEADER_LEN) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// Asks for a session. The time limits are the master's.
    pub fn open(&mut self, ids: Ids, description: &str) {
        self.message(kind::OPEN, ids, |w| {
            w.long(0);
            w.oid(&[]);
            w.octets(description.as_bytes());
        });
    }

    /// Says that all below `subtree` is ours, with the usual priority.
    pub fn register(&mut self, ids: Ids, subtree: &[u32]) {
        const PRIORITY: u8 = 127;
        self.message(kind::REGISTER, ids, |w| {
            w.bytes.extend([0, PRIORITY, 0, 0]);
            w.oid(subtree);
        });
    }

    /// A notification; the binds begin with its identifier.
    pub fn notify(&mut self, ids: Ids, binds: &[VarBind]) {
        self.message(kind::NOTIFY, ids, |w| binds.iter().for_each(|bind| w.bind(bind)));
    }

    /// Asks whether the master is there.
    pub fn ping(&mut self, ids: Ids) {
        self.message(kind::PING, ids, |_| ());
    }

    /// Ends the session: we stop.
    pub fn close(&mut self, ids: Ids) {
        const SHUTDOWN: u8 = 5;
        self.message(kind::CLOSE, ids, |w| w.bytes.extend([SHUTDOWN, 0, 0, 0]));
    }

    /// The answer to a request. `index` is the number of the object that is at fault, from 1.
    pub fn response(&mut self, ids: Ids, status: u16, index: u16, binds: &[VarBind]) {
        self.message(kind::RESPONSE, ids, |w| {
            w.long(0);
            w.short(status);
            w.short(index);
            binds.iter().for_each(|bind| w.bind(bind));
        });
    }
}

/// What tells messages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    pub session: u32,
    pub transaction: u32,
    pub packet: u32,
}

impl From<&Header> for Ids {
    fn from(header: &Header) -> Self {
        Ids { session: header.session, transaction: header.transaction, packet: header.packet }
    }
}
