//! The first minute with Enarx: an example workload in a keep.

use crate::workspace::{Workspace, run as execute};
use crate::{guests, image};
use anyhow::Result;
use std::process::Command;

/// Builds the runtime, the CLI and `examples/rust`, and runs that.
pub fn run(workspace: &Workspace) -> Result<()> {
    let runtime = image::build(workspace)?;
    let program = guests::build_example(workspace, "rust")?.join("fibonacci.wasm");
    let mut keep = Command::new(image::cli(workspace));
    keep.args(["run", "--config"]).arg(workspace.root.join("examples/rust/Enarx.toml")).arg(program);
    execute(keep.env("ENARX_RUNTIME", runtime))
}
