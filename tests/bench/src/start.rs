//! From start to end of small programs, and of a large one.

use crate::process::{Family, Setup, cost, interleaved, median, ms, ratio};
use crate::table::{Goal, Table};
use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

const ROUNDS: usize = 41;

/// Hello worlds, with and without cache.
pub fn hello(setup: &Setup, table: &mut Table) -> Result<()> {
    for (language, folder) in
        [("C", "c"), ("Rust 0.1", "wasm32-wasip1/release"), ("Rust 0.2", "wasm32-wasip2/release")]
    {
        let program = setup.guest(folder, "hello");
        if !program.exists() {
            table.skip(&format!("hello, {language}"), "its toolchain is absent");
            continue;
        }
        let cached = (setup.enarx(&[]), setup.wasmtime_cached());
        let uncached = (setup.enarx(&["--no-cache"]), setup.wasmtime(&["run", "-C", "cache=n"]));
        for (kind, (ours, theirs), limit) in [("cached", cached, 0.5), ("uncached", uncached, 0.8)] {
            let Some(theirs) = theirs else { continue };
            let with = |mut command: Command| {
                command.arg(&program);
                command
            };
            let costs = interleaved(ROUNDS, vec![with(ours), with(theirs)])?;
            let (ours, theirs) = (costs[0].wall, costs[1].wall);
            let what = format!("hello, {language}, {kind}");
            table.ratio(&what, ms(ours), ms(theirs), ratio(ours, theirs), Goal::AtMost(limit));
        }
    }
    memory(setup, table)
}

/// Resident memory of a WASI 0.1 program that waits for input, all processes together.
fn memory(setup: &Setup, table: &mut Table) -> Result<()> {
    let program = setup.guest("wasm32-wasip1/release", "rot13");
    let ours = waiting(setup.enarx(&[]).arg(&program))?;
    let theirs = match setup.wasmtime_cached() {
        Some(mut command) => format!("{:.1} MB", waiting(command.arg(&program))?),
        None => "–".to_owned(),
    };
    table.ratio("memory of a WASI 0.1 program, MB", format!("{ours:.1} MB"), theirs, ours, Goal::AtMost(8.0));
    Ok(())
}

fn waiting(command: &mut Command) -> Result<f64> {
    cost(command)?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdin = child.stdin.take().context("a pipe")?;
    stdin.write_all(b"a\n")?;
    child.stdout.as_mut().context("a pipe")?.read_exact(&mut [0; 2])?;
    let memory = Family::of(child.id())?.memory();
    drop(stdin);
    child.wait()?;
    memory
}

/// An 18 MB Python component.
pub fn python(setup: &Setup, table: &mut Table) -> Result<()> {
    let program = setup.guest("", "python");
    if !program.exists() {
        table.skip("Python component", "componentize-py is absent");
        return Ok(());
    }
    let (Some(mut uncached), Some(mut compile), Some(mut precompiled)) = (
        setup.wasmtime(&["run", "-C", "cache=n"]),
        setup.wasmtime(&["compile"]),
        setup.wasmtime(&["run", "--allow-precompiled"]),
    ) else {
        return Ok(());
    };
    let (mut first, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..3 {
        let fresh = setup.home().join(format!("python-{round}"));
        first.push(cost(setup.enarx(&[]).env("XDG_CACHE_HOME", fresh).arg(&program))?.wall);
        theirs.push(cost(if round == 0 { uncached.arg(&program) } else { &mut uncached })?.wall);
    }
    let (ours, others) = (median(first), median(theirs));
    table.ratio("Python, first start", ms(ours), ms(others), ratio(ours, others), Goal::AtMost(0.4));

    let machine = setup.home().join("python.cwasm");
    cost(compile.arg("-o").arg(&machine).arg(&program))?;
    let mut next = setup.enarx(&[]);
    cost(next.arg(&program))?;
    precompiled.arg(&machine);
    let costs = interleaved(15, vec![next, precompiled])?;
    let (ours, others) = (costs[0].wall, costs[1].wall);
    table.ratio("Python, next start", ms(ours), ms(others), ratio(ours, others), Goal::AtMost(1.2));
    Ok(())
}
