//! Tools that a fresh machine lacks.

use crate::workspace::{find, output, run};
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Adds a Rust target when it is missing.
pub fn require_target(target: &str) -> Result<()> {
    let mut list = Command::new("rustup");
    list.args(["target", "list", "--installed"]);
    let installed = output(&mut list).with_context(|| {
        format!(
            "the Rust target {target} is needed, and rustup adds it\nhint: install rustup: https://rustup.rs"
        )
    })?;
    if installed.lines().any(|line| line == target) {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", target]))
}

/// The target of ring 0 in virtual machines, which `keep` builds and embeds on Linux on x86-64.
pub const SHIM: &str = "x86_64-unknown-none";

/// Adds the target of [`SHIM`] where `keep` needs it.
pub fn require_shim_target() -> Result<()> {
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) { require_target(SHIM) } else { Ok(()) }
}

/// The C compiler for static programs: a crypto library and an allocator are written in C.
pub fn require_musl() -> Result<()> {
    let names = ["musl-gcc", "x86_64-linux-musl-gcc"];
    if names.into_iter().any(|name| find(name).is_some()) {
        return Ok(());
    }
    let command = "apt-get install -y musl-tools";
    if find("apt-get").is_none() || !is_root()? {
        bail!("musl-gcc is missing; it compiles the C parts of the static runtime\nhint: sudo {command}");
    }
    println!("musl-gcc is missing: installing Debian's musl-tools");
    run(Command::new("apt-get").args(["install", "-y", "musl-tools"]))
}

fn is_root() -> Result<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}
