//! Genuine evidence, judged at the time that its index names.

#[path = "support/vectors.rs"]
mod vectors;

use std::path::Path;

use attest::appraise::appraise;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reason::Reason;
use attest::reference::ReferenceValues;
use attest::time::Time;

use self::vectors::{folder, read};

/// Revocation lists of the time are not among the vectors, and nothing is expected of the report data.
const NO_LISTS: &str = "[revocation]\nrequired = false\n[freshness]\nbinding_required = false\n";

#[test]
fn snp() {
    let Some(vectors) = folder("snp") else { return };
    let check = |case: &str, vek: &str, at: &str, policy: &str, expected: Option<Reason>| {
        judge(&vectors.join(case), vek, at, &format!("{NO_LISTS}{policy}"), expected);
    };
    for (case, at) in [
        ("milan-v2-steward-csr", "2022-12-01T00:00:00Z"),
        ("milan-v2-virtee", "2023-05-01T00:00:00Z"),
        ("milan-v2-azure", "2023-05-01T00:00:00Z"),
        ("milan-v3-microsoft", "2026-10-18T17:52:33Z"),
        ("milan-v3-dstack", "2027-02-27T17:53:04Z"),
        ("genoa-v3-configfs-tsm", "2026-01-01T11:19:36Z"),
        ("genoa-v5-oak", "2026-04-20T10:09:41Z"),
        ("bergamo-siena-v5", "2026-10-31T15:49:36Z"),
        ("turin-v5-oak", "2026-03-30T09:52:46Z"),
        ("milan-v3-oak-release", "2025-09-28T11:45:54Z"),
        ("milan-v3-oak-rk-release", "2025-09-28T13:28:19Z"),
    ] {
        check(case, "vcek.der", at, "", None);
        check(case, "vcek.der", "2020-01-01T00:00:00Z", "", Some(Reason::ChainValidity));
    }
    let aws = "[snp]\nmaximum_vmpl = 1\nmasked_chip = true\ncsp = [\"CN=cc-us-east-2.amazonaws.com\"]\n";
    check("milan-v3-vlek-aws", "vlek.der", "2025-06-01T00:00:00Z", aws, None);
    check("milan-v3-vlek-aws", "vlek.der", "2026-01-01T00:00:00Z", aws, Some(Reason::ChainValidity));
    check("milan-v3-vlek-aws", "vlek.der", "2025-06-01T00:00:00Z", "", Some(Reason::SnpVmpl));
}

#[test]
fn snp_revocation_list_counts() {
    let Some(vectors) = folder("snp") else { return };
    let case = vectors.join("milan-v2-virtee");
    let mut endorsements = Endorsements::shipped().expect("shipped certificates decode");
    endorsements.add_certificate(&read(&case.join("vcek.der"))).expect("VCEK decodes");
    let evidence = Evidence::decode(&read(&case.join("report.bin"))).expect("report decodes");
    let policy = Policy::from_toml("[freshness]\nbinding_required = false\n").expect("valid");
    let at = |text| Time::from_rfc3339(text).expect("valid");
    let judge = |endorsements: &Endorsements, now| {
        appraise(&evidence, endorsements, &ReferenceValues::default(), &policy, now)
    };
    let withheld = judge(&endorsements, at("2023-05-01T00:00:00Z")).expect_err("no list");
    assert!(withheld.has(Reason::CrlMissing), "{withheld}");
    endorsements.add_crl(&read(&vectors.join("_roots/milan-2022-05-09.crl.der"))).expect("list decodes");
    judge(&endorsements, at("2023-05-01T00:00:00Z")).expect("fresh list");
    let stale = judge(&endorsements, at("2024-05-01T00:00:00Z")).expect_err("stale list");
    assert!(stale.has(Reason::CrlStale), "{stale}");
}

fn judge(case: &Path, vek: &str, at: &str, policy: &str, expected: Option<Reason>) {
    let mut endorsements = Endorsements::shipped().expect("shipped certificates decode");
    endorsements.add_certificate(&read(&case.join(vek))).expect("VEK decodes");
    let evidence = Evidence::decode(&read(&case.join("report.bin"))).expect("report decodes");
    let policy = Policy::from_toml(policy).expect("policy is valid");
    let now = Time::from_rfc3339(at).expect("time is valid");
    let judged = appraise(&evidence, &endorsements, &ReferenceValues::default(), &policy, now);
    let case = case.display();
    match (judged, expected) {
        (Ok(_), None) => {}
        (Err(rejection), Some(reason)) => assert!(rejection.has(reason), "{case}: {rejection}"),
        (Ok(_), Some(reason)) => panic!("{case} at {at}: accepted, expected {reason}"),
        (Err(rejection), None) => panic!("{case} at {at}: {rejection}"),
    }
}
