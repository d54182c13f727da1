//! The control packet (RFC 5880 section 4.1) and the checks that need no session (section 6.8.6).

use std::fmt;

/// Length of a packet without authentication, in bytes.
pub const LENGTH: usize = 24;

const VERSION: u8 = 1;

const POLL: u8 = 1 << 5;
const FINAL: u8 = 1 << 4;
const AUTHENTICATED: u8 = 1 << 2;
const DEMAND: u8 = 1 << 1;
const MULTIPOINT: u8 = 1;

/// What a session may be in (RFC 5880 section 6.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Held down by its own side.
    AdminDown,
    /// Nothing is heard that makes it more.
    #[default]
    Down,
    /// The other side is heard, and does not hear us yet.
    Init,
    /// Both sides hear each other.
    Up,
}

impl State {
    fn from_bits(bits: u8) -> State {
        match bits & 3 {
            0 => State::AdminDown,
            1 => State::Down,
            2 => State::Init,
            _ => State::Up,
        }
    }

    fn bits(self) -> u8 {
        match self {
            State::AdminDown => 0,
            State::Down => 1,
            State::Init => 2,
            State::Up => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::AdminDown => "AdminDown",
            State::Down => "Down",
            State::Init => "Init",
            State::Up => "Up",
        })
    }
}

/// Why a session went down last: 0 to 8.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Diagnostic(u8);

impl Diagnostic {
    /// It never did.
    pub const NONE: Diagnostic = Diagnostic(0);
    /// Nothing was heard for the detection time.
    pub const EXPIRED: Diagnostic = Diagnostic(1);
    /// The neighbour said so.
    pub const SIGNALED: Diagnostic = Diagnostic(3);

    const TEXTS: [&str; 9] = [
        "No Diagnostic",
        "Control Detection Time Expired",
        "Echo Function Failed",
        "Neighbor Signaled Session Down",
        "Forwarding Plane Reset",
        "Path Down",
        "Concatenated Path Down",
        "Administratively Down",
        "Reverse Concatenated Path Down",
    ];
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Diagnostic::TEXTS.get(usize::from(self.0)).copied().unwrap_or("Unknown"))
    }
}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A control packet. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Why the sender went down last.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// It wants an answer.
    pub poll: bool,
    /// It is that answer.
    pub last: bool,
    /// An authentication section follows.
    pub authenticated: bool,
    /// The sender wants to hear nothing while the session is up.
    pub demand: bool,
    /// Packets that may be missed, and one more; not 0.
    pub multiplier: u8,
    /// The sender's number of the session; not 0.
    pub my_discriminator: u32,
    /// Our number of the session, 0 if the sender does not know it.
    pub your_discriminator: u32,
    /// The sender would send as often as this.
    pub min_tx: u32,
    /// The sender can receive as often as this.
    pub min_rx: u32,
}

/// Why bytes are no packet for anybody. The text is the C daemon's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than the header; its length.
    Short(usize),
    /// Field and datagram differ.
    Length {
        /// The field.
        field: u8,
        /// The datagram's length.
        size: usize,
    },
    /// Another version than 1.
    Version(u8),
    /// Multiplier 0.
    Multiplier,
    /// The multipoint bit.
    Multipoint,
    /// The sender names no discriminator.
    MyDiscriminator,
    /// The sender does not know ours, and is further than that allows.
    YourDiscriminator,
    /// Question and answer in one.
    PollAndFinal,
    /// A diagnostic nobody has defined.
    Diagnostic(u8),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Short(size) => write!(f, "Packet is too small: {size} bytes"),
            Malformed::Length { field, size } => write!(
                f,
                "Packet size mismatch: length field: {field} bytes, buffer size: {size} bytes"
            ),
            Malformed::Version(version) => {
                write!(f, "Packet is of unsupported version: {version}")
            }
            Malformed::Multiplier => f.write_str("Packet 'detection multiplier' field is zero"),
            Malformed::Multipoint => f.write_str("Packet has 'multipoint' flag"),
            Malformed::MyDiscriminator => f.write_str("Packet 'my discriminator' field is zero"),
            Malformed::YourDiscriminator => f.write_str(
                "Packet 'your discriminator' field is zero and 'state' field is not Down or AdminDown",
            ),
            Malformed::PollAndFinal => f.write_str("Packet has both poll and final  flags set"),
            Malformed::Diagnostic(diagnostic) => {
                write!(f, "Packet has invalid 'diag' field: {diagnostic}")
            }
        }
    }
}

impl Packet {
    /// Reads a datagram of `size` bytes, of which `bytes` is the beginning, at least its first 24 if
    /// there are as many.
    ///
    /// # Errors
    /// The first check that fails, in the order of RFC 5880 section 6.8.6.
    pub fn parse(bytes: &[u8], size: usize) -> Result<Packet, Malformed> {
        let header = bytes.first_chunk::<LENGTH>().ok_or(Malformed::Short(size))?;
        let [first, flags, multiplier, length, ..] = *header;
        if usize::from(length) != size {
            return Err(Malformed::Length { field: length, size });
        }
        if first >> 5 != VERSION {
            return Err(Malformed::Version(first >> 5));
        }
        if multiplier == 0 {
            return Err(Malformed::Multiplier);
        }
        let has = |flag: u8| flags & flag != 0;
        if has(MULTIPOINT) {
            return Err(Malformed::Multipoint);
        }
        let packet = Packet {
            diagnostic: Diagnostic(first & 31),
            state: State::from_bits(flags >> 6),
            poll: has(POLL),
            last: has(FINAL),
            authenticated: has(AUTHENTICATED),
            demand: has(DEMAND),
            multiplier,
            my_discriminator: word(header, 4),
            your_discriminator: word(header, 8),
            min_tx: word(header, 12),
            min_rx: word(header, 16),
        };
        if packet.my_discriminator == 0 {
            return Err(Malformed::MyDiscriminator);
        }
        if packet.your_discriminator == 0 && matches!(packet.state, State::Init | State::Up) {
            return Err(Malformed::YourDiscriminator);
        }
        if packet.poll && packet.last {
            return Err(Malformed::PollAndFinal);
        }
        if usize::from(packet.diagnostic.0) >= Diagnostic::TEXTS.len() {
            return Err(Malformed::Diagnostic(packet.diagnostic.0));
        }
        Ok(packet)
    }

    /// The packet as it is sent. It asks for no echoes.
    pub fn emit(&self) -> [u8; LENGTH] {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let flags = self.state.bits() << 6
            | flag(self.poll, POLL)
            | flag(self.last, FINAL)
            | flag(self.authenticated, AUTHENTICATED)
            | flag(self.demand, DEMAND);
        let mut bytes = [0; LENGTH];
        let head = [VERSION << 5 | self.diagnostic.0 & 31, flags, self.multiplier, LENGTH as u8];
        let words = [self.my_discriminator, self.your_discriminator, self.min_tx, self.min_rx];
        let (start, rest) = bytes.split_at_mut(4);
        start.copy_from_slice(&head);
        for (place, word) in rest.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }
}

fn word(header: &[u8; LENGTH], at: usize) -> u32 {
    header.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests;
