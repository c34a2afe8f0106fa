//! `enarx man [DIR]`.

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::Output;
use clap::CommandFactory;
use clap_mangen::Man;
use std::path::Path;

/// Writes all man pages into a directory, or prints the first one.
pub fn run(directory: Option<&Path>, output: &Output) -> Result<(), Failure> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::broken("cannot make the man page").because(&error))?;
        output.data(&String::from_utf8_lossy(&page));
        return Ok(());
    };
    let cannot = |error: &dyn std::error::Error| {
        Failure::refused(format!("cannot write man pages into `{}`", directory.display())).because(error)
    };
    std::fs::create_dir_all(directory).map_err(|error| cannot(&error))?;
    clap_mangen::generate_to(Cli::command(), directory).map_err(|error| cannot(&error))
}
