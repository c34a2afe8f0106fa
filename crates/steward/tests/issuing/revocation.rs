//! Revocation lists and OCSP answers, as openssl reads them.

use std::sync::Arc;

use attest::roots::Grade as Root;
use attest::time::{Time, Window};
use attest::x509::crl::Crl;
use steward::ca::directory::to_pem;
use steward::ca::key::MemoryKey;
use steward::ca::{Authority, Curve};
use steward::issue::{Grade, Issued};
use steward::revocation::crl;
use steward::revocation::ocsp::{Failure, Question, Responder, Status};
use steward::revocation::{Cause, Revocation, Revocations, Subject};

use crate::keep::{Keep, profile};
use crate::tools::{Desk, authority, pems, serial, time};

/// Lists and answers are of now: openssl judges OCSP by its own clock.
fn window() -> Window {
    let now = now();
    Window { from: Time(now.0 - 60), to: Time(now.0 + 3600) }
}

#[expect(clippy::disallowed_methods, reason = "openssl ocsp knows no other time than the machine's")]
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(since.expect("after 1970").as_secs())
}

fn issued(curve: Curve) -> (Authority, Issued) {
    let authority = authority(Grade::Production, curve);
    let (keep, court) = Keep::snp(Root::Vendor, |_, _| {});
    let issued = keep.ask(&court, &profile(Grade::Production), &authority).expect("issued");
    (authority, issued)
}

const REVOKED: Revocation = Revocation { at: Time(1_780_000_000), cause: Cause::KeyCompromise };

#[test]
fn openssl_reads_the_list_and_finds_what_is_revoked() {
    let Some(openssl) = Desk::new("openssl") else { return };
    for curve in [Curve::P256, Curve::P384] {
        let (authority, issued) = issued(curve);
        let (intermediates, root) = pems(&authority);
        openssl.write("leaf.pem", to_pem(&[&issued.certificate])).write("root.pem", root);
        openssl.write("issuing.pem", &intermediates);
        let at = time(crate::snp::NOW);
        let validity = Window { from: Time(at.0 - 60), to: Time(at.0 + 3600) };
        for (number, entries) in [(1, vec![]), (u64::MAX, vec![(&issued.serial, &REVOKED)])] {
            let revoked = !entries.is_empty();
            let list = crl::sign(&authority, entries, number, validity).expect("signs");
            let read = Crl::decode(&list).expect("decodes");
            assert_eq!(read.window(), validity);
            openssl.write("list.der", &list);
            let text =
                openssl.run(&["crl", "-inform", "DER", "-in", "list.der", "-CAfile", "issuing.pem", "-text"]);
            assert!(text.contains("verify OK"), "{text}");
            assert!(text.contains(&format!("CRL Number: \n                {number}")), "{text}");
            assert_eq!(text.contains("Key Compromise"), revoked, "{text}");
            openssl.run(&["crl", "-inform", "DER", "-in", "list.der", "-out", "list.pem"]);
            let (holds, text) = openssl.try_run(&[
                "verify",
                "-x509_strict",
                "-crl_check",
                "-CRLfile",
                "list.pem",
                "-attime",
                &at.0.to_string(),
                "-CAfile",
                "root.pem",
                "-untrusted",
                "issuing.pem",
                "leaf.pem",
            ]);
            assert_eq!(holds, !revoked, "{text}");
            assert_eq!(text.contains("certificate revoked"), revoked, "{text}");
        }
    }
}

#[test]
fn openssl_asks_and_believes_the_answer() {
    let Some(openssl) = Desk::new("openssl") else { return };
    for curve in [Curve::P256, Curve::P384] {
        let (authority, issued) = issued(curve);
        let (intermediates, root) = pems(&authority);
        openssl.write("leaf.pem", to_pem(&[&issued.certificate])).write("root.pem", root);
        openssl.write("issuing.pem", intermediates);
        let key = Arc::new(MemoryKey::generate(Curve::P256).expect("a key"));
        let delegated = Responder::delegated(authority.clone(), key, window(), &serial(9)).expect("signs");
        for responder in [Responder::direct(authority), delegated] {
            for hash in ["-sha1", "-sha256"] {
                let statuses = [
                    (Status::Good, "good"),
                    (Status::Revoked(REVOKED), "revoked"),
                    (Status::Unknown, "unknown"),
                ];
                for (status, word) in statuses {
                    ask(&openssl, &responder, hash, status, word);
                }
            }
        }
    }
}

fn ask(openssl: &Desk, responder: &Responder, hash: &str, status: Status, word: &str) {
    openssl.run(&["ocsp", hash, "-issuer", "issuing.pem", "-cert", "leaf.pem", "-reqout", "question.der"]);
    let der = openssl.read("question.der");
    let question = Question::decode(&der).expect("decodes");
    assert!(!question.is_cacheable(), "openssl sends a nonce");
    let path = attest::base64::encode(&der).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    assert_eq!(Question::decode_path(&path), Ok(question.clone()));
    let answer = responder.answer(&question, window(), |_| status).expect("signs");
    openssl.write("answer.der", &answer);
    let text = openssl.run(&[
        "ocsp",
        hash,
        "-no_nonce",
        "-issuer",
        "issuing.pem",
        "-cert",
        "leaf.pem",
        "-respin",
        "answer.der",
        "-CAfile",
        "root.pem",
        "-verify_other",
        "issuing.pem",
        "-reqin",
        "question.der",
    ]);
    assert!(text.contains("Response verify OK"), "{text}");
    assert!(text.contains(&format!("leaf.pem: {word}")), "{word}: {text}");
    assert_eq!(text.contains("Reason: keyCompromise"), word == "revoked", "{text}");
    assert!(!text.contains("WARNING: no nonce"), "{text}");
}

/// The profiles of RFC 5280 and RFC 6960, by pkilint.
#[test]
fn a_linter_finds_nothing() {
    let Some(openssl) = Desk::new("openssl") else { return };
    let (authority, issued) = issued(Curve::P384);
    let (intermediates, _) = pems(&authority);
    openssl.write("leaf.pem", to_pem(&[&issued.certificate])).write("issuing.pem", intermediates);
    openssl.run(&["ocsp", "-issuer", "issuing.pem", "-cert", "leaf.pem", "-reqout", "question.der"]);
    let question = Question::decode(&openssl.read("question.der")).expect("decodes");
    let key = Arc::new(MemoryKey::generate(Curve::P256).expect("a key"));
    let delegated = Responder::delegated(authority.clone(), key, window(), &serial(9)).expect("signs");
    if let Some(lint) = Desk::new("lint_ocsp_response") {
        for status in [Status::Good, Status::Revoked(REVOKED), Status::Unknown] {
            lint.write("answer.der", delegated.answer(&question, window(), |_| status).expect("signs"));
            assert_eq!(lint.run(&["lint", "-s", "NOTICE", "answer.der"]).trim(), "", "{status:?}");
        }
    }
    if let Some(lint) = Desk::new("lint_crl") {
        for entries in [vec![], vec![(&issued.serial, &REVOKED)]] {
            let list = crl::sign(&authority, entries, 3, window()).expect("signs");
            lint.write("list.pem", attest::pem::encode("X509 CRL", &list));
            assert_eq!(lint.run(&["lint", "-t", "CRL", "-p", "PKIX", "-s", "NOTICE", "list.pem"]).trim(), "");
        }
    }
}

#[test]
fn questions_for_others_and_garbage_are_refused_unsigned() {
    let Some(openssl) = Desk::new("openssl") else { return };
    let (authority, issued) = issued(Curve::P256);
    let (intermediates, _) = pems(&authority);
    openssl.write("leaf.pem", to_pem(&[&issued.certificate])).write("issuing.pem", intermediates);
    openssl.run(&[
        "ocsp",
        "-no_nonce",
        "-issuer",
        "issuing.pem",
        "-cert",
        "leaf.pem",
        "-reqout",
        "question.der",
    ]);
    let der = openssl.read("question.der");
    let question = Question::decode(&der).expect("decodes");
    assert!(question.is_cacheable());
    assert_eq!(question.serials().collect::<Vec<_>>(), [&issued.serial]);
    let other = Responder::direct(self::authority(Grade::Production, Curve::P256));
    let answer = other.answer(&question, window(), |_| Status::Good).expect("no signature");
    assert_eq!(answer, Failure::Unauthorized.to_answer());
    for length in 0..der.len() {
        assert_eq!(Question::decode(&der[..length]), Err(Failure::MalformedRequest), "cut at {length}");
    }
    assert_eq!(Question::decode(&[der, vec![0]].concat()), Err(Failure::MalformedRequest));
    assert_eq!(Question::decode_path("%%%"), Err(Failure::MalformedRequest));
    openssl.write("answer.der", Failure::TryLater.to_answer());
    let (_, text) = openssl.try_run(&["ocsp", "-respin", "answer.der", "-noverify"]);
    assert!(text.contains("trylater"), "{text}");
}

#[test]
fn the_earliest_revocation_of_a_certificate_counts() {
    let (_, issued) = issued(Curve::P256);
    let at = |seconds| Revocation { at: Time(seconds), cause: Cause::Superseded };
    let mut revocations = Revocations::default();
    let find = |revocations: &Revocations| {
        revocations
            .of_certificate(&issued.serial, issued.workload.as_deref(), Some(&[1]))
            .map(|found| found.at.0)
    };
    assert_eq!(find(&revocations), None);
    revocations.add(Subject::Chip(vec![1]), at(30));
    assert_eq!(find(&revocations), Some(30));
    revocations.add(Subject::Serial(issued.serial.clone()), at(20));
    revocations.add(Subject::Serial(issued.serial.clone()), at(40));
    assert_eq!(find(&revocations), Some(20));
    revocations.add(Subject::Workload(crate::keep::WORKLOAD.to_vec()), at(10));
    assert_eq!(find(&revocations), Some(10));
}
