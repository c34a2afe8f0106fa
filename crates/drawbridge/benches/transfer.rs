//! How fast blobs go in and out: beside the limits of the machine, and beside Debian's `docker-registry` where it is
//! installed. Plain HTTP on loopback, each figure the best of a few, servers taking turns.
//!
//! `cargo bench -p drawbridge` with 256 MiB and 1,000 small blobs, `cargo bench -p drawbridge -- 1024 10000` with more.

use api::digest::{Algorithm, Digest, Hasher};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_drawbridge");
const MIB: usize = 1 << 20;
/// How often each figure is taken.
const ROUNDS: usize = 3;
/// Connections that push small blobs at a time.
const CONNECTIONS: usize = 8;
/// The size of a small blob.
const SMALL: usize = 4096;

struct Server {
    name: &'static str,
    child: Child,
    address: String,
    headers: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn memory_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak.unwrap_or(0.0) / 1024.0
    }
}

fn main() -> io::Result<()> {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (large, count) =
        (numbers.first().copied().unwrap_or(256) * MIB, numbers.get(1).copied().unwrap_or(1000));
    let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
    let mut out = io::stdout().lock();
    limits(&mut out, folder.path(), large)?;
    let servers = [Some(drawbridge(folder.path())?), docker_registry(folder.path())?];
    let servers: Vec<Server> = servers.into_iter().flatten().collect();
    let mut best = vec![[f64::MAX; 3]; servers.len()];
    for round in 0..ROUNDS {
        for (server, best) in servers.iter().zip(&mut best) {
            let content = content(large, round);
            let digest = Digest::sha256(&content);
            let took = [
                timed(|| push(server, &mut connect(server)?, &content, &digest))?,
                timed(|| pull(server, &digest, large))?,
                timed(|| push_many(server, count, round))?,
            ];
            best.iter_mut().zip(took).for_each(|(best, took)| *best = best.min(took));
        }
    }
    for (server, [push, pull, many]) in servers.iter().zip(&best) {
        let (size, many) = (large as f64 / MIB as f64, count as f64 / many);
        let (name, memory) = (server.name, server.memory_mib());
        writeln!(
            out,
            "{name:16} push {:7.0} MiB/s, pull {:7.0} MiB/s, small blobs {many:6.0}/s, memory at most {memory:.0} MiB",
            size / push,
            size / pull
        )?;
    }
    if let [ours, theirs] = best.as_slice() {
        let [push, pull, many] = [0, 1, 2].map(|at| theirs[at] / ours[at]);
        writeln!(out, "beside docker-registry: push × {push:.2}, pull × {pull:.2}, small blobs × {many:.2}")?;
    }
    Ok(())
}

/// What nothing that stores and hashes can exceed.
fn limits(out: &mut impl Write, folder: &Path, size: usize) -> io::Result<()> {
    let content = content(size, 99);
    let mib = size as f64 / MIB as f64;
    let (mut hash, mut disk, mut wire) = (f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        hash = hash.min(timed(|| {
            let mut hasher = Hasher::new([Algorithm::Sha256]);
            hasher.update(&content);
            assert_eq!(hasher.finish().algorithms().count(), 1);
            Ok(())
        })?);
        disk = disk.min(timed(|| {
            let mut file = File::create(folder.join("limit"))?;
            file.write_all(&content)?;
            file.sync_all()
        })?);
        wire = wire.min(timed(|| loopback(&content))?);
    }
    writeln!(
        out,
        "{:16} SHA-256 {:.0} MiB/s, disk with fsync {:.0} MiB/s, loopback {:.0} MiB/s",
        "limits",
        mib / hash,
        mib / disk,
        mib / wire
    )
}

fn loopback(content: &[u8]) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::scope(|scope| {
        let sender = scope.spawn(move || TcpStream::connect(address)?.write_all(content));
        let copied = io::copy(&mut listener.accept()?.0, &mut io::sink())?;
        assert_eq!(copied, content.len() as u64);
        sender.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    })
}

fn drawbridge(folder: &Path) -> io::Result<Server> {
    let store = folder.join("drawbridge").display().to_string();
    let run = |arguments: &[&str]| Command::new(PROGRAM).args(arguments).args(["--store", &store]).output();
    run(&["user", "add", "alice", "--quota", "1000000000000"])?;
    let token = String::from_utf8_lossy(&run(&["token", "create", "alice"])?.stdout).trim().to_owned();
    let address = free()?;
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--plain", "--listen", &address, "--store", &store]);
    // What is measured is not how soon a client that hurries is told to wait.
    command.env("DRAWBRIDGE_SERVER__LIMITS__RATE_PER_ADDRESS", "{ per_second = 0, burst = 0 }");
    let server = start("drawbridge", command, address, format!("authorization: Bearer {token}\r\n"))?;
    let made =
        request(&mut connect(&server)?, &server, "PUT", "/api/v0.4/alice/bench", b"{\"public\":true}")?;
    assert_eq!(made.0, 201);
    Ok(server)
}

fn docker_registry(folder: &Path) -> io::Result<Option<Server>> {
    let address = free()?;
    let root = folder.join("docker").display().to_string();
    let settings = format!(
        "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage: {{ filesystem: {{ rootdirectory: {root} }} }}\nhttp: {{ addr: '{address}' }}\n"
    );
    let path = folder.join("docker.yml");
    std::fs::write(&path, settings)?;
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(path);
    match start("docker-registry", command, address, String::new()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        started => started.map(Some),
    }
}

fn start(name: &'static str, mut command: Command, address: String, headers: String) -> io::Result<Server> {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let server = Server { name, child, address, headers };
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(&server.address).is_err() {
        assert!(Instant::now() < deadline, "{name} does not listen");
        std::thread::yield_now();
    }
    Ok(server)
}

fn free() -> io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn connect(server: &Server) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(&server.address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends a request, and reads the answer: status and `Location`. The body is read and dropped.
fn request(
    stream: &mut TcpStream,
    server: &Server,
    method: &str,
    path: &str,
    body: &[u8],
) -> io::Result<(u16, String)> {
    let Server { address, headers, .. } = server;
    let length = body.len();
    let kind = "application/octet-stream";
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\n{headers}content-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    )?;
    stream.write_all(body)?;
    let mut reader = BufReader::with_capacity(MIB, stream);
    let (mut status, mut location, mut length) = (0, String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value)) {
            Some((name, value)) if name == "location" => location = value.to_owned(),
            Some((name, value)) if name == "content-length" => length = value.parse().unwrap_or(0),
            Some(_) => {}
            None if line.starts_with("HTTP/1.1 ") => status = line[9..12].parse().unwrap_or(0),
            None => break,
        }
    }
    io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
    Ok((status, location))
}

fn push(server: &Server, stream: &mut TcpStream, content: &[u8], digest: &Digest) -> io::Result<()> {
    let (status, location) = request(stream, server, "POST", "/v2/alice/bench/blobs/uploads/", b"")?;
    assert_eq!(status, 202);
    let path =
        location.strip_prefix("http://").and_then(|rest| Some(&rest[rest.find('/')?..])).unwrap_or(&location);
    let path = format!("{path}{}digest={digest}", if path.contains('?') { '&' } else { '?' });
    let (status, _) = request(stream, server, "PUT", &path, content)?;
    assert_eq!(status, 201, "{}", server.name);
    Ok(())
}

fn pull(server: &Server, digest: &Digest, size: usize) -> io::Result<()> {
    assert!(size > 0);
    let (status, _) =
        request(&mut connect(server)?, server, "GET", &format!("/v2/alice/bench/blobs/{digest}"), b"")?;
    assert_eq!(status, 200);
    Ok(())
}

fn push_many(server: &Server, count: usize, round: usize) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let pushers: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = connect(server)?;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return Ok(());
                        }
                        let content = content(SMALL, 1000 + round * count + number);
                        push(server, &mut stream, &content, &Digest::sha256(&content))?;
                    }
                })
            })
            .collect();
        pushers
            .into_iter()
            .try_for_each(|pusher| pusher.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into())))
    })
}

/// Bytes that differ from seed to seed.
fn content(size: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let words = (0..size.div_ceil(8)).flat_map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()
    });
    words.take(size).collect()
}

fn timed(work: impl FnOnce() -> io::Result<()>) -> io::Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}
