//! The text of a package stays what it is: digests that users pinned, and keeps proved, are made of it.

use api::tree::{Entry, Tree, media_type};
use std::collections::BTreeMap;

#[test]
fn packages_have_the_text_they_always_had() {
    let files = [("main.wasm", b"\0asm\x01\0\0\0".as_slice()), ("Enarx.toml", b"args = []\n")];
    let entries =
        files.map(|(path, content)| (path.parse().expect("a path"), Entry::new(content, media_type(path))));
    let tree = Tree::new(BTreeMap::from(entries)).expect("a tree");
    let root = tree.nodes().next().and_then(|(_, node)| node.directory.clone()).expect("a directory");
    assert_eq!(String::from_utf8_lossy(&root), include_str!("golden/directory.json"));
    assert_eq!(String::from_utf8_lossy(&tree.root().encode()), include_str!("golden/entry.json"));
    assert_eq!(tree.package_digest().to_string(), include_str!("golden/package").trim_end());
}
