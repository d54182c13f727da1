//! Health checks without their sockets: the scheduler, the verdict and the virtual server behind it.

use std::hint::black_box;

use benches::{Balancing, balancing, lvs_settings};
use check::Settings;
use gungraun::{library_benchmark, library_benchmark_group};

/// Checkers run this long from the end of one check to the next, and so do the benchmarks.
const DELAY: std::time::Duration = std::time::Duration::from_secs(6);

#[library_benchmark]
#[bench::tcp_5000(balancing(5_000, 25))]
fn check_cycle(mut balancing: Balancing) -> Balancing {
    balancing.run_for(DELAY);
    black_box(balancing)
}

fn dying(count: usize, per_service: usize) -> Balancing {
    let mut balancing = balancing(count, per_service);
    balancing.world.answer = false;
    // The first failures, of which none settles anything.
    balancing.run_for(DELAY);
    balancing
}

// Each real server is taken out, and its virtual server looks whether it still has its quorum.
#[library_benchmark]
#[bench::services_of_25(dying(5_000, 25))]
#[bench::one_service(dying(5_000, 5_000))]
fn everything_dies(mut balancing: Balancing) -> Balancing {
    balancing.run_for(DELAY);
    black_box(balancing)
}

#[library_benchmark]
#[bench::services_of_20(balancing(40_000, 20), lvs_settings(40_000, 20))]
#[bench::one_service(balancing(40_000, 40_000), lvs_settings(40_000, 40_000))]
fn unchanged_settings(mut balancing: Balancing, settings: Settings) -> Balancing {
    balancing.reload(settings);
    black_box(balancing)
}

fn reply() -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 24 Nov 2026 17:00:00 GMT\r\nContent-Type: text/html\r\n\
                Content-Length: 1024\r\nLast-Modified: Tue, 24 Nov 2026 16:00:00 GMT\r\nConnection: close\r\n\r\n";
    let mut reply = head.as_bytes().to_vec();
    reply.resize(reply.len() + 1024, b'x');
    reply
}

#[library_benchmark]
#[bench::of_a_web_server(reply())]
fn http_reply_1000(reply: Vec<u8>) -> Vec<u8> {
    for _ in 0..1_000 {
        assert_eq!(black_box(check::reply_status(black_box(&reply))), Some(200));
    }
    reply
}

library_benchmark_group!(
    name = checks,
    benchmarks = [check_cycle, everything_dies, unchanged_settings, http_reply_1000]
);
