//! TLS echo and handshakes per second of processor time of the server.

use crate::process::{Family, Setup, median};
use crate::table::{Goal, Table};
use anyhow::{Context, Result};
use e2e::peers::connect;
use rustls::pki_types::PrivateKeyDer;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const ROUNDS: usize = 3;
const LOAD: Duration = Duration::from_secs(2);
const BLOCK: usize = 64 << 10;

/// Our servers against a plain one.
pub fn run(setup: &Setup, table: &mut Table) -> Result<()> {
    let native = Server::native()?;
    let program = setup.guest("c", "poll_echo");
    if program.exists() {
        let keep = Server::keep(setup, &program, 0, &[])?;
        for connections in [1, 8, 64] {
            let what = format!("TLS echo, WASI 0.1, {connections} connections");
            echo(&what, &keep, &native, connections, Goal::AtLeast(0.9), table)?;
        }
        handshakes(&keep, &native, table)?;
    } else {
        table.skip("TLS echo, WASI 0.1", "no C compiler for WASI");
    }
    let port = free_port()?;
    let program = setup.guest("wasm32-wasip2/release", "tcp_server");
    let keep = Server::keep(setup, &program, port, &[&format!("127.0.0.1:{port}")])?;
    echo("TLS echo, WASI 0.2, 1 connection", &keep, &native, 1, Goal::AtLeast(0.75), table)
}

fn echo(
    what: &str,
    keep: &Server,
    native: &Server,
    count: usize,
    goal: Goal,
    table: &mut Table,
) -> Result<()> {
    let mut rates = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        rates.0.push(keep.rate(|address| exchange(address, count))?);
        rates.1.push(native.rate(|address| exchange(address, count))?);
    }
    let (ours, theirs) = (median(rates.0), median(rates.1));
    let words = |rate: f64| format!("{rate:.0} MiB/CPU-s");
    table.ratio(what, words(ours), words(theirs), ours / theirs, goal);
    Ok(())
}

fn handshakes(keep: &Server, native: &Server, table: &mut Table) -> Result<()> {
    let mut rates = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        rates.0.push(keep.rate(greet)?);
        rates.1.push(native.rate(greet)?);
    }
    let (ours, theirs) = (median(rates.0), median(rates.1));
    let words = |rate: f64| format!("{rate:.0} /CPU-s");
    table.ratio("TLS handshakes", words(ours), words(theirs), ours / theirs, Goal::AtLeast(0.95));
    Ok(())
}

/// Echoes blocks over so many connections, and returns the mebibytes.
fn exchange(address: SocketAddr, connections: usize) -> f64 {
    let peer = move || {
        let (mut stream, mut block) = (connect(address), vec![7; BLOCK]);
        let (end, mut count) = (Instant::now() + LOAD, 0.0);
        while Instant::now() < end {
            stream.write_all(&block).and_then(|()| stream.flush()).expect("an echo server");
            stream.read_exact(&mut block).expect("an echo server");
            count += 1.0;
        }
        count * BLOCK as f64 / f64::from(1 << 20)
    };
    let peers: Vec<_> = (0..connections).map(|_| thread::spawn(peer)).collect();
    peers.into_iter().map(|peer| peer.join().expect("a peer that ends")).sum()
}

/// Connects, exchanges one byte and leaves, again and again, and returns how often.
fn greet(address: SocketAddr) -> f64 {
    let (end, mut count) = (Instant::now() + LOAD, 0.0);
    while Instant::now() < end {
        let mut stream = connect(address);
        stream.write_all(b"x").and_then(|()| stream.flush()).expect("an echo server");
        stream.read_exact(&mut [0]).expect("an echo server");
        count += 1.0;
    }
    count
}

/// A server under load.
pub struct Server {
    child: Child,
    family: Family,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    fn native() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        Self::start(command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()))
    }

    /// A keep with one TLS listener, named `echo`.
    pub fn keep(setup: &Setup, program: &std::path::Path, port: u16, args: &[&str]) -> Result<Self> {
        let manifest = setup.home().join("echo.toml");
        let streams = "[[files]]\nkind = 'null'\n[[files]]\nkind = 'stdout'\n[[files]]\nkind = 'stderr'\n";
        let listen = "[[files]]\nkind = 'listen'\nname = 'echo'\nprot = 'tls'\naddr = '127.0.0.1'\n";
        std::fs::write(&manifest, format!("{streams}{listen}port = {port}\n"))?;
        Self::keep_with(setup, &manifest, program, args)
    }

    /// A keep whose manifest declares one listener.
    pub fn keep_with(
        setup: &Setup,
        manifest: &std::path::Path,
        program: &std::path::Path,
        args: &[&str],
    ) -> Result<Self> {
        let mut command = setup.enarx_loud();
        command.arg("--config").arg(manifest).arg(program).arg("--").args(args);
        Self::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// Starts it, and waits until it names its address on either stream.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).spawn()?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
            child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>),
        ];
        for stream in streams.into_iter().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                let lines = BufReader::new(stream).lines().map_while(Result::ok);
                for address in lines.filter_map(|line| address_in(&line)) {
                    // Only the first is waited for.
                    let _ = sender.send(address);
                }
            });
        }
        let address = receiver.recv_timeout(Duration::from_secs(60));
        let address = address.context("a server that names no address")?;
        let family = Family::of(child.id())?;
        Ok(Self { child, family, address })
    }

    /// How much of the load it served per second of its processor time.
    pub fn rate(&self, load: impl Fn(SocketAddr) -> f64) -> Result<f64> {
        let before = self.family.cpu()?;
        let amount = load(self.address);
        Ok(amount / (self.family.cpu()? - before))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first socket address in a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let strip = |word: &str| word.trim_start_matches("http://").trim_end_matches('/').to_owned();
    line.split_whitespace().find_map(|word| strip(word).parse().ok())
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The plain server: one thread of tokio, rustls with its defaults, a P-256 key.
pub fn serve_native() -> Result<()> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut buffer = vec![0; BLOCK];
                while let Ok(size @ 1..) = stream.read(&mut buffer).await {
                    let written = stream.write_all(&buffer[..size]).await;
                    if written.is_err() || stream.flush().await.is_err() {
                        return;
                    }
                }
            });
        }
    })
}
