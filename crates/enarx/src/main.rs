//! The command line: arguments in, one command run, an exit code out.
//!
//! [`cli`] says which arguments there are, [`settings`] what the environment adds, `command` what is done, and
//! [`output`] is the only place that prints.

mod cli;
mod command;
mod failure;
mod log;
mod output;
mod settings;

use clap::Parser;
use cli::Cli;
use output::Output;
use settings::Environment;
use std::process::ExitCode;

/// Reading the arguments makes thousands of small allocations, on which musl's allocator spends half of that time.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    if let Some(argument) = called_as_keep() {
        return ExitCode::from(keep::vmm::run(&argument));
    }
    let environment = Environment::read();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(output::clap_message(&error)),
    };
    let output = Output::new(cli.color, cli.quiet, &environment);
    log::start(cli.verbose, &environment, &output);
    match command::run(cli, &environment, &output) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// The argument, if this program was executed to be a keep.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn called_as_keep() -> Option<String> {
    let mut args = std::env::args_os();
    let name = args.next()?;
    (name.as_encoded_bytes() == keep::vmm::NAME.to_bytes()).then(|| args.next()?.into_string().ok())?
}
