//! `enarx platform info`.

use crate::failure::Failure;
use crate::output::{Mark, Output};
use keep::probe::{Check, State, platform};
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    /// Changes when a reader must.
    schema: u32,
    platform: Vec<Check>,
}

/// Prints what this host offers.
pub fn run(json: bool, output: &Output) -> Result<(), Failure> {
    let checks = platform();
    if json {
        return output.json(&Report { schema: 1, platform: checks });
    }
    let mut text = String::new();
    for check in &checks {
        describe(check, 0, output, &mut text);
    }
    output.data(&text);
    Ok(())
}

fn describe(check: &Check, depth: usize, output: &Output, text: &mut String) {
    let (mark, word) = match check.state {
        State::Ok => (Mark::Good, "ok"),
        State::No => (Mark::Bad, "no"),
        State::Unknown => (Mark::Unsure, "unknown"),
    };
    let indent = "  ".repeat(depth);
    let word = output.mark(mark, &format!("{word:<7}"));
    let name = format!("{indent}{}", check.id);
    text.push_str(&format!("{name:<21} {word} {}\n", check.detail));
    if let Some(hint) = &check.hint {
        text.push_str(&format!("{:<21} hint: {hint}\n", ""));
    }
    for child in &check.children {
        describe(child, depth + 1, output, text);
    }
}
