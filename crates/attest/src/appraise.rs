//! Authenticate, then appraise: is the evidence genuine, and do we accept it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::binding::Binding;
use crate::claims::{Claims, Detail};
use crate::endorsements::Endorsements;
use crate::evidence::{Evidence, Tee};
use crate::policy::Policy;
use crate::reason::{Checks, Outcome, Reason, Rejection};
use crate::reference::{self, ReferenceValues};
use crate::result::{AttestationResult, TrustLevel};
use crate::roots::Grade;
use crate::time::Time;
use crate::value::Value;
use crate::{cca, nitro, sgx, snp, tdx, vtpm};

/// Genuine evidence: every signature, chain and binding inside it holds at the time of judgement. Whether revocation lists
/// are at hand and fresh, and whether the environment is good enough, is not said yet; only [`authenticate`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Authentic {
    claims: Claims,
    checks: Checks,
}

impl Authentic {
    /// What was proven.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Every check that was made.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }
}

/// Proves that evidence is genuine at `now`.
pub fn authenticate(
    evidence: &Evidence,
    endorsements: &Endorsements,
    now: Time,
) -> Result<Authentic, Rejection> {
    let (claims, checks) = examine(evidence, endorsements, now);
    let checks = Rejection::unless_passed(checks)?;
    match claims {
        Some(claims) => Ok(Authentic { claims, checks }),
        None => Err(Rejection::one(Reason::EvidenceUnsupported, "evidence with claims", "none")),
    }
}

/// Judges evidence at `now`: the whole pipeline after decoding.
///
/// A rejection lists what is wrong with the evidence together with what the policy would not have accepted anyway; claims
/// that were not proven are judged for that list, and never returned.
pub fn appraise(
    evidence: &Evidence,
    endorsements: &Endorsements,
    reference: &ReferenceValues,
    policy: &Policy,
    now: Time,
) -> Result<AttestationResult, Rejection> {
    let (claims, mut checks) = examine(evidence, endorsements, now);
    if let Some(claims) = &claims {
        judge(claims, reference, policy, now, &mut checks);
    }
    let checks = Rejection::unless_passed(checks)?;
    let Some(claims) = claims else {
        return Err(Rejection::one(Reason::EvidenceUnsupported, "evidence with claims", "none"));
    };
    let excused = checks.iter().any(|check| check.outcome == Outcome::Note);
    let trust = TrustLevel::of(&claims, excused);
    let lifetime = policy.freshness.result_seconds;
    let measured = !reference.measurements.is_empty() || names_measurements(&claims, policy);
    Ok(AttestationResult {
        trust,
        measured,
        policy_digest: policy.digest(),
        judged_at: now,
        lifetime,
        claims,
        checks,
    })
}

/// Whether the policy lists the measurements that it accepts of this environment.
fn names_measurements(claims: &Claims, policy: &Policy) -> bool {
    match claims.detail.silicon() {
        Detail::Snp(_) => !policy.snp.hash.is_empty(),
        Detail::Sgx(_) => !policy.sgx.hash.is_empty(),
        Detail::Tdx(_) => !policy.tdx.hash.is_empty(),
        Detail::Cca(_) => !policy.cca.hash.is_empty(),
        Detail::Nitro(_) => !policy.nitro.hash.is_empty(),
        Detail::Vtpm(_) | Detail::None => false,
    }
}

/// Runs every check of authentication. Claims come back whenever there are any, proven or not.
fn examine(evidence: &Evidence, endorsements: &Endorsements, now: Time) -> (Option<Claims>, Checks) {
    let mut checks = Checks::new();
    let claims = match evidence {
        Evidence::Snp(evidence) => snp::authenticate(evidence, endorsements, now, &mut checks),
        Evidence::Sgx(evidence) => sgx::authenticate(evidence, endorsements, now, &mut checks),
        Evidence::Tdx(evidence) => tdx::authenticate(evidence, endorsements, now, &mut checks),
        Evidence::Cca(evidence) => cca::authenticate(evidence, endorsements, now, &mut checks),
        Evidence::Nitro(evidence) => nitro::authenticate(evidence, endorsements, now, &mut checks),
        Evidence::Vtpm(evidence) => vtpm::authenticate(evidence, endorsements, now, &mut checks),
        Evidence::Unattested => Some(unattested()),
    };
    (claims, checks)
}

/// Runs every check of the policy that all environments share, then those of one kind.
fn judge(claims: &Claims, reference: &ReferenceValues, policy: &Policy, now: Time, checks: &mut Checks) {
    trust(claims, policy, checks);
    revocation(claims, policy, now, checks);
    workload(claims, reference, policy, checks);
    if let Detail::Vtpm(detail) = &claims.detail {
        vtpm::appraise(claims, detail, &policy.vtpm, checks);
    }
    match claims.detail.silicon() {
        Detail::Snp(detail) => snp::appraise(claims, detail, &policy.snp, checks),
        Detail::Sgx(detail) => sgx::appraise(detail, &policy.sgx, now, checks),
        Detail::Tdx(detail) => tdx::appraise(detail, &policy.tdx, now, checks),
        Detail::Cca(detail) => cca::appraise(claims, detail, &policy.cca, checks),
        Detail::Nitro(detail) => nitro::appraise(claims, detail, &policy.nitro, now, checks),
        // A virtual TPM wraps no other one.
        Detail::Vtpm(_) => {}
        Detail::None => {}
    }
}

fn trust(claims: &Claims, policy: &Policy, checks: &mut Checks) {
    let accepted = policy.accept.tees.is_empty() || policy.accept.tees.contains(&claims.tee);
    checks.require(
        Reason::TeeRefused,
        Value::None,
        accepted,
        "a kind of the policy",
        alloc::format!("{}", claims.tee),
    );
    match &claims.root {
        None if claims.tee == Tee::Unattested => {
            checks.require(
                Reason::TrustUnattested,
                Value::None,
                policy.accept.unattested,
                "attested",
                "unattested",
            );
        }
        Some(root) if root.grade == Grade::Development => {
            let named = policy.accept.development_roots.iter().any(|digest| digest.0 == root.digest);
            checks.require(
                Reason::TrustSimulated,
                String::from(root.name.as_str()),
                named,
                "a named root",
                &root.digest,
            );
        }
        // A chain that leads nowhere has failed already.
        None | Some(_) => {}
    }
    checks.require_unless(
        policy.accept.debug,
        Reason::DebugEnabled,
        Value::None,
        !claims.debug,
        false,
        claims.debug,
    );
}

fn revocation(claims: &Claims, policy: &Policy, now: Time, checks: &mut Checks) {
    let rules = &policy.revocation;
    for coverage in &claims.revocation {
        let issuer = || coverage.issuer.clone();
        let Some(window) = coverage.window else {
            checks.require_unless(
                !rules.required,
                Reason::CrlMissing,
                issuer(),
                false,
                "a revocation list",
                Value::None,
            );
            continue;
        };
        checks.require_unless(!rules.required, Reason::CrlStale, issuer(), window.contains(now), window, now);
        if let Some(&least) = rules.minimum_number.get(&coverage.subject) {
            let found = coverage.number;
            checks.require(Reason::CrlNumber, issuer(), found >= Some(least), least, found);
        }
        let limit = rules.max_age_of.get(&coverage.issuer).copied();
        if let Some(limit) = limit.or(rules.max_age_seconds) {
            let age = now.since(window.from);
            checks.require_unless(!rules.required, Reason::CrlAge, issuer(), age <= limit, limit, age);
        }
    }
}

fn workload(claims: &Claims, reference: &ReferenceValues, policy: &Policy, checks: &mut Checks) {
    let found = claims.measurement.as_slice();
    if !reference.measurements.is_empty() {
        let known = reference.measurements.contains(found);
        checks.require(Reason::MeasurementUnknown, Value::None, known, "one of the reference values", found);
    }
    if let Some(expected) = reference.workload.as_deref().filter(|_| !claims.host_data.is_empty()) {
        let field = &claims.host_data;
        let holds = reference::holds_digest(field, expected);
        checks.require(Reason::WorkloadMismatch, Value::None, holds, expected, field.as_slice());
    }
    let binding = reference.binding.as_ref();
    if matches!(binding, Some(Binding::LegacyKey { .. })) {
        let accepted = policy.accept.legacy_enarx;
        checks.require(Reason::BindingLegacy, Value::None, accepted, "KeepClaims", "the key alone");
    }
    match binding {
        Some(binding) => {
            let holds = binding.holds(&claims.report_data) || claims.tee == Tee::Unattested;
            let expected = binding.expected();
            let report_data = claims.report_data.as_slice();
            checks.require(Reason::BindingMismatch, Value::None, holds, expected.as_slice(), report_data);
        }
        None => {
            let excused = !policy.freshness.binding_required;
            let found = claims.report_data.as_slice();
            checks.require_unless(
                excused,
                Reason::BindingMissing,
                Value::None,
                false,
                "a binding to compare with",
                found,
            );
        }
    }
    if policy.freshness.nonce_required {
        let fresh = binding.is_some_and(|binding| binding.is_fresh());
        checks.require(Reason::NonceMissing, Value::None, fresh, "a nonce of the verifier", "none");
    }
}

fn unattested() -> Claims {
    Claims {
        tee: Tee::Unattested,
        root: None,
        measurement: Vec::new(),
        report_data: Vec::new(),
        host_data: Vec::new(),
        debug: false,
        validity: None,
        revocation: Vec::new(),
        detail: Detail::None,
    }
}
