//! Everything a reviewer need not look at.

use crate::workspace::{Workspace, find, run as execute};
use crate::{guests, tidy, tools};
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

    execute(&mut workspace.cargo(["clippy", "--workspace", "--all-targets", "--", "--deny=warnings"]))?;
    // The Steward is a program for keeps, too.
    let portable = ["clippy", "--package", "steward", "--target", "wasm32-wasip1", "--", "--deny=warnings"];
    execute(&mut workspace.cargo(portable))?;
    // In the workspace's own build the shim is a stub.
    let shim = ["clippy", "--package", "shim-kvm", "--target", tools::SHIM, "--", "--deny=warnings"];
    execute(&mut workspace.cargo(shim))?;
    let document = ["doc", "--workspace", "--no-deps", "--document-private-items"];
    execute(workspace.cargo(document).env("RUSTDOCFLAGS", "--deny=warnings"))?;

    match find("cargo-deny") {
        Some(_) => execute(&mut workspace.cargo(["deny", "--all-features", "check"])),
        None => {
            println!("skipped the dependency policy (deny.toml)\nhint: cargo install cargo-deny --locked");
            Ok(())
        }
    }
}
