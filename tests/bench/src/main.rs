//! Measures the real programs against others on the same machine in the same minute, and prints ratios.
//!
//! Started by `cargo xtask bench`, which builds what is measured. Ratios are of medians over interleaved rounds, of
//! processor time where that says more than wall time: the speed of a shared machine drifts, the ratio hardly.

#![expect(clippy::print_stdout, reason = "printing measurements is this program's purpose")]

mod calls;
mod compute;
mod http;
mod process;
mod start;
mod table;
mod tls;

use anyhow::{Context, Result, bail};
use process::Setup;
use table::Table;

type Section = (&'static str, fn(&Setup, &mut Table) -> Result<()>);

const SECTIONS: [Section; 6] = [
    ("start", start::hello),
    ("python", start::python),
    ("compute", compute::run),
    ("calls", calls::run),
    ("tls", tls::run),
    ("http", http::run),
];

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mut next = |what| words.next().with_context(|| format!("missing {what}; start `cargo xtask bench`"));
    let first = next("programs")?;
    if first == "serve" {
        return tls::serve_native();
    }
    let (runtime, guests, wasmtime) = (next("runtime")?, next("guests")?, next("wasmtime")?);
    let setup = Setup::new(first, runtime, guests, wasmtime)?;
    let chosen: Vec<String> = words.collect();
    if let Some(unknown) = chosen.iter().find(|name| !SECTIONS.iter().any(|(section, _)| section == name)) {
        let names: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        bail!("no section `{unknown}`; there are: {}", names.join(", "));
    }
    let mut table = Table::default();
    if setup.wasmtime.is_none() {
        table.skip("comparisons with wasmtime", "it is not on PATH, and WASMTIME does not name it");
    }
    for (name, section) in SECTIONS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            println!("… {name}");
            section(&setup, &mut table)?;
        }
    }
    print!("{table}");
    Ok(())
}
