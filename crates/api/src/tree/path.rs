//! Where an entry is in a tree.

use super::TreeError;
use crate::name::FileName;
use std::fmt;
use std::str::FromStr;

/// How deep a tree may be.
pub const DEPTH_LIMIT: usize = 32;

/// The names from the root downwards; none for the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<FileName>);

impl Path {
    /// The path of an entry of the directory here.
    pub fn join(&self, name: FileName) -> Result<Self, TreeError> {
        super::limit("a path's depth in names", DEPTH_LIMIT, self.0.len() + 1)?;
        Ok(Self(self.0.iter().cloned().chain([name]).collect()))
    }

    /// The directory that it is in, and its name there; none for the root.
    pub fn split(&self) -> Option<(Self, &FileName)> {
        let (name, directory) = self.0.split_last()?;
        Some((Self(directory.to_vec()), name))
    }
}

impl FromStr for Path {
    type Err = TreeError;

    /// Reads names with a slash between each two; an empty text is the root.
    fn from_str(text: &str) -> Result<Self, TreeError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        super::limit("a path's depth in names", DEPTH_LIMIT, text.split('/').count())?;
        Ok(Self(text.split('/').map(str::parse).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(FileName::as_str).collect();
        f.write_str(&names.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive() {
        for text in ["", "main.wasm", "a/b/c"] {
            assert_eq!(text.parse::<Path>().map(|path| path.to_string()).as_deref(), Ok(text));
        }
        let deep = vec!["d"; DEPTH_LIMIT].join("/");
        let path: Path = deep.parse().expect("as deep as may be");
        assert!(path.join("e".parse().expect("a name")).is_err());
        assert_eq!(path.split().map(|(directory, _)| directory.to_string().len()), Some(deep.len() - 2));
    }

    #[test]
    fn other_text_is_refused() {
        let deep = vec!["d"; DEPTH_LIMIT + 1].join("/");
        for text in ["/", "a/", "/a", "a//b", "..", "a/../b", "a/./b", "a%2fb", "a\\b", "a\0", "ａ", &deep] {
            assert!(text.parse::<Path>().is_err(), "{text}");
        }
    }
}
