//! x
use crate::workspace::Workspace;
/// x
pub fn run(_: &Workspace, _: &[&str]) -> anyhow::Result<()> {
    Ok(())
}
