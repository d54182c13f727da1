//! Numbers and addresses as text. Each real server has a name and each HTTP_GET a host, and with the
//! formatter five numbers would be most of the work for them.

use std::fmt::Write;
use std::net::IpAddr;

/// Appends an address.
pub(crate) fn address(room: &mut String, address: IpAddr) {
    match address {
        IpAddr::V4(ip) => {
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index > 0 {
                    room.push('.');
                }
                decimal(room, u16::from(octet));
            }
        }
        // A String takes all that is written to it.
        IpAddr::V6(ip) => drop(write!(room, "{ip}")),
    }
}

/// Appends a number.
pub(crate) fn decimal(room: &mut String, number: u16) {
    let mut divisor = 10_000;
    while divisor > 1 && divisor > number {
        divisor /= 10;
    }
    while divisor > 0 {
        room.extend(char::from_digit(u32::from(number / divisor % 10), 10));
        divisor /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_formatter() {
        for number in 0..=u16::MAX {
            let mut room = String::new();
            decimal(&mut room, number);
            assert_eq!(room, number.to_string());
        }
    }

    #[test]
    fn addresses_are_those_of_the_formatter() {
        for text in ["0.0.0.0", "10.64.3.255", "::", "fe80::1", "::ffff:1.2.3.4"] {
            let mut room = String::from("x");
            address(&mut room, text.parse().unwrap());
            assert_eq!(room, format!("x{text}"));
        }
    }
}
