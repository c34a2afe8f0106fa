//! Do we accept what the virtual TPM says: the rules of the policy's `vtpm` section.

use super::Claims;
use crate::claims;
use crate::policy::vtpm::VtpmPolicy;
use crate::reason::{Checks, Reason};
use crate::value::Value;

/// Applies the policy's section.
pub(crate) fn appraise(_: &claims::Claims, detail: &Claims, policy: &VtpmPolicy, checks: &mut Checks) {
    let quoted = detail.pcrs.is_some();
    checks.require_unless(
        !policy.quote_required,
        Reason::VtpmQuoteMissing,
        Value::None,
        quoted,
        "a TPM quote",
        quoted,
    );
    let nonce = detail.nonce.as_deref();
    let answers = nonce.is_some_and(|nonce| !nonce.is_empty());
    checks.require_unless(!policy.nonce_required, Reason::VtpmNonce, Value::None, answers, "a nonce", nonce);
    // The silicon vouches for the key as well, so a certificate that nobody demands is no concession.
    let certified = detail.certified || !policy.certificate_required;
    checks.require(Reason::VtpmKey, Value::None, certified, "a chain to Microsoft's root", detail.certified);
    for (index, accepted) in &policy.pcrs {
        let found = detail.pcrs.as_ref().and_then(|pcrs| pcrs.get(index.0));
        let holds = found.is_some_and(|found| accepted.iter().any(|entry| entry.0 == found));
        let found = found.map(|register| register.as_slice());
        checks.require(Reason::VtpmPcr, index.0 as u64, holds, "one of the policy's list", found);
    }
    let runtime = &detail.runtime;
    checks.require_unless(
        !policy.secure_boot_required,
        Reason::VtpmConfiguration,
        "secure-boot",
        runtime.secure_boot == Some(true),
        true,
        runtime.secure_boot,
    );
    let console = policy.console || runtime.console == Some(false);
    checks.require(
        Reason::VtpmConfiguration,
        "console-enabled",
        console,
        "no serial console",
        runtime.console,
    );
    let machine = runtime.machine.as_ref();
    let accepted = policy.machines.is_empty() || machine.is_some_and(|id| policy.machines.contains(id));
    checks.require(
        Reason::VtpmConfiguration,
        "vmUniqueId",
        accepted,
        "one of the policy's list",
        machine.cloned(),
    );
}
