//! `enarx measure`, where no keep that is measured can be built.

use crate::cli::Measure;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Environment;

/// Says so.
pub fn run(_: &Measure, _: &Environment, _: &Output) -> Result<(), Failure> {
    Err(Failure::refused("this program was built without the keeps that are measured")
        .hint("measure with one built for Linux on x86-64"))
}
