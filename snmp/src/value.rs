//! Names and values of objects (RFC 2578).

use std::net::{IpAddr, Ipv4Addr};

/// An object identifier.
pub type Oid = Vec<u32>;

/// What an object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// INTEGER, and whatever has names for numbers.
    Integer(i32),
    /// OCTET STRING: text, addresses.
    Octets(Vec<u8>),
    /// OBJECT IDENTIFIER.
    ObjectId(Oid),
    /// IpAddress.
    IpAddress(Ipv4Addr),
    /// Counter32; wraps.
    Counter32(u32),
    /// Gauge32 or Unsigned32.
    Gauge32(u32),
    /// TimeTicks: hundredths of a second, modulo 2^32.
    TimeTicks(u32),
    /// Counter64.
    Counter64(u64),
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Value {
        Value::Octets(text.as_bytes().to_vec())
    }

    /// The bytes of an address, as InetAddress holds them (RFC 4001).
    pub fn address(address: IpAddr) -> Value {
        Value::Octets(match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        })
    }

    /// The InetAddressType of an address: ipv4(1) or ipv6(2).
    pub fn address_type(address: IpAddr) -> Value {
        Value::Integer(if address.is_ipv4() { 1 } else { 2 })
    }

    /// true(1) or false(2): a TruthValue, and what others call enabled and disabled.
    pub fn truth(truth: bool) -> Value {
        Value::Integer(if truth { 1 } else { 2 })
    }

    /// A number that is not negative; what exceeds 32 bits is clamped.
    pub fn gauge(number: impl TryInto<u32>) -> Value {
        Value::Gauge32(number.try_into().unwrap_or(u32::MAX))
    }
}

/// What there is to say about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its value.
    Value(Value),
    /// There are no objects of this type.
    NoSuchObject,
    /// There are objects of this type, but not this one.
    NoSuchInstance,
    /// Nothing follows.
    EndOfView,
}

/// A name and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarBind {
    /// The object.
    pub name: Oid,
    /// What it holds.
    pub found: Found,
}

impl VarBind {
    /// An object with a value.
    pub fn new(name: Oid, value: Value) -> Self {
        VarBind { name, found: Found::Value(value) }
    }
}
