//! The only place that prints: data to standard output, the rest to standard error.

use std::io::Write;

/// Prints data.
pub fn data(text: &str) {
    // Where standard output is gone, nobody is left to tell.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Prints why a command failed.
pub fn error(message: &str, hint: Option<&str>) {
    let hint = hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    let _ = std::io::stderr().write_all(format!("error: {message}\n{hint}").as_bytes());
}

/// Prints something that should not be overlooked.
pub fn warning(message: &str) {
    let _ = std::io::stderr().write_all(format!("warning: {message}\n").as_bytes());
}
