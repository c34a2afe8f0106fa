//! Every way that evidence behind a virtual TPM can be wrong, with keys made in code. The silicon's report is no genuine
//! one, so that its own failures remain; what is told apart are the failures of this module.

use std::string::{String, ToString};
use std::sync::OnceLock;
use std::vec::Vec;

use serde_json::{Value, json};

use crate::appraise::appraise;
use crate::base64;
use crate::binding::Binding;
use crate::crypto::{sha256, sha384, sha512};
use crate::endorsements::Endorsements;
use crate::evidence::Evidence;
use crate::pem;
use crate::policy::Policy;
use crate::reason::{Reason, Rejection};
use crate::reference::ReferenceValues;
use crate::roots::{Anchor, Grade, Vendor};
use crate::time::Time;
use crate::x509::certificate::Certificate;
use crate::x509::issuing::{Content, Key};

const LONG: [&str; 2] = ["20200101000000Z", "20490101000000Z"];

/// RSA keys take long to make: one of each for all tests.
fn attestation_key() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(Key::rsa)
}

fn microsoft() -> &'static Key {
    static KEY: OnceLock<Key> = OnceLock::new();
    KEY.get_or_init(Key::rsa)
}

/// Evidence and the world that judges it; tests change one thing of it.
struct Scene {
    runtime: Value,
    hash: u32,
    /// Where the hash of the runtime data stands, before it is overwritten.
    report_data: Option<[u8; 64]>,
    kind: u32,
    nonce: Vec<u8>,
    pcrs: Vec<Vec<u8>>,
    /// Bytes of the finished report that are overwritten.
    patches: Vec<(usize, u8)>,
    /// Bytes of the quote that are overwritten before it is signed.
    quote_patches: Vec<(usize, u8)>,
    digest: Option<[u8; 32]>,
    signed_by_stranger: bool,
    certificate_of_stranger: bool,
    document: Value,
    quoted: bool,
    policy: String,
    binding: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let (modulus, exponent) = attestation_key().rsa_parts();
        let key = json!({ "kid": "HCLAkPub", "kty": "RSA", "n": base64::encode_url(&modulus),
            "e": base64::encode_url(&exponent), "key_ops": ["sign"] });
        let configuration = json!({ "secure-boot": true, "console-enabled": true, "vmUniqueId": "machine" });
        Self {
            runtime: json!({ "keys": [key], "vm-configuration": configuration, "user-data": "6E6F6E636500" }),
            hash: 1,
            report_data: None,
            kind: 2,
            nonce: b"nonce".to_vec(),
            pcrs: (0..24).map(|pcr| std::vec![pcr; 32]).collect(),
            patches: Vec::new(),
            quote_patches: Vec::new(),
            digest: None,
            signed_by_stranger: false,
            certificate_of_stranger: false,
            document: json!({ "version": 1 }),
            quoted: true,
            policy: String::new(),
            binding: b"nonce".to_vec(),
        }
    }

    fn report(&self) -> Vec<u8> {
        let runtime = self.runtime.to_string().into_bytes();
        let mut report_data = [0; 64];
        match self.hash {
            2 => report_data[..48].copy_from_slice(&sha384(&runtime)),
            3 => report_data = sha512(&runtime),
            _ => report_data[..32].copy_from_slice(&sha256(&runtime)),
        }
        let report_data = self.report_data.unwrap_or(report_data);
        let mut hardware = std::vec![0; 0x4A0];
        if self.kind == 2 {
            hardware[0] = 3;
            hardware[0x34] = 1;
            hardware[0x188..0x18B].copy_from_slice(&[0x19, 1, 1]);
            hardware[0x160..0x180].fill(0xFF);
            hardware[0x50..0x90].copy_from_slice(&report_data);
        } else {
            hardware[0] = 0x81;
            hardware[128..192].copy_from_slice(&report_data);
        }
        let length = runtime.len() as u32;
        let mut report = b"HCLA".to_vec();
        for number in [1, 0x4C0 + 20 + length, 2, 0, 0, 0, 0] {
            report.extend_from_slice(&u32::to_le_bytes(number));
        }
        report.extend_from_slice(&hardware);
        for number in [20 + length, 1, self.kind, self.hash, length] {
            report.extend_from_slice(&u32::to_le_bytes(number));
        }
        report.extend_from_slice(&runtime);
        report.extend_from_slice(&[0; 100]);
        for &(at, byte) in &self.patches {
            report[at] = byte;
        }
        report
    }

    fn message(&self) -> Vec<u8> {
        let mut message = std::vec![0xFF, b'T', b'C', b'G', 0x80, 0x18, 0, 4, 1, 2, 3, 4];
        message.extend_from_slice(&(self.nonce.len() as u16).to_be_bytes());
        message.extend_from_slice(&self.nonce);
        message.extend_from_slice(&[0; 17 + 8]);
        message.extend_from_slice(&[0, 0, 0, 1, 0, 0x0B, 3, 0xFF, 0xFF, 0xFF, 0, 32]);
        message.extend_from_slice(&self.digest.unwrap_or_else(|| sha256(&self.pcrs.concat())));
        for &(at, byte) in &self.quote_patches {
            message[at] = byte;
        }
        message
    }

    fn evidence(&self) -> Vec<u8> {
        if !self.quoted {
            return self.report();
        }
        let message = self.message();
        let signer = if self.signed_by_stranger { microsoft() } else { attestation_key() };
        let quote =
            json!({ "message": message, "signature": signer.sign_quote(&message), "pcrs": self.pcrs });
        let mut document = self.document.clone();
        let vcek = Content { subject: "SEV-VCEK", issuer: "nobody", validity: LONG, ca: None };
        let vcek = microsoft().issue(&vcek, microsoft());
        document["hcl_report"] = json!(base64::encode_url(&self.report()));
        if document.get("vcek").is_none() {
            document["vcek"] = json!(base64::encode_url(&vcek));
        }
        match document.get_mut("tpm_attestation") {
            Some(attestation) => {
                let content = |subject, issuer| Content { subject, issuer, validity: LONG, ca: None };
                let subject = if self.certificate_of_stranger { microsoft() } else { attestation_key() };
                let certificate = microsoft().issue(&content("machine", "root"), subject);
                attestation["ak_certificate_pem"] = json!(pem::encode("CERTIFICATE", &certificate));
                attestation["quote"] = quote;
            }
            None => document["tpm_quote"] = quote,
        }
        document.to_string().into_bytes()
    }

    fn judge(&self) -> Rejection {
        let mut endorsements = Endorsements::new(Vec::new());
        let root = Content { subject: "root", issuer: "root", validity: LONG, ca: Some(2) };
        let certificate = Certificate::decode(&microsoft().issue(&root, microsoft())).expect("decodes");
        endorsements.add_anchor(Anchor { vendor: Vendor::Microsoft, grade: Grade::Vendor, certificate });
        let binding = Some(Binding::Exact(self.binding.clone()));
        let reference = ReferenceValues { binding, ..ReferenceValues::default() };
        let policy = Policy::from_toml(&self.policy).expect("valid");
        let now = Time::from_rfc3339("2026-06-15T00:00:00Z").expect("valid");
        let judged = Evidence::decode(&self.evidence())
            .and_then(|evidence| appraise(&evidence, &endorsements, &reference, &policy, now));
        judged.expect_err("the silicon is not genuine")
    }
}

/// Expects one failure of this module, or none.
fn check(name: &str, expected: Option<Reason>, change: impl FnOnce(&mut Scene)) {
    let mut scene = Scene::new();
    change(&mut scene);
    let rejection = scene.judge();
    let ours = |reason: Reason| {
        reason.id().starts_with("vtpm")
            || matches!(reason, Reason::EvidenceMalformed | Reason::EvidenceUnknown | Reason::BindingMismatch)
    };
    let mut failures = rejection.checks().failures().map(|check| check.reason).filter(|&reason| ours(reason));
    match expected {
        Some(reason) => assert!(rejection.has(reason), "{name}: expected {reason}, found {rejection}"),
        None => assert_eq!(failures.next(), None, "{name}: {rejection}"),
    }
}

#[test]
fn the_report_has_one_form() {
    use Reason::EvidenceMalformed as Bad;
    check("as it is", None, |_| {});
    for hash in [2, 3] {
        check("another hash", None, |scene| scene.hash = hash);
    }
    check("no hash", Some(Bad), |scene| scene.hash = 4);
    let patch = |at, byte, expected| {
        check("a header field", expected, |scene| scene.patches.push((at, byte)));
    };
    patch(4, 2, None);
    patch(4, 3, Some(Bad));
    patch(8, 0, Some(Bad));
    patch(12, 1, Some(Bad));
    patch(16, 1, Some(Bad));
    patch(20, 1, Some(Bad));
    patch(31, 1, Some(Bad));
    patch(0x4C4, 2, Some(Bad));
    patch(0x4C8, 3, Some(Bad));
    patch(0x4D0, 1, Some(Bad));
    check("a tail", Some(Bad), |scene| {
        let last = scene.report().len() - 1;
        scene.patches.push((last, 1));
    });
    let runtime = |name: &str, change: fn(&mut Value), expected| {
        check(name, expected, |scene| change(&mut scene.runtime));
    };
    runtime("no key", |runtime| runtime["keys"] = json!([]), Some(Bad));
    runtime(
        "two keys",
        |runtime| runtime["keys"] = json!([runtime["keys"][0], runtime["keys"][0]]),
        Some(Bad),
    );
    runtime("not RSA", |runtime| runtime["keys"][0]["kty"] = json!("EC"), Some(Bad));
    runtime("short key", |runtime| runtime["keys"][0]["n"] = json!("AQAB"), Some(Bad));
    runtime("user data", |runtime| runtime["user-data"] = json!("0"), Some(Bad));
    runtime("more is there", |runtime| runtime["new"] = json!(1), None);
}

#[test]
fn the_silicon_names_the_runtime_data() {
    check("another hash", Some(Reason::VtpmBinding), |scene| scene.report_data = Some([1; 64]));
    check("no zeros behind", Some(Reason::VtpmBinding), |scene| {
        let mut report_data = [0; 64];
        report_data[..32].copy_from_slice(&sha256(scene.runtime.to_string().as_bytes()));
        report_data[63] = 1;
        scene.report_data = Some(report_data);
    });
    check("a TD report alone", Some(Reason::VtpmQuoteMissing), |scene| {
        scene.kind = 4;
        scene.quoted = false;
    });
    check("a TD report of another kind", Some(Reason::EvidenceMalformed), |scene| {
        scene.kind = 4;
        scene.quoted = false;
        scene.patches.push((0x20, 0x80));
    });
    check("a TD report with a tail", Some(Reason::EvidenceMalformed), |scene| {
        scene.kind = 4;
        scene.quoted = false;
        scene.patches.push((0x20 + 1024, 1));
    });
}

#[test]
fn the_quote_is_proven() {
    use Reason::EvidenceMalformed as Bad;
    check("a stranger", Some(Reason::VtpmQuoteSignature), |scene| scene.signed_by_stranger = true);
    check("another digest", Some(Reason::VtpmPcr), |scene| scene.digest = Some([0; 32]));
    check("nonce", Some(Reason::BindingMismatch), |scene| scene.nonce = b"other".to_vec());
    check("a long nonce", Some(Bad), |scene| scene.nonce = std::vec![1; 65]);
    check("23 registers", Some(Bad), |scene| drop(scene.pcrs.pop()));
    check("a short register", Some(Bad), |scene| scene.pcrs[3] = std::vec![1; 20]);
    let patch = |name: &str, at, byte| {
        check(name, Some(Bad), |scene| scene.quote_patches.push((at, byte)));
    };
    patch("magic", 0, 0xFE);
    patch("a certification, not a quote", 5, 0x17);
    patch("safe", 35, 2);
    patch("banks", 47, 2);
    patch("SHA-1", 49, 4);
    patch("not all registers", 52, 0xFE);
    patch("a shorter digest", 55, 31);
    check("no quote", Some(Reason::VtpmQuoteMissing), |scene| scene.quoted = false);
}

#[test]
fn the_carrier_has_one_form() {
    use Reason::EvidenceMalformed as Bad;
    let document = |name: &str, change: fn(&mut Value), expected| {
        check(name, expected, |scene| change(&mut scene.document));
    };
    document("version 0", |document| document["version"] = json!(0), Some(Bad));
    document("version 3", |document| document["version"] = json!(3), Some(Bad));
    document("user data", |document| document["version"] = json!(2), None);
    document("more", |document| document["more"] = json!(1), Some(Bad));
    document("a VCEK and a TD quote", |document| document["td_quote"] = json!("AA"), Some(Bad));
    document("no VCEK", |document| document["vcek"] = Value::Null, Some(Bad));
    document("PEM", |document| document["vcek"] = json!("-----BEGIN CERTIFICATE-----\u{c}"), Some(Bad));
    check("user data of another nonce", Some(Reason::VtpmNonce), |scene| {
        scene.document["version"] = json!(2);
        scene.runtime["user-data"] = json!("00");
    });
    check("user data and no nonce", Some(Reason::VtpmNonce), |scene| {
        scene.document["version"] = json!(2);
        scene.nonce.clear();
    });
}

#[test]
fn the_key_is_certified_where_it_must() {
    let required = "[vtpm]\ncertificate_required = true\n";
    check("required", Some(Reason::VtpmKey), |scene| scene.policy.push_str(required));
    check("given", None, |scene| {
        scene.policy.push_str(required);
        scene.document["tpm_attestation"] = json!({});
    });
    check("of another key", Some(Reason::VtpmKey), |scene| {
        scene.document["tpm_attestation"] = json!({});
        scene.certificate_of_stranger = true;
    });
}

#[test]
fn the_policy_is_applied() {
    let section = |text: &str, expected| check(text, expected, |scene| scene.policy.push_str(text));
    let pcr = |index: usize, byte: &str| std::format!("[vtpm.pcrs]\n{index} = [\"{}\"]\n", byte.repeat(32));
    section(&pcr(7, "07"), None);
    section(&pcr(7, "08"), Some(Reason::VtpmPcr));
    section(&pcr(24, "18"), Some(Reason::VtpmPcr));
    section("[vtpm]\nmachines = [\"machine\"]\n", None);
    section("[vtpm]\nmachines = [\"other\"]\n", Some(Reason::VtpmConfiguration));
    section("[vtpm]\nconsole = false\n", Some(Reason::VtpmConfiguration));
    for runtime in [json!({ "secure-boot": false }), json!({})] {
        let change = |scene: &mut Scene| scene.runtime["vm-configuration"] = runtime.clone();
        check("secure boot", Some(Reason::VtpmConfiguration), change);
        check("secure boot not required", None, |scene| {
            change(scene);
            scene.policy.push_str("[vtpm]\nsecure_boot_required = false\n");
        });
    }
    let empty = |scene: &mut Scene| {
        scene.nonce.clear();
        scene.binding.clear();
    };
    check("no nonce", Some(Reason::VtpmNonce), empty);
    check("no nonce required", None, |scene| {
        empty(scene);
        scene.policy.push_str("[vtpm]\nnonce_required = false\n");
    });
    check("no quote required", None, |scene| {
        scene.quoted = false;
        scene.binding.clear();
        scene.policy.push_str("[vtpm]\nquote_required = false\nnonce_required = false\n");
    });
}
