use super::*;
use crate::service::{Destination, Forwarding, Protocol, Service};

fn service(key: ServiceKey) -> Service {
    Service { key, scheduler: "rr", flags: 0, persistence: 0, granularity: None, engine: None }
}

fn address(text: &str) -> ServiceKey {
    ServiceKey::Address(Protocol::Tcp, text.parse().unwrap(), 80)
}

fn real(text: &str) -> Destination {
    Destination {
        address: text.parse().unwrap(),
        port: 8080,
        forwarding: Forwarding::Nat,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn failure(change: Change, errno: Errno) -> Failure {
    Failure::new(&Request { change, tag: 7 }, errno)
}

#[test]
fn lines_are_keepaliveds() {
    let four = service(address("10.0.0.1"));
    let six = service(ServiceKey::Address(Protocol::Sctp, "2001:db8::1".parse().unwrap(), 0));
    let mark = service(ServiceKey::Mark(3, Family::Inet6));
    let lines = [
        (
            failure(Change::AddService(four.clone()), Errno::EEXIST),
            "IPVS cmd IP_VS_SO_SET_ADD(1154) error: Service already exists(17) (10.0.0.1:tcp:80)",
        ),
        (
            failure(Change::SetService(six.clone()), Errno::ENOENT),
            "IPVS cmd IP_VS_SO_SET_EDIT(1155) error: Scheduler or persistence engine not found(2) \
             (2001:db8::1:sctp:0)",
        ),
        (
            failure(Change::DeleteService(mark.clone()), Errno::ESRCH),
            "IPVS cmd IP_VS_SO_SET_DEL(1156) error: No such service(3) (Fwm 3 inet6)",
        ),
        (
            failure(Change::AddDestination(mark, real("10.9.9.9")), Errno::EINVAL),
            "IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: Invalid operation.  Possibly wrong module \
             version, address not unicast, ...(22) (Fwm 3 inet6 -> 10.9.9.9:8080)",
        ),
        (
            failure(Change::DeleteDestination(six, real("2001:db8::9")), Errno::ENOENT),
            "IPVS cmd IP_VS_SO_SET_DELDEST(1160) error: No such destination(2) \
             (2001:db8::1:sctp:0 -> 2001:db8::9:8080)",
        ),
        (
            failure(Change::SetDestination(four, real("10.9.9.9")), Errno::ERANGE),
            "IPVS cmd IP_VS_SO_SET_EDITDEST(1161) error: Numerical result out of range(34) \
             (10.0.0.1:tcp:80 -> 10.9.9.9:8080)",
        ),
        (
            failure(Change::Flush, Errno::EPERM),
            "IPVS cmd IP_VS_SO_SET_FLUSH(1157) error: Permission denied (you must be root)(1)",
        ),
        (
            failure(Change::StopDaemon(crate::DaemonState::Master, 1), Errno::ESRCH),
            "IPVS cmd IP_VS_SO_SET_STOPDAEMON(1164) error: No daemon is running(3)",
        ),
        (
            failure(Change::SetTimeouts(crate::Timeouts::default()), Errno::EINVAL),
            "Failed to set ipvs timeouts",
        ),
    ];
    for (failure, line) in lines {
        assert_eq!(failure.to_string(), line);
        assert_eq!(failure.tag, 7);
    }
}

#[test]
fn what_leaves_the_table_as_wanted_is_tolerated() {
    let s = service(address("10.0.0.1"));
    let d = real("10.9.9.9");
    for (change, tolerated) in [
        (Change::AddService(s.clone()), Errno::EEXIST),
        (Change::AddDestination(s.clone(), d), Errno::EEXIST),
        (Change::DeleteService(s.clone()), Errno::ENOENT),
        (Change::DeleteDestination(s.clone(), d), Errno::ENOENT),
    ] {
        for errno in [Errno::EEXIST, Errno::ENOENT, Errno::ESRCH, Errno::EPERM] {
            let failure = failure(change.clone(), errno);
            assert_eq!(failure.is_tolerated(), errno == tolerated, "{failure}");
        }
    }
    assert!(!failure(Change::SetDestination(s.clone(), d), Errno::ENOENT).is_tolerated());
    assert!(failure(Change::SetDestination(s, d), Errno::ENOENT).superseded().is_tolerated());
}
