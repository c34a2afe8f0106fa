//! A command that failed: what, and what to do about it.

use std::error::Error;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Failure {
    /// Refused, or a mistake in what was asked: exit code 1.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into(), hint: None }
    }

    /// A fault of ours or of this machine: exit code 2.
    pub fn broken(message: impl Into<String>) -> Self {
        Self { code: 2, ..Self::refused(message) }
    }

    /// The error and all that caused it.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let causes = std::iter::successors(Some(error), |&error| error.source());
        let mut texts: Vec<String> = causes.map(ToString::to_string).collect();
        // Transparent errors repeat their cause.
        texts.dedup();
        Self::refused(texts.join(": "))
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into().or(self.hint);
        self
    }

    /// Says where it happened.
    pub fn within(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// Prints it, and tells the exit code.
    pub fn report(&self) -> ExitCode {
        crate::output::error(&self.message, self.hint.as_deref());
        ExitCode::from(self.code)
    }
}
