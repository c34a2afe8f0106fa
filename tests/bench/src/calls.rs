//! Calls from WASI 0.1 programs to their host.

use crate::process::{Setup, median};
use crate::table::{Goal, Table};
use anyhow::{Context, Result};
use std::process::{Command, Stdio};

/// The clock, and writes of 64 KiB.
pub fn run(setup: &Setup, table: &mut Table) -> Result<()> {
    let program = setup.guest("wasm32-wasip1/release", "hostcalls");
    for (call, limit) in [("clock", 0.5), ("write", 0.05)] {
        let Some(mut theirs) = setup.wasmtime_cached() else { return Ok(()) };
        let mut ours = setup.enarx(&[]);
        ours.arg(&program).args(["--", call]);
        theirs.arg(&program).arg(call);
        let mut times = (Vec::new(), Vec::new());
        for _ in 0..7 {
            times.0.push(nanoseconds(&mut ours)?);
            times.1.push(nanoseconds(&mut theirs)?);
        }
        let (ours, theirs) = (median(times.0), median(times.1));
        let words = |time: f64| format!("{time:.0} ns");
        let what = format!("host call, {call}");
        table.ratio(&what, words(ours), words(theirs), ours / theirs, Goal::AtMost(limit));
    }
    Ok(())
}

/// What the program itself has measured.
fn nanoseconds(command: &mut Command) -> Result<f64> {
    let null = std::fs::File::create("/dev/null")?;
    let done =
        command.stdin(Stdio::null()).stdout(null).stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    let text = String::from_utf8(done.stderr)?;
    text.trim().parse().with_context(|| format!("not a number of nanoseconds: {text}"))
}
