//! All tests.

use crate::workspace::{Workspace, run as execute};
use crate::{guests, image};
use anyhow::Result;

/// Builds what the tests run, then runs those whose name contains the filter.
pub fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let runtime = image::build(workspace)?;
    guests::build(workspace)?;
    let mut test = workspace.cargo(["test", "--workspace"]);
    if workspace.runtime.is_some() {
        println!("ENARX_RUNTIME is set: the runtime's own tests are left to whoever built it");
        test.arg("--exclude=runtime");
    }
    execute(test.args(filter).env("ENARX_RUNTIME", runtime))
}
