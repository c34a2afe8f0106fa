//! All tests.

use crate::workspace::{Workspace, run as execute};
use crate::{guests, image};
use anyhow::Result;

/// Builds what the tests run, then runs those whose name contains the filter.
pub fn run(workspace: &Workspace, filter: Option<&str>) -> Result<()> {
    let runtime = image::build(workspace)?;
    guests::build(workspace)?;
    let mut test = workspace.cargo(["test", "--workspace"]);
    if workspace.runtime.is_some() {
        println!("ENARX_RUNTIME is set: the runtime's own tests are left to whoever built it");
        test.arg("--exclude=runtime");
    }
    execute(test.args(filter).env("ENARX_RUNTIME", &runtime))?;
    if !has_kvm() {
        println!(
            "skipped: this machine lacks /dev/kvm: what holds of process keeps is not tested of KVM keeps"
        );
        return Ok(());
    }
    println!("the same behaviour in KVM keeps");
    let mut again = workspace.cargo(["test", "--package=e2e"]);
    execute(again.args(filter).env("ENARX_RUNTIME", &runtime).env("ENARX_KEEP", "kvm"))
}

/// Whether virtual machines can be made here. Where `ENARX_REQUIRE` names them, the tests of `keep` have failed before.
fn has_kvm() -> bool {
    std::fs::File::options().read(true).write(true).open("/dev/kvm").is_ok()
}
