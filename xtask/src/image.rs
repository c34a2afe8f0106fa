//! What ships: the runtime image, one static program that runs inside every keep, and beside it the CLI.

use crate::tools::{require_musl, require_target};
use crate::workspace::{Workspace, output, run};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

const MUSL: &str = "x86_64-unknown-linux-musl";

/// Builds the image, or takes the one of `ENARX_RUNTIME`; prints what it is and returns its path.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let path = match &workspace.runtime {
        Some(path) => path.clone(),
        None => compile(workspace)?,
    };
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    if is_static() && !is_static_pie(&bytes) {
        bail!("{} is not a static position-independent program", path.display());
    }
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("image   {}", path.display());
    println!("size    {:.1} MB", bytes.len() as f64 / 1e6);
    println!("sha256  {digest}");
    Ok(path)
}

/// The CLI that [`build`] leaves beside an image it has compiled.
pub fn cli(workspace: &Workspace) -> PathBuf {
    workspace.target.join(folder()).join(format!("enarx{}", std::env::consts::EXE_SUFFIX))
}

fn compile(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = workspace.cargo(["build", "--package=runtime", "--package=enarx", "--profile=image"]);
    if is_static() {
        require_target(MUSL)?;
        require_musl()?;
        build.args(["--target", MUSL]);
    } else {
        println!("this is not x86-64 Linux: a native runtime, which is not the image that TEEs measure");
    }
    // `enarx --version` tells it; the runtime, which is measured, is the same without.
    if let Ok(commit) =
        output(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).current_dir(&workspace.root))
    {
        build.env("ENARX_COMMIT", commit.trim());
    }
    run(&mut build)?;
    Ok(workspace.target.join(folder()).join(format!("enarx-runtime{}", std::env::consts::EXE_SUFFIX)))
}

fn folder() -> PathBuf {
    if is_static() { Path::new(MUSL).join("image") } else { PathBuf::from("image") }
}

const fn is_static() -> bool {
    cfg!(all(target_arch = "x86_64", target_os = "linux"))
}

/// An ELF shared object without an interpreter. Offsets: System V ABI, "ELF Header" and "Program Header", 64 bit.
fn is_static_pie(elf: &[u8]) -> bool {
    const SHARED_OBJECT: u64 = 3;
    const INTERPRETER: u64 = 3;
    let number = |at: usize, width: usize| -> Option<u64> {
        let bytes = elf.get(at..at.checked_add(width)?)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    let check = || -> Option<bool> {
        let (table, size, count) =
            (number(32, 8)? as usize, number(54, 2)? as usize, number(56, 2)? as usize);
        for index in 0..count {
            if number(table.checked_add(index * size)?, 4)? == INTERPRETER {
                return Some(false);
            }
        }
        Some(elf.starts_with(b"\x7fELF") && number(16, 2)? == SHARED_OBJECT)
    };
    check().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_static_pie_is_accepted() {
        let mut elf = vec![0u8; 64 + 56];
        elf[..4].copy_from_slice(b"\x7fELF");
        elf[16] = 3;
        elf[32] = 64;
        elf[54] = 56;
        elf[56] = 1;
        assert!(is_static_pie(&elf));
        for (at, value) in [(0, 0), (16, 2), (64, 3), (56, 9)] {
            let mut other = elf.clone();
            other[at] = value;
            assert!(!is_static_pie(&other), "byte {at} = {value}");
        }
        assert!(!is_static_pie(&[]));
    }
}
