//! Certificates per second of processor, beside the limit that signatures set.

use crate::client::{Client, exchange, post, quantile};
use crate::keep::{Court, Keep};
use crate::server::Server;
use attest::roots::Grade;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair,
    UnparsedPublicKey,
};
use std::hint::black_box;
use std::time::{Duration, Instant};
use steward::ca::Curve;

const WARM: Duration = Duration::from_secs(1);
const MEASURED: Duration = Duration::from_secs(8);
/// Connections that keep the server busy, each with one request at a time.
const BUSY: usize = 32;

const LIMITS: &str = "server.limits.connections_per_address = 20000\n\
                      server.limits.rate_per_address = { per_second = 0, burst = 0 }\n\
                      server.limits.requests_per_connection = 1000000\n";

/// What one certificate costs in signatures: those of the request and of the evidence, and its own. Those of certificates and
/// lists were verified before, and are remembered.
struct Signatures {
    verified: &'static [Curve],
    /// The authority's key is of P-384 throughout.
    signed: Curve,
}

pub async fn run() {
    let snp = Keep::snp(Grade::Development, |_, _| {});
    let tdx = Keep::tdx(Grade::Development, |_| {});
    // The request and the report.
    let of_snp = Signatures { verified: &[Curve::P384, Curve::P384], signed: Curve::P384 };
    // The request, the quote, the report of the quoting enclave.
    let of_tdx = Signatures { verified: &[Curve::P256, Curve::P256, Curve::P256], signed: Curve::P384 };
    println!("certificates over TLS on loopback; limit: signatures alone, same provider, same run");
    println!(
        "{:<10}{:>12}{:>14}{:>12}{:>8}{:>10}{:>10}{:>10}",
        "evidence", "limit/core", "issued/core", "CPU each", "share", "p50", "p99", "wall/s"
    );
    measure("SEV-SNP", snp, &of_snp).await;
    measure("TDX", tdx, &of_tdx).await;
}

async fn measure(name: &str, (keep, court): (Keep, Court), signatures: &Signatures) {
    let server = Server::start(&court, LIMITS).await;
    let client = Client::new(&server.root, server.address);
    let request: &'static [u8] = post(&keep.request()).leak();
    load(&client, request, WARM).await;
    let before = signatures.time();
    let (processor, started) = (server.processor(), Instant::now());
    let mut latencies = load(&client, request, MEASURED).await;
    let (processor, wall) = (server.processor() - processor, started.elapsed());
    // The machine's speed drifts: before and after, and the mean of both.
    let limit = (before + signatures.time()) / 2;
    latencies.sort_unstable();
    let each = processor / latencies.len() as u32;
    println!(
        "{name:<10}{:>12.0}{:>14.0}{:>9.0} µs{:>7.0}%{:>7.1} ms{:>7.1} ms{:>10.0}",
        1.0 / limit.as_secs_f64(),
        1.0 / each.as_secs_f64(),
        each.as_secs_f64() * 1e6,
        100.0 * limit.as_secs_f64() / each.as_secs_f64(),
        quantile(&latencies, 0.5).as_secs_f64() * 1e3,
        quantile(&latencies, 0.99).as_secs_f64() * 1e3,
        latencies.len() as f64 / wall.as_secs_f64(),
    );
    fresh(&client, &server, request).await;
}

/// Each request over a connection of its own: the handshake is the server's second signature.
async fn fresh(client: &Client, server: &Server, request: &[u8]) {
    let (processor, started) = (server.processor(), Instant::now());
    let mut count = 0;
    while started.elapsed() < WARM * 3 {
        let mut stream = client.open().await.expect("connects");
        assert_eq!(exchange(&mut stream, request).await.expect("answers"), 200);
        count += 1;
    }
    let each = (server.processor() - processor) / count;
    println!("{:<10}{:>38.0} µs with a handshake for each", "", each.as_secs_f64() * 1e6);
}

async fn load(client: &Client, request: &'static [u8], length: Duration) -> Vec<Duration> {
    let end = Instant::now() + length;
    let one = |client: Client| async move {
        let mut stream = client.open().await.expect("connects");
        let mut latencies = Vec::new();
        while Instant::now() < end {
            let started = Instant::now();
            let status = exchange(&mut stream, request).await.expect("answers");
            assert_eq!(status, 200, "every request of this benchmark is good");
            latencies.push(started.elapsed());
        }
        latencies
    };
    let tasks: Vec<_> = (0..BUSY).map(|_| tokio::spawn(one(client.clone()))).collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("no panic"));
    }
    all
}

impl Signatures {
    fn time(&self) -> Duration {
        let verified: Duration = self.verified.iter().map(|curve| cost(*curve).1).sum();
        verified + cost(self.signed).0
    }
}

/// Signing and verifying, the best of many turns: neighbours only ever make it slower.
fn cost(curve: Curve) -> (Duration, Duration) {
    let (signing, verifying): (&EcdsaSigningAlgorithm, &EcdsaVerificationAlgorithm) = match curve {
        Curve::P256 => (&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_ASN1),
        Curve::P384 => (&ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1),
    };
    let (random, message) = (SystemRandom::new(), [7; 1024]);
    let pair = EcdsaKeyPair::generate(signing).expect("a key");
    let signature = pair.sign(&random, &message).expect("signs");
    let key = UnparsedPublicKey::new(verifying, pair.public_key().as_ref());
    let best = |work: &dyn Fn()| {
        let turn = || {
            let started = Instant::now();
            (0..20).for_each(|_| work());
            started.elapsed() / 20
        };
        (0..30).map(|_| turn()).min().unwrap_or_default()
    };
    let sign = best(&|| {
        let _ = black_box(pair.sign(&random, &message));
    });
    let verify = best(&|| key.verify(black_box(&message), signature.as_ref()).expect("verifies"));
    (sign, verify)
}
