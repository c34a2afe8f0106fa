//! The policy in force, which may change while the Steward serves.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::{PolicyFileError, Sourced, read};
use crate::inventory::record::hex;

/// How often files are looked at. They are small, and read whole: a date would miss a change within its resolution.
pub const LOOK: Duration = Duration::from_secs(5);

/// The policy of one profile.
#[derive(Debug)]
pub struct Live {
    profile: String,
    name: String,
    next: Option<String>,
    in_force: RwLock<Arc<InForce>>,
    /// The last error that was told of, so that it is told of once.
    told: RwLock<Option<String>>,
    counts: Counts,
}

/// What decides, and what warns. One request sees one of these, whatever changes meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// What decides.
    pub policy: Sourced,
    /// What is judged besides.
    pub next: Option<Sourced>,
}

/// What a look at the files found.
#[derive(Debug)]
pub enum Look {
    /// The same as before.
    Unchanged,
    /// Something new, which is in force.
    Changed,
    /// Something that cannot be used; what was in force stays.
    Kept(PolicyFileError),
}

/// For metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// How often a changed policy came into force.
    pub changed: AtomicU64,
    /// How often a changed policy could not be used.
    pub kept: AtomicU64,
    /// One while the file cannot be used, and an older policy is in force.
    pub stale: AtomicU64,
}

impl Live {
    /// Reads what decides and what warns; at the start, both must be good.
    pub fn open(profile: &str, name: &str, next: Option<&str>) -> Result<Self, PolicyFileError> {
        let in_force = RwLock::new(Arc::new(load(name, next)?));
        let (profile, name, next) = (profile.to_owned(), name.to_owned(), next.map(str::to_owned));
        Ok(Self { profile, name, next, in_force, told: RwLock::default(), counts: Counts::default() })
    }

    /// What is in force.
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For metrics.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The name of the profile.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Looks at the files: a good change comes into force, a bad one is told of, once.
    pub fn look(&self) -> Look {
        let found = match load(&self.name, self.next.as_deref()) {
            Ok(found) => found,
            Err(error) => return self.keep(error),
        };
        self.counts.stale.store(0, Relaxed);
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = None;
        let before = self.in_force();
        if *before == found {
            return Look::Unchanged;
        }
        tracing::info!(
            profile = self.profile,
            policy = hex(&found.policy.policy.digest()),
            next = found.next.as_ref().map(|next| hex(&next.policy.digest())),
            before = hex(&before.policy.policy.digest()),
            "another policy is in force"
        );
        self.counts.changed.fetch_add(1, Relaxed);
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
        Look::Changed
    }

    fn keep(&self, error: PolicyFileError) -> Look {
        self.counts.stale.store(1, Relaxed);
        let text = error.to_string();
        let mut told = self.told.write().unwrap_or_else(PoisonError::into_inner);
        if told.as_ref() != Some(&text) {
            self.counts.kept.fetch_add(1, Relaxed);
            let policy = hex(&self.in_force().policy.policy.digest());
            tracing::error!(profile = self.profile, policy, "the policy stays as it was: {text}");
            *told = Some(text);
        }
        Look::Kept(error)
    }
}

fn load(name: &str, next: Option<&str>) -> Result<InForce, PolicyFileError> {
    let policy = read(name)?;
    let next = match next.map(read).transpose() {
        // The next policy comes and goes; only what decides must be there.
        Err(PolicyFileError::Read { .. }) => None,
        next => next?,
    };
    // What decides already need not warn.
    let next = next.filter(|next| next.policy.digest() != policy.policy.digest());
    Ok(InForce { policy, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_policy_keeps_the_good_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, next) = (directory.path().join("policy.toml"), directory.path().join("next.toml"));
        let write = |path: &std::path::Path, text: &str| std::fs::write(path, text).expect("written");
        write(&file, "version = 1\n");
        let live = Live::open("production", &file.to_string_lossy(), Some(&next.to_string_lossy()))
            .expect("a policy");
        let first = live.in_force();
        assert!(first.next.is_none());
        assert!(matches!(live.look(), Look::Unchanged));
        for _ in 0..2 {
            write(&file, "version = 1\n[accept]\ndebugg = true\n");
            assert!(matches!(live.look(), Look::Kept(PolicyFileError::Policy { .. })));
            assert_eq!(live.in_force(), first);
        }
        assert_eq!(live.counts().kept.load(Relaxed), 1);
        assert_eq!(live.counts().stale.load(Relaxed), 1);
        std::fs::remove_file(&file).expect("removed");
        assert!(matches!(live.look(), Look::Kept(PolicyFileError::Read { .. })));
        write(&file, "version = 1\n");
        write(&next, "version = 1\n[accept]\ndebug = true\n");
        assert!(matches!(live.look(), Look::Changed));
        assert_eq!(live.counts().stale.load(Relaxed), 0);
        let warned = live.in_force();
        assert_eq!(warned.policy, first.policy);
        let next_policy = warned.next.clone().expect("the next policy").policy;
        // From warn to enforce: the file takes the other's place.
        std::fs::rename(&next, &file).expect("moved");
        assert!(matches!(live.look(), Look::Changed));
        assert_eq!(live.in_force().policy.policy, next_policy);
        assert!(live.in_force().next.is_none());
    }
}
