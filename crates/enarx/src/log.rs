//! Logging through `tracing`, to stderr, started only when asked for: a plain run does not pay for it.

use crate::output::Output;
use crate::settings::{ENARX_LOG, Environment};
use tracing_subscriber::EnvFilter;

/// Starts logging if `-v` or `ENARX_LOG` asks for it.
pub fn start(verbose: u8, environment: &Environment, output: &Output) {
    let directives = match (&environment.log, verbose) {
        (Some(directives), _) => directives.as_str(),
        (None, 0) => return,
        (None, 1) => "info",
        (None, 2) => "debug",
        (None, _) => "trace",
    };
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|error| {
        output.warning(&format!("{ENARX_LOG} is not understood: {error}"), None);
        EnvFilter::new("info")
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(output.colors_errors()).with_target(verbose > 1).without_time().init();
}
