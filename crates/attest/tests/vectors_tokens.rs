//! Genuine tokens of Arm CCA and documents of AWS Nitro, judged at the time that their index names, and every single-bit
//! flip and truncation of some.

#[path = "tokens/judge.rs"]
mod judge;
#[path = "support/vectors.rs"]
mod vectors;

use attest::cca::keys;
use attest::endorsements::DocumentKind;
use attest::reason::Reason;
use attest::time::Time;

use self::judge::{Judge, NO_LISTS};
use self::vectors::{folder, read};

#[test]
fn cca() {
    let Some(vectors) = folder("cca") else { return };
    let anchors = |name: &str| read(&vectors.join("_trust-anchors").join(name));
    let token = |case: &str| read(&vectors.join(case).join("token.cbor"));
    let (tfa, good, bad) = (anchors("ta-tfa.json"), anchors("ta-02-ok.json"), anchors("ta-02-bad.json"));
    let named = test_keys(&[&tfa, &good, &bad]);
    let judge = |keys: &[u8]| with_keys("2026-01-01T00:00:00Z", &named, keys);
    for (case, keys) in [
        ("tag399-legacy-tfrmm", &tfa),
        ("tag399-draft-ffm-00", &tfa),
        ("tag399-p256-platform", &good),
        ("tag907-realm-2.0", &tfa),
    ] {
        judge(keys).accepts(case, &token(case));
        judge(b"[]").refuses(case, &token(case), Reason::CcaKeyMissing);
        // A published test key is no vendor's, whoever configures it.
        let unnamed = with_keys("2026-01-01T00:00:00Z", NO_LISTS, keys);
        unnamed.refuses(case, &token(case), Reason::TrustSimulated);
    }
    let legacy = token("tag399-legacy-tfrmm");
    judge(&tfa).bound_to(&[0xAB; 64]).accepts("its challenge", &legacy);
    judge(&tfa).bound_to(&[0xAC; 64]).refuses("another challenge", &legacy, Reason::BindingMismatch);
    let case = "tag399-p256-platform";
    judge(&bad).refuses(case, &token(case), Reason::CcaPlatformSignature);
    let case = "NEG-binding-mismatch";
    judge(&tfa).refuses(case, &token(case), Reason::CcaBinding);
}

#[test]
fn cca_every_change_is_refused() {
    let Some(vectors) = folder("cca") else { return };
    let keys = read(&vectors.join("_trust-anchors/ta-tfa.json"));
    let judge = with_keys("2026-01-01T00:00:00Z", &test_keys(&[&keys]), &keys);
    for case in ["tag399-legacy-tfrmm", "tag907-realm-2.0"] {
        judge.refuses_every_change(case, &read(&vectors.join(case).join("token.cbor")));
    }
}

#[test]
fn nitro() {
    let Some(vectors) = folder("nitro") else { return };
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
    let Some(vectors) = folder("nitro") else { return };
    let document = read(&vectors.join("dstack-2025-12/document.cbor"));
    Judge::new("2025-12-25T13:15:37Z", NO_LISTS).refuses_every_change("dstack-2025-12", &document);
}

fn with_keys(at: &str, policy: &str, document: &[u8]) -> Judge {
    let mut judge = Judge::new(at, policy);
    judge.endorsements.add_document(DocumentKind::CcaKeys, document).expect("keys fit");
    judge
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
