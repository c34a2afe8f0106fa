//! The first minute with Enarx: an example workload in a keep.

use crate::workspace::{Workspace, run as execute};
use crate::{guests, image};
use anyhow::Result;
use std::process::Command;

/// Builds the CLI, the runtime and `examples/rust`, and runs that.
pub fn run(workspace: &Workspace) -> Result<()> {
    let runtime = image::build(workspace)?;
    let program = guests::build_example(workspace, "rust")?.join("fibonacci.wasm");
    execute(&mut workspace.cargo(["build", "--release", "--package=enarx"]))?;
    let mut keep = Command::new(workspace.target.join("release/enarx"));
    keep.args(["run", "--config"]).arg(workspace.root.join("examples/rust/Enarx.toml")).arg(program);
    execute(keep.env("ENARX_RUNTIME", runtime))
}
