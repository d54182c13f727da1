use super::*;
use crate::service::Protocol;

fn web() -> Service {
    let key = ServiceKey::Address(Protocol::Tcp, IpAddr::from([10, 0, 0, 1]), 80);
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

fn apply(table: &Table, fill: impl FnOnce(&mut Batch)) -> Vec<(u64, Errno, bool)> {
    let mut batch = Batch::new();
    fill(&mut batch);
    let failures = table.clone().apply(&batch);
    failures.iter().map(|f| (f.tag, f.errno, f.is_tolerated())).collect()
}

#[test]
fn it_answers_as_the_kernel_does() {
    let table = Table::new();
    let failures = apply(&table, |batch| {
        batch.add_destination(&web(), &real(1), 1);
        batch.delete_service(&web(), 2);
        batch.add_service(&web(), 3);
        batch.add_service(&web(), 4);
        batch.add_destination(&web(), &real(1), 5);
        batch.add_destination(&web(), &real(1), 6);
        batch.delete_destination(&web(), &real(2), 7);
        batch.set_destination(&web(), &Destination { weight: 4, ..real(3) }, 8);
        batch.stop_daemon(DaemonState::Backup, 1, 9);
    });
    assert_eq!(
        failures,
        [
            (1, Errno::ESRCH, false),
            (2, Errno::ESRCH, false),
            (4, Errno::EEXIST, true),
            (6, Errno::EEXIST, true),
            (7, Errno::ENOENT, true),
            (9, Errno::ESRCH, false),
        ]
    );
    assert_eq!(
        table.listing(),
        "-A -t 10.0.0.1:80 -s rr\n\
         -a -t 10.0.0.1:80 -r 10.9.9.1:80 -m -w 1\n\
         -a -t 10.0.0.1:80 -r 10.9.9.3:80 -m -w 4\n"
    );
    apply(&table, |batch| batch.flush(0));
    assert_eq!(table.listing(), "");
    assert_eq!(table.requests(), 11, "the addition after a change counts too");
}

#[test]
fn it_refuses_as_often_as_it_was_told() {
    let table = Table::new();
    table.refuse(2, Errno::ENOMEM);
    let failures = apply(&table, |batch| {
        batch.add_service(&web(), 1);
        batch.flush(2);
        batch.add_service(&web(), 3);
    });
    assert_eq!(failures, [(1, Errno::ENOMEM, false), (2, Errno::ENOMEM, false)]);
    assert_eq!(table.services(), [web()]);
    // A change that is refused because there is nothing to change, and then again.
    table.refuse(1, Errno::ENOENT);
    table.refuse(1, Errno::ENOMEM);
    let failures = apply(&table, |batch| batch.set_destination(&web(), &real(1), 4));
    assert_eq!(failures, [(4, Errno::ENOENT, true), (4, Errno::ENOMEM, false)]);
    assert_eq!(table.destinations(web().key), []);
}

#[test]
fn a_timeout_of_zero_is_left_as_it_is() {
    let mut table = Table::new();
    apply(&table, |batch| batch.set_timeouts(Timeouts { tcp: 5, tcp_fin: 0, udp: 6 }, 0));
    assert_eq!(table.timeouts().unwrap(), Timeouts { tcp: 5, tcp_fin: 120, udp: 6 });
}
