//! Honest requests among others that misbehave: thousands of connections held open, heads and bodies byte by byte, bodies
//! without end, garbage instead of TLS.

use crate::client::{Client, exchange, post, quantile};
use crate::keep::Keep;
use crate::server::Server;
use attest::roots::Grade;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// Connections held open, over TLS; half of them send a head byte by byte.
const HELD: usize = 10_000;
/// Connections at a time that send garbage, or bodies that are too large or never end.
const LOUD: usize = 40;
/// How many handshakes are under way at a time while connections are opened.
const OPENING: usize = 128;
const MEASURED: Duration = Duration::from_secs(15);
/// Between two honest requests.
const PACE: Duration = Duration::from_millis(25);

#[derive(Default)]
struct Abuse {
    stop: AtomicBool,
    held: AtomicUsize,
    closed: AtomicUsize,
    loud: AtomicUsize,
}

pub async fn run() {
    let (keep, court) = Keep::snp(Grade::Development, |_, _| {});
    // As shipped, but for the rate of the honest address, and time enough to open what is to be held.
    let limits = "server.limits.idle_seconds = 600\nserver.limits.header_seconds = 600\n";
    let server = Server::start(&court, limits).await;
    let client = Client::new(&server.root, server.address);
    let request = post(&keep.request());
    let quiet = honest(&client, &request, MEASURED / 3).await;
    let at_rest = server.memory("VmRSS");
    tell("alone", quiet);

    let abuse = Arc::new(Abuse::default());
    let mut crowd = JoinSet::new();
    let opening = Arc::new(tokio::sync::Semaphore::new(OPENING));
    let started = Instant::now();
    for index in 0..HELD {
        let (client, abuse, opening) = (client.clone(), abuse.clone(), opening.clone());
        crowd.spawn(async move { hold(&client, &abuse, &opening, index).await });
    }
    while abuse.held.load(Relaxed) + abuse.closed.load(Relaxed) < HELD
        && started.elapsed() < Duration::from_secs(180)
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (held, closed) = (abuse.held.load(Relaxed), abuse.closed.load(Relaxed));
    println!(
        "{held} connections held open, {closed} refused or closed, after {:.0} s",
        started.elapsed().as_secs_f64()
    );
    tell("held", honest(&client, &request, MEASURED).await);
    println!(
        "memory: {at_rest:.0} MiB at rest, {:.0} MiB with {held} connections: {:.0} KiB each",
        server.memory("VmRSS"),
        (server.memory("VmRSS") - at_rest) * 1024.0 / held.max(1) as f64
    );
    for index in 0..LOUD {
        let (client, abuse) = (client.clone(), abuse.clone());
        crowd.spawn(async move { shout(&client, &abuse, index).await });
    }
    tell("held, loud", honest(&client, &request, MEASURED).await);
    println!(
        "{} loud connections meanwhile; memory: {:.0} MiB at most",
        abuse.loud.load(Relaxed),
        server.memory("VmHWM")
    );
    abuse.stop.store(true, Relaxed);
    crowd.abort_all();
}

/// Latencies of requests that come one after the other, each over a connection of its own, at a steady pace. A refusal counts
/// as an answer that never came.
async fn honest(client: &Client, request: &[u8], length: Duration) -> (Vec<Duration>, usize) {
    let (started, mut latencies, mut failed) = (Instant::now(), Vec::new(), 0);
    while started.elapsed() < length {
        let asked = Instant::now();
        let answer = async { exchange(&mut client.open().await?, request).await };
        match answer.await {
            Ok(200) => latencies.push(asked.elapsed()),
            _ => failed += 1,
        }
        tokio::time::sleep(PACE.saturating_sub(asked.elapsed())).await;
    }
    latencies.sort_unstable();
    (latencies, failed)
}

fn tell(name: &str, (latencies, failed): (Vec<Duration>, usize)) {
    assert!(!latencies.is_empty(), "no honest request was answered");
    let of = |share| quantile(&latencies, share).as_secs_f64() * 1e3;
    println!(
        "honest requests, {name:<11} {:>5} answered, {failed} failed: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms",
        latencies.len(),
        of(0.5),
        of(0.99),
        of(1.0)
    );
}

/// One of 64 addresses of the loopback network, none of which is the honest one's.
fn stranger(index: usize) -> IpAddr {
    [127, 1, 0, 1 + (index % 64) as u8].into()
}

async fn hold(client: &Client, abuse: &Abuse, opening: &tokio::sync::Semaphore, index: usize) {
    let open = async {
        let _turn = opening.acquire().await.ok();
        client.encrypt(client.connect_from(stranger(index)).await?).await
    };
    let Ok(mut stream) = open.await else {
        abuse.closed.fetch_add(1, Relaxed);
        return;
    };
    abuse.held.fetch_add(1, Relaxed);
    let head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x'));
    for byte in head {
        tokio::time::sleep(Duration::from_secs(5)).await;
        if abuse.stop.load(Relaxed) || index % 2 == 1 && stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

async fn shout(client: &Client, abuse: &Abuse, index: usize) {
    let chunk = [b"4000\r\n", [b'x'; 0x4000].as_slice(), b"\r\n"].concat();
    while !abuse.stop.load(Relaxed) {
        abuse.loud.fetch_add(1, Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
        let Ok(mut raw) = client.connect_from(stranger(index)).await else { continue };
        if index.is_multiple_of(4) {
            let _ = raw.write_all(&[0x16, 3, 1, 0xFF, 0xFF, 0, 1, 2, 3]).await;
            let _ = raw.write_all(&[0; 4096]).await;
            let _ = tokio::time::timeout(Duration::from_secs(1), raw.read(&mut [0; 64])).await;
            continue;
        }
        let Ok(mut stream) = client.encrypt(raw).await else { continue };
        let (name, value) = match index % 4 {
            1 => ("Transfer-Encoding", "chunked"),
            2 => ("Content-Length", "1000000000"),
            _ => ("X-Endless", "x"),
        };
        let head = format!(
            "POST /v1/certificates HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10\r\n{name}: {value}\r\n"
        );
        let head = if name == "X-Endless" { head } else { head + "\r\n" };
        let _ = stream.write_all(head.as_bytes()).await;
        // Until the server has had enough.
        while stream.write_all(&chunk).await.is_ok() {
            if abuse.stop.load(Relaxed) {
                return;
            }
        }
    }
}
