//! Load balancing on a kernel that has it: whole daemons in a virtual machine.

#![allow(
    clippy::unwrap_used,
    reason = "all of this crate is test code, not only its #[test] functions"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use testbed::guest::{Suite, Test};

fn main() -> ExitCode {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_keepalived"));
    testbed::guest::main(&Suite {
        tests: &[Test { name: "smoke", body: smoke }],
        program: std::env::var_os("KEEPALIVED_UNDER_TEST").map_or(built, PathBuf::from),
        kernel: Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-kernel"),
    })
}

fn smoke() {
    println!("{}", testbed::run("ipvsadm -Ln"));
    println!("{}", testbed::run("uname -a"));
    println!("{}", testbed::run("ps"));
}
