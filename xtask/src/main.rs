//! Developer commands. `cargo xtask help` lists them; each is one module here.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing what it does is this program's purpose"
)]

mod bench;
mod check;
mod demo;
mod guests;
mod image;
mod test;
mod tidy;
mod tools;
mod workspace;

use anyhow::{Result, bail};
use std::process::ExitCode;
use workspace::Workspace;

const HELP: &str = "\
cargo xtask <command>

  demo             build everything and run an example workload in a keep
  test [FILTER]    build everything and run all tests (those whose name contains FILTER)
  check            format, lints, documentation, house rules, dependency policy
  image            build the program inside a keep (crates/runtime) and print its size and digest
  guests           build the WebAssembly test programs (tests/guests)
  bench [SECTION…] measure, as ratios to the wasmtime program and to native code;
                   sections: start, python, compute, calls, tls, http
  help             this text

Missing Rust targets are added by rustup. Environment:

  ENARX_RUNTIME    a runtime image built elsewhere: used as it is, nothing is built for it
  ENARX_REQUIRE    test tools that must be there (c,python,openssl,curl,kvm): a missing one fails instead of skipping
  WASMTIME         the wasmtime program to measure against (default: the one on PATH)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    if matches!(words, [] | ["help" | "--help" | "-h"]) {
        print!("{HELP}");
        return Ok(());
    }
    let workspace = Workspace::locate()?;
    tools::require_shim_target()?;
    match words {
        ["demo"] => demo::run(&workspace),
        ["test"] => test::run(&workspace, None),
        ["test", filter] => test::run(&workspace, Some(filter)),
        ["check"] => check::run(&workspace),
        ["image"] => image::build(&workspace).map(drop),
        ["guests"] => guests::build(&workspace),
        ["bench", sections @ ..] => bench::run(&workspace, sections),
        _ => bail!("`{}` is not a command\n\n{HELP}", words.join(" ")),
    }
}
