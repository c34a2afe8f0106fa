//! Programs that only compute.

use crate::process::{Setup, interleaved, ms, ratio};
use crate::table::{Goal, Table};
use anyhow::Result;

/// Each kernel, under the default limits.
pub fn run(setup: &Setup, table: &mut Table) -> Result<()> {
    let program = setup.guest("wasm32-wasip1/release", "compute");
    for kernel in ["sha256", "matrix", "sort", "interpreter"] {
        let Some(mut theirs) = setup.wasmtime_cached() else { return Ok(()) };
        let mut ours = setup.enarx(&[]);
        ours.arg(&program).args(["--", kernel]);
        theirs.arg(&program).arg(kernel);
        let costs = interleaved(9, vec![ours, theirs])?;
        let (ours, theirs) = (costs[0].cpu, costs[1].cpu);
        let what = format!("compute, {kernel}, speed");
        table.ratio(&what, ms(ours), ms(theirs), ratio(theirs, ours), Goal::AtLeast(0.98));
    }
    Ok(())
}
