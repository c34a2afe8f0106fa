//! `enarx completions SHELL`.

use crate::cli::Cli;
use crate::output::Output;
use clap::CommandFactory;
use clap_complete::Shell;

/// Prints the completion script of a shell.
pub fn run(shell: Shell, output: &Output) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "enarx", &mut script);
    output.data(&String::from_utf8_lossy(&script));
}
