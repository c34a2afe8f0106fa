//! Starting a keep.

pub mod process;

use std::fmt;

/// What holds a keep back, as enforced on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// Each protection in force, in words.
    pub enforced: Vec<String>,
    /// Each protection this host does not offer, in words.
    pub missing: Vec<String>,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.enforced.join(", "))?;
        if !self.missing.is_empty() {
            write!(f, "; without {}", self.missing.join(", "))?;
        }
        Ok(())
    }
}
