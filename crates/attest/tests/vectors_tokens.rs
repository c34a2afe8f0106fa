//! Genuine evidence of Arm CCA, AWS Nitro and Azure's virtual TPM, judged at the time that its index names, and every
//! single-bit flip and truncation of it.
//!
//! The vectors are not part of the repository: `ENARX_VECTORS` names their folder, by default `shared/vectors` beside the
//! workspace. Without them the tests say so and pass.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use attest::appraise::appraise;
use attest::binding::Binding;
use attest::cca::keys;
use attest::endorsements::{DocumentKind, Endorsements};
use attest::evidence::Evidence;
use attest::memory::{Fact, Memory};
use attest::policy::Policy;
use attest::reason::{Reason, Rejection};
use attest::reference::ReferenceValues;
use attest::result::AttestationResult;
use attest::time::Time;

/// Revocation lists of the time are not among the vectors, and nothing is expected of the report data.
const NO_LISTS: &str = "[revocation]\nrequired = false\n[freshness]\nbinding_required = false\n";

struct Judge {
    endorsements: Endorsements,
    reference: ReferenceValues,
    policy: Policy,
    now: Time,
}

impl Judge {
    fn new(at: &str, policy: &str) -> Self {
        let endorsements = Endorsements::shipped().expect("shipped certificates decode");
        Self {
            endorsements: endorsements.remembering(std::sync::Arc::new(Everything::default())),
            reference: ReferenceValues::default(),
            policy: Policy::from_toml(policy).expect("policy is valid"),
            now: Time::from_rfc3339(at).expect("time is valid"),
        }
    }

    fn with_cca_keys(mut self, document: &[u8]) -> Self {
        self.endorsements.add_document(DocumentKind::CcaKeys, document).expect("keys fit");
        self
    }

    fn bound_to(mut self, bytes: &[u8]) -> Self {
        self.reference.binding = Some(Binding::Exact(bytes.into()));
        self
    }

    fn judge(&self, evidence: &[u8]) -> Result<AttestationResult, Rejection> {
        let evidence = Evidence::decode(evidence)?;
        appraise(&evidence, &self.endorsements, &self.reference, &self.policy, self.now)
    }

    fn accepts(&self, case: &str, evidence: &[u8]) -> AttestationResult {
        self.judge(evidence).unwrap_or_else(|rejection| panic!("{case}: {rejection}"))
    }

    fn refuses(&self, case: &str, evidence: &[u8], reason: Reason) {
        match self.judge(evidence) {
            Ok(_) => panic!("{case}: accepted, expected {reason}"),
            Err(rejection) => assert!(rejection.has(reason), "{case}: expected {reason}, found {rejection}"),
        }
    }

    /// Every single-bit flip and every truncation is refused with a reason.
    fn refuses_every_change(&self, case: &str, evidence: &[u8]) {
        self.accepts(case, evidence);
        let refused = |bytes: &[u8]| self.judge(bytes).is_err();
        each_bit(evidence, |bit, flipped| assert!(refused(flipped), "{case}: bit {bit}"));
        for length in 0..evidence.len() {
            assert!(refused(&evidence[..length]), "{case}: cut at {length}");
        }
        assert!(refused(&[evidence, &[0]].concat()), "{case}: a tail");
    }
}

#[test]
fn cca() {
    let Some(vectors) = vectors("cca") else { return };
    let anchors = |name: &str| read(&vectors.join("_trust-anchors").join(name));
    let token = |case: &str| read(&vectors.join(case).join("token.cbor"));
    let (tfa, good, bad) = (anchors("ta-tfa.json"), anchors("ta-02-ok.json"), anchors("ta-02-bad.json"));
    let named = test_keys(&[&tfa, &good, &bad]);
    let judge = |keys: &[u8]| Judge::new("2026-01-01T00:00:00Z", &named).with_cca_keys(keys);
    for (case, keys) in [
        ("tag399-legacy-tfrmm", &tfa),
        ("tag399-draft-ffm-00", &tfa),
        ("tag399-p256-platform", &good),
        ("tag907-realm-2.0", &tfa),
    ] {
        judge(keys).accepts(case, &token(case));
        judge(b"[]").refuses(case, &token(case), Reason::CcaKeyMissing);
        // A published test key is no vendor's, whoever configures it.
        let unnamed = Judge::new("2026-01-01T00:00:00Z", NO_LISTS).with_cca_keys(keys);
        unnamed.refuses(case, &token(case), Reason::TrustSimulated);
    }
    let case = "tag399-p256-platform";
    judge(&bad).refuses(case, &token(case), Reason::CcaPlatformSignature);
    let case = "NEG-binding-mismatch";
    judge(&tfa).refuses(case, &token(case), Reason::CcaBinding);
}

#[test]
fn cca_every_change_is_refused() {
    let Some(vectors) = vectors("cca") else { return };
    let keys = read(&vectors.join("_trust-anchors/ta-tfa.json"));
    let judge = Judge::new("2026-01-01T00:00:00Z", &test_keys(&[&keys])).with_cca_keys(&keys);
    for case in ["tag399-legacy-tfrmm", "tag907-realm-2.0"] {
        judge.refuses_every_change(case, &read(&vectors.join(case).join("token.cbor")));
    }
}

#[test]
fn nitro() {
    let Some(vectors) = vectors("nitro") else { return };
    for (case, at, expected) in [
        ("dstack-2025-12", "2025-12-25T13:15:37Z", None),
        ("dstack-2025-12-DEBUG", "2025-12-25T08:20:46Z", Some(Reason::DebugEnabled)),
        ("anjuna-2021-prod", "2021-03-17T22:01:55Z", None),
        ("anjuna-2021-publickey", "2021-03-24T16:10:41Z", None),
        ("nautilus-2025-04", "2025-04-15T02:25:23Z", None),
        ("evervault-2022-10", "2022-10-13T08:58:02Z", None),
        ("evervault-2022-10-DEBUG", "2022-10-12T13:50:06Z", Some(Reason::DebugEnabled)),
        ("veracruz-2022-11", "2022-11-09T22:52:00Z", None),
        ("NEG-veracruz-bad-signature", "2022-11-09T22:52:00Z", Some(Reason::NitroSignature)),
    ] {
        let document = read(&vectors.join(case).join("document.cbor"));
        let judge = Judge::new(at, NO_LISTS);
        match expected {
            None => drop(judge.accepts(case, &document)),
            Some(reason) => judge.refuses(case, &document, reason),
        }
        if expected == Some(Reason::DebugEnabled) {
            let debug = Judge::new(at, &format!("{NO_LISTS}[accept]\ndebug = true\n"));
            debug.accepts(case, &document);
        }
        // Outside the three hours of its certificate.
        let later = Judge { now: Time(judge.now.0 + 3 * 3600 + 60), ..Judge::new(at, NO_LISTS) };
        later.refuses(case, &document, Reason::ChainValidity);
        let earlier = Judge { now: Time(judge.now.0 - 3600), ..Judge::new(at, NO_LISTS) };
        earlier.refuses(case, &document, Reason::ChainValidity);
        let late = Judge { now: Time(judge.now.0 + 600), ..Judge::new(at, NO_LISTS) };
        late.refuses(case, &document, Reason::NitroAge);
        let listed = Judge::new(at, "[freshness]\nbinding_required = false\n");
        listed.refuses(case, &document, Reason::CrlMissing);
    }
}

#[test]
fn nitro_every_change_is_refused() {
    let Some(vectors) = vectors("nitro") else { return };
    let document = read(&vectors.join("dstack-2025-12/document.cbor"));
    Judge::new("2025-12-25T13:15:37Z", NO_LISTS).refuses_every_change("dstack-2025-12", &document);
}

#[test]
fn azure_snp() {
    let Some(vectors) = vectors("azure-vtpm") else { return };
    let judge = |binding: &[u8]| Judge::new("2025-06-01T00:00:00Z", NO_LISTS).bound_to(binding);
    for name in ["evidence-v0.json", "evidence-v1.json"] {
        let evidence = read(&vectors.join("snp-milan-evidence-v0-v1").join(name));
        judge(b"challenge").accepts(name, &evidence);
        judge(b"another").refuses(name, &evidence, Reason::BindingMismatch);
        let early = Judge::new("2020-01-01T00:00:00Z", NO_LISTS);
        early.refuses(name, &evidence, Reason::ChainValidity);
        let certified =
            Judge::new("2025-06-01T00:00:00Z", &format!("{NO_LISTS}[vtpm]\ncertificate_required = true\n"));
        certified.refuses(name, &evidence, Reason::VtpmKey);
    }
    let evidence = read(&vectors.join("snp-milan-evidence-v2-userdata/evidence-v2.json"));
    let result = Judge::new("2025-06-01T00:00:00Z", NO_LISTS).accepts("v2", &evidence);
    assert_eq!(result.claims().report_data.len(), 48);
    // What has no quote is a copy of a report until a policy says that this is enough; and it is of another chip.
    let bare = read(&vectors.join("kinvolk-hcl-reports/hcl-report-snp.bin"));
    let mut other = Judge::new("2023-06-01T00:00:00Z", NO_LISTS);
    let chain = String::from_utf8(read(&vectors.join("kinvolk-hcl-reports/certs.pem"))).expect("PEM is text");
    for block in attest::pem::decode(chain.as_bytes()).expect("PEM") {
        other.endorsements.add_certificate(&block.bytes).expect("decodes");
    }
    other.refuses("kinvolk", &bare, Reason::VtpmQuoteMissing);
    other.refuses("kinvolk", &bare, Reason::SnpReportSignature);
    other.refuses("kinvolk", &bare, Reason::SnpVekHwid);
}

#[test]
fn azure_snp_every_change_is_refused() {
    let Some(vectors) = vectors("azure-vtpm") else { return };
    let judge = Judge::new("2025-06-01T00:00:00Z", NO_LISTS);
    let evidence = read(&vectors.join("snp-milan-evidence-v2-userdata/evidence-v2.json"));
    judge.refuses_every_change("v2", &evidence);
}

fn each_bit(bytes: &[u8], check: impl Fn(usize, &[u8]) + Sync) {
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

/// A policy that names the published test keys, as for an emulator.
fn test_keys(documents: &[&[u8]]) -> String {
    let keys = documents.iter().flat_map(|document| keys::decode(document).expect("keys decode"));
    let digests: Vec<_> = keys.map(|key| format!("\"{}\"", hex(&key.digest()))).collect();
    format!("{NO_LISTS}[accept]\ndevelopment_roots = [{}]\n", digests.join(", "))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
struct Everything(Mutex<BTreeSet<Fact>>);

impl Memory for Everything {
    fn recall(&self, fact: &Fact) -> bool {
        self.0.lock().expect("not poisoned").contains(fact)
    }

    fn remember(&self, fact: Fact) {
        self.0.lock().expect("not poisoned").insert(fact);
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test reads its environment and says what it skips"
)]
fn vectors(tee: &str) -> Option<PathBuf> {
    let folder = match std::env::var("ENARX_VECTORS") {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
    };
    let folder = folder.join(tee);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no vectors at {}", folder.display());
    None
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
