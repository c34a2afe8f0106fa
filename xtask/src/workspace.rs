//! Where things are, and how programs are run.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The checkout this program was built from.
pub struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
    /// What `cargo metadata --no-deps` said.
    pub metadata: Value,
    /// `ENARX_RUNTIME`.
    pub runtime: Option<PathBuf>,
    /// `WASMTIME`, or the program on `PATH`.
    pub wasmtime: Option<PathBuf>,
}

impl Workspace {
    /// Asks cargo.
    pub fn locate() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
        let mut command = Command::new("cargo");
        command.current_dir(root).args(["metadata", "--format-version=1", "--no-deps"]);
        let metadata: Value = serde_json::from_str(&output(&mut command)?)?;
        let target = metadata["target_directory"].as_str().context("cargo names no target directory")?;
        Ok(Self {
            root: root.to_owned(),
            target: target.into(),
            runtime: std::env::var_os("ENARX_RUNTIME").map(PathBuf::from),
            wasmtime: std::env::var_os("WASMTIME").map(PathBuf::from).or_else(|| find("wasmtime")),
            metadata,
        })
    }

    /// `cargo` with these arguments, in the workspace.
    pub fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, args: I) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(&self.root).args(args);
        command
    }
}

/// Runs to the end; an unsuccessful end is an error that shows the command line.
pub fn run(command: &mut Command) -> Result<()> {
    let line = display(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// Runs to the end and returns its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let line = display(command);
    let done = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{line}`"))?;
    if !done.status.success() {
        bail!("`{line}` failed ({})", done.status);
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// The program of this name on `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
