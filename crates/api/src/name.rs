//! Names in a registry: users, repositories, tags, entries of a tree, and the slug that puts them together.
//!
//! The grammars are those of Drawbridge since its first release, with limits to their length. Each type holds only what
//! its grammar allows, so no later stage asks again.

mod slug;

pub use slug::Slug;

use crate::digest::shortened;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {expected}, found {found:?}")]
pub struct NameError {
    /// What it should have named.
    pub kind: &'static str,
    /// What such a name looks like.
    pub expected: &'static str,
    /// What stands there, cut short.
    pub found: String,
}

impl NameError {
    fn new(kind: &'static str, expected: &'static str, found: &str) -> Self {
        Self { kind, expected, found: shortened(found) }
    }
}

/// A name that is text of some grammar.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                match valid(text) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(NameError::new($kind, $expected, text)),
                }
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        text!($name);
    };
}

/// Display, and JSON as a string, of what has `as_str` and `FromStr`.
macro_rules! text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

name! {
    /// Who owns repositories.
    User, "a user's name", "1 to 64 letters and digits",
    |text| text.len() <= 64 && made_of(text, |_| false)
}

name! {
    /// An entry of a directory.
    FileName, "the name of a file or directory", "1 to 255 letters, digits, '.', '_', ':' and '-', not \".\" nor \"..\"",
    |text| text.len() <= 255 && made_of(text, |byte| b"._:-".contains(&byte)) && !matches!(text, "." | "..")
}

name! {
    /// The version that a package is published as: a semantic version (semver.org 2.0.0), written in full.
    Version, "a tag", "a semantic version such as 1.0.0, of at most 128 bytes",
    |text| text.len() <= 128 && semver::Version::parse(text).is_ok()
}

/// A repository with its owner, as `user/repository`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    text: String,
    slash: usize,
}

impl Repository {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its owner's name.
    pub fn user(&self) -> &str {
        &self.text[..self.slash]
    }

    /// Its name among its owner's repositories.
    pub fn name(&self) -> &str {
        &self.text[self.slash + 1..]
    }
}

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const EXPECTED: &str = "<user>/<name>, the name being 1 to 128 letters, digits and '-'";
        let valid = |name: &str| name.len() <= 128 && made_of(name, |byte| byte == b'-');
        match text.split_once('/') {
            Some((user, name)) if user.parse::<User>().is_ok() && valid(name) => {
                Ok(Self { text: text.to_owned(), slash: user.len() })
            }
            _ => Err(NameError::new("a repository", EXPECTED, text)),
        }
    }
}

text!(Repository);

impl Version {
    /// The parts of the version, which order it among others.
    pub fn semver(&self) -> semver::Version {
        semver::Version::parse(&self.0).unwrap_or(semver::Version::new(0, 0, 0))
    }
}

fn made_of(text: &str, also: fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || also(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: FromStr + fmt::Display>(good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(text.parse::<T>().map(|name| name.to_string()).ok().as_deref(), Some(*text));
        }
        for text in bad {
            assert!(text.parse::<T>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn grammars() {
        let long = "a".repeat(256);
        check::<User>(&["a", "Alice42"], &["", "a-b", "a/b", "ä", " a", &long]);
        check::<FileName>(
            &["main.wasm", "a:b_c-d", "...", ".hidden"],
            &["", ".", "..", "a/b", "a b", "a%2f", "\0", "é", &long],
        );
        check::<Version>(
            &["1.0.0", "1.0.0-rc.1+build.5"],
            &["", "1.0", "latest", "v1.0.0", "01.0.0", "1.0.0 "],
        );
        check::<Repository>(
            &["alice/hello-world"],
            &["", "alice", "alice/", "/a", "a/b/c", "a-b/c", "a/b_c", "a/.."],
        );
    }

    #[test]
    fn repositories_fall_into_their_parts() {
        let repository: Repository = "alice/hello".parse().expect("a name");
        assert_eq!((repository.user(), repository.name()), ("alice", "hello"));
    }
}
