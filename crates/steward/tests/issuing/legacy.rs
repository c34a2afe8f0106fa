//! Requests of old keeps: as they were recorded, judged at a time of theirs, and what breaks in them.

use std::path::{Path, PathBuf};

use attest::carrier::ra_tls::OID_ENARX;
use attest::der::{Reader, element, sequence, tag};
use attest::endorsements::Endorsements;
use attest::policy::Policy;
use attest::reason::Reason;
use attest::roots::Grade as Root;
use attest::x509::certificate::Certificate;
use steward::ca::{Curve, Signer};
use steward::certify::{bundle_answer, pki_path};
use steward::issue::Grade;
use steward::refusal::Refusal;
use steward::request::{MAX_BUNDLE, Request};

use crate::keep::{Court, Keep, profile, profile_of, sign_request};
use crate::snp::{KEYS, NOW, Scene};
use crate::tools::{Desk, authority, available, pems, time};

/// What the old Steward accepted, made explicit: keys alone, and platforms that Intel calls out of date.
const LEGACY: &str = "accept.legacy_enarx = true\nsgx.tcb.any_status = true\n";

#[test]
fn a_recorded_request_gets_a_certificate_at_its_time() {
    let Some(vectors) = vectors() else { return };
    let court = court("2022-12-01T00:00:00Z", LEGACY, None);
    issue(&vectors.join("snp/milan-v2-steward-csr/request.csr"), &court);
    let collateral = vectors.join("intel-collateral/SGX_00606a000000_20250815.json");
    let court = self::court("2025-08-30T05:09:06Z", LEGACY, Some(&collateral));
    issue(&vectors.join("sgx/steward-xeon-csr/request.csr"), &court);
}

/// Nobody recorded the quoting enclave's identity of 2023, which the old Steward did not ask for; nothing else is missing.
#[test]
fn what_the_old_steward_never_asked_for_is_the_only_thing_that_the_others_lack() {
    let Some(vectors) = vectors() else { return };
    let court = court("2023-02-01T12:00:00Z", LEGACY, None);
    for case in ["steward-xeon-csr", "steward-i5-csr"] {
        let request = read(&vectors.join("sgx").join(case).join("request.csr"));
        let refused =
            court.ask(&request, &profile(Grade::Production), &authority(Grade::Production, Curve::P256));
        let Err(Refusal::Evidence(rejection)) = refused else { panic!("{case}: {refused:?}") };
        let failed: Vec<Reason> = rejection.checks().failures().map(|check| check.reason).collect();
        assert_eq!(failed, [Reason::IntelCollateralMissing], "{case}");
    }
}

#[test]
fn recorded_requests_are_refused_under_other_circumstances() {
    let Some(vectors) = vectors() else { return };
    let request = read(&vectors.join("snp/milan-v2-steward-csr/request.csr"));
    let check = |now: &str, policy: &str, reason: Reason| {
        let asked = court(now, policy, None).ask(
            &request,
            &profile(Grade::Production),
            &authority(Grade::Production, Curve::P384),
        );
        match asked {
            Err(Refusal::Evidence(rejection)) => assert!(rejection.has(reason), "{rejection}"),
            other => panic!("expected {reason}, found {other:?}"),
        }
    };
    check("2022-12-01T00:00:00Z", "", Reason::BindingLegacy);
    check("2023-06-01T00:00:00Z", LEGACY, Reason::CrlStale);
    check("2021-01-01T00:00:00Z", LEGACY, Reason::ChainValidity);
    let signer = |digits: &str| format!("{LEGACY}[snp]\nsigner = [\"{digits}\"]\n");
    check("2022-12-01T00:00:00Z", &signer(&"00".repeat(48)), Reason::SnpAuthorKey);
}

/// Each thing that is taken from the evidence, or broken in it, has a reason of its own.
#[test]
fn every_broken_part_has_its_reason() {
    type Row = (&'static str, fn(&mut Scene), Reason);
    let rows: &[Row] = &[
        ("root not pinned", |scene| scene.anchored = false, Reason::ChainAnchor),
        ("VCEK by another key", |scene| scene.leaf().forged = true, Reason::ChainSignature),
        (
            "VCEK expired",
            |scene| scene.leaf().dates = ["220101000000Z", "230101000000Z"],
            Reason::ChainValidity,
        ),
        ("intermediate is no CA", |scene| scene.ask.ca = false, Reason::ChainConstraints),
        ("list withheld", |scene| scene.lists.clear(), Reason::CrlMissing),
        ("list by another key", |scene| scene.lists[0].forged = true, Reason::CrlSignature),
        ("lists outdated", outdate, Reason::CrlStale),
        ("intermediate revoked", |scene| scene.lists[0].serials = vec![scene.ask.serial], Reason::CrlRevoked),
        ("report flipped", |scene| scene.flips.push((0x95, 1)), Reason::SnpReportSignature),
        ("reserved bytes", |scene| scene.write(0x4C, &[1]), Reason::SnpReportReserved),
        ("other firmware", |scene| scene.leaf().set(&[3, 8], vec![2, 1, 1]), Reason::SnpVekTcb),
        ("other chip", |scene| scene.leaf().set(&[4], vec![1; 64]), Reason::SnpVekHwid),
        ("other product", |scene| scene.write(0x188, &[0x19, 0x01, 1]), Reason::SnpProduct),
        ("debugging", |scene| scene.write(0x0A, &[0x0B]), Reason::DebugEnabled),
        ("migration", |scene| scene.write(0x0A, &[0x07]), Reason::SnpGuestPolicy),
        ("less privileged", |scene| scene.write(0x30, &[1]), Reason::SnpVmpl),
        ("other key", |scene| scene.write(0x50, &[1; 48]), Reason::BindingMismatch),
    ];
    for (name, change, reason) in rows {
        let asked = ask_legacy(change);
        match asked {
            Err(Refusal::Evidence(rejection)) => assert!(rejection.has(*reason), "{name}: {rejection}"),
            other => panic!("{name}: expected {reason}, found {other:?}"),
        }
    }
    ask_legacy(|_| {}).expect("nothing is broken");
}

fn outdate(scene: &mut Scene) {
    scene.lists.iter_mut().for_each(|list| list.dates = ["220101000000Z", "230101000000Z"]);
}

/// Asks with a request in the old form, whose evidence was changed before it was signed.
fn ask_legacy(change: impl FnOnce(&mut Scene)) -> Result<steward::issue::Issued, Refusal> {
    let (keep, _) = Keep::snp(Root::Vendor, |_, _| {});
    let mut scene = Scene::good();
    scene.write(0x50, &[attest::crypto::sha384(keep.key.spki()).as_slice(), &[0; 16]].concat());
    change(&mut scene);
    let root = scene.root(&KEYS);
    let mut endorsements = Endorsements::new(Vec::new());
    if scene.anchored {
        endorsements.add_anchor(attest::roots::Anchor { grade: Root::Vendor, ..crate::snp::anchor(&root) });
    }
    endorsements.add_certificate(&scene.ask.der(&KEYS.ask, &KEYS.ark)).expect("decodes");
    let crls: Vec<u8> =
        scene.lists.iter().flat_map(|list| entry(&list.der(&scene.ark.subject, &KEYS))).collect();
    let crls = sequence(&[&element(tag::SEQUENCE, &crls)]);
    let vcek = scene.leaf().der(&KEYS);
    let report = element(tag::OCTET_STRING, &scene.evidence(&KEYS));
    let value = sequence(&[&sequence(&[&vcek, &crls]), &report]);
    let request = sign_request(&keep.key, &info(keep.key.spki(), 3, &value));
    let policy = Policy::from_toml(&format!("{LEGACY}snp.guest_policy.bits.migration-agent = \"clear\""));
    let court = Court { policy: policy.expect("valid"), ..Court::new(endorsements, NOW) };
    court
        .ask(&request, &profile(Grade::Production), &authority(Grade::Production, Curve::P384))
        .map(|(_, issued)| issued)
}

fn entry(list: &[u8]) -> Vec<u8> {
    sequence(&[&element(tag::UTF8_STRING, b"https://kds.example/crl"), list])
}

/// A request with one extension of old Enarx, and a subject that nobody asked for.
fn info(spki: &[u8], kind: u8, value: &[u8]) -> Vec<u8> {
    let oid = element(tag::OID, &[OID_ENARX, &[1, kind]].concat());
    let wanted = sequence(&[&sequence(&[&oid, &element(tag::OCTET_STRING, value)])]);
    let oid = element(tag::OID, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 14]);
    let attributes = element(tag::context(0), &sequence(&[&oid, &element(tag::SET, &wanted)]));
    let name = element(tag::UTF8_STRING, b"www.bank.example");
    let name = sequence(&[&element(tag::OID, &[0x55, 4, 3]), &name]);
    let subject = sequence(&[&element(tag::SET, &name)]);
    sequence(&[&[2, 1, 0], &subject, spki, &attributes])
}

#[test]
fn the_subject_of_a_request_is_never_copied() {
    let keep = Keep::unattested();
    let request = sign_request(&keep.key, &info(keep.key.spki(), 1, b""));
    let policy = "accept.legacy_enarx = true\naccept.unattested = true\n";
    let court = court(NOW, policy, None);
    let lab = authority(Grade::Lab, Curve::P256);
    let (_, issued) = court.ask(&request, &profile(Grade::Lab), &lab).expect("issued by the lab");
    let certificate = Certificate::decode(&issued.certificate).expect("decodes");
    assert_eq!(certificate.subject(), [0x30, 0]);
    assert!(!issued.certificate.windows(4).any(|window| window == b"bank"));
    assert_eq!((issued.workload, issued.names.len()), (None, 1));
    assert!(issued.names[0].starts_with("spiffe://example.org/key/"), "{}", issued.names[0]);
    let production = authority(Grade::Production, Curve::P256);
    assert!(matches!(
        court.ask(&request, &profile(Grade::Production), &production),
        Err(Refusal::LabOnly { .. })
    ));
}

#[test]
fn bundles_are_decoded_whole_or_not_at_all() {
    let one = || {
        let keep = Keep::unattested();
        sign_request(&keep.key, &info(keep.key.spki(), 1, b""))
    };
    let requests = [one(), one()];
    let bundle = |requests: &[Vec<u8>]| element(tag::SEQUENCE, &requests.concat());
    assert_eq!(Request::decode_bundle(&bundle(&requests)).expect("decodes").len(), 2);
    assert_eq!(Request::decode_bundle(&bundle(&[])).expect("an empty one").len(), 0);
    let mut broken = requests.clone();
    let last = broken[1].len() - 1;
    broken[1][last] ^= 1;
    assert!(Request::decode_bundle(&bundle(&broken)).is_err());
    let tail = [bundle(&requests), vec![0]].concat();
    assert!(matches!(Request::decode_bundle(&tail), Err(Refusal::Malformed(_))));
    let many = bundle(&vec![one(); MAX_BUNDLE + 1]);
    assert!(matches!(Request::decode_bundle(&many), Err(Refusal::TooMany { .. })));
}

#[test]
fn answers_are_shaped_as_the_old_ones() {
    let authority = authority(Grade::Lab, Curve::P256);
    let path = pki_path(&authority, b"\x30\x00");
    let certificates = list(&path);
    assert_eq!(certificates.len(), 2, "the issuer, then the certificate; no root");
    assert_eq!(certificates[0], authority.issuing().der());
    let answer = bundle_answer(&authority, &[b"\x30\x00", b"\x30\x00"]);
    let mut item = Reader::new(&answer);
    let mut fields = item.sequence("answer").expect("a sequence");
    let chain = fields.expect("chain", tag::SEQUENCE).expect("there").whole;
    let issued = fields.expect("issued", tag::SEQUENCE).expect("there").whole;
    assert_eq!((list(chain).len(), list(issued).len()), (1, 2));
}

fn list(der: &[u8]) -> Vec<&[u8]> {
    let mut items = Reader::new(der).sequence("list").expect("a sequence");
    let mut found = Vec::new();
    while !items.is_empty() {
        found.push(items.any("item").expect("an item").whole);
    }
    found
}

/// Issues, and has openssl verify what an old client would verify.
fn issue(request: &Path, court: &Court) {
    let authority = authority(Grade::Production, Curve::P384);
    let profile = profile_of(Grade::Production, "dns = [\"keep.example\"]");
    let asked = court.ask(&read(request), &profile, &authority);
    let (_, issued) = asked.unwrap_or_else(|refused| panic!("{}: {refused}", request.display()));
    assert_eq!(issued.workload, None);
    let Some(openssl) = Desk::new("openssl") else { return };
    let (intermediates, root) = pems(&authority);
    openssl.write("leaf.der", &issued.certificate).write("chain.pem", intermediates).write("root.pem", root);
    openssl.run(&["x509", "-inform", "DER", "-in", "leaf.der", "-out", "leaf.pem"]);
    let at = court.now.0.to_string();
    for purpose in ["sslserver", "sslclient"] {
        openssl.run(&[
            "verify",
            "-x509_strict",
            "-attime",
            &at,
            "-purpose",
            purpose,
            "-verify_hostname",
            "keep.example",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "chain.pem",
            "leaf.pem",
        ]);
    }
}

fn court(now: &str, policy: &str, collateral: Option<&Path>) -> Court {
    let mut endorsements = Endorsements::shipped().expect("decodes");
    for item in collateral.map(|path| endorsement::file::read(path).expect("reads")).unwrap_or_default() {
        item.add_to(&mut endorsements).expect("decodes");
    }
    Court {
        policy: Policy::from_toml(policy).expect("valid"),
        now: time(now),
        ..Court::new(endorsements, now)
    }
}

#[expect(clippy::disallowed_methods, reason = "a test reads its environment")]
fn vectors() -> Option<PathBuf> {
    let folder = match std::env::var("ENARX_VECTORS") {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
    };
    available("vectors", folder.is_dir()).then_some(folder)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
