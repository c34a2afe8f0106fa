//! The confinement of a process keep on systems that have none we use.

use super::image::Image;
use super::needs::Needs;
use crate::launch::Confinement;
use std::os::fd::OwnedFd;

/// The lack of a confinement.
pub(crate) struct Confine {
    /// What it enforces.
    pub(crate) report: Confinement,
}

/// A confinement that could not be built: never.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {}

impl Confine {
    /// Says what is not enforced.
    pub(crate) fn build(_: &Needs, _: &Image, _: &[OwnedFd]) -> Result<Self, ConfineError> {
        let enforced = vec!["no descriptors inherited".to_owned()];
        let missing = ["seccomp", "landlock", "no new privileges"].map(str::to_owned).to_vec();
        Ok(Self { report: Confinement { enforced, missing } })
    }
}
