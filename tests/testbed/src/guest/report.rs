//! The standard test harness's lines, for tests that ran elsewhere.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

/// The outcomes so far.
pub(super) struct Report {
    start: Instant,
    /// Those without a result yet.
    open: Vec<String>,
    filtered_out: usize,
    show_output: bool,
    passed: usize,
    ignored: usize,
    failures: BTreeMap<String, String>,
}

impl Report {
    /// Announces the tests.
    pub(super) fn new(names: Vec<&str>, filtered_out: usize, show_output: bool) -> Self {
        let plural = if names.len() == 1 { "" } else { "s" };
        println!("\nrunning {} test{plural}", names.len());
        Self {
            start: Instant::now(),
            open: names.into_iter().map(str::to_owned).collect(),
            filtered_out,
            show_output,
            passed: 0,
            ignored: 0,
            failures: BTreeMap::new(),
        }
    }

    /// A test has ended.
    pub(super) fn result(&mut self, name: &str, passed: bool, log: &str) {
        let Some(place) = self.open.iter().position(|open| open == name) else {
            println!("a result of a test that was not asked for: {name}");
            return;
        };
        self.open.remove(place);
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        if self.show_output {
            print!("{log}");
        }
        if passed {
            self.passed += 1;
        } else {
            self.failures.insert(name.to_owned(), log.to_owned());
        }
    }

    /// No test can run here; with `CI=true` that is a failure.
    pub(super) fn cannot_run(&mut self, reason: &str) {
        if std::env::var("CI").as_deref() == Ok("true") {
            return self.lost(reason, "");
        }
        for name in std::mem::take(&mut self.open) {
            println!("test {name} ... ignored, {reason}");
            self.ignored += 1;
        }
    }

    /// No further results will come.
    pub(super) fn lost(&mut self, reason: &str, console: &str) {
        for name in self.open.clone() {
            self.result(&name, false, &format!("{reason}\n{console}"));
        }
    }

    /// Prints the failures and the sum.
    pub(super) fn finish(self) -> ExitCode {
        if !self.failures.is_empty() && !self.show_output {
            println!("\nfailures:");
            self.failures.iter().for_each(|(name, log)| println!("\n---- {name} ----\n{log}"));
        }
        if !self.failures.is_empty() {
            println!("\nfailures:");
            self.failures.keys().for_each(|name| println!("    {name}"));
        }
        let good = self.failures.is_empty();
        println!(
            "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {} filtered out; \
             finished in {:.2}s\n",
            if good { "ok" } else { "FAILED" },
            self.passed,
            self.failures.len(),
            self.ignored,
            self.filtered_out,
            self.start.elapsed().as_secs_f64()
        );
        // The standard harness's status.
        if good { ExitCode::SUCCESS } else { ExitCode::from(101) }
    }
}
