//! A package as a Merkle tree: directories list what they hold by digest, so one digest names everything beneath it.
//!
//! ```text
//! entry     = { "digest": {"sha-256": …}, "length": n, "type": media type, …anything else }
//! directory = { "<name>": entry, … }           -- by name in the order of bytes, without whitespace
//! package digest = SHA-256 of the root directory's text
//! ```
//!
//! The package digest is what a keep binds into its evidence, and what a release is decided by. The text is the one that
//! Drawbridge has had since its first release, so a package has the same digest whoever publishes it.

mod build;
mod json;
mod path;

pub use build::{Node, Tree};
pub use path::Path;

use crate::digest::{Digest, DigestError, Digests, shortened};
use crate::name::{FileName, NameError};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The file that a keep runs.
pub const WORKLOAD: &str = "main.wasm";
/// The media type of WebAssembly.
pub const WASM_TYPE: &str = "application/wasm";
/// The media type of a directory's text.
pub const DIRECTORY_TYPE: &str = "application/vnd.drawbridge.directory.v1+json";
/// The longest text of a directory in bytes.
pub const DIRECTORY_LIMIT: usize = 8 << 20;
/// The longest text of a single entry in bytes.
pub const ENTRY_LIMIT: usize = 64 << 10;
/// Most entries of a directory.
pub const WIDTH_LIMIT: usize = 16_384;
/// Most files and directories of a tree.
pub const NODE_LIMIT: usize = 65_536;
/// The longest media type.
const TYPE_LIMIT: usize = 255;

/// What is said of a file or directory: enough to fetch and to check it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Its content's digests.
    pub digest: Digests,
    /// Its content's length in bytes.
    pub length: u64,
    /// Its media type.
    #[serde(rename = "type")]
    pub media_type: String,
    /// What else its publisher says of it.
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

/// The content of a directory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Directory(BTreeMap<FileName, Entry>);

/// Why bytes or files are no tree.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TreeError {
    /// Text that is not the JSON it should be.
    #[error("{what} is not what it should be: {why}")]
    Json {
        /// What was read.
        what: &'static str,
        /// What the JSON reader says.
        why: String,
    },
    /// A name that no entry may have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Digests that are none.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// Something is longer than it may be.
    #[error("{what} has {found}, more than the {limit} allowed")]
    TooMany {
        /// What is too long.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// Its size, or its size so far.
        found: usize,
    },
    /// A path is a file, and also a directory of others.
    #[error("`{path}` is a file, and cannot hold other files")]
    FileInTheWay {
        /// The path.
        path: Path,
    },
    /// A media type that HTTP could not carry.
    #[error("expected a media type such as application/wasm, found {found:?}")]
    MediaType {
        /// What stands there, cut short.
        found: String,
    },
}

impl Entry {
    /// What is said of content by itself, under every algorithm.
    pub fn new(content: &[u8], media_type: &str) -> Self {
        Self::of(Digests::of(content), content.len() as u64, media_type)
    }

    /// What is said of content that was hashed elsewhere.
    pub fn of(digest: Digests, length: u64, media_type: &str) -> Self {
        Self { digest, length, media_type: media_type.to_owned(), extra: BTreeMap::new() }
    }

    /// Reads an entry that stands alone: a tag.
    pub fn decode(text: &[u8]) -> Result<Self, TreeError> {
        limit("an entry's text in bytes", ENTRY_LIMIT, text.len())?;
        json::entry(text)
    }

    /// The canonical text.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether it stands for a directory.
    pub fn is_directory(&self) -> bool {
        self.media_type == DIRECTORY_TYPE
    }
}

impl Directory {
    /// Reads a directory: no name twice, and no more than the limits allow.
    pub fn decode(text: &[u8]) -> Result<Self, TreeError> {
        limit("a directory's text in bytes", DIRECTORY_LIMIT, text.len())?;
        json::directory(text)
    }

    /// The canonical text, which the directory's digest is made of.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Adds an entry, or replaces it.
    pub fn insert(&mut self, name: FileName, entry: Entry) {
        self.0.insert(name, entry);
    }

    /// One entry.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// Every entry, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&FileName, &Entry)> {
        self.0.iter()
    }
}

/// The digest that names a package, of the text of its root directory.
pub fn package_digest(root: &[u8]) -> Digest {
    Digest::sha256(root)
}

/// The media type of a file by its name, as every publisher has to give it, or digests would differ.
pub fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "wasm")) => WASM_TYPE,
        Some((_, "toml")) => "application/toml",
        _ => "application/octet-stream",
    }
}

/// A type and a subtype of characters that a header may carry (RFC 6838 section 4.2), parameters aside.
fn check_media_type(text: &str) -> Result<(), TreeError> {
    let name = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or(text).trim_end();
    let good = essence.split_once('/').is_some_and(|(kind, sub)| name(kind) && name(sub));
    match good && text.len() <= TYPE_LIMIT && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        true => Ok(()),
        false => Err(TreeError::MediaType { found: shortened(text) }),
    }
}

fn limit(what: &'static str, limit: usize, found: usize) -> Result<(), TreeError> {
    match found > limit {
        true => Err(TreeError::TooMany { what, limit, found }),
        false => Ok(()),
    }
}
