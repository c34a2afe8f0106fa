//! Why a text is no manifest, and where.

use super::{FILES_LIMIT, TEXT_LIMIT};
use std::ops::Range;

/// A text that is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at line {line} column {column}")]
pub struct ManifestError {
    /// What is wrong.
    pub fault: Fault,
    /// Line of the text, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

impl ManifestError {
    /// The fault found in `text` at the bytes of `span`.
    pub(super) fn at(text: &str, span: Range<usize>, fault: Fault) -> Self {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        Self { fault, line, column: before[line_start..].chars().count() + 1 }
    }
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The text is longer than any manifest may be.
    #[error("the manifest has {found} bytes, more than the {TEXT_LIMIT} allowed")]
    TextTooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// `files` has more entries than any manifest may have.
    #[error("`files` has {found} entries, more than the {FILES_LIMIT} allowed")]
    TooManyFiles {
        /// How many.
        found: usize,
    },
    /// Not TOML.
    #[error("{0}")]
    Syntax(String),
    /// A key that means nothing.
    #[error("unknown key `{key}`{}", did_you_mean(.nearest, .known))]
    UnknownKey {
        /// The key.
        key: String,
        /// The known one it resembles.
        nearest: Option<&'static str>,
        /// All that are known there.
        known: &'static [&'static str],
    },
    /// A key that means nothing in an entry of this kind.
    #[error("key `{key}` does not belong to a file of kind `{kind}`, which has {}", listed(.known))]
    ForeignKey {
        /// The key.
        key: String,
        /// The kind of the entry.
        kind: &'static str,
        /// The keys such an entry has.
        known: &'static [&'static str],
    },
    /// A key that must be there.
    #[error("missing key `{key}` in {place}")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// Where it belongs.
        place: String,
    },
    /// A value of the wrong type.
    #[error("`{key}` must be {expected}, found {found}")]
    Type {
        /// Its key.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value of the right type that is not allowed.
    #[error("`{key}` must be {expected}, found {found}")]
    Value {
        /// Its key.
        key: String,
        /// What it should be.
        expected: String,
        /// The value as written.
        found: String,
    },
    /// Names are joined by colons in `FD_NAMES`.
    #[error("file name must not contain ':'")]
    NameColon,
}

fn did_you_mean(nearest: &Option<&'static str>, known: &[&str]) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None => format!("; known here: {}", listed(known)),
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
