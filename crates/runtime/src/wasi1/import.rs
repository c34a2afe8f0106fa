//! Gives a module what it imports, and nothing it does not import.

use super::call;
use super::process::Process;
use api::launch::Ending;
use wasmtime::{Linker, Module};

/// Modules of this name have all calls.
const WASI: &str = "wasi_snapshot_preview1";
/// The name before it. These calls of its time mean something else, or have other layouts.
const WASI_UNSTABLE: &str = "wasi_unstable";
const UNSTABLE_DIFFERS: [&str; 4] = ["fd_seek", "fd_filestat_get", "path_filestat_get", "poll_oneoff"];
/// Missing imports named in an error.
const NAMED: usize = 10;

/// Defines the calls that `module` imports.
pub fn link(linker: &mut Linker<Process>, module: &Module) -> Result<(), Ending> {
    let mut missing = Vec::new();
    for import in module.imports() {
        let (space, name) = (import.module(), import.name());
        let known = space == WASI || space == WASI_UNSTABLE && !UNSTABLE_DIFFERS.contains(&name);
        // A name may be imported more than once.
        let defined = known && call::define(linker, space, name);
        if !defined {
            missing.push((space, name));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Ending::BadModule(complaint(&missing))) }
}

fn complaint(missing: &[(&str, &str)]) -> String {
    let named: Vec<String> =
        missing.iter().take(NAMED).map(|(space, name)| format!("`{space}`.`{name}`")).collect();
    let more = match missing.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!("it imports what a keep does not have: {}{more}", named.join(", "));
    match missing.iter().find_map(|(space, name)| hint(space, name)) {
        Some(hint) => format!("{text}\n  hint: {hint}"),
        None => text,
    }
}

/// What the author of a module with this import may have meant.
fn hint(space: &str, name: &str) -> Option<&'static str> {
    match space {
        WASI if name.starts_with("sock_") => {
            Some("sockets are declared as `files` in Enarx.toml and arrive as open descriptors")
        }
        WASI_UNSTABLE => Some("build it for the current WASI 0.1, `wasi_snapshot_preview1`"),
        "wasi" => Some("it was built with threads; build it for wasm32-wasip1 without them"),
        _ if space.starts_with("wasix") => Some("it was built for WASIX; build it for wasm32-wasip1"),
        "env" => Some("a function was left undefined when it was linked, or it was built for a browser"),
        "wbg" | "__wbindgen_placeholder__" => Some("it was built for a browser; build it for wasm32-wasip1"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_name_what_is_missing_and_why_it_may_be() {
        let text = complaint(&[("wasi_snapshot_preview1", "sock_open"), ("env", "abort")]);
        assert_eq!(
            text,
            "it imports what a keep does not have: `wasi_snapshot_preview1`.`sock_open`, `env`.`abort`\n  \
             hint: sockets are declared as `files` in Enarx.toml and arrive as open descriptors"
        );
        assert!(complaint(&[("x", "y"); 12]).ends_with(" and 2 more"));
    }
}
