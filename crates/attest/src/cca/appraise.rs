//! Do we accept the tokens: the rules of the policy's `cca` section.

use alloc::string::String;

use super::Claims;
use crate::claims;
use crate::policy::cca::CcaPolicy;
use crate::policy::digest::listed;
use crate::reason::{Checks, Reason};
use crate::value::Value;

/// Applies the policy's section.
pub(crate) fn appraise(claims: &claims::Claims, detail: &Claims, policy: &CcaPolicy, checks: &mut Checks) {
    let initial = claims.measurement.as_slice();
    let accepted = listed(&policy.hash, initial);
    checks.require(Reason::MeasurementUnknown, Value::None, accepted, "one of the policy's list", initial);
    let denied = policy.hash_blacklist.iter().any(|entry| entry.0 == initial);
    checks.require(Reason::MeasurementDenied, Value::None, !denied, "not on the deny list", initial);
    appraise_realm(detail, policy, checks);
    appraise_platform(detail, policy, checks);
}

fn appraise_realm(detail: &Claims, policy: &CcaPolicy, checks: &mut Checks) {
    let realm = &detail.realm;
    for (index, accepted) in &policy.rems {
        let found = realm.extensible.get(index.0).map(|register| register.as_slice());
        let holds = found.is_some_and(|found| accepted.iter().any(|entry| entry.0 == found));
        checks.require(Reason::CcaRegisters, index.0 as u64, holds, "one of the policy's list", found);
    }
    let personalization = &policy.personalization;
    let accepted =
        personalization.is_empty() || personalization.iter().any(|entry| entry.0 == realm.personalization);
    checks.require(
        Reason::CcaRegisters,
        "personalization",
        accepted,
        "one of the policy's list",
        &realm.personalization,
    );
    let names = [("platform", detail.platform.profile.as_str()), ("realm", realm.profile_name())];
    for (token, name) in names {
        let accepted = policy.profiles.is_empty() || policy.profiles.iter().any(|profile| profile == name);
        checks.require(Reason::CcaProfile, token, accepted, "a profile of the policy", String::from(name));
    }
}

fn appraise_platform(detail: &Claims, policy: &CcaPolicy, checks: &mut Checks) {
    let platform = &detail.platform;
    let accepted = policy.lifecycle.contains(&platform.lifecycle());
    let found = Value::Bits(platform.lifecycle.into());
    checks.require(Reason::CcaLifecycle, Value::None, accepted, "a state of the policy", found);
    let ids = &policy.implementation_ids;
    let accepted = ids.is_empty() || ids.iter().any(|id| id.0 == platform.implementation_id);
    let expected = "one of the policy's list";
    checks.require(Reason::CcaPlatform, "implementation", accepted, expected, &platform.implementation_id);
    let ids = &policy.instance_ids;
    let accepted = ids.is_empty() || ids.iter().any(|id| id.0 == platform.instance_id);
    checks.require(Reason::CcaPlatform, "instance", accepted, expected, &platform.instance_id);
    for component in &platform.components {
        let name = || component.kind.clone();
        let accepted = listed(&policy.signer, &component.signer);
        let signer = component.signer.as_slice();
        checks.require(Reason::CcaComponents, name(), accepted, "a signer of the policy", signer);
        let accepted = listed(&policy.components, &component.measurement);
        let measurement = component.measurement.as_slice();
        checks.require(Reason::CcaComponents, name(), accepted, "a measurement of the policy", measurement);
    }
}
