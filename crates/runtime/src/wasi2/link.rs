//! The interfaces a keep provides to components: of WASI 0.2 and 0.3, whatever the component imports of them.

use crate::wasi2::store::State;
use crate::wasi2::{lookup, preopen, tcp, udp};
use api::launch::Ending;
use std::collections::BTreeSet;
use wasmtime::Engine;
use wasmtime::component::{Component, HasData, InstancePre, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

/// The newest 0.2 and 0.3 that Wasmtime 48 knows; imports of an older patch release find these too.
pub const WASI_0_2: &str = "0.2.12";
pub const WASI_0_3: &str = "0.3.0";

/// The packages of both generations but `wasi:io`, which 0.3 does without.
const PACKAGES: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// Connects a component's imports, or names those that a keep does not provide.
pub fn link(engine: &Engine, component: &Component) -> Result<InstancePre<State>, Ending> {
    let kind = component.component_type();
    let imports: Vec<&str> = kind.imports(engine).map(|(name, _)| name).collect();
    let missing: Vec<&str> = imports.iter().copied().filter(|name| Package::of(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(Ending::BadModule(explain(&missing)));
    }
    let mut linker = Linker::new(engine);
    // `tcp` and `preopen` replace single interfaces of what Wasmtime provides.
    linker.allow_shadowing(true);
    let packages: BTreeSet<Package<'_>> = imports.iter().filter_map(|name| Package::of(name)).collect();
    for package in packages {
        let added = match package.generation {
            Generation::Two => add_0_2(&mut linker, package.name),
            Generation::Three => add_0_3(&mut linker, package.name),
        };
        added.map_err(|error| {
            Ending::Failed(format!("wasi:{} cannot be provided: {error:#}", package.name))
        })?;
    }
    linker.instantiate_pre(component).map_err(|error| Ending::BadModule(format!("{error:#}")))
}

/// A package a keep provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package<'a> {
    generation: Generation,
    name: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Generation {
    Two,
    Three,
}

impl<'a> Package<'a> {
    /// The package of an import such as `wasi:cli/exit@0.2.3`, if it is one of these.
    fn of(import: &'a str) -> Option<Self> {
        let (name, rest) = import.strip_prefix("wasi:")?.split_once('/')?;
        let (_, version) = rest.split_once('@')?;
        let generation = match version {
            draft if draft.contains('-') => return None,
            version if version.starts_with("0.2.") => Generation::Two,
            version if version.starts_with("0.3.") => Generation::Three,
            _ => return None,
        };
        (PACKAGES.contains(&name)).then_some(Self { generation, name })
    }
}

fn explain(missing: &[&str]) -> String {
    let mut text = "it imports what a keep does not provide:".to_owned();
    for name in missing {
        text.push_str("\n  ");
        text.push_str(name);
    }
    let draft = |name: &&str| name.starts_with("wasi:") && name.contains("@0.") && name.contains('-');
    text.push_str(if missing.iter().all(draft) {
        "\nhint: these are drafts; build it with tools for the released WASI 0.2 or 0.3"
    } else if missing.iter().any(|name| !name.starts_with("wasi:")) {
        "\nhint: link it with a component that exports them, for example with `wac plug`"
    } else {
        "\nhint: of WASI 0.2 and 0.3, keeps provide cli, clocks, filesystem, http, io, random and sockets"
    });
    text
}

fn add_0_2(l: &mut Linker<State>, package: &str) -> wasmtime::Result<()> {
    use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sockets};
    use wasmtime_wasi_io::bindings::wasi::io;
    match package {
        "cli" => {
            cli::environment::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::exit::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::stderr::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::terminal_input::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::terminal_output::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, State::cli)?;
            cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, State::cli)
        }
        "clocks" => {
            clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, State::clocks)?;
            clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, State::clocks)
        }
        "filesystem" => {
            filesystem::types::add_to_linker::<_, WasiFilesystem>(l, State::filesystem)?;
            preopen::link(l, WASI_0_2)
        }
        "http" => wasmtime_wasi_http::p2::add_only_http_to_linker_async(l),
        "io" => {
            io::error::add_to_linker::<_, Handles>(l, |state| &mut state.table)?;
            io::poll::add_to_linker::<_, Handles>(l, |state| &mut state.table)?;
            io::streams::add_to_linker::<_, Handles>(l, |state| &mut state.table)
        }
        "random" => {
            random::random::add_to_linker::<_, WasiRandom>(l, State::random)?;
            random::insecure::add_to_linker::<_, WasiRandom>(l, State::random)?;
            random::insecure_seed::add_to_linker::<_, WasiRandom>(l, State::random)
        }
        _ => {
            let options = sockets::network::LinkOptions::default();
            sockets::network::add_to_linker::<_, WasiSockets>(l, &options, State::sockets)?;
            sockets::instance_network::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
            sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
            sockets::udp::add_to_linker::<_, WasiSockets>(l, State::sockets)?;
            udp::link_0_2(l)?;
            tcp::link_0_2(l)?;
            lookup::link_0_2(l)
        }
    }
}

fn add_0_3(l: &mut Linker<State>, package: &str) -> wasmtime::Result<()> {
    use wasmtime_wasi::p3;
    match package {
        "cli" => p3::cli::add_to_linker(l),
        "clocks" => p3::clocks::add_to_linker(l),
        "filesystem" => {
            p3::filesystem::add_to_linker(l)?;
            preopen::link(l, WASI_0_3)
        }
        "http" => wasmtime_wasi_http::p3::add_to_linker(l),
        "random" => p3::random::add_to_linker(l),
        "sockets" => {
            p3::sockets::add_to_linker(l)?;
            udp::link_0_3(l)?;
            tcp::link_0_3(l)?;
            lookup::link_0_3(l)
        }
        // `wasi:io@0.3` does not exist; what imports it is told so when its imports are matched.
        _ => Ok(()),
    }
}

/// `wasi:io` needs nothing but the table.
struct Handles;

impl HasData for Handles {
    type Data<'a> = &'a mut ResourceTable;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_known_by_name_and_generation() {
        let known = |import| Package::of(import).map(|package| (package.generation, package.name));
        assert_eq!(known("wasi:cli/exit@0.2.0"), Some((Generation::Two, "cli")));
        assert_eq!(known("wasi:sockets/types@0.3.1"), Some((Generation::Three, "sockets")));
        assert_eq!(known("wasi:http/types@0.3.0-rc-2025-09-16"), None);
        assert_eq!(known("wasi:nn/graph@0.2.0"), None);
        assert_eq!(known("wasi:cli/exit@1.0.0"), None);
        assert_eq!(known("acme:cli/exit@0.2.0"), None);
    }

    #[test]
    fn missing_imports_are_named_with_a_hint() {
        let text = explain(&["wasi:nn/graph@0.2.0"]);
        assert!(text.contains("wasi:nn/graph@0.2.0") && text.contains("hint: of WASI 0.2"), "{text}");
        assert!(explain(&["wasi:cli/run@0.3.0-rc-1"]).contains("drafts"));
        assert!(explain(&["acme:store/kv"]).contains("wac plug"));
    }
}
