use super::*;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

fn store(root: &Path) -> Result<Store, CacheError> {
    Store::open(&root.join("modules"), &root.join("state"))
}

fn name(digit: char) -> String {
    digit.to_string().repeat(NAME_DIGITS)
}

fn write(entry: &Entry, bytes: &[u8]) {
    File::from(entry.fresh.try_clone().unwrap()).write_all(bytes).unwrap();
}

#[test]
fn what_is_published_is_found() {
    let root = tempfile::tempdir().unwrap();
    let store = store(root.path()).unwrap();
    let entry = store.entry(&name('a')).unwrap();
    assert!(entry.existing.is_none());
    write(&entry, b"code");
    assert!(store.entry(&name('a')).unwrap().existing.is_none(), "not before it is published");
    entry.publish().unwrap();
    // Writing on through the same descriptor changes nothing.
    write(&entry, b"more");
    let mut found = Vec::new();
    store.entry(&name('a')).unwrap().existing.unwrap().read_to_end(&mut found).unwrap();
    assert_eq!(found, b"code");
    assert!(store.entry(&name('b')).unwrap().existing.is_none());
    let names: Vec<_> = std::fs::read_dir(root.path().join("modules")).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing unfinished is left");
}

#[test]
fn only_names_are_names() {
    let root = tempfile::tempdir().unwrap();
    let store = store(root.path()).unwrap();
    for bad in ["", "a", "../../etc/passwd", &name('A'), &name('g'), &name('a')[1..], &(name('a') + "a")] {
        assert!(matches!(store.entry(bad), Err(CacheError::Name { .. })), "{bad}");
    }
}

#[test]
fn the_secret_stays() {
    let root = tempfile::tempdir().unwrap();
    let secret = store(root.path()).unwrap().secret;
    assert_eq!(store(root.path()).unwrap().secret, secret);
    assert_ne!(secret, [0; 32]);
    let mode = std::fs::metadata(root.path().join("state/cache-key")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_others_may_touch_is_refused() {
    for (path, mode) in [("modules", 0o750), ("state", 0o701), ("state/cache-key", 0o644)] {
        let root = tempfile::tempdir().unwrap();
        store(root.path()).unwrap();
        std::fs::set_permissions(root.path().join(path), PermissionsExt::from_mode(mode)).unwrap();
        let error = store(root.path()).unwrap_err();
        assert!(
            matches!(error, CacheError::Private(PrivateError::Shared { found, .. }) if found == mode),
            "{path}"
        );
    }
}

#[test]
fn the_least_recently_used_goes_first() {
    let root = tempfile::tempdir().unwrap();
    for (age, name) in ["new", "old", "middle"].iter().zip([1_u64, 3, 2]).map(|(name, age)| (age, name)) {
        let file = File::create(root.path().join(name)).unwrap();
        file.set_len(10).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(10 - age)).unwrap();
    }
    evict(root.path(), 20).unwrap();
    let left = |name: &str| root.path().join(name).exists();
    assert_eq!([left("new"), left("middle"), left("old")], [true, true, false]);
}
