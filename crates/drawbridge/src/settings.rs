//! What an owner says of a repository.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Who may read a repository, and whether its names may move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether everybody may read. The only member that clients before 0.8 know.
    pub public: bool,
    /// Whether a tag may come to stand for something else. Semantic versions never do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub movable_tags: bool,
}

impl Settings {
    /// The text that the index keeps, and that clients get.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl FromStr for Settings {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
