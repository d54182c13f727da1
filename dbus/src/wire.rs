//! How values are written (D-Bus Specification, "Marshaling (Wire Format)"). Positions, and so what they are aligned to, count
//! from the beginning of a message.

use std::fmt;

/// How deep values may be nested; variants in variants have no other limit.
const MAX_DEPTH: usize = 64;

/// The bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub(crate) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

const SHORT: Malformed = Malformed("a message that is cut short");
const SIGNATURE: Malformed = Malformed("a signature that is none");

/// Reads a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    pub fn new(message: &'a [u8], at: usize, big_endian: bool) -> Self {
        Reader { message, at, big_endian }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn align(&mut self, to: usize) -> Result<(), Malformed> {
        let padding = self.at.next_multiple_of(to) - self.at;
        if self.take(padding)?.iter().any(|byte| *byte != 0) {
            return Err(Malformed("a message with something between its values"));
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(SHORT)?;
        let taken = self.message.get(self.at..end).ok_or(SHORT)?;
        self.at = end;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let taken = self.take(1)?;
        taken.first().copied().ok_or(SHORT)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.align(4)?;
        let bytes: [u8; 4] = self.take(4)?.try_into().map_err(|_| SHORT)?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn text(&mut self, length: usize) -> Result<&'a str, Malformed> {
        let bytes = self.take(length)?;
        if self.byte()? != 0 || bytes.contains(&0) {
            return Err(Malformed("a string that does not end where it should"));
        }
        std::str::from_utf8(bytes).map_err(|_| Malformed("a string that is not UTF-8"))
    }

    /// A string or an object's path.
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u32()? as usize;
        self.text(length)
    }

    pub fn signature(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::from(self.byte()?);
        self.text(length)
    }

    /// Reads over a variant.
    pub fn skip_variant(&mut self) -> Result<(), Malformed> {
        self.skip(b"v", 0).map(|_| ())
    }

    /// Reads over the first value of a signature; what is left of the signature.
    fn skip<'s>(&mut self, signature: &'s [u8], depth: usize) -> Result<&'s [u8], Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed("values that are nested too deeply"));
        }
        let (&code, mut rest) = signature.split_first().ok_or(SIGNATURE)?;
        match code {
            b'y' | b'n' | b'q' | b'b' | b'i' | b'u' | b'h' | b'x' | b't' | b'd' => {
                let size = alignment(code)?;
                self.align(size)?;
                self.take(size)?;
            }
            b's' | b'o' => {
                self.string()?;
            }
            b'g' => {
                self.signature()?;
            }
            b'v' => {
                let inner = self.signature()?.as_bytes();
                if !self.skip(inner, depth + 1)?.is_empty() {
                    return Err(SIGNATURE);
                }
            }
            b'a' => {
                let element = complete(rest, depth + 1)?;
                let length = self.u32()? as usize;
                self.align(alignment(rest[0])?)?;
                self.take(length)?;
                rest = &rest[element..];
            }
            b'(' => {
                self.align(8)?;
                complete(signature, depth)?;
                while rest.first() != Some(&b')') {
                    rest = self.skip(rest, depth + 1)?;
                }
                rest = &rest[1..];
            }
            _ => return Err(SIGNATURE),
        }
        Ok(rest)
    }
}

/// What values of a type are aligned to; of those of a fixed size it is their size.
fn alignment(code: u8) -> Result<usize, Malformed> {
    match code {
        b'y' | b'g' | b'v' => Ok(1),
        b'n' | b'q' => Ok(2),
        b'b' | b'i' | b'u' | b'h' | b's' | b'o' | b'a' => Ok(4),
        b'x' | b't' | b'd' | b'(' | b'{' => Ok(8),
        _ => Err(SIGNATURE),
    }
}

/// How long the first complete type of a signature is.
fn complete(signature: &[u8], depth: usize) -> Result<usize, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed("types that are nested too deeply"));
    }
    let &code = signature.first().ok_or(SIGNATURE)?;
    let end = match code {
        b'a' => return Ok(1 + complete(&signature[1..], depth + 1)?),
        b'(' => b')',
        b'{' => b'}',
        code => return alignment(code).map(|_| 1),
    };
    let mut length = 1;
    while *signature.get(length).ok_or(SIGNATURE)? != end {
        length += complete(&signature[length..], depth + 1)?;
    }
    if length == 1 { Err(SIGNATURE) } else { Ok(length + 1) }
}

/// Writes a message, the least significant byte first.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub bytes: Vec<u8>,
}

impl Writer {
    pub fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    pub fn u32(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend(value.to_le_bytes());
    }

    /// A string cannot have a NUL: it ends before it. Nothing here is nearly as long as 4 GiB; what were would be cut.
    pub fn string(&mut self, text: &str) {
        let text = text.split('\0').next().unwrap_or_default();
        let length = u32::try_from(text.len()).unwrap_or(0);
        self.u32(length);
        self.bytes.extend(&text.as_bytes()[..length as usize]);
        self.bytes.push(0);
    }

    /// Signatures here are a few types long.
    pub fn signature(&mut self, text: &str) {
        let length = u8::try_from(text.len()).unwrap_or(0);
        self.bytes.push(length);
        self.bytes.extend(&text.as_bytes()[..usize::from(length)]);
        self.bytes.push(0);
    }

    /// An array of elements that are aligned to `to`.
    pub fn array(&mut self, to: usize, elements: impl FnOnce(&mut Writer)) {
        self.u32(0);
        let length_at = self.bytes.len() - 4;
        self.align(to);
        let begin = self.bytes.len();
        elements(self);
        let length = u32::try_from(self.bytes.len() - begin).unwrap_or(0);
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }
}
