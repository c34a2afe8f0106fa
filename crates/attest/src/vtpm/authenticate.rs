//! Is the evidence genuine: the silicon's report, the runtime data it names, and the TPM quote by the key in them.

use alloc::boxed::Box;

use super::td_report::TdReport;
use super::{Claims, Evidence, Silicon};
use crate::claims::{self, Detail};
use crate::endorsements::Endorsements;
use crate::evidence::Tee;
use crate::reason::{Checks, Reason};
use crate::roots::Vendor;
use crate::time::Time;
use crate::value::Value;
use crate::x509::chain::Path;
use crate::x509::{chain, crl};
use crate::{snp, tdx};

/// Runs every check of authentication. The silicon's claims come back with the nonce of the TPM quote as report data: the
/// silicon's own name the runtime data, and are checked here.
pub(crate) fn authenticate(
    evidence: &Evidence,
    endorsements: &Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Option<claims::Claims> {
    check_quote(evidence, checks);
    let key_path = key_path(evidence, endorsements, now, checks);
    let inner = silicon(evidence, endorsements, now, checks);
    let expected = evidence.report.expected_report_data();
    let mut claims = inner?;
    checks.equal(Reason::VtpmBinding, "REPORT_DATA", expected.as_slice(), claims.report_data.as_slice());
    if let Some(path) = &key_path {
        claims.validity = claims.validity.map(|window| window.intersect(path.validity()));
        // Azure publishes no list of attestation keys, only of their issuers.
        claims.revocation.extend(crl::check(path, 1, endorsements, now, checks));
    }
    let quote = evidence.quote.as_ref();
    let detail = Claims {
        silicon: claims.detail,
        runtime: evidence.report.runtime.clone(),
        pcrs: quote.map(|quote| quote.pcrs),
        nonce: quote.map(|quote| quote.attested.nonce.clone()),
        certified: key_path.is_some(),
    };
    claims.report_data = detail.nonce.clone().unwrap_or_default();
    claims.detail = Detail::Vtpm(Box::new(detail));
    Some(claims)
}

fn check_quote(evidence: &Evidence, checks: &mut Checks) {
    let Some(quote) = &evidence.quote else { return };
    let key = &evidence.report.runtime.attestation_key;
    let holds = quote.is_signed_by(key);
    checks.require(Reason::VtpmQuoteSignature, Value::None, holds, "signed by HCLAkPub", holds);
    let digest = quote.expected_digest();
    checks.equal(Reason::VtpmPcr, "digest", digest.as_slice(), quote.attested.digest.as_slice());
    if evidence.user_data_is_nonce {
        let user_data = evidence.report.runtime.user_data.as_deref().unwrap_or_default();
        let nonce = quote.attested.nonce.as_slice();
        let repeats = !nonce.is_empty()
            && user_data.strip_prefix(nonce).is_some_and(|tail| tail.iter().all(|&byte| byte == 0));
        checks.require(Reason::VtpmNonce, "user-data", repeats, nonce, user_data);
    }
}

/// The chain of the attestation key's certificate, if there is one. A certificate of another key is no certificate of
/// this machine.
fn key_path<'a>(
    evidence: &'a Evidence,
    endorsements: &'a Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Option<Path<'a>> {
    let (leaf, intermediates) = evidence.certificates.split_first()?;
    let same = leaf.key() == &evidence.report.runtime.attestation_key;
    let name = leaf.shared_name();
    checks.require(Reason::VtpmKey, name, same, "a certificate of HCLAkPub", leaf.digest());
    chain::build(leaf, intermediates, Vendor::Microsoft, endorsements, now, checks)
}

fn silicon(
    evidence: &Evidence,
    endorsements: &Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Option<claims::Claims> {
    match &evidence.silicon {
        Silicon::Snp(report) => {
            let claims = snp::authenticate(report, endorsements, now, checks)?;
            Some(claims::Claims { tee: Tee::AzureSnp, ..claims })
        }
        Silicon::Tdx(quote) => {
            let report = match TdReport::decode(&evidence.report.hardware[..]) {
                Ok(report) => report,
                Err(error) => {
                    checks.malformed(Reason::EvidenceMalformed, error);
                    return None;
                }
            };
            let expected = evidence.report.expected_report_data();
            checks.equal(Reason::VtpmBinding, "TD report", expected.as_slice(), report.report_data());
            let Some(quote) = quote else {
                checks.fail(Reason::VtpmQuoteMissing, "a TD quote beside the TD report", "none");
                return None;
            };
            report.check(&quote.bytes, checks);
            let claims = tdx::authenticate(&quote.evidence, endorsements, now, checks)?;
            Some(claims::Claims { tee: Tee::AzureTdx, ..claims })
        }
    }
}
