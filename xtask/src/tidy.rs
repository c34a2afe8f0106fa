//! House rules that no compiler holds. Each function returns the breaches it found, one line each.

mod arrows;
mod sources;

use crate::workspace::Workspace;
use anyhow::{Result, bail};

/// Reports every breach of every rule at once.
pub fn check(workspace: &Workspace) -> Result<()> {
    let breaches = [arrows::check(workspace)?, sources::check(&workspace.root)?, fuzz(workspace)].concat();
    if breaches.is_empty() {
        println!("tidy: no breach");
        return Ok(());
    }
    bail!("the house rules (CONTRIBUTING.md) are broken\n  {}", breaches.join("\n  "))
}

/// Once there is a fuzzing package, each crate that decodes what strangers send is in it.
fn fuzz(workspace: &Workspace) -> Vec<String> {
    const DECODERS: [&str; 3] = ["abi", "api", "attest"];
    let Ok(manifest) = std::fs::read_to_string(workspace.root.join("fuzz/Cargo.toml")) else {
        return Vec::new();
    };
    let fuzzed = |name: &&str| manifest.contains(&format!("path = \"../crates/{name}\""));
    let exists = |name: &&str| workspace.root.join("crates").join(name).exists();
    let missing = DECODERS.into_iter().filter(exists).filter(|name| !fuzzed(name));
    missing.map(|name| format!("fuzz/Cargo.toml: crate `{name}` has no fuzz target")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_rules_hold() {
        let workspace = Workspace::locate().expect("this workspace");
        if let Err(error) = check(&workspace) {
            panic!("{error}");
        }
    }
}
