//! Genuine SNP evidence, bent: every single-bit flip of a report or its VEK is refused, every truncation has a reason, and
//! the negative cases of the index are refused for theirs. There is no bit that does not count.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/vectors.rs"]
mod vectors;

use std::path::Path;
use std::sync::{Arc, Mutex};

use attest::appraise::appraise;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reason::{Checks, Reason, Rejection};
use attest::reference::ReferenceValues;
use attest::roots::Vendor;
use attest::snp::report::Report;
use attest::snp::vek::Vek;
use attest::time::Time;
use attest::x509::certificate::Certificate;
use attest::x509::{chain, crl};

use self::memory::Everything;
use self::vectors::{folder, read};

/// Lists of the time are not among the vectors; everything that a genuine host may be is accepted.
const LENIENT: &str = "revocation.required = false\nfreshness.binding_required = false\naccept.legacy_enarx = true\n\
    [snp]\nmaximum_vmpl = 3\nmasked_chip = true\n";

/// Folder, VEK, and when to judge.
const CASES: [(&str, &str, &str); 13] = [
    ("milan-v2-steward-csr", "vcek.der", "2022-12-01T00:00:00Z"),
    ("milan-v2-virtee", "vcek.der", "2023-05-01T00:00:00Z"),
    ("milan-v2-azure", "vcek.der", "2023-05-01T00:00:00Z"),
    ("milan-v3-vlek-aws", "vlek.der", "2025-06-01T00:00:00Z"),
    ("milan-v3-microsoft", "vcek.der", "2026-10-18T17:52:33Z"),
    ("milan-v3-microsoft", "vcek-issued-2025-12-29.der", "2026-10-18T17:52:33Z"),
    ("milan-v3-dstack", "vcek.der", "2027-02-27T17:53:04Z"),
    ("genoa-v3-configfs-tsm", "vcek.der", "2026-01-01T11:19:36Z"),
    ("genoa-v5-oak", "vcek.der", "2026-04-20T10:09:41Z"),
    ("bergamo-siena-v5", "vcek.der", "2026-10-31T15:49:36Z"),
    ("turin-v5-oak", "vcek.der", "2026-03-30T09:52:46Z"),
    ("milan-v3-oak-release", "vcek.der", "2025-09-28T11:45:54Z"),
    ("milan-v3-oak-rk-release", "vcek.der", "2025-09-28T13:28:19Z"),
];

/// One case, ready to be judged with other bytes in one place.
struct Case {
    name: &'static str,
    endorsements: Endorsements,
    policy: Policy,
    now: Time,
    report: Vec<u8>,
    vek: Vec<u8>,
}

impl Case {
    fn load(vectors: &Path, (name, vek, at): (&'static str, &str, &str)) -> Self {
        let folder = vectors.join(name);
        let shipped = Endorsements::shipped().expect("shipped certificates decode");
        Self {
            name,
            endorsements: shipped.remembering(Arc::new(Everything::default())),
            policy: Policy::from_toml(LENIENT).expect("valid"),
            now: Time::from_rfc3339(at).expect("valid"),
            report: read(&folder.join("report.bin")),
            vek: read(&folder.join(vek)),
        }
    }

    fn judge(&self, endorsements: &Endorsements, report: &[u8]) -> Result<(), Rejection> {
        let evidence = Evidence::decode(report)?;
        appraise(&evidence, endorsements, &ReferenceValues::default(), &self.policy, self.now).map(|_| ())
    }

    fn endorsed_by(&self, vek: &[u8]) -> Option<Endorsements> {
        let mut endorsements = self.endorsements.clone();
        endorsements.add_certificate(vek).ok().map(|()| endorsements)
    }

    /// Which bits of the report, then which bits of the VEK, could be flipped unnoticed.
    fn unnoticed(&self) -> [Vec<usize>; 2] {
        let whole = self.endorsed_by(&self.vek).expect("VEK decodes");
        self.judge(&whole, &self.report).unwrap_or_else(|rejection| panic!("{}: {rejection}", self.name));
        let flip = |bytes: &[u8], bit: usize| {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        };
        // A set reserved field is refused whatever the signature says, and a VEK without a chain whatever it signed: what is
        // left is one verification a bit.
        let report = (0..8 * self.report.len()).filter(|&bit| {
            let report = flip(&self.report, bit);
            let plain = Report::decode(&report).is_ok_and(|report| report.reserved.is_empty());
            plain && self.judge(&whole, &report).is_ok()
        });
        let vek = (0..8 * self.vek.len()).filter(|&bit| {
            let flipped = flip(&self.vek, bit);
            let Ok(certificate) = Certificate::decode(&flipped) else { return false };
            let mut checks = Checks::new();
            chain::build(&certificate, &[], Vendor::Amd, &self.endorsements, self.now, &mut checks);
            let endorsed = checks.passed().then(|| self.endorsed_by(&flipped)).flatten();
            endorsed.is_some_and(|endorsements| self.judge(&endorsements, &self.report).is_ok())
        });
        [report.collect(), vek.collect()]
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let Some(vectors) = folder("snp") else { return };
    let cases = Mutex::new(CASES.to_vec());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().expect("not poisoned").pop() else { break };
                    let case = Case::load(&vectors, case);
                    let [report, vek] = case.unnoticed();
                    assert!(report.is_empty() && vek.is_empty(), "{}: {report:?}, {vek:?}", case.name);
                }
            });
        }
    });
}

#[test]
fn every_truncation_has_a_reason() {
    let Some(vectors) = folder("snp") else { return };
    for case in CASES {
        let case = Case::load(&vectors, case);
        for length in 0..case.report.len() {
            let rejection = Evidence::decode(&case.report[..length]).expect_err("truncated");
            assert!(rejection.checks().failures().next().is_some(), "{}, {length} bytes", case.name);
        }
        for length in 0..case.vek.len() {
            assert!(Certificate::decode(&case.vek[..length]).is_err(), "{}, {length} bytes", case.name);
        }
    }
}

#[test]
fn the_withdrawn_ask_of_genoa_is_revoked() {
    let Some(vectors) = folder("snp") else { return };
    let folder = vectors.join("NEG-genoa-revoked-ask");
    let case = Case::load(&vectors, ("genoa-v3-configfs-tsm", "vcek.der", "2023-01-01T00:00:00Z"));
    let mut endorsements = case.endorsed_by(&case.vek).expect("VEK decodes");
    endorsements
        .add_certificate(&read(&folder.join("genoa-ask-REVOKED-serial020001.der")))
        .expect("ASK decodes");
    endorsements.add_crl(&read(&folder.join("genoa.crl.der"))).expect("list decodes");
    // The VEK names both ASKs as issuer, and only that in service has signed it: the list is on its side.
    let rejection = case.judge(&endorsements, &case.report).expect_err("issued after this date");
    assert!(rejection.has(Reason::ChainValidity) && !rejection.has(Reason::CrlRevoked), "{rejection}");
    // The withdrawn one is genuine, and listed.
    let ask =
        Certificate::decode(&read(&folder.join("genoa-ask-REVOKED-serial020001.der"))).expect("decodes");
    let mut checks = Checks::new();
    let path = chain::build(&ask, &[], Vendor::Amd, &endorsements, case.now, &mut checks);
    let path = path.expect("signed by the ARK");
    assert!(checks.passed(), "{checks:?}");
    crl::check(&path, 0, &endorsements, case.now, &mut checks);
    assert!(checks.failures().any(|check| check.reason == Reason::CrlRevoked));
}

#[test]
fn a_synthetic_vcek_decodes_and_leads_nowhere() {
    let Some(vectors) = folder("snp") else { return };
    let vek = read(&vectors.join("NEG-vcek-synthetic-legacy/vcek.der"));
    let certificate = Certificate::decode(&vek).expect("decodes");
    assert!(Vek::decode(&certificate).is_ok_and(|vek| vek.hwid.is_some()), "{:?}", Vek::decode(&certificate));
    let case = Case::load(&vectors, ("milan-v2-virtee", "vcek.der", "2023-03-05T22:41:55Z"));
    let endorsements = case.endorsed_by(&vek).expect("VEK decodes");
    let rejection = case.judge(&endorsements, &case.report).expect_err("not AMD's");
    assert!(rejection.has(Reason::ChainSignature), "{rejection}");
}
