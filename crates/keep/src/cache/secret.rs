//! The secret that authenticates a user's cache entries: 32 random bytes in a file of mode 0600.

use super::CacheError;
use super::private::{File, private_file};
use aws_lc_rs::hmac;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file's name.
const FILE_NAME: &str = "cache-key";
/// Bytes of a tag: HMAC-SHA-256.
pub(super) const TAG: usize = 32;
/// Where random bytes come from.
const RANDOM: &str = "/dev/urandom";

/// Reads the secret, made at its first use.
pub(super) fn read_or_create(directory: &Path) -> Result<[u8; 32], CacheError> {
    let path = directory.join(FILE_NAME);
    let disk = |source| CacheError::Disk { path: path.clone(), source };
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(directory, &path).map_err(disk)?;
            File::open(&path).map_err(disk)?
        }
        file => file.map_err(disk)?,
    };
    private_file(&path, &file)?;
    let mut secret = [0; 32];
    (&file).read_exact(&mut secret).map_err(disk)?;
    Ok(secret)
}

/// The key of one entry. A keep learns no other, so one that was taken over cannot vouch for another workload's code.
pub(super) fn derive(secret: &[u8; 32], name: &str) -> [u8; 32] {
    tag(secret, name.as_bytes())
}

/// What only this user can say of `message`.
pub(super) fn tag(secret: &[u8; 32], message: &[u8]) -> [u8; TAG] {
    let mut tag = [0; TAG];
    tag.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref());
    tag
}

/// Whether this user has said so of `message`.
pub(super) fn verify(secret: &[u8; 32], message: &[u8], tag: &[u8; TAG]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message, tag).is_ok()
}

/// Makes the file appear complete or not at all; of two that try at once, the first wins for both.
fn create(directory: &Path, path: &Path) -> io::Result<()> {
    let mut secret = [0; 32];
    File::open(RANDOM)?.read_exact(&mut secret)?;
    let unfinished = directory.join(format!("{FILE_NAME}.{}", std::process::id()));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    let linked = file.write_all(&secret).and_then(|()| std::fs::hard_link(&unfinished, path));
    std::fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}
