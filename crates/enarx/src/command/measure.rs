//! `enarx measure`.

use super::config;
use super::run::runtime_image;
use crate::cli::Measure;
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Environment;
use api::manifest::Manifest;
use keep::measure::{Measurement, kvm};
use serde::Serialize;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    /// Changes when a reader must.
    schema: u32,
    kvm: Measurement,
}

/// Prints the digests.
pub fn run(args: &Measure, environment: &Environment, output: &Output) -> Result<(), Failure> {
    let manifest = match &args.config {
        Some(path) => config::read(path)?.1,
        None => Manifest::default(),
    };
    let image = runtime_image::find(args.runtime.as_deref(), environment)?;
    let measured = kvm(&image, &manifest.limits).map_err(|error| {
        Failure::refused(format!("cannot measure a keep with `{}`: {error}", image.path().display()))
    })?;
    if args.json {
        return output.json(&Report { schema: 1, kvm: measured });
    }
    let Measurement { shim, runtime, launch, launch_size_bytes } = measured;
    output.data(&format!(
        "shim     sha384:{shim}\nruntime  sha384:{runtime}\nlaunch   sha384:{launch} ({launch_size_bytes} bytes beside the runtime)\n"
    ));
    Ok(())
}
