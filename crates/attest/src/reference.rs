//! Reference values: what the keep under judgement is expected to be.
//!
//! A policy says what platforms are good enough and lives for months; reference values come from whoever built and deployed
//! the keep, and the binding is of one request.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::binding::Binding;

/// What is expected of one keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceValues {
    /// Launch measurements that are accepted; empty means that the policy alone decides.
    pub measurements: BTreeSet<Vec<u8>>,
    /// The digest of the workload package, compared with the launch-time field where the environment has one.
    pub workload: Option<Vec<u8>>,
    /// What the evidence must be bound to.
    pub binding: Option<Binding>,
}

/// Whether a launch-time field holds a workload digest.
///
/// The field has the length that its environment gives it (HOST_DATA 32 bytes, MRCONFIGID 48, Realm personalization 64),
/// a digest has 32 to 64. A digest that is shorter stands first, zeros fill the rest; of a longer one the field holds the
/// first bytes, which stay a digest of the field's strength. Nothing else holds, an empty expectation least of all.
pub fn holds_digest(field: &[u8], digest: &[u8]) -> bool {
    if !(32..=64).contains(&digest.len()) || field.len() < 32 {
        return false;
    }
    let (head, tail) = field.split_at(digest.len().min(field.len()));
    digest.starts_with(head) && tail.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_holds_the_whole_digest_or_all_of_it_that_fits() {
        let digest: Vec<u8> = (1..=64).collect();
        let padded = [&digest[..32], &[0; 16]].concat();
        assert!(holds_digest(&digest[..32], &digest[..32]));
        assert!(holds_digest(&digest[..32], &digest[..48]));
        assert!(holds_digest(&padded, &digest[..32]));
        assert!(!holds_digest(&digest[..48], &digest[..32]), "bytes after the digest");
        assert!(!holds_digest(&padded, &digest[..48]), "cut short");
        assert!(!holds_digest(&digest[..32], &[]), "nothing expected");
        assert!(!holds_digest(&digest[..16], &digest[..32]), "a field too short");
    }
}
