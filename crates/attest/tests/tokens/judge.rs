//! A judge of evidence at one time under one policy.

#[path = "../support/memory.rs"]
mod memory;

use std::sync::Arc;

use attest::appraise::appraise;
use attest::binding::Binding;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reason::{Reason, Rejection};
use attest::reference::ReferenceValues;
use attest::result::AttestationResult;
use attest::time::Time;

use self::memory::Everything;

/// Revocation lists of the time are not among the vectors, and nothing is expected of the report data.
pub const NO_LISTS: &str = "[revocation]\nrequired = false\n[freshness]\nbinding_required = false\n";

pub struct Judge {
    pub endorsements: Endorsements,
    pub reference: ReferenceValues,
    pub policy: Policy,
    pub now: Time,
}

impl Judge {
    pub fn new(at: &str, policy: &str) -> Self {
        let endorsements = Endorsements::shipped().expect("shipped certificates decode");
        Self {
            endorsements: endorsements.remembering(Arc::new(Everything::default())),
            reference: ReferenceValues::default(),
            policy: Policy::from_toml(policy).expect("policy is valid"),
            now: Time::from_rfc3339(at).expect("time is valid"),
        }
    }

    pub fn bound_to(mut self, bytes: &[u8]) -> Self {
        self.reference.binding = Some(Binding::Exact(bytes.into()));
        self
    }

    pub fn judge(&self, evidence: &[u8]) -> Result<AttestationResult, Rejection> {
        let evidence = Evidence::decode(evidence)?;
        appraise(&evidence, &self.endorsements, &self.reference, &self.policy, self.now)
    }

    pub fn accepts(&self, case: &str, evidence: &[u8]) -> AttestationResult {
        self.judge(evidence).unwrap_or_else(|rejection| panic!("{case}: {rejection}"))
    }

    pub fn refuses(&self, case: &str, evidence: &[u8], reason: Reason) {
        match self.judge(evidence) {
            Ok(_) => panic!("{case}: accepted, expected {reason}"),
            Err(rejection) => assert!(rejection.has(reason), "{case}: expected {reason}, found {rejection}"),
        }
    }

    /// Every single-bit flip and every truncation is refused with a reason.
    pub fn refuses_every_change(&self, case: &str, evidence: &[u8]) {
        self.accepts(case, evidence);
        let refused = |bytes: &[u8]| self.judge(bytes).is_err();
        each_bit(evidence, |bit, flipped| assert!(refused(flipped), "{case}: bit {bit}"));
        // Whitespace after a JSON document is no part of it.
        for length in 0..evidence.trim_ascii_end().len() {
            assert!(refused(&evidence[..length]), "{case}: cut at {length}");
        }
        assert!(refused(&[evidence, &[0]].concat()), "{case}: a tail");
    }
}

pub fn each_bit(bytes: &[u8], check: impl Fn(usize, &[u8]) + Sync) {
    let half = bytes.len() * 4;
    std::thread::scope(|scope| {
        for range in [0..half, half..bytes.len() * 8] {
            let check = &check;
            scope.spawn(move || {
                let mut flipped = bytes.to_vec();
                for bit in range {
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    check(bit, &flipped);
                    flipped[bit / 8] ^= 1 << (bit % 8);
                }
            });
        }
    });
}
