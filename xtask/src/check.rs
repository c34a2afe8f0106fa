//! Everything a reviewer need not look at.

use crate::workspace::{Workspace, find, run as execute};
use crate::{guests, image, tidy};
use anyhow::Result;

/// Formats, lints, documents, and holds the house rules.
pub fn run(workspace: &Workspace) -> Result<()> {
    let apart = ["tests/guests", "examples/rust", "examples/tls"];
    execute(&mut workspace.cargo(["fmt", "--all", "--check"]))?;
    for folder in apart {
        execute(workspace.cargo(["fmt", "--all", "--check"]).current_dir(workspace.root.join(folder)))?;
    }
    guests::check(workspace)?;
    tidy::check(workspace)?;

    let all = ["--workspace", "--exclude=runtime"];
    execute(workspace.cargo(["clippy", "--all-targets"]).args(all).args(["--", "--deny=warnings"]))?;
    let documented = ["doc", "--no-deps", "--document-private-items"];
    execute(workspace.cargo(documented).args(all).env("RUSTDOCFLAGS", "--deny=warnings"))?;

    if workspace.runtime.is_some() {
        println!("ENARX_RUNTIME is set: crates/runtime is left to whoever builds it");
    } else {
        image::require_tools()?;
        let runtime = image::cargo_args();
        execute(workspace.cargo(["clippy", "--all-targets"]).args(runtime).args(["--", "--deny=warnings"]))?;
        execute(workspace.cargo(documented).args(runtime).env("RUSTDOCFLAGS", "--deny=warnings"))?;
    }

    match find("cargo-deny") {
        Some(_) => execute(&mut workspace.cargo(["deny", "--all-features", "check"])),
        None => {
            println!("skipped the dependency policy (deny.toml)\nhint: cargo install cargo-deny --locked");
            Ok(())
        }
    }
}
