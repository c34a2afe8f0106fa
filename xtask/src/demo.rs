//! The first minute with Enarx: an example workload in a keep.

use crate::image;
use crate::tools::require_target;
use crate::workspace::{Workspace, run as execute};
use anyhow::Result;

/// Builds the CLI, the runtime and `examples/rust`, and runs that.
pub fn run(workspace: &Workspace) -> Result<()> {
    let runtime = image::build(workspace)?;
    require_target("wasm32-wasip1")?;
    let example = workspace.root.join("examples/rust");
    let target = workspace.target.join("examples");
    let mut build = workspace.cargo(["build", "--release", "--target=wasm32-wasip1", "--manifest-path"]);
    execute(build.arg(example.join("Cargo.toml")).arg("--target-dir").arg(&target))?;
    execute(&mut workspace.cargo(["build", "--release", "--package=enarx"]))?;
    let program = target.join("wasm32-wasip1/release/fibonacci.wasm");
    let mut keep = std::process::Command::new(workspace.target.join("release/enarx"));
    keep.arg("run").arg("--config").arg(example.join("Enarx.toml")).arg(program);
    execute(keep.env("ENARX_RUNTIME", runtime))
}
