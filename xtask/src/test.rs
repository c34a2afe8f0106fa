//! All tests, in the order that compiles Wasmtime once.

use crate::workspace::{Workspace, run as execute};
use crate::{guests, image};
use anyhow::Result;

/// Builds what the tests run, then runs those whose name contains the filter.
pub fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let runtime = image::build(workspace)?;
    guests::build(workspace)?;
    let mut others = workspace.cargo(["test", "--workspace", "--exclude=runtime"]);
    execute(others.args(filter).env("ENARX_RUNTIME", runtime))?;
    if workspace.runtime.is_some() {
        println!("ENARX_RUNTIME is set: the runtime's own tests are left to whoever built it");
        return Ok(());
    }
    execute(workspace.cargo(["test"]).args(image::cargo_args()).args(filter))
}
