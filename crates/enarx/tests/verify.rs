//! `enarx verify` and `enarx platform endorsements` as their users see them: what is printed, and the exit code of each
//! class of failure.
#![expect(clippy::unwrap_used, reason = "what helpers of tests cannot do fails the test")]

#[expect(dead_code, reason = "other users read files")]
#[path = "../../attest/tests/support/vectors.rs"]
mod vectors;

use attest::binding::KeepClaims;
use attest::carrier::bundle::{self, Kind};
use attest::carrier::csr;
use attest::crypto::{Scheme, sha384};
use attest::pem;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Accepts what nobody vouches for, if it is bound to a key.
const UNATTESTED: &str = "[accept]\nunattested = true\n";
/// Lists of the time are not among the vectors, and nothing is expected of the report data.
const NO_LISTS: &str = "[revocation]\nrequired = false\n[freshness]\nbinding_required = false\n";

#[test]
fn a_request_is_judged_by_policy_key_and_nonce() {
    let (directory, spki) = unattested();
    let path = directory.path();
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let (found, text) = enarx(path, &[&["verify", "keep.csr"], arguments].concat());
        assert_eq!(found, code, "{arguments:?}: {text}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
    };
    check(&["--policy", "accept.toml"], 0, "keep.csr: PEM, PKCS#10 request, attestation bundle: unattested");
    check(&[], 15, "trust.unattested");
    check(&["--policy", "accept.toml", "--nonce", &"06".repeat(32)], 0, "accepted");
    check(&["--policy", "accept.toml", "--nonce", &"07".repeat(32)], 16, "nonce.missing");
    std::fs::write(path.join("key.der"), &spki).unwrap();
    check(&["--policy", "accept.toml", "--key", "key.der"], 0, "accepted");
    std::fs::write(path.join("other.pem"), pem::encode("PUBLIC KEY", &key().1)).unwrap();
    check(&["--policy", "accept.toml", "--key", "other.pem"], 10, "binding.mismatch");
    check(&["--policy", "accept.toml", "--explain"], 0, "\nheld:\n");
    check(&["--policy", "missing.toml"], 1, "missing.toml");
    check(&["--policy", "keep.csr"], 1, "is no policy");
    check(&["--at", "yesterday"], 1, "expected YYYY-MM-DDTHH:MM:SSZ");
    check(&["--key", "accept.toml"], 1, "is no public key or certificate");
    check(&["--endorsements", "missing"], 1, "missing");
}

#[test]
fn verdicts_are_data() {
    let (directory, _) = unattested();
    let arguments = ["verify", "keep.csr", "--policy", "accept.toml", "--json", "--at", "1795227603"];
    let (code, text) = enarx(directory.path(), &arguments);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &json["schema"]), (0, &1.into()));
    let verdict = &json["verdicts"][0];
    assert_eq!(verdict["accepted"], true);
    assert_eq!(verdict["result"]["iat"], 1_795_227_603);
    assert_eq!(verdict["result"]["submods"]["unattested"]["ear_status"], "none");
    let (code, text) = enarx(directory.path(), &["verify", "keep.csr", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let verdict = &json["verdicts"][0];
    assert_eq!((code, &verdict["exit_code"], &verdict["accepted"]), (15, &15.into(), &false.into()));
    let checks = verdict["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["reason"] == "trust.unattested"), "{text}");
}

#[test]
fn what_is_no_evidence_is_refused() {
    let (directory, _) = unattested();
    let path = directory.path();
    let mut request = std::fs::read(path.join("keep.csr")).unwrap();
    let half = request.len() / 2;
    std::fs::write(path.join("half"), &request[..half]).unwrap();
    let at = half + request[half..].iter().position(u8::is_ascii_lowercase).unwrap();
    request[at] = if request[at] == b'a' { b'b' } else { b'a' };
    std::fs::write(path.join("changed"), &request).unwrap();
    std::fs::write(path.join("words"), "no evidence at all!").unwrap();
    std::fs::write(path.join("empty"), "").unwrap();
    std::fs::write(path.join("root.der"), intel_root()).unwrap();
    for (file, code) in
        [("half", 10), ("changed", 10), ("words", 1), ("empty", 1), ("missing", 1), ("root.der", 1)]
    {
        let (found, text) = enarx(path, &["verify", file]);
        assert_eq!(found, code, "{file}: {text}");
    }
    std::fs::create_dir(path.join("report0")).unwrap();
    assert_eq!(enarx(path, &["verify", "report0"]).0, 10);
}

#[test]
fn endorsements_are_fetched_shown_and_carried_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let url = service(vec![pem::encode("CERTIFICATE", &intel_root()).into_bytes(); 1]);
    let endorsements = |arguments: &[&str]| enarx(path, &[&["platform", "endorsements"], arguments].concat());
    let (code, text) = endorsements(&["fetch", "--line", "milan", "--kds", &url]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("fetched  vcek-milan-cert_chain.pem"), "{text}");
    assert!(text.contains("missing  vcek-milan-crl.crl"), "{text}");
    let (code, text) = endorsements(&["show"]);
    assert_eq!(code, 0);
    assert!(text.starts_with("fresh    vcek-milan-cert_chain.pem  fetched 20"), "{text}");
    assert_eq!(endorsements(&["export", "out"]).0, 0);
    let (code, _) = endorsements(&["--dir", "elsewhere", "import", "out"]);
    assert_eq!(code, 0);
    let (code, text) = endorsements(&["show", "--json", "--dir", "elsewhere"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &json["endorsements"][0]["kind"]), (0, &"chain".into()));
    let (code, text) = endorsements(&["fetch"]);
    assert_eq!(code, 1);
    assert!(text.contains("nothing to fetch"), "{text}");
}

#[test]
fn genuine_evidence_of_the_vectors() {
    let Some(vectors) = vectors::folder("") else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("lists.toml"), NO_LISTS).unwrap();
    let denied = "hash_blacklist = [\"ff717ae719840c93c1fca3b7db96488454c3c21b43531488eecff51cfed3febcd91da8be87a4cbcbc52a3bae770987c3\"]\n";
    std::fs::write(path.join("denied.toml"), format!("{NO_LISTS}[snp]\n{denied}")).unwrap();
    std::fs::write(
        path.join("newer.toml"),
        format!("{NO_LISTS}[snp.products.milan]\nminimum_tcb = {{ microcode = 200 }}\n"),
    )
    .unwrap();
    let check = |files: &[&str], rest: &[&str], code: i32, expected: &str| {
        let files: Vec<String> = files.iter().map(|file| vectors.join(file).display().to_string()).collect();
        let files = files.iter().map(String::as_str).collect::<Vec<_>>();
        let (found, text) = enarx(path, &[&["verify"], files.as_slice(), rest].concat());
        assert_eq!(found, code, "{files:?} {rest:?}: {text}");
        assert!(text.contains(expected), "{files:?} {rest:?}: {text}");
    };
    let report = ["snp/milan-v2-steward-csr/report.bin", "snp/milan-v2-steward-csr/vcek.der"];
    let then = "2022-12-01T00:00:00Z";
    check(&report, &["--policy", "lists.toml", "--at", then], 0, "report.bin: AMD SEV-SNP\naccepted");
    check(&report, &["--policy", "lists.toml", "--at", "2020-12-01T00:00:00Z"], 14, "chain.validity");
    check(&report, &["--policy", "denied.toml", "--at", then], 11, "measurement.denied");
    check(&report, &["--policy", "newer.toml", "--at", then], 12, "snp.tcb.minimum");
    check(&report[..1], &["--policy", "lists.toml", "--at", then], 14, "snp.vek.missing");
    let other = ["snp/milan-v2-steward-csr/report.bin", "snp/milan-v2-virtee/vcek.der"];
    check(&other, &["--policy", "lists.toml", "--at", "2023-05-01T00:00:00Z"], 10, "snp.report.signature");
    let tsm = ["snp/genoa-v3-configfs-tsm/sevsnp-tsm-report.json"];
    check(
        &tsm,
        &["--policy", "lists.toml", "--at", "2026-01-01T11:19:36Z"],
        0,
        "configfs-tsm report: AMD SEV-SNP",
    );
}

/// Runs `enarx` in a directory, with an environment of its own; tells its exit code and all that it printed.
fn enarx(directory: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enarx"));
    command.args(arguments).current_dir(directory).env_clear().env("HOME", directory);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// A directory with the request of a keep that nobody vouches for, and a policy for it; and the keep's key.
fn unattested() -> (tempfile::TempDir, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let (pair, spki) = key();
    let spki_digest = sha384(&spki);
    let nonce = Some(vec![6; 32]);
    let claims = KeepClaims { spki_digest, workload: vec![5; 48], slug: None, nonce, lifetime: 3600 };
    let info = csr::encode_info(&spki, &bundle::encode_keep(Kind::Unattested, &[], &claims, &[]));
    let signature = pair.sign(&SystemRandom::new(), &info).unwrap();
    let request = csr::encode(&info, Scheme::EcdsaP256Sha256, signature.as_ref()).unwrap();
    std::fs::write(directory.path().join("keep.csr"), pem::encode("CERTIFICATE REQUEST", &request)).unwrap();
    std::fs::write(directory.path().join("accept.toml"), UNATTESTED).unwrap();
    (directory, spki)
}

fn key() -> (EcdsaKeyPair, Vec<u8>) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let spki = spki.as_ref().to_vec();
    (pair, spki)
}

/// Gives each connection the next answer, and 404 when there are no more.
fn service(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut answers = answers.into_iter();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 2048];
            let _ = stream.read(&mut request);
            let (status, body) = answers.next().map_or((404, Vec::new()), |body| (200, body));
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}

fn intel_root() -> Vec<u8> {
    include_bytes!("../../attest/src/roots/intel-sgx-root.der").to_vec()
}
