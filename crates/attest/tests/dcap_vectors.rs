//! Genuine SGX and TDX quotes, judged with genuine collateral at the time that their index names.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/vectors.rs"]
mod vectors;

use std::path::Path;
use std::sync::Arc;

use attest::appraise::appraise;
use attest::claims::Detail;
use attest::dcap::tcb::Verdict;
use attest::endorsements::{DocumentKind, Endorsements};
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reason::{Reason, Rejection};
use attest::reference::ReferenceValues;
use attest::result::AttestationResult;
use attest::roots::{Anchor, Grade, Vendor};
use attest::time::Time;
use attest::x509::certificate::Certificate;

use self::memory::Everything;
use self::vectors::{folder, read};

/// Nothing is expected of the report data.
const POLICY: &str = "[freshness]\nbinding_required = false\n";

/// The same, with every status but a revoked one accepted.
fn tolerant(verdict: &str, advisories: &str) -> String {
    let entry = format!(
        "tcb.accept = [{{ status = \"{verdict}\", advisories = [{advisories}], until = \"2030-01-01T00:00:00Z\", \
         reason = \"test\" }}]\n"
    );
    format!("{POLICY}[sgx]\n{entry}[tdx]\n{entry}")
}

const XEON: &str = "00586 00614 00615 00657 00730 00738 00767 00828 00837 00960";
const B0C0: &str = "01192 01245 01312 01313";

/// Case, collateral, time, status, advisories.
const CASES: &[(&str, &str, &str, &str, &str)] = &[
    ("sgx/steward-xeon-csr", "SGX_00606a000000_20250815", "2025-08-30T05:09:06Z", "OutOfDate", XEON),
    (
        "sgx/v3-dcap-qvl-sample",
        "SGX_00a067110000_20250619",
        "2025-07-04T10:28:44Z",
        "ConfigurationAndSWHardeningNeeded",
        "00289 00615",
    ),
    ("sgx/v3-automata-a", "SGX_00606a000000_20250815", "2025-08-30T05:09:06Z", "SWHardeningNeeded", "00615"),
    ("tdx/v4-dcap-qvl-sample", "TDX_b0c06f000000_20250619", "2025-07-04T10:16:31Z", "UpToDate", ""),
    ("tdx/v4-dcap-qvl-sample", "TDX_b0c06f000000_20260813", "2026-08-28T05:21:24Z", "OutOfDate", B0C0),
    ("tdx/v4-dcap-qvl-sample", "TDX_b0c06f000000_20261008", "2026-10-23T00:06:48Z", "OutOfDate", B0C0),
    ("tdx/v5-td15ex", "TDX_b0c06f000000_20260813", "2026-08-28T05:21:24Z", "UpToDate", ""),
    ("tdx/v5-td15ex", "TDX_b0c06f000000_20261008", "2026-10-23T00:06:48Z", "UpToDate", ""),
    (
        "tdx/v4-automata-outofdate",
        "TDX_00806f050000_20250604",
        "2025-06-19T09:35:34Z",
        "OutOfDate",
        "00960 00982 00986",
    ),
    (
        "tdx/v4-automata-outofdate",
        "TDX_00806f050000_20250707",
        "2025-07-22T09:13:34Z",
        "OutOfDate",
        "00960 00982 00986",
    ),
    (
        "tdx/v4-automata-outofdate",
        "TDX_00806f050000_20260127",
        "2026-02-11T09:25:52Z",
        "OutOfDate",
        "00960 00982 00986 01010 01036 01076 01079 01099 01103 01111",
    ),
    ("tdx/v4-gcp-2026-06", "TDX_00806f050000_20260630", "2026-07-15T08:03:03Z", "UpToDate", ""),
    ("tdx/v4-oak", "TDX_00806f050000_20250604", "2025-06-19T09:35:34Z", "UpToDate", ""),
    ("tdx/v4-oak", "TDX_00806f050000_20251019", "2025-10-31T14:17:11Z", "UpToDate", ""),
    ("tdx/v4-near-mpc-2026-08", "TDX_b0c06f000000_20260813", "2026-08-28T05:21:24Z", "UpToDate", ""),
    ("tdx/v4-attestation-rs-live", "TDX_b0c06f000000_20260813", "2026-08-28T05:21:24Z", "OutOfDate", B0C0),
    ("tdx/v4-near-gas-test", "TDX_20a06f000000_20250902", "2025-09-17T07:22:55Z", "UpToDate", ""),
    ("tdx/v4-dstack", "TDX_90c06f000000_20260608", "2026-06-23T11:56:35Z", "UpToDate", ""),
];

#[test]
fn every_case_is_judged_as_its_index_says() {
    let Some(vectors) = folder("") else { return };
    for &(case, collateral, at, status, advisories) in CASES {
        let quote = read(&vectors.join(case).join("quote.bin"));
        let endorsements = collateral_of(&vectors, collateral);
        let strict = judge(&quote, &endorsements, POLICY, at);
        if status == "UpToDate" {
            let result = strict.unwrap_or_else(|rejection| panic!("{case}: {rejection}"));
            let verdict = verdict(&result);
            assert_eq!(verdict.status.name(), status, "{case}");
            assert!(verdict.advisories.is_empty(), "{case}: {:?}", verdict.advisories);
            continue;
        }
        let rejection = strict.expect_err(case);
        assert!(rejection.has(Reason::IntelTcbStatus), "{case}: {rejection}");
        assert!(
            rejection
                .checks()
                .failures()
                .all(|check| matches!(check.reason, Reason::IntelTcbStatus | Reason::IntelTcbAdvisory)),
            "{case}: {rejection}"
        );
        let names: Vec<_> =
            advisories.split_whitespace().map(|number| format!("INTEL-SA-{number}")).collect();
        let listed: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let policy = tolerant(status, &listed.join(", "));
        let result = judge(&quote, &endorsements, &policy, at)
            .unwrap_or_else(|rejection| panic!("{case}: {rejection}"));
        let verdict = verdict(&result);
        assert_eq!(verdict.status.name(), status, "{case}");
        assert!(verdict.advisories.iter().eq(&names), "{case}: {:?}", verdict.advisories);
        let short = tolerant(status, &listed[1..].join(", "));
        let rejection = judge(&quote, &endorsements, &short, at).expect_err(case);
        assert!(rejection.has(Reason::IntelTcbAdvisory), "{case}: {rejection}");
    }
}

#[test]
fn refused_cases_say_why() {
    let Some(vectors) = folder("") else { return };
    for (case, collateral, at, reason) in [
        (
            "tdx/v5-td15-outdated",
            "TDX_90c06f000000_20260218",
            "2026-03-05T13:50:07Z",
            Reason::IntelTcbUnsupported,
        ),
        (
            "tdx/v4-gotdx-SPR-E4",
            "TDX_50806f000000_20260316",
            "2026-03-31T22:25:04Z",
            Reason::IntelTcbUnsupported,
        ),
        ("tdx/v4-trustee-DEBUG", "TDX_50806f000000_20260316", "2026-03-31T22:25:04Z", Reason::DebugEnabled),
        (
            "sgx/v3-occlum-DEBUG-outofdate",
            "SGX_00606a000000_20250815",
            "2025-08-30T05:09:06Z",
            Reason::DebugEnabled,
        ),
        // Collateral of another kind of platform, and of another TEE.
        ("tdx/v4-oak", "TDX_b0c06f000000_20250619", "2025-07-04T10:16:31Z", Reason::IntelCollateralMatch),
        ("tdx/v4-oak", "SGX_00606a000000_20250815", "2025-08-30T05:09:06Z", Reason::IntelCollateralMissing),
        // Before and after the collateral's window.
        ("tdx/v4-oak", "TDX_00806f050000_20250604", "2025-06-01T00:00:00Z", Reason::IntelCollateralStale),
        ("tdx/v4-oak", "TDX_00806f050000_20250604", "2025-07-10T00:00:00Z", Reason::IntelCollateralStale),
        ("tdx/v4-oak", "TDX_00806f050000_20250604", "2026-07-10T00:00:00Z", Reason::CrlStale),
        ("tdx/v4-oak", "TDX_00806f050000_20250604", "2040-07-10T00:00:00Z", Reason::ChainValidity),
    ] {
        let quote = read(&vectors.join(case).join("quote.bin"));
        let rejection = judge(&quote, &collateral_of(&vectors, collateral), POLICY, at).expect_err(case);
        assert!(rejection.has(reason), "{case}: {rejection}");
    }
}

/// The request's own collateral is of the month of its quote, but has no QE identity: old keeps never sent one.
#[test]
fn no_identity_of_the_quoting_enclave_is_a_refusal() {
    let Some(vectors) = folder("") else { return };
    let mut endorsements = collateral_of(&vectors, "SGX_00606a000000_20250815");
    let case = "sgx/v3-automata-a";
    let quote = read(&vectors.join(case).join("quote.bin"));
    let policy = tolerant("SWHardeningNeeded", "\"INTEL-SA-00615\"");
    judge(&quote, &endorsements, &policy, "2025-08-30T05:09:06Z").expect("complete");
    endorsements = add(&vectors, "SGX_00606a000000_20250815", |name| name != "qe_identity");
    let rejection = judge(&quote, &endorsements, &policy, "2025-08-30T05:09:06Z").expect_err("no identity");
    assert!(rejection.has(Reason::IntelCollateralMissing), "{rejection}");
    for (withheld, reason) in [
        ("pck_crl", Reason::CrlMissing),
        ("root_ca_crl", Reason::CrlMissing),
        ("tcb_info", Reason::IntelCollateralMissing),
        ("tcb_info_issuer_chain", Reason::IntelCollateralMissing),
    ] {
        let endorsements = add(&vectors, "SGX_00606a000000_20250815", |name| name != withheld);
        let rejection = judge(&quote, &endorsements, &policy, "2025-08-30T05:09:06Z").expect_err(withheld);
        assert!(rejection.has(reason), "{withheld}: {rejection}");
    }
}

#[test]
fn a_quote_may_fill_the_buffer_of_its_host() {
    let Some(vectors) = folder("") else { return };
    let padded = read(&vectors.join("tdx/v4-gcp-2026-06/gcp-tdx-original-8000.bin"));
    let endorsements = collateral_of(&vectors, "TDX_00806f050000_20260630");
    judge(&padded, &endorsements, POLICY, "2026-07-15T08:03:03Z").expect("padded");
    for wrong in [&padded[..7999], &padded[..5000], &[padded.as_slice(), &[0]].concat()] {
        let rejection = judge(wrong, &endorsements, POLICY, "2026-07-15T08:03:03Z").expect_err("cut");
        assert!(rejection.has(Reason::EvidenceMalformed), "{rejection}");
    }
}

#[test]
fn a_platform_id_finds_its_certificate_under_another_root() {
    let Some(vectors) = folder("") else { return };
    let case = vectors.join("sgx/synthetic-intel-qvl-sample");
    let quote = read(&case.join("quote.dat"));
    let mut endorsements = Endorsements::shipped().expect("roots decode");
    for pem in ["pckCert.pem", "pckSignChain.pem", "tcbSignChain.pem"] {
        for certificate in pem_chain(&read(&case.join(pem))) {
            endorsements.add_certificate(certificate.der()).expect("decodes");
        }
    }
    for crl in ["rootCaCrl.der", "intermediateCaCrl.der"] {
        endorsements.add_crl(&read(&case.join(crl))).expect("decodes");
    }
    let documents = [("tcbInfo.json", DocumentKind::TcbInfo), ("qeIdentity.json", DocumentKind::QeIdentity)];
    for (name, kind) in documents {
        let text = read(&case.join(name));
        endorsements.add_document(kind, text.trim_ascii()).expect("decodes");
    }
    let at = "2020-01-01T00:00:00Z";
    let rejection = judge(&quote, &endorsements, POLICY, at).expect_err("not Intel's root");
    assert!(rejection.has(Reason::ChainSignature), "{rejection}");
    let root = pem_chain(&read(&case.join("trustedRootCaCert.pem"))).remove(0);
    let digest: String = root.digest().iter().map(|byte| format!("{byte:02x}")).collect();
    endorsements.add_anchor(Anchor { vendor: Vendor::Intel, grade: Grade::Development, certificate: root });
    let named = format!(
        "accept.development_roots = [\"{digest}\"]\naccept.debug = true\n{POLICY}\
        [sgx]\nattributes.unknown = \"note\"\n"
    );
    match judge(&quote, &endorsements, &named, at) {
        Ok(result) => assert_eq!(verdict(&result).status.name(), "UpToDate"),
        Err(rejection) => {
            // The sample's enclave is random bytes: what it says of itself is not acceptable, but it is genuine.
            let others = rejection.checks().failures().filter(|check| check.reason != Reason::SgxAttributes);
            assert_eq!(others.count(), 0, "{rejection}");
        }
    }
}

/// Every bit of every byte: nothing in a quote is left to be chosen.
#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let Some(vectors) = folder("") else { return };
    let cases = [
        ("sgx/v3-automata-a", "SGX_00606a000000_20250815", "2025-08-30T05:09:06Z"),
        ("tdx/v5-td15ex", "TDX_b0c06f000000_20261008", "2026-10-23T00:06:48Z"),
    ];
    let policy = tolerant("SWHardeningNeeded", "\"INTEL-SA-00615\"");
    std::thread::scope(|scope| {
        for (case, collateral, at) in cases {
            let (vectors, policy) = (&vectors, &policy);
            scope.spawn(move || {
                let endorsements =
                    collateral_of(vectors, collateral).remembering(Arc::new(Everything::default()));
                let quote = read(&vectors.join(case).join("quote.bin"));
                judge(&quote, &endorsements, policy, at).expect(case);
                for length in 0..quote.len() {
                    assert!(Evidence::decode(&quote[..length]).is_err(), "{case}: cut at {length}");
                }
                let mut flipped = quote.clone();
                for bit in 0..quote.len() * 8 {
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    let judged = judge(&flipped, &endorsements, policy, at);
                    assert!(judged.is_err(), "{case}: byte {}, bit {}", bit / 8, bit % 8);
                    flipped[bit / 8] = quote[bit / 8];
                }
            });
        }
    });
}

/// A damaged document is not used; one that stands beside a good one does no harm.
#[test]
fn damaged_collateral_is_refused_and_hides_nothing() {
    let Some(vectors) = folder("") else { return };
    let (name, at) = ("TDX_00806f050000_20250604", "2025-06-19T09:35:34Z");
    let quote = read(&vectors.join("tdx/v4-oak/quote.bin"));
    let good = collateral_of(&vectors, name);
    for (kind, member) in [(DocumentKind::TcbInfo, "tcb_info"), (DocumentKind::QeIdentity, "qe_identity")] {
        let document = document(&collateral(&vectors, name), member);
        let mut seen = 0;
        for byte in (0..document.len()).step_by(7) {
            let mut damaged = document.clone();
            damaged[byte] ^= 1 << (byte % 7);
            let mut endorsements = add(&vectors, name, |known| known != member);
            if endorsements.add_document(kind, &damaged).is_ok() {
                seen += 1;
                assert!(judge(&quote, &endorsements, POLICY, at).is_err(), "{member}: byte {byte}");
            }
            let mut both = good.clone();
            let _ = both.add_document(kind, &damaged);
            judge(&quote, &both, POLICY, at).unwrap_or_else(|rejection| panic!("{member}: {rejection}"));
        }
        assert!(seen > 10, "{member}: {seen}");
        for length in 0..document.len() {
            let cut = Endorsements::new(Vec::new()).add_document(kind, &document[..length]);
            assert!(cut.is_err(), "{member}: cut at {length}");
        }
    }
}

fn judge(
    quote: &[u8],
    endorsements: &Endorsements,
    policy: &str,
    at: &str,
) -> Result<AttestationResult, Rejection> {
    let policy = Policy::from_toml(policy).unwrap_or_else(|error| panic!("{error}: {policy}"));
    let now = Time::from_rfc3339(at).expect("time is valid");
    appraise(&Evidence::decode(quote)?, endorsements, &ReferenceValues::default(), &policy, now)
}

fn verdict(result: &AttestationResult) -> &Verdict {
    let platform = match &result.claims().detail {
        Detail::Sgx(detail) => &detail.platform,
        Detail::Tdx(detail) => &detail.platform,
        other => panic!("{other:?}"),
    };
    platform.verdict.as_ref().expect("an accepted platform has a verdict")
}

fn collateral_of(vectors: &Path, name: &str) -> Endorsements {
    add(vectors, name, |_| true)
}

/// The members of a collateral file that `wanted` names, under the shipped roots.
fn add(vectors: &Path, name: &str, wanted: impl Fn(&str) -> bool) -> Endorsements {
    let file = collateral(vectors, name);
    let mut endorsements = Endorsements::shipped().expect("roots decode");
    let text = |member: &str| file[member].as_str().expect("text").to_owned();
    // Both documents have one signer: without the chain of one there must not be that of the other.
    let chains = ["pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"];
    let signer = wanted("tcb_info_issuer_chain");
    for member in chains.into_iter().filter(|member| signer || *member == "pck_crl_issuer_chain") {
        for certificate in pem_chain(text(member).as_bytes()) {
            endorsements.add_certificate(certificate.der()).expect("certificate decodes");
        }
    }
    for member in ["root_ca_crl", "pck_crl"].into_iter().filter(|member| wanted(member)) {
        endorsements.add_crl(&hex(&text(member))).expect("list decodes");
    }
    for (kind, member) in [(DocumentKind::TcbInfo, "tcb_info"), (DocumentKind::QeIdentity, "qe_identity")] {
        if wanted(member) {
            endorsements.add_document(kind, &document(&file, member)).expect("document decodes");
        }
    }
    endorsements
}

fn collateral(vectors: &Path, name: &str) -> serde_json::Value {
    let text = read(&vectors.join("intel-collateral").join(format!("{name}.json")));
    serde_json::from_slice(&text).expect("JSON")
}

/// A document as the PCS answers it.
fn document(file: &serde_json::Value, member: &str) -> Vec<u8> {
    let text = |member: &str| file[member].as_str().expect("text").to_owned();
    let key = if member == "tcb_info" { "tcbInfo" } else { "enclaveIdentity" };
    let signature = text(&format!("{member}_signature"));
    format!("{{\"{key}\":{},\"signature\":\"{signature}\"}}", text(member)).into_bytes()
}

fn pem_chain(text: &[u8]) -> Vec<Certificate> {
    attest::dcap::pem::chain(text, 8).expect("PEM decodes")
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}
