//! Logs on standard error: text for people, JSON for programs.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Logging, as settings have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// How lines look.
    pub format: Format,
    /// What is logged, such as `info` or `info,service=debug`.
    pub level: String,
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: Format::default(), level: "info".to_owned() }
    }
}

/// Starts logging. Fails if the level is not understood.
pub fn start(settings: &LogSettings) -> Result<(), String> {
    let targets: Targets = settings.level.parse().map_err(|error| format!("log.level: {error}"))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry();
    match settings.format {
        Format::Text => registry.with(lines.with_ansi(false).with_filter(targets)).init(),
        Format::Json => registry.with(lines.json().flatten_event(true).with_filter(targets)).init(),
    }
    Ok(())
}
