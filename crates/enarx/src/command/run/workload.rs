//! The workload's file: found and readable here; whether it is WebAssembly is the runtime's to say.

use crate::failure::Failure;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How like another a file name must be to be suggested (0: not at all, 1: the same).
const RESEMBLANCE: f64 = 0.8;
/// Most directory entries looked at for a suggestion.
const ENTRIES_MOST: usize = 4096;

/// Opens the workload.
pub fn open(path: &Path) -> Result<File, Failure> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| {
        let failure = Failure::refused(format!("cannot read the workload `{shown}`")).because(&error);
        let near = (error.kind() == ErrorKind::NotFound).then(|| neighbour(path)).flatten();
        failure.maybe_hint(near.map(|near| format!("did you mean `{}`?", near.display())))
    })?;
    let metadata = file.metadata();
    let metadata = metadata
        .map_err(|error| Failure::refused(format!("cannot read the workload `{shown}`")).because(&error))?;
    if metadata.is_dir() {
        let hint = only_wasm_in(path).map(|inside| format!("did you mean `{}`?", inside.display()));
        return Err(Failure::refused(format!("the workload `{shown}` is a directory")).maybe_hint(hint));
    }
    if !metadata.is_file() {
        let hint = "copy it to a file first; a workload is read more than once";
        return Err(Failure::refused(format!("the workload `{shown}` is not a regular file")).hint(hint));
    }
    Ok(file)
}

/// The file in the same directory whose name is most like the missing one.
fn neighbour(path: &Path) -> Option<PathBuf> {
    let wanted = path.file_name()?.to_str()?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let names = std::fs::read_dir(directory.unwrap_or(Path::new("."))).ok()?.take(ENTRIES_MOST);
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let like = names.map(|name| (strsim::jaro_winkler(wanted, &name), name));
    let (_, best) =
        like.filter(|(likeness, _)| *likeness >= RESEMBLANCE).max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(path.with_file_name(best))
}

/// The WebAssembly file of a directory, if it has exactly one.
fn only_wasm_in(directory: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).ok()?.take(ENTRIES_MOST);
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut wasm = paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    let first = wasm.next()?;
    wasm.next().is_none().then_some(first)
}
