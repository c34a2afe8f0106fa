//! The Steward's program: arguments, environment and clock in, an exit code out.

use std::process::ExitCode;

#[cfg(target_os = "wasi")]
fn main() -> ExitCode {
    steward::wasi::main()
}

#[cfg(not(target_os = "wasi"))]
fn main() -> ExitCode {
    use clap::Parser;
    use steward::cli::Cli;
    use steward::command::{self, Environment};

    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment = Environment { variables: variables.collect(), clock: std::sync::Arc::new(now) };
    let arguments = match steward::settings::old::expand(std::env::args().collect()) {
        Ok(arguments) => arguments,
        Err(failure) => return failure.report(),
    };
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match command::run(cli, &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

#[cfg(not(target_os = "wasi"))]
#[expect(clippy::disallowed_methods, reason = "the program's clock; everything else is given the time")]
fn now() -> attest::time::Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    attest::time::Time(since.map_or(0, |since| since.as_secs()))
}
