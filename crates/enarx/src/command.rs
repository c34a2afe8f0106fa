//! What each command does: one file per verb, or per noun where its verbs are a few lines each.

mod completions;
mod config;
mod endorsements;
mod man;
#[cfg_attr(all(target_os = "linux", target_arch = "x86_64"), path = "command/measure.rs")]
#[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), path = "command/measure_absent.rs")]
mod measure;
mod platform;
mod run;
mod verify;
mod version;

use crate::cli::{Cli, Command, Platform};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Environment;

/// Does what was asked, and tells the exit code.
pub fn run(cli: Cli, environment: &Environment, output: &Output) -> Result<u8, Failure> {
    match cli.command {
        Some(Command::Run(args)) => return run::run(args, environment, output),
        Some(Command::Measure(args)) => measure::run(&args, environment, output)?,
        Some(Command::Config(verb)) => config::run(verb, output)?,
        Some(Command::Verify(args)) => return verify::run(args, environment, output),
        Some(Command::Platform(Platform::Info { json })) => platform::run(json, output)?,
        Some(Command::Platform(Platform::Endorsements { dir, verb })) => {
            endorsements::run(dir, verb, environment, output)?;
        }
        Some(Command::Completions { shell }) => completions::run(shell, output),
        Some(Command::Man { dir }) => man::run(dir.as_deref(), output)?,
        None if cli.version => version::run(cli.json, output)?,
        None => return Err(Failure::refused("no command is given").hint("`enarx --help` lists them")),
    }
    Ok(0)
}
