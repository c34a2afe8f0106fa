//! Every way that a document can be wrong, with a hierarchy made in code.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::appraise::appraise;
use crate::binding::Binding;
use crate::cbor::Writer;
use crate::cose::signing::Signer;
use crate::crypto::Algorithm;
use crate::endorsements::Endorsements;
use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::reason::{Reason, Rejection};
use crate::reference::ReferenceValues;
use crate::result::AttestationResult;
use crate::roots::{Anchor, Grade, Vendor};
use crate::time::Time;
use crate::x509::certificate::Certificate;
use crate::x509::issuing::{Content, Key};

const LONG: [&str; 2] = ["20200101000000Z", "20490101000000Z"];
const NOW: &str = "2026-06-15T12:00:00Z";

/// A document and the world that judges it; tests change one thing of it.
struct Scene {
    fields: BTreeMap<&'static str, Vec<u8>>,
    pcrs: BTreeMap<u64, Vec<u8>>,
    key: Key,
    bundle: Vec<Vec<u8>>,
    signed_by_stranger: bool,
    anchored: bool,
    policy: String,
    now: Time,
    binding: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        Self::issued([LONG, LONG, LONG, ["20260615110000Z", "20260615140000Z"]], 2, None)
    }

    /// Root, region, instance, leaf, each with its validity.
    fn issued(validity: [[&str; 2]; 4], path_length: u64, leaf_ca: Option<u64>) -> Self {
        let key = || Key::Ec(Signer::new(Algorithm::P384));
        let (root, region, instance, leaf) = (key(), key(), key(), key());
        let content = |subject, issuer, validity, ca| Content { subject, issuer, validity, ca };
        let bundle = std::vec![
            root.issue(&content("root", "root", validity[0], Some(9)), &root),
            root.issue(&content("region", "root", validity[1], Some(path_length)), &region),
            region.issue(&content("instance", "region", validity[2], Some(0)), &instance),
        ];
        let certificate = instance.issue(&content("enclave", "instance", validity[3], leaf_ca), &leaf);
        let now = Time::from_rfc3339(NOW).expect("valid");
        let fields = BTreeMap::from([
            ("module_id", Writer::new().text("i-1-enc2").finish()),
            ("digest", Writer::new().text("SHA384").finish()),
            ("timestamp", Writer::new().unsigned(now.0 * 1000).finish()),
            ("certificate", Writer::new().bytes(&certificate).finish()),
            ("public_key", Writer::new().null().finish()),
            ("user_data", Writer::new().bytes(&[5; 64]).finish()),
            ("nonce", Writer::new().null().finish()),
        ]);
        let pcrs = (0..16).map(|index| (index, std::vec![index as u8 + 1; 48])).collect();
        Self {
            fields,
            pcrs,
            key: leaf,
            bundle,
            signed_by_stranger: false,
            anchored: true,
            policy: String::from("[revocation]\nrequired = false\n"),
            now,
            binding: std::vec![5; 64],
        }
    }

    fn document(&self) -> Vec<u8> {
        let Key::Ec(signer) = &self.key else { panic!("an EC key") };
        let mut payload = Writer::new().map(self.fields.len() + 2);
        for (name, value) in &self.fields {
            payload = payload.text(name).raw(value);
        }
        payload = payload.text("pcrs").map(self.pcrs.len());
        for (index, value) in &self.pcrs {
            payload = payload.unsigned(*index).bytes(value);
        }
        payload = payload.text("cabundle").array(self.bundle.len());
        for certificate in &self.bundle {
            payload = payload.bytes(certificate);
        }
        let payload = payload.finish();
        match self.signed_by_stranger {
            true => Signer::new(Algorithm::P384).sign1(&payload),
            false => signer.sign1(&payload),
        }
    }

    fn judge(&self) -> Result<AttestationResult, Rejection> {
        let root = Certificate::decode(&self.bundle[0]).expect("decodes");
        let mut endorsements = Endorsements::new(Vec::new());
        if self.anchored {
            let anchor = Anchor { vendor: Vendor::Amazon, grade: Grade::Vendor, certificate: root };
            endorsements.add_anchor(anchor);
        }
        let reference = ReferenceValues {
            binding: Some(Binding::Exact(self.binding.clone())),
            ..ReferenceValues::default()
        };
        let policy = Policy::from_toml(&self.policy).expect("valid");
        let evidence = Evidence::decode(&self.document())?;
        appraise(&evidence, &endorsements, &reference, &policy, self.now)
    }
}

fn check(name: &str, expected: Option<Reason>, change: impl FnOnce(&mut Scene)) {
    let mut scene = Scene::new();
    change(&mut scene);
    verdict(name, expected, &scene);
}

fn verdict(name: &str, expected: Option<Reason>, scene: &Scene) {
    match (scene.judge(), expected) {
        (Ok(_), None) => {}
        (Err(rejection), Some(reason)) => assert!(rejection.has(reason), "{name}: {rejection}"),
        (Ok(_), Some(reason)) => panic!("{name}: accepted, expected {reason}"),
        (Err(rejection), None) => panic!("{name}: {rejection}"),
    }
}

fn policy(scene: &mut Scene, section: &str) {
    scene.policy.push_str(section);
}

fn hex(byte: u8) -> String {
    std::format!("{byte:02x}").repeat(48)
}

#[test]
fn what_is_signed_is_held_to_its_bounds() {
    use Reason::EvidenceMalformed as Bad;
    check("as it is", None, |_| {});
    for name in ["module_id", "digest", "timestamp", "certificate"] {
        check(name, Some(Bad), |scene| drop(scene.fields.remove(name)));
    }
    let field = |name: &'static str, value: Writer, expected| {
        check(name, expected, |scene| drop(scene.fields.insert(name, value.finish())));
    };
    field("module_id", Writer::new().text(""), Some(Bad));
    field("digest", Writer::new().text("SHA256"), Some(Bad));
    field("timestamp", Writer::new().unsigned(0), Some(Bad));
    field("timestamp", Writer::new().text("now"), Some(Bad));
    field("public_key", Writer::new().bytes(&[]), Some(Bad));
    field("public_key", Writer::new().bytes(&[1; 1024]), None);
    field("public_key", Writer::new().bytes(&[1; 1025]), Some(Bad));
    field("user_data", Writer::new().bytes(&[1; 513]), Some(Bad));
    field("nonce", Writer::new().bytes(&[1; 512]), None);
    field("nonce", Writer::new().bytes(&[1; 513]), Some(Bad));
    field("certificate", Writer::new().bytes(&[0x30; 1025]), Some(Bad));
    field("extra", Writer::new().null(), Some(Bad));
    check("no bundle", Some(Bad), |scene| scene.fields.clear());
    check("short register", Some(Bad), |scene| drop(scene.pcrs.insert(3, std::vec![1; 32])));
    check("register 32", Some(Bad), |scene| drop(scene.pcrs.insert(32, std::vec![1; 48])));
    check("no register 2", Some(Bad), |scene| drop(scene.pcrs.remove(&2)));
}

#[test]
fn signature_and_chain_are_proven() {
    check("stranger", Some(Reason::NitroSignature), |scene| scene.signed_by_stranger = true);
    check("no anchor", Some(Reason::ChainSignature), |scene| scene.anchored = false);
    check("order", Some(Reason::NitroBundle), |scene| scene.bundle[1..].reverse());
    check("twice", Some(Reason::NitroBundle), |scene| scene.bundle.push(scene.bundle[2].clone()));
    check("gap", Some(Reason::ChainAnchor), |scene| drop(scene.bundle.remove(1)));
    let leaf = ["20260615110000Z", "20260615140000Z"];
    let short = Scene::issued([LONG, LONG, LONG, leaf], 0, None);
    verdict("path length", Some(Reason::ChainConstraints), &short);
    let ca = Scene::issued([LONG, LONG, LONG, leaf], 2, Some(0));
    verdict("a CA signs", Some(Reason::ChainConstraints), &ca);
    for place in 0..4 {
        let mut validity = [LONG, LONG, LONG, leaf];
        validity[place] = ["20200101000000Z", "20260101000000Z"];
        let expired = Scene::issued(validity, 2, None);
        verdict("expired", Some(Reason::ChainValidity), &expired);
    }
    check("no list", Some(Reason::CrlMissing), |scene| scene.policy.clear());
}

#[test]
fn times_are_close() {
    check("old", Some(Reason::NitroAge), |scene| scene.now.0 += 301);
    check("old enough", None, |scene| scene.now.0 += 300);
    check("ahead", Some(Reason::NitroAge), |scene| scene.now.0 -= 61);
    check("before its certificate", Some(Reason::NitroAge), |scene| {
        let early = Writer::new().unsigned((scene.now.0 - 2 * 3600) * 1000);
        scene.fields.insert("timestamp", early.finish());
        policy(scene, "[nitro]\nmax_age_seconds = 100000\n");
    });
}

#[test]
fn the_policy_is_applied() {
    for index in 0..3 {
        check("debug", Some(Reason::DebugEnabled), |scene| drop(scene.pcrs.insert(index, std::vec![0; 48])));
    }
    check("debug accepted", None, |scene| {
        scene.pcrs.insert(0, std::vec![0; 48]);
        policy(scene, "[accept]\ndebug = true\n");
    });
    let section = |text: String, expected| check(&text, expected, |scene| policy(scene, &text));
    let (one, two) = (hex(1), hex(2));
    section(std::format!("[nitro]\nhash = [\"{one}\"]\n"), None);
    section(std::format!("[nitro]\nhash = [\"{two}\"]\n"), Some(Reason::MeasurementUnknown));
    section(std::format!("[nitro]\nhash_blacklist = [\"{one}\"]\n"), Some(Reason::MeasurementDenied));
    section(std::format!("[nitro]\nsigner = [\"{}\"]\n", hex(9)), None);
    section(std::format!("[nitro]\nsigner = [\"{one}\"]\n"), Some(Reason::NitroPcr));
    section(std::format!("[nitro.pcrs]\n1 = [\"{one}\", \"{two}\"]\n"), None);
    section(std::format!("[nitro.pcrs]\n1 = [\"{one}\"]\n"), Some(Reason::NitroPcr));
    // A register that is not there has no value that anybody accepts.
    section(std::format!("[nitro.pcrs]\n20 = [\"{one}\"]\n"), Some(Reason::NitroPcr));
    section("[nitro]\nnonce_required = true\n".to_string(), Some(Reason::NonceMissing));
    section("[accept]\ntees = [\"snp\"]\n".to_string(), Some(Reason::TeeRefused));
    check("nonce", None, |scene| {
        scene.fields.insert("nonce", Writer::new().bytes(&[1; 16]).finish());
        policy(scene, "[nitro]\nnonce_required = true\n");
    });
    check("binding", Some(Reason::BindingMismatch), |scene| scene.binding[0] = 6);
    check("no user data", Some(Reason::BindingMismatch), |scene| {
        scene.fields.insert("user_data", Writer::new().null().finish());
    });
}
