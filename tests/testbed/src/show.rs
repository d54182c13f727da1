//! What the examples have in common: the daemon is built, a failure is one sentence, and nothing is
//! left behind.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Builds the daemon of the package in `package` and lets `story` show it. Without root, or when
/// something fails, one sentence says so and the exit status is 1.
pub fn show(name: &'static str, package: &str, story: impl Fn(&Path)) -> ExitCode {
    if let Some(reason) = crate::missing(&[]) {
        eprintln!("{name}: this cannot run here: {reason}.");
        return ExitCode::FAILURE;
    }
    crate::stop_on_interrupt();
    // A failure is one sentence for the person watching; unwinding then takes the network down.
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        eprintln!("{name}: {}", message.unwrap_or("something broke"));
    }));
    let shown = std::panic::AssertUnwindSafe(|| story(&build(package)));
    match std::panic::catch_unwind(shown) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Builds the daemon, with the profile the example was built with, and returns its path.
fn build(package: &str) -> PathBuf {
    if let Some(program) = std::env::var_os("KEEPALIVED_UNDER_TEST") {
        return program.into();
    }
    println!("Building the daemon.");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--bin", "keepalived"]).current_dir(package);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    assert!(cargo.status().is_ok_and(|status| status.success()), "the daemon could not be built");
    // target/release/examples/NAME -> target/release/keepalived
    let example = std::env::current_exe().unwrap_or_default();
    example.ancestors().nth(2).unwrap_or(Path::new(".")).join("keepalived")
}
