//! The store by itself: what is kept, what is refused, what damage does.

use api::digest::{Digest, Digests};
use api::name::{Repository, User};
use drawbridge::settings::Settings;
use drawbridge::store::{Expected, Failpoints, Store, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const QUOTA: u64 = 10_000;

async fn opened(folder: &Path, failpoints: Failpoints) -> (Store, Repository) {
    let store = Store::open(folder, None, failpoints).await.expect("a store");
    let user: User = "alice".parse().expect("a name");
    let repository: Repository = "alice/hello".parse().expect("a name");
    store.index.add_user(&user, "subject", QUOTA, 0).await.expect("the index works");
    store.index.create_repository(&repository, &Settings::default(), 0).await.expect("the index works");
    (store, repository)
}

async fn put(
    store: &Store,
    repository: &Repository,
    content: &[u8],
    expected: &Expected,
    now: i64,
) -> Result<Digest, StoreError> {
    let mut staging = store.blobs.stage(expected.digests.iter().flat_map(Digests::algorithms))?;
    staging.write(content)?;
    store.keep(repository, staging.finish(expected)?, now).await
}

fn path_of(folder: &Path, digest: &Digest) -> PathBuf {
    let name = digest.hex();
    folder.join("blobs").join(&name[..2]).join(name)
}

fn staged(folder: &Path) -> usize {
    fs::read_dir(folder.join("staging")).expect("a folder").count()
}

#[tokio::test]
async fn content_is_kept_by_digest() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, repository) = opened(folder.path(), Failpoints::default()).await;
    let content: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let expected = Expected { digests: Some(Digests::of(&content)), length: Some(5000) };
    let digest = put(&store, &repository, &content, &expected, 1).await.expect("kept");
    assert_eq!(digest, Digest::sha256(&content));
    assert_eq!(store.index.held(&repository, &digest).await.expect("asked"), Some(5000));
    assert_eq!(store.read_all(digest, 5000).await.expect("read"), content);
    let part =
        store.blobs.read(digest, 5000).and_then(|reading| reading.part(100..200)).and_then(|part| part.all());
    assert_eq!(part.expect("read"), content[100..200]);
    // The same again costs nothing.
    put(&store, &repository, &content, &expected, 2).await.expect("kept");
    assert_eq!(store.index.user("alice").await.expect("asked").map(|user| user.used), Some(5000));
    assert_eq!(staged(folder.path()), 0);
}

#[tokio::test]
async fn what_is_not_as_announced_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, repository) = opened(folder.path(), Failpoints::default()).await;
    let other = Expected { digests: Some(Digests::of(b"other")), length: None };
    let error = put(&store, &repository, b"content", &other, 1).await.expect_err("another digest");
    assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
    let longer = Expected { digests: None, length: Some(8) };
    let error = put(&store, &repository, b"content", &longer, 1).await.expect_err("another length");
    assert!(matches!(error, StoreError::Length { expected: 8, found: 7 }), "{error}");
    let error = put(&store, &repository, &[0; QUOTA as usize + 1], &Expected::default(), 1)
        .await
        .expect_err("too much");
    assert!(matches!(error, StoreError::Quota { .. }), "{error}");
    for content in [b"content".as_slice(), &[0; QUOTA as usize + 1]] {
        assert_eq!(store.index.held(&repository, &Digest::sha256(content)).await.expect("asked"), None);
    }
    assert_eq!(store.index.user("alice").await.expect("asked").map(|user| user.used), Some(0));
    assert_eq!(staged(folder.path()), 0);
}

#[tokio::test]
async fn any_flipped_bit_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, repository) = opened(folder.path(), Failpoints::default()).await;
    let good = put(&store, &repository, b"another", &Expected::default(), 1).await.expect("kept");
    let digest = put(&store, &repository, b"content", &Expected::default(), 1).await.expect("kept");
    let path = path_of(folder.path(), &digest);
    for bit in 0..7 * 8 {
        let mut content = *b"content";
        content[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, content).expect("written");
        let error = store.read_all(digest, 7).await.expect_err("damaged");
        assert!(matches!(error, StoreError::Damaged { .. }), "bit {bit}: {error}");
        let error =
            store.blobs.read(digest, 7).and_then(|reading| reading.part(0..1)).err().expect("damaged");
        assert!(matches!(error, StoreError::Damaged { .. }), "bit {bit}: {error}");
    }
    for content in [b"conten".as_slice(), b"contents", b""] {
        fs::write(&path, content).expect("written");
        assert!(matches!(store.read_all(digest, 7).await, Err(StoreError::Damaged { .. })));
    }
    assert_eq!(store.check(false).await.expect("checked").damaged, [digest]);
    assert_eq!(store.read_all(good, 7).await.expect("unharmed"), b"another");
    // Sent again, it is whole again.
    put(&store, &repository, b"content", &Expected::default(), 2).await.expect("kept");
    assert_eq!(store.read_all(digest, 7).await.expect("healed"), b"content");
    fs::remove_file(&path).expect("removed");
    assert!(matches!(store.read_all(digest, 7).await, Err(StoreError::Lost { .. })));
    assert_eq!(store.check(false).await.expect("checked").lost, [digest]);
}

#[tokio::test]
async fn garbage_is_what_nobody_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, repository) = opened(folder.path(), Failpoints::default()).await;
    let old = put(&store, &repository, b"old", &Expected::default(), 10).await.expect("kept");
    let new = put(&store, &repository, b"newer", &Expected::default(), 20).await.expect("kept");
    let collected = store.collect(15).await.expect("collected");
    assert_eq!((collected.released, collected.removed), (1, 1));
    assert!(!path_of(folder.path(), &old).exists() && path_of(folder.path(), &new).exists());
    assert_eq!(store.index.user("alice").await.expect("asked").map(|user| user.used), Some(5));
    assert_eq!(store.collect(15).await.expect("collected").removed, 0);
}

#[tokio::test]
async fn garbage_is_collected_beside_uploads() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, repository) = opened(folder.path(), Failpoints::default()).await;
    let done = Arc::new(AtomicBool::new(false));
    let collector = tokio::spawn({
        let (store, done) = (store.clone(), done.clone());
        async move {
            while !done.load(Ordering::Relaxed) {
                store.collect(1).await.expect("collected");
            }
        }
    });
    for round in 0..100 {
        // As old as can be, so it goes as soon as it came; then it comes again, to stay.
        put(&store, &repository, b"content", &Expected::default(), 0).await.expect("kept");
        let digest = put(&store, &repository, b"content", &Expected::default(), 2).await.expect("kept");
        assert_eq!(store.read_all(digest, 7).await.expect("there"), b"content", "round {round}");
        let sql = store.index.drop_blob(&repository, &digest).await.expect("dropped");
        assert!(sql, "round {round}");
    }
    done.store(true, Ordering::Relaxed);
    collector.await.expect("it ends");
}

#[tokio::test]
async fn a_full_disk_is_survived_at_every_place() {
    for place in drawbridge::store::PLACES.into_iter().filter(|place| !place.starts_with("collect")) {
        let folder = tempfile::tempdir().expect("a folder");
        let full = Arc::new(AtomicBool::new(false));
        let failpoints = Failpoints::new({
            let full = full.clone();
            move |reached| match reached == place && full.load(Ordering::Relaxed) {
                true => Err(std::io::ErrorKind::StorageFull.into()),
                false => Ok(()),
            }
        });
        let (store, repository) = opened(folder.path(), failpoints).await;
        full.store(true, Ordering::Relaxed);
        let error = put(&store, &repository, b"content", &Expected::default(), 1).await.expect_err(place);
        assert!(matches!(error, StoreError::Full), "{place}: {error}");
        assert_eq!(staged(folder.path()), 0, "{place}");
        full.store(false, Ordering::Relaxed);
        let digest = put(&store, &repository, b"content", &Expected::default(), 1).await.expect(place);
        assert_eq!(store.read_all(digest, 7).await.expect(place), b"content");
        assert!(store.check(false).await.expect(place).is_sound());
    }
}

#[tokio::test]
async fn one_program_has_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, _) = opened(folder.path(), Failpoints::default()).await;
    let second = Store::open(folder.path(), None, Failpoints::default()).await;
    assert!(matches!(second, Err(StoreError::InUse)));
    store.index.close().await;
    drop(store);
    Store::open(folder.path(), None, Failpoints::default()).await.expect("free again");
}

#[tokio::test]
async fn a_backup_is_a_copy_of_the_files() {
    let (folder, copy) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (store, repository) = opened(folder.path(), Failpoints::default()).await;
    let digest = put(&store, &repository, b"content", &Expected::default(), 1).await.expect("kept");
    store.index.close().await;
    let copied =
        std::process::Command::new("cp").arg("-a").arg(folder.path().join(".")).arg(copy.path()).status();
    assert!(copied.expect("cp runs").success());
    let store = Store::open(copy.path(), None, Failpoints::default()).await.expect("a store");
    assert_eq!(store.index.held(&repository, &digest).await.expect("asked"), Some(7));
    assert!(store.check(false).await.expect("checked").is_sound());
}
