use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use simple_dns::{Packet, RCODE};

use super::*;
use crate::settings::{DnsSettings, Origin, UdpSettings};
use crate::testing::{self, World, run_once, run_until};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A server that answers the first datagram with all that `answer` makes of it.
fn server(
    ip: IpAddr,
    answer: impl FnOnce(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let address = socket.local_addr().unwrap();
    let serve = move || {
        let mut buffer = [0; 1000];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        for datagram in answer(&buffer[..length]) {
            socket.send_to(&datagram, from).unwrap();
        }
        buffer[..length].to_vec()
    };
    (address, thread::spawn(serve))
}

/// A port where nobody listens.
fn nobody() -> SocketAddr {
    UdpSocket::bind((V4, 0)).unwrap().local_addr().unwrap()
}

fn dns() -> Kind {
    Kind::Dns(DnsSettings { kind: 6, name: "example.org".into() })
}

fn udp(require_reply: bool, reply: Option<&[u8]>) -> Kind {
    let reply = reply.map(|reply| (reply.to_vec(), vec![0xff; reply.len()]));
    let (payload, min_length, max_length) = (None, 0, 255);
    Kind::Udp(Box::new(UdpSettings { payload, require_reply, reply, min_length, max_length }))
}

struct Check {
    s: Scheduler<World>,
    w: World,
    id: CheckerId,
}

impl Check {
    fn new(kind: Kind, target: SocketAddr, timeout: Duration) -> Check {
        let mut settings = testing::settings(kind);
        let connection = Connection { timeout, ..testing::connection(target) };
        settings.connection = Some(connection);
        let mut w = World::default();
        let id = w.add(settings);
        Check { s: Scheduler::new().unwrap(), w, id }
    }

    /// Whether the server is up after an attempt.
    fn run(&mut self) -> bool {
        run_once(&mut self.s, &mut self.w, self.id);
        let checker = self.w.checker(self.id);
        assert!(checker.attempt.is_none() && checker.timer.is_some());
        checker.verdict.up
    }
}

fn up(kind: Kind, target: SocketAddr) -> bool {
    Check::new(kind, target, Duration::from_secs(60)).run()
}

/// The result when nothing decides before the time is up.
fn up_in_the_end(kind: Kind, target: SocketAddr) -> bool {
    Check::new(kind, target, Duration::from_millis(30)).run()
}

fn reply(query: &[u8], rcode: RCODE) -> Vec<u8> {
    let mut packet = Packet::parse(query).unwrap().into_reply();
    *packet.rcode_mut() = rcode;
    packet.build_bytes_vec().unwrap()
}

#[test]
fn a_name_server_that_answers_is_up() {
    for ip in [V4, V6] {
        let (address, thread) = server(ip, |query| vec![reply(query, RCODE::NoError)]);
        assert!(up(dns(), address));
        let query = thread.join().unwrap();
        assert_eq!(Packet::parse(&query).unwrap().questions[0].qname.to_string(), "example.org");
    }
}

#[test]
fn a_name_server_that_does_not_know_is_down() {
    for rcode in [RCODE::NameError, RCODE::Refused, RCODE::ServerFailure] {
        let (address, _) = server(V4, move |query| vec![reply(query, rcode)]);
        assert!(!up(dns(), address));
    }
}

#[test]
fn what_is_no_answer_is_not_taken_for_one() {
    let wrong = |query: &[u8]| {
        let mut other_id = reply(query, RCODE::Refused);
        other_id[0] ^= 1;
        vec![vec![], b"short".to_vec(), query.to_vec(), other_id]
    };
    let (address, _) = server(V4, move |query| {
        wrong(query).into_iter().chain([reply(query, RCODE::NoError)]).collect()
    });
    assert!(up(dns(), address), "the answer comes behind");
    let (address, _) = server(V4, wrong);
    assert!(!up_in_the_end(dns(), address));
    // More of it than is looked at in one go, but not more than the kernel keeps for a socket.
    let (address, _) = server(V4, |query| {
        let garbage = (0..100).map(|n| vec![0xff; n]);
        garbage.chain([reply(query, RCODE::NoError)]).collect()
    });
    assert!(up(dns(), address));
}

#[test]
fn nobody_there() {
    assert!(!up(dns(), nobody()));
    assert!(!up(udp(false, None), nobody()));
    assert!(!up(udp(true, None), nobody()));
    let mut check = Check::new(udp(false, None), nobody(), Duration::from_secs(60));
    check.run();
    assert_eq!(check.w.checker(check.id).verdict.last_error, libc::ECONNREFUSED);
    assert!(!up(udp(false, None), (V4, 0).into()), "no port");
}

#[test]
fn a_udp_server_may_be_silent_unless_a_reply_is_required() {
    let silent = || UdpSocket::bind((V4, 0)).unwrap();
    let socket = silent();
    assert!(up_in_the_end(udp(false, None), socket.local_addr().unwrap()));
    let mut payload = [0; 64];
    let length = socket.recv(&mut payload).unwrap();
    assert_eq!(&payload[..length], b"keepalived check - keepalived ch");
    let socket = silent();
    assert!(!up_in_the_end(udp(true, None), socket.local_addr().unwrap()));
}

#[test]
fn a_udp_reply_may_have_to_be_the_right_one() {
    let big = vec![7; 300];
    for (kind, answer, good) in [
        (udp(true, None), b"".to_vec(), true),
        (udp(true, Some(b"pong")), b"pong, and more".to_vec(), true),
        (udp(true, Some(b"pong")), b"ping".to_vec(), false),
        (udp(false, None), big.clone(), true),
        (udp(true, Some(b"\x07")), big, false),
    ] {
        let (address, _) = server(V6, move |_| vec![answer]);
        assert_eq!(up(kind.clone(), address), good, "{kind:?}");
    }
}

#[test]
fn no_socket_is_no_failure() {
    let mut check = Check::new(udp(true, None), nobody(), Duration::from_secs(60));
    let checker = check.w.checker(check.id);
    let settings = Rc::make_mut(&mut checker.settings);
    let interface = Some("no-such-device".into());
    let origin = Origin { interface, ..Origin::default() }.given();
    settings.connection.as_mut().unwrap().origin = origin;
    assert!(check.run());
    assert!(!check.w.checker(check.id).verdict.has_run);
}

#[test]
fn a_stopped_checker_leaves_no_thread() {
    let socket = UdpSocket::bind((V4, 0)).unwrap();
    let target = socket.local_addr().unwrap();
    let Check { mut s, mut w, id } = Check::new(udp(true, None), target, Duration::from_secs(60));
    crate::checker::schedule::start(&mut s, &mut w, id, Duration::ZERO);
    run_until(&mut s, &mut w, |w| w.checker(id).attempt.is_some());
    crate::checker::schedule::stop(&mut s, &mut w, id);
    assert!(s.is_empty());
}

/// Needs group 0 in `ping_group_range`; without it, there is no socket, which is no failure either.
#[test]
fn echoes_come_back_and_the_socket_is_kept() {
    for ip in [V4, V6] {
        let mut check = Check::new(Kind::Ping, (ip, 0).into(), Duration::from_secs(60));
        for expected in 1..=3 {
            assert!(check.run());
            let checker = check.w.checker(check.id);
            if !checker.verdict.has_run {
                assert!(checker.pinger.is_none(), "pings are not allowed here");
                break;
            }
            assert_eq!(checker.pinger.as_ref().unwrap().sequence, expected);
        }
    }
}

#[test]
fn an_address_without_a_route_does_not_answer_pings() {
    // Class E; the kernel refuses it at once.
    let target = (Ipv4Addr::new(255, 255, 255, 255), 0).into();
    let mut check = Check::new(Kind::Ping, target, Duration::from_millis(30));
    let up = check.run();
    let checker = check.w.checker(check.id);
    assert_eq!(up, !checker.verdict.has_run, "down, unless pings are not allowed here");
    assert!(checker.pinger.is_none());
}
