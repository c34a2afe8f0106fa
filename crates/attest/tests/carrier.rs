//! Carriers opened from end to end: synthetic requests and certificates, and the genuine ones of the vectors.

#[path = "support/vectors.rs"]
mod vectors;

use attest::appraise::appraise;
use attest::base64;
use attest::binding::KeepClaims;
use attest::carrier::bundle::{self, Bundle, Kind, Statement};
use attest::carrier::cert_table::{CertTable, Entry};
use attest::carrier::cmw::{Cmw, Collection, Label, Record, Type};
use attest::carrier::{Carrier, Submission, cmw, csr, ra_tls};
use attest::crypto::{Scheme, sha256, sha384};
use attest::der::{self, tag};
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::pem;
use attest::policy::Policy;
use attest::reason::{Reason, Rejection};
use attest::reference::ReferenceValues;
use attest::time::Time;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
};

use self::vectors::{folder, read};

#[test]
fn a_keep_s_request_is_opened_and_judged() {
    let key = Key::p256();
    let claims = key.claims();
    let bundle = bundle::encode_keep(Kind::Unattested, &[], &claims, &[]);
    let request = key.request(&bundle);
    for form in [request.clone(), pem::encode("CERTIFICATE REQUEST", &request).into_bytes()] {
        let submission = Submission::open(&form).expect("opens");
        assert_eq!(submission.spki.as_deref(), Some(key.spki.as_slice()));
        assert_eq!(submission.keep_claims, Some(claims.clone()));
        assert!(submission.describe().ends_with("PKCS#10 request, attestation bundle: unattested"));
        let reference = ReferenceValues { binding: submission.binding(true), ..ReferenceValues::default() };
        let policy = Policy::from_toml("[accept]\nunattested = true\n").expect("valid");
        let base = Endorsements::shipped().expect("shipped certificates decode");
        let endorsements = submission.endorse(&base).expect("nothing was carried");
        let result = appraise(&submission.evidence[0], &endorsements, &reference, &policy, Time(1));
        assert_eq!(result.expect("accepted").trust().as_str(), "unattested");
    }
    cuts_and_flips(&request);
}

#[test]
fn requests_that_lie_are_refused() {
    let (key, other) = (Key::p256(), Key::p256());
    let unattested = |claims: &KeepClaims| bundle::encode_keep(Kind::Unattested, &[], claims, &[]);
    refused(&key.request(&unattested(&other.claims())), Reason::CarrierKey);
    let large = Key::p384();
    refused(&large.request(&unattested(&large.claims())), Reason::CarrierKey);
    let mut forged = key.request(&unattested(&key.claims()));
    let last = forged.len() - 1;
    forged[last] ^= 1;
    refused(&forged, Reason::CarrierSignature);
    let claims = key.claims().encode();
    let claims = Statement { kind: Kind::KeepClaims, contents: &claims };
    let statements =
        |list: &[Statement<'_>]| Bundle { statements: list.to_vec(), certificates: Vec::new() }.encode();
    refused(&key.request(&statements(&[claims])), Reason::CarrierEmpty);
    refused(&key.request(&statements(&[claims, claims])), Reason::CarrierMalformed);
    let words = Statement { kind: Kind::Unattested, contents: b"words" };
    refused(&key.request(&statements(&[words])), Reason::CarrierMalformed);
    let mistyped = Statement { kind: Kind::Tdx, contents: b"HCLA" };
    assert!(Submission::open(&key.request(&statements(&[mistyped]))).is_err());
}

#[test]
fn malformed_requests_are_refused_by_field() {
    let key = Key::p256();
    let bundle = bundle::encode_keep(Kind::Unattested, &[], &key.claims(), &[]);
    let attribute = |oid: &[u8], value: &[u8]| {
        der::sequence(&[&der::element(tag::OID, oid), &der::element(tag::SET, value)])
    };
    let ours = attribute(bundle::OID, &bundle);
    let critical = der::sequence(&[
        &der::element(tag::OID, &[ra_tls::OID_ENARX, &[1, 1]].concat()),
        &der::element(tag::BOOLEAN, &[0xFF]),
        &der::element(tag::OCTET_STRING, &[]),
    ]);
    let plain = der::sequence(&[
        &der::element(tag::OID, &[ra_tls::OID_ENARX, &[1, 1]].concat()),
        &der::element(tag::OCTET_STRING, &[]),
    ]);
    let wanted = |extensions: &[&[u8]]| attribute(OID_EXTENSION_REQUEST, &der::sequence(extensions));
    let foreign = |n: u8| attribute(&[0x2A, 3, n], &der::element(tag::NULL, &[]));
    let check = |version: u64, attributes: &[&[u8]], good: bool| {
        let set = der::element(der::tag::context(0), &attributes.concat());
        let info = der::sequence(&[&der::unsigned(version), &der::sequence(&[]), &key.spki, &set]);
        let opened = Submission::open(&key.sign(&info));
        assert_eq!(opened.is_ok(), good, "{:?}", opened.err());
        if let Err(rejection) = opened {
            assert!(rejection.has(Reason::CarrierMalformed), "{rejection}");
        }
    };
    check(0, &[&ours], true);
    check(0, &[&foreign(1), &ours], true);
    check(0, &[&wanted(&[&plain])], true);
    check(1, &[&ours], false);
    check(0, &[&ours, &ours], false);
    check(0, &[&attribute(bundle::OID, &[bundle.as_slice(), &bundle].concat())], false);
    check(0, &[&attribute(bundle::OID, &[])], false);
    check(0, &[&wanted(&[&critical])], false);
    check(0, &[&wanted(&[&plain, &plain])], false);
    let many: Vec<Vec<u8>> = (0..17).map(foreign).collect();
    check(0, &many.iter().map(Vec::as_slice).collect::<Vec<_>>(), false);
}

#[test]
fn a_certificate_of_each_kind_carries_evidence() {
    let key = Key::p256();
    let own = bundle::encode_keep(Kind::Unattested, &[], &key.claims(), &[]);
    let certificate = key.certificate(&ra_tls::encode_extension(&own));
    let submission = Submission::open(&certificate).expect("opens");
    assert_eq!(submission.carriers, [Carrier::RaTls, Carrier::Bundle]);
    assert_eq!(submission.keep_claims, Some(key.claims()));
    cuts_and_flips(&certificate);

    let quote = snp_report();
    let gramine = &[0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x8A, 0x39, 6];
    let submission = Submission::open(&key.certificate(&extension(gramine, &quote))).expect("opens");
    for (at, valid) in
        [("2024-12-31T23:59:59Z", false), ("2025-01-01T00:00:00Z", true), ("2035-01-02T00:00:00Z", false)]
    {
        let now = Time::from_rfc3339(at).expect("valid");
        assert_eq!(submission.check_validity(now).is_ok(), valid, "{at}");
    }
    let binding = submission.binding(false).expect("bound to the key");
    assert!(binding.holds(&[sha256(&key.spki), [0; 32]].concat()));

    let wrapped = Cmw::Record(Record::evidence(quote.clone()));
    let json = der::element(tag::UTF8_STRING, wrapped.to_json().as_bytes());
    let cbor = der::element(tag::OCTET_STRING, &wrapped.to_cbor());
    for value in [json, cbor] {
        let submission = Submission::open(&key.certificate(&extension(cmw::OID, &value))).expect("opens");
        assert_eq!(submission.carriers, [Carrier::RaTls, Carrier::Cmw]);
    }
    let other = Submission::open(&key.certificate(&extension(cmw::OID, &der::element(tag::NULL, &[]))));
    assert!(other.expect_err("neither").has(Reason::CarrierMalformed));

    let tagged = tagged_evidence(&quote, &key.spki);
    let dice = &[0x67, 0x81, 0x05, 5, 4, 9];
    let submission = Submission::open(&key.certificate(&extension(dice, &tagged))).expect("opens");
    assert!(submission.binding(false).is_some_and(|binding| binding.expected().len() == 32));
    let stolen = tagged_evidence(&quote, &Key::p256().spki);
    refused(&key.certificate(&extension(dice, &stolen)), Reason::CarrierKey);
    for length in 0..tagged.len() {
        assert!(ra_tls::TaggedEvidence::decode(&tagged[..length]).is_err(), "cut at {length}");
    }

    refused(&key.certificate(&extension(&[0x55, 0x1D, 14], &[4, 0])), Reason::CarrierEmpty);
    let mut forged = certificate;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    refused(&forged, Reason::CarrierSignature);
}

#[test]
fn bare_and_wrapped_reports_are_the_same_evidence() {
    let report = snp_report();
    let vcek = include_bytes!("../src/roots/amd-ask-milan.der");
    let table = CertTable::encode(&[(Entry::Ask, vcek)]);
    let collection = Cmw::Collection(Collection {
        kind: None,
        items: vec![
            (Label::Text("report".into()), Cmw::Record(Record::evidence(report.clone()))),
            (
                Label::Text("ask".into()),
                Cmw::Record(Record {
                    kind: Type::Media("application/pkix-cert".into()),
                    value: vcek.to_vec(),
                    indicator: Some(2),
                }),
            ),
        ],
    });
    let tsm = format!(
        r#"{{"outblob":"{}","auxblob":"{}","provider":"sev_guest"}}"#,
        base64::encode_url(&report),
        base64::encode_url(&table)
    );
    let hex: String = report.iter().map(|byte| format!("{byte:02x}")).collect();
    let forms: [(Vec<u8>, usize); 10] = [
        (format!("{hex}\n").into_bytes(), 0),
        (hex.to_uppercase().into_bytes(), 0),
        (report.clone(), 0),
        (base64::encode(&report).into_bytes(), 0),
        (pem::encode("EVIDENCE", &report).into_bytes(), 0),
        ([pem::encode("EVIDENCE", &report), pem::encode("CERTIFICATE", vcek)].concat().into_bytes(), 1),
        ([report.clone(), table.clone()].concat(), 1),
        (collection.to_cbor(), 1),
        (collection.to_json().into_bytes(), 1),
        (tsm.into_bytes(), 1),
    ];
    for (form, certificates) in forms {
        let submission = Submission::open(&form).unwrap_or_else(|rejection| panic!("{rejection}"));
        let [Evidence::Snp(evidence)] = submission.evidence.as_slice() else { panic!("one SNP report") };
        assert_eq!((&evidence.bytes, evidence.certificates.len()), (&report, certificates));
        assert!(submission.carried.is_empty());
    }
    let files: [(&str, &[u8]); 3] = [("outblob", &report), ("auxblob", &table), ("provider", b"sev_guest\n")];
    assert!(Submission::open_files(&files).is_ok());
    let wrong: [(&str, &[u8]); 2] = [("outblob", &report), ("provider", b"tdx_guest\n")];
    let rejection = Submission::open_files(&wrong).expect_err("another provider");
    assert!(rejection.has(Reason::CarrierMalformed), "{rejection}");
}

#[test]
fn anything_else_is_refused_with_its_reason() {
    refused(&[], Reason::EvidenceUnknown);
    refused(b"words", Reason::CarrierMalformed);
    refused(b"{}", Reason::EvidenceUnknown);
    refused(b"[]", Reason::CarrierMalformed);
    refused(&[0x30], Reason::CarrierMalformed);
    refused(&[0x30, 0x80, 0, 0], Reason::CarrierMalformed);
    refused(&[0x82, 0x01], Reason::CarrierMalformed);
    refused(&vec![0x41; attest::carrier::MAX_SIZE + 1], Reason::CarrierMalformed);
    refused(pem::encode("PRIVATE KEY", &[1]).as_bytes(), Reason::CarrierMalformed);
    refused(pem::encode("CERTIFICATE", &[1]).as_bytes(), Reason::CarrierEmpty);
    refused(&[snp_report(), vec![1; 24]].concat(), Reason::CarrierMalformed);
    let nested = (0..7).fold(snp_report(), |inside, _| base64::encode(&inside).into_bytes());
    refused(&nested, Reason::CarrierMalformed);
    let deep = (0..7).fold(snp_report(), |inside, _| Cmw::Record(Record::evidence(inside)).to_cbor());
    refused(&deep, Reason::CarrierMalformed);
}

#[test]
fn requests_of_old_keeps() {
    let Some(vectors) = folder("") else { return };
    let check = |path: &str, certificates: usize, crls: usize, documents: usize| {
        let request = read(&vectors.join(path).join("request.csr"));
        let submission = Submission::open(&request).unwrap_or_else(|rejection| panic!("{path}: {rejection}"));
        assert_eq!(submission.carriers, [Carrier::Request, Carrier::Legacy], "{path}");
        let carried = &submission.carried;
        let counts = (carried.certificates.len(), carried.crls.len(), carried.documents.len());
        assert_eq!(counts, (certificates, crls, documents), "{path}");
        let base = Endorsements::shipped().expect("shipped certificates decode");
        assert!(submission.endorse(&base).is_ok());
        cuts_and_flips(&request);
        submission
    };
    check("sgx/steward-xeon-csr", 2, 3, 1);
    check("sgx/steward-i5-csr", 2, 3, 1);
    let submission = check("snp/milan-v2-steward-csr", 0, 2, 0);
    let base = Endorsements::shipped().expect("shipped certificates decode");
    let endorsements = submission.endorse(&base).expect("lists decode");
    let reference = ReferenceValues { binding: submission.binding(false), ..ReferenceValues::default() };
    let policy = Policy::from_toml("[accept]\nlegacy_enarx = true\n").expect("valid");
    let judge = |at: &str| {
        let now = Time::from_rfc3339(at).expect("valid");
        appraise(&submission.evidence[0], &endorsements, &reference, &policy, now)
    };
    if let Err(rejection) = judge("2022-12-01T00:00:00Z") {
        panic!("{rejection}");
    }
    let stale = judge("2024-12-01T00:00:00Z").expect_err("its lists are outdated");
    assert!(stale.has(Reason::CrlStale), "{stale}");
}

#[test]
fn reports_of_configfs_tsm() {
    let Some(vectors) = folder("") else { return };
    let case = vectors.join("snp/genoa-v3-configfs-tsm");
    for name in ["sevsnp-tsm-report.json", "sevsnp-tsm-report.cbor"] {
        let submission = Submission::open(&read(&case.join(name))).unwrap_or_else(|r| panic!("{name}: {r}"));
        assert_eq!(submission.carriers, [Carrier::Tsm]);
        let policy = "[revocation]\nrequired = false\n[freshness]\nbinding_required = false\n";
        let policy = Policy::from_toml(policy).expect("valid");
        let now = Time::from_rfc3339("2026-01-01T11:19:36Z").expect("valid");
        let endorsements = Endorsements::shipped().expect("shipped certificates decode");
        let reference = ReferenceValues::default();
        let result = appraise(&submission.evidence[0], &endorsements, &reference, &policy, now);
        result.unwrap_or_else(|rejection| panic!("{name}: {rejection}"));
    }
}

/// A key, and what is signed with it.
struct Key {
    pair: EcdsaKeyPair,
    scheme: Scheme,
    spki: Vec<u8>,
}

impl Key {
    fn p256() -> Self {
        Self::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING), Scheme::EcdsaP256Sha256)
    }

    fn p384() -> Self {
        Self::new(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING), Scheme::EcdsaP384Sha384)
    }

    fn new(pair: Result<EcdsaKeyPair, aws_lc_rs::error::Unspecified>, scheme: Scheme) -> Self {
        let pair = pair.expect("a key");
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a public key");
        let spki = spki.as_ref().to_vec();
        Self { pair, scheme, spki }
    }

    fn claims(&self) -> KeepClaims {
        let spki_digest = sha384(&self.spki);
        KeepClaims {
            spki_digest,
            workload: vec![5; 48],
            slug: None,
            nonce: Some(vec![6; 32]),
            lifetime: 3600,
        }
    }

    fn request(&self, bundle: &[u8]) -> Vec<u8> {
        self.sign(&csr::encode_info(&self.spki, bundle))
    }

    /// Requests and certificates have the same outer form.
    fn sign(&self, content: &[u8]) -> Vec<u8> {
        let signature = self.pair.sign(&SystemRandom::new(), content).expect("a signature");
        csr::encode(content, self.scheme, signature.as_ref()).expect("an ECDSA key")
    }

    fn certificate(&self, extension: &[u8]) -> Vec<u8> {
        let algorithm = der::sequence(&[&der::element(tag::OID, &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2])]);
        let date = |text: &[u8]| der::element(tag::UTC_TIME, text);
        let tbs = der::sequence(&[
            &der::element(tag::context(0), &der::unsigned(2)),
            &der::unsigned(1),
            &algorithm,
            &der::sequence(&[]),
            &der::sequence(&[&date(b"250101000000Z"), &date(b"350101000000Z")]),
            &der::sequence(&[]),
            &self.spki,
            &der::element(tag::context(3), &der::sequence(&[extension])),
        ]);
        self.sign(&tbs)
    }
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::element(tag::OID, oid), &der::element(tag::OCTET_STRING, value)])
}

fn tagged_evidence(quote: &[u8], spki: &[u8]) -> Vec<u8> {
    use attest::cbor::Writer;
    let claims = Writer::new().map(2).text("nonce").bytes(&[1]).text("pubkey-hash").array(2);
    let claims = claims.unsigned(1).bytes(&sha256(spki)).finish();
    Writer::new().tag(60_000).array(2).bytes(quote).bytes(&claims).finish()
}

/// A report that decodes; nobody signed it.
fn snp_report() -> Vec<u8> {
    let mut report = vec![0; 1184];
    report[0] = 2;
    report[0x34] = 1;
    report
}

fn refused(bytes: &[u8], reason: Reason) {
    let rejection: Rejection =
        Submission::open(bytes).err().unwrap_or_else(|| panic!("opened, not {reason}"));
    assert!(rejection.has(reason), "expected {reason}: {rejection}");
}

/// No cut opens, and neither does any flipped bit of a signed carrier; nothing panics.
fn cuts_and_flips(signed: &[u8]) {
    for length in 0..signed.len() {
        assert!(Submission::open(&signed[..length]).is_err(), "cut at {length}");
    }
    for byte in (0..signed.len()).step_by(1 + signed.len() / 1000) {
        let mut flipped = signed.to_vec();
        flipped[byte] ^= 1 << (byte % 8);
        assert!(Submission::open(&flipped).is_err(), "byte {byte}");
    }
}

/// extensionRequest, 1.2.840.113549.1.9.14.
const OID_EXTENSION_REQUEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 14];
