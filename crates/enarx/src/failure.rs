//! A command that failed: what, why, and what to do about it.

use std::error::Error;

/// Exit code: refused, or the user's mistake.
pub const REFUSED: u8 = 1;
/// Exit code: a fault of ours or of this host.
pub const BROKEN: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// A mistake in what was asked.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: REFUSED, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// A fault that is not the user's.
    pub fn broken(message: impl Into<String>) -> Self {
        Self { code: BROKEN, ..Self::refused(message) }
    }

    /// The failure with an exit code of its own.
    pub fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self { code, ..Self::refused(message) }
    }

    /// Adds an error and all that caused it.
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            self.causes.push(cause.to_string());
            next = cause.source();
        }
        self
    }

    /// Adds what caused an error whose own text is the message.
    pub fn caused(self, error: &dyn Error) -> Self {
        match error.source() {
            Some(source) => self.because(source),
            None => self,
        }
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what to do about it, if that is known.
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// The program's exit code.
    pub const fn code(&self) -> u8 {
        self.code
    }

    /// What failed.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Why, from the nearest cause to the root.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}
