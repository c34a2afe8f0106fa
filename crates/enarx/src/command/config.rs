//! `enarx config init|check|show`, and reading a manifest for other commands.

use crate::cli::Config;
use crate::failure::Failure;
use crate::output::Output;
use api::manifest::{Manifest, TEMPLATE, TEXT_LIMIT};
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

/// Does what was asked with a manifest.
pub fn run(verb: Config, output: &Output) -> Result<(), Failure> {
    match verb {
        Config::Init { file } => init(&file, output),
        Config::Check { file } => {
            read(&file)?;
            output.note(&format!("`{}` is a manifest", file.display()));
            Ok(())
        }
        Config::Show { file, json: true } => output.json(&read(&file)?.1),
        Config::Show { file, json: false } => {
            output.data(&read(&file)?.1.to_string());
            Ok(())
        }
    }
}

/// Reads a manifest: its text and its meaning.
pub fn read(path: &Path) -> Result<(String, Manifest), Failure> {
    let shown = path.display();
    let unreadable = |error: &std::io::Error| {
        Failure::refused(format!("cannot read the manifest `{shown}`")).because(error)
    };
    let file = File::open(path).map_err(|error| {
        let missing = error.kind() == ErrorKind::NotFound;
        unreadable(&error).maybe_hint(missing.then(|| format!("`enarx config init {shown}` writes one")))
    })?;
    let mut text = String::new();
    // One byte more than allowed is enough to see that it is too long.
    file.take(TEXT_LIMIT as u64 + 1).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    let manifest = Manifest::parse(&text).map_err(|error| {
        Failure::refused(format!("{shown}:{}:{}: {}", error.line, error.column, error.fault))
    })?;
    Ok((text, manifest))
}

fn init(path: &Path, output: &Output) -> Result<(), Failure> {
    let shown = path.display();
    let created = File::options().write(true).create_new(true).open(path);
    let mut file = created.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::refused(format!("`{shown}` does already exist"))
            .hint("name another file, or remove this one first"),
        _ => Failure::refused(format!("cannot write `{shown}`")).because(&error),
    })?;
    file.write_all(TEMPLATE.as_bytes())
        .map_err(|error| Failure::broken(format!("cannot write `{shown}`")).because(&error))?;
    output.note(&format!("wrote `{shown}`"));
    Ok(())
}
