//! Where `sev` 8 and our verifier differ, and nowhere else. What each difference means: docs/attestation/snp.md.

use attest::reason::Reason;
use oracles::snp::{CASES, Case};

#[test]
fn genuine_evidence_is_accepted_by_both() {
    let Some(vectors) = oracles::vectors("snp") else { return };
    for case in CASES {
        let case = Case::load(&vectors, case);
        let ours = case.ours(&case.endorsements(), &case.report);
        assert!(ours.is_ok(), "{}: {ours:?}", case.name);
        let chain = case.chain().expect("decodes");
        let theirs = Case::sev(&chain, &case.report);
        assert!(theirs.is_ok(), "{}: {theirs:?}", case.name);
    }
}

#[test]
fn bent_reports_differ_only_in_what_sev_does_not_read() {
    let Some(vectors) = oracles::vectors("snp") else { return };
    // One of each layout; one bit in each byte, another one in each neighbour.
    for name in ["milan-v2-virtee", "milan-v3-dstack", "genoa-v5-oak", "turin-v5-oak"] {
        let case = *CASES.iter().find(|case| case.0 == name).expect("a case");
        let case = Case::load(&vectors, case);
        let (endorsements, chain) = (case.endorsements(), case.chain().expect("decodes"));
        for byte in 0..case.report.len() {
            let mut report = case.report.clone();
            report[byte] ^= 1 << (byte % 8);
            let ours = case.ours(&endorsements, &report).expect_err("bent");
            // `sev` verifies a report that it has written anew, without the reserved bytes: it cannot see them change,
            // not even inside the signed part.
            let theirs = Case::sev_warm(&chain, &report).is_ok();
            assert!(!theirs || ours.has(Reason::SnpReportReserved), "{name}, byte {byte}: {ours}");
        }
    }
}

#[test]
fn dates_count_only_here() {
    let Some(vectors) = oracles::vectors("snp") else { return };
    let case = Case::load(&vectors, CASES[0]);
    let expired = Case { now: attest::time::Time(0), ..Case::load(&vectors, CASES[0]) };
    let chain = case.chain().expect("decodes");
    assert!(Case::sev(&chain, &case.report).is_ok(), "sev reads no dates");
    assert!(expired.ours(&expired.endorsements(), &expired.report).is_err());
}
