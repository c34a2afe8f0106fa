//! Keeps in virtual machines, where there are none.

use super::{Keep, Launch, LaunchError};

/// Says so.
pub fn launch(_: Launch<'_>) -> Result<Keep<'_>, LaunchError> {
    Err(LaunchError::Machine("keeps of this kind need Linux on x86-64".to_owned()))
}
