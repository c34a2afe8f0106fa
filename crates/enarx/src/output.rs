//! The only place that prints: data to stdout, everything else to stderr.
//!
//! ```text
//! error: cannot read `ap.wasm`
//!   cause: No such file or directory (os error 2)
//! hint: did you mean `app.wasm`?
//! ```

use crate::cli::Color;
use crate::failure::{BROKEN, Failure, REFUSED};
use crate::settings::Environment;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Escape sequences of ECMA-48, section 8.3.117 (SGR).
mod style {
    pub(super) const ERROR: &str = "\x1b[1;31m";
    pub(super) const WARNING: &str = "\x1b[1;33m";
    pub(super) const HINT: &str = "\x1b[1;36m";
    pub(super) const RESET: &str = "\x1b[0m";
}

/// Where a command prints.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    quiet: bool,
    color_errors: bool,
    color_data: bool,
}

impl Output {
    /// Decides on colours: the flag, then the variables, then who is looking.
    pub fn new(color: Color, quiet: bool, environment: &Environment) -> Self {
        let wanted = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => environment.force_color || (terminal && !environment.no_color),
        };
        let (color_errors, color_data) =
            (wanted(std::io::stderr().is_terminal()), wanted(std::io::stdout().is_terminal()));
        Self { quiet, color_errors, color_data }
    }

    /// Whether stderr has colours.
    pub const fn colors_errors(&self) -> bool {
        self.color_errors
    }

    /// Prints data.
    pub fn data(&self, text: &str) {
        // A reader that has seen enough closes the pipe; there is nobody left to tell.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    /// Prints data as JSON, never in colour.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value);
        let text = text.map_err(|error| Failure::broken("cannot write JSON").because(&error))?;
        self.data(&(text + "\n"));
        Ok(())
    }

    /// Marks a word of data, if there are colours.
    pub fn mark(&self, mark: Mark, text: &str) -> String {
        let code = match mark {
            Mark::Good => "\x1b[32m",
            Mark::Bad => "\x1b[31m",
            Mark::Unsure => "\x1b[33m",
        };
        painted(self.color_data, code, text)
    }

    /// Prints why a command failed.
    pub fn failure(&self, failure: &Failure) {
        let mut text = self.line(style::ERROR, "error", failure.message());
        for cause in failure.causes() {
            text += &format!("  cause: {}\n", printable(cause));
        }
        if let Some(hint) = failure.hint_text() {
            text += &self.line(style::HINT, "hint", hint);
        }
        say(&text);
    }

    /// Prints a warning, unless quiet.
    pub fn warning(&self, text: &str, hint: Option<&str>) {
        if self.quiet {
            return;
        }
        let warning = self.line(style::WARNING, "warning", text);
        say(&(warning + &hint.map(|hint| self.line(style::HINT, "hint", hint)).unwrap_or_default()));
    }

    /// Prints what is worth knowing, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            say(&self.line(style::HINT, "note", text));
        }
    }

    fn line(&self, code: &str, word: &str, text: &str) -> String {
        format!("{} {}\n", painted(self.color_errors, code, &format!("{word}:")), printable(text))
    }
}

/// Writes a message at once: a workload writes to the same place, and comes between two writes.
fn say(text: &str) {
    // Where stderr is gone, nobody is left to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// How a word of data is marked; the word itself says the same.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// As it should be.
    Good,
    /// Not there.
    Bad,
    /// Not known.
    Unsure,
}

/// Prints what the argument parser has to say, and tells the exit code.
pub fn clap_message(error: &clap::Error) -> u8 {
    let printed = error.print();
    match (error.use_stderr(), printed) {
        (true, _) => REFUSED,
        (false, Ok(())) => 0,
        (false, Err(_)) => BROKEN,
    }
}

fn painted(colors: bool, code: &str, text: &str) -> String {
    if colors { format!("{code}{text}{}", style::RESET) } else { text.to_owned() }
}

/// The text without control characters: much of it comes out of a keep, and must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_do_not_steer_terminals() {
        assert_eq!(printable("a\x1b[2Jb\u{9b}c\r\n\td\x07"), "a[2Jbc\n\td");
    }
}
