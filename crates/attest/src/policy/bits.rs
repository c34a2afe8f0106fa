//! Rules for a field of bits: which must be set, which must be clear, and what of those that have no name here.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::reason::{Checks, Reason};
use crate::value::Value;

/// A field whose bits have names.
pub trait Field: Copy + Ord + 'static {
    /// Every name.
    const ALL: &'static [Self];

    /// The bits of a name.
    fn mask(self) -> u64;
}

/// What is demanded of a field; names that stand in neither set are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, bound(deserialize = "N: Ord + Deserialize<'de>"))]
pub struct BitRules<N> {
    /// Bits that must be set.
    pub set: BTreeSet<N>,
    /// Bits that must be clear.
    pub clear: BTreeSet<N>,
    /// Accept bits without a name, with a note.
    pub unknown: bool,
}

impl<N> Default for BitRules<N> {
    fn default() -> Self {
        Self { set: BTreeSet::new(), clear: BTreeSet::new(), unknown: false }
    }
}

impl<N: Field> BitRules<N> {
    /// Records whether `found` is as demanded.
    pub(crate) fn check(&self, reason: Reason, field: &'static str, found: u64, checks: &mut Checks) {
        let mask = |names: &BTreeSet<N>| names.iter().fold(0, |mask, name| mask | name.mask());
        let (set, clear) = (mask(&self.set), mask(&self.clear));
        let demanded = found & set == set && found & clear == 0;
        checks.require(reason, field, demanded, Value::Bits(found & !clear | set), Value::Bits(found));
        let unknown = found & !N::ALL.iter().fold(0, |mask, name| mask | name.mask());
        let holds = unknown == 0;
        let expected = "bits that have a name";
        checks.require_unless(self.unknown, reason, field, holds, expected, Value::Bits(unknown));
    }
}
