//! Ends the process by SIGKILL at every named place, again and again, over one store.
//!
//! A child stores blobs, and writes each digest to its standard output after it was acknowledged. Whatever the moment of
//! its death: what it acknowledged is there, what is there is whole, and the store opens at once.
//!
//! `cargo test -p drawbridge --test crash` does a short round, `-- 1000` the long one.

use api::name::{Repository, User};
use drawbridge::settings::Settings;
use drawbridge::store::{Expected, Failpoints, PLACES, Store};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio, exit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many places are tried when nothing else is said: each of them a few times.
const SHORT: usize = 60;
/// How long a restart may take.
const RESTART: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match arguments.get(1).map(String::as_str) {
        Some("child") => runtime.block_on(child(&arguments[2..])),
        Some("--list") => return ExitCode::SUCCESS,
        rounds => runtime.block_on(parent(rounds.and_then(|count| count.parse().ok()).unwrap_or(SHORT))),
    }
    ExitCode::SUCCESS
}

/// Stores blobs until the place is reached for the n-th time, and dies there.
async fn child(arguments: &[String]) {
    let [folder, place, times, seed] = arguments else { panic!("folder, place, times, seed") };
    let (place, times) = (place.clone(), times.parse::<u64>().expect("a number"));
    let count = AtomicU64::new(0);
    let failpoints = Failpoints::new(move |reached| {
        if reached == place && count.fetch_add(1, Ordering::Relaxed) + 1 == times {
            let _ = Command::new("kill").arg("-9").arg(std::process::id().to_string()).status();
            std::thread::park();
        }
        Ok(())
    });
    let (store, repository) = opened(Path::new(folder), failpoints).await;
    for number in 0..8_u64 {
        let content = format!("{seed} {number}").repeat(1000);
        let mut staging = store.blobs.stage([]).expect("staged");
        staging.write(content.as_bytes()).expect("written");
        let staged = staging.finish(&Expected::default()).expect("finished");
        // Every other one is garbage as soon as it came.
        let digest = store.keep(&repository, staged, i64::from(number % 2 == 0) * 10).await.expect("kept");
        if number % 2 == 0 {
            writeln!(std::io::stdout(), "{digest}").expect("told");
        }
        store.collect(5).await.expect("collected");
    }
    exit(0);
}

async fn parent(rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut acknowledged, mut slowest, mut deaths) = (BTreeSet::new(), Duration::ZERO, 0);
    for round in 0..rounds {
        let place = PLACES[round % PLACES.len()];
        let times = (round / PLACES.len() % 6 + 1).to_string();
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["child", &folder.path().to_string_lossy(), place, &times, &round.to_string()])
            .stdout(Stdio::piped())
            .output()
            .expect("a child");
        deaths += usize::from(child.status.code().is_none());
        let told = String::from_utf8(child.stdout).expect("digests");
        acknowledged
            .extend(told.lines().map(|digest| digest.parse::<api::digest::Digest>().expect("a digest")));

        let start = Instant::now();
        let (store, repository) = opened(folder.path(), Failpoints::default()).await;
        slowest = slowest.max(start.elapsed());
        let findings = store.check(false).await.expect("checked");
        assert!(findings.is_sound(), "{place} ×{times}: {findings:?}");
        assert!(findings.strangers.is_empty(), "{place} ×{times}: {findings:?}");
        for digest in &acknowledged {
            let held = store.index.held(&repository, digest).await.expect("asked");
            assert!(held.is_some(), "{place} ×{times}: {digest} was acknowledged, and is gone");
        }
        store.index.close().await;
    }
    assert!(deaths * 2 > rounds, "only {deaths} of {rounds} children died at their place");
    assert!(slowest < RESTART, "a restart took {slowest:?}");
    let blobs = acknowledged.len();
    let told = format!(
        "{rounds} rounds, {deaths} deaths; of {blobs} blobs acknowledged none was lost; slowest restart {slowest:?}"
    );
    writeln!(std::io::stdout(), "{told}").expect("told");
}

async fn opened(folder: &Path, failpoints: Failpoints) -> (Store, Repository) {
    let store = Store::open(folder, None, failpoints).await.expect("a store");
    let user: User = "alice".parse().expect("a name");
    let repository: Repository = "alice/hello".parse().expect("a name");
    store.index.add_user(&user, "subject", 1 << 40, 0).await.expect("the index works");
    store.index.create_repository(&repository, &Settings::default(), 0).await.expect("the index works");
    (store, repository)
}
