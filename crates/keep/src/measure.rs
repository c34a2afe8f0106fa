//! Measurements: digests of what a keep is made of, the same on every machine, computed without launching anything.

use crate::launch::Image;
use crate::vmm::plan::{Plan, SHIM_IMAGE, Size};
use api::manifest::Limits;
use aws_lc_rs::digest::{Context, SHA384, digest};
use serde::Serialize;
use std::io::{self, Read};

/// What separates this digest from all others.
const LABEL: &[u8] = b"enarx kvm launch v1\0";
/// Bytes read at a time.
const PIECE: usize = 256 << 10;

/// What a KVM keep is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measurement {
    /// SHA-384 of the shim.
    pub shim: String,
    /// SHA-384 of the runtime image.
    pub runtime: String,
    /// SHA-384 of the launch state: each page that is there when the first instruction runs, with its address, the
    /// first registers, and the runtime's digest.
    pub launch: String,
    /// Bytes of the pages among them, the runtime's apart.
    pub launch_size_bytes: u64,
}

/// Measures a KVM keep with this runtime, for workloads with these limits.
pub fn kvm(image: &Image, limits: &Limits) -> io::Result<Measurement> {
    let plan = crate::vmm::plan(image.file(), Size::of(limits))?;
    let runtime = digest_file(image)?;
    let mut context = Context::new(&SHA384);
    context.update(LABEL);
    for word in [plan.entry, Plan::stack(0), plan.pages.root(), plan.end] {
        context.update(&word.to_le_bytes());
    }
    let mut launch_size_bytes = 0;
    for (address, page) in plan.pages.all() {
        context.update(&address.to_le_bytes());
        context.update(page);
        launch_size_bytes += page.len() as u64;
    }
    context.update(&runtime);
    Ok(Measurement {
        shim: hex(digest(&SHA384, SHIM_IMAGE).as_ref()),
        runtime: hex(&runtime),
        launch: hex(context.finish().as_ref()),
        launch_size_bytes,
    })
}

fn digest_file(image: &Image) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(image.path())?;
    let mut context = Context::new(&SHA384);
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(context.finish().as_ref().to_vec()),
            read => context.update(&piece[..read]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
