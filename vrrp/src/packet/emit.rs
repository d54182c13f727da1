//! Building adverts: once from a description, then patched in place.
//!
//! IPv4 adverts are whole packets for a header-included socket; the kernel fills in the IP header's checksum.
//! IPv6 adverts are payloads; the kernel fills in the VRRP checksum, so the field stays zero.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use etherparse::{IpNumber, Ipv4Header};

use super::{
    ADVERT_TOS, AH_LEN, AUTH_LEN, Advert, CHECKSUM_OFFSET, HEADER_LEN, IPV4_LEN, MAX_ADDRESSES,
    Sequence, Stamp, TRAILER_LEN, TYPE_ADVERT, ah, checksum, payload_len, trailer,
};
use crate::config::{Authentication, Family, HmacKey, Version};

/// What an advert says.
#[derive(Clone, Debug)]
pub struct AdvertSpec<'a> {
    /// Version of the protocol.
    pub version: Version,
    /// VRID.
    pub vrid: u8,
    /// Priority; 0 to resign.
    pub priority: u8,
    /// Whole seconds up to 255 (v2) or centiseconds up to 4095 (v3); what exceeds the field is clamped.
    pub interval: Duration,
    /// Advertised addresses, all of the family of `source`, at most 255.
    pub addresses: &'a [IpAddr],
    /// v2 IPv4 only.
    pub authentication: Authentication,
    /// The advert's number in an authentication header: the last one.
    pub sequence: Sequence,
    /// Leaves room for an authentication trailer; [`Template::sign_trailer`] fills it.
    pub trailer: bool,
    /// Our address; it decides the family.
    pub source: IpAddr,
    /// The group or one peer.
    pub destination: IpAddr,
    /// What a v3 IPv4 checksum covers.
    pub checksum: ChecksumForm,
    /// IPv4 identification; never 0, the kernel would choose.
    pub id: u16,
    /// IPv4 time to live.
    pub ttl: u8,
}

/// What the checksum of a v3 IPv4 advert covers. Version 2 and IPv6 have no choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ChecksumForm {
    /// The pseudo-header with the packet's own destination.
    #[default]
    Destination,
    /// The pseudo-header with this multicast group instead (`old_unicast_checksum`).
    Group(Ipv4Addr),
    /// No pseudo-header (`v3_checksum_as_v2`).
    AsV2,
}

/// Why an advert cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitError {
    /// More addresses than the count field can say.
    TooManyAddresses(usize),
    /// An address, or the destination, of another family than the source.
    WrongFamily(IpAddr),
    /// The buffer has fewer bytes than needed.
    BufferTooSmall {
        /// Bytes of the advert.
        needed: usize,
        /// Bytes of the buffer.
        given: usize,
    },
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EmitError::TooManyAddresses(count) => {
                write!(f, "{count} addresses do not fit an advert, at most {MAX_ADDRESSES} do")
            }
            EmitError::WrongFamily(address) => {
                write!(f, "{address} is not of the family of the advert's source")
            }
            EmitError::BufferTooSmall { needed, given } => {
                write!(f, "the advert has {needed} bytes, the buffer {given}")
            }
        }
    }
}

impl std::error::Error for EmitError {}

impl AdvertSpec<'_> {
    /// Bytes of the advert, IPv4 header and trailer included.
    pub fn len(&self) -> usize {
        self.payload_end() + if self.trailer { TRAILER_LEN } else { 0 }
    }

    fn payload_end(&self) -> usize {
        let family = Family::of(self.source);
        self.payload_start() + payload_len(self.version.number(), family, self.addresses.len())
    }

    /// The authentication there can be.
    fn applied(&self) -> Authentication {
        match (self.version, self.source) {
            (Version::V2, IpAddr::V4(_)) => self.authentication,
            _ => Authentication::None,
        }
    }

    fn payload_start(&self) -> usize {
        let ah = matches!(self.applied(), Authentication::Ah(_));
        header_len(Family::of(self.source)) + if ah { AH_LEN } else { 0 }
    }

    /// Always false; an advert has a header.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The interval as the field's number.
    fn raw_interval(&self) -> u16 {
        let clamped = match self.version {
            Version::V2 => self.interval.as_secs().min(0xff),
            Version::V3 => (self.interval.as_millis() as u64 / 10).min(0xfff),
        };
        clamped as u16
    }
}

/// Writes the advert to the start of `buffer`, whatever it held, and returns its length.
pub fn emit(spec: &AdvertSpec<'_>, buffer: &mut [u8]) -> Result<usize, EmitError> {
    let family = Family::of(spec.source);
    if spec.addresses.len() > MAX_ADDRESSES {
        return Err(EmitError::TooManyAddresses(spec.addresses.len()));
    }
    if let Some(&stranger) = spec
        .addresses
        .iter()
        .chain([&spec.destination])
        .find(|&&address| Family::of(address) != family)
    {
        return Err(EmitError::WrongFamily(stranger));
    }
    let (needed, given) = (spec.len(), buffer.len());
    let packet = buffer.get_mut(..needed).ok_or(EmitError::BufferTooSmall { needed, given })?;
    let (advert, trailer) = packet.split_at_mut(spec.payload_end());
    trailer.fill(0);
    let (header, payload) = advert.split_at_mut(spec.payload_start());
    write_payload(spec, family, payload);
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (spec.source, spec.destination) {
        let sum = match (spec.version, spec.checksum) {
            (Version::V2, _) | (Version::V3, ChecksumForm::AsV2) => checksum::plain(payload),
            (Version::V3, ChecksumForm::Group(group)) => checksum::ipv4(source, group, payload),
            (Version::V3, ChecksumForm::Destination) => {
                checksum::ipv4(source, destination, payload)
            }
        };
        put16(payload, CHECKSUM_OFFSET, sum);
        write_ipv4(spec, source, destination, needed as u16, &mut header[..IPV4_LEN]);
        if let Authentication::Ah(key) = spec.applied() {
            ah::sign(packet, IPV4_LEN, &key, spec.sequence);
        }
    }
    Ok(needed)
}

/// The VRRP part with a zero checksum; `payload` has exactly its length.
fn write_payload(spec: &AdvertSpec<'_>, family: Family, payload: &mut [u8]) {
    payload.fill(0);
    let interval = spec.raw_interval().to_be_bytes();
    let header: [u8; CHECKSUM_OFFSET] = [
        spec.version.number() << 4 | TYPE_ADVERT,
        spec.vrid,
        spec.priority,
        spec.addresses.len() as u8,
        if spec.version == Version::V2 { spec.applied().number() } else { interval[0] },
        interval[1],
    ];
    payload[..CHECKSUM_OFFSET].copy_from_slice(&header);
    let slots = payload[HEADER_LEN..].chunks_exact_mut(family.address_len());
    for (slot, address) in slots.zip(spec.addresses) {
        match address {
            IpAddr::V4(a) => slot.copy_from_slice(&a.octets()),
            IpAddr::V6(a) => slot.copy_from_slice(&a.octets()),
        }
    }
    if let Authentication::Password(password) = spec.applied() {
        let start = payload.len() - AUTH_LEN;
        payload[start..].copy_from_slice(&password);
    }
}

/// The IPv4 header, its checksum left to the kernel.
fn write_ipv4(
    spec: &AdvertSpec<'_>,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    total_len: u16,
    out: &mut [u8],
) {
    let mut header = Ipv4Header {
        total_len,
        identification: spec.id,
        dont_fragment: false,
        time_to_live: spec.ttl,
        protocol: match spec.applied() {
            Authentication::Ah(_) => IpNumber::AUTHENTICATION_HEADER,
            Authentication::None | Authentication::Password(_) => IpNumber::VRRP,
        },
        source: source.octets(),
        destination: destination.octets(),
        ..Ipv4Header::default()
    };
    header.header_checksum = 0;
    out.copy_from_slice(&header.to_bytes());
    out[1] = ADVERT_TOS;
}

fn header_len(family: Family) -> usize {
    match family {
        Family::V4 => IPV4_LEN,
        Family::V6 => 0,
    }
}

fn put16(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(field) = bytes.get_mut(at..at + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

fn get16(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |field| u16::from_be_bytes(*field))
}

/// An advert built once and patched before each send. Patching never allocates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    bytes: Box<[u8]>,
    source: IpAddr,
    destination: IpAddr,
    /// Bytes before the advert.
    payload_start: usize,
    /// Bytes before the trailer, if there is one.
    payload_end: usize,
    /// The checksum covers the destination.
    covers_destination: bool,
    /// What an authentication header is signed with.
    key: Option<[u8; 8]>,
}

impl Template {
    /// Builds the packet.
    pub fn new(spec: &AdvertSpec<'_>) -> Result<Template, EmitError> {
        let mut bytes = vec![0; spec.len()].into_boxed_slice();
        emit(spec, &mut bytes)?;
        Ok(Template {
            bytes,
            source: spec.source,
            destination: spec.destination,
            payload_start: spec.payload_start(),
            payload_end: spec.payload_end(),
            covers_destination: spec.source.is_ipv4()
                && spec.version == Version::V3
                && spec.checksum == ChecksumForm::Destination,
            key: match spec.applied() {
                Authentication::Ah(key) => Some(key),
                Authentication::None | Authentication::Password(_) => None,
            },
        })
    }

    /// What to hand to the socket: a whole IPv4 packet or an IPv6 payload.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Our address.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// Where it goes.
    pub fn destination(&self) -> IpAddr {
        self.destination
    }

    /// The priority it says.
    pub fn priority(&self) -> u8 {
        self.bytes.get(self.payload_start + 2).copied().unwrap_or(0)
    }

    /// Says another priority.
    pub fn set_priority(&mut self, priority: u8) {
        let word = self.payload_start + 2;
        let old = get16(&self.bytes, word);
        let new = u16::from_be_bytes([priority, old as u8]);
        put16(&mut self.bytes, word, new);
        self.patch_checksum(old, new);
    }

    /// Sets the IPv4 identification; IPv6 has none.
    pub fn set_id(&mut self, id: u16) {
        if self.source.is_ipv4() {
            put16(&mut self.bytes, 4, id);
        }
    }

    /// Addresses it to another peer; a destination of the other family is ignored.
    pub fn set_destination(&mut self, destination: IpAddr) {
        match (self.destination, destination) {
            (IpAddr::V4(old), IpAddr::V4(new)) => {
                if let Some(field) = self.bytes.get_mut(16..IPV4_LEN) {
                    field.copy_from_slice(&new.octets());
                }
                if self.covers_destination {
                    let (old, new) = (old.octets(), new.octets());
                    self.patch_checksum(get16(&old, 0), get16(&new, 0));
                    self.patch_checksum(get16(&old, 2), get16(&new, 2));
                }
            }
            (IpAddr::V6(_), IpAddr::V6(_)) => {}
            _ => return,
        }
        self.destination = destination;
    }

    /// Numbers and signs the authentication header, if it has one: after everything else was set.
    pub fn sign(&mut self, sequence: Sequence) {
        if let Some(key) = &self.key {
            ah::sign(&mut self.bytes, IPV4_LEN, key, sequence);
        }
    }

    /// Signs the trailer, if there is room for one. What changes for each peer, it does not cover.
    pub fn sign_trailer(&mut self, key: &HmacKey, stamp: Stamp) {
        let (advert, trailer) = self.bytes.split_at_mut(self.payload_end);
        let advert = Advert::parse(&advert[self.payload_start..], Family::of(self.source));
        if let (Some(advert), Some(trailer)) = (advert, trailer.first_chunk_mut()) {
            trailer::sign(trailer, &advert, self.source, key, stamp);
        }
    }

    /// Accounts for one changed word under the checksum; the kernel computes that of IPv6.
    fn patch_checksum(&mut self, old: u16, new: u16) {
        if self.source.is_ipv4() {
            let at = self.payload_start + CHECKSUM_OFFSET;
            let sum = checksum::patched(get16(&self.bytes, at), old, new);
            put16(&mut self.bytes, at, sum);
        }
    }
}
