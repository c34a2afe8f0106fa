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
