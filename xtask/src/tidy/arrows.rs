//! Which crate may import which: the manifests say the same as the table in ARCHITECTURE.md.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Compares the two.
pub fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(workspace.root.join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    Ok(compare(&written(&text), &actual(workspace)?))
}

fn compare(written: &Arrows, actual: &Arrows) -> Vec<String> {
    let mut breaches = Vec::new();
    for name in written.keys().chain(actual.keys()).collect::<BTreeSet<_>>() {
        match (written.get(name), actual.get(name)) {
            (Some(written), Some(actual)) if written == actual => {}
            (Some(written), Some(actual)) => breaches.push(format!(
                "crates/{name}/Cargo.toml imports {actual:?}, its row in ARCHITECTURE.md says {written:?}"
            )),
            (None, _) => {
                breaches.push(format!("ARCHITECTURE.md: crate `{name}` has no row in the table of crates"))
            }
            (_, None) => breaches.push(format!("ARCHITECTURE.md: there is no crate `{name}`")),
        }
    }
    breaches
}

/// Rows such as "| `keep` | … | `api` `abi` |": first and last cell, words in backquotes.
fn written(text: &str) -> Arrows {
    let table = text.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        Some((quoted(cells.first()?).next()?, quoted(cells.last()?).collect()))
    };
    rows.filter_map(row).collect()
}

fn quoted(cell: &str) -> impl Iterator<Item = String> + '_ {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// Imports between packages of this workspace, those for tests included.
fn actual(workspace: &Workspace) -> Result<Arrows> {
    let packages = workspace.metadata["packages"].as_array().context("cargo names no packages")?;
    let name = |value: &serde_json::Value| value["name"].as_str().unwrap_or_default().to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let imports = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().into_iter().flatten().map(name);
        (name(package), dependencies.filter(|name| ours.contains(name)).collect())
    };
    Ok(packages.iter().map(imports).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "text\n| crate | does | imports |\n|---|---|---|\n| `a` | uses `x` | `b` `c` |\n| `b` | – | – |\n";

    fn arrows(rows: &[(&str, &[&str])]) -> Arrows {
        let row = |(name, imports): &(&str, &[&str])| {
            ((*name).to_owned(), imports.iter().map(|import| (*import).to_owned()).collect())
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn the_table_is_read() {
        assert_eq!(written(TABLE), arrows(&[("a", &["b", "c"]), ("b", &[])]));
    }

    #[test]
    fn every_difference_is_named() {
        let written = written(TABLE);
        assert_eq!(compare(&written, &written), [""; 0]);
        for other in [
            arrows(&[("a", &["b", "c"]), ("b", &["c"])]),
            arrows(&[("a", &["b"]), ("b", &[])]),
            arrows(&[("a", &["b", "c"])]),
            arrows(&[("a", &["b", "c"]), ("b", &[]), ("c", &[])]),
        ] {
            assert_eq!(compare(&written, &other).len(), 1, "{other:?}");
        }
    }
}
