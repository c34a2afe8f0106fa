//! Logging through `tracing`, to stderr, started only when asked for: a plain run does not pay for it.

use crate::output::Output;
use crate::settings::{ENARX_LOG, Environment};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Starts logging if `-v` or `ENARX_LOG` asks for it.
pub fn start(verbose: u8, environment: &Environment, output: &Output) {
    let directives = match (&environment.log, verbose) {
        (Some(directives), _) => directives.as_str(),
        (None, 0) => return,
        (None, 1) => "info",
        (None, 2) => "debug",
        (None, _) => "trace",
    };
    let targets: Targets = directives.parse().unwrap_or_else(|error| {
        output.warning(&format!("{ENARX_LOG} is not understood: {error}"), None);
        Targets::new().with_default(LevelFilter::INFO)
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = lines.with_ansi(output.colors_errors()).with_target(verbose > 1).without_time();
    tracing_subscriber::registry().with(lines.with_filter(targets)).init();
}
