use super::*;
use crate::service::{Destination, Forwarding, Protocol};

fn service(port: u16) -> Service {
    let key = ServiceKey::Address(Protocol::Tcp, IpAddr::from([10, 0, 0, 1]), port);
    Service { key, scheduler: "rr", flags: 0, persistence: 0, granularity: None, engine: None }
}

fn real(last: u8) -> Destination {
    Destination {
        address: IpAddr::from([10, 9, 9, last]),
        port: 80,
        forwarding: Forwarding::Nat,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn pieces(fill: impl FnOnce(&mut Batch)) -> Vec<usize> {
    let mut batch = Batch::new();
    fill(&mut batch);
    let mut rest = batch.requests();
    let mut lengths = Vec::new();
    while !rest.is_empty() {
        let length = piece_len(rest);
        lengths.push(length);
        rest = &rest[length..];
    }
    lengths
}

#[test]
fn what_may_depend_on_a_late_addition_waits_for_it() {
    let lengths = pieces(|batch| {
        batch.add_service(&service(80), 0);
        batch.set_destination(&service(80), &real(1), 0);
        batch.set_destination(&service(80), &real(2), 0);
        batch.delete_destination(&service(81), &real(1), 0);
        batch.delete_destination(&service(80), &real(1), 0);
        batch.add_destination(&service(80), &real(1), 0);
        batch.set_destination(&service(80), &real(1), 0);
        batch.set_destination(&service(80), &real(1), 0);
        batch.delete_service(&service(82), 0);
        batch.flush(0);
    });
    assert_eq!(lengths, [4, 3, 1, 2]);
}

#[test]
fn pieces_are_not_longer_than_a_datagram() {
    let many = pieces(|batch| {
        for n in 0..1000 {
            batch.add_destination(&service(n), &real(1), 0);
        }
    });
    assert_eq!(many.iter().sum::<usize>(), 1000);
    let mut batch = Batch::new();
    for n in 0..1000 {
        batch.add_destination(&service(n), &real(1), 0);
    }
    let mut writer = Writer::new();
    for request in &batch.requests()[..many[0]] {
        wire::write(&mut writer, Family::new(1, 1), &request.change).unwrap();
    }
    assert!(writer.as_bytes().len() <= PIECE);
}

#[test]
fn a_namespace_that_is_not_there_is_named() {
    let error = Channel::open_in(Some("ka-nonesuch")).unwrap_err();
    assert!(error.to_string().starts_with("network namespace ka-nonesuch cannot be entered: "));
    assert_eq!(OpenError::Missing.to_string(), "Protocol not available");
}
