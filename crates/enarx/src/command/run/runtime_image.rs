//! Where the runtime image is: flag, then variable, then where programs like this one are installed or built.

use crate::failure::Failure;
use crate::settings::{ENARX_RUNTIME, Environment};
use keep::launch::Image;
use std::path::{Path, PathBuf};

/// The image's file name.
const NAME: &str = "enarx-runtime";
/// How to get one.
const HINT: &str = "`cargo xtask image` makes it; `--runtime FILE` or ENARX_RUNTIME names another";

/// Opens the runtime image.
pub fn find(flag: Option<&Path>, environment: &Environment) -> Result<Image, Failure> {
    let named = flag.map(|path| (path, "--runtime"));
    let named = named.or_else(|| environment.runtime.as_deref().map(|path| (path, ENARX_RUNTIME)));
    if let Some((path, by)) = named {
        return Image::open(path).map_err(|error| {
            Failure::refused(error.to_string()).caused(&error).hint(format!("it was named by {by}"))
        });
    }
    let candidates = environment.program.as_deref().map(candidates).unwrap_or_default();
    if let Some(found) = candidates.iter().find(|path| path.is_file()) {
        return Image::open(found)
            .map_err(|error| Failure::refused(error.to_string()).caused(&error).hint(HINT));
    }
    let looked: Vec<String> = candidates.iter().map(|path| format!("`{}`", path.display())).collect();
    let failure = Failure::refused(format!("the runtime image `{NAME}` is missing"));
    Err(failure.because(&NotFound(looked.join(", "))).hint(HINT))
}

/// Paths at which an image may stand, best first.
///
/// In cargo's target directory the image is the one built for musl: a build of the whole workspace leaves a dynamic
/// program of the same name beside this one, which no keep can execute.
fn candidates(program: &Path) -> Vec<PathBuf> {
    let Some(directory) = program.parent() else { return Vec::new() };
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let built = Path::new(&triple).join("image").join(NAME);
    let target = |up: usize| directory.ancestors().nth(up).map(|target| target.join(&built));
    let is_target = matches!(directory.file_name().and_then(|name| name.to_str()), Some("debug" | "release"));
    let in_target =
        [target(1), target(2)].into_iter().flatten().filter(|_| is_target && cfg!(target_os = "linux"));
    let installed =
        [Some(directory.join(NAME)), directory.parent().map(|up| up.join("libexec/enarx").join(NAME))];
    let mut candidates: Vec<PathBuf> = in_target.chain(installed.into_iter().flatten()).collect();
    candidates.dedup();
    candidates
}

/// Where an image was sought in vain.
#[derive(Debug)]
struct NotFound(String);

impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "found at none of {}", self.0)
    }
}

impl std::error::Error for NotFound {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_and_built() {
        let installed = candidates(Path::new("/usr/bin/enarx"));
        let expected = ["/usr/bin/enarx-runtime", "/usr/libexec/enarx/enarx-runtime"].map(PathBuf::from);
        assert_eq!(installed, expected);
        if cfg!(target_os = "linux") {
            let built = candidates(Path::new("/src/target/debug/enarx"));
            let first =
                format!("/src/target/{}-unknown-linux-musl/image/enarx-runtime", std::env::consts::ARCH);
            assert_eq!(built.first(), Some(&PathBuf::from(first)));
        }
    }
}
