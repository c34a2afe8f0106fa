//! One command run: arguments in, an exit code out.

pub mod audit;
pub mod ca;
pub mod config;
pub mod inventory;
pub mod policy;
pub mod revoke;
pub mod serve;

use crate::cli::records::Configured;
use crate::cli::{Cli, Command, Config, Serve};
use crate::failure::Failure;
use crate::settings::Settings;
use attest::time::Time;
use std::sync::Arc;

/// What a program knows of the world; `main` reads it, tests make it up.
#[derive(Clone)]
pub struct Environment {
    /// Variables.
    pub variables: Arc<[(String, String)]>,
    /// The clock.
    pub clock: Clock,
}

/// Reads the time of day.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

impl Environment {
    /// A variable.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Runs a command.
pub fn run(cli: Cli, environment: &Environment) -> Result<(), Failure> {
    match cli.command {
        Some(Command::Serve(arguments)) => {
            serve::run(Settings::for_serving(&arguments, environment)?, environment)
        }
        Some(Command::Config(Config::Check { config })) => config::check(config, environment),
        Some(Command::Ca(step)) => ca::run(step, environment),
        Some(Command::Audit(command)) => audit::run(command, environment),
        Some(Command::Inventory(command)) => inventory::run(command, environment),
        Some(Command::Policy(command)) => policy::run(command, environment),
        Some(Command::Revoke(command)) => revoke::run(command, environment),
        None => serve::run(Settings::of_old(&cli.old)?, environment),
    }
}

/// Settings, as `serve` would have them.
fn settings(configured: Configured, environment: &Environment) -> Result<Settings, Failure> {
    Settings::for_serving(&Serve { config: configured.config, ..Serve::default() }, environment)
}

/// Runs what waits for a database.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    service::lifecycle::block_on(work).map_err(|error| Failure::broken(error.to_string()))?
}
