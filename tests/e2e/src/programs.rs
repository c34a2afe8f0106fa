//! Builds, once per process, what the tests run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the programs under test are.
pub struct Programs {
    /// The CLI.
    pub enarx: PathBuf,
    /// The runtime image.
    pub runtime: PathBuf,
    guests: PathBuf,
}

/// The programs under test, built when asked for the first time.
pub fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(build)
}

/// A program of `tests/guests/{programs,sockets}`, built for WASI 0.1.
pub fn wasip1(name: &str) -> PathBuf {
    guest("wasm32-wasip1/release", name)
}

/// A program of `tests/guests/{programs,components,http,…}`, built for WASI 0.2 or 0.3.
pub fn wasip2(name: &str) -> PathBuf {
    guest("wasm32-wasip2/release", name)
}

/// A program of `tests/guests/c`; none if this machine has no C compiler for it.
pub fn c(name: &str) -> Option<PathBuf> {
    let path = guest("c", name);
    crate::tools::available("c", path.exists()).then_some(path)
}

/// The program of a Rust package in `examples`.
pub fn rust_example(name: &str) -> PathBuf {
    guest("examples/wasm32-wasip1/release", name)
}

/// `examples/python`; none if this machine lacks componentize-py.
pub fn python() -> Option<PathBuf> {
    let path = guest("", "python");
    crate::tools::available("python", path.exists()).then_some(path)
}

fn guest(folder: &str, name: &str) -> PathBuf {
    programs().guests.join(folder).join(name).with_extension("wasm")
}

fn build() -> Programs {
    cargo(&["xtask", "guests"]);
    cargo(&["build", "--quiet", "--package", "enarx"]);
    let target = target_directory();
    let name = format!("enarx{}", std::env::consts::EXE_SUFFIX);
    Programs { enarx: target.join("debug").join(name), runtime: runtime(), guests: target.join("guests") }
}

/// `ENARX_RUNTIME`, or what `cargo xtask image` says it built.
fn runtime() -> PathBuf {
    if let Some(path) = std::env::var_os("ENARX_RUNTIME") {
        return path.into();
    }
    let said = cargo(&["xtask", "image"]);
    let path = said.lines().find_map(|line| line.strip_prefix("image "));
    path.expect("`cargo xtask image` names its product").trim().into()
}

fn target_directory() -> PathBuf {
    let metadata = cargo(&["metadata", "--format-version=1", "--no-deps"]);
    let (_, rest) = metadata.split_once("\"target_directory\":\"").expect("cargo names its target directory");
    let (path, _) = rest.split_once('"').expect("a closed string");
    path.replace("\\\\", "\\").into()
}

fn cargo(args: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let done = Command::new("cargo").current_dir(root).args(args).output().expect("cargo starts");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "cargo {} failed:\n{errors}", args.join(" "));
    String::from_utf8(done.stdout).expect("cargo prints UTF-8")
}
