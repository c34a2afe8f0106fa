//! `--dir HOST[::GUEST][:ro]`: a directory of the host given to the workload.

use crate::failure::Failure;
use api::launch::Directory;
use std::fs::File;
use std::os::fd::OwnedFd;

/// Ends an argument whose directory must not be changed.
const READ_ONLY: &str = ":ro";
/// Parts the host's path from the guest's.
const SEPARATOR: &str = "::";

/// A directory opened for the workload.
#[derive(Debug)]
pub struct Preopened {
    /// What the runtime is told of it.
    pub rule: Directory,
    /// What it is reached by.
    pub descriptor: OwnedFd,
}

/// Opens the directory of one argument.
pub fn open(text: &str) -> Result<Preopened, Failure> {
    let (paths, read_only) = match text.strip_suffix(READ_ONLY) {
        Some(paths) => (paths, true),
        None => (text, false),
    };
    let (host, guest) = paths.split_once(SEPARATOR).unwrap_or((paths, paths));
    if host.is_empty() || guest.is_empty() || guest.contains('\0') {
        return Err(Failure::refused(format!("`--dir {text}` names no directory"))
            .hint("expected HOST[::GUEST][:ro]"));
    }
    let unusable = |error: &std::io::Error| {
        Failure::refused(format!("cannot open the directory `{host}` of --dir")).because(error)
    };
    let file = File::open(host).map_err(|error| unusable(&error))?;
    if !file.metadata().map_err(|error| unusable(&error))?.is_dir() {
        return Err(Failure::refused(format!("`{host}` of --dir is not a directory")));
    }
    Ok(Preopened { rule: Directory { guest: guest.to_owned(), read_only }, descriptor: file.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let cases = [
            ("/", Ok(("/", false))),
            ("/:ro", Ok(("/", true))),
            ("/::/data", Ok(("/data", false))),
            ("/::/data:ro", Ok(("/data", true))),
            ("", Err("`--dir ` names no directory")),
            ("::/x", Err("`--dir ::/x` names no directory")),
            ("/::", Err("`--dir /::` names no directory")),
            ("/dev/null", Err("`/dev/null` of --dir is not a directory")),
            ("/no/such", Err("cannot open the directory `/no/such` of --dir")),
        ];
        for (text, expected) in cases {
            let found = open(text).map(|dir| (dir.rule.guest, dir.rule.read_only));
            let found = found.map_err(|failure| failure.message().to_owned());
            let expected = expected.map(|(guest, read_only)| (guest.to_owned(), read_only));
            assert_eq!(found, expected.map_err(str::to_owned), "{text}");
        }
    }
}
