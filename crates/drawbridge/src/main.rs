//! The registry that releases workloads only to attested keeps.

use clap::Parser;
use drawbridge::cli::Arguments;
use drawbridge::command::{World, run};
use std::io::Write;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> ExitCode {
    let world = World { environment: std::env::vars().collect(), clock, random };
    match run(Arguments::parse(), &world) {
        Ok(code) => code,
        Err(failure) => {
            let hint = failure.hint().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
            let _ = write!(std::io::stderr(), "drawbridge: {failure}\n{hint}");
            ExitCode::from(1)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "main reads the clock for all")]
fn clock() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}

fn random(bytes: &mut [u8]) {
    // A system without randomness can make no token and no upload that others could not guess.
    assert!(aws_lc_rs::rand::fill(bytes).is_ok(), "the system has no randomness");
}
