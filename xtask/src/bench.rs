//! Builds what `tests/bench` measures, and starts it.

use crate::workspace::{Workspace, run as execute};
use crate::{guests, image};
use anyhow::Result;
use std::process::Command;

/// Measures these sections; all of them when none is named.
pub fn run(workspace: &Workspace, sections: &[&str]) -> Result<()> {
    let runtime = image::build(workspace)?;
    guests::build(workspace)?;
    execute(&mut workspace.cargo(["build", "--release", "--package=bench"]))?;
    let mut bench = Command::new(workspace.target.join("release/bench"));
    bench.arg(image::cli(workspace)).arg(runtime).arg(workspace.target.join("guests"));
    match &workspace.wasmtime {
        Some(program) => bench.arg(program),
        None => bench.arg("-"),
    };
    execute(bench.args(sections))
}
