//! Reading a file from memory, and building settings from it.

use std::hint::black_box;

use benches::{build_check, build_vrrp, instances_text, read, real_servers_text};
use config::Loaded;
use gungraun::{library_benchmark, library_benchmark_group};
use vrrp::config::Settings;

fn instances(count: usize) -> Loaded {
    read(instances_text(count))
}

fn real_servers(count: usize, per_service: usize) -> Loaded {
    read(real_servers_text(count, per_service))
}

#[library_benchmark]
#[bench::instances_1000(instances_text(1_000))]
#[bench::instances_4000(instances_text(4_000))]
#[bench::real_servers_50000(real_servers_text(50_000, 25))]
fn parse(text: String) -> Loaded {
    black_box(read(black_box(text)))
}

#[library_benchmark]
#[bench::instances_1000(instances(1_000))]
#[bench::instances_4000(instances(4_000))]
fn build_instances(loaded: Loaded) -> (Loaded, Settings) {
    // What was given is returned, so that dropping it is not counted.
    let settings = build_vrrp(black_box(&loaded));
    (loaded, black_box(settings))
}

#[library_benchmark]
#[bench::services_of_25(real_servers(50_000, 25))]
#[bench::one_service(real_servers(50_000, 50_000))]
fn build_50000_real_servers(loaded: Loaded) -> (Loaded, usize) {
    let reported = build_check(black_box(&loaded));
    (loaded, black_box(reported))
}

library_benchmark_group!(
    name = reading,
    benchmarks = [parse, build_instances, build_50000_real_servers]
);
