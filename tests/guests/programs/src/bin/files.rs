//! Exercises the directory named by its first argument; `--read-only`: expects every change to fail.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = Path::new(&arguments[1]);
    println!("found: {}", fs::read_to_string(folder.join("from-host"))?);
    outside(folder);
    if arguments.get(2).is_some_and(|word| word == "--read-only") {
        refused(folder);
        return Ok(());
    }
    changed(folder)
}

/// Nothing above the preopened directory can be reached.
fn outside(folder: &Path) {
    for path in ["/etc/passwd".into(), folder.join("../../../../etc/passwd"), folder.join("link-out")] {
        assert!(fs::read(&path).is_err(), "{} can be read", path.display());
    }
    println!("outside: refused");
}

fn refused(folder: &Path) {
    assert!(fs::write(folder.join("new"), "x").is_err());
    assert!(fs::write(folder.join("from-host"), "x").is_err());
    assert!(fs::create_dir(folder.join("new")).is_err());
    assert!(fs::remove_file(folder.join("from-host")).is_err());
    assert!(fs::rename(folder.join("from-host"), folder.join("new")).is_err());
    println!("changes: refused");
}

fn changed(folder: &Path) -> std::io::Result<()> {
    let (sub, file) = (folder.join("sub"), folder.join("sub/file"));
    fs::create_dir(&sub)?;
    fs::write(&file, "one two three")?;
    let mut open = fs::OpenOptions::new().read(true).write(true).open(&file)?;
    open.seek(SeekFrom::Start(4))?;
    open.write_all(b"TWO")?;
    open.seek(SeekFrom::End(-5))?;
    let mut tail = String::new();
    open.read_to_string(&mut tail)?;
    println!("tail: {tail}");
    open.set_len(7)?;
    fs::OpenOptions::new().append(true).open(&file)?.write_all(b"!")?;
    println!("content: {}", fs::read_to_string(&file)?);
    fs::rename(&file, folder.join("to-host"))?;
    let mut names: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
    names.sort();
    println!("names: {names:?}");
    println!("size: {}", fs::metadata(folder.join("to-host"))?.len());
    fs::remove_dir(&sub)?;
    assert!(fs::metadata(&sub).is_err());
    Ok(())
}
