//! Making a tree of files: digests go from the leaves to the root.

use super::{
    DIRECTORY_LIMIT, DIRECTORY_TYPE, Directory, Entry, NODE_LIMIT, Path, TreeError, WIDTH_LIMIT, limit,
};
use crate::digest::Digest;
use std::collections::BTreeMap;

/// A whole tree: what every path of it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    nodes: BTreeMap<Path, Node>,
    root: Entry,
    package: Digest,
}

/// A file or a directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What its directory, or the tag, says of it.
    pub entry: Entry,
    /// Its content, if it is a directory.
    pub directory: Option<Vec<u8>>,
}

impl Tree {
    /// Makes the tree of these files, with every directory that their paths name.
    pub fn new(files: BTreeMap<Path, Entry>) -> Result<Self, TreeError> {
        let mut nodes = BTreeMap::new();
        let mut directories = BTreeMap::from([(Path::default(), Directory::default())]);
        for (path, entry) in files {
            let mut above = path.split().map(|(directory, _)| directory);
            while let Some(directory) = above.take() {
                above = directory.split().map(|(directory, _)| directory);
                directories.entry(directory).or_default();
            }
            nodes.insert(path, Node { entry, directory: None });
            limit("a tree in files and directories", NODE_LIMIT, nodes.len() + directories.len())?;
        }
        if let Some(path) = nodes.keys().find(|path| directories.contains_key(path)) {
            return Err(TreeError::FileInTheWay { path: path.clone() });
        }
        for (path, node) in &nodes {
            list(&mut directories, path, &node.entry)?;
        }
        // A path stands after those above it, so from the end each directory is whole when it is its turn.
        loop {
            let (path, directory) = directories.pop_last().unwrap_or_default();
            let text = directory.encode();
            limit("a directory's text in bytes", DIRECTORY_LIMIT, text.len())?;
            let entry = Entry::new(&text, DIRECTORY_TYPE);
            list(&mut directories, &path, &entry)?;
            let (root, package) = (entry.clone(), super::package_digest(&text));
            nodes.insert(path.clone(), Node { entry, directory: Some(text) });
            if path == Path::default() {
                return Ok(Self { nodes, root, package });
            }
        }
    }

    /// Every node, directories before what they hold.
    pub fn nodes(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.nodes.iter()
    }

    /// What a tag says of the tree.
    pub fn root(&self) -> &Entry {
        &self.root
    }

    /// The digest that names the package.
    pub fn package_digest(&self) -> Digest {
        self.package
    }
}

/// Enters a node into its directory.
fn list(directories: &mut BTreeMap<Path, Directory>, path: &Path, entry: &Entry) -> Result<(), TreeError> {
    if let Some((above, name)) = path.split()
        && let Some(directory) = directories.get_mut(&above)
    {
        directory.insert(name.clone(), entry.clone());
        limit("a directory in entries", WIDTH_LIMIT, directory.0.len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::media_type;
    use super::*;

    fn tree(files: &[(&str, &[u8])]) -> Result<Tree, TreeError> {
        let entries =
            files.iter().map(|(path, content)| Ok((path.parse()?, Entry::new(content, media_type(path)))));
        Tree::new(entries.collect::<Result<_, TreeError>>()?)
    }

    #[test]
    fn every_file_counts() {
        let files: [(&str, &[u8]); 4] =
            [("main.wasm", b"m"), ("a/deep/file", b"f"), ("a/x", b"x"), ("z", b"z")];
        let package = tree(&files).expect("a tree").package_digest();
        for index in 0..files.len() {
            let mut other = files;
            other[index].1 = b"changed";
            assert_ne!(tree(&other).expect("a tree").package_digest(), package, "{}", files[index].0);
            let fewer: Vec<_> = files.iter().copied().filter(|file| file.0 != files[index].0).collect();
            assert_ne!(tree(&fewer).expect("a tree").package_digest(), package, "without {}", files[index].0);
        }
    }

    #[test]
    fn directories_say_what_they_hold() {
        let tree = tree(&[("a/b/c", b"c"), ("a/d", b"d")]).expect("a tree");
        let paths: Vec<_> = tree.nodes().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["", "a", "a/b", "a/b/c", "a/d"]);
        for (path, node) in tree.nodes() {
            let Some(text) = &node.directory else { continue };
            assert_eq!(node.entry, Entry::new(text, DIRECTORY_TYPE), "{path}");
            for (name, entry) in Directory::decode(text).expect("a directory").iter() {
                let child = path.join(name.clone()).expect("a path");
                assert_eq!(tree.nodes.get(&child).map(|node| &node.entry), Some(entry), "{child}");
            }
        }
        assert_eq!(tree.nodes[&Path::default()].entry, *tree.root());
    }

    #[test]
    fn a_tree_of_nothing_has_a_digest() {
        let digest = tree(&[]).expect("a tree").package_digest();
        assert_eq!(digest, Digest::sha256(b"{}"));
    }

    #[test]
    fn files_hold_no_files() {
        let error = tree(&[("a", b""), ("a/b", b"")]).expect_err("a is a file");
        assert!(matches!(error, TreeError::FileInTheWay { path } if path.to_string() == "a"));
        assert!(tree(&[("", b"")]).is_err());
    }

    #[test]
    fn widths_are_limited() {
        let wide = |count: usize| {
            let names = (0..count)
                .map(|number| (number.to_string().parse().expect("a path"), Entry::new(b"", "a/b")));
            Tree::new(names.collect())
        };
        assert!(wide(WIDTH_LIMIT).is_ok());
        assert!(wide(WIDTH_LIMIT + 1).is_err());
    }
}
