//! Builds what `tests/bench` measures, and starts it.

use crate::workspace::{Workspace, run as execute};
use crate::{guests, image};
use anyhow::Result;
use std::process::Command;

/// Measures these sections; all of them when none is named.
pub fn run(workspace: &Workspace, sections: &[&str]) -> Result<()> {
    let runtime = image::build(workspace)?;
    guests::build(workspace)?;
    execute(&mut workspace.cargo(["build", "--release", "--package=enarx", "--package=bench"]))?;
    let release = workspace.target.join("release");
    let mut bench = Command::new(release.join("bench"));
    bench.arg(release.join("enarx")).arg(runtime).arg(workspace.target.join("guests"));
    match &workspace.wasmtime {
        Some(program) => bench.arg(program),
        None => bench.arg("-"),
    };
    execute(bench.args(sections))
}
