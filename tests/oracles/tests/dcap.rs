//! The same verdict as `dcap-qvl`, for every quote with every collateral at several times, and for damaged quotes.
//!
//! Where both verify, status and advisories are the same. Where one of them refuses, the disagreement must be one of those
//! that docs/attestation/tdx.md explains.

use attest::claims::Detail;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reference::ReferenceValues;
use attest::time::Time;
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;
use oracles::dcap::{Collateral, Quote};

const POLICY: &str = "[freshness]\nbinding_required = false\n[accept]\ndebug = true\n\
    [sgx]\ntcb.any_status = true\nattributes.unknown = \"note\"\n\
    [tdx]\ntcb.any_status = true\nattributes.unknown = \"note\"\nxfam.unknown = \"note\"\n";

/// Status and advisories, or why not.
type Verdict = Result<(String, Vec<String>), String>;

#[test]
fn verdicts_agree_on_genuine_quotes() {
    let Some((quotes, collaterals)) = oracles::dcap::read_all() else { return };
    let (mut accepted, mut refused, mut explained, mut differ) = (0, 0, 0, Vec::new());
    for quote in &quotes {
        for collateral in &collaterals {
            for at in collateral.times() {
                let (ours, theirs) =
                    (ours(&quote.bytes, collateral, at), theirs(&quote.bytes, collateral, at));
                match (ours, theirs) {
                    (Ok(ours), Ok(theirs)) if ours == theirs => accepted += 1,
                    (Err(_), Err(_)) => refused += 1,
                    (ours, theirs) if is_explained(&ours, &theirs, collateral, at) => explained += 1,
                    (ours, theirs) => differ.push(format!(
                        "{} with {} at {}: {ours:?} against {theirs:?}",
                        quote.name,
                        collateral.name,
                        Time(at)
                    )),
                }
            }
        }
    }
    println!("{accepted} accepted alike, {refused} refused alike, {explained} explained");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(accepted > 20 && refused > 100);
}

#[test]
fn what_we_accept_damaged_they_accept_too() {
    let Some((quotes, collaterals)) = oracles::dcap::read_all() else { return };
    for Quote { name, bytes } in &quotes {
        let Some(collateral) =
            collaterals.iter().find(|collateral| ours(bytes, collateral, collateral.time).is_ok())
        else {
            continue;
        };
        let mut damaged = bytes.clone();
        for byte in (0..bytes.len()).step_by(53) {
            damaged[byte] ^= 1 << (byte % 8);
            assert!(ours(&damaged, collateral, collateral.time).is_err(), "{name}: byte {byte}");
            damaged[byte] = bytes[byte];
        }
    }
}

/// Lists: `dcap-qvl` takes one of the future, and refuses one in its last second (RFC 5280 counts it as valid).
fn is_explained(ours: &Verdict, theirs: &Verdict, collateral: &Collateral, at: u64) -> bool {
    let [_, from, to, ..] = collateral.times();
    match (ours, theirs) {
        (Err(ours), Ok(_)) => at < from && ours.starts_with("crl.stale") && !ours.contains("; "),
        (Ok(_), Err(theirs)) => at == to && theirs.contains("CrlExpired"),
        _ => false,
    }
}

fn ours(quote: &[u8], collateral: &Collateral, at: u64) -> Verdict {
    let policy = Policy::from_toml(POLICY).expect("valid");
    let judged = Evidence::decode(quote).and_then(|evidence| {
        let reference = ReferenceValues::default();
        attest::appraise::appraise(&evidence, &collateral.endorsements, &reference, &policy, Time(at))
    });
    let result = judged.map_err(|rejection| rejection.to_string())?;
    let platform = match &result.claims().detail {
        Detail::Sgx(detail) => &detail.platform,
        Detail::Tdx(detail) => &detail.platform,
        other => return Err(format!("{other:?}")),
    };
    let verdict = platform.verdict.as_ref().ok_or("no verdict")?;
    Ok((verdict.status.name().to_owned(), verdict.advisories.iter().cloned().collect()))
}

fn theirs(quote: &[u8], collateral: &Collateral, at: u64) -> Verdict {
    let theirs: QuoteCollateralV3 = serde_json::from_value(collateral.file.clone()).expect("their form");
    let verifier = QuoteVerifier::new_prod().allow_debug(true);
    let report = verifier.verify(quote, &theirs, at).map_err(|error| format!("{error:#}"))?;
    let mut advisories = report.advisory_ids;
    advisories.sort();
    advisories.dedup();
    // A revoked status is an error of ours; theirs leaves it to a policy.
    match report.status.as_str() {
        "Revoked" => Err("revoked".into()),
        status => Ok((status.to_owned(), advisories)),
    }
}
