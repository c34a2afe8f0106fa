//! The nearest known key, for whoever mistyped one.

use alloc::string::String;
use alloc::vec::Vec;

/// Reads the message of a refused key or word, which names what was found and what was expected, each between backticks.
pub(super) fn nearest(message: &str) -> String {
    let mut quoted =
        match message.split_once("unknown field ").or_else(|| message.split_once("unknown variant ")) {
            Some((_, rest)) => rest.split('`').skip(1).step_by(2),
            None => return String::new(),
        };
    let found = quoted.next().unwrap_or_default();
    let nearest = quoted.map(|known| (distance(found, known), known)).min();
    match nearest {
        // Further away it would be a guess.
        Some((distance, known)) if distance <= 3 && distance < found.len() => {
            alloc::format!("\nhint: did you mean `{known}`?")
        }
        _ => String::new(),
    }
}

/// How many letters to insert, delete or replace (Levenshtein), one row of the table at a time.
fn distance(from: &str, to: &str) -> usize {
    // A key of hostile length would cost its square.
    let (from, to) = (from.as_bytes(), to.as_bytes());
    if from.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}
