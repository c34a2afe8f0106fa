//! The WebAssembly programs that tests and benchmarks run.

use crate::tools::require_target;
use crate::workspace::{Workspace, find, run};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's packages with which C programs are compiled.
const C_PACKAGES: &str = "clang-19 lld-19 libclang-rt-19-dev-wasm32 wasi-libc";
/// Where Debian's wasi-libc keeps its headers.
const C_HEADERS: &str = "/usr/include/wasm32-wasi/wasi/api.h";

/// Rust target and the packages of `tests/guests` built for it.
const RUST: [(&str, &[&str]); 2] = [
    ("wasm32-wasip1", &["programs", "sockets", "kernels"]),
    ("wasm32-wasip2", &["programs", "components", "http", "hello3", "http3"]),
];

/// Packages of `examples`, which are no workspace.
const RUST_EXAMPLES: [&str; 2] = ["rust", "tls"];

/// Builds them all below `target/guests`.
pub fn build(workspace: &Workspace) -> Result<()> {
    let source = workspace.root.join("tests/guests");
    let target = workspace.target.join("guests");
    for (triple, packages) in RUST {
        require_target(triple)?;
        let mut cargo = workspace.cargo(["build", "--quiet", "--locked", "--release", "--target", triple]);
        cargo.args(packages.iter().flat_map(|package| ["--package", package]));
        run(cargo.arg("--target-dir").arg(&target).current_dir(&source))?;
    }
    for example in RUST_EXAMPLES {
        build_example(workspace, example)?;
    }
    match find_clang() {
        Some(clang) => {
            compile_c(&clang, &source.join("c"), &target.join("c"))?;
            compile_c(&clang, &workspace.root.join("examples/c"), &target.join("c"))?;
        }
        None => println!("skipped tests/guests/c: no clang for WASI\nhint: apt-get install -y {C_PACKAGES}"),
    }
    match find("componentize-py") {
        Some(tool) => {
            compile_python(&tool, &workspace.root.join("examples/python"), &target.join("python.wasm"))
        }
        None => {
            println!(
                "skipped examples/python: no componentize-py on PATH\nhint: see examples/python/README.md"
            );
            Ok(())
        }
    }
}

fn compile_python(tool: &Path, source: &Path, program: &Path) -> Result<()> {
    if is_newer(program, &source.join("app.py")) {
        return Ok(());
    }
    let unfinished = program.with_extension("part");
    let mut compile = Command::new(tool);
    compile.current_dir(source).env("PYTHONDONTWRITEBYTECODE", "1");
    compile.args(["--wit-path=program.wit", "--world=program", "componentize", "app", "--output"]);
    run(compile.arg(&unfinished))?;
    Ok(std::fs::rename(unfinished, program)?)
}

/// Lints the Rust ones.
pub fn check(workspace: &Workspace) -> Result<()> {
    for (triple, packages) in RUST {
        require_target(triple)?;
        let mut cargo = workspace.cargo(["clippy", "--quiet", "--locked", "--release", "--target", triple]);
        cargo.args(packages.iter().flat_map(|package| ["--package", package]));
        cargo.arg("--target-dir").arg(workspace.target.join("guests"));
        run(cargo.args(["--", "--deny=warnings"]).current_dir(workspace.root.join("tests/guests")))?;
    }
    Ok(())
}

/// Builds one of the Rust examples, and returns the folder of its program.
pub fn build_example(workspace: &Workspace, example: &str) -> Result<PathBuf> {
    let triple = "wasm32-wasip1";
    require_target(triple)?;
    let target = workspace.target.join("guests/examples");
    let mut cargo = workspace.cargo(["build", "--quiet", "--locked", "--release", "--target", triple]);
    cargo.arg("--target-dir").arg(&target).current_dir(workspace.root.join("examples").join(example));
    run(&mut cargo)?;
    Ok(target.join(triple).join("release"))
}

fn find_clang() -> Option<PathBuf> {
    Path::new(C_HEADERS).exists().then(|| find("clang-19")).flatten()
}

fn compile_c(clang: &Path, source: &Path, target: &Path) -> Result<()> {
    std::fs::create_dir_all(target)?;
    for entry in std::fs::read_dir(source)? {
        let file = entry?.path();
        if file.extension().is_none_or(|extension| extension != "c") {
            continue;
        }
        let name = file.file_stem().context("a source file without name")?;
        let program = target.join(name).with_extension("wasm");
        if is_newer(&program, &file) {
            continue;
        }
        // Written aside, then renamed: a test that runs meanwhile never sees half a program.
        let unfinished = program.with_extension("part");
        let mut compile = Command::new(clang);
        compile.args(["--target=wasm32-wasi", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]);
        run(compile.arg(&unfinished).arg(&file))?;
        std::fs::rename(unfinished, program)?;
    }
    Ok(())
}

fn is_newer(product: &Path, source: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    time(product) > time(source)
}
