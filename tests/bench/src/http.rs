//! `wasi:http` per second of processor time: ours through TLS 1.3, `wasmtime serve` in the clear.

use crate::process::{Setup, median};
use crate::table::{Goal, Table};
use crate::tls::Server;
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// A fresh instance for each request, then instances that serve many.
pub fn run(setup: &Setup, table: &mut Table) -> Result<()> {
    if Command::new("wrk").arg("-v").stdout(Stdio::null()).status().is_err() {
        table.skip("wasi:http", "wrk is absent (apt-get install wrk)");
        return Ok(());
    }
    let program = setup.guest("wasm32-wasip2/release", "http");
    for (kind, reuse, limit) in [("fresh instances", 1, 2.0), ("instances reused", 128, 1.0)] {
        let address = "127.0.0.1:0";
        let count = reuse.to_string();
        // Rust's standard library imports `wasi:cli`, which `serve` provides when asked.
        let serve = ["serve", "-S", "cli", "--addr", address, "--max-instance-reuse-count", &count];
        let Some(mut theirs) = setup.wasmtime(&serve) else { return Ok(()) };
        let manifest = setup.home().join("http.toml");
        let listen = "[[files]]\nkind = 'listen'\nname = 'web'\nprot = 'tls'\naddr = '127.0.0.1'\nport = 0\n";
        std::fs::write(&manifest, format!("{listen}[http]\nreuse = {reuse}\n"))?;
        let ours = Server::keep_with(setup, &manifest, &program, &[])?;
        let theirs = Server::start(theirs.arg(&program).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        for connections in [1, 16] {
            let mut rates = (Vec::new(), Vec::new());
            for _ in 0..3 {
                rates.0.push(ours.rate(|address| requests("https", address, connections))?);
                rates.1.push(theirs.rate(|address| requests("http", address, connections))?);
            }
            let (ours, theirs) = (median(rates.0), median(rates.1));
            let words = |rate: f64| format!("{rate:.0} /CPU-s");
            let what = format!("wasi:http, {kind}, {connections} connections");
            table.ratio(&what, words(ours), words(theirs), ours / theirs, Goal::AtLeast(limit));
        }
    }
    Ok(())
}

/// How many requests were answered in some seconds; not a number if there is no answer.
fn requests(scheme: &str, address: SocketAddr, connections: usize) -> f64 {
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-d3s"]).arg(format!("-c{connections}")).arg(format!("{scheme}://{address}/"));
    count(&mut wrk).unwrap_or(f64::NAN)
}

/// Of "  39210 requests in 3.00s, 5.1MB read" the first word.
fn count(wrk: &mut Command) -> Result<f64> {
    let said = String::from_utf8(wrk.output()?.stdout)?;
    let line = said.lines().find(|line| line.contains(" requests in ")).context("wrk counted nothing")?;
    Ok(line.split_whitespace().next().context("an empty line")?.parse()?)
}
