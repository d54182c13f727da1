//! Messages (D-Bus Specification, "Message Format"): the header of those that come, and those that are sent.

use crate::object::Value;
use crate::wire::{Malformed, Reader, Writer};

/// Bytes before the fields of a header.
const FIXED: usize = 16;
/// Longest header fields and longest message there can be.
const MAX_FIELDS: usize = 1 << 26;
const MAX_LENGTH: usize = 1 << 27;

const VERSION: u8 = 1;
/// A flag of calls.
const NO_REPLY_EXPECTED: u8 = 1;

/// Kinds of messages.
mod kind {
    pub const CALL: u8 = 1;
    pub const RETURN: u8 = 2;
    pub const ERROR: u8 = 3;
    pub const SIGNAL: u8 = 4;
}

/// Fields of a header.
mod field {
    pub const PATH: u8 = 1;
    pub const INTERFACE: u8 = 2;
    pub const MEMBER: u8 = 3;
    pub const ERROR_NAME: u8 = 4;
    pub const REPLY_SERIAL: u8 = 5;
    pub const DESTINATION: u8 = 6;
    pub const SENDER: u8 = 7;
    pub const SIGNATURE: u8 = 8;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Call,
    Return,
    Error,
    Signal,
    /// To be ignored.
    Other,
}

/// A message that came. What its header does not tell is empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub kind: Kind,
    pub serial: u32,
    pub wants_reply: bool,
    pub path: &'a str,
    pub interface: &'a str,
    pub member: &'a str,
    pub error_name: &'a str,
    pub reply_serial: u32,
    pub sender: &'a str,
    pub signature: &'a str,
    pub body: Reader<'a>,
}

/// The length of the message that bytes begin with; `None` while there are too few to tell.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(fixed) = bytes.get(..FIXED) else { return Ok(None) };
    let big_endian = match fixed[0] {
        b'l' => false,
        b'B' => true,
        _ => return Err(Malformed("a message in no byte order")),
    };
    if fixed[3] != VERSION {
        return Err(Malformed("a message of an unknown version"));
    }
    let body = Reader::new(fixed, 4, big_endian).u32()? as usize;
    let fields = Reader::new(fixed, 12, big_endian).u32()? as usize;
    if fields > MAX_FIELDS || body > MAX_LENGTH {
        return Err(Malformed("a message that is too long"));
    }
    Ok(Some((FIXED + fields).next_multiple_of(8) + body))
}

/// Reads a message, all of it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    let big_endian = bytes.first() == Some(&b'B');
    let mut reader = Reader::new(bytes, 1, big_endian);
    let kind = match reader.byte()? {
        0 => return Err(Malformed("a message of no kind")),
        kind::CALL => Kind::Call,
        kind::RETURN => Kind::Return,
        kind::ERROR => Kind::Error,
        kind::SIGNAL => Kind::Signal,
        _ => Kind::Other,
    };
    let flags = reader.byte()?;
    let mut reader = Reader::new(bytes, 8, big_endian);
    let serial = reader.u32()?;
    let end = reader.u32()? as usize + FIXED;
    let mut message = Message {
        kind,
        serial,
        wants_reply: kind == Kind::Call && flags & NO_REPLY_EXPECTED == 0,
        path: "",
        interface: "",
        member: "",
        error_name: "",
        reply_serial: 0,
        sender: "",
        signature: "",
        body: reader,
    };
    while reader.at() < end {
        message.field(&mut reader)?;
    }
    if reader.at() != end {
        return Err(Malformed("a header that is longer than it says"));
    }
    reader.align(8)?;
    message.body = reader;
    if serial == 0 {
        return Err(Malformed("a message without a number"));
    }
    Ok(message)
}

impl<'a> Message<'a> {
    fn field(&mut self, reader: &mut Reader<'a>) -> Result<(), Malformed> {
        reader.align(8)?;
        let code = reader.byte()?;
        let mut ahead = *reader;
        let kind = ahead.signature()?;
        let text = match (code, kind) {
            (field::PATH, "o") => &mut self.path,
            (field::INTERFACE, "s") => &mut self.interface,
            (field::MEMBER, "s") => &mut self.member,
            (field::ERROR_NAME, "s") => &mut self.error_name,
            (field::SENDER, "s") => &mut self.sender,
            (field::SIGNATURE, "g") => {
                self.signature = ahead.signature()?;
                *reader = ahead;
                return Ok(());
            }
            (field::REPLY_SERIAL, "u") => {
                self.reply_serial = ahead.u32()?;
                *reader = ahead;
                return Ok(());
            }
            (field::PATH..=field::SIGNATURE, _) if code != field::DESTINATION => {
                return Err(Malformed("a header with a field of another type"));
            }
            // Not of interest, or of a later version.
            _ => return reader.skip_variant(),
        };
        *text = ahead.string()?;
        *reader = ahead;
        Ok(())
    }
}

/// A message to send.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    kind: u8,
    texts: Vec<(u8, &'a str)>,
    reply_serial: Option<u32>,
}

impl<'a> Draft<'a> {
    /// A method of the bus.
    pub fn call(path: &'a str, interface: &'a str, member: &'a str) -> Self {
        let texts = vec![
            (field::PATH, path),
            (field::INTERFACE, interface),
            (field::MEMBER, member),
            // The bus is named as the interface.
            (field::DESTINATION, interface),
        ];
        Draft { kind: kind::CALL, texts, reply_serial: None }
    }

    pub fn signal(path: &'a str, interface: &'a str, member: &'a str) -> Self {
        let texts =
            vec![(field::PATH, path), (field::INTERFACE, interface), (field::MEMBER, member)];
        Draft { kind: kind::SIGNAL, texts, reply_serial: None }
    }

    /// The answer to a call.
    pub fn reply(to: &Message<'a>) -> Self {
        let texts = vec![(field::DESTINATION, to.sender)];
        Draft { kind: kind::RETURN, texts, reply_serial: Some(to.serial) }
    }

    /// The answer to a call that fails.
    pub fn error(to: &Message<'a>, name: &'a str) -> Self {
        let mut draft = Self::reply(to);
        draft.kind = kind::ERROR;
        draft.texts.push((field::ERROR_NAME, name));
        draft
    }

    /// The message with these arguments.
    pub fn values(self, serial: u32, values: &[Value]) -> Vec<u8> {
        let signature: String = values.iter().map(Value::signature).collect();
        self.body(serial, &signature, |body| values.iter().for_each(|value| value.write(body)))
    }

    /// The message with what is written as its body.
    pub fn body(self, serial: u32, signature: &str, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut body = Writer::default();
        write(&mut body);
        let mut out = Writer::default();
        out.bytes.extend([b'l', self.kind, 0, VERSION]);
        out.u32(u32::try_from(body.bytes.len()).unwrap_or(0));
        out.u32(serial);
        out.array(8, |fields| {
            for (code, text) in self.texts.iter().filter(|(_, text)| !text.is_empty()) {
                fields.align(8);
                fields.bytes.push(*code);
                fields.signature(if *code == field::PATH { "o" } else { "s" });
                fields.string(text);
            }
            if let Some(serial) = self.reply_serial {
                fields.align(8);
                fields.bytes.push(field::REPLY_SERIAL);
                fields.signature("u");
                fields.u32(serial);
            }
            if !signature.is_empty() {
                fields.align(8);
                fields.bytes.push(field::SIGNATURE);
                fields.signature("g");
                fields.signature(signature);
            }
        });
        out.align(8);
        out.bytes.extend(body.bytes);
        out.bytes
    }
}
